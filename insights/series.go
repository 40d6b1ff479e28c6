package insights

import (
	"fmt"
	"math"
	"slices"
)

// slope is rate(field, period): the change from the first to the last value,
// for each period between them. Source: AWS, "Time-series functions".
type slope struct {
	every       float64 // ms
	any         bool
	first, last rowID
	from, to    float64
}

func (s *slope) add(r *row, v value) {
	if f, ok := v.number(); ok {
		s.take(r.id, f)
	}
}

func (s *slope) take(id rowID, f float64) {
	if !s.any || s.first.after(id) {
		s.first, s.from = id, f
	}
	if !s.any || id.after(s.last) {
		s.last, s.to = id, f
	}
	s.any = true
}

func (s *slope) merge(o accumulator) {
	if b := o.(*slope); b.any {
		s.take(b.first, b.from)
		s.take(b.last, b.to)
	}
}

func (s *slope) size() int { return 0 }

// result is null where no time passed between the first and the last value.
func (s *slope) result() value {
	return numberOf((s.to - s.from) / (float64(s.last.time-s.first.time) / s.every))
}

// maxBuckets bounds histogram.
const maxBuckets = 1000

// histogram counts numbers in ranges of the same width between the least and the
// greatest; it keeps all of them, for the ranges are known only at the end.
type histogram struct {
	percentile
	buckets int
}

func (h *histogram) merge(o accumulator) { h.x = append(h.x, o.(*histogram).x...) }

// result is a map of ranges, from-to, to counts; the last one includes its end.
func (h *histogram) result() value {
	if len(h.x) == 0 {
		return value{}
	}
	low, high := slices.Min(h.x), slices.Max(h.x)
	width := (high - low) / float64(h.buckets)
	if width == 0 || math.IsInf(width, 0) {
		return value{kind: treeValue, tree: map[string]any{formatNumber(low) + "-" + formatNumber(high): len(h.x)}}
	}
	counts := make([]int, h.buckets)
	for _, x := range h.x {
		counts[min(int((x-low)/width), h.buckets-1)]++
	}
	tree := map[string]any{}
	for i, n := range counts {
		tree[formatNumber(low+float64(i)*width)+"-"+formatNumber(low+float64(i+1)*width)] = n
	}
	return value{kind: treeValue, tree: tree}
}

// parameter reads the argument of an aggregate that is no field: of pct, of
// histogram and of rate.
func (c *compiler) parameter(e *expr) (float64, error) {
	if len(e.args) < 2 {
		return 0, nil
	}
	p := e.args[1]
	f, ok := p.literal.number()
	ok = ok && p.op == opLiteral
	wrong := ""
	switch e.name {
	case "pct":
		if !ok || f < 0 || f > 100 {
			wrong = "the percentile of pct is a number from 0 to 100"
		}
	case "histogram":
		if !ok || f < 1 || f > maxBuckets || f != math.Trunc(f) {
			wrong = fmt.Sprintf("histogram has from 1 to %d ranges", maxBuckets)
		}
	case "rate":
		f = p.period.millis()
		if p.op != opPeriod {
			wrong = "rate needs a period such as 1m here"
		}
	}
	if wrong != "" {
		return 0, c.p.fail(p.start, p.end, "%s", wrong)
	}
	return f, nil
}

// topK compiles stats topk(k, field), which stands alone: a row for each of the
// k most frequent values. Source: logs sheet 6.6; the columns are our choice.
func (c *compiler) topK(cmd *command) (done bool, err error) {
	i := slices.IndexFunc(cmd.items, func(it item) bool { return it.expr.op == opCall && it.expr.name == "topk" })
	if i < 0 {
		return false, nil
	}
	e := cmd.items[i].expr
	if len(cmd.items) > 1 || len(cmd.by) > 0 {
		return true, c.p.fail(e.start, e.end, "topk stands alone in its stats, without by")
	}
	k, ok := e.args[0].literal.number()
	if e.args[0].op != opLiteral || !ok || k < 1 || k > MaxRows || k != math.Trunc(k) {
		return true, c.p.fail(e.args[0].start, e.args[0].end, "the first argument of topk is a whole number from 1 to %d", MaxRows)
	}
	key := item{expr: e.args[1], name: c.p.text[e.args[1].start:e.args[1].end]}
	if cmd.items[i].as {
		key.name = cmd.items[i].name
	}
	if err := c.frequencies(cmd, []item{key}, "count"); err != nil {
		return true, err
	}
	c.barrier(node{limit: int(k)})
	return true, nil
}
