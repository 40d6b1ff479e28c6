package metrics

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/gatehouse-iot/gatehouse/internal/packed"
)

// A Point is what is known of samples: of a minute, or of a longer period. The
// zero Point has none.
type Point struct {
	Count, Sum, Min, Max float64

	values *sketch // how the samples lie; nil: all are Min, or opaque
	opaque bool    // nobody knows how they lie
}

// Sample is a point of n samples with one value.
func Sample(value, n float64) Point {
	return Point{Count: n, Sum: value * n, Min: value, Max: value, opaque: value < 0}
}

// Statistics is a point of which only statistics are known. It has percentiles
// if that is enough: all its samples are alike. Source: metrics sheet 5, CloudWatch PutMetricData.
func Statistics(count, sum, minimum, maximum float64) Point {
	return Point{Count: count, Sum: sum, Min: minimum, Max: maximum, opaque: minimum != maximum || minimum < 0}
}

// merge adds the samples of q.
func (p *Point) merge(q *Point) {
	switch {
	case q.Count == 0:
		return
	case p.Count == 0:
		*p = *q
		p.values = q.values.clone()
		return
	case p.opaque || q.opaque:
		p.opaque, p.values = true, nil
	case p.values != nil || q.values != nil || p.Min != q.Min:
		p.spread()
		if q.values == nil {
			p.values.add(q.Min, q.Count)
		} else {
			p.values.merge(q.values)
		}
	}
	p.Count += q.Count
	p.Sum += q.Sum
	p.Min = min(p.Min, q.Min)
	p.Max = max(p.Max, q.Max)
}

// spread gives p a sketch.
func (p *Point) spread() {
	if p.values == nil {
		p.values = newSketch()
		p.values.add(p.Min, p.Count)
	}
}

// Average is the sum over the count of samples.
func (p *Point) Average() float64 { return p.Sum / p.Count }

// Percentile is the value that percent of the samples do not exceed, to about
// half a per cent of it. ok is false where the samples are not known: statistics
// were put, or a value is negative.
func (p *Point) Percentile(percent float64) (v float64, ok bool) {
	switch {
	case p.opaque || p.Count == 0:
		return 0, false
	case percent <= 0 || p.values == nil:
		return p.Min, true
	case percent >= 100:
		return p.Max, true
	}
	return min(max(p.values.quantile(percent/100*p.Count), p.Min), p.Max), true
}

func (p *Point) size() int {
	if p.values == nil {
		return 0
	}
	return 64 + 12*len(p.values.counts)
}

// Flags of an encoded point.
const (
	flagOnes   = 1 << iota // every sample is 1: a counter
	flagAlike              // every sample is Min
	flagOpaque             // no sketch
	flagWhole              // the count is a whole number, as a varint
)

func appendFloat(b []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
}

// appendPoint encodes p.
func appendPoint(b []byte, p *Point) []byte {
	var flags byte
	if p.Count == math.Trunc(p.Count) && p.Count < 1<<53 {
		flags |= flagWhole
	}
	switch {
	case p.opaque:
		flags |= flagOpaque
	case p.values == nil && p.Min == 1 && p.Max == 1 && p.Sum == p.Count:
		flags |= flagOnes
	case p.values == nil:
		flags |= flagAlike
	}
	b = append(b, flags)
	if flags&flagWhole != 0 {
		b = binary.AppendUvarint(b, uint64(p.Count))
	} else {
		b = appendFloat(b, p.Count)
	}
	if flags&flagOnes != 0 {
		return b
	}
	b = appendFloat(appendFloat(b, p.Sum), p.Min)
	if flags&flagAlike != 0 {
		return b
	}
	b = appendFloat(b, p.Max)
	if flags&flagOpaque != 0 {
		return b
	}
	return p.values.append(b)
}

// A reader takes what was encoded, piece by piece.
type reader struct{ packed.Reader }

func (r *reader) float() float64 {
	b := r.Take(8)
	if b == nil {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

func appendBytes(b, piece []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(piece))), piece...)
}

// point decodes what appendPoint wrote.
func (r *reader) point() (p Point) {
	flags := r.Byte()
	if flags&flagWhole != 0 {
		p.Count = float64(r.Uvarint())
	} else {
		p.Count = r.float()
	}
	if flags&flagOnes != 0 {
		p.Sum, p.Min, p.Max = p.Count, 1, 1
		return p
	}
	p.Sum, p.Min = r.float(), r.float()
	p.Max = p.Min
	if flags&flagAlike != 0 {
		return p
	}
	p.Max = r.float()
	if p.opaque = flags&flagOpaque != 0; !p.opaque {
		p.values = r.sketch()
	}
	return p
}

// packPoints encodes the points of a block.
func packPoints(points []minute) []byte {
	var b []byte
	at := int64(0)
	for i := range points {
		b = binary.AppendUvarint(b, uint64(points[i].at-at))
		at = points[i].at
		b = appendPoint(b, &points[i].Point)
	}
	return bytes.Clone(b)
}

// unpackPoints decodes what packPoints wrote; what is not, is left out.
func unpackPoints(b []byte) []minute {
	r := reader{packed.Reader{B: b}}
	var out []minute
	at := int64(0)
	for len(r.B) > 0 {
		at += int64(r.Uvarint())
		p := r.point()
		if r.Bad {
			break
		}
		out = append(out, minute{at, p})
	}
	return out
}
