package layout

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestWrap: every line fits, and no rune but blanks is lost or made.
func TestWrap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, n := rapid.String().Draw(t, "text"), rapid.IntRange(1, 100).Draw(t, "n")
		lines := Wrap(text, n)
		for _, line := range lines {
			if utf8.RuneCountInString(line) > n {
				t.Fatalf("%q is wider than %d", line, n)
			}
		}
		squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
		if got, want := squeeze(strings.Join(lines, " ")), string([]rune(squeeze(text))); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestPage(t *testing.T) {
	p := Page{Paint: Paint{Bad: func(s string) string { return "<" + s + ">" }, Strong: strings.ToUpper}}
	p.Marked("REFUSED", ": "+strings.Repeat("word ", 20), p.Paint.Bad)
	p.Part("Why", strings.Repeat("because ", 10)+strings.Repeat("x", 70))
	p.Paragraph("  - ", strings.Repeat("item ", 18), nil)
	p.Fix("aws iot\n  attach", []string{"thing"}, "nobody knows it")
	p.Fix("aws iot\n  attach", nil, "")
	p.Part("Id", Short(strings.Repeat("0123456789abcdef", 4)))
	want := `<REFUSED>: word word word word word word word word word word word word word word
word word word word word word
WHY          because because because because because because because because
             because because
             xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
             xxx
  - item item item item item item item item item item item item item item item
    item item item
FIX
  aws iot
    attach
             (replace THING first: nobody knows it)
ID           0123456789ab…
`
	if diff := cmp.Diff(want, p.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
