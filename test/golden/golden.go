// Package golden holds what a test derives against the page or file that shows it,
// and writes it there with `go test PACKAGE -update`.
package golden

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what the tests derive into the pages and files that show it")

// Update says whether to write, and not to compare.
func Update() bool { return *update }

// File holds want against the whole of a file.
func File(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		write(t, path, []byte(want))
	}
	compare(t, path, want, string(read(t, path)))
}

// Table holds a Markdown table against the one in a page whose first two columns are called the same.
func Table(t *testing.T, path, want string) {
	t.Helper()
	head := strings.Join(strings.SplitN(want, "|", 4)[:3], "|") + "|"
	shown := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(head) + `.*\n(\|.*\n)+`)
	page := read(t, path)
	if *update {
		page = shown.ReplaceAllLiteral(page, []byte(want))
		write(t, path, page)
	}
	compare(t, path, want, string(shown.Find(page)))
}

func compare(t *testing.T, path, want, shown string) {
	t.Helper()
	if diff := cmp.Diff(strings.Split(shown, "\n"), strings.Split(want, "\n")); diff != "" {
		t.Errorf("%s shows something else; go test -run %s -update writes it (-shown +want):\n%s", path, t.Name(), diff)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if was, err := os.ReadFile(path); err == nil && bytes.Equal(was, text) {
		return
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
