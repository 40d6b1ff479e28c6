package logs

import (
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// A bloom filter tells which pairs of a field and its value a block does not
// hold: 8 bits and 4 probes a pair let 2.4 % of the absent ones through.
type bloom []byte

const (
	bloomBits   = 8
	bloomProbes = 4
)

func newBloom(pairs int) bloom { return make(bloom, max(8, pairs*bloomBits/8)) }

// pairHash is the hash of a field with a value. Values that are equal as
// numbers ("1" and "1.0") have the same: that is how queries compare.
func pairHash(field, value string) uint64 {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.WriteString(field)
	_, _ = d.Write([]byte{0})
	if f, ok := Number(value); ok {
		_, _ = d.WriteString(strconv.FormatFloat(f, 'g', -1, 64))
	} else {
		_, _ = d.WriteString(value)
	}
	return d.Sum64()
}

// Number reads a decimal number: sign, digits, point and exponent as in JSON;
// nothing that only Go takes for a number.
func Number(s string) (float64, bool) {
	if s == "" || len(s) > 40 {
		return 0, false
	}
	if c := s[0]; c != '-' && c != '+' && c != '.' && (c < '0' || c > '9') {
		return 0, false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c == '.', c == '-', c == '+', c == 'e', c == 'E':
		default:
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

func (b bloom) probe(h uint64, visit func(i uint64) bool) bool {
	bits := uint64(len(b)) * 8
	step := h>>32 | 1
	for range bloomProbes {
		if !visit(h % bits) {
			return false
		}
		h += step * 0x9E3779B97F4A7C15 >> 7
	}
	return true
}

func (b bloom) add(h uint64) {
	b.probe(h, func(i uint64) bool { b[i/8] |= 1 << (i % 8); return true })
}

func (b bloom) has(h uint64) bool {
	return b.probe(h, func(i uint64) bool { return b[i/8]&(1<<(i%8)) != 0 })
}
