package logs

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
)

// A tail holds the latest events of a group, those that are in no block yet: in
// memory, and in a journal that a crash leaves behind. The journal of number n
// becomes block n; rows keep their places, so that an event's ID lasts.
//
// A journal is a sequence of batches: length and CRC-32C of the rest (4 bytes
// each), then stream, time of ingestion, number of events, and of each event its
// time, length and message.
type tail struct {
	seq  uint64
	path string

	// Guarded by group.mu. rows only grows: a copy of the slice is a snapshot.
	rows    []row
	bytes   int64
	written int64 // bytes of the journal
	file    *os.File
	seen    int // rows at the last look of group.rest

	syncMu sync.Mutex // held during a sync; whoever waits for it finds its work done
	synced int64      // bytes that are on disk for certain; guarded by syncMu
}

func (t *tail) full() bool { return len(t.rows) >= maxRows || t.bytes >= maxBytes }

// appendBatch appends one batch to b, the events of one stream.
func appendBatch(b []byte, stream uint32, ingested int64, events []Event) []byte {
	start := len(b)
	b = append(b, make([]byte, 8)...)
	b = binary.AppendUvarint(b, uint64(stream))
	b = binary.AppendVarint(b, ingested)
	b = binary.AppendUvarint(b, uint64(len(events)))
	for i := range events {
		b = binary.AppendVarint(b, events[i].Time)
		b = binary.AppendUvarint(b, uint64(len(events[i].Message)))
		b = append(b, events[i].Message...)
	}
	body := b[start+8:]
	binary.LittleEndian.PutUint32(b[start:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[start+4:], crc32.Checksum(body, crcTable))
	return b
}

// readBatches returns the rows of the whole batches that b begins with, and how
// many bytes they are.
func readBatches(b []byte) (rows []row, good int64) {
	for rest := b; len(rest) >= 8; {
		n := int(binary.LittleEndian.Uint32(rest))
		if n > len(rest)-8 || crc32.Checksum(rest[8:8+n], crcTable) != binary.LittleEndian.Uint32(rest[4:]) {
			break
		}
		batch, ok := readBatch(rest[8 : 8+n])
		if !ok {
			break
		}
		rows = append(rows, batch...)
		rest = rest[8+n:]
		good = int64(len(b) - len(rest))
	}
	return rows, good
}

func readBatch(b []byte) ([]row, bool) {
	r := reader{b: b}
	stream, ingested := uint32(r.size(1<<32-1)), r.varint()
	rows := make([]row, r.size(len(b)))
	for i := range rows {
		rows[i] = row{time: r.varint(), ingested: ingested, stream: stream, message: string(r.bytes(r.size(len(b))))}
	}
	return rows, !r.bad && len(r.b) == 0 && len(rows) > 0
}

// openTail reads a journal. What a crash left half written at its end is cut off.
func openTail(path string, seq uint64) (*tail, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t := &tail{seq: seq, path: path}
	t.rows, t.written = readBatches(raw)
	t.synced = t.written
	for i := range t.rows {
		t.bytes += int64(len(t.rows[i].message))
	}
	if t.written < int64(len(raw)) {
		if err := os.Truncate(path, t.written); err != nil {
			return nil, fmt.Errorf("cut the torn end of %s: %w", path, err)
		}
	}
	return t, nil
}

// append writes a batch and adds its rows. After a failure nothing of it is
// there. The caller holds group.mu; buf is scratch space.
func (t *tail) append(buf []byte, stream uint32, ingested int64, events []Event) ([]byte, error) {
	if t.file == nil {
		f, err := os.OpenFile(t.path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return buf, err
		}
		t.file = f
	}
	buf = appendBatch(buf[:0], stream, ingested, events)
	if n, err := t.file.WriteAt(buf, t.written); err != nil {
		if n > 0 {
			_ = t.file.Truncate(t.written) // else the next write goes over it
		}
		return buf, err
	}
	t.written += int64(len(buf))
	for i := range events {
		t.rows = append(t.rows, row{time: events[i].Time, ingested: ingested, stream: stream, message: events[i].Message})
		t.bytes += int64(len(events[i].Message))
	}
	return buf, nil
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
