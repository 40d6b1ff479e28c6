package logs

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A Batch is the opened events of a Part. Not safe for concurrent use.
type Batch struct {
	part   *Part
	file   source
	tokens []*tokens // of a block, by column, as they are asked for
	times  []int64
	found  map[string]*Column // fields of messages that no shape describes
	lent   []func()           // give back what the columns took from the pools
}

// Close lets go of the file, and of all columns.
func (b *Batch) Close() {
	for _, back := range b.lent {
		back()
	}
	b.lent, b.tokens, b.times = nil, nil, nil
	if b.file != nil {
		b.file.Close()
	}
}

// Len is the number of events, deleted and expired ones too.
func (b *Batch) Len() int { return b.part.Events }

// borrow takes room for n elements from a pool, until the batch is closed.
func borrow[T any](b *Batch, pool *sync.Pool, n int) []T {
	space, _ := pool.Get().(*[]T)
	*space = slices.Grow((*space)[:0], n)[:n]
	b.lent = append(b.lent, func() { pool.Put(space) })
	return *space
}

// A Column holds the values of a field: of each event a code, 0 for absent,
// else 1 + the index of its value. It is valid until the batch is closed; the
// values are for ever.
type Column struct {
	Codes  []uint32
	Values []string
	Pieces bool // the values are parts of longer texts
}

// set appends a value for a row.
func (c *Column) set(row int, value string) {
	c.Values = append(c.Values, value)
	c.Codes[row] = uint32(len(c.Values))
}

func (b *Batch) numbers(name string) ([]int64, error) {
	blk := b.part.block
	i := blk.column(name)
	if i < 0 {
		return nil, errCorrupt
	}
	raw, _ := buffers.Get().(*[]byte)
	defer buffers.Put(raw)
	var err error
	if *raw, err = decodePayload(b.file, blk.off, &blk.header, &blk.columns[i], *raw); err != nil {
		return nil, err
	}
	out := borrow[int64](b, &moments, blk.count)
	return out, decodeNumbers(*raw, out)
}

// Times returns the events' times, epoch ms.
func (b *Batch) Times() ([]int64, error) {
	if b.part.block != nil {
		var err error
		if b.times == nil {
			b.times, err = b.numbers(columnTime)
		}
		return b.times, err
	}
	out := make([]int64, len(b.part.rows))
	for i := range out {
		out[i] = b.part.rows[i].time
	}
	return out, nil
}

// Ingested returns the times of arrival, epoch ms.
func (b *Batch) Ingested() ([]int64, error) {
	out := make([]int64, b.Len())
	if b.part.block == nil {
		for i := range out {
			out[i] = b.part.rows[i].ingested
		}
		return out, nil
	}
	delay, err := b.numbers(columnIngested)
	if err != nil {
		return nil, err
	}
	times, err := b.Times()
	if err != nil {
		return nil, err
	}
	for i := range out {
		out[i] = times[i] + delay[i]
	}
	return out, nil
}

// Whole reports whether no stream of the events was deleted.
func (b *Batch) Whole() bool {
	if b.part.block == nil {
		return false
	}
	for _, p := range b.part.block.streams {
		if _, there := b.part.view.streams[p.stream]; !there {
			return false
		}
	}
	return true
}

// Streams returns the names of the events' streams; deleted ones are absent.
func (b *Batch) Streams() (*Column, error) {
	c := &Column{Codes: make([]uint32, b.Len())}
	code := map[uint32]uint32{}
	of := func(stream uint32) uint32 {
		k, ok := code[stream]
		if !ok {
			if name, there := b.part.view.streams[stream]; there {
				c.Values = append(c.Values, name)
				k = uint32(len(c.Values))
			}
			code[stream] = k
		}
		return k
	}
	if b.part.block == nil {
		for i := range b.part.rows {
			c.Codes[i] = of(b.part.rows[i].stream)
		}
		return c, nil
	}
	parts := b.part.block.streams
	codes := make([]uint32, len(parts))
	for k, p := range parts {
		codes[k] = of(p.stream)
	}
	if len(parts) == 1 {
		for i := range c.Codes {
			c.Codes[i] = codes[0]
		}
		return c, nil
	}
	index, err := b.numbers(columnStream)
	if err != nil {
		return nil, err
	}
	for i, k := range index {
		if k < 0 || k >= int64(len(parts)) {
			return nil, errCorrupt
		}
		c.Codes[i] = codes[k]
	}
	return c, nil
}

// token returns column i of the block.
func (b *Batch) token(i int) (*tokens, error) {
	if b.tokens[i] != nil {
		return b.tokens[i], nil
	}
	blk := b.part.block
	info := &blk.columns[i]
	raw, _ := buffers.Get().(*[]byte)
	b.lent = append(b.lent, func() { buffers.Put(raw) })
	var err error
	if *raw, err = decodePayload(b.file, blk.off, &blk.header, info, *raw); err != nil {
		return nil, err
	}
	row := borrow[uint32](b, &codes, blk.count)
	clear(row)
	t, err := decodeTokens(*raw, info, row, func() (*tokens, error) {
		if blk.columns[info.parent].encoding == encodeDerived {
			return nil, errCorrupt
		}
		return b.token(info.parent)
	})
	if err != nil {
		return nil, err
	}
	b.tokens[i] = t
	return t, nil
}

// Column returns a field of the messages by its flat name; all absent if no
// event has it. Only the given rows need values. The caller does not change it.
func (b *Batch) Column(name string, rows []int32) (*Column, error) {
	if b.part.block == nil {
		return b.recent(name, rows), nil
	}
	blk := b.part.block
	top, rest, nested := strings.Cut(name, ".")
	i := blk.column(top)
	if i >= 0 && !blk.hasRaw() && !nested && top != "timestamp" && !strings.HasPrefix(top, " ") {
		if t, err := b.token(i); err != nil {
			return nil, err
		} else if c := t.whole(); c != nil {
			return c, nil
		}
	}
	out := &Column{Codes: make([]uint32, blk.count)}
	if blk.hasRaw() {
		if err := b.flattenRaw(); err != nil {
			return nil, err
		}
		if c := b.found[name]; c != nil {
			out.Values, out.Pieces = append(out.Values, c.Values...), true
			copy(out.Codes, c.Codes)
		}
	}
	if i < 0 || strings.HasPrefix(top, " ") {
		return out, nil
	}
	t, err := b.token(i)
	if err != nil {
		return nil, err
	}
	if top == "timestamp" && !nested && t.timed() {
		return out, b.stamps(t, rows, out)
	}
	const unknown, absent = 0, 1
	code := make([]uint32, t.count+1) // of each token, plus absent
	code[0] = absent
	var scratch strings.Builder
	for _, row := range rows {
		k := t.codes[row]
		if code[k] == unknown {
			code[k] = absent
			if value, present := t.leaf(int(k)-1, rest, nested, &scratch); present {
				out.Values = append(out.Values, value)
				code[k] += uint32(len(out.Values))
			}
		}
		if code[k] != absent {
			out.Codes[row] = code[k] - absent
		}
	}
	return out, nil
}

// Having keeps those of the rows whose field is the text. It writes over rows.
func (b *Batch) Having(name, text string, rows []int32) ([]int32, error) {
	if blk := b.part.block; blk != nil && !blk.hasRaw() && name != "timestamp" && !strings.Contains(name, ".") && !strings.HasPrefix(name, " ") {
		i := blk.column(name)
		if i < 0 {
			return rows[:0], nil
		}
		t, err := b.token(i)
		if err != nil {
			return nil, err
		}
		return having(rows, t.codes, t.equal(text)), nil
	}
	c, err := b.Column(name, rows)
	if err != nil {
		return nil, err
	}
	var equal []bool
	for i, v := range c.Values {
		if v == text {
			if equal == nil {
				equal = make([]bool, len(c.Values)+1)
			}
			equal[i+1] = true
		}
	}
	return having(rows, c.Codes, equal), nil
}

// having keeps the rows whose code is one of those; nil is none.
func having(rows []int32, codes []uint32, wanted []bool) []int32 {
	out := rows[:0]
	if wanted == nil {
		return out
	}
	for _, row := range rows {
		if wanted[codes[row]] {
			out = append(out, row)
		}
	}
	return out
}

// flattenRaw discovers the fields of a block's messages that have no columns.
func (b *Batch) flattenRaw() error {
	raw, err := b.token(b.part.block.shapes[0][0])
	if err != nil {
		return err
	}
	b.flatten(b.part.block.count, func(i int) string {
		if raw.codes[i] == 0 {
			return ""
		}
		return string(raw.stored(int(raw.codes[i]) - 1))
	})
	return nil
}

// stamps fills the column of a field that holds the event's own time.
func (b *Batch) stamps(t *tokens, rows []int32, out *Column) error {
	times, err := b.Times()
	if err != nil {
		return err
	}
	var text []byte
	for _, row := range rows {
		k := t.codes[row]
		if k == 0 {
			continue
		}
		if token := string(t.stored(int(k) - 1)); token != sameTime {
			if v, ok := leaf(token, "", false); ok {
				out.set(int(row), v)
			}
			continue
		}
		text = AppendTime(text[:0], times[row])
		out.set(int(row), string(text))
	}
	return nil
}

// flatten discovers the fields of messages that no shape describes, once.
func (b *Batch) flatten(n int, message func(i int) string) {
	if b.found != nil {
		return
	}
	b.found = map[string]*Column{}
	for i := range n {
		m := message(i)
		if m == "" {
			continue
		}
		Flatten(m, func(name, value string) {
			c := b.found[name]
			if c == nil {
				c = &Column{Codes: make([]uint32, n), Pieces: true}
				b.found[name] = c
			}
			c.set(i, value)
		})
	}
}

// Fields returns the names of all fields that events of the batch have.
func (b *Batch) Fields() ([]string, error) {
	names := map[string]bool{}
	n := b.Len()
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	err := b.Messages(rows, func(_ int, m string) {
		Flatten(m, func(name, _ string) { names[name] = true })
	})
	out := make([]string, 0, len(names))
	for name := range names {
		out = append(out, name)
	}
	return out, err
}

// Messages calls message with the text of each of the rows, which ascend. The
// text is the caller's.
func (b *Batch) Messages(rows []int, message func(row int, text string)) error {
	if b.part.block == nil {
		for _, i := range rows {
			message(i, b.part.text(i))
		}
		return nil
	}
	blk := b.part.block
	shapes, err := b.numbers(columnShape)
	if err != nil {
		return err
	}
	used := make([]bool, len(blk.shapes))
	for _, i := range rows {
		if shapes[i] < 0 || int(shapes[i]) >= len(used) {
			return errCorrupt
		}
		used[shapes[i]] = true
	}
	var times []int64
	for s, yes := range used {
		if !yes {
			continue
		}
		for _, c := range blk.shapes[s] {
			t, err := b.token(c)
			if err != nil {
				return err
			}
			if times == nil && blk.columns[c].name == "timestamp" && t.timed() {
				if times, err = b.Times(); err != nil {
					return err
				}
			}
		}
	}
	var text []byte
	for _, i := range rows {
		text = text[:0]
		for k, c := range blk.shapes[shapes[i]] {
			t := b.tokens[c]
			if t.codes[i] == 0 {
				return fmt.Errorf("%w: an event lacks its %s", errCorrupt, blk.columns[c].name)
			}
			token := int(t.codes[i]) - 1
			if shapes[i] == 0 {
				text = t.append(text, token)
				continue
			}
			text = append(text, ",{"[b2i(k == 0)])
			text = append(append(append(text, '"'), blk.columns[c].name...), '"', ':')
			if start := len(text); times != nil {
				if text = t.append(text, token); string(text[start:]) == sameTime {
					text = appendTimeToken(text[:start], times[i])
				}
			} else {
				text = t.append(text, token)
			}
		}
		if shapes[i] != 0 {
			text = append(text, '}')
		}
		message(i, string(text))
	}
	return nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// records returns whole events; the stream of a deleted one is empty.
func (b *Batch) records(rows []int) ([]Record, error) {
	times, err := b.Times()
	if err != nil {
		return nil, err
	}
	ingested, err := b.Ingested()
	if err != nil {
		return nil, err
	}
	streams, err := b.Streams()
	if err != nil {
		return nil, err
	}
	out := make([]Record, 0, len(rows))
	err = b.Messages(rows, func(i int, text string) {
		r := Record{ID: b.part.ID(i, times[i]), Message: text, Ingested: ingested[i]}
		if k := streams.Codes[i]; k != 0 {
			r.Stream = streams.Values[k-1]
		}
		out = append(out, r)
	})
	return out, err
}
