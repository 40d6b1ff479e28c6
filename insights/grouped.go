package insights

// A directKey is a key of stats that is read without making rows: a field of the
// events, or bin of their time.
type directKey struct {
	slot  int // of the field; -1: bin
	every period
	shift float64
}

// maxDirect bounds the keys of the direct way.
const maxDirect = 4

// directly reports whether the key is direct, and how.
func (c *compiler) directly(it item, offset *period) (directKey, bool) {
	switch e := it.expr; {
	case c.closed || !c.onlyFilters():
		return directKey{}, false
	case e.op == opField:
		slot, ok := c.direct(e.name)
		return directKey{slot: slot}, ok && c.isBase(slot) && e.name != "@timestamp" && e.name != "@ingestionTime" && e.name != "@ptr"
	case e.op == opCall && e.name == "bin":
		if _, redefined := c.names["@timestamp"]; redefined || c.prefixed("@timestamp") {
			return directKey{}, false
		}
		k := directKey{slot: -1, every: e.args[0].period}
		if offset != nil {
			k.shift = offset.millis()
		}
		return k, true
	}
	return directKey{}, false
}

// onlyFilters reports whether nothing stands before but filters on columns.
func (c *compiler) onlyFilters() bool { return len(c.plan.nodes) == 0 }

// grouped adds events to their groups by the codes of their keys: a row is made
// for the first event of each group, and for what aggregates read.
func (o *opened) grouped(at []int32, number int32, c *collector) error {
	pl, t, a := o.run.plan, c.table, c.table.a
	keys := a.direct
	columns := make([]Column, len(keys))
	small := -1 // a key of few values has a list of groups in place of a map
	for i, k := range keys {
		if k.slot < 0 {
			continue
		}
		if columns[i] = o.columns[k.slot]; small < 0 && len(columns[i].Values) < 256 {
			small = i
		}
	}
	reads := false
	for _, call := range a.calls {
		reads = reads || call.arg != nil
	}
	r := &row{v: make([]value, pl.width), rt: o.run.rt}
	fill := func(k int32) {
		for _, f := range pl.base {
			o.fill(r, f.slot, f.name, k)
		}
	}
	lists := map[[maxDirect]uint64][]*group{}
	var list []*group
	var key, last [maxDirect]uint64
	from, to := make([]float64, len(keys)), make([]float64, len(keys)) // of the bin of the event before
	before := t.bytes
	for _, k := range at {
		code := 0
		for i := range keys {
			switch {
			case i == small:
				code = int(columns[i].Codes[k])
			case keys[i].slot >= 0:
				key[i] = uint64(columns[i].Codes[k])
			default:
				if ms := float64(o.times[k]); ms < from[i] || ms >= to[i] {
					from[i] = keys[i].every.floor(ms-keys[i].shift) + keys[i].shift
					to[i] = keys[i].every.next(from[i]-keys[i].shift) + keys[i].shift
				}
				key[i] = uint64(int64(from[i]))
			}
		}
		if list == nil || key != last {
			if list = lists[key]; list == nil {
				n := 1
				if small >= 0 {
					n = len(columns[small].Values) + 1
				}
				list = make([]*group, n)
				lists[key] = list
			}
			last = key
		}
		r.id = rowID{o.times[k], number, k}
		g := list[code]
		if g == nil {
			fill(k)
			g = t.groupOf(r)
			list[code] = g
		} else if reads {
			fill(k)
		}
		if r.id.after(g.newest) {
			g.newest = r.id
		}
		t.count(g, r)
	}
	return c.charge(int64(t.bytes - before))
}
