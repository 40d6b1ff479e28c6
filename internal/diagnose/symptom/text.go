package symptom

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
)

const (
	width = 80 // columns; only commands, which must be runnable as printed, may be wider
	shown = 5  // causes that people get to read; -o json has them all
)

// Text writes a diagnosis for people: what the text means, then the causes that
// can be behind it with what to do about each, then what would tell more.
func (d Diagnosis) Text(w io.Writer, paint attempt.Paint) error {
	var b strings.Builder
	paragraph(&b, "", strings.ToUpper(d.Summary[:1])+d.Summary[1:], paint.Bad)
	if d.Client != "" {
		paragraph(&b, "client  ", d.Client, nil)
	}
	paragraph(&b, "layer   ", d.Layer, nil)
	said := map[string]bool{d.Summary: true}
	for _, m := range d.Matched {
		if said[m.Means] && len(d.Matched) > 1 && m.Means != d.Summary {
			continue
		}
		said[m.Means] = true
		paragraph(&b, fmt.Sprintf("line %-3d", m.Line), check.Visible(m.Text), paint.Faint)
		if m.Means != d.Summary {
			paragraph(&b, "          ", m.Means, nil)
		}
	}
	b.WriteString("\n" + use(paint.Strong, "Likely causes, the likeliest first") + "\n")
	for i, c := range d.Candidates[:min(len(d.Candidates), shown)] {
		b.WriteByte('\n')
		paragraph(&b, fmt.Sprintf(" %d. ", i+1), c.Title, paint.Strong)
		paragraph(&b, "    ", c.Code, paint.Faint)
		if c.Attempt != "" {
			paragraph(&b, "    ", "The gateway recorded it: gatehouse explain --trace "+c.Attempt, paint.Good)
		}
		if c.Advice != "" {
			paragraph(&b, "    ", check.Visible(c.Advice), nil)
		}
		for line := range strings.SplitSeq(c.Fix, "\n") {
			b.WriteString("      " + line + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func use(f func(string) string, s string) string {
	if f == nil {
		return s
	}
	return f(s)
}

// paragraph writes text behind a head, its further lines indented as far.
func paragraph(b *strings.Builder, head, text string, colour func(string) string) {
	indent := utf8.RuneCountInString(head)
	col := 0
	b.WriteString(head)
	var line strings.Builder
	flush := func() { b.WriteString(use(colour, line.String()) + "\n"); line.Reset(); col = 0 }
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		if col > 0 && indent+col+1+n > width {
			flush()
			b.WriteString(strings.Repeat(" ", indent))
		}
		if col > 0 {
			line.WriteByte(' ')
			col++
		}
		line.WriteString(word)
		col += n
	}
	flush()
}
