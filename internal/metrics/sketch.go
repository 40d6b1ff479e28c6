package metrics

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
)

// A sketch counts samples in buckets whose width grows with the value, so that a
// quantile is right to a share of it: bucket i holds base^i < v <= base^(i+1),
// base being 2^(2^-scale). When there are too many, each takes in its neighbour.
type sketch struct {
	scale  int
	zeros  float64
	counts map[int]float64
}

const (
	finest     = 6   // scale: base 1.0109
	maxBuckets = 160 // of a sketch; samples of a minute rarely lie in more
)

func newSketch() *sketch { return &sketch{scale: finest, counts: map[int]float64{}} }

func (s *sketch) clone() *sketch {
	if s == nil {
		return nil
	}
	return &sketch{scale: s.scale, zeros: s.zeros, counts: maps.Clone(s.counts)}
}

// add counts n samples of value v, which is not negative.
func (s *sketch) add(v, n float64) {
	if v <= 0 {
		s.zeros += n
		return
	}
	s.counts[int(math.Ceil(math.Ldexp(math.Log2(v), s.scale)))-1] += n
	s.fit()
}

// fit widens the buckets until they are few enough.
func (s *sketch) fit() {
	for len(s.counts) > maxBuckets {
		s.widen()
	}
}

func (s *sketch) widen() {
	wide := make(map[int]float64, len(s.counts)/2+1)
	for i, n := range s.counts {
		wide[i>>1] += n
	}
	s.counts = wide
	s.scale--
}

// merge adds the samples of o, which is left as it is.
func (s *sketch) merge(o *sketch) {
	for s.scale > o.scale {
		s.widen()
	}
	s.zeros += o.zeros
	for i, n := range o.counts {
		s.counts[i>>(o.scale-s.scale)] += n
	}
	s.fit()
}

// quantile is the value of the sample with the given rank, counted from 1.
func (s *sketch) quantile(rank float64) float64 {
	seen := s.zeros
	if seen >= rank {
		return 0
	}
	last := 0.0
	for _, i := range slices.Sorted(maps.Keys(s.counts)) {
		seen += s.counts[i]
		last = math.Exp2(math.Ldexp(float64(i)+0.5, -s.scale)) // the middle: off by half a bucket at most
		if seen >= rank {
			break
		}
	}
	return last
}

func (s *sketch) append(b []byte) []byte {
	b = binary.AppendVarint(b, int64(s.scale))
	b = appendFloat(b, s.zeros)
	b = binary.AppendUvarint(b, uint64(len(s.counts)))
	at := 0
	for _, i := range slices.Sorted(maps.Keys(s.counts)) {
		b = binary.AppendVarint(b, int64(i-at))
		at = i
		b = appendFloat(b, s.counts[i])
	}
	return b
}

func (r *reader) sketch() *sketch {
	s := &sketch{scale: int(r.Varint()), zeros: r.float(), counts: map[int]float64{}}
	n := r.Uvarint()
	if n > maxBuckets || s.scale > finest || s.scale < -16 {
		r.Fail()
		return s
	}
	at := 0
	for range n {
		at += int(r.Varint())
		s.counts[at] = r.float()
	}
	return s
}
