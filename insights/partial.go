package insights

import (
	"context"
	"slices"
	"time"
)

// partialEvery is how often the rows of a running query are computed anew: they
// cost as much as the end of the query.
const partialEvery = time.Second

// Partial returns the rows that the running query has found so far, as if there
// were no other events: of stats, the sums until now. It is nil where there are
// none: before the first event is read, when they are too many to be copied, and
// when the query does not run.
func (p *Progress) Partial() *Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return nil
	}
	if now := time.Now(); p.last == nil || now.Sub(p.computed) >= partialEvery {
		p.last, p.computed = p.running.partial(), now
	}
	return p.last
}

// follow lets Partial look at r until the function that it returns is called.
func (p *Progress) follow(r *run) (end func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = r
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.running, p.last = nil, nil
	}
}

// partial computes the result of what the workers have collected.
func (r *run) partial() (out *Result) {
	if r.memory.Load() > r.opt.Memory/4 {
		return nil // the copy would take as much again
	}
	defer func() {
		if p := recover(); p != nil { // the query meets the same, and tells it
			out = nil
		}
	}()
	var rows []*row
	from := r.parallel
	if r.stats != nil {
		all := newTable(r.stats)
		for _, c := range r.collectors {
			c.mu.Lock()
			all.copyOf(c.table)
			c.mu.Unlock()
		}
		rows = all.rows(r.rt)
		from++
	} else {
		for _, c := range r.collectors {
			c.mu.Lock()
			for _, row := range c.rows {
				clone := *row
				clone.v = slices.Clone(row.v)
				rows = append(rows, &clone)
			}
			c.mu.Unlock()
		}
		slices.SortFunc(rows, newestFirst)
	}
	rows, err := r.finish(context.Background(), rows, from)
	if err != nil || len(rows) == 0 {
		return nil
	}
	return r.result(rows)
}

// copyOf adds the groups of o, which goes on to change.
func (t *table) copyOf(o *table) {
	for key, b := range o.groups {
		g := t.groups[key]
		if g == nil {
			g = t.newGroup(key, slices.Clone(b.keys), b.newest)
		} else if b.newest.after(g.newest) {
			g.newest = b.newest
		}
		for i := range g.acc {
			g.acc[i].merge(b.acc[i])
		}
	}
}
