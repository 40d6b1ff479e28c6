package insights

import (
	"cmp"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A value is what an expression gives. The zero value is null, a missing field.
type value struct {
	kind valueKind
	num  float64 // of a number and a boolean; of a time in epoch milliseconds
	text string
	tree any // map[string]any, []any, as encoding/json makes them with numbers as text
}

type valueKind uint8

const (
	null valueKind = iota
	textValue
	numberValue
	boolValue
	timeValue
	treeValue
)

func textOf(s string) value { return value{kind: textValue, text: s} }
func timeOf(ms float64) value {
	return value{kind: timeValue, num: ms}
}

// numberOf returns null for what is no number.
func numberOf(f float64) value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return value{}
	}
	return value{kind: numberValue, num: f}
}

func boolOf(b bool) value {
	if b {
		return value{kind: boolValue, num: 1}
	}
	return value{kind: boolValue}
}

// own is v with a text of its own.
func (v value) own() value {
	if v.kind == textValue {
		v.text = strings.Clone(v.text)
	}
	return v
}

// number is the value as a number; text counts when it looks like one.
// Source: logs sheet 6.4.
func (v value) number() (float64, bool) {
	switch v.kind {
	case numberValue, boolValue, timeValue:
		return v.num, true
	case textValue:
		return parseNumber(v.text)
	default:
		return 0, false
	}
}

// parseNumber reads a decimal number: sign, digits, point, exponent.
func parseNumber(s string) (float64, bool) {
	if s == "" || len(s) > 40 {
		return 0, false
	}
	if c := s[0]; c != '-' && c != '+' && c != '.' && !digit(c) {
		return 0, false
	}
	small := len(s) < 16
	for i := range len(s) {
		switch c := s[i]; {
		case digit(c):
		case c == '.', c == '-', c == '+', c == 'e', c == 'E':
			small = false
		default:
			return 0, false
		}
	}
	if small {
		n := 0
		for i := range len(s) {
			n = n*10 + int(s[i]-'0')
		}
		return float64(n), true
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// isTrue is the value as a condition.
func (v value) isTrue() bool {
	f, ok := v.number()
	return ok && f != 0
}

// String is the value as a result shows it.
func (v value) String() string {
	switch v.kind {
	case textValue:
		return v.text
	case numberValue, boolValue:
		return formatNumber(v.num)
	case timeValue:
		return formatTime(v.num)
	case treeValue:
		return stringify(v.tree)
	default:
		return ""
	}
}

// formatNumber prints integers without a point, others with up to four decimals.
func formatNumber(f float64) string {
	if f == math.Trunc(f) && math.Abs(f) < 1e18 {
		return strconv.FormatInt(int64(f), 10)
	}
	s := strconv.FormatFloat(f, 'f', 4, 64)
	if strings.IndexByte(s, '.') >= 0 {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}

func formatTime(ms float64) string {
	t := time.UnixMilli(int64(ms)).UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.Format("2006-01-02 15:04:05.000")
	}
	hour, minute, second := t.Clock()
	b := []byte("0000-00-00 00:00:00.000")
	for _, f := range [...]struct{ end, n int }{{3, year}, {6, int(month)}, {9, day}, {12, hour}, {15, minute}, {18, second}, {22, t.Nanosecond() / 1e6}} {
		for i := f.end; f.n > 0; i-- {
			b[i] += byte(f.n % 10)
			f.n /= 10
		}
	}
	return string(b)
}

func stringify(tree any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(tree) != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// ofTree is a part of a parsed JSON text as a value.
func ofTree(t any) value {
	switch t := t.(type) {
	case nil:
		return value{}
	case string:
		return textOf(t)
	case json.Number:
		return textOf(t.String())
	case bool:
		return boolOf(t)
	default:
		return value{kind: treeValue, tree: t}
	}
}

// path is the part of v at the names of a dotted path.
func (v value) path(names []string) value {
	if v.kind != treeValue {
		return value{}
	}
	t := v.tree
	for _, n := range names {
		switch m := t.(type) {
		case map[string]any:
			t = m[n]
		case []any:
			i, err := strconv.Atoi(n)
			if err != nil || i < 0 || i >= len(m) {
				return value{}
			}
			t = m[i]
		default:
			return value{}
		}
	}
	return ofTree(t)
}

// compare orders two values for the comparison operators: as numbers if both
// are, else as text. ok is false if one of them is null or a structure.
func compare(a, b value) (order int, ok bool) {
	if a.kind == null || b.kind == null || a.kind == treeValue || b.kind == treeValue {
		return 0, false
	}
	if x, isNumber := a.number(); isNumber {
		if y, isNumber := b.number(); isNumber {
			return cmp.Compare(x, y), true
		}
	}
	return strings.Compare(a.String(), b.String()), true
}

// naturally orders two values for sort: nulls, then text chunk by chunk, then
// numbers. Source: logs sheet 6.5.
func naturally(a, b value) int {
	x, xn := sortNumber(a)
	y, yn := sortNumber(b)
	switch {
	case xn && yn:
		return cmp.Compare(x, y)
	case xn != yn:
		if xn {
			return 1
		}
		return -1
	}
	if an, bn := a.kind == null, b.kind == null; an || bn {
		return cmp.Compare(b2i(!an), b2i(!bn))
	}
	return chunks(a.String(), b.String())
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// sortNumber: numbers are only digits, sign and point.
func sortNumber(v value) (float64, bool) {
	if v.kind == textValue && strings.ContainsAny(v.text, "eE") {
		return 0, false
	}
	return v.number()
}

// chunks compares runs of digits by length and value, everything else by code point.
func chunks(a, b string) int {
	for a != "" && b != "" {
		if digit(a[0]) && digit(b[0]) {
			n, m := digitRun(a), digitRun(b)
			if n != m {
				return cmp.Compare(n, m)
			}
			if c := strings.Compare(a[:n], b[:m]); c != 0 {
				return c
			}
			a, b = a[n:], b[m:]
			continue
		}
		r, n := utf8.DecodeRuneInString(a)
		s, m := utf8.DecodeRuneInString(b)
		if r != s {
			return cmp.Compare(r, s)
		}
		a, b = a[n:], b[m:]
	}
	return cmp.Compare(len(a), len(b))
}

func digitRun(s string) int {
	n := 0
	for n < len(s) && digit(s[n]) {
		n++
	}
	return n
}
