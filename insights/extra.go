package insights

import "slices"

// frequencies compiles stats count(*) as name by the items, the most first.
func (c *compiler) frequencies(cmd *command, by []item, name string) error {
	stats := &command{name: "stats", start: cmd.start, end: cmd.end, by: by}
	count := &expr{op: opCall, name: "count", start: cmd.start, end: cmd.end}
	stats.items = []item{{expr: count, name: name, as: true}}
	if err := c.aggregate(stats); err != nil {
		return err
	}
	return c.sort(&command{keys: []sortKey{{expr: &expr{op: opField, name: name, start: cmd.start, end: cmd.end}, desc: true}}})
}

// accum compiles accum: a running sum, in the order of the rows.
func (c *compiler) accum(cmd *command) error {
	from, err := c.expr(cmd.source)
	if err != nil {
		return err
	}
	name := cmd.into[0]
	slot := c.define(name)
	c.show(name, slot)
	c.barrier(node{all: func(rows []*row) []*row {
		sum := 0.0
		for _, r := range rows {
			if f, ok := from(r).number(); ok {
				sum += f
			}
			r.v[slot] = numberOf(sum)
		}
		return rows
	}})
	return nil
}

// maxBins bounds what fillmissing makes.
const maxBins = MaxRows

// fillMissing compiles fillmissing: rows for the bins without events, for each
// combination of the other keys, between the first and the last bin.
func (c *compiler) fillMissing(cmd *command) error {
	nodes := c.plan.nodes
	var a *aggregation
	if n := len(nodes); n > 0 {
		a = nodes[n-1].stats
	}
	if a == nil || a.bin < 0 {
		return c.p.fail(cmd.start, cmd.end, "fillmissing stands after stats ... by bin(...)")
	}
	var slots []int
	for _, it := range cmd.items {
		slot, ok := c.names[it.name]
		if !ok {
			_, err := c.field(it.expr)
			return err
		}
		slots = append(slots, slot)
	}
	if len(slots) == 0 {
		for _, col := range c.shown {
			if col.slot >= len(a.keys) {
				slots = append(slots, col.slot)
			}
		}
	}
	c.barrier(node{all: func(rows []*row) []*row { return a.fill(rows, slots, cmd.fill) }})
	return nil
}

func (a *aggregation) fill(rows []*row, slots []int, with value) []*row {
	if len(rows) == 0 {
		return rows
	}
	first, last := 0.0, 0.0
	have := map[string]bool{}
	others := map[string]*row{}
	key := func(r *row, bin bool) string {
		var b []byte
		for i := range a.keys {
			if i != a.bin || bin {
				b = append(append(b, r.v[i].String()...), 0, byte(r.v[i].kind))
			}
		}
		return string(b)
	}
	var order []string
	for i, r := range rows {
		t := r.v[a.bin].num
		if i == 0 {
			first, last = t, t
		}
		first, last = min(first, t), max(last, t)
		have[key(r, true)] = true
		if k := key(r, false); others[k] == nil {
			others[k] = r
			order = append(order, k)
		}
	}
	for t := first; t <= last && len(rows) < maxBins; t = a.every.next(t-a.shift) + a.shift {
		for _, k := range order {
			r := &row{id: rowID{time: int64(t)}, v: make([]value, a.slots), rt: rows[0].rt}
			copy(r.v, others[k].v[:len(a.keys)])
			r.v[a.bin] = timeOf(t)
			if have[key(r, true)] {
				continue
			}
			for _, s := range slots {
				r.v[s] = with
			}
			rows = append(rows, r)
		}
	}
	slices.SortStableFunc(rows, func(x, y *row) int { return -naturally(x.v[a.bin], y.v[a.bin]) })
	return rows
}

// fillDown compiles filldown: a missing value is that of the row before; without
// fields, of all columns.
func (c *compiler) fillDown(cmd *command) error {
	slots, err := c.fieldSlots(cmd.items)
	if err != nil {
		return err
	}
	if len(slots) == 0 {
		for _, col := range c.shown {
			slots = append(slots, col.slot)
		}
	}
	c.barrier(node{all: func(rows []*row) []*row {
		for i := 1; i < len(rows); i++ {
			for _, s := range slots {
				if rows[i].v[s].kind == null {
					rows[i].v[s] = rows[i-1].v[s]
				}
			}
		}
		return rows
	}})
	return nil
}
