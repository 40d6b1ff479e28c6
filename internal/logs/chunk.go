package logs

import (
	"bytes"
	"io"
	"os"
	"slices"
)

// A chunk is a run of a tail's events that is packed while the tail still fills,
// and stays in memory: else a tail would hold all its texts, which may take hours
// to become a block's worth of them. It reads like a block. When the tail is full,
// its chunks are unpacked and make one block together.
type chunk struct {
	first int    // its first row in the tail
	bytes int64  // of messages
	loose        // until there is a block
	block *block // whoever holds group.sealMu finds it
}

// Bytes of memory that the loose events of a tail take before they become a chunk.
const (
	chunkBytes      = 256 << 10
	quietChunkBytes = 32 << 10 // where nothing came for a while; less is not worth a block's directory
	allChunkBytes   = 8 << 20  // of all groups together, while each may have quietChunkBytes
)

// chunkAt is how much loose events of one of so many groups take before they
// become a chunk.
func chunkAt(groups int) int {
	return max(quietChunkBytes, min(chunkBytes, allChunkBytes/max(1, groups)))
}

// count is the number of the tail's events.
func (t *tail) count() int { return t.first + len(t.rows) }

// held is about how much memory the events take.
func (l *loose) held() int {
	const (
		ofRow     = 24
		ofBody    = 24
		ofMembers = 100 // without their text
		ofMessage = 16
	)
	n := ofRow*len(l.rows) + ofBody*len(l.bodies) + ofMembers*len(l.members) + ofMessage*len(l.messages)
	for _, m := range l.members {
		n += len(m.text)
	}
	for _, m := range l.messages {
		n += len(m)
	}
	return n
}

// detach makes the loose events of the tail a chunk.
func (t *tail) detach() *chunk {
	t.chunks = append(t.chunks, chunk{first: t.first, bytes: t.bytes - t.chunked, loose: t.loose})
	t.first, t.chunked = t.count(), t.bytes
	t.known += uint32(len(t.members))
	t.loose = loose{}
	t.number, t.index = tailNumber.Add(1), map[*Members]uint32{} // members of the chunk have to be taken up again
	return &t.chunks[len(t.chunks)-1]
}

// condense packs the loose events of the active tail, if they were there at the
// last look of group.rest and take more than so many bytes; fewer if none came since.
func (g *group) condense(e *encoder, least int) {
	g.sealMu.Lock()
	defer g.sealMu.Unlock()
	g.mu.Lock()
	t := g.active
	if t == nil || t.seen == 0 || len(t.rows) == 0 {
		g.mu.Unlock()
		return
	}
	if t.seen == t.count() {
		least = min(least, quietChunkBytes)
	}
	if t.held() < least {
		g.mu.Unlock()
		return
	}
	c := t.detach()
	g.mu.Unlock()

	raw, h, d := e.encode(t.seq, &c.loose, c.bytes)
	b := &block{header: h, directory: d, upTo: h.maxTime, raw: bytes.Clone(raw)}

	g.mu.Lock()
	defer g.mu.Unlock()
	c.block, c.loose = b, loose{}
}

// before reports whether all events are from before a time. The caller holds
// group.sealMu and group.mu.
func (t *tail) before(time int64) bool {
	return !slices.ContainsFunc(t.chunks, func(c chunk) bool { return c.block.maxTime >= time }) &&
		!slices.ContainsFunc(t.rows, func(r row) bool { return r.time >= time })
}

// whole returns all events of a full tail. The caller holds group.sealMu.
func (t *tail) whole() (*loose, error) {
	if len(t.chunks) == 0 {
		return &t.loose, nil
	}
	all := &loose{rows: make([]row, 0, t.count())}
	for i := range t.chunks {
		if err := t.chunks[i].block.unpack(all); err != nil {
			return nil, err
		}
	}
	before := uint32(len(all.messages))
	for _, r := range t.rows {
		if !r.isEntry() {
			r.text += before
		}
		all.rows = append(all.rows, r)
	}
	all.messages = append(all.messages, t.messages...)
	all.members, all.bodies = t.members, t.bodies
	return all, nil
}

// unpack adds the events of a block to l, as messages.
func (b *block) unpack(l *loose) error {
	batch, err := (&Part{Events: b.count, block: b}).Open()
	if err != nil {
		return err
	}
	defer batch.Close()
	times, err := batch.Times()
	if err != nil {
		return err
	}
	ingested, err := batch.Ingested()
	if err != nil {
		return err
	}
	streams := make([]int64, b.count) // indexes in the block's
	if len(b.streams) > 1 {
		if streams, err = batch.numbers(columnStream); err != nil {
			return err
		}
	}
	rows := make([]int, b.count)
	for i := range rows {
		rows[i] = i
	}
	return batch.Messages(rows, func(i int, text string) {
		l.add(b.streams[streams[i]].stream, ingested[i], Event{times[i], text})
	})
}

// A source is what a block is read from.
type source interface {
	io.ReaderAt
	io.Closer
}

// open opens what holds the block.
func (b *block) open() (source, error) {
	if b.raw != nil {
		return memory{bytes.NewReader(b.raw)}, nil
	}
	return os.Open(b.path)
}

type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }
