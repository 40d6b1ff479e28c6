package diagnose

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/probe"
)

// JUnit forms, as CI systems read them.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitMessage `xml:"failure"`
		Skipped *junitMessage `xml:"skipped"`
	}
	junitMessage struct {
		Type    string `xml:"type,attr,omitempty"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes a report for CI systems: the first suite has one failed case a
// cause, the others the checks by stage. A consequence of a cause is no failure
// of its own.
func (r Report) JUnit(w io.Writer) error {
	all := junitSuites{Name: "gatehouse diagnose " + r.Device.Endpoint, Time: seconds(float64(r.TookMs))}
	verdict := junitSuite{Name: "verdict"}
	for _, c := range r.Causes {
		var text strings.Builder
		text.WriteString(c.Cause)
		for _, e := range c.Evidence {
			fmt.Fprintf(&text, "\n%s: %s (%s)", e.Side, e.Text, e.Code)
		}
		if c.Fix != "" {
			text.WriteString("\n\nFix:\n" + c.Fix)
		}
		verdict.add(junitCase{Class: "verdict", Name: c.Code, Time: "0.000", Failure: &junitMessage{Type: c.Code, Message: c.Title, Text: visibleLines(text.String())}})
	}
	if len(r.Causes) == 0 {
		one := junitCase{Class: "verdict", Name: string(r.Verdict), Time: "0.000"}
		if r.Verdict != Works {
			one.Skipped = &junitMessage{Message: r.Summary}
		}
		verdict.add(one)
	}
	all.add(verdict)
	var suite junitSuite
	for _, c := range r.Checks {
		name := string(c.Side) + ": " + c.Stage
		if c.Side == SideAccount {
			name = string(c.Side)
		}
		if suite.Name != name {
			all.add(suite)
			suite = junitSuite{Name: name}
		}
		one := junitCase{Class: suite.Name, Name: c.Code, Time: seconds(c.TookMs)}
		switch c.Outcome {
		case probe.Skipped, probe.Unknown:
			one.Skipped = &junitMessage{Message: c.Text}
		case probe.Fail, probe.Warn:
			one.Skipped = &junitMessage{Message: string(c.Outcome) + ": " + c.Text + " (see the suite verdict)"}
		case probe.Pass:
		}
		suite.add(one)
	}
	all.add(suite)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// visibleLines makes every line of a text harmless.
func visibleLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = check.Visible(lines[i])
	}
	return strings.Join(lines, "\n")
}

func (s *junitSuite) add(c junitCase) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	if c.Failure != nil {
		s.Failures++
	}
	if c.Skipped != nil {
		s.Skipped++
	}
}

func (s *junitSuites) add(one junitSuite) {
	if one.Tests == 0 {
		return
	}
	s.Suites = append(s.Suites, one)
	s.Tests += one.Tests
	s.Failures += one.Failures
	s.Skipped += one.Skipped
}

func seconds(ms float64) string { return fmt.Sprintf("%.3f", ms/1000) }
