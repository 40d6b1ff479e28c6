package logs

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"

	"github.com/gatehouse-iot/gatehouse/internal/packed"
)

// A tail holds the latest events of a group, those that are in no block yet: in
// memory, and in a journal that a crash leaves behind. The journal of number n
// becomes block n; rows keep their places, so that an event's ID lasts.
//
// A journal is a sequence of batches: length and CRC-32C of the rest (4 bytes
// each), then stream, time of ingestion, number of events, and of each event its
// time, length and message. A batch of entries has stream 0 before all that; then
// come the members that are new in this journal, each with its length, and of each
// event its time since the one before, the number of its parts, and of each 1 + the
// index of its members; 0 of none.
type tail struct {
	seq    uint64
	path   string
	number uint32 // of this tail, in this process

	// Guarded by group.mu.
	chunks  []chunk             // of the first events
	loose                       // the events after them
	first   int                 // rows of chunks
	known   uint32              // members of chunks, which the journal counts on from
	chunked int64               // bytes of messages of chunks
	index   map[*Members]uint32 // 1 + index in members
	bytes   int64               // of messages
	written int64               // bytes of the journal
	file    *os.File
	seen    int  // events at the last look of group.rest
	viewed  bool // somebody may still read the rows when the tail is gone

	syncMu sync.Mutex // held during a sync; whoever waits for it finds its work done
	synced int64      // bytes that are on disk for certain; guarded by syncMu
}

// newTail begins a tail; rows is room for its events.
func newTail(seq uint64, path string, rows []row) *tail {
	return &tail{seq: seq, path: path, number: tailNumber.Add(1), loose: loose{rows: rows}, index: map[*Members]uint32{}}
}

func (t *tail) full() bool { return t.count() >= maxRows || t.bytes >= maxBytes }

// entriesFollow stands where the stream of a batch would: it is one of entries.
const entriesFollow = 0

// beginBatch appends what endBatch completes when the batch stands behind it.
func beginBatch(b []byte) []byte { return append(b, make([]byte, 8)...) }

// endBatch completes the batch that begins at start.
func endBatch(b []byte, start int) {
	body := b[start+8:]
	binary.LittleEndian.PutUint32(b[start:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[start+4:], crc32.Checksum(body, crcTable))
}

// appendEvents appends a batch of events of one stream.
func appendEvents(b []byte, stream uint32, ingested int64, events []Event) []byte {
	start := len(b)
	b = beginBatch(b)
	b = binary.AppendUvarint(b, uint64(stream))
	b = binary.AppendVarint(b, ingested)
	b = binary.AppendUvarint(b, uint64(len(events)))
	for i := range events {
		b = binary.AppendVarint(b, events[i].Time)
		b = binary.AppendUvarint(b, uint64(len(events[i].Message)))
		b = append(b, events[i].Message...)
	}
	endBatch(b, start)
	return b
}

// appendEntries appends a batch of rows that are entries of one stream, and the
// members that they brought; so many members of the journal are not the tail's any more.
func appendEntries(b []byte, rows []row, bodies []parts, fresh []*Members, known uint32) []byte {
	start := len(b)
	b = beginBatch(b)
	b = append(b, entriesFollow)
	b = binary.AppendUvarint(b, uint64(rows[0].stream))
	b = binary.AppendVarint(b, rows[0].ingested)
	b = binary.AppendUvarint(b, uint64(len(fresh)))
	for _, m := range fresh {
		b = binary.AppendUvarint(b, uint64(len(m.text)))
		b = append(b, m.text...)
	}
	b = binary.AppendUvarint(b, uint64(len(rows)))
	last := rows[0].ingested
	var written [256]struct{ body, at, end uint32 } // the latest of so many bodies, and where it stands in b
	for i := range rows {
		r := &rows[i]
		b = appendDelta(b, r.time-last)
		last = r.time
		w := &written[r.body()%uint32(len(written))]
		if w.end > 0 && w.body == r.body() {
			b = append(b, b[w.at:w.end]...)
			continue
		}
		w.body, w.at = r.body(), uint32(len(b))
		b = bodies[r.body()].append(b, known)
		w.end = uint32(len(b))
	}
	endBatch(b, start)
	return b
}

// append appends the number of parts, and of each 1 + its index in the journal.
func (p *parts) append(b []byte, known uint32) []byte {
	n := MaxParts
	for n > 0 && p[n-1] == 0 {
		n--
	}
	b = append(b, byte(n))
	for _, m := range p[:n] {
		if m != 0 {
			m += known
		}
		b = binary.AppendUvarint(b, uint64(m))
	}
	return b
}

// replay adds the rows of the whole batches that b begins with.
func (t *tail) replay(b []byte) {
	for rest := b[t.written:]; len(rest) >= 8; {
		n := int(binary.LittleEndian.Uint32(rest))
		if n > len(rest)-8 || crc32.Checksum(rest[8:8+n], crcTable) != binary.LittleEndian.Uint32(rest[4:]) || !t.replayBatch(rest[8:8+n]) {
			break
		}
		rest = rest[8+n:]
		t.written = int64(len(b) - len(rest))
	}
}

// replayBatch adds the rows of one batch, or none.
func (t *tail) replayBatch(b []byte) bool {
	r := reader{packed.Reader{B: b}}
	var ingested int64
	var members []*Members
	stream := uint32(r.Size(1<<32 - 1))
	entries := stream == entriesFollow
	if entries {
		stream, ingested = uint32(r.Size(1<<32-1)), r.Varint()
		members = make([]*Members, r.Size(len(r.B)))
		for i := range members {
			members[i] = NewMembers(string(r.Take(r.Size(len(r.B)))))
		}
	} else {
		ingested = r.Varint()
	}
	n, last, known := r.Size(len(r.B)), ingested, len(t.members)+len(members)
	bodies := map[parts]uint32{} // indexes in t.bodies
	was := t.loose
	for range n {
		if !entries {
			t.add(stream, ingested, Event{r.Varint(), string(r.Take(r.Size(len(b))))})
			continue
		}
		last += r.Varint()
		var p parts
		for k := range r.Size(MaxParts) {
			p[k] = uint32(r.Size(known))
		}
		r.Bad = r.Bad || p[0] == 0
		body, met := bodies[p]
		if !met {
			body = uint32(len(t.bodies))
			t.bodies = append(t.bodies, p)
			bodies[p] = body
		}
		t.rows = append(t.rows, row{last, ingested, stream, entryText | body})
	}
	if r.Bad || len(r.B) > 0 || n == 0 {
		t.loose = was
		return false
	}
	for _, m := range members {
		t.indexOf(m)
	}
	for i := len(was.rows); i < len(t.rows); i++ {
		t.bytes += int64(t.size(i))
	}
	return true
}

// openTail reads a journal. What a crash left half written at its end is cut off.
func openTail(path string, seq uint64) (*tail, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t := newTail(seq, path, nil)
	t.replay(raw)
	t.synced = t.written
	if t.written < int64(len(raw)) {
		if err := os.Truncate(path, t.written); err != nil {
			return nil, fmt.Errorf("cut the torn end of %s: %w", path, err)
		}
	}
	return t, nil
}

// append writes a batch of events and adds their rows. After a failure nothing of
// it is there. The caller holds group.mu; buf is scratch space.
func (t *tail) append(buf []byte, stream uint32, ingested int64, events []Event) ([]byte, error) {
	buf = appendEvents(buf[:0], stream, ingested, events)
	if err := t.write(buf); err != nil {
		return buf, err
	}
	for i := range events {
		t.add(stream, ingested, events[i])
		t.bytes += int64(len(events[i].Message))
	}
	return buf, nil
}

// appendEntries is the same for entries.
func (t *tail) appendEntries(buf []byte, stream uint32, ingested int64, entries []Entry) ([]byte, error) {
	rows, members, bodies, size := len(t.rows), len(t.members), len(t.bodies), 0
	for i := range entries {
		e := &entries[i]
		t.rows = append(t.rows, row{e.Time, ingested, stream, entryText | t.bodyOf(e.Body)})
		size += e.Body.size
	}
	buf = appendEntries(buf[:0], t.rows[rows:], t.bodies, t.members[members:], t.known)
	if err := t.write(buf); err != nil {
		t.rows, t.bodies = t.rows[:rows], t.bodies[:bodies]
		t.forgetFrom(members)
		for i := range entries {
			entries[i].Body.place.Store(0)
		}
		return buf, err
	}
	t.bytes += int64(size)
	return buf, nil
}

// write appends a batch to the journal. After a failure nothing of it is there.
func (t *tail) write(batch []byte) error {
	if t.file == nil {
		f, err := os.OpenFile(t.path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		t.file = f
	}
	if n, err := t.file.WriteAt(batch, t.written); err != nil {
		if n > 0 {
			_ = t.file.Truncate(t.written) // else the next write goes over it
		}
		return err
	}
	t.written += int64(len(batch))
	return nil
}

// sync makes the first n bytes of the journal durable. Those who wait for
// another's sync share the next one.
func (t *tail) sync(f *os.File, n int64, written func() int64) error {
	t.syncMu.Lock()
	defer t.syncMu.Unlock()
	if t.synced >= n {
		return nil
	}
	upTo := written()
	if err := f.Sync(); err != nil {
		return err
	}
	if t.synced == 0 { // the file itself is new
		if err := syncDir(filepath.Dir(t.path)); err != nil {
			return err
		}
	}
	t.synced = upTo
	return nil
}
