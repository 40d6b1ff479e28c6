package insights

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"
)

// The commands of the queries that property_test.go draws, with what they do to all rows.

// define sets a name in each row.
func (d *drawer) define(name string, f func(r slowRow) slowValue) {
	for _, r := range d.rows {
		r.fields[name] = f(r)
	}
	d.names = append(d.names, name)
}

func (d *drawer) command(format string, a ...any) {
	d.parts = append(d.parts, fmt.Sprintf(format, a...))
}

func (d *drawer) show(name string) {
	if !slices.Contains(d.shown, name) {
		d.shown = append(d.shown, name)
	}
}

// project draws fields or display.
func (d *drawer) project(command string) {
	if command == "display" || d.shown == nil {
		if command == "display" || !d.stats {
			d.shown = []string{}
		}
	}
	var texts []string
	for range 1 + d.upTo(2) {
		e := d.value(2)
		name := e.text
		if !slices.Contains(d.names, e.text) || d.upTo(3) == 0 {
			name = d.name()
			d.define(name, e.eval)
			e.text += d.pick(" as ", " AS ") + name
		}
		texts = append(texts, e.text)
		d.show(name)
	}
	d.command("%s %s", command, strings.Join(texts, ", "))
}

func (d *drawer) filter() {
	c := d.condition(2)
	d.command("%s %s", d.pick("filter", "where"), c.text)
	d.rows = slices.DeleteFunc(d.rows, func(r slowRow) bool { return !slowTruth(c.eval(r)) })
}

// parse draws both forms.
func (d *drawer) parse() {
	from, one, two := d.field(), d.name(), d.name()
	re := `^(?P<one>[a-z]+)(?P<two>[0-9]*)`
	if d.upTo(2) == 0 {
		d.command("parse %s /^(?<%s>[a-z]+)(?<%s>[0-9]*)/", from.text, one, two)
	} else {
		re = `(?s)1(?P<one>.*?)0(?P<two>.*)`
		d.command("parse %s '1*0*' as %s, %s", from.text, one, two)
	}
	group := func(i int) func(r slowRow) slowValue {
		return func(r slowRow) slowValue {
			v := from.eval(r)
			if !slowPlain(v) {
				return nil
			}
			if m := regexp.MustCompile(re).FindStringSubmatch(slowText(v)); m != nil {
				return m[i]
			}
			return nil
		}
	}
	first, second := group(1), group(2)
	for _, r := range d.rows {
		x, y := first(r), second(r)
		r.fields[one], r.fields[two] = x, y
	}
	d.names = append(d.names, one, two)
}

func (d *drawer) unnest() {
	list, name := d.name(), d.name()
	d.command("fields jsonParse(@message) as %s | unnest %s.l into %s", list, list, name)
	if d.shown == nil {
		d.shown = []string{}
	}
	d.show(list)
	var rows []slowRow
	for _, r := range d.rows {
		var m map[string]any
		if json.Unmarshal([]byte(slowText(r.fields["@message"])), &m) == nil {
			r.fields[list] = "a tree" // it is never looked at
		}
		elements, isList := m["l"].([]any)
		if !isList {
			elements = []any{m["l"]} // counts as a list of one
		}
		for _, e := range elements {
			clone := slowRow{r.order, r.at, maps.Clone(r.fields)}
			if f, ok := e.(float64); ok {
				clone.fields[name] = slowText(f)
			} else {
				clone.fields[name] = e
			}
			rows = append(rows, clone)
		}
	}
	d.rows, d.names, d.loose = rows, append(d.names, name), true
	d.shown = slices.DeleteFunc(d.shown, func(n string) bool { return n == list })
	d.shown = append(d.shown, name)
	d.command("display %s", strings.Join(d.shown, ", "))
}

// aggregate draws one aggregate and its meaning over the rows of a group, the
// oldest first.
func (d *drawer) aggregate() (string, func(rows []slowRow) slowValue) {
	f := d.field()
	numbers := func(rows []slowRow) (out []float64) {
		for _, r := range rows {
			if x, ok := slowNumber(f.eval(r)); ok {
				out = append(out, x)
			}
		}
		return out
	}
	values := func(rows []slowRow) (out []slowValue) {
		for _, r := range rows {
			if v := f.eval(r); slowPlain(v) {
				out = append(out, v)
			}
		}
		return out
	}
	sum := func(x []float64) (s float64) {
		for _, v := range x {
			s += v
		}
		return s
	}
	name := d.pick("count(*)", "count", "sum", "avg", "min", "max", "pct", "count_distinct", "earliest", "latest", "sortsFirst", "stddev", "ratio")
	of := name + "(" + f.text + ")"
	switch name {
	case "count(*)":
		return name, func(rows []slowRow) slowValue { return float64(len(rows)) }
	case "count":
		return of, func(rows []slowRow) slowValue { return float64(len(values(rows))) }
	case "ratio":
		return "sum(" + f.text + ") / count(*) + 1", func(rows []slowRow) slowValue {
			if len(numbers(rows)) == 0 {
				return nil
			}
			return sum(numbers(rows))/float64(len(rows)) + 1
		}
	case "count_distinct":
		return of, func(rows []slowRow) slowValue {
			seen := map[string]bool{}
			for _, v := range values(rows) {
				seen[slowText(v)] = true
			}
			return float64(len(seen))
		}
	case "pct":
		p := 1 + d.upTo(100)
		return fmt.Sprintf("pct(%s, %d)", f.text, p), func(rows []slowRow) slowValue {
			x := numbers(rows)
			slices.Sort(x)
			for i := range x { // nearest rank: the first with at least p % at or below it
				if 100*(i+1) >= p*len(x) {
					return x[i]
				}
			}
			return nil
		}
	}
	return of, func(rows []slowRow) slowValue {
		x, v := numbers(rows), values(rows)
		if len(v) == 0 || len(x) == 0 && slices.Contains([]string{"sum", "avg", "stddev"}, name) {
			return nil
		}
		switch name {
		case "sum":
			return sum(x)
		case "avg":
			return sum(x) / float64(len(x))
		case "stddev":
			mean, squares := sum(x)/float64(len(x)), 0.0
			for _, f := range x {
				squares += (f - mean) * (f - mean)
			}
			return math.Sqrt(squares / float64(len(x)))
		case "earliest":
			return v[0]
		case "latest":
			return v[len(v)-1]
		}
		best := v[0]
		for _, w := range v[1:] {
			if c := slowNatural(w, best); name == "max" && c > 0 || name != "max" && c < 0 || c == 0 && slowText(w) < slowText(best) {
				best = w
			}
		}
		if f, ok := slowNumber(best); ok && name != "sortsFirst" {
			if _, isText := best.(string); isText {
				return f
			}
		}
		return best
	}
}

// statistics draws stats.
func (d *drawer) statistics() {
	type key struct {
		name string
		eval func(r slowRow) slowValue
	}
	var keys []key
	var texts, names []string
	for range d.upTo(3) {
		e, name := d.field(), d.name()
		if !d.stats && d.upTo(3) == 0 {
			minutes := []int{1, 5, 60}[d.upTo(3)]
			e = slowExpr{fmt.Sprintf("bin(%dm)", minutes), func(r slowRow) slowValue { return r.at.Truncate(time.Duration(minutes) * time.Minute) }}
		}
		keys = append(keys, key{name, e.eval})
		texts, names = append(texts, e.text+" as "+name), append(names, name)
	}
	type column struct {
		name string
		eval func(rows []slowRow) slowValue
	}
	var columns []column
	var aggs []string
	for range 1 + d.upTo(3) {
		text, eval := d.aggregate()
		name := d.name()
		columns = append(columns, column{name, eval})
		aggs, names = append(aggs, text+" as "+name), append(names, name)
	}
	by := ""
	if len(keys) > 0 {
		by = d.pick(" by ", " BY ") + strings.Join(texts, ", ")
	}
	d.command("%s %s%s", d.pick("stats", "STATS"), strings.Join(aggs, ", "), by)

	groups := map[string][]slowRow{}
	var order []string
	for _, r := range d.rows { // the newest first, and so are the groups
		id := ""
		for _, k := range keys {
			if v := k.eval(r); slowPlain(v) {
				id += "=" + slowText(v)
			}
			id += "\x00"
		}
		if groups[id] == nil {
			order = append(order, id)
		}
		groups[id] = append(groups[id], r)
	}
	var rows []slowRow
	for _, id := range order {
		members := slices.Clone(groups[id])
		out := slowRow{members[0].order, members[0].at, map[string]slowValue{}}
		for _, k := range keys {
			if v := k.eval(members[0]); slowPlain(v) {
				out.fields[k.name] = v
			}
		}
		slices.Reverse(members)
		for _, c := range columns {
			out.fields[c.name] = c.eval(members)
		}
		rows = append(rows, out)
	}
	d.rows, d.names, d.shown, d.stats = rows, names, slices.Clone(names), true
}

func (d *drawer) sort() {
	type key struct {
		eval func(r slowRow) slowValue
		sign int
	}
	var keys []key
	var texts []string
	for range 1 + d.upTo(2) {
		e, way := d.value(1), d.pick("", " asc", " desc", " DESC")
		sign := 1
		if strings.Contains(strings.ToLower(way), "desc") {
			sign = -1
		}
		keys, texts = append(keys, key{e.eval, sign}), append(texts, e.text+way)
	}
	d.command("sort %s", strings.Join(texts, ", "))
	sort.SliceStable(d.rows, func(i, j int) bool {
		for _, k := range keys {
			if c := slowNatural(k.eval(d.rows[i]), k.eval(d.rows[j])) * k.sign; c != 0 {
				return c < 0
			}
		}
		return false
	})
}

func (d *drawer) limit() {
	n := 1 + d.upTo(6)
	d.command("limit %d", n)
	d.rows = d.rows[:min(n, len(d.rows))]
}

func (d *drawer) dedup() {
	names := []string{d.pick(d.names...)}
	if d.upTo(2) == 0 {
		names = append(names, d.pick(d.names...))
	}
	d.command("dedup %s", strings.Join(names, ", "))
	seen := map[string]bool{}
	var kept []slowRow
	for _, r := range d.rows {
		id, whole := "", true
		for _, n := range names {
			whole = whole && slowPlain(r.fields[n])
			id += slowText(r.fields[n]) + "\x00"
		}
		if !whole || !seen[id] {
			kept = append(kept, r)
		}
		seen[id] = seen[id] || whole
	}
	d.rows = kept
}
