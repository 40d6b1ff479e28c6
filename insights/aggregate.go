package insights

import (
	"math"
	"slices"
	"strings"
)

// An accumulator gathers the rows of one group for one aggregate.
type accumulator interface {
	add(r *row, v value) // v is null for count(*)
	merge(other accumulator)
	result() value
	size() int // bytes beyond its own
}

// aggregate is an aggregate function. Source: logs sheet 6.6.
type aggregateFunction struct {
	min, max int
	make     func(param float64) accumulator
}

var aggregates = map[string]aggregateFunction{
	"count":          {0, 1, func(float64) accumulator { return &counter{} }},
	"count_distinct": {1, 1, func(float64) accumulator { return &distinct{seen: map[string]bool{}} }},
	"countdistinct":  {1, 1, func(float64) accumulator { return &distinct{seen: map[string]bool{}} }},
	"values":         {1, 1, func(float64) accumulator { return &distinct{seen: map[string]bool{}, list: true} }},
	"sum":            {1, 1, func(float64) accumulator { return &moments{of: "sum"} }},
	"avg":            {1, 1, func(float64) accumulator { return &moments{of: "avg"} }},
	"stddev":         {1, 1, func(float64) accumulator { return &moments{of: "stddev"} }},
	"variance":       {1, 1, func(float64) accumulator { return &moments{of: "variance"} }},
	"min": {1, 1, func(float64) accumulator {
		return &pick{better: func(a, b value) bool { return naturally(a, b) < 0 }, numbers: true}
	}},
	"max": {1, 1, func(float64) accumulator {
		return &pick{better: func(a, b value) bool { return naturally(a, b) > 0 }, numbers: true}
	}},
	"sortsfirst": {1, 1, func(float64) accumulator { return &pick{better: func(a, b value) bool { return naturally(a, b) < 0 }} }},
	"sortslast":  {1, 1, func(float64) accumulator { return &pick{better: func(a, b value) bool { return naturally(a, b) > 0 }} }},
	"earliest":   {1, 1, func(float64) accumulator { return &moment{} }},
	"latest":     {1, 1, func(float64) accumulator { return &moment{late: true} }},
	"pct":        {2, 2, func(p float64) accumulator { return &percentile{p: p} }},

	"count_over_time": {1, 1, func(float64) accumulator { return &counter{} }},
	"countovertime":   {1, 1, func(float64) accumulator { return &counter{} }},
	"sum_over_time":   {1, 1, func(float64) accumulator { return &moments{of: "sum"} }},
	"sumovertime":     {1, 1, func(float64) accumulator { return &moments{of: "sum"} }},
	"rate":            {2, 2, func(every float64) accumulator { return &slope{every: every} }},
	"histogram":       {2, 2, func(n float64) accumulator { return &histogram{buckets: int(n)} }},
	"topk":            {2, 2, nil}, // a whole stats: see compiler.topK
}

// counter counts rows: add is told of those that count.
type counter struct{ n float64 }

func (c *counter) add(*row, value)     { c.n++ }
func (c *counter) merge(o accumulator) { c.n += o.(*counter).n }
func (c *counter) result() value       { return numberOf(c.n) }
func (c *counter) size() int           { return 0 }

// distinct is the set of values: how many, or which.
type distinct struct {
	seen  map[string]bool
	list  bool
	bytes int
}

func (d *distinct) add(_ *row, v value) { d.text(v.String()) }

func (d *distinct) text(s string) {
	if !d.seen[s] {
		s = strings.Clone(s)
		d.seen[s] = true
		d.bytes += len(s) + 48
	}
}

func (d *distinct) merge(o accumulator) {
	for s := range o.(*distinct).seen {
		d.text(s)
	}
}

func (d *distinct) size() int { return d.bytes }

func (d *distinct) result() value {
	if !d.list {
		return numberOf(float64(len(d.seen)))
	}
	var texts []string
	for s := range d.seen {
		texts = append(texts, s)
	}
	slices.SortFunc(texts, func(a, b string) int { return naturally(textOf(a), textOf(b)) })
	list := make([]any, len(texts))
	for i, s := range texts {
		list[i] = s
	}
	return value{kind: treeValue, tree: list}
}

// moments sums numbers and their squares: Chan's parallel form of Welford's
// method, which does not cancel.
type moments struct {
	of            string
	n, mean, m2   float64
	sum, leftOver float64 // Kahan: the order of parts shows in no digit that is printed
}

func (m *moments) add(_ *row, v value) {
	x, ok := v.number()
	if !ok {
		return
	}
	m.n++
	d := x - m.mean
	m.mean += d / m.n
	m.m2 += d * (x - m.mean)
	m.plus(x)
}

func (m *moments) plus(x float64) {
	y := x - m.leftOver
	t := m.sum + y
	m.leftOver = (t - m.sum) - y
	m.sum = t
}

func (m *moments) merge(o accumulator) {
	b := o.(*moments)
	if b.n == 0 {
		return
	}
	n := m.n + b.n
	d := b.mean - m.mean
	m.m2 += b.m2 + d*d*m.n*b.n/n
	m.mean += d * b.n / n
	m.n = n
	m.plus(b.sum)
	m.plus(-b.leftOver)
}

func (m *moments) size() int { return 0 }

func (m *moments) result() value {
	if m.n == 0 {
		return value{}
	}
	switch m.of {
	case "sum":
		return numberOf(m.sum)
	case "avg":
		return numberOf(m.sum / m.n)
	case "variance":
		return numberOf(m.m2 / m.n)
	default:
		return numberOf(math.Sqrt(m.m2 / m.n))
	}
}

// pick keeps the best value.
type pick struct {
	better  func(a, b value) bool
	numbers bool // the value is printed as the number it is
	best    value
}

func (p *pick) add(_ *row, v value) {
	if p.best.kind == null || p.better(v, p.best) || !p.numbers && naturally(v, p.best) == 0 && v.String() < p.best.String() { // of 1 and 1.0 the same, whichever comes first
		p.best = v.own()
	}
}

func (p *pick) merge(o accumulator) {
	if b := o.(*pick).best; b.kind != null {
		p.add(nil, b)
	}
}

func (p *pick) size() int { return len(p.best.text) }

func (p *pick) result() value {
	if f, ok := p.best.number(); ok && p.numbers && p.best.kind == textValue {
		return numberOf(f)
	}
	return p.best
}

// moment keeps the value of the first or last row.
type moment struct {
	late bool
	any  bool
	id   rowID
	v    value
}

func (m *moment) add(r *row, v value) { m.take(r.id, v) }

func (m *moment) take(id rowID, v value) {
	if !m.any || id.after(m.id) == m.late && id != m.id {
		m.any, m.id, m.v = true, id, v.own()
	}
}

func (m *moment) merge(o accumulator) {
	if b := o.(*moment); b.any {
		m.take(b.id, b.v)
	}
}

func (m *moment) result() value { return m.v }
func (m *moment) size() int     { return len(m.v.text) }

// percentile keeps all numbers: nearest rank, exact.
type percentile struct {
	p float64
	x []float64
}

func (p *percentile) add(_ *row, v value) {
	if f, ok := v.number(); ok {
		p.x = append(p.x, f)
	}
}

func (p *percentile) merge(o accumulator) { p.x = append(p.x, o.(*percentile).x...) }
func (p *percentile) size() int           { return 8 * cap(p.x) }

func (p *percentile) result() value {
	if len(p.x) == 0 {
		return value{}
	}
	slices.Sort(p.x)
	rank := int(math.Ceil(p.p / 100 * float64(len(p.x))))
	return numberOf(p.x[max(0, min(rank, len(p.x))-1)])
}

// aggregation is a compiled stats.
type aggregation struct {
	keys   []eval
	direct []directKey // the same, if all of them can be read so
	calls  []aggregateCall
	width  int // slots of its own: keys, calls, columns
	slots  int // of its rows, with those of the steps that follow
	after  []*step
	bin    int // index of the key that is a bin, for fillmissing; -1: none
	every  period
	shift  float64
}

type aggregateCall struct {
	fn    func(float64) accumulator
	param float64
	arg   eval // nil: count(*)
}

// aggregate compiles stats.
func (c *compiler) aggregate(cmd *command) error {
	if c.stats++; c.stats > maxStats {
		return c.p.fail(cmd.start, cmd.end, "a query has at most %d stats", maxStats)
	}
	if done, err := c.topK(cmd); done || err != nil {
		return err
	}
	a := &aggregation{bin: -1}
	next := map[string]int{}
	var shown []column
	c.bins = cmd.offset
	for i, it := range cmd.by {
		e, err := c.expr(it.expr)
		if err != nil {
			return err
		}
		if it.expr.op == opCall && it.expr.name == "bin" && a.bin < 0 {
			a.bin, a.every = i, it.expr.args[0].period
			if cmd.offset != nil {
				a.shift = cmd.offset.millis()
			}
		}
		a.keys = append(a.keys, e)
		if k, ok := c.directly(it, cmd.offset); ok && i < maxDirect {
			a.direct = append(a.direct, k)
		}
		next[it.name] = i
		shown = append(shown, column{it.name, i})
	}
	c.bins = nil
	if len(a.direct) < len(a.keys) || len(c.plan.nodes) > 0 || c.closed {
		a.direct = nil
	} else if a.direct == nil {
		a.direct = []directKey{} // one group
	}
	inner := &compiler{p: c.p, names: next, closed: true}
	inner.width = len(cmd.by)
	for _, it := range cmd.items {
		inner.width += countAggregates(it.expr)
	}
	slot := len(cmd.by)
	for _, it := range cmd.items {
		if countAggregates(it.expr) == 0 {
			if _, known := next[it.expr.name]; it.expr.op != opField || !known {
				return c.p.fail(it.expr.start, it.expr.end, "%s is no aggregate: stats takes aggregates such as count(*) and sum(field)", c.p.text[it.expr.start:it.expr.end])
			}
		}
		e, err := c.over(it.expr, inner, a, &slot)
		if err != nil {
			return err
		}
		out := inner.define(it.name)
		a.after = append(a.after, &step{run: func(r *row) bool { r.v[out] = e(r); return true }})
		shown = append(shown, column{it.name, out})
	}
	a.width = inner.width
	return c.close(a, next, shown)
}

// close ends the rows before stats: from here on there are its columns.
func (c *compiler) close(a *aggregation, names map[string]int, shown []column) error {
	c.settle()
	c.last = a
	c.plan.pointer = false
	c.barrier(node{stats: a})
	c.closed, c.names, c.shown, c.width, c.chosen = true, names, shown, a.width, false
	return nil
}

func countAggregates(e *expr) int {
	if _, ok := aggregates[e.name]; ok && e.op == opCall {
		return 1
	}
	n := 0
	for _, a := range e.args {
		n += countAggregates(a)
	}
	return n
}

// over compiles an expression of stats: what is in aggregates is of the rows
// before, the rest of the row that stats makes.
func (c *compiler) over(e *expr, inner *compiler, a *aggregation, slot *int) (eval, error) {
	fn, isAggregate := aggregates[e.name]
	if isAggregate && fn.make == nil {
		return nil, c.p.fail(e.start, e.end, "%s stands alone in its stats", e.name)
	}
	if e.op != opCall || !isAggregate {
		if countAggregates(e) == 0 {
			return inner.expr(e)
		}
		args := make([]eval, len(e.args))
		for i, arg := range e.args {
			var err error
			if args[i], err = c.over(arg, inner, a, slot); err != nil {
				return nil, err
			}
		}
		if e.op != opCall {
			return operation(e, args), nil
		}
		f := functions[e.name]
		if f.call == nil {
			return nil, c.p.fail(e.start, e.end, "%s does not take an aggregate", e.name)
		}
		return func(r *row) value {
			values := make([]value, len(args))
			for i, arg := range args {
				values[i] = arg(r)
			}
			return f.call(r.rt, values)
		}, nil
	}
	call := aggregateCall{fn: fn.make}
	if len(e.args) > 0 {
		var err error
		if call.arg, err = c.expr(e.args[0]); err != nil {
			return nil, err
		}
	} else if e.name != "count" {
		return nil, c.p.fail(e.start, e.end, "%s needs an argument", e.name)
	}
	var err error
	if call.param, err = c.parameter(e); err != nil {
		return nil, err
	}
	a.calls = append(a.calls, call)
	at := *slot
	*slot++
	return func(r *row) value { return r.v[at] }, nil
}

// group is the rows with the same keys.
type group struct {
	keys   []value
	newest rowID
	acc    []accumulator
}

// table is the groups so far.
type table struct {
	a      *aggregation
	groups map[string]*group
	buf    []byte
	values []value
	bytes  int
}

func newTable(a *aggregation) *table {
	return &table{a: a, groups: map[string]*group{}, values: make([]value, len(a.keys))}
}

// groupBytes is what a group takes, roughly, beside its keys.
const groupBytes = 200

func (t *table) add(r *row) {
	g := t.groupOf(r)
	if r.id.after(g.newest) {
		g.newest = r.id
	}
	t.count(g, r)
}

// groupOf returns the group of a row, a new one if it has none.
func (t *table) groupOf(r *row) *group {
	t.buf = t.buf[:0]
	for i, k := range t.a.keys {
		v := k(r)
		if v.kind == treeValue {
			v = value{}
		}
		t.values[i] = v
		if v.kind == null {
			t.buf = append(t.buf, 0)
			continue
		}
		t.buf = append(t.buf, 1)
		if v.kind == textValue {
			t.buf = append(append(t.buf, v.text...), 0)
		} else {
			t.buf = append(append(t.buf, v.String()...), 0)
		}
	}
	g := t.groups[string(t.buf)]
	if g == nil {
		g = t.newGroup(string(t.buf), slices.Clone(t.values), r.id)
	}
	return g
}

// count adds a row to its group.
func (t *table) count(g *group, r *row) {
	for i := range t.a.calls {
		c := &t.a.calls[i]
		if c.arg == nil {
			g.acc[i].add(r, value{})
			continue
		}
		if v := c.arg(r); v.kind != null && v.kind != treeValue {
			before := g.acc[i].size()
			g.acc[i].add(r, v)
			t.bytes += g.acc[i].size() - before
		}
	}
}

func (t *table) newGroup(key string, keys []value, id rowID) *group {
	g := &group{keys: keys, newest: id, acc: make([]accumulator, len(t.a.calls))}
	for i, c := range t.a.calls {
		g.acc[i] = c.fn(c.param)
	}
	for i := range keys {
		keys[i] = keys[i].own()
	}
	t.groups[key] = g
	t.bytes += groupBytes + 2*len(key) + 64*len(t.a.calls)
	return g
}

func (t *table) merge(o *table) {
	for key, b := range o.groups {
		g := t.groups[key]
		if g == nil {
			t.groups[key] = b
			continue
		}
		if b.newest.after(g.newest) {
			g.newest = b.newest
		}
		for i := range g.acc {
			g.acc[i].merge(b.acc[i])
		}
	}
	t.bytes += o.bytes
}

// rows are the groups, those with the newest events first.
func (t *table) rows(rt *runtime) []*row {
	type keyed struct {
		key string
		*group
	}
	list := make([]keyed, 0, len(t.groups))
	for key, g := range t.groups {
		list = append(list, keyed{key, g})
	}
	slices.SortFunc(list, func(a, b keyed) int {
		switch {
		case a.newest.after(b.newest):
			return -1
		case b.newest.after(a.newest):
			return 1
		}
		return strings.Compare(a.key, b.key)
	})
	out := make([]*row, len(list))
	for i, g := range list {
		r := &row{id: g.newest, v: make([]value, t.a.slots), rt: rt}
		copy(r.v, g.keys)
		for k, acc := range g.acc {
			r.v[len(g.keys)+k] = acc.result()
		}
		for _, s := range t.a.after {
			s.run(r)
		}
		out[i] = r
	}
	return out
}
