package refusals

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/test/golden"
)

// TestPage keeps docs/refusals.md true: it is the table that TestRefusals runs.
func TestPage(t *testing.T) {
	golden.File(t, "../../docs/refusals.md", renderPage())
}

// TestTable is what every row has to keep.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	refused := 0
	for i := range table {
		row := &table[i]
		if seen[row.id] {
			t.Errorf("there are two rows %s", row.id)
		}
		seen[row.id] = true
		if row.does == "" || len(row.sees.variants()) == 0 {
			t.Errorf("row %s is not whole", row.id)
		}
		c, ok := check.Lookup(row.code)
		if !ok {
			t.Errorf("row %s: there is no check %s", row.id, row.code)
		} else if c.Severity == check.Refusal {
			refused++
		}
	}
	if refused < 60 {
		t.Errorf("%d refusals, want at least 60", refused)
	}
}

var groups = []struct {
	title string
	rows  []refusal
}{
	{"C. Version, cipher, ALPN, server name, port", tlsRows},
	{"D. Client certificate and key", certificateRows},
	{"E. CONNECT: policy, client ID, thing, form", connectRows},
	{"F. One client ID used twice", takeoverRows},
	{"G. Publish, subscribe, receive", publishRows},
	{"H. Limits of the protocol and of a session", limitRows},
	{"J. Custom authorizers", authorizerRows},
}

func renderPage() string {
	var b strings.Builder
	b.WriteString(`# Refusals

What a device does, what it sees, and what ` + "`gatehouse explain`" + ` calls it. This page is written by a test that makes a
device do each of these things to a real Gatehouse (` + "`test/refusals`" + `), in TLS 1.2 and 1.3 and in MQTT 3.1.1 and 5 where
that makes a difference. A name such as C-07 is a row of the collection of real problems that Gatehouse is tested against; a
word behind a slash tells cases apart.

The doors behave like AWS IoT Core's unless the case says otherwise: ` + "`told`" + ` is a Gatehouse with ` + "`--refusals explain`" + `,
` + "`--certificate-rejection afterConnect`" + ` and ` + "`--limits open`" + `; ` + "`strict`" + ` one with a security policy of TLS 1.3 only.

"Repaired by the command" means that the test runs the printed fix in a shell with the AWS CLI, and the device then succeeds.
The other fixes change the device, or there is nothing to repair.
`)
	for _, g := range groups {
		fmt.Fprintf(&b, "\n## %s\n\n| case | the device | it sees | explained as | repaired by the command |\n| --- | --- | --- | --- | --- |\n", g.title)
		for i := range g.rows {
			row := &g.rows[i]
			repaired := "no"
			if row.after != "" {
				repaired = "yes"
			}
			does := row.does
			if row.mode != nil {
				does += map[string]string{"helpful": " (told)", "strict": " (strict)"}[row.mode.name]
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", row.id, cell(does), cell(row.sees.String()), row.codes(), repaired)
		}
	}
	return b.String()
}

// codes are links to the pages of the codes that the report names.
func (row *refusal) codes() string {
	list := append([]string{row.code}, row.also...)
	if row.refused != "" {
		list = append(list, row.refused)
	}
	for i, c := range list {
		list[i] = fmt.Sprintf("[%s](checks/%s.md)", c, c)
	}
	return strings.Join(list, ", ")
}

// String says what the device sees, with versions only where they make a difference.
func (w wire) String() string {
	if w.tls12 != "" && (w.tls13 == "" || w.tls13 == w.tls12) {
		return w.tls12 // no TLS at all, or what one version alone can do
	}
	var parts []string
	for _, p := range []struct{ version, sees string }{{"TLS 1.2", w.tls12}, {"TLS 1.3", w.tls13}, {"MQTT 3.1.1", w.v311}, {"MQTT 5", w.v5}} {
		if p.sees != "" {
			parts = append(parts, p.version+": "+p.sees)
		}
	}
	if w.v311 == w.v5 && w.v311 != "" {
		return w.v311
	}
	return strings.Join(parts, "<br>")
}

var httpAnswer = regexp.MustCompile(`garbage "(HTTP/1\.1 [^\\]*)[^"]*"`)

// cell makes text safe for a cell of a table.
func cell(text string) string {
	text = strings.ReplaceAll(text, "malformed [MQTT-2.1.3-1], ", "") // how an MQTT client takes it
	text = httpAnswer.ReplaceAllString(text, "$1")
	return strings.NewReplacer("|", `\|`, "$", `\$`, "#", `\#`, "*", `\*`, "+", `\+`).Replace(text)
}
