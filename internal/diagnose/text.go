package diagnose

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/inspect"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/probe"
)

const width = 80 // columns; only commands, which must be runnable as printed, may be wider

// Text writes a report as a person reads it, on a terminal or in the log of a
// CI job: the verdict, the causes, the contradictions, the doubts, then what
// passed and what could not be seen.
func (r Report) Text(w io.Writer, paint attempt.Paint) error {
	t := &textWriter{paint: paint}
	head, rest, _ := strings.Cut(r.Summary, ":")
	colour := paint.Good
	if r.Verdict != Works {
		colour = paint.Bad
	}
	t.paragraph("", head+":"+rest, func(line string, first bool) string {
		if !first {
			return line
		}
		return use(colour, head) + strings.TrimPrefix(line, head)
	})
	for i, c := range r.Causes {
		t.cause(fmt.Sprintf("%d. ", i+1), c, paint.Bad)
	}
	for _, c := range r.Contradictions {
		t.cause("CONTRADICTION: ", c, paint.Doubt)
	}
	for _, c := range r.Doubts {
		if known, ok := check.Lookup(c.Code); ok && known.Severity == check.Note { // good to know, and nothing to do
			c.Evidence, c.Advice, c.Fix = nil, "", ""
			t.cause("NOTE: ", c, paint.Strong)
			continue
		}
		t.cause("WARNING: ", c, paint.Doubt)
	}
	t.checks(r.Checks)
	if len(r.NotSeen) > 0 {
		t.b.WriteString("\n" + use(paint.Strong, "Not seen") + "\n")
		for _, text := range r.NotSeen {
			t.wrapped("  - ", check.Visible(text))
		}
	}
	fmt.Fprintf(&t.b, "\n%s\n", use(paint.Faint, r.footer()))
	_, err := io.WriteString(w, t.b.String())
	return err
}

// footer says what the run cost.
func (r Report) footer() string {
	text := fmt.Sprintf("%d connections, %s", len(r.Device.Connections), (time.Duration(r.TookMs) * time.Millisecond).Round(time.Millisecond))
	if r.Account == nil {
		return text + "; the account was not looked at"
	}
	who := r.Account.Account
	if r.Account.Region != "" {
		who += ", " + r.Account.Region
	}
	return text + "; account " + strings.TrimPrefix(who, ", ")
}

type textWriter struct {
	b     strings.Builder
	paint attempt.Paint
	fixes []string
}

func use(f func(string) string, s string) string {
	if f == nil {
		return s
	}
	return f(s)
}

var longHex = regexp.MustCompile(`\b[0-9a-f]{40,64}\b`)

// short shows 12 digits of a fingerprint, which tell as much as 64.
func short(text string) string {
	return longHex.ReplaceAllStringFunc(text, func(h string) string { return h[:12] + "…" })
}

var sideNames = map[Side]string{SideDevice: "device", SideAccount: "account", SideGateway: "gateway"}

// cause writes one cause with its evidence and its repair.
func (t *textWriter) cause(head string, c Cause, colour func(string) string) {
	t.b.WriteByte('\n')
	t.paragraph("", head+c.Title+" ("+c.Code+")", func(line string, first bool) string {
		if !first {
			return line
		}
		mark := strings.TrimSpace(head)
		return use(colour, mark) + strings.TrimPrefix(line, mark)
	})
	t.part("Why", short(c.Cause))
	for _, e := range c.Evidence {
		text := short(check.Visible(e.Text))
		if text == short(c.Cause) {
			text = "sees it too"
			if len(c.Evidence) == 1 {
				text = "sees it"
			}
		}
		if e.Code != c.Code {
			text += " (" + e.Code + ")"
		}
		t.part("  "+sideNames[e.Side], text)
	}
	if len(c.Candidates) > 0 {
		t.part("Likely", "what is behind it, the likeliest first:")
		for i, o := range c.Candidates[:min(len(c.Candidates), 5)] {
			t.part("", fmt.Sprintf("%d. %s (%s)", i+1, o.Title, o.Code))
		}
	}
	if c.Advice != "" {
		t.part("Do", short(c.Advice))
	}
	t.fix(c)
}

func (t *textWriter) fix(c Cause) {
	if c.Fix == "" || slices.Contains(t.fixes, c.Fix) {
		return // it stands above already
	}
	t.fixes = append(t.fixes, c.Fix)
	t.b.WriteString(use(t.paint.Strong, "Fix") + "\n")
	for line := range strings.SplitSeq(c.Fix, "\n") {
		t.b.WriteString("  " + line + "\n")
	}
	if len(c.Missing) > 0 {
		t.part("", "(replace "+strings.ToUpper(strings.Join(c.Missing, ", "))+" first: it is not known here)")
	}
}

// marks are the outcomes as a column.
var marks = map[probe.Outcome]string{probe.Pass: "ok", probe.Warn: "warn", probe.Fail: "FAIL", probe.Skipped: "skip", probe.Unknown: "?"}

// titles are the stages for people.
var titles = map[string]string{
	probe.StageFiles: "Files", probe.StageEndpoint: "Endpoint", probe.StageDNS: "DNS", probe.StageTCP: "TCP", probe.StageTLS: "TLS",
	probe.StageConnect: "CONNECT", probe.StageMessages: "Messages", inspect.Stage: "Account",
}

// checks lists what was made, a line each.
func (t *textWriter) checks(list []Check) {
	stage := ""
	said := map[string]bool{}
	for _, c := range list {
		if c.Side == SideGateway { // the causes have it
			continue
		}
		line := short(check.Visible(c.Text))
		if said[c.Stage+line] {
			continue
		}
		said[c.Stage+line] = true
		if c.Stage != stage {
			stage = c.Stage
			t.b.WriteString("\n" + use(t.paint.Strong, titles[stage]) + "\n")
		}
		colour := map[probe.Outcome]func(string) string{probe.Pass: t.paint.Good, probe.Warn: t.paint.Doubt, probe.Fail: t.paint.Bad}[c.Outcome]
		if colour == nil {
			colour = t.paint.Faint
		}
		mark := marks[c.Outcome]
		t.paragraph("  "+strings.Repeat(" ", 4)+"  ", line, nil, "  "+use(colour, mark)+strings.Repeat(" ", 4-len(mark))+"  ")
	}
}

// part writes a labelled paragraph.
func (t *textWriter) part(label, text string) {
	const indent = 13
	t.paragraph(strings.Repeat(" ", indent), text, nil, use(t.paint.Strong, label)+strings.Repeat(" ", max(indent-len(label), 1)))
}

func (t *textWriter) wrapped(head, text string) {
	t.paragraph(strings.Repeat(" ", len(head)), text, nil, head)
}

// paragraph writes text in lines of at most 80 columns behind indent; head
// stands in the place of the first line's. painted colours a line; nil does not.
func (t *textWriter) paragraph(indent, text string, painted func(line string, first bool) string, head ...string) {
	first, line, used := true, "", 0
	flush := func() {
		before := indent
		if first && len(head) > 0 {
			before = head[0]
		}
		if painted != nil {
			line = painted(line, first)
		}
		t.b.WriteString(strings.TrimRight(before+line, " ") + "\n")
		first, line, used = false, "", 0
	}
	room := width - len(indent)
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		if used > 0 && used+1+n > room {
			flush()
		}
		for n > room { // an ARN or a URL: in pieces
			runes := []rune(word)
			line, used = string(runes[:room]), room
			flush()
			word, n = string(runes[room:]), n-room
		}
		if used > 0 {
			line += " "
			used++
		}
		line += word
		used += n
	}
	flush()
}
