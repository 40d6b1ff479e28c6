package symptom

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// A row is a text with the causes that are right; "authz.connect.*" stands for any of them.
type row struct {
	id    string
	codes []string
	text  string
}

// rows reads a file of lines: name, codes, text, with a tab between; \n in a text is a line break.
func rows(t *testing.T, path string) (list []row) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "# ") || lines.Text() == "" {
			continue
		}
		parts := strings.SplitN(lines.Text(), "\t", 3)
		if len(parts) != 3 {
			t.Fatalf("%s: %q", path, lines.Text())
		}
		r := row{parts[0], strings.Fields(parts[1]), strings.ReplaceAll(parts[2], `\n`, "\n")}
		r.check(t)
		list = append(list, r)
	}
	return list
}

// check reports causes that the catalogue does not have.
func (r row) check(t *testing.T) {
	t.Helper()
	for _, code := range r.codes {
		part, open := strings.CutSuffix(code, "*")
		if !slices.ContainsFunc(check.All(), func(c *check.Check) bool { return c.Code == part || open && strings.HasPrefix(c.Code, part) }) {
			t.Errorf("%s: %s is not in the catalogue", r.id, code)
		}
	}
}

// hits says whether one of the row's causes is among the first n.
func (r row) hits(d Diagnosis, n int) bool {
	for _, c := range d.Candidates[:min(len(d.Candidates), n)] {
		for _, code := range r.codes {
			if c.Code == code || strings.HasSuffix(code, ".*") && strings.HasPrefix(c.Code, strings.TrimSuffix(code, "*")) {
				return true
			}
		}
	}
	return false
}

// TestRecall measures how often the right cause is among the first three, and
// pins it: a change that makes it worse fails.
func TestRecall(t *testing.T) {
	for _, set := range []struct {
		path string
		size int // at least so many texts
		want int // hits
	}{
		{"testdata/problems.txt", 125, 125}, // PROBLEMS section 2, every "as the user sees it"
		{"testdata/matrix.txt", 229, 229},   // PROBLEMS 1.1 and 1.3, every cell and number
		{"testdata/heldout2.txt", 50, 50},   // more of them
		{"testdata/heldout.txt", 200, 211},  // other texts of the same clients
	} {
		list := rows(t, set.path)
		got := 0
		var missed []string
		for _, r := range list {
			d := Explain(r.text)
			if r.hits(d, 3) {
				got++
				continue
			}
			var codes []string
			for _, c := range d.Candidates[:min(len(d.Candidates), 4)] {
				codes = append(codes, c.Code)
			}
			missed = append(missed, r.id+" want "+strings.Join(r.codes, " ")+" got "+strings.Join(codes, ", ")+"\n    "+r.text)
		}
		t.Logf("%s: %d of %d (%.1f %%)", set.path, got, len(list), 100*float64(got)/float64(len(list)))
		if len(list) < set.size || got < set.want {
			t.Errorf("%s: %d of %d, want at least %d of %d", set.path, got, len(list), set.want, set.size)
			slices.Sort(missed)
			t.Log("missed:\n" + strings.Join(missed, "\n"))
		}
	}
}
