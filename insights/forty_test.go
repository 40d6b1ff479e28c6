package insights

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/forty.txt anew")

// TestForty runs the example queries of the logs sheet, section 7, over the
// entries of its section 3.4. Of each, forty.txt holds the query and its result.
func TestForty(t *testing.T) {
	entries, err := os.ReadFile("testdata/entries.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	events := parseSheet(t, string(entries))
	raw, err := os.ReadFile("testdata/forty.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	var out strings.Builder
	for _, part := range regexp.MustCompile(`(?m)^== \d+\n`).Split(string(raw), -1)[1:] {
		n++
		query, want, _ := strings.Cut(part, "\n--\n")
		res, p := runOn(t, events, query)
		got := fmt.Sprintf("%smatched %d of %d\n", res.table(), p.Matched.Load(), len(events))
		fmt.Fprintf(&out, "== %d\n%s\n--\n%s", n, query, got)
		if diff := cmp.Diff(want, got); diff != "" && !*update {
			t.Errorf("query %d: %s (-want +got):\n%s", n, query, diff)
		}
	}
	if n != 40 {
		t.Errorf("%d queries, want 40", n)
	}
	if *update {
		if err := os.WriteFile("testdata/forty.txt", []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
