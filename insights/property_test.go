package insights

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// naive is a query in pieces that the slow evaluator below understands without
// parser, planner, columns or workers.
type naive struct {
	field, op, literal string // filter field op 'literal'; op "" is no filter
	negate             bool
	by                 string // stats count(*), sum(n) by; "" is a list of rows
	limit              int
}

func (q naive) text() string {
	var parts []string
	if q.op != "" {
		cond := fmt.Sprintf("%s %s '%s'", q.field, q.op, q.literal)
		if q.op == "in" {
			cond = fmt.Sprintf("%s in ['%s', 'zz']", q.field, q.literal)
		}
		if q.negate {
			cond = "not (" + cond + ")"
		}
		parts = append(parts, "filter "+cond)
	}
	if q.by != "" {
		parts = append(parts, fmt.Sprintf("stats count(*) as c, sum(n) as s, min(n) as lo by %s", q.by), fmt.Sprintf("sort %s asc", q.by))
	} else {
		parts = append(parts, "fields a, b, n")
	}
	if q.limit > 0 {
		parts = append(parts, fmt.Sprintf("limit %d", q.limit))
	}
	return strings.Join(parts, " | ")
}

// run is the obvious way.
func (q naive) run(events []event) []string {
	kept := make([]event, 0, len(events))
	for _, e := range events {
		if q.op == "" || q.holds(e) != q.negate {
			kept = append(kept, e)
		}
	}
	var out []string
	if q.by == "" {
		index := make([]int, len(kept))
		for i := range index {
			index[i] = i
		}
		sort.SliceStable(index, func(x, y int) bool { // the newest first, and of one time the last that came
			if kept[index[x]].ms != kept[index[y]].ms {
				return kept[index[x]].ms > kept[index[y]].ms
			}
			return index[x] > index[y]
		})
		for _, i := range index {
			f := kept[i].fields()
			var cells []string
			for _, name := range []string{"a", "b", "n"} {
				if v, ok := f[name]; ok {
					cells = append(cells, name+"="+v)
				}
			}
			out = append(out, strings.Join(cells, " | "))
		}
	} else {
		type sums struct {
			count  int
			sum    float64
			lo     float64
			number bool
		}
		groups := map[string]*sums{}
		for _, e := range kept {
			f := e.fields()
			key := "absent"
			if v, ok := f[q.by]; ok {
				key = "=" + v
			}
			g := groups[key]
			if g == nil {
				g = &sums{}
				groups[key] = g
			}
			g.count++
			if x, err := strconv.ParseFloat(f["n"], 64); err == nil {
				if !g.number || x < g.lo {
					g.lo = x
				}
				g.sum += x
				g.number = true
			}
		}
		var keys []string
		for k := range groups {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, func(x, y string) int { return naturally(keyOf(x), keyOf(y)) })
		for _, k := range keys {
			g := groups[k]
			var cells []string
			if k != "absent" {
				cells = append(cells, q.by+k)
			}
			cells = append(cells, fmt.Sprint("c=", g.count))
			if g.number {
				cells = append(cells, "s="+formatNumber(g.sum), "lo="+formatNumber(g.lo))
			}
			out = append(out, strings.Join(cells, " | "))
		}
	}
	if q.limit > 0 && len(out) > q.limit {
		out = out[:q.limit]
	}
	return out
}

func keyOf(k string) value {
	if v, ok := strings.CutPrefix(k, "="); ok {
		return textOf(v)
	}
	return value{}
}

func (q naive) holds(e event) bool {
	v, ok := e.fields()[q.field]
	if !ok {
		return false
	}
	if q.op == "like" {
		return strings.Contains(v, q.literal)
	}
	order := strings.Compare(v, q.literal)
	x, err1 := strconv.ParseFloat(v, 64)
	y, err2 := strconv.ParseFloat(q.literal, 64)
	if err1 == nil && err2 == nil {
		order = 0
		if x < y {
			order = -1
		} else if x > y {
			order = 1
		}
	}
	switch q.op {
	case "=", "in":
		return order == 0 || q.op == "in" && v == "zz"
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	default:
		return order >= 0
	}
}

// TestAgainstTheObvious runs random queries over random events, and the slow
// evaluator over the same.
func TestAgainstTheObvious(t *testing.T) {
	words := []string{"x", "y", "xy", "1", "1.0", "2", "10", "zz", "a1", "a10"}
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) event {
			var members []string
			for _, f := range []string{"a", "b"} {
				if rapid.IntRange(0, 3).Draw(t, "present") > 0 {
					members = append(members, fmt.Sprintf(`"%s":"%s"`, f, rapid.SampledFrom(words).Draw(t, f)))
				}
			}
			if rapid.Bool().Draw(t, "has n") {
				members = append(members, fmt.Sprintf(`"n":%d`, rapid.IntRange(-5, 50).Draw(t, "n")))
			}
			message := "{" + strings.Join(members, ",") + "}"
			if len(members) == 0 {
				message = "no JSON"
			}
			return event{ms: int64(rapid.IntRange(0, 9).Draw(t, "time")), message: message}
		}), 0, 40).Draw(t, "events")
		q := naive{
			field: rapid.SampledFrom([]string{"a", "b", "n"}).Draw(t, "field"), op: rapid.SampledFrom([]string{"", "=", "!=", "<", "<=", ">", ">=", "like", "in"}).Draw(t, "op"),
			literal: rapid.SampledFrom(words).Draw(t, "literal"), negate: rapid.Bool().Draw(t, "negate"), by: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "by"), limit: rapid.IntRange(0, 5).Draw(t, "limit"),
		}
		parsed, err := Parse(q.text())
		if err != nil {
			t.Fatalf("%s: %v", q.text(), err)
		}
		res, err := parsed.Run(t.Context(), &memory{events}, Options{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Split(strings.TrimSuffix(res.table(), "\n"), "\n")
		if len(res.Rows) == 0 {
			got = nil
		}
		if q.by != "" { // "1" and "1.0" sort alike: any order of the two is right
			want := q.run(events)
			if q.limit > 0 {
				return
			}
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", q.text(), diff)
			}
			return
		}
		if diff := cmp.Diff(q.run(events), got); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", q.text(), diff)
		}
	})
}
