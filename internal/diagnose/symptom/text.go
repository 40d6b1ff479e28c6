package symptom

import (
	"fmt"
	"io"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/layout"
)

const shown = 5 // causes that people get to read; -o json has them all

// Text writes a diagnosis for people: what the text means, then the causes that
// can be behind it with what to do about each, then what would tell more.
func (d Diagnosis) Text(w io.Writer, paint layout.Paint) error {
	p := layout.Page{Paint: paint}
	p.Paragraph("", strings.ToUpper(d.Summary[:1])+d.Summary[1:], paint.Bad)
	if d.Client != "" {
		p.Paragraph("client  ", d.Client, nil)
	}
	p.Paragraph("layer   ", d.Layer, nil)
	said := map[string]bool{d.Summary: true}
	line, text := 0, ""
	for _, m := range d.Matched {
		if said[m.Means] && len(d.Matched) > 1 && m.Means != d.Summary {
			continue
		}
		said[m.Means] = true
		if m.Line != line || m.Text != text {
			p.Paragraph(fmt.Sprintf("line %-2d ", m.Line), check.Visible(m.Text), paint.Faint)
			line, text = m.Line, m.Text
		}
		if m.Means != d.Summary {
			p.Paragraph("          ", m.Means, nil)
		}
	}
	p.WriteString("\n" + layout.Use(paint.Strong, "Likely causes, the likeliest first") + "\n")
	for i, c := range d.Candidates[:min(len(d.Candidates), shown)] {
		p.WriteByte('\n')
		p.Paragraph(fmt.Sprintf(" %d. ", i+1), c.Title, paint.Strong)
		p.Paragraph("    ", c.Code, paint.Faint)
		if c.Attempt != "" {
			p.Paragraph("    ", "The gateway recorded it: gatehouse explain --trace "+c.Attempt, paint.Good)
		}
		if c.Advice != "" {
			p.Paragraph("    ", check.Visible(c.Advice), nil)
		}
		for line := range strings.Lines(c.Fix) {
			p.WriteString("      " + strings.TrimSuffix(line, "\n") + "\n")
		}
	}
	_, err := p.WriteTo(w)
	return err
}
