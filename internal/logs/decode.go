package logs

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"strconv"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/gatehouse-iot/gatehouse/internal/packed"
)

// decoder is shared by all readers: DecodeAll is stateless.
var decoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(1<<30))
})

// Buffers for columns while they are decoded and read.
var (
	buffers = sync.Pool{New: func() any { return new([]byte) }}
	codes   = sync.Pool{New: func() any { return new([]uint32) }}
	moments = sync.Pool{New: func() any { return new([]int64) }}
)

// decodePayload reads and decompresses a column of a block that begins at off,
// into a buffer that it may exchange for a larger one.
func decodePayload(f io.ReaderAt, off int64, h *header, c *columnInfo, into []byte) ([]byte, error) {
	packed, _ := buffers.Get().(*[]byte)
	defer buffers.Put(packed)
	*packed = slices.Grow((*packed)[:0], c.size)[:c.size]
	if _, err := f.ReadAt(*packed, off+int64(headerSize+h.dirLen+h.bloomLen)+c.off); err != nil {
		return into, fmt.Errorf("%w: column %s: %w", errCorrupt, c.name, err)
	}
	if crc32.Checksum(*packed, crcTable) != c.crc {
		return into, fmt.Errorf("%w: column %s has a wrong checksum", errCorrupt, c.name)
	}
	z, err := decoder()
	if err != nil {
		return into, err
	}
	b, err := z.DecodeAll(*packed, slices.Grow(into[:0], min(c.raw, 64<<20)))
	if err != nil {
		return into, fmt.Errorf("%w: column %s: %w", errCorrupt, c.name, err)
	}
	return b, nil
}

// decodeNumbers reads what numbers wrote into out.
func decodeNumbers(b []byte, out []int64) error {
	last := int64(0)
	for i := range out {
		if len(b) > 0 && b[0] < 0x80 { // most are: one byte, zigzag
			last += int64(b[0]>>1) ^ -int64(b[0]&1)
			b = b[1:]
		} else {
			v, size := binary.Varint(b)
			if size <= 0 {
				return errCorrupt
			}
			last += v
			b = b[size:]
		}
		out[i] = last
	}
	if len(b) > 0 {
		return errCorrupt
	}
	return nil
}

// decodeTokens reads what encoder.column wrote, and goes on to use b; row is room
// for the codes, zeros, and parent the column that c is derived from.
func decodeTokens(b []byte, c *columnInfo, row []uint32, parent func() (*tokens, error)) (*tokens, error) {
	n := len(row)
	corrupt := fmt.Errorf("%w: column %s", errCorrupt, c.name)
	if c.encoding == encodeTime {
		t := &tokens{codes: row, count: 1, form: formToken, text: []byte(sameTime), ends: []uint32{uint32(len(sameTime))}}
		for i := range t.codes {
			t.codes[i] = 1
		}
		return t, nil
	}
	r := reader{packed.Reader{B: b}}
	distinct := r.Size(maxCount)
	t := &tokens{codes: row, count: distinct, form: c.form}
	if c.encoding != encodeParts {
		r.values(t)
	}
	switch c.encoding {
	case encodeParts:
		if len(r.B) == 0 { // all the same
			for i := range t.codes {
				t.codes[i] = 1
			}
			break
		}
		r.planes(t)
	case encodePlain:
		next := uint32(0)
		for i, has := range r.Take(n) {
			if has != 0 {
				next++
				t.codes[i] = next
			}
		}
		if int(next) != distinct {
			return nil, corrupt
		}
	case encodeDict:
		r.planes(t)
	case encodeDerived:
		p, err := parent()
		if err != nil {
			return nil, err
		}
		codes := make([]uint32, p.count+1)
		for i := range codes {
			codes[i] = uint32(r.Size(distinct))
		}
		for i, code := range p.codes {
			t.codes[i] = codes[code]
		}
	default:
		return nil, corrupt
	}
	if r.Bad || len(r.B) > 0 {
		return nil, corrupt
	}
	for _, code := range t.codes {
		if int(code) > distinct {
			return nil, corrupt
		}
	}
	return t, nil
}

// planes reads the codes of t that appendPlanes wrote.
func (r *reader) planes(t *tokens) {
	n := len(t.codes)
	for i, low := range r.Take(n) {
		t.codes[i] = uint32(low)
	}
	if t.count > 255 {
		for i, high := range r.Take(n) {
			t.codes[i] |= uint32(high) << 8
		}
	}
}

// values reads the values of t that appendValues wrote.
func (r *reader) values(t *tokens) {
	switch t.form {
	case formUUID:
		t.text = r.Take(uuidBytes * t.count)
		return
	case formUint: // as text: they are few or short
		var text []byte
		t.form, t.ends = formToken, make([]uint32, t.count)
		for i := range t.ends {
			text = strconv.AppendUint(text, r.Uvarint(), 10)
			t.ends[i] = uint32(len(text))
		}
		t.text = text
		return
	}
	t.ends = make([]uint32, t.count)
	total := 0
	for i := range t.ends {
		size := r.Size(math.MaxInt32)
		if t.form == formHex {
			size /= 2
		}
		if total += size; total > len(r.B) { // the sizes of the others stand there too
			r.Fail()
			return
		}
		t.ends[i] = uint32(total)
	}
	t.text = r.Take(total)
}

// readBlock reads and checks the header and directory of the block at off.
// full also checks the filter and every column.
func readBlock(f io.ReaderAt, off, size int64, full bool) (header, *directory, error) {
	var b [headerSize]byte
	if size-off < headerSize {
		return header{}, nil, errCorrupt
	}
	if _, err := f.ReadAt(b[:], off); err != nil {
		return header{}, nil, err
	}
	h, crc, ok := parseHeader(b[:])
	if !ok || off+h.total > size {
		return h, nil, errCorrupt
	}
	dir := make([]byte, h.dirLen)
	if _, err := f.ReadAt(dir, off+headerSize); err != nil {
		return h, nil, err
	}
	h.dirCRC = crc32.Checksum(dir, crcTable)
	if crc32.Update(h.dirCRC, crcTable, b[:headerSize-4]) != crc {
		return h, nil, errCorrupt
	}
	d, err := parseDirectory(dir, h.total)
	if err != nil || !full {
		return h, d, err
	}
	filter := make(bloom, h.bloomLen)
	if _, err := f.ReadAt(filter, off+int64(headerSize+h.dirLen)); err != nil {
		return h, nil, err
	}
	if crc32.Checksum(filter, crcTable) != h.bloomCRC {
		return h, nil, errCorrupt
	}
	var buf []byte
	for i := range d.columns {
		if buf, err = decodePayload(f, off, &h, &d.columns[i], buf); err != nil {
			return h, nil, err
		}
	}
	return h, d, nil
}
