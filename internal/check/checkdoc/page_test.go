package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPagesAreUpToDate fails the build when a check has no page, when a page says
// something else than the catalogue, or when a page has lost its check.
func TestPagesAreUpToDate(t *testing.T) {
	const dir = "../../../docs/checks"
	const hint = "run: go generate ./internal/check"
	want := pages()
	for name, page := range want {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Errorf("%v; %s", err, hint)
			continue
		}
		if diff := cmp.Diff(page, string(raw)); diff != "" {
			t.Errorf("docs/checks/%s is out of date; %s (-want +got):\n%s", name, hint, diff)
		}
	}
	have, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range have {
		if _, ok := want[filepath.Base(path)]; !ok {
			t.Errorf("%s belongs to no check; %s", filepath.Base(path), hint)
		}
	}
}
