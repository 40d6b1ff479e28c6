package symptom

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// A told is a text of a set that was gathered from projects' issues and from the
// libraries' own texts before the table knew them.
type told struct {
	row
	families []string // one of them is part of the client's name; "*": any
	layers   []string
}

// toldRows reads a file of lines: source, families, layers, codes, text, with a
// tab between; | divides alternatives.
func toldRows(t *testing.T, path string) (list []told) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		if strings.HasPrefix(lines.Text(), "# ") {
			continue
		}
		p := strings.SplitN(lines.Text(), "\t", 5)
		if len(p) != 5 {
			t.Fatalf("%s:%d: %q", path, n, lines.Text())
		}
		r := told{row{fmt.Sprintf("%s:%d %s", path, n, p[0]), strings.Fields(p[3]), strings.ReplaceAll(p[4], `\n`, "\n")}, strings.Split(p[1], "|"), strings.Split(p[2], "|")}
		r.check(t)
		list = append(list, r)
	}
	return list
}

// family says whether the client was recognised.
func (r told) family(d Diagnosis) bool {
	return slices.ContainsFunc(r.families, func(f string) bool { return f == "*" || strings.Contains(d.Client, f) })
}

// TestThreads measures how often the right cause is among the first three, and
// how often family and layer are right.
func TestThreads(t *testing.T) {
	for _, set := range []struct {
		path string
		size int // at least so many texts
	}{
		{"testdata/threads.txt", 200},
		{"testdata/threads2.txt", 80},
		{"testdata/threads3.txt", 60},
	} {
		list := toldRows(t, set.path)
		if len(list) < set.size {
			t.Errorf("%s: %d texts, want at least %d", set.path, len(list), set.size)
		}
		type count struct{ all, three, first, family, layer int }
		total, of := count{}, map[string]count{}
		for _, r := range list {
			d := Explain(r.text)
			one := of[r.families[0]]
			add := func(into *int, all *int, ok bool) {
				if ok {
					*into++
					*all++
				}
			}
			add(&one.all, &total.all, true)
			three, family, layer := r.hits(d, 3), r.family(d), slices.Contains(r.layers, d.Layer)
			add(&one.three, &total.three, three)
			add(&one.first, &total.first, r.hits(d, 1))
			add(&one.family, &total.family, family)
			add(&one.layer, &total.layer, layer)
			of[r.families[0]] = one
			if !three || !family || !layer {
				var codes []string
				for _, c := range d.Candidates[:min(len(d.Candidates), 4)] {
					codes = append(codes, fmt.Sprintf("%s %d", c.Code, c.Score))
				}
				t.Logf("%s: causes %v, family %v, layer %v\n%s\ngot %q, %s: %s\nwant %v, %v: %v", r.id, three, family, layer, r.text, d.Client, d.Layer, strings.Join(codes, ", "), r.families, r.layers, r.codes)
			}
		}
		percent := func(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) }
		say := func(name string, c count) string {
			return fmt.Sprintf("%-24s %3d texts: cause among the first three %5.1f %%, first %5.1f %%, family %5.1f %%, layer %5.1f %%", name, c.all, percent(c.three, c.all), percent(c.first, c.all), percent(c.family, c.all), percent(c.layer, c.all))
		}
		for _, name := range slices.Sorted(maps.Keys(of)) {
			t.Log(say(name, of[name]))
		}
		t.Log(say(set.path, total))
		for what, n := range map[string]int{"causes": total.three, "families": total.family, "layers": total.layer} {
			if percent(n, total.all) < floor {
				t.Errorf("%s: %d of %d %s, want at least %d %%", set.path, n, total.all, what, floor)
			}
		}
	}
}

// floor is the least percentage that holds for texts which the table has not seen.
const floor = 95

// forms are what happens to a text on its way here.
var forms = map[string]func(text string) string{
	"timestamps": func(s string) string {
		return eachLine(s, func(i int, l string) string {
			return fmt.Sprintf("2026-11-21T10:00:%02d.123Z host app[4711]: %s", i%60, l)
		})
	},
	"syslog": func(s string) string {
		return eachLine(s, func(i int, l string) string {
			return fmt.Sprintf("Nov 21 10:00:%02d edge-1 daemon[812]: [ERROR] %s", i%60, l)
		})
	},
	"colours": func(s string) string {
		return eachLine(s, func(_ int, l string) string { return "\x1b[1;31m" + l + "\x1b[0m" })
	},
	"colours that lost their escape": func(s string) string {
		return eachLine(s, func(_ int, l string) string { return "[0;31m" + l + "[0m" })
	},
	"CRLF":        func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") + "\r\n" },
	"JSON":        func(s string) string { return fmt.Sprintf("{\"level\":\"error\",\"msg\":%q}", s) },
	"quoted":      func(s string) string { return eachLine(s, func(_ int, l string) string { return "> " + l }) },
	"UTF-16":      func(s string) string { return utf16Text(binary.LittleEndian, "\ufeff"+s) },
	"UTF-16 tail": func(s string) string { return utf16Text(binary.BigEndian, s) },
	"wrapped":     func(s string) string { return eachLine(s, func(_ int, l string) string { return wrapped(l, 79) }) },
	"in a log": func(s string) string {
		return strings.Repeat("2026-11-21 10:00:00 INFO temperature 21.5\n", 50) + s + strings.Repeat("\n2026-11-21 10:00:09 INFO retrying in 5000 ms", 3)
	},
}

func eachLine(s string, f func(i int, line string) string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = f(i, l)
	}
	return strings.Join(lines, "\n")
}

func wrapped(s string, width int) string {
	var b strings.Builder
	for i, r := range []rune(s) {
		if i > 0 && i%width == 0 {
			b.WriteByte('\n')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func utf16Text(order binary.AppendByteOrder, s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

// TestForms: what a log, a terminal or a mail program does to a text changes
// little of what is found in it.
func TestForms(t *testing.T) {
	list := append(toldRows(t, "testdata/threads.txt"), toldRows(t, "testdata/threads2.txt")...)
	list = append(list, toldRows(t, "testdata/threads3.txt")...)
	list = slices.Collect(func(yield func(told) bool) { // a third tells as much as all
		for i := 0; i < len(list) && yield(list[i]); i += 3 {
		}
	})
	for _, name := range slices.Sorted(maps.Keys(forms)) {
		t.Run(name, func(t *testing.T) {
			right := 0
			for _, r := range list {
				if d := Explain(forms[name](r.text)); r.hits(d, 3) {
					right++
				} else {
					t.Logf("%s: %s: %q", r.id, d.Summary, forms[name](r.text))
				}
			}
			t.Logf("%d of %d", right, len(list))
			if 100*right < floor*len(list) {
				t.Errorf("%d of %d, want at least %d %%", right, len(list), floor)
			}
		})
	}
}
