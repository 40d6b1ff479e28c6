package logs

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"strconv"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// decoder is shared by all readers: DecodeAll is stateless.
var decoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(1<<30))
})

// payload reads and decompresses the column i of a block that begins at off.
func payload(f io.ReaderAt, off int64, h *header, c *columnInfo) ([]byte, error) {
	raw := make([]byte, c.size)
	if _, err := f.ReadAt(raw, off+int64(headerSize+h.dirLen+h.bloomLen)+c.off); err != nil {
		return nil, fmt.Errorf("%w: column %s: %w", errCorrupt, c.name, err)
	}
	if crc32.Checksum(raw, crcTable) != c.crc {
		return nil, fmt.Errorf("%w: column %s has a wrong checksum", errCorrupt, c.name)
	}
	z, err := decoder()
	if err != nil {
		return nil, err
	}
	b, err := z.DecodeAll(raw, make([]byte, 0, min(c.raw, 64<<20)))
	if err != nil {
		return nil, fmt.Errorf("%w: column %s: %w", errCorrupt, c.name, err)
	}
	return b, nil
}

// decodeNumbers reads what numbers wrote.
func decodeNumbers(b []byte, n int) ([]int64, error) {
	out := make([]int64, n)
	last := int64(0)
	for i := range out {
		if len(b) > 0 && b[0] < 0x80 { // most are: one byte, zigzag
			last += int64(b[0]>>1) ^ -int64(b[0]&1)
			b = b[1:]
		} else {
			v, size := binary.Varint(b)
			if size <= 0 {
				return nil, errCorrupt
			}
			last += v
			b = b[size:]
		}
		out[i] = last
	}
	if len(b) > 0 {
		return nil, errCorrupt
	}
	return out, nil
}

// A tokens column holds JSON texts: of each row a code, 0 for absent, else 1 +
// the index of its token.
type tokens struct {
	codes  []uint32
	values []string
}

// decodeTokens reads what building.encode wrote; parent is the column that c is derived from.
func decodeTokens(b []byte, c *columnInfo, n int, parent func() (*tokens, error)) (*tokens, error) {
	corrupt := fmt.Errorf("%w: column %s", errCorrupt, c.name)
	if c.encoding == encodeTime {
		t := &tokens{codes: make([]uint32, n), values: []string{sameTime}}
		for i := range t.codes {
			t.codes[i] = 1
		}
		return t, nil
	}
	r := reader{b: b}
	distinct := r.size(maxCount)
	t := &tokens{codes: make([]uint32, n), values: r.values(distinct, c.form)}
	switch c.encoding {
	case encodePlain:
		next := uint32(0)
		for i, has := range r.bytes(n) {
			if has != 0 {
				next++
				t.codes[i] = next
			}
		}
		if int(next) != distinct {
			return nil, corrupt
		}
	case encodeDict:
		for i, low := range r.bytes(n) {
			t.codes[i] = uint32(low)
		}
		if distinct > 255 {
			for i, high := range r.bytes(n) {
				t.codes[i] |= uint32(high) << 8
			}
		}
	case encodeDerived:
		p, err := parent()
		if err != nil {
			return nil, err
		}
		codes := make([]uint32, len(p.values)+1)
		for i := range codes {
			codes[i] = uint32(r.size(distinct))
		}
		for i, code := range p.codes {
			t.codes[i] = codes[code]
		}
	default:
		return nil, corrupt
	}
	if r.bad || len(r.b) > 0 {
		return nil, corrupt
	}
	for _, code := range t.codes {
		if int(code) > distinct {
			return nil, corrupt
		}
	}
	return t, nil
}

// values reads n values that appendValues wrote.
func (r *reader) values(n int, form byte) []string {
	out := make([]string, 0, n)
	switch form {
	case formUint:
		for range n {
			out = append(out, strconv.FormatUint(r.uvarint(), 10))
		}
		return out
	case formUUID:
		const size = 38 // with quotes and dashes
		raw := r.bytes(16 * n)
		if raw == nil {
			return out
		}
		texts := make([]byte, size*n)
		for i := range n {
			text, b := texts[size*i:][:size], raw[16*i:][:16]
			hex.Encode(text[1:9], b[:4])
			hex.Encode(text[10:14], b[4:6])
			hex.Encode(text[15:19], b[6:8])
			hex.Encode(text[20:24], b[8:10])
			hex.Encode(text[25:37], b[10:])
			text[0], text[9], text[14], text[19], text[24], text[37] = '"', '-', '-', '-', '-', '"'
		}
		all := string(texts)
		for i := range n {
			out = append(out, all[size*i:][:size])
		}
		return out
	}
	sizes := make([]int, n)
	total := 0
	for i := range sizes {
		sizes[i] = r.size(math.MaxInt32)
		total += sizes[i]
	}
	if form == formHex {
		total /= 2
	}
	b := r.bytes(total)
	if b == nil && total > 0 || r.bad {
		return out
	}
	if form == formToken { // no quotes to add: all values are one string
		all := string(b)
		for _, size := range sizes {
			out = append(out, all[:size])
			all = all[size:]
		}
		return out
	}
	quoted := make([]byte, 0, 2*total+2*n)
	for _, size := range sizes {
		quoted = append(quoted, '"')
		if form == formHex {
			quoted = hex.AppendEncode(quoted, b[:size/2])
			b = b[size/2:]
		} else {
			quoted = append(quoted, b[:size]...)
			b = b[size:]
		}
		quoted = append(quoted, '"')
	}
	all := string(quoted)
	for _, size := range sizes {
		out = append(out, all[:size+2])
		all = all[size+2:]
	}
	return out
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
	for i := range d.columns {
		if _, err := payload(f, off, &h, &d.columns[i]); err != nil {
			return h, nil, err
		}
	}
	return h, d, nil
}
