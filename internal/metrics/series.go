package metrics

import (
	"cmp"
	"slices"
	"strings"
)

// A Dimension is a name and a value that belong to the identity of a metric.
type Dimension struct{ Name, Value string }

// An ID is what identifies a metric: all of it, dimensions included. Source: metrics sheet 1.
type ID struct {
	Namespace  string
	Name       string
	Dimensions []Dimension // at most 30; in any order
}

// compare orders metrics by namespace, name and dimensions. Source: metrics sheet 4, ListMetrics.
func (id ID) compare(other ID) int {
	return cmp.Or(
		cmp.Compare(id.Namespace, other.Namespace), cmp.Compare(id.Name, other.Name),
		slices.CompareFunc(id.Dimensions, other.Dimensions, func(a, b Dimension) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value))
		}),
	)
}

// sorted returns id with its dimensions in the order of their names.
func (id ID) sorted() ID {
	id.Dimensions = slices.Clone(id.Dimensions)
	slices.SortFunc(id.Dimensions, func(a, b Dimension) int { return cmp.Compare(a.Name, b.Name) })
	return id
}

// Key is the identity as one string; it orders as no one relies on.
func (id ID) Key() string {
	id = id.sorted()
	var b strings.Builder
	b.WriteString(id.Namespace + "\x00" + id.Name)
	for _, d := range id.Dimensions {
		b.WriteString("\x00" + d.Name + "\x00" + d.Value)
	}
	return b.String()
}

// series are the points of one metric in one unit.
type series struct {
	id     ID
	unit   string
	blocks []block // by hour, the oldest first
	last   int64   // minute of the newest point
}

// hourMinutes is how many minutes a block has.
const hourMinutes = 60

// A block is an hour of points: packed when nobody has added to it lately.
type block struct {
	hour   int64    // since the epoch
	packed []byte   // nil: points has them; never written to again
	points []minute // in order
}

// minute is one point.
type minute struct {
	at int64 // minutes since the epoch
	Point
}

// add merges p into the series and returns by how many bytes it grew.
func (s *series) add(at int64, p *Point) (grown int) {
	s.last = max(s.last, at)
	hour := at / hourMinutes
	i, found := slices.BinarySearchFunc(s.blocks, hour, func(b block, h int64) int { return cmp.Compare(b.hour, h) })
	if !found {
		s.blocks = slices.Insert(s.blocks, i, block{hour: hour})
	}
	b := &s.blocks[i]
	before := b.size()
	if found {
		before += blockSize
		b.unpack()
	}
	k, found := slices.BinarySearchFunc(b.points, at, func(m minute, at int64) int { return cmp.Compare(m.at, at) })
	if !found {
		b.points = slices.Insert(b.points, k, minute{at: at})
	}
	b.points[k].merge(p)
	return b.size() + blockSize - before
}

// Bytes in memory.
const (
	blockSize  = 56
	minuteSize = 56
	seriesSize = 512 // beside the texts
)

func (b *block) size() int {
	n := len(b.packed)
	for i := range b.points {
		n += minuteSize + b.points[i].size()
	}
	return n
}

func (b *block) unpack() {
	if b.packed != nil {
		b.points, b.packed = unpackPoints(b.packed), nil
	}
}

// pack makes the block small and returns by how many bytes it shrank.
func (b *block) pack() (shrunk int) {
	if b.packed != nil {
		return 0
	}
	before := b.size()
	b.packed, b.points = packPoints(b.points), nil
	return before - b.size()
}

// read returns the points of minutes from <= m < to, in order.
func (s *series) read(from, to int64) []minute {
	var out []minute
	for i := range s.blocks {
		b := &s.blocks[i]
		if b.hour < from/hourMinutes || b.hour*hourMinutes >= to {
			continue
		}
		points := b.points
		if b.packed != nil {
			points = unpackPoints(b.packed)
		}
		for _, m := range points {
			if m.at >= from && m.at < to {
				m.values = m.values.clone()
				out = append(out, m)
			}
		}
	}
	return out
}
