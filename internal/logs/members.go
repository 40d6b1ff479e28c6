package logs

import "sync/atomic"

// A Body is what an entry says beside its time, which many entries share: those of
// one connection, topic and kind of event. Make it with [NewBody].
type Body struct {
	parts [MaxParts]*Members
	size  int           // of the message of an entry
	place atomic.Uint64 // where it is in the last tail that took it: the tail's number, and its index
}

// NewBody returns the body with these members, of which some may be nil, but not
// the first. Those that say the same kind of thing stand at the same place in all
// bodies: a block has a column for each place.
func NewBody(members [MaxParts]*Members) *Body {
	b := &Body{parts: members, size: stampSize + 1}
	for _, m := range members {
		if m != nil {
			b.size += 1 + len(m.text)
		}
	}
	return b
}

// Members are some members of a JSON object, in a row, that entries share: what
// they all say of one connection, one topic, one kind of event. Their text is
// kept once for all of them, and looked into once a block.
type Members struct {
	text  string
	split atomic.Pointer[split]
	place atomic.Uint64 // where they are in the last tail that took them: its number, and 1 + their index
}

// split is what a text of members says.
type split struct {
	members []member
	leaves  int
	compact bool // else members are not known
}

// NewMembers returns the members of a text such as
//
//	"clientId":"boiler-12","sourcePort":52044
//
// which is compact JSON without the braces; "" is none. No entry has two members
// of a name, or a second timestamp.
func NewMembers(text string) *Members { return &Members{text: text} }

// MaxParts is how many Members a [Body] has at most.
const MaxParts = 6

// An Entry is an event whose message is a JSON object: its own time as
// "timestamp", then the members of its body.
type Entry struct {
	Time int64 // epoch milliseconds
	Body *Body
}

// String is the message of the entry.
func (e *Entry) String() string { return string(e.AppendTo(make([]byte, 0, e.Body.size))) }

// AppendTo appends the message of the entry.
func (e *Entry) AppendTo(b []byte) []byte {
	b = appendStamp(b, e.Time)
	for _, m := range e.Body.parts {
		b = m.appendTo(b)
	}
	return append(b, '}')
}

// stampSize is how long what appendStamp appends is, but for times far away.
const stampSize = len(`{"timestamp":`) + len(timeText) + 2

// appendStamp begins the message of an entry.
func appendStamp(b []byte, ms int64) []byte {
	return appendTimeToken(append(b, `{"timestamp":`...), ms)
}

func (m *Members) appendTo(b []byte) []byte {
	if m == nil || m.text == "" {
		return b
	}
	return append(append(b, ','), m.text...)
}

// fields looks into the members, the first time only.
func (m *Members) fields() *split {
	s := m.split.Load()
	if s == nil {
		s = &split{compact: true}
		if m.text != "" {
			s.members, s.leaves, s.compact = splitCompact("{"+m.text+"}", nil)
		}
		m.split.Store(s)
	}
	return s
}

// value returns the value of a field, or of the leaf at a path within it.
func (s *split) value(top, path string, nested bool) (value string, present bool) {
	for _, m := range s.members {
		if m.key == top {
			return leaf(m.token, path, nested)
		}
	}
	return "", false
}

// tailNumber numbers the tails of this process.
var tailNumber atomic.Uint32

// bodyOf returns the index of b in the tail, which takes it up if it is new, or
// was last taken by another tail. The caller holds group.mu.
func (t *tail) bodyOf(b *Body) uint32 {
	place := b.place.Load()
	if uint32(place>>32) == t.number {
		return uint32(place)
	}
	var p parts
	for k, m := range b.parts {
		p[k] = t.indexOf(m)
	}
	i := uint32(len(t.bodies))
	t.bodies = append(t.bodies, p)
	b.place.Store(uint64(t.number)<<32 | uint64(i))
	return i
}

// indexOf returns 1 + the index of m in the tail, which takes it up if it is new.
// The caller holds group.mu.
func (t *tail) indexOf(m *Members) uint32 {
	if m == nil {
		return 0
	}
	place := m.place.Load()
	if uint32(place>>32) == t.number {
		return uint32(place)
	}
	i, known := t.index[m] // another tail has taken it since
	if !known {
		t.members = append(t.members, m)
		i = uint32(len(t.members))
		t.index[m] = i
	}
	m.place.Store(uint64(t.number)<<32 | uint64(i))
	return i
}

// forgetFrom takes the members from an index on out of the tail again.
func (t *tail) forgetFrom(n int) {
	for _, m := range t.members[n:] {
		delete(t.index, m)
		m.place.Store(0)
	}
	clear(t.members[n:])
	t.members = t.members[:n]
}
