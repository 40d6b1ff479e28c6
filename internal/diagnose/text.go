package diagnose

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/inspect"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/probe"
	"github.com/gatehouse-iot/gatehouse/internal/layout"
)

// Text writes a report as a person reads it, on a terminal or in the log of a
// CI job: the verdict, the causes, the contradictions, the doubts, then what
// passed and what could not be seen.
func (r Report) Text(w io.Writer, paint layout.Paint) error {
	t := &textWriter{Page: layout.Page{Paint: paint}}
	head, rest, _ := strings.Cut(r.Summary, ":")
	colour := paint.Good
	if r.Verdict != Works {
		colour = paint.Bad
	}
	t.Marked(head, ":"+rest, colour)
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
		t.WriteString("\n" + layout.Use(paint.Strong, "Not seen") + "\n")
		for _, text := range r.NotSeen {
			t.Paragraph("  - ", check.Visible(text), nil)
		}
	}
	fmt.Fprintf(t, "\n%s\n", layout.Use(paint.Faint, r.footer()))
	_, err := t.WriteTo(w)
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

type textWriter struct{ layout.Page }

var sideNames = map[Side]string{SideDevice: "device", SideAccount: "account", SideGateway: "gateway"}

// cause writes one cause with its evidence and its repair.
func (t *textWriter) cause(head string, c Cause, colour func(string) string) {
	t.WriteByte('\n')
	mark := strings.TrimSpace(head)
	t.Marked(mark, " "+c.Title+" ("+c.Code+")", colour)
	t.Part("Why", layout.Short(c.Cause))
	for _, e := range c.Evidence {
		text := layout.Short(check.Visible(e.Text))
		if text == layout.Short(c.Cause) {
			text = "confirms it"
			if len(c.Evidence) == 1 {
				text = "sees it"
			}
		}
		if e.Code != c.Code {
			text += " (" + e.Code + ")"
		}
		t.Part("  "+sideNames[e.Side], text)
	}
	if len(c.Candidates) > 0 {
		t.Part("Likely", "what is behind it, the likeliest first:")
		for i, o := range c.Candidates[:min(len(c.Candidates), 5)] {
			t.Part("", fmt.Sprintf("%d. %s (%s)", i+1, o.Title, o.Code))
		}
	}
	if c.Advice != "" {
		t.Part("Do", layout.Short(c.Advice))
	}
	t.Fix(c.Fix, c.Missing, "not known here")
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
		line := layout.Short(check.Visible(c.Text))
		if said[c.Stage+line] {
			continue
		}
		said[c.Stage+line] = true
		if c.Stage != stage {
			stage = c.Stage
			t.WriteString("\n" + layout.Use(t.Paint.Strong, titles[stage]) + "\n")
		}
		colour := map[probe.Outcome]func(string) string{probe.Pass: t.Paint.Good, probe.Warn: t.Paint.Doubt, probe.Fail: t.Paint.Bad}[c.Outcome]
		if colour == nil {
			colour = t.Paint.Faint
		}
		mark := marks[c.Outcome]
		t.Row("  "+layout.Use(colour, mark)+strings.Repeat(" ", 4-len(mark))+"  ", 8, line)
	}
}
