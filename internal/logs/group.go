package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// group is one log group. Its folder holds journals (<n>.wal), and segments
// (<n>.seg) of the blocks from number n on.
type group struct {
	id      uint32
	name    string
	created int64
	dir     string

	sealMu sync.Mutex // held while a tail becomes a block; before mu

	mu        sync.Mutex // guards the rest; held for no disk access but a write to the journal
	retention int        // days; 0 is for ever
	streams   map[uint32]*stream
	byName    map[string]*stream
	segments  []*segment // by number
	sealing   []*tail    // full, by number
	active    *tail      // nil: begins with the next event
	next      uint64     // number of the next journal
	spare     []row      // of a tail that is a block by now: room for the next one
	scratch   []byte
	gone      bool
}

// stream is one log stream. Guarded by group.mu.
type stream struct {
	id          uint32
	name        string
	created     int64
	events      int64
	first, last int64 // times of events, while events > 0
	ingested    int64
}

func (s *stream) note(n int, first, last, ingested int64) {
	if n == 0 {
		return
	}
	if s.events == 0 {
		s.first, s.last, s.ingested = first, last, ingested
	}
	s.events += int64(n)
	s.first, s.last, s.ingested = min(s.first, first), max(s.last, last), max(s.ingested, ingested)
}

// segment is a file of blocks. Immutable but for growing at its end, which
// makes a new one in the list.
type segment struct {
	path   string
	size   int64
	blocks []*block
}

func (s *segment) maxTime() int64 { return s.blocks[len(s.blocks)-1].upTo }

// block is where a block is and what is known of it.
type block struct {
	header
	*directory
	path string
	off  int64
	raw  []byte // of a chunk: all of the block, which is in no file
	upTo int64  // the latest time of this block and those before it in the segment
}

// hasRaw reports whether the block has messages that are no compact JSON.
func (b *block) hasRaw() bool {
	raw := b.column(columnRaw) // holds at least the number of its values, 0, and a byte a row
	return raw < 0 || b.columns[raw].raw != b.count+1
}

// segmentBytes is how large a segment grows: what is dropped at once.
const segmentBytes = 16 << 20

// recover reads the group's folder.
func (g *group) recover() error {
	if err := os.MkdirAll(g.dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(g.dir)
	if err != nil {
		return err
	}
	var journals []uint64
	for _, e := range entries {
		base, ext, _ := strings.Cut(e.Name(), ".")
		n, err := strconv.ParseUint(base, 16, 64)
		if err != nil {
			continue
		}
		switch ext {
		case "wal":
			journals = append(journals, n)
		case "seg":
			seg, err := openSegment(filepath.Join(g.dir, e.Name()))
			if err != nil {
				return err
			}
			if seg != nil {
				g.segments = append(g.segments, seg)
			}
		}
	}
	slices.SortFunc(g.segments, func(a, b *segment) int { return strings.Compare(a.path, b.path) })
	slices.Sort(journals)
	g.next = 1
	for _, s := range g.segments {
		for _, b := range s.blocks {
			g.next = max(g.next, b.seq+1)
			for _, p := range b.streams {
				if st := g.streams[p.stream]; st != nil {
					st.note(p.count, p.minTime, p.maxTime, p.maxIngested)
				}
			}
		}
	}
	sealed := g.next
	for _, n := range journals {
		path := g.journal(n)
		if n < sealed { // its block is there
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		t, err := openTail(path, n)
		if err != nil {
			return err
		}
		g.next = n + 1
		if len(t.rows) == 0 {
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		for _, r := range t.rows {
			if st := g.streams[r.stream]; st != nil {
				st.note(1, r.time, r.time, r.ingested)
			}
		}
		g.sealing = append(g.sealing, t)
	}
	if n := len(g.sealing); n > 0 && !g.sealing[n-1].full() {
		g.active = g.sealing[n-1]
		g.sealing = g.sealing[:n-1]
	}
	return nil
}

func (g *group) journal(n uint64) string { return filepath.Join(g.dir, fmt.Sprintf("%016x.wal", n)) }

// openSegment reads the blocks of a segment. A block that a crash tore can only
// be the last: it is cut off, its journal is still there. nil: nothing is left.
func openSegment(path string) (*segment, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	s := &segment{path: path}
	size := info.Size()
	for s.size < size {
		h, d, err := readBlock(f, s.size, size, false)
		last := err != nil || s.size+h.total == size
		if last && err == nil {
			h, d, err = readBlock(f, s.size, size, true)
		}
		if err != nil {
			if err := f.Truncate(s.size); err != nil {
				return nil, fmt.Errorf("cut the torn end of %s: %w", path, err)
			}
			break
		}
		s.add(h, d)
	}
	if len(s.blocks) == 0 {
		return nil, os.Remove(path)
	}
	return s, nil
}

func (s *segment) add(h header, d *directory) {
	b := &block{header: h, directory: d, path: s.path, off: s.size, upTo: h.maxTime}
	if n := len(s.blocks); n > 0 {
		b.upTo = max(b.upTo, s.blocks[n-1].upTo)
	}
	s.blocks = append(s.blocks, b)
	s.size += h.total
}

// put appends events to a stream, and answers how many bytes they are, when they
// are on disk.
func (g *group) put(st *stream, now int64, events []Event) (int64, error) {
	added, err := g.add(st, now, func(t *tail, buf []byte) ([]byte, error) { return t.append(buf, st.id, now, events) })
	if err != nil {
		return 0, err
	}
	t := added.tail
	err = t.sync(added.file, added.written, func() int64 {
		g.mu.Lock()
		defer g.mu.Unlock()
		return t.written
	})
	if err != nil {
		return 0, fmt.Errorf("sync log events: %w", err)
	}
	return added.bytes, nil
}

// putEntries is the same for entries, and does not wait for the disk.
func (g *group) putEntries(st *stream, now int64, entries []Entry) (int64, error) {
	added, err := g.add(st, now, func(t *tail, buf []byte) ([]byte, error) { return t.appendEntries(buf, st.id, now, entries) })
	return added.bytes, err
}

// added is what became of a batch: the tail that took it, that one's journal, how
// long it is now, and the bytes of the batch's messages.
type added struct {
	tail           *tail
	file           *os.File
	written, bytes int64
}

// add has a batch written to the active tail.
func (g *group) add(st *stream, now int64, write func(t *tail, buf []byte) ([]byte, error)) (added, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone {
		return added{}, ErrNoGroup
	}
	if g.streams[st.id] == nil {
		return added{}, ErrNoStream
	}
	if g.active == nil {
		if g.spare == nil && len(g.sealing) > 0 { // much comes
			g.spare = make([]row, 0, maxRows+maxRows/4)
		}
		g.active = newTail(g.next, g.journal(g.next), g.spare)
		g.next++
		g.spare = nil
	}
	t := g.active
	before, bytes := len(t.rows), t.bytes
	var err error
	if g.scratch, err = write(t, g.scratch); err != nil {
		return added{}, fmt.Errorf("write log events: %w", err)
	}
	if cap(g.scratch) > 4<<20 {
		g.scratch = nil
	}
	rows := t.rows[before:]
	first, last := rows[0].time, rows[0].time
	for i := range rows {
		first, last = min(first, rows[i].time), max(last, rows[i].time)
	}
	st.note(len(rows), first, last, now)
	out := added{t, t.file, t.written, t.bytes - bytes}
	if t.full() {
		g.rotateLocked()
	}
	return out, nil
}

// rotateLocked takes the active tail out of use; it waits to be sealed.
func (g *group) rotateLocked() {
	if g.active != nil {
		g.sealing = append(g.sealing, g.active)
		g.active = nil
	}
}

// seal turns the oldest full tail into a block. It reports whether there was one.
func (g *group) seal(e *encoder) (bool, error) {
	g.sealMu.Lock()
	defer g.sealMu.Unlock()
	g.mu.Lock()
	if len(g.sealing) == 0 || g.gone {
		g.mu.Unlock()
		return false, nil
	}
	t := g.sealing[0]
	var last *segment
	if n := len(g.segments); n > 0 && g.segments[n-1].size < segmentBytes {
		last = g.segments[n-1]
	}
	g.mu.Unlock()

	seg := &segment{path: filepath.Join(g.dir, fmt.Sprintf("%016x.seg", t.seq))}
	if last != nil {
		*seg = segment{path: last.path, size: last.size, blocks: slices.Clone(last.blocks)}
	}
	whole, err := t.whole()
	if err != nil {
		return false, fmt.Errorf("unpack chunks of log events: %w", err)
	}
	raw, h, d := e.encode(t.seq, whole, t.bytes)
	if err := seg.write(raw, last == nil); err != nil {
		return false, fmt.Errorf("write a block of log events: %w", err)
	}
	seg.add(h, d)

	g.mu.Lock()
	if g.gone { // the folder is on its way out
		g.mu.Unlock()
		return false, nil
	}
	if n := len(g.segments); last != nil && n > 0 && g.segments[n-1] == last {
		g.segments = append(slices.Clone(g.segments[:n-1]), seg)
	} else {
		g.segments = append(slices.Clone(g.segments), seg)
	}
	g.sealing = slices.Clone(g.sealing[1:])
	if !t.viewed {
		g.spare = t.rows[:0]
	}
	g.mu.Unlock()
	// A writer may still wait for its sync: its events are in the block, which is synced.
	t.syncMu.Lock()
	t.synced = t.written
	if t.file != nil {
		t.file.Close()
	}
	t.syncMu.Unlock()
	return true, os.Remove(t.path)
}

// write appends a block to the file and syncs it.
func (s *segment) write(raw []byte, fresh bool) error {
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt(raw, s.size); err != nil {
		_ = f.Truncate(s.size) // else the next block goes over it
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if fresh {
		return syncDir(filepath.Dir(s.path))
	}
	return nil
}
