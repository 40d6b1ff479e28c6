package attempt

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/layout"
)

// Text writes an attempt as a person reads it: the verdict, the ladder of its
// checks, then what the device sees, why, and the repair.
func (d Detail) Text(w io.Writer, paint layout.Paint) error {
	t := &textWriter{Page: layout.Page{Paint: paint}}
	t.verdict(d)
	t.ladder(d.Attempt)
	for i, f := range d.Report.Findings { // the first has its title in the verdict
		t.finding(f, i > 0 || !d.Report.Refused)
	}
	for _, f := range d.Report.Warnings {
		t.finding(f, true)
	}
	_, err := t.WriteTo(w)
	return err
}

type textWriter struct{ layout.Page }

func (t *textWriter) verdict(d Detail) {
	colour := t.Paint.Good
	if d.Report.Refused {
		colour = t.Paint.Bad
	}
	head, rest, _ := strings.Cut(d.Report.Verdict, ": ")
	t.Marked(head, ": "+rest, colour)
	t.WriteString(layout.Use(t.Paint.Faint, "trace "+d.Attempt.ID) + "\n\n")
}

// ladder writes every check in its order: mark, time, code, evidence.
func (t *textWriter) ladder(rec Record) {
	codes := 0
	for _, s := range rec.Steps {
		codes = max(codes, min(len(s.Check.Code), 27))
	}
	const before = 2 + 4 + 1 + 8 + 2 // margin, mark, time
	for _, s := range rec.Steps {
		mark, colour := "ok  ", t.Paint.Good
		switch s.Outcome {
		case Failed:
			mark, colour = "FAIL", t.Paint.Bad
		case Also:
			mark, colour = "also", t.Paint.Bad
		case Warned:
			mark, colour = "warn", t.Paint.Doubt
		default:
		}
		at := clock(s.At)
		if s.Outcome == Also {
			at = "" // it was never made, only foreseen
		}
		fmt.Fprintf(t, "  %s %8s  %s", layout.Use(colour, mark), at, layout.Use(t.Paint.Strong, s.Check.Code))
		indent := before + codes + 2
		room := layout.Width - indent
		col := before + len(s.Check.Code)
		lines := layout.Wrap(rungText(s), room)
		if s.Outcome == Passed && len(lines) > 2 { // such as the cipher suites of a ClientHello
			lines = append(lines[:1], string([]rune(lines[1])[:min(utf8.RuneCountInString(lines[1]), room-1)])+ellipsis)
		}
		for i, line := range lines {
			if i > 0 || col > indent-2 {
				t.WriteByte('\n')
				col = 0
			}
			t.WriteString(strings.Repeat(" ", indent-col) + line)
			col = indent
		}
		t.WriteByte('\n')
	}
	if rec.Dropped > 0 {
		fmt.Fprintf(t, "  (and %d more, beyond what is kept of one attempt)\n", rec.Dropped)
	}
}

// rungText is what one line of the ladder says beside the code.
func rungText(s Step) string {
	parts := make([]string, 0, len(s.Evidence)+1)
	ours := ourARN.FindString(s.Evidence.Get("resource")) // says nothing where all begin with it
	for _, f := range s.Evidence {
		if f.Value == "" {
			continue
		}
		switch v := short(check.Visible(f.Value)); {
		case f.Key == "fix", f.Key == "fix_statement", f.Key == "detector", f.Key == "near": // for programs; in words below
		case f.Key == "reason" && s.Outcome != Passed && strings.Contains(s.Check.Cause, "{reason}"): // stands in the cause below
		case f.Key == "principal_arn":
			parts = append(parts, f.Key+"="+ourARN.ReplaceAllString(v, ""))
		default:
			if ours != "" {
				v = strings.TrimPrefix(v, ours)
			}
			parts = append(parts, f.Key+"="+v)
		}
	}
	if len(parts) == 0 {
		parts = append(parts, s.title())
	}
	if s.Count > 1 {
		parts = append(parts, fmt.Sprintf("(%d times)", s.Count))
	}
	return strings.Join(parts, " ")
}

var ourARN = regexp.MustCompile(`^arn:aws[a-z-]*:iot:[a-z0-9-]*:[0-9]*:`)

// short keeps a value on a line: 12 digits of a fingerprint tell as much as 64.
func short(v string) string {
	v = layout.Short(v)
	if utf8.RuneCountInString(v) > 160 {
		v = string([]rune(v)[:160]) + ellipsis
	}
	return v
}

// finding writes one finding; the first has its title in the verdict already.
func (t *textWriter) finding(f Finding, titled bool) {
	t.WriteByte('\n')
	if titled {
		word, colour := "WARNING", t.Paint.Doubt
		switch f.Outcome {
		case Also:
			word, colour = "ALSO", t.Paint.Bad
		case Failed:
			word, colour = "REFUSED", t.Paint.Bad
		case Warned:
			if f.Severity == check.Note.String() {
				word, colour = "NOTE", t.Paint.Strong
			}
		default:
		}
		t.Marked(word, fmt.Sprintf(": %s (%s)", f.Title, f.Code), colour)
	}
	if f.Device != "" && f.Outcome == Failed {
		text := f.Device
		if len(f.Clients) > 0 {
			said := make([]string, 0, len(f.Clients))
			for _, c := range f.Clients {
				said = append(said, c.Name+": "+c.Says)
			}
			text += " " + strings.Join(said, "; ") + "."
		}
		t.Part("Device sees", text)
	}
	t.Part("Why", layout.Short(f.Cause))
	if f.Advice != "" {
		t.Part("Do", f.Advice)
	}
	t.Fix(f.Fix, f.Missing, "the record does not have it")
}

// clock prints how long after its begin something happened in an attempt.
func clock(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	case d < time.Minute:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}
