package interop

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-iot/gatehouse/test/golden"
)

// TestPage holds the table of deviations in docs/mqtt.md against what TestPahoInteroperability expects, and the
// rows that it names against test/conformance.
func TestPage(t *testing.T) {
	var table strings.Builder
	table.WriteString("| suite | fails | because it wants | AWS, and section of the sheet | the rest is shown by the rows |\n| --- | --- | --- | --- | --- |\n")
	rows := conformanceRows(t)
	for _, s := range suites {
		for _, d := range s.deviations {
			if !slices.Contains(s.tests, d.test) || d.wants == "" || d.aws == "" || len(d.rows) == 0 {
				t.Errorf("%s %s is not whole", s.script, d.test)
			}
			for _, r := range d.rows {
				if section, name, _ := strings.Cut(r, " "); !slices.Contains(rows, name) {
					t.Errorf("%s: test/conformance has no row %q of section %s", d.test, name, section)
				}
			}
			fmt.Fprintf(&table, "| %s | `%s` | %s | %s | %s |\n", s.script, d.test, cell(d.wants), cell(d.aws), cell(strings.Join(d.rows, "; ")))
		}
	}
	golden.Table(t, "../../docs/mqtt.md", table.String())
}

// cell makes text safe for a cell of a table.
func cell(text string) string {
	return strings.NewReplacer("$", `\$`, "|", `\|`, "#", `\#`, "+", `\+`).Replace(text)
}

var literal = regexp.MustCompile(`"([^"\n]+)"`)

// conformanceRows are the texts of test/conformance, among them the names of its rows.
func conformanceRows(t *testing.T) []string {
	t.Helper()
	files, err := os.ReadDir("../conformance")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		text, err := os.ReadFile("../conformance/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range literal.FindAllSubmatch(text, -1) {
			names = append(names, string(m[1]))
		}
	}
	return names
}
