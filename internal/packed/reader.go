// Package packed takes stored bytes apart: varints, and pieces with their length before them.
package packed

import "encoding/binary"

// A Reader takes B apart from its front; pieces alias it. After a failure Bad is set,
// nothing is left, and all that it gives is zero or nil.
type Reader struct {
	B   []byte
	Bad bool
}

// Fail makes what is left unreadable.
func (r *Reader) Fail() { r.B, r.Bad = nil, true }

// Byte takes one byte.
func (r *Reader) Byte() byte {
	if len(r.B) == 0 {
		r.Bad = true
		return 0
	}
	v := r.B[0]
	r.B = r.B[1:]
	return v
}

// Uvarint takes what [binary.AppendUvarint] wrote.
func (r *Reader) Uvarint() uint64 {
	if len(r.B) > 0 && r.B[0] < 0x80 { // most are: one byte
		v := uint64(r.B[0])
		r.B = r.B[1:]
		return v
	}
	v, n := binary.Uvarint(r.B)
	if n <= 0 {
		r.Fail()
		return 0
	}
	r.B = r.B[n:]
	return v
}

// Size takes an unsigned varint that is at most limit. It is short enough to be
// inlined, which a call of Fail would end: a block of logs holds many sizes.
func (r *Reader) Size(limit int) int {
	v := r.Uvarint()
	if v > uint64(limit) {
		r.Bad, r.B = true, nil
		return 0
	}
	return int(v)
}

// Varint takes what [binary.AppendVarint] wrote.
func (r *Reader) Varint() int64 {
	v, n := binary.Varint(r.B)
	if n <= 0 {
		r.Fail()
		return 0
	}
	r.B = r.B[n:]
	return v
}

// Take takes n bytes.
func (r *Reader) Take(n int) []byte {
	if n < 0 || n > len(r.B) {
		r.Fail()
		return nil
	}
	piece := r.B[:n:n]
	r.B = r.B[n:]
	return piece
}

// Bytes takes a piece with its length, an unsigned varint, before it.
func (r *Reader) Bytes() []byte {
	n := r.Uvarint()
	if n > uint64(len(r.B)) {
		r.Fail()
		return nil
	}
	return r.Take(int(n))
}
