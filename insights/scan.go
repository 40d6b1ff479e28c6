package insights

import (
	"cmp"
	"context"
	"slices"
)

// opened is a part while a worker reads it.
type opened struct {
	run     *run
	part    Part
	batch   Batch
	columns map[int]Column // by slot, of fields that are texts
	times   []int64
	arrived []int64
}

// part reads one part: filters column by column, then the steps row by row.
func (r *run) part(ctx context.Context, p Part, number int32, c *collector) error {
	events, bytes := p.Size()
	skip, err := p.Skip(r.plan.hints)
	if err != nil {
		return err
	}
	if skip {
		r.progress.SkippedRecords.Add(int64(events))
		r.progress.SkippedBytes.Add(bytes)
		return nil
	}
	batch, err := p.Open()
	if err != nil || batch == nil {
		return err
	}
	defer batch.Close()
	rows, err := batch.Rows(c.room)
	if err != nil {
		return err
	}
	c.room = rows
	r.progress.Scanned.Add(int64(len(rows)))
	r.progress.Bytes.Add(bytes * int64(len(rows)) / int64(max(events, 1)))
	o := &opened{run: r, part: p, batch: batch, columns: map[int]Column{}}
	for _, f := range r.plan.filters {
		if len(rows) == 0 {
			return nil
		}
		if rows, err = o.filter(f, rows); err != nil {
			return err
		}
	}
	if r.newest && p.Latest() < r.floor() { // all are too old: they are counted, not read
		r.progress.Matched.Add(int64(len(rows)))
		return nil
	}
	if err := o.load(0, "@timestamp", nil); err != nil {
		return err
	}
	if r.newest {
		floor, n := r.newer(o.times, rows), len(rows)
		rows = slices.DeleteFunc(rows, func(at int32) bool { return o.times[at] < floor })
		r.progress.Matched.Add(int64(n - len(rows)))
	}
	if r.newest && len(rows) > r.keep && r.plan.nodes[r.parallel].sort == nil {
		r.progress.Matched.Add(int64(len(rows) - r.keep))
		slices.SortFunc(rows, func(a, b int32) int { return -cmp.Or(cmp.Compare(o.times[a], o.times[b]), cmp.Compare(a, b)) })
		rows = rows[:r.keep]
	}
	return o.emit(ctx, rows, number, c)
}

// byTime reports whether the newest rows are those to keep, and no step drops
// any or makes several of one.
func (r *run) byTime() bool {
	for _, n := range r.plan.nodes[:r.parallel] {
		if n.step.drops {
			return false
		}
	}
	var last []compiledKey // decides, of several sorts
	for _, n := range r.plan.nodes[r.parallel:] {
		if n.sort == nil {
			break
		}
		last = n.sort
	}
	return last == nil || last[0].time && last[0].desc
}

// base returns the field of the events that has the slot.
func (pl *plan) baseAt(slot int) string {
	for _, f := range pl.base {
		if f.slot == slot {
			return f.name
		}
	}
	return ""
}

// fill sets the slot of a field in a row. Its column has been loaded.
func (o *opened) fill(r *row, slot int, name string, at int32) {
	switch name {
	case "@timestamp":
		r.v[slot] = timeOf(float64(o.times[at]))
	case "@ingestionTime":
		r.v[slot] = timeOf(float64(o.arrived[at]))
	case "@ptr":
		r.v[slot] = textOf(o.part.Pointer(at, o.times[at]))
	default:
		col := o.columns[slot]
		if code := col.Codes[at]; code != 0 {
			r.v[slot] = textOf(col.Values[code-1])
		} else {
			r.v[slot] = value{}
		}
	}
}

// load makes sure that the column of a field is there for the rows.
func (o *opened) load(slot int, name string, rows []int32) (err error) {
	switch name {
	case "@timestamp", "@ptr":
		if o.times == nil {
			o.times, err = o.batch.Times()
		}
		return err
	case "@ingestionTime":
		if o.arrived == nil {
			o.arrived, err = o.batch.Ingested()
		}
		return err
	}
	if _, ok := o.columns[slot]; ok {
		return nil
	}
	o.columns[slot], err = o.batch.Column(name, rows)
	return err
}

// filter keeps the rows that fulfil a condition. One on a single field is
// evaluated once for each of its values; the source itself looks for a text.
func (o *opened) filter(f *conjunct, rows []int32) ([]int32, error) {
	pl := o.run.plan
	if f.equal != nil {
		return o.batch.Having(f.equal.Field, f.equal.Values[0], rows)
	}
	for _, slot := range f.slots {
		if err := o.load(slot, pl.baseAt(slot), rows); err != nil {
			return nil, err
		}
	}
	r := &row{v: make([]value, pl.width), rt: o.run.rt}
	if len(f.slots) == 1 {
		if col, ok := o.columns[f.slots[0]]; ok {
			return o.byValue(f, col, r, rows), nil
		}
	}
	out := rows[:0]
	for _, at := range rows {
		for _, slot := range f.slots {
			o.fill(r, slot, pl.baseAt(slot), at)
		}
		if f.eval(r).isTrue() {
			out = append(out, at)
		}
	}
	return out, nil
}

func (o *opened) byValue(f *conjunct, col Column, r *row, rows []int32) []int32 {
	const unknown, no, yes = 0, 1, 2
	known := make([]uint8, len(col.Values)+1)
	slot := f.slots[0]
	out := rows[:0]
	for _, at := range rows {
		code := col.Codes[at]
		if known[code] == unknown {
			r.v[slot] = value{}
			if code != 0 {
				r.v[slot] = textOf(col.Values[code-1])
			}
			known[code] = no
			if f.eval(r).isTrue() {
				known[code] = yes
			}
		}
		if known[code] == yes {
			out = append(out, at)
		}
	}
	return out
}

// checkEvery is how many rows pass between two looks at the context.
const checkEvery = 4096

// emit makes rows and sends them through the steps.
func (o *opened) emit(ctx context.Context, at []int32, number int32, c *collector) error {
	if len(at) == 0 {
		return nil
	}
	pl := o.run.plan
	for _, f := range pl.base {
		if err := o.load(f.slot, f.name, at); err != nil {
			return err
		}
	}
	c.mu.Lock() // the columns are there: what follows waits for nothing
	defer c.mu.Unlock()
	defer func() { o.run.progress.Matched.Add(c.matched); c.matched = 0 }()
	steps := pl.nodes[:o.run.parallel]
	c.pieces = len(steps) > 0 // which may make some
	for _, col := range o.columns {
		c.pieces = c.pieces || col.Pieces
	}
	if c.table != nil && c.table.a.direct != nil && len(steps) == 0 {
		c.matched += int64(len(at))
		return o.grouped(at, number, c)
	}
	reuse := c.table != nil && !slices.ContainsFunc(steps, func(n node) bool { return n.step.many != nil })
	var r *row
	for i, k := range at {
		if i%checkEvery == checkEvery-1 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if r == nil || !reuse { // stats copies what it keeps
			r = &row{v: make([]value, pl.width), rt: o.run.rt}
		} else {
			clear(r.v)
		}
		r.id = rowID{o.times[k], number, k}
		for _, f := range pl.base {
			o.fill(r, f.slot, f.name, k)
		}
		if err := through(steps, r, c); err != nil {
			return err
		}
	}
	return nil
}

// through sends a row through the steps into the collector.
func through(steps []node, r *row, c *collector) error {
	for i, n := range steps {
		if n.step.many != nil {
			var err error
			n.step.many(r, func(r *row) {
				if err == nil {
					err = through(steps[i+1:], r, c)
				}
			})
			return err
		}
		if !n.step.run(r) {
			return nil
		}
	}
	return c.add(r)
}
