package logs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"

	"github.com/gatehouse-iot/gatehouse/internal/packed"
)

// A block is up to maxRows events on disk: a header, a directory, a bloom
// filter and a column for each field, each compressed on its own, so that a
// query reads only what it asks for. docs/design/0005-log-store.md.
//
//	header     headerSize bytes, see appendHeader
//	directory  streams, columns, shapes
//	filter     pairs of field and value
//	columns    one zstd frame each
const (
	headerSize = 72
	blockMagic = 0x31424847 // "GHB1"

	maxRows  = 16 << 10           // events of a block, beyond which it is full
	maxCount = maxRows + MaxBatch // events of a block at most: batches stay whole
	maxBytes = 8 << 20            // of messages of a block, beyond which it is full
)

var crcTable = crc32.MakeTable(crc32.Castagnoli)

var errCorrupt = errors.New("logs: the block is damaged")

// A row is one event on its way into a block, without its text: rows have no
// pointers, which the collector would follow.
type row struct {
	time     int64 // epoch ms
	ingested int64
	stream   uint32
	text     uint32 // index in loose.messages; of an entry entryText and the index in loose.bodies
}

const entryText = 1 << 31

func (r *row) isEntry() bool { return r.text&entryText != 0 }

// body is the index of an entry's body.
func (r *row) body() uint32 { return r.text &^ entryText }

// parts are those of a [Body]: of each 1 + the index in loose.members; 0: none.
type parts [MaxParts]uint32

// loose are events that are in no block. They only grow: a copy is a snapshot.
type loose struct {
	rows     []row
	messages []string
	members  []*Members
	bodies   []parts // of entries
}

// add adds an event.
func (l *loose) add(stream uint32, ingested int64, e Event) {
	l.rows = append(l.rows, row{e.Time, ingested, stream, uint32(len(l.messages))})
	l.messages = append(l.messages, e.Message)
}

// text is the message of an event.
func (l *loose) text(i int) string {
	r := &l.rows[i]
	if !r.isEntry() {
		return l.messages[r.text]
	}
	b := appendStamp(make([]byte, 0, l.size(i)), r.time)
	for _, p := range l.bodies[r.body()] {
		if p != 0 {
			b = l.members[p-1].appendTo(b)
		}
	}
	return string(append(b, '}'))
}

// size is how long the message of an event is.
func (l *loose) size(i int) int {
	r := &l.rows[i]
	if !r.isEntry() {
		return len(l.messages[r.text])
	}
	n := stampSize + 1
	for _, p := range l.bodies[r.body()] {
		if p != 0 {
			n += 1 + len(l.members[p-1].text)
		}
	}
	return n
}

// snapshot is what there is now.
func (l *loose) snapshot() loose {
	return loose{slices.Clip(l.rows), slices.Clip(l.messages), slices.Clip(l.members), slices.Clip(l.bodies)}
}

// Names of the columns that are no field of the message; no plain key has a space.
const (
	columnTime     = " time"
	columnIngested = " ingested"
	columnStream   = " stream"
	columnShape    = " shape"
	columnRaw      = " raw"
	columnPart     = " part" // and the place
)

// header is what is known of a block without its directory.
type header struct {
	seq              uint64
	count            int
	minTime, maxTime int64
	maxIngested      int64
	rawBytes         int64 // of the messages
	dirLen, bloomLen int
	total            int64 // bytes of the block
	dirCRC, bloomCRC uint32
}

func (h *header) append(b []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint32(b, blockMagic)
	b = binary.LittleEndian.AppendUint32(b, uint32(h.count))
	for _, v := range []int64{int64(h.seq), h.minTime, h.maxTime, h.maxIngested, h.rawBytes, h.total} {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(h.dirLen))
	b = binary.LittleEndian.AppendUint32(b, uint32(h.bloomLen)^h.bloomCRC) // 0 only with both
	b = binary.LittleEndian.AppendUint32(b, uint32(h.bloomLen))
	return binary.LittleEndian.AppendUint32(b, crc32.Update(h.dirCRC, crcTable, b[start:]))
}

// parseHeader reads a header; its CRC covers the directory and is checked with it.
func parseHeader(b []byte) (h header, crc uint32, ok bool) {
	if len(b) < headerSize || binary.LittleEndian.Uint32(b) != blockMagic {
		return h, 0, false
	}
	u := func(i int) int64 { return int64(binary.LittleEndian.Uint64(b[i:])) }
	h = header{
		count: int(binary.LittleEndian.Uint32(b[4:])), seq: uint64(u(8)), minTime: u(16), maxTime: u(24), maxIngested: u(32), rawBytes: u(40), total: u(48),
		dirLen: int(binary.LittleEndian.Uint32(b[56:])), bloomLen: int(binary.LittleEndian.Uint32(b[64:])),
	}
	h.bloomCRC = binary.LittleEndian.Uint32(b[60:]) ^ uint32(h.bloomLen)
	ok = h.count > 0 && h.count <= maxCount && h.dirLen > 0 && h.bloomLen >= 8 &&
		h.total >= int64(headerSize+h.dirLen+h.bloomLen) && h.total < math.MaxInt32
	return h, binary.LittleEndian.Uint32(b[68:]), ok
}

// streamPart is what a block holds of one stream.
type streamPart struct {
	stream           uint32
	count            int
	minTime, maxTime int64
	maxIngested      int64
}

// columnInfo says where a column is and how it is written.
type columnInfo struct {
	name     string
	encoding byte // of the codes: encodeDict ...
	form     byte // of the values: formText ...
	parent   int  // of encodeDerived: the column that decides this one
	off      int64
	size     int
	raw      int // bytes before compression
	crc      uint32
}

// Encodings of a column's rows.
const (
	encodeNumbers byte = iota // one varint a row: times, codes of streams and shapes
	encodePlain               // one value a row that has the field
	encodeDict                // distinct values, and a code a row
	encodeDerived             // distinct values, and a code for each code of the parent
	encodeTime                // nothing: the value is the event's time as text
	encodeParts               // a code a row and no values: which members an entry has at one place
)

// Forms of values.
const (
	formToken byte = iota // the JSON text
	formText              // a JSON string without its quotes
	formUUID              // 16 bytes of a lower-case UUID string
	formHex               // half the bytes of a string of lower-case hex digits
	formUint              // varint of a number without sign, point or leading zero
)

// directory is what a block says of itself; it stays in memory.
type directory struct {
	streams []streamPart
	columns []columnInfo
	shapes  [][]int // of each shape the columns of its keys, in order; shape 0 is a raw message
}

func (d *directory) column(name string) int {
	return slices.IndexFunc(d.columns, func(c columnInfo) bool { return c.name == name })
}

func (d *directory) append(b []byte) []byte {
	u := func(v int) { b = binary.AppendUvarint(b, uint64(v)) }
	u(len(d.streams))
	for _, s := range d.streams {
		u(int(s.stream))
		u(s.count)
		b = binary.AppendVarint(b, s.minTime)
		b = binary.AppendVarint(b, s.maxTime)
		b = binary.AppendVarint(b, s.maxIngested)
	}
	u(len(d.columns))
	for _, c := range d.columns {
		u(len(c.name))
		b = append(b, c.name...)
		b = append(b, c.encoding, c.form)
		u(c.parent)
		u(int(c.off))
		u(c.size)
		u(c.raw)
		b = binary.LittleEndian.AppendUint32(b, c.crc)
	}
	u(len(d.shapes))
	for _, keys := range d.shapes {
		u(len(keys))
		for _, k := range keys {
			u(k)
		}
	}
	return b
}

// reader reads what append wrote; after a failure everything is zero.
type reader struct{ packed.Reader }

func parseDirectory(b []byte, total int64) (*directory, error) {
	r := reader{packed.Reader{B: b}}
	d := &directory{streams: make([]streamPart, r.Size(maxCount))}
	for i := range d.streams {
		d.streams[i] = streamPart{uint32(r.Size(math.MaxUint32)), r.Size(maxCount), r.Varint(), r.Varint(), r.Varint()}
	}
	d.columns = make([]columnInfo, r.Size(len(b)))
	for i := range d.columns {
		c := &d.columns[i]
		c.name = string(r.Take(r.Size(MaxMessage)))
		if kind := r.Take(2); kind != nil {
			c.encoding, c.form = kind[0], kind[1]
		}
		c.parent, c.off, c.size, c.raw = r.Size(len(d.columns)), int64(r.Size(int(total))), r.Size(int(total)), r.Size(math.MaxInt32)
		if crc := r.Take(4); crc != nil {
			c.crc = binary.LittleEndian.Uint32(crc)
		}
		if c.off+int64(c.size) > total {
			r.Bad = true
		}
	}
	d.shapes = make([][]int, r.Size(len(b)))
	for i := range d.shapes {
		d.shapes[i] = make([]int, r.Size(len(b)))
		for k := range d.shapes[i] {
			d.shapes[i][k] = r.Size(len(d.columns) - 1)
		}
	}
	if r.Bad || len(r.B) > 0 {
		return nil, fmt.Errorf("%w: its directory can't be read", errCorrupt)
	}
	return d, nil
}
