package logs

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// An encoder turns rows into blocks. Not safe for concurrent use.
type encoder struct{ zstd *zstd.Encoder }

func newEncoder() (*encoder, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault))
	return &encoder{z}, err
}

// building is a column while its block is encoded.
type building struct {
	name  string
	codes []uint32 // of each row 0: absent, else 1 + index in values
	// values are the distinct tokens in the order of their first row.
	values []string
	index  map[string]uint32
}

func (c *building) set(row int, token string) {
	code, ok := c.index[token]
	if !ok {
		c.values = append(c.values, token)
		code = uint32(len(c.values))
		c.index[token] = code
	}
	c.codes[row] = code
}

// encode returns the block of rows, with its header and directory.
func (e *encoder) encode(seq uint64, rows []row) ([]byte, header, *directory) {
	h := header{seq: seq, count: len(rows), minTime: rows[0].time, maxTime: rows[0].time}
	d := &directory{}
	var columns []*building
	byName := map[string]int{}
	column := func(name string) int {
		i, ok := byName[name]
		if !ok {
			i = len(columns)
			byName[name] = i
			columns = append(columns, &building{name: name, codes: make([]uint32, len(rows)), index: map[string]uint32{}})
		}
		return i
	}
	d.shapes = [][]int{{column(columnRaw)}}
	shapeOf := map[string]int{}
	shapes := make([]int, len(rows))
	parts := map[uint32]*streamPart{}
	var members []member
	var key, stamp []byte
	for i := range rows {
		r := &rows[i]
		h.minTime, h.maxTime = min(h.minTime, r.time), max(h.maxTime, r.time)
		h.maxIngested = max(h.maxIngested, r.ingested)
		h.rawBytes += int64(len(r.message))
		p := parts[r.stream]
		if p == nil {
			p = &streamPart{stream: r.stream, minTime: r.time, maxTime: r.time}
			parts[r.stream] = p
		}
		p.count++
		p.minTime, p.maxTime, p.maxIngested = min(p.minTime, r.time), max(p.maxTime, r.time), max(p.maxIngested, r.ingested)

		var ok bool
		if members, ok = splitCompact(r.message, members[:0]); !ok {
			columns[0].set(i, r.message)
			continue
		}
		key = key[:0]
		for _, m := range members {
			key = append(append(key, m.key...), 0)
		}
		shape, known := shapeOf[string(key)]
		if !known {
			shape = len(d.shapes)
			shapeOf[string(key)] = shape
			keys := make([]int, len(members))
			for k, m := range members {
				keys[k] = column(m.key)
			}
			d.shapes = append(d.shapes, keys)
		}
		shapes[i] = shape
		for k, c := range d.shapes[shape] {
			token := members[k].token
			if len(token) == len(timeText)+2 && columns[c].name == "timestamp" {
				if stamp = appendTimeToken(stamp[:0], r.time); string(stamp) == token {
					token = sameTime
				}
			}
			columns[c].set(i, token)
		}
	}
	for _, p := range parts {
		d.streams = append(d.streams, *p)
	}
	slices.SortFunc(d.streams, func(a, b streamPart) int { return cmp.Compare(a.stream, b.stream) })

	b := make([]byte, headerSize, headerSize+int(h.rawBytes)/4)
	var payload []byte
	add := func(info columnInfo, raw []byte) {
		info.off, info.raw = int64(len(payload)), len(raw)
		payload = e.zstd.EncodeAll(raw, payload)
		info.size = len(payload) - int(info.off)
		info.crc = crc32.Checksum(payload[info.off:], crcTable)
		d.columns = append(d.columns, info)
	}
	for _, c := range columns {
		add(c.encode(columns, byName))
	}
	add(numbers(columnTime, len(rows), func(i int) int64 { return rows[i].time }))
	add(numbers(columnIngested, len(rows), func(i int) int64 { return rows[i].ingested - rows[i].time }))
	add(numbers(columnStream, len(rows), func(i int) int64 {
		k, _ := slices.BinarySearchFunc(d.streams, rows[i].stream, func(p streamPart, s uint32) int { return cmp.Compare(p.stream, s) })
		return int64(k)
	}))
	add(numbers(columnShape, len(rows), func(i int) int64 { return int64(shapes[i]) }))

	filter := filterOf(columns)
	dir := d.append(nil)
	h.dirLen, h.bloomLen = len(dir), len(filter)
	h.dirCRC, h.bloomCRC = crc32.Checksum(dir, crcTable), crc32.Checksum(filter, crcTable)
	h.total = int64(headerSize + len(dir) + len(filter) + len(payload))
	b = h.append(b[:0])
	b = append(b, dir...)
	b = append(b, filter...)
	return append(b, payload...), h, d
}

// sameTime stands for the token of the event's own time; no JSON begins so.
const sameTime = "\x00"

// numbers writes the difference of each row to the one before.
func numbers(name string, n int, at func(i int) int64) (columnInfo, []byte) {
	b := make([]byte, 0, 2*n)
	last := int64(0)
	for i := range n {
		v := at(i)
		b = binary.AppendVarint(b, v-last)
		last = v
	}
	return columnInfo{name: name, encoding: encodeNumbers}, b
}

// Which fields decide others: a device connects with one certificate from one
// address at a time. Found by measurement, see docs/design/0005-log-store.md.
const decider = "clientId"

// encode chooses how the column is written.
func (c *building) encode(columns []*building, byName map[string]int) (columnInfo, []byte) {
	info := columnInfo{name: c.name, encoding: encodeDict, form: formToken}
	if c.name != columnRaw {
		info.form = formOf(c.values)
	}
	if info.form == formToken && c.name == "timestamp" && len(c.values) == 1 && c.values[0] == sameTime && !slices.Contains(c.codes, 0) {
		return columnInfo{name: c.name, encoding: encodeTime}, nil
	}
	present := 0
	for _, code := range c.codes {
		if code != 0 {
			present++
		}
	}
	b := binary.AppendUvarint(nil, uint64(len(c.values)))
	b = appendValues(b, c.values, info.form)
	if p, ok := byName[decider]; ok && c.name != decider && len(c.values) > 8 {
		if codes, ok := derive(columns[p], c); ok {
			info.encoding, info.parent = encodeDerived, p
			for _, code := range codes {
				b = binary.AppendUvarint(b, uint64(code))
			}
			return info, b
		}
	}
	if len(c.values) == present { // all different: the codes would count up
		info.encoding = encodePlain
		for _, code := range c.codes {
			b = append(b, byte(min(code, 1)))
		}
		return info, b
	}
	// Two planes of bytes compress better than numbers of two bytes.
	for _, code := range c.codes {
		b = append(b, byte(code))
	}
	if len(c.values) > 255 {
		for _, code := range c.codes {
			b = append(b, byte(code>>8))
		}
	}
	return info, b
}

// derive returns, for each code of parent, the one code that c has with it;
// false if there are several.
func derive(parent, c *building) ([]uint32, bool) {
	codes := make([]uint32, len(parent.values)+1)
	known := make([]bool, len(codes))
	for i, code := range c.codes {
		p := parent.codes[i]
		if known[p] && codes[p] != code {
			return nil, false
		}
		codes[p], known[p] = code, true
	}
	return codes, true
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
