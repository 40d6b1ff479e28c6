package symptom

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-iot/gatehouse/test/golden"
)

// TestFamiliesOfTheDocument: docs/symptoms.md shows the clients that are told apart.
func TestFamiliesOfTheDocument(t *testing.T) {
	var b strings.Builder
	b.WriteString("| client | told by, among others |\n| --- | --- |\n")
	for _, m := range marks {
		var some []string
		for _, s := range m.strings[:min(len(m.strings), 4)] {
			some = append(some, "`"+strings.TrimSpace(s)+"`")
		}
		fmt.Fprintf(&b, "| %s | %s |\n", m.client, strings.Join(some, ", "))
	}
	golden.Table(t, "../../../docs/symptoms.md", b.String())
}
