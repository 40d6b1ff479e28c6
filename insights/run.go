package insights

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// ErrMemory is the error of a query whose rows or groups do not fit.
var ErrMemory = errors.New("the query needs more memory than it may have: add a filter, a limit, or fewer values to group by")

// Options of a run. Zero values have defaults.
type Options struct {
	Start, End time.Time // the range of times, for queryStartTime and queryEndTime
	Now        time.Time // for now(); default the wall clock
	Limit      int       // of rows, for a query without limit; default 10,000
	Memory     int64     // bytes, roughly; default 256 MiB
	Workers    int       // parts that are read at once; default 2
}

// Progress tells about a query while it runs: see also [Progress.Partial]. Safe
// for concurrent use.
type Progress struct {
	Matched, Scanned, Bytes      atomic.Int64
	SkippedRecords, SkippedBytes atomic.Int64

	mu       sync.Mutex // guards the rest
	running  *run
	last     *Result // of Partial
	computed time.Time
}

// A Cell is one value of a result.
type Cell struct{ Field, Value string }

// Result is what a query found. A cell without a value is left out of its row.
type Result struct {
	Columns []string
	Rows    [][]Cell
}

const (
	defaultLimit  = 10_000
	defaultMemory = 256 << 20
)

// run is one execution.
type run struct {
	plan     *plan
	rt       *runtime
	opt      Options
	progress *Progress
	parts    []Part
	memory   atomic.Int64
	parallel int    // nodes that workers do: steps, then what collects
	keep     int    // rows that matter when they are sorted; 0: all
	newest   bool   // those are the newest
	latest   latest // their times

	stats      *aggregation // what collects; nil: rows do
	collectors []*collector // one for each worker
}

// Run executes the query over src. Errors: that of ctx, ErrMemory, or those of src.
func (q *Query) Run(ctx context.Context, src Source, opt Options, progress *Progress) (*Result, error) {
	pl, err := compile(&parser{lexer: lexer{text: q.text}}, q)
	if err != nil {
		return nil, err
	}
	opt.Limit, opt.Memory, opt.Workers = cmp.Or(opt.Limit, defaultLimit), cmp.Or(opt.Memory, defaultMemory), cmp.Or(opt.Workers, 2)
	if opt.Now.IsZero() {
		opt.Now = time.Now()
	}
	if progress == nil {
		progress = &Progress{}
	}
	r := &run{plan: pl, opt: opt, progress: progress, rt: &runtime{
		now: float64(opt.Now.UnixMilli()), start: float64(opt.Start.UnixMilli()), end: float64(opt.End.UnixMilli()),
	}}
	if !pl.limited {
		pl.nodes = append(pl.nodes, node{limit: opt.Limit})
	}
	for r.parallel < len(pl.nodes) && pl.nodes[r.parallel].step != nil {
		r.parallel++
	}
	r.keep = r.topRows()
	r.newest = r.keep > 0 && r.byTime()
	r.latest.floor = math.MinInt64
	if r.parallel < len(pl.nodes) {
		r.stats = pl.nodes[r.parallel].stats
	}
	r.parts = src.Parts()
	for range min(opt.Workers, max(1, len(r.parts))) {
		c := &collector{run: r, order: r.order()}
		if r.stats != nil {
			c.table = newTable(r.stats)
		}
		r.collectors = append(r.collectors, c)
	}
	end := progress.follow(r)
	err = r.scan(ctx)
	end()
	if err != nil {
		return nil, err
	}
	rows, from := r.collected()
	if rows, err = r.finish(ctx, rows, from); err != nil {
		return nil, err
	}
	return r.result(rows), nil
}

// topRows is how many rows matter before the first barrier that is not a sort:
// those of a limit that follows at once.
func (r *run) topRows() int {
	for _, n := range r.plan.nodes[r.parallel:] {
		switch {
		case n.sort != nil:
		case n.step != nil && !n.step.drops:
		case n.limit > 0:
			return n.limit
		default:
			return 0
		}
	}
	return 0
}

// order is the order of the rows where they are collected.
func (r *run) order() func(a, b *row) int {
	var sorts [][]compiledKey
	for _, n := range r.plan.nodes[r.parallel:] {
		if n.sort == nil {
			break
		}
		sorts = append(sorts, n.sort)
	}
	if len(sorts) == 0 || len(sorts) == 1 && newestOnly(sorts[0]) {
		return newestFirst
	}
	return func(a, b *row) int {
		for _, keys := range slices.Backward(sorts) {
			if c := compareKeys(keys, a, b); c != 0 {
				return c
			}
		}
		return newestFirst(a, b)
	}
}

// newestOnly reports whether the keys say no more than newestFirst does.
func newestOnly(keys []compiledKey) bool { return len(keys) == 1 && keys[0].time && keys[0].desc }

func newestFirst(a, b *row) int {
	switch {
	case a.id.after(b.id):
		return -1
	case b.id.after(a.id):
		return 1
	}
	return 0
}

func compareKeys(keys []compiledKey, a, b *row) int {
	for _, k := range keys {
		c := naturally(k.eval(a), k.eval(b))
		if k.desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// collector takes the rows that come out of the steps, in one worker.
type collector struct {
	run *run

	mu    sync.Mutex // held while rows are added; guards table and rows
	table *table
	rows  []*row
	order func(a, b *row) int
	bytes int64 // that this collector told run.memory

	room    []int32 // for the rows of a part
	pieces  bool    // texts of the rows may be parts of longer ones, which must not stay for them
	matched int64   // rows that progress does not know of yet
}

// rowSize is roughly what a row takes.
func rowSize(r *row) int64 {
	n := 64 + 48*len(r.v)
	for i := range r.v {
		n += len(r.v[i].text)
		if r.v[i].kind == treeValue {
			n += 1024
		}
	}
	return int64(n)
}

func (c *collector) add(r *row) error {
	c.matched++
	if c.table != nil {
		before := c.table.bytes
		c.table.add(r)
		return c.charge(int64(c.table.bytes - before))
	}
	if c.pieces {
		for i := range r.v {
			r.v[i] = r.v[i].own()
		}
	}
	c.rows = append(c.rows, r)
	if err := c.charge(rowSize(r)); err != nil {
		return err
	}
	if k := c.run.keep; k > 0 && len(c.rows) >= 2*k+1000 {
		c.prune(k)
	}
	return nil
}

func (c *collector) charge(n int64) error {
	if n == 0 {
		return nil
	}
	c.bytes += n
	if c.run.memory.Add(n) > c.run.opt.Memory {
		return ErrMemory
	}
	return nil
}

// prune keeps the k rows that come first.
func (c *collector) prune(k int) {
	slices.SortFunc(c.rows, c.order)
	var freed int64
	for _, r := range c.rows[k:] {
		freed += rowSize(r)
	}
	clear(c.rows[k:])
	c.rows = c.rows[:k]
	c.bytes -= freed
	c.run.memory.Add(-freed)
}

// scan reads all parts, the latest first, into the collectors.
func (r *run) scan(ctx context.Context) error {
	parts := r.parts
	index := make([]int, len(parts))
	for i := range index {
		index[i] = i
	}
	slices.SortStableFunc(index, func(a, b int) int { return cmp.Compare(parts[b].Latest(), parts[a].Latest()) })
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for _, c := range r.collectors {
		g.Go(func() (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = fmt.Errorf("insights: panic: %v", p)
				}
			}()
			for {
				i := int(next.Add(1)) - 1
				if i >= len(index) {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := r.part(ctx, parts[index[i]], int32(index[i]), c); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// collected returns the rows of all collectors in order, or those of the first
// stats, and the node that comes next.
func (r *run) collected() (rows []*row, next int) {
	first := r.collectors[0]
	for _, c := range r.collectors[1:] {
		if r.stats != nil {
			first.table.merge(c.table)
		} else {
			first.rows = append(first.rows, c.rows...)
		}
	}
	if r.stats != nil {
		return first.table.rows(r.rt), r.parallel + 1
	}
	slices.SortFunc(first.rows, newestFirst)
	return first.rows, r.parallel
}

// finish runs the nodes from a number on, which need all rows.
func (r *run) finish(ctx context.Context, rows []*row, from int) ([]*row, error) {
	for i := from; i < len(r.plan.nodes); i++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := r.plan.nodes[i]
		switch {
		case n.step != nil:
			rows = n.step.apply(rows)
		case n.sort != nil && i == r.parallel && newestOnly(n.sort): // as they come
		case n.sort != nil:
			slices.SortStableFunc(rows, func(a, b *row) int { return compareKeys(n.sort, a, b) })
		case n.limit > 0:
			rows = rows[:min(len(rows), n.limit)]
		case n.dedup != nil:
			rows = dedup(rows, n.dedup)
		case n.stats != nil:
			t := newTable(n.stats)
			for _, row := range rows {
				t.add(row)
				if int64(t.bytes) > r.opt.Memory {
					return nil, ErrMemory
				}
			}
			rows = t.rows(r.rt)
		default:
			rows = n.all(rows)
		}
	}
	return rows, nil
}

func (s *step) apply(rows []*row) []*row {
	var out []*row
	for _, r := range rows {
		if s.many != nil {
			s.many(r, func(r *row) { out = append(out, r) })
		} else if s.run(r) {
			out = append(out, r)
		}
	}
	return out
}

// dedup keeps the first row of each combination; rows that lack one of the fields stay.
func dedup(rows []*row, slots []int) []*row {
	seen := map[string]bool{}
	var key []byte
	return slices.DeleteFunc(rows, func(r *row) bool {
		key = key[:0]
		for _, s := range slots {
			v := r.v[s]
			if !v.plain() {
				return false
			}
			key = append(append(key, v.String()...), 0)
		}
		if seen[string(key)] {
			return true
		}
		seen[string(key)] = true
		return false
	})
}

// result renders the rows.
func (r *run) result(rows []*row) *Result {
	out := &Result{}
	for _, c := range r.plan.output {
		out.Columns = append(out.Columns, c.name)
	}
	if r.plan.pointer {
		out.Columns = append(out.Columns, "@ptr")
	}
	out.Rows = make([][]Cell, len(rows))
	all := make([]Cell, 0, len(rows)*len(out.Columns))
	for i, row := range rows {
		cells := all[len(all):]
		for _, c := range r.plan.output {
			if v := row.v[c.slot]; v.kind != null {
				cells = append(cells, Cell{c.name, v.String()})
			}
		}
		if r.plan.pointer {
			cells = append(cells, Cell{"@ptr", r.parts[row.id.part].Pointer(row.id.row, row.id.time)})
		}
		all = all[:len(all)+len(cells)]
		out.Rows[i] = slices.Clip(cells)
	}
	return out
}
