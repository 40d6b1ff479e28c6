package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"time"
)

// A View is a group as it was at one moment. Events that are dropped later may
// be missing from what is read afterwards; nothing is added.
type View struct {
	Group    string
	Created  int64 // epoch ms
	Earliest int64 // events before have expired
	parts    []*Part
	streams  map[uint32]string
}

// View returns the group as it is now. Error: ErrNoGroup.
func (s *Store) View(group string) (*View, error) {
	g := s.group(group)
	if g == nil {
		return nil, ErrNoGroup
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	v := &View{Group: g.name, Created: g.created, Earliest: g.cutoffLocked(time.Now().UnixMilli()), streams: make(map[uint32]string, len(g.streams))}
	for id, st := range g.streams {
		v.streams[id] = st.name
	}
	for _, seg := range g.segments {
		for _, b := range seg.blocks {
			v.parts = append(v.parts, newBlockPart(v, 0, b))
		}
	}
	tails := g.sealing
	if g.active != nil {
		tails = append(slices.Clip(tails), g.active)
	}
	for _, t := range tails {
		for _, c := range t.chunks {
			if c.block == nil {
				v.parts = append(v.parts, newTailPart(v, t.seq, c.first, c.loose, c.bytes))
			} else {
				v.parts = append(v.parts, newBlockPart(v, c.first, c.block))
			}
		}
		if len(t.rows) > 0 {
			t.viewed = true
			v.parts = append(v.parts, newTailPart(v, t.seq, t.first, t.snapshot(), t.bytes-t.chunked))
		}
	}
	return v, nil
}

func newBlockPart(v *View, first int, b *block) *Part {
	return &Part{view: v, MinTime: b.minTime, MaxTime: b.maxTime, Events: b.count, Bytes: b.rawBytes, seq: b.seq, first: first, block: b}
}

func newTailPart(v *View, seq uint64, first int, l loose, bytes int64) *Part {
	rows := l.rows
	p := &Part{view: v, MinTime: rows[0].time, MaxTime: rows[0].time, Events: len(rows), Bytes: bytes, seq: seq, first: first, loose: l}
	for i := range rows {
		p.MinTime, p.MaxTime = min(p.MinTime, rows[i].time), max(p.MaxTime, rows[i].time)
	}
	return p
}

// Parts returns what holds events from the times from to to, both included.
func (v *View) Parts(from, to int64) []*Part {
	var out []*Part
	for _, p := range v.parts {
		if p.MaxTime >= max(from, v.Earliest) && p.MinTime <= to {
			out = append(out, p)
		}
	}
	return out
}

// A Part is a run of up to maxRows events.
type Part struct {
	MinTime, MaxTime int64 // epoch ms
	Events           int
	Bytes            int64 // of messages

	view  *View
	seq   uint64
	first int // of the rows of the tail, or block, with that number
	block *block
	loose // of events that have no block
}

// View returns the view that the part is of.
func (p *Part) View() *View { return p.view }

// ID returns the ID of an event whose time is known.
func (p *Part) ID(row int, time int64) ID { return ID{time, p.seq, uint32(p.first + row)} }

// MayHold is false only if no event of the part has the field with the value,
// compared as queries do.
func (p *Part) MayHold(field, value string) (bool, error) {
	if p.block == nil {
		return true, nil
	}
	if strings.Contains(field, ".") || strings.HasPrefix(field, "@") {
		return true, nil
	}
	f, err := p.block.open()
	if err != nil {
		return false, gone(err)
	}
	defer f.Close()
	filter := make(bloom, p.block.bloomLen)
	if _, err := f.ReadAt(filter, p.block.off+int64(headerSize+p.block.dirLen)); err != nil {
		return false, err
	}
	return filter.has(pairHash(field, value)) || filter.has(unfiltered(field)) || filter.has(unfiltered(columnRaw)), nil
}

// MayHave is false only if no event of the part has the field.
func (p *Part) MayHave(field string) bool {
	if p.block == nil || strings.HasPrefix(field, "@") {
		return true
	}
	top, _, _ := strings.Cut(field, ".")
	if p.block.column(top) >= 0 {
		return true
	}
	return p.block.hasRaw()
}

// gone tells a segment that was dropped while somebody read it, which is no
// error, from one that can't be read.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Open returns the events of the part, or nil if they were dropped meanwhile.
// Close it when done.
func (p *Part) Open() (*Batch, error) {
	b := &Batch{part: p}
	if p.block != nil {
		f, err := p.block.open()
		if err != nil {
			return nil, gone(err)
		}
		b.file = f
		b.tokens = make([]*tokens, len(p.block.columns))
	}
	return b, nil
}

// An ID is an event's place in its group, for as long as it is kept.
type ID struct {
	Time int64 // epoch ms
	Seq  uint64
	Row  uint32
}

// Compare orders by time, then by arrival.
func (a ID) Compare(b ID) int {
	switch {
	case a.Time != b.Time:
		return cmpOf(a.Time < b.Time)
	case a.Seq != b.Seq:
		return cmpOf(a.Seq < b.Seq)
	case a.Row != b.Row:
		return cmpOf(a.Row < b.Row)
	}
	return 0
}

func cmpOf(less bool) int {
	if less {
		return -1
	}
	return 1
}

// String is 56 digits, as event IDs of CloudWatch Logs are.
func (a ID) String() string {
	b, time, digits := make([]byte, 0, 56), a.Time, 20
	if time < 0 {
		b, time, digits = append(b, '-'), -time, 19
	}
	return string(padded(padded(padded(b, time, digits), int64(a.Seq), 20), int64(a.Row), 16))
}

// ParseID reads what String wrote.
func ParseID(s string) (ID, bool) {
	var id ID
	if len(s) != 56 {
		return id, false
	}
	n, err := fmt.Sscanf(s, "%020d%020d%016d", &id.Time, &id.Seq, &id.Row)
	return id, err == nil && n == 3
}

// A Record is one event as it is read.
type Record struct {
	ID
	Message  string
	Stream   string
	Ingested int64 // epoch ms
}

// Find returns the event with an ID, or false if it is not there.
func (v *View) Find(id ID) (Record, bool, error) {
	for _, p := range v.parts {
		row := int(id.Row) - p.first
		if p.seq != id.Seq || row < 0 || row >= p.Events {
			continue
		}
		b, err := p.Open()
		if err != nil || b == nil {
			return Record{}, false, err
		}
		defer b.Close()
		records, err := b.records([]int{row})
		if err != nil || len(records) == 0 || records[0].Time != id.Time || records[0].Time < v.Earliest || records[0].Stream == "" {
			return Record{}, false, err
		}
		return records[0], true, nil
	}
	return Record{}, false, nil
}

// NoStart and NoEnd leave a range of times open.
const (
	NoStart = math.MinInt64 / 4
	NoEnd   = math.MaxInt64 / 4
)
