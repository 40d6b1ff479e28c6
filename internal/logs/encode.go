package logs

import (
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// An encoder turns events into blocks. Not safe for concurrent use.
type encoder struct {
	zstd *zstd.Encoder

	// Space that is used again.
	codes   [][]uint16
	payload []byte
	raw     []byte
	block   []byte
	busy    bool // a full block was made since the last rest
}

func newEncoder() (*encoder, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault))
	return &encoder{zstd: z}, err
}

// spareColumns is how many columns' codes are kept for the next full block.
const spareColumns = 64

// blank returns zeros for n rows.
func (e *encoder) blank(n int) []uint16 {
	if k := len(e.codes); k > 0 && cap(e.codes[k-1]) >= n {
		codes := e.codes[k-1][:n]
		e.codes = e.codes[:k-1]
		clear(codes)
		return codes
	}
	if n < maxRows/2 { // a chunk
		return make([]uint16, n)
	}
	return make([]uint16, n, max(n, maxCount))
}

// reuse takes what blank returned back.
func (e *encoder) reuse(columns []*building) {
	for _, c := range columns {
		if cap(c.codes) >= maxCount && len(e.codes) < spareColumns {
			e.codes = append(e.codes, c.codes)
		}
	}
}

// rest lets go of the space if no full block was made since the last rest.
func (e *encoder) rest() {
	if !e.busy {
		e.codes, e.payload, e.raw, e.block = nil, nil, nil, nil
	}
	e.busy = false
}

// encode returns the block of events, with its header and directory; bytes is how
// many their messages are. The block is valid until the next call.
func (e *encoder) encode(seq uint64, l *loose, bytes int64) ([]byte, header, *directory) {
	e.busy = e.busy || len(l.rows) >= maxRows/2
	d := newDraft(e, seq, l)
	d.header.rawBytes = bytes
	defer func() { e.reuse(d.columns) }() // those that there are by then
	for i := range l.rows {
		d.note(i)
		if !l.rows[i].isEntry() || !d.entry(i) {
			d.message(i)
		}
	}
	d.settle()
	block := e.finish(d)
	dir := d.directory // a pointer into the draft would keep all the events for as long as the block
	return block, d.header, &dir
}

// finish writes the block of a draft.
func (e *encoder) finish(d *draft) []byte {
	h := &d.header
	e.payload = e.payload[:0]
	add := func(info columnInfo) {
		info.off, info.raw = int64(len(e.payload)), len(e.raw)
		e.payload = e.zstd.EncodeAll(e.raw, e.payload)
		info.size = len(e.payload) - int(info.off)
		info.crc = crc32.Checksum(e.payload[info.off:], crcTable)
		d.directory.columns = append(d.directory.columns, info)
	}
	for _, c := range d.columns {
		add(e.column(c, d))
	}
	add(e.numbers(columnTime, len(d.rows), func(i int) int64 { return d.rows[i].time }))
	add(e.numbers(columnIngested, len(d.rows), func(i int) int64 { return d.rows[i].ingested - d.rows[i].time }))
	if stream := d.streamNumbers(); len(stream) > 1 {
		add(e.numbers(columnStream, len(d.rows), func(i int) int64 { return stream[d.rows[i].stream] }))
	}
	add(e.numbers(columnShape, len(d.rows), func(i int) int64 { return int64(d.shape[i]) }))

	filter := filterOf(d.columns)
	dir := d.directory.append(nil)
	h.dirLen, h.bloomLen = len(dir), len(filter)
	h.dirCRC, h.bloomCRC = crc32.Checksum(dir, crcTable), crc32.Checksum(filter, crcTable)
	h.total = int64(headerSize + len(dir) + len(filter) + len(e.payload))
	e.block = append(append(append(h.append(e.block[:0]), dir...), filter...), e.payload...)
	return e.block
}

// appendDelta appends a varint that is mostly small.
func appendDelta(b []byte, n int64) []byte {
	if n >= -64 && n < 64 {
		return append(b, byte(n<<1)^byte(n>>63))
	}
	return binary.AppendVarint(b, n)
}

// sameTime stands for the token of the event's own time; no JSON begins so.
const sameTime = "\x00"

// numbers writes the difference of each row to the one before.
func (e *encoder) numbers(name string, n int, at func(i int) int64) columnInfo {
	b := e.raw[:0]
	last := int64(0)
	for i := range n {
		v := at(i)
		b = appendDelta(b, v-last)
		last = v
	}
	e.raw = b
	return columnInfo{name: name, encoding: encodeNumbers}
}

// Which fields decide others: a device connects with one certificate from one
// address at a time. Found by measurement, see docs/design/0005-log-store.md.
const decider = "clientId"

// column chooses how a column is written, and writes it to e.raw.
func (e *encoder) column(c *building, d *draft) columnInfo {
	info := columnInfo{name: c.name, encoding: encodeDict, form: formToken}
	if c.name != columnRaw {
		info.form = formOf(c.values)
	}
	e.raw = e.raw[:0]
	if info.form == formToken && c.name == "timestamp" && len(c.values) == 1 && c.values[0] == sameTime && c.present == len(d.rows) {
		return columnInfo{name: c.name, encoding: encodeTime}
	}
	b := binary.AppendUvarint(e.raw, uint64(max(len(c.values), c.members)))
	defer func() { e.raw = b }()
	if c.members > 0 {
		info.encoding = encodeParts
		if c.members > 1 || slices.Contains(c.codes, 0) {
			b = appendPlanes(b, c.codes, c.members)
		}
		return info
	}
	b = appendValues(b, c.values, info.form)
	decided := c.decided
	if decided != nil {
		info.parent = c.decider
	} else if p, ok := d.byName[decider]; ok && c.name != decider && len(c.values) > 8 && d.columns[p].decided == nil {
		info.parent = p
		decided = derive(d.columns[p], c)
	}
	switch {
	case decided != nil:
		info.encoding = encodeDerived
		for _, code := range decided {
			b = binary.AppendUvarint(b, uint64(code))
		}
	case len(c.values) == c.present && countUp(c.codes):
		info.encoding = encodePlain
		for _, code := range c.codes {
			b = append(b, byte(min(code, 1)))
		}
	default:
		b = appendPlanes(b, c.codes, len(c.values))
	}
	return info
}

// countUp reports whether the codes are 1, 2, 3 ... where there are any: then a
// block need not hold them.
func countUp(codes []uint16) bool {
	next := uint16(1)
	for _, code := range codes {
		if code == next {
			next++
		} else if code != 0 {
			return false
		}
	}
	return true
}

// appendPlanes writes codes up to most: two planes of bytes compress better than
// numbers of two bytes.
func appendPlanes(b []byte, codes []uint16, most int) []byte {
	b = slices.Grow(b, 2*len(codes))
	for _, code := range codes {
		b = append(b, byte(code))
	}
	if most > 255 {
		for _, code := range codes {
			b = append(b, byte(code>>8))
		}
	}
	return b
}

// derive returns, for each code of parent, the one code that c has with it;
// false if there are several.
func derive(parent, c *building) []uint16 {
	codes := make([]uint16, len(parent.values)+1)
	known := make([]bool, len(codes))
	for i, code := range c.codes {
		p := parent.codes[i]
		if known[p] && codes[p] != code {
			return nil
		}
		codes[p], known[p] = code, true
	}
	return codes
}

// formOf returns the shortest form that all values have.
func formOf(values []string) byte {
	form := byte(0xff)
	for _, v := range values {
		f := formToken
		switch {
		case v == sameTime:
			return formToken
		case isUint(v):
			f = formUint
		case v[0] != '"':
		case len(v) == 38 && isUUID(v[1:37]):
			f = formUUID
		case len(v) > 18 && len(v)%2 == 0 && isLowerHex(v[1:len(v)-1]):
			f = formHex
		default:
			f = formText
		}
		if form == 0xff {
			form = f
		}
		if f != form {
			if v[0] != '"' || form == formToken || form == formUint {
				return formToken
			}
			form = formText
		}
	}
	if form == 0xff {
		return formToken
	}
	return form
}

func isUint(v string) bool {
	if v == "" || len(v) > 18 || v[0] == '0' && v != "0" {
		return false
	}
	for i := range len(v) {
		if v[i] < '0' || v[i] > '9' {
			return false
		}
	}
	return true
}

func isLowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func isUUID(s string) bool {
	return s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' &&
		isLowerHex(s[:8]) && isLowerHex(s[9:13]) && isLowerHex(s[14:18]) && isLowerHex(s[19:23]) && isLowerHex(s[24:])
}

// appendValues writes values in a form that all of them have.
func appendValues(b []byte, values []string, form byte) []byte {
	switch form {
	case formUint:
		for _, v := range values {
			n, _ := strconv.ParseUint(v, 10, 64) // isUint
			b = binary.AppendUvarint(b, n)
		}
		return b
	case formUUID:
		for _, v := range values {
			b = appendHex(b, strings.ReplaceAll(v[1:37], "-", ""))
		}
		return b
	case formText, formHex:
		for _, v := range values {
			b = binary.AppendUvarint(b, uint64(len(v)-2))
		}
		for _, v := range values {
			if v = v[1 : len(v)-1]; form == formHex {
				b = appendHex(b, v)
			} else {
				b = append(b, v...)
			}
		}
		return b
	}
	for _, v := range values {
		b = binary.AppendUvarint(b, uint64(len(v)))
	}
	for _, v := range values {
		b = append(b, v...)
	}
	return b
}

func appendHex(b []byte, digits string) []byte {
	b, _ = hex.AppendDecode(b, []byte(digits)) // isLowerHex
	return b
}

// filterOf makes the bloom filter of a block: all fields whose values are
// searched for by value, and those of which there are few.
func filterOf(columns []*building) bloom {
	var hashes []uint64
	for _, c := range columns {
		if strings.HasPrefix(c.name, " ") {
			continue
		}
		switch c.name {
		case "clientId", "principalId", "sourceIp", "topicName", "traceId", "thingName", "jobId":
		default:
			if len(c.values) > 64 {
				hashes = append(hashes, unfiltered(c.name))
				continue
			}
		}
		nested := false
		for _, v := range c.values {
			if v[0] == '{' || v[0] == '[' || v == sameTime {
				nested = true
				break
			}
		}
		if nested {
			hashes = append(hashes, unfiltered(c.name))
			continue
		}
		for _, v := range c.values {
			if text, ok := scalar(v); ok {
				hashes = append(hashes, pairHash(c.name, text))
			}
		}
	}
	if columns[0].values != nil { // events in other forms may hold anything
		hashes = append(hashes, unfiltered(columnRaw))
	}
	f := newBloom(len(hashes))
	for _, h := range hashes {
		f.add(h)
	}
	return f
}

// unfiltered marks a field whose values are not in the filter; no value has this name.
func unfiltered(name string) uint64 { return pairHash(name, "\x00unfiltered") }
