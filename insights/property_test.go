package insights

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The slow and obvious evaluator: queries are drawn as text together with what
// they mean, as functions over whole rows. It shares nothing with the package but
// the text; its rules are those of the logs sheet, 6.4 to 6.6.

// slowValue is nil, a string, a float64, a time.Time or a []any.
type slowValue any

// slowRow is an event with its fields and what the query defined.
type slowRow struct {
	order  int // of arrival
	at     time.Time
	fields map[string]slowValue
}

// slowExpr is an expression as text, and what it means.
type slowExpr struct {
	text string
	eval func(r slowRow) slowValue
}

var decimal = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)

func slowNumber(v slowValue) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case time.Time:
		return float64(v.UnixMilli()), true
	case string:
		if decimal.MatchString(v) {
			f, err := strconv.ParseFloat(v, 64)
			return f, err == nil
		}
	}
	return 0, false
}

func slowText(v slowValue) string {
	switch v := v.(type) {
	case string:
		return v
	case time.Time:
		return v.UTC().Format("2006-01-02 15:04:05.000")
	case float64:
		s := fmt.Sprintf("%.4f", v)
		if s = strings.TrimRight(strings.TrimRight(s, "0"), "."); s == "-0" {
			return "0"
		}
		return s
	case []any:
		b, _ := json.Marshal(v)
		return string(b)
	}
	return ""
}

func slowPlain(v slowValue) bool { _, list := v.([]any); return v != nil && !list }

func slowTruth(v slowValue) bool { f, ok := slowNumber(v); return ok && f != 0 }

func slowBool(b bool) slowValue {
	if b {
		return 1.0
	}
	return 0.0
}

// slowCompare: as numbers if both are, else as texts.
func slowCompare(a, b slowValue) (int, bool) {
	if !slowPlain(a) || !slowPlain(b) {
		return 0, false
	}
	x, isX := slowNumber(a)
	y, isY := slowNumber(b)
	if isX && isY {
		switch {
		case x < y:
			return -1, true
		case x > y:
			return 1, true
		}
		return 0, true
	}
	return strings.Compare(slowText(a), slowText(b)), true
}

var pieces = regexp.MustCompile(`[0-9]+|[^0-9]`)

// slowNatural is the order of sort: nulls, texts piece by piece, numbers.
func slowNatural(a, b slowValue) int {
	rank := func(v slowValue) int {
		if v == nil {
			return 0
		}
		if _, ok := slowNumber(v); ok && !strings.ContainsAny(slowText(v), "eE") {
			return 2
		}
		return 1
	}
	if rank(a) != rank(b) {
		return rank(a) - rank(b)
	}
	switch rank(a) {
	case 0:
		return 0
	case 2:
		order, _ := slowCompare(a, b)
		return order
	}
	x, y := pieces.FindAllString(slowText(a), -1), pieces.FindAllString(slowText(b), -1)
	for i := range min(len(x), len(y)) {
		digits := x[i][0] >= '0' && x[i][0] <= '9' && y[i][0] >= '0' && y[i][0] <= '9'
		if digits && len(x[i]) != len(y[i]) {
			return len(x[i]) - len(y[i])
		}
		if c := strings.Compare(x[i], y[i]); c != 0 {
			return c
		}
	}
	return len(x) - len(y)
}

// drawer draws a query.
type drawer struct {
	*rapid.T
	names []string // of what can be read now
	fresh int
	parts []string
	rows  []slowRow
	shown []string // columns; nil: those of a query without fields
	stats bool
	loose bool // rows of the same event: the order of groups is open
}

func (d *drawer) pick(list ...string) string { return rapid.SampledFrom(list).Draw(d.T, "pick") }
func (d *drawer) upTo(n int) int             { return rapid.IntRange(0, n-1).Draw(d.T, "up to") }

func (d *drawer) name() string {
	d.fresh++
	return fmt.Sprint("x", d.fresh)
}

func (d *drawer) field() slowExpr {
	name := d.pick(d.names...)
	return slowExpr{name, func(r slowRow) slowValue { return r.fields[name] }}
}

var words = []string{"x", "y", "xy", "1", "1.0", "2", "10", "-3", "zz", "a1", "a10", "a2", "", "X y", "7.25"}

func (d *drawer) literal() slowExpr {
	if d.upTo(2) == 0 {
		n := float64(rapid.IntRange(0, 12).Draw(d.T, "number")) / 4
		return slowExpr{strconv.FormatFloat(n, 'f', -1, 64), func(slowRow) slowValue { return n }}
	}
	w := d.pick(words...)
	return slowExpr{d.quote(w), func(slowRow) slowValue { return w }}
}

func (d *drawer) quote(w string) string { return d.pick(`"`+w+`"`, `'`+w+`'`) }

// value draws an expression that gives a value.
func (d *drawer) value(depth int) slowExpr {
	if depth == 0 || d.upTo(3) == 0 {
		if d.upTo(4) == 0 {
			return d.literal()
		}
		return d.field()
	}
	a, b := d.value(depth-1), d.value(depth-1)
	one := func(name string, f func(v slowValue) slowValue) slowExpr {
		return slowExpr{name + "(" + a.text + ")", func(r slowRow) slowValue { return f(a.eval(r)) }}
	}
	text := func(name string, f func(s string) slowValue) slowExpr {
		return one(name, func(v slowValue) slowValue {
			if !slowPlain(v) {
				return nil
			}
			return f(slowText(v))
		})
	}
	switch d.upTo(13) {
	case 0, 1, 2:
		op := d.pick("+", "-", "*", "/", "%")
		return slowExpr{"(" + a.text + " " + op + " " + b.text + ")", func(r slowRow) slowValue {
			x, isX := slowNumber(a.eval(r))
			y, isY := slowNumber(b.eval(r))
			if !isX || !isY || (op == "/" || op == "%") && y == 0 {
				return nil
			}
			return map[string]float64{"+": x + y, "-": x - y, "*": x * y, "/": x / y, "%": math.Mod(x, y)}[op]
		}}
	case 3:
		return text("strlen", func(s string) slowValue { return float64(len([]rune(s))) })
	case 4:
		return text(d.pick("toupper", "toUpper"), func(s string) slowValue { return strings.ToUpper(s) })
	case 5:
		return slowExpr{"concat(" + a.text + ", '/', " + b.text + ")", func(r slowRow) slowValue {
			x, y := a.eval(r), b.eval(r)
			if !slowPlain(x) || !slowPlain(y) {
				return nil
			}
			return slowText(x) + "/" + slowText(y)
		}}
	case 6:
		return slowExpr{"coalesce(" + a.text + ", " + b.text + ")", func(r slowRow) slowValue {
			if v := a.eval(r); v != nil {
				return v
			}
			return b.eval(r)
		}}
	case 7:
		c := d.condition(depth - 1)
		return slowExpr{"if(" + c.text + ", " + a.text + ", " + b.text + ")", func(r slowRow) slowValue {
			if slowTruth(c.eval(r)) {
				return a.eval(r)
			}
			return b.eval(r)
		}}
	case 8:
		return one("abs", func(v slowValue) slowValue {
			if f, ok := slowNumber(v); ok {
				return math.Abs(f)
			}
			return nil
		})
	case 9:
		return text("substr", func(s string) slowValue { return s }).then(", 1)", func(v slowValue) slowValue {
			if s, ok := v.(string); ok && len(s) > 0 {
				return string([]rune(s)[1:])
			}
			return v
		})
	case 10:
		w := d.pick("x", "1", "zz")
		return text("replace", func(s string) slowValue { return s }).then(", '"+w+"', 'q')", func(v slowValue) slowValue {
			if s, ok := v.(string); ok {
				return strings.Join(strings.Split(s, w), "q")
			}
			return v
		})
	case 11:
		return one("isempty", func(v slowValue) slowValue { return slowBool(v == nil || v == "") })
	default:
		return one("ispresent", func(v slowValue) slowValue { return slowBool(v != nil) })
	}
}

// then replaces the closing parenthesis of a call by more arguments.
func (e slowExpr) then(end string, f func(v slowValue) slowValue) slowExpr {
	return slowExpr{strings.TrimSuffix(e.text, ")") + end, func(r slowRow) slowValue { return f(e.eval(r)) }}
}

// condition draws an expression that is true or false.
func (d *drawer) condition(depth int) slowExpr {
	a := d.value(min(depth, 1))
	switch k := d.upTo(9); {
	case k < 3:
		b, op := d.value(min(depth, 1)), d.pick("=", "!=", "<", "<=", ">", ">=")
		return slowExpr{a.text + " " + op + " " + b.text, func(r slowRow) slowValue {
			c, ok := slowCompare(a.eval(r), b.eval(r))
			return slowBool(ok && map[string]bool{"=": c == 0, "!=": c != 0, "<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0}[op])
		}}
	case k < 5:
		not, w := d.pick("", "not "), d.pick("x", "1", "a", "zz")
		pattern := map[string]string{"x": `/x$/`, "1": `/^.?1/`, "a": `/(?i)A[0-9]+/`, "zz": d.quote("zz")}[w]
		meaning := map[string]string{"x": `x$`, "1": `^.?1`, "a": `[aA][0-9]+`, "zz": `zz`}[w]
		op := "like"
		if not == "" && w != "zz" {
			op = d.pick("like", "=~")
		}
		return slowExpr{a.text + " " + not + op + " " + pattern, func(r slowRow) slowValue {
			v := a.eval(r)
			return slowBool(slowPlain(v) && regexp.MustCompile(meaning).MatchString(slowText(v)) == (not == ""))
		}}
	case k < 6:
		not, x, y := d.pick("", "not "), d.literal(), d.literal()
		return slowExpr{a.text + " " + not + "in [" + x.text + ", " + y.text + "]", func(r slowRow) slowValue {
			v := a.eval(r)
			one, _ := slowCompare(v, x.eval(r))
			two, ok := slowCompare(v, y.eval(r))
			return slowBool(ok && (one == 0 || two == 0) == (not == ""))
		}}
	case k < 7 || depth == 0:
		return slowExpr{"ispresent(" + a.text + ")", func(r slowRow) slowValue { return slowBool(a.eval(r) != nil) }}
	case k < 8:
		b := d.condition(depth - 1)
		return slowExpr{d.pick("not ", "NOT ", "!") + "(" + b.text + ")", func(r slowRow) slowValue { return slowBool(!slowTruth(b.eval(r))) }}
	default:
		b, c, op := d.condition(depth-1), d.condition(depth-1), d.pick("and", "or", "AND")
		return slowExpr{"(" + b.text + " " + op + " " + c.text + ")", func(r slowRow) slowValue {
			if op == "or" {
				return slowBool(slowTruth(b.eval(r)) || slowTruth(c.eval(r)))
			}
			return slowBool(slowTruth(b.eval(r)) && slowTruth(c.eval(r)))
		}}
	}
}

// query draws a pipeline.
func (d *drawer) query() {
	for range d.upTo(3) { // stats, one after the other
		for range d.upTo(4) {
			switch d.upTo(4) {
			case 0:
				d.parse()
			case 1:
				d.project("fields")
			default:
				d.filter()
			}
		}
		d.statistics()
	}
	if !d.stats && d.upTo(4) == 0 {
		d.unnest()
	}
	for range d.upTo(5) {
		switch d.upTo(7) {
		case 0:
			d.parse()
		case 1:
			d.project("fields")
		case 2:
			d.project("display")
		case 3:
			if !d.loose {
				d.limit()
			}
		case 4, 5:
			d.sort()
		default:
			d.filter()
		}
	}
	if !d.loose && d.upTo(4) == 0 {
		d.dedup()
		if d.upTo(2) == 0 {
			d.limit()
		}
	}
	if len(d.parts) == 0 {
		d.project("fields")
	}
}

// lines prints the rows as table does.
func (d *drawer) lines() []string {
	shown := d.shown
	if shown == nil {
		shown = []string{"@timestamp", "@message"}
	}
	out := []string{}
	for _, r := range d.rows {
		var cells []string
		for _, name := range shown {
			if v := r.fields[name]; v != nil {
				cells = append(cells, name+"="+slowText(v))
			}
		}
		out = append(out, strings.Join(cells, " | "))
	}
	return out
}

// TestAgainstTheObvious runs random queries over random events, and the slow
// evaluator over the same.
func TestAgainstTheObvious(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(drawEvent), 0, 40).Draw(t, "events")
		d := &drawer{T: t, names: []string{"a", "b", "n", "f", "o.p", "missing", "@logStream"}}
		for i, e := range events {
			r := slowRow{i, time.UnixMilli(e.ms).UTC(), map[string]slowValue{"@timestamp": time.UnixMilli(e.ms).UTC()}}
			for k, v := range e.fields() {
				r.fields[k] = v
			}
			d.rows = append(d.rows, r)
		}
		sort.SliceStable(d.rows, func(i, j int) bool { // the newest first, and of one time the last that came
			x, y := d.rows[i], d.rows[j]
			return x.at.After(y.at) || x.at.Equal(y.at) && x.order > y.order
		})
		d.query()
		text := strings.Join(d.parts, rapid.SampledFrom([]string{" | ", "|", "\n| "}).Draw(t, "pipe"))
		parsed, err := Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		res, err := parsed.Run(t.Context(), &memory{events}, Options{Workers: rapid.IntRange(1, 3).Draw(t, "workers")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Split(res.table(), "\n")
		got = got[:len(got)-1]
		want := d.lines()
		if d.loose {
			slices.Sort(got)
			slices.Sort(want)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", text, diff)
		}
	})
}

func drawEvent(t *rapid.T) event {
	var members []string
	for _, f := range []string{"a", "b"} {
		if rapid.IntRange(0, 3).Draw(t, "present") > 0 {
			members = append(members, fmt.Sprintf(`"%s":"%s"`, f, rapid.SampledFrom(words).Draw(t, f)))
		}
	}
	if rapid.Bool().Draw(t, "has n") {
		members = append(members, fmt.Sprintf(`"n":%d`, rapid.IntRange(-5, 50).Draw(t, "n")))
	}
	if rapid.Bool().Draw(t, "has f") {
		members = append(members, fmt.Sprintf(`"f":%g`, float64(rapid.IntRange(-20, 20).Draw(t, "f"))/4))
	}
	members = append(members, rapid.SampledFrom([]string{`"o":{"p":"x1"}`, `"o":{"p":true}`, `"o":[1]`, `"o":null`}).Draw(t, "o"),
		rapid.SampledFrom([]string{`"l":[]`, `"l":[1,2]`, `"l":["a1",null]`, `"l":3`}).Draw(t, "l"))
	message := "{" + strings.Join(members, ",") + "}"
	if rapid.IntRange(0, 9).Draw(t, "plain") == 0 {
		message = "no JSON"
	}
	return event{
		ms: int64(rapid.IntRange(0, 30).Draw(t, "time")) * 47_000, message: message, stream: rapid.SampledFrom([]string{"s1", "s2"}).Draw(t, "stream"),
	}
}
