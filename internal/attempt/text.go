package attempt

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// Paint colours parts of a text for a terminal. A nil function leaves its part as it is.
type Paint struct{ Good, Bad, Doubt, Strong, Faint func(string) string }

func use(f func(string) string, s string) string {
	if f == nil {
		return s
	}
	return f(s)
}

const width = 80 // columns; only commands, which must be runnable as printed, may be wider

// Text writes an attempt as a person reads it: the verdict, the ladder of its
// checks, then what the device sees, why, and the repair.
func (d Detail) Text(w io.Writer, paint Paint) error {
	t := &textWriter{paint: paint}
	t.verdict(d)
	t.ladder(d.Attempt)
	for i, f := range d.Report.Findings { // the first has its title in the verdict
		t.finding(f, i > 0 || !d.Report.Refused)
	}
	for _, f := range d.Report.Warnings {
		t.finding(f, true)
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}

type textWriter struct {
	b     strings.Builder
	paint Paint
	fixes []string // printed
}

func (t *textWriter) verdict(d Detail) {
	colour := t.paint.Good
	if d.Report.Refused {
		colour = t.paint.Bad
	}
	head, rest, _ := strings.Cut(d.Report.Verdict, ": ")
	for i, line := range wrap(head+": "+rest, width) {
		if i == 0 {
			line = use(colour, head) + strings.TrimPrefix(line, head)
		}
		t.b.WriteString(line + "\n")
	}
	t.b.WriteString(use(t.paint.Faint, "trace "+d.Attempt.ID) + "\n\n")
}

// ladder writes every check in its order: mark, time, code, evidence.
func (t *textWriter) ladder(rec Record) {
	codes := 0
	for _, s := range rec.Steps {
		codes = max(codes, min(len(s.Check.Code), 27))
	}
	const before = 2 + 4 + 1 + 8 + 2 // margin, mark, time
	for _, s := range rec.Steps {
		mark, colour := "ok  ", t.paint.Good
		switch s.Outcome {
		case Failed:
			mark, colour = "FAIL", t.paint.Bad
		case Also:
			mark, colour = "also", t.paint.Bad
		case Warned:
			mark, colour = "warn", t.paint.Doubt
		default:
		}
		at := clock(s.At)
		if s.Outcome == Also {
			at = "" // it was never made, only foreseen
		}
		fmt.Fprintf(&t.b, "  %s %8s  %s", use(colour, mark), at, use(t.paint.Strong, s.Check.Code))
		indent := before + codes + 2
		room := width - indent
		col := before + len(s.Check.Code)
		lines := wrap(rungText(s), room)
		if s.Outcome == Passed && len(lines) > 2 { // such as the cipher suites of a ClientHello
			lines = append(lines[:1], string([]rune(lines[1])[:min(utf8.RuneCountInString(lines[1]), room-1)])+ellipsis)
		}
		for i, line := range lines {
			if i > 0 || col > indent-2 {
				t.b.WriteByte('\n')
				col = 0
			}
			t.b.WriteString(strings.Repeat(" ", indent-col) + line)
			col = indent
		}
		t.b.WriteByte('\n')
	}
	if rec.Dropped > 0 {
		fmt.Fprintf(&t.b, "  (and %d more, beyond what is kept of one attempt)\n", rec.Dropped)
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

var longHex = regexp.MustCompile(`\b[0-9a-f]{40,64}\b`)

// short keeps a value on a line: 12 digits of a fingerprint tell as much as 64.
func short(v string) string {
	v = longHex.ReplaceAllStringFunc(v, shortHex)
	if utf8.RuneCountInString(v) > 160 {
		v = string([]rune(v)[:160]) + ellipsis
	}
	return v
}

func shortHex(h string) string { return h[:12] + ellipsis }

// finding writes one finding; the first has its title in the verdict already.
func (t *textWriter) finding(f Finding, titled bool) {
	t.b.WriteByte('\n')
	if titled {
		word, colour := "WARNING", t.paint.Doubt
		switch f.Outcome {
		case Also:
			word, colour = "ALSO", t.paint.Bad
		case Failed:
			word, colour = "REFUSED", t.paint.Bad
		case Warned:
			if f.Severity == check.Note.String() {
				word, colour = "NOTE", t.paint.Strong
			}
		default:
		}
		for i, line := range wrap(fmt.Sprintf("%s: %s (%s)", word, f.Title, f.Code), width) {
			if i == 0 {
				line = use(colour, word) + strings.TrimPrefix(line, word)
			}
			t.b.WriteString(line + "\n")
		}
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
		t.part("Device sees", text)
	}
	t.part("Why", longHex.ReplaceAllStringFunc(f.Cause, shortHex))
	if f.Advice != "" {
		t.part("Do", f.Advice)
	}
	if f.Fix == "" || slices.Contains(t.fixes, f.Fix) {
		return // it stands above already
	}
	t.fixes = append(t.fixes, f.Fix)
	t.b.WriteString(use(t.paint.Strong, "Fix") + "\n")
	for line := range strings.SplitSeq(f.Fix, "\n") {
		t.b.WriteString("  " + line + "\n")
	}
	if len(f.Missing) > 0 {
		t.part("", "(replace "+strings.ToUpper(strings.Join(f.Missing, ", "))+" first: the record does not have it)")
	}
}

// part writes a labelled paragraph.
func (t *textWriter) part(label, text string) {
	const indent = 13
	for i, line := range wrap(text, width-indent) {
		head := strings.Repeat(" ", indent)
		if i == 0 {
			head = use(t.paint.Strong, label) + strings.Repeat(" ", indent-len(label))
		}
		t.b.WriteString(head + line + "\n")
	}
}

// wrap breaks text at blanks into lines of at most n runes; a longer word has a
// line of its own, in pieces. It returns at least one line.
func wrap(text string, n int) []string {
	var lines []string
	line, used := "", 0
	for word := range strings.FieldsSeq(text) {
		runes := []rune(word)
		if used > 0 && used+1+len(runes) > n {
			lines = append(lines, line)
			line, used = "", 0
		}
		for len(runes) > n {
			lines = append(lines, string(runes[:n]))
			runes = runes[n:]
		}
		if used > 0 {
			line += " "
			used++
		}
		line += string(runes)
		used += len(runes)
	}
	return append(lines, line)
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
