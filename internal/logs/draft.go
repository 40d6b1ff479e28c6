package logs

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// A draft is a block in the making: its events, taken apart into columns.
type draft struct {
	*loose
	directory
	header  header
	encoder *encoder
	columns []*building
	byName  map[string]int
	shape   []uint16          // of each row
	shapeOf map[string]int    // by the keys; -1: there is no room for it
	counts  []int             // of the rows of each shape
	parts   map[uint32]int    // places in streams
	plain   bool              // there are messages that are no entries
	places  [MaxParts]place   // of the entries
	kinds   []uint16          // of each of members: a number for its keys; 0: not met yet
	keys    map[string]uint16 // the kinds by the keys
	joined  map[uint64]int    // shapes of entries by the kinds of their parts; -1: none
	said    []said            // of each of bodies
	key     []byte
	split   []member
}

// A said is what is known of a body.
type said struct {
	known bool
	shape int              // of its entries; -1: none
	codes [MaxParts]uint16 // of its parts at their places; 0: none
}

// building is a column while its block is encoded.
type building struct {
	name  string
	codes []uint16 // of each row 0: absent, else 1 + index in values; nil if decided
	// values are the distinct tokens in the order of their first row.
	values  []string
	index   map[string]uint16
	present int // rows that have it

	decider int      // the column that decides this one
	decided []uint16 // nil if none does: the code for each of the decider's
	members int      // of a column of parts: how many different ones there are
}

// A place is which members entries have there.
type place struct {
	column int      // of rows; 0: no entry has any
	rows   []uint16 // of each row the code of its members here
	codes  []uint16 // of each of members: its code; 0: not met here
	met    []uint32 // by code-1: indexes of members
}

// Bounds of a block. Messages that need more stay as they are.
const (
	maxColumns = 512
	maxShapes  = 1024
)

func newDraft(e *encoder, seq uint64, l *loose) *draft {
	d := &draft{
		loose: l, encoder: e, header: header{seq: seq, count: len(l.rows), minTime: l.rows[0].time, maxTime: l.rows[0].time},
		byName: map[string]int{}, shape: make([]uint16, len(l.rows)), shapeOf: map[string]int{}, counts: []int{0}, parts: map[uint32]int{},
		kinds: make([]uint16, len(l.members)), keys: map[string]uint16{}, joined: map[uint64]int{},
		said: make([]said, len(l.bodies)),
	}
	d.shapes = [][]int{{d.column(columnRaw)}}
	d.columns[0].codes = e.blank(len(d.rows))
	return d
}

// column returns the index of a column, which comes into being.
func (d *draft) column(name string) int {
	i, ok := d.byName[name]
	if !ok {
		i = len(d.columns)
		name = strings.Clone(name) // the directory keeps it, but not the message that it stands in
		d.byName[name] = i
		d.columns = append(d.columns, &building{name: name, index: map[string]uint16{}})
	}
	return i
}

// code returns the code of a token.
func (c *building) code(token string) uint16 {
	code, ok := c.index[token]
	if !ok {
		c.values = append(c.values, token)
		code = uint16(len(c.values)) // at most maxCount
		c.index[token] = code
	}
	return code
}

// set gives a row a token.
func (d *draft) set(column, row int, token string) {
	c := d.columns[column]
	if c.codes == nil {
		c.codes = d.encoder.blank(len(d.rows))
	}
	c.codes[row] = c.code(token)
}

// note takes down what the block says of all its rows.
func (d *draft) note(i int) {
	h, r := &d.header, &d.rows[i]
	h.minTime, h.maxTime = min(h.minTime, r.time), max(h.maxTime, r.time)
	h.maxIngested = max(h.maxIngested, r.ingested)
	k := len(d.streams) - 1 // mostly that of the row before
	if k < 0 || d.streams[k].stream != r.stream {
		var known bool
		if k, known = d.parts[r.stream]; !known {
			k = len(d.streams)
			d.parts[r.stream] = k
			d.streams = append(d.streams, streamPart{stream: r.stream, minTime: r.time, maxTime: r.time})
		}
	}
	p := &d.streams[k]
	p.count++
	p.minTime, p.maxTime, p.maxIngested = min(p.minTime, r.time), max(p.maxTime, r.time), max(p.maxIngested, r.ingested)
}

// message takes a row apart by the JSON of its text.
func (d *draft) message(i int) {
	text := d.text(i)
	shape := -1
	var ok bool
	if d.split, _, ok = splitCompact(text, d.split[:0]); ok {
		shape = d.shapeFor(d.split)
	}
	if d.plain = true; shape < 0 {
		d.set(0, i, text)
		d.counts[0]++
		return
	}
	d.shape[i] = uint16(shape)
	d.counts[shape]++
	var stamp [64]byte
	for k, c := range d.shapes[shape] {
		token := d.split[k].token
		if len(token) == len(timeText)+2 && d.columns[c].name == "timestamp" {
			if string(appendTimeToken(stamp[:0], d.rows[i].time)) == token {
				token = sameTime
			}
		}
		d.set(c, i, token)
	}
}

// shapeFor returns the number of the shape of members; -1 if there is no room for it.
func (d *draft) shapeFor(members []member) int {
	d.key = appendKeys(d.key[:0], members)
	shape, known := d.shapeOf[string(d.key)]
	if known {
		return shape
	}
	shape = len(d.shapes)
	if shape >= maxShapes || len(d.columns)+len(members) > maxColumns {
		shape = -1
	}
	d.shapeOf[string(d.key)] = shape
	if shape < 0 {
		return shape
	}
	columns := make([]int, len(members))
	for k, m := range members {
		columns[k] = d.column(m.key)
	}
	d.shapes = append(d.shapes, columns)
	d.counts = append(d.counts, 0)
	return shape
}

func appendKeys(b []byte, members []member) []byte {
	for _, m := range members {
		b = append(append(b, m.key...), 0)
	}
	return b
}

// entry takes down what an entry says. It reports false if its members make no
// compact object: then it is a message like any other.
func (d *draft) entry(i int) bool {
	r := &d.rows[i]
	said := &d.said[r.body()]
	if !said.known {
		d.look(d.bodies[r.body()], said)
	}
	if said.shape < 0 {
		return false
	}
	d.shape[i] = uint16(said.shape)
	d.counts[said.shape]++
	for k, code := range said.codes {
		if code != 0 {
			d.places[k].rows[i] = code
		}
	}
	return true
}

// look finds the shape of the entries with a body, and its codes.
func (d *draft) look(body parts, said *said) {
	said.known = true
	var kinds uint64
	for k, p := range body {
		if p != 0 {
			if d.kinds[p-1] == 0 {
				d.kinds[p-1] = d.kindOf(d.members[p-1].fields())
			}
			kinds |= uint64(d.kinds[p-1]) << (kindBits * k)
		}
	}
	var joined bool
	if said.shape, joined = d.joined[kinds]; !joined {
		said.shape = d.join(body)
		d.joined[kinds] = said.shape
	}
	if said.shape < 0 {
		return
	}
	for k, p := range body {
		if p == 0 {
			continue
		}
		at := &d.places[k]
		if at.codes == nil {
			at.codes = make([]uint16, len(d.members))
			at.rows = d.encoder.blank(len(d.rows))
			at.column = d.column(columnPart + strconv.Itoa(k))
			d.columns[at.column].codes = at.rows
		}
		if at.codes[p-1] == 0 {
			at.met = append(at.met, p-1)
			at.codes[p-1] = uint16(len(at.met))
		}
		said.codes[k] = at.codes[p-1]
	}
}

// Kinds of members: broken is that of those that are no compact JSON, or for which
// there is no number.
const (
	broken   = 1
	kindBits = 10 // MaxParts of them fit into an uint64
)

// kindOf numbers the keys of members.
func (d *draft) kindOf(s *split) uint16 {
	if !s.compact {
		return broken
	}
	d.key = appendKeys(d.key[:0], s.members)
	kind, known := d.keys[string(d.key)]
	if !known {
		if kind = broken + 1 + uint16(len(d.keys)); kind >= 1<<kindBits {
			return broken
		}
		d.keys[string(d.key)] = kind
	}
	return kind
}

// join returns the shape of entries with a body; -1 if it makes no compact object, or
// there is no room.
func (d *draft) join(body parts) int {
	all := append(d.split[:0], member{key: "timestamp"})
	defer func() { d.split = all }()
	leaves := 1
	for _, p := range body {
		if p == 0 {
			continue
		}
		if d.kinds[p-1] == broken {
			return -1
		}
		s := d.members[p-1].fields()
		for _, m := range s.members {
			if hasKey(all, m.key) {
				return -1
			}
			all = append(all, m)
		}
		leaves += s.leaves
	}
	if leaves > MaxFields {
		return -1
	}
	return d.shapeFor(all)
}

// settle makes columns of what the entries' members say. A field that stands at
// one place alone has a code for each of the members there; any other has one for
// each row, as those of messages have.
func (d *draft) settle() {
	at := map[string]int{} // 1 + place; -1: several
	for k := range d.places {
		for _, m := range d.places[k].met {
			for _, f := range d.members[m].fields().members {
				if was := at[f.key]; was != k+1 && was != 0 {
					at[f.key] = -1
				} else if at[f.key] = k + 1; d.columns[d.byName[f.key]].codes != nil {
					at[f.key] = -1
				}
			}
		}
	}
	for k := range d.places {
		d.spread(k, at)
	}
	if ts, ok := d.byName["timestamp"]; ok && len(d.joined) > 0 {
		d.stamp(ts)
	}
	for s, columns := range d.shapes {
		for _, c := range columns {
			d.columns[c].present += d.counts[s]
		}
	}
}

// spread gives the fields of the members at a place their values.
func (d *draft) spread(k int, at map[string]int) {
	p := &d.places[k]
	if len(p.met) == 0 {
		return
	}
	codes := d.columns[p.column].codes
	d.columns[p.column].members = len(p.met)
	spread := map[int][]uint16{} // columns that need a code for each row: that of each of the members
	for j, m := range p.met {
		for _, f := range d.members[m].fields().members {
			i := d.byName[f.key]
			c := d.columns[i]
			if at[f.key] > 0 {
				if c.decided == nil {
					c.decider, c.decided = p.column, make([]uint16, len(p.met)+1)
				}
				c.decided[j+1] = c.code(f.token)
				continue
			}
			if spread[i] == nil {
				spread[i] = make([]uint16, len(p.met)+1)
			}
			spread[i][j+1] = c.code(f.token)
		}
	}
	for i, of := range spread {
		c := d.columns[i]
		if c.codes == nil {
			c.codes = d.encoder.blank(len(d.rows))
		}
		for row, code := range codes {
			if of[code] != 0 {
				c.codes[row] = of[code]
			}
		}
	}
}

// stamp gives the entries their timestamps.
func (d *draft) stamp(column int) {
	c := d.columns[column]
	code := c.code(sameTime)
	if !d.plain {
		return // all have it: see encoder.column
	}
	if c.codes == nil {
		c.codes = d.encoder.blank(len(d.rows))
	}
	for i := range d.rows {
		if d.rows[i].isEntry() && d.shape[i] != 0 && c.codes[i] == 0 {
			c.codes[i] = code
		}
	}
}

// streamNumbers gives the streams their order, by their IDs.
func (d *draft) streamNumbers() map[uint32]int64 {
	slices.SortFunc(d.streams, func(a, b streamPart) int { return cmp.Compare(a.stream, b.stream) })
	at := map[uint32]int64{}
	for k, p := range d.streams {
		at[p.stream] = int64(k)
	}
	return at
}
