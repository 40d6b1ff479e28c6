package messagelog

import "sort"

// What a queue holds is kept in memory as positions alone, four bytes each, in blocks that begin at
// a position of their own. An entry is removed by a mark, and the marked ones at the front go.
const (
	entryFlags   = MaxFlags
	entryRemoved = 1 << 3
	entryNoted   = 1 << 4 // a key on disk tells that it is removed
	entryShift   = 5
	maxOffset    = 1<<(32-entryShift) - 1
	blockEntries = 128
)

type block struct {
	base    Seq
	entries []uint32 // guarded by the log's mutex, as all here
}

type queue struct {
	id       QueueID
	blocks   []block
	first    int // entries of the first block before this one are gone
	messages int // not removed
	bytes    int64
	last     Seq  // greatest ever put in
	dirty    bool // its cursor must be written
	dropped  bool // it is gone, and gets no cursor
}

// push adds s behind all others; false: it is there already.
func (q *queue) push(s Seq, flags uint32) bool {
	if s <= q.last {
		return false
	}
	q.last = s
	n := len(q.blocks)
	if n == 0 || len(q.blocks[n-1].entries) == blockEntries || s-q.blocks[n-1].base > maxOffset {
		q.blocks = append(q.blocks, block{base: s})
		n++
	}
	b := &q.blocks[n-1]
	b.entries = append(b.entries, uint32(s-b.base)<<entryShift|flags)
	return true
}

// at finds the first entry at or behind s: of which block, and where in it.
func (q *queue) at(s Seq) (i, j int) {
	if len(q.blocks) == 0 {
		return 0, 0
	}
	i = max(0, sort.Search(len(q.blocks), func(i int) bool { return q.blocks[i].base > s })-1)
	b := &q.blocks[i]
	from := 0
	if i == 0 {
		from = q.first
	}
	j = from + sort.Search(len(b.entries)-from, func(j int) bool { return b.seq(from+j) >= s })
	return i, j
}

func (b *block) seq(j int) Seq { return b.base + Seq(b.entries[j]>>entryShift) }

// find returns the entry of s if q holds it.
func (q *queue) find(s Seq) *uint32 {
	i, j := q.at(s)
	if i >= len(q.blocks) || j >= len(q.blocks[i].entries) || q.blocks[i].seq(j) != s {
		return nil
	}
	if e := &q.blocks[i].entries[j]; *e&entryRemoved == 0 {
		return e
	}
	return nil
}

// after calls each for the entries behind s in order, until it answers false.
func (q *queue) after(s Seq, each func(s Seq, flags byte) bool) {
	i, j := q.at(s + 1)
	for ; i < len(q.blocks); i, j = i+1, 0 {
		b := &q.blocks[i]
		for ; j < len(b.entries); j++ {
			if e := b.entries[j]; e&entryRemoved == 0 && !each(b.seq(j), byte(e&entryFlags)) {
				return
			}
		}
	}
}

// trim drops removed entries from the front, and calls noted for those that a key tells of.
func (q *queue) trim(noted func(Seq)) {
	for len(q.blocks) > 0 {
		b := &q.blocks[0]
		for q.first < len(b.entries) {
			e := b.entries[q.first]
			if e&entryRemoved == 0 {
				return
			}
			if e&entryNoted != 0 {
				noted(b.seq(q.first))
			}
			q.first++
		}
		*b = block{}
		q.blocks = q.blocks[1:]
		q.first = 0
	}
	q.blocks = nil
}

// cursor is the position up to which nothing is left.
func (q *queue) cursor() Seq {
	if len(q.blocks) == 0 {
		return q.last
	}
	return q.blocks[0].seq(q.first) - 1
}

// front tells whether no entry before s is left. The first entry is one that is not removed, or
// that was just now.
func (q *queue) front(s Seq) bool { return q.blocks[0].seq(q.first) >= s }
