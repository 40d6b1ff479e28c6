package messagelog

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/packed"
)

// The first byte of a stored value tells its form, so that a later one can change it.
const (
	bodyForm    = 1
	messageForm = 1
	sessionForm = 1
)

// errStored is what a value on disk that cannot be read gives: it passed the checksums of the store,
// so it is from another version.
var errStored = errors.New("message log: stored value of an unknown form")

const flagRetain = 1 << 2 // beside the two bits of the QoS

// millis is t as stored: 0 for the zero time.
func millis(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(1, t.UnixMilli()))
}

func fromMillis(ms uint64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms))
}

func uvarintLen(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

// bodyLen is how many bytes appendBody adds.
func bodyLen(m *Message) int {
	return 2 + uvarintLen(millis(m.Published)) + uvarintLen(millis(m.Expires)) +
		uvarintLen(uint64(len(m.Topic))) + uvarintLen(uint64(len(m.Properties))) + m.size()
}

// size is what a message counts for in a queue, in bytes.
func (m *Message) size() int { return len(m.Topic) + len(m.Properties) + len(m.Payload) }

func appendBody(b []byte, m *Message) []byte {
	head := m.QoS & 3
	if m.Retain {
		head |= flagRetain
	}
	b = append(b, bodyForm, head)
	b = binary.AppendUvarint(b, millis(m.Published))
	b = binary.AppendUvarint(b, millis(m.Expires))
	b = binary.AppendUvarint(b, uint64(len(m.Topic)))
	b = append(b, m.Topic...)
	b = binary.AppendUvarint(b, uint64(len(m.Properties)))
	b = append(b, m.Properties...)
	return append(b, m.Payload...)
}

// decodeBody reads what appendBody wrote. m aliases b; the topic is like's if it is the same.
func decodeBody(b []byte, like string) (m Message, err error) {
	r := packed.Reader{B: b}
	form, head := r.Byte(), r.Byte()
	m.QoS, m.Retain = head&3, head&flagRetain != 0
	m.Published, m.Expires = fromMillis(r.Uvarint()), fromMillis(r.Uvarint())
	topic := r.Bytes()
	if m.Topic = like; string(topic) != like {
		m.Topic = string(topic)
	}
	m.Properties = r.Bytes()
	m.Payload = r.B
	if r.Bad || form != bodyForm {
		return Message{}, errStored
	}
	return m, nil
}

// seconds is a time in 32 bits, rounded up, for what is kept in memory; 0 is never.
func seconds(t time.Time) uint32 {
	if t.IsZero() {
		return 0
	}
	return uint32(min(max(1, (t.UnixMilli()+999)/1000), 1<<32-1))
}

// inlineBytes is the size up to which a message's body lies beside its references: one key less to
// write and to remove. The bodies of larger ones would slow the start, which reads all references.
const inlineBytes = 1 << 10

// A head is what is stored of a message before its body.
type head struct {
	size    uint32 // of topic, properties and payload
	expires uint32 // seconds since 1970, 0 never
	queues  uint32 // how many
	refs    []byte // appendRef for each
}

func (h *head) len() int {
	return 1 + uvarintLen(uint64(h.size)) + uvarintLen(uint64(h.expires)) + uvarintLen(uint64(h.queues)) + len(h.refs)
}

func appendHead(b []byte, h *head) []byte {
	b = append(b, messageForm)
	b = binary.AppendUvarint(b, uint64(h.size))
	b = binary.AppendUvarint(b, uint64(h.expires))
	b = binary.AppendUvarint(b, uint64(h.queues))
	return append(b, h.refs...)
}

func appendRef(b []byte, r Reference) []byte {
	return binary.AppendUvarint(b, uint64(r.Queue)<<3|uint64(r.Flags&MaxFlags))
}

// decodeHead reads what appendHead wrote, but for h.refs: it calls each for each reference, which may
// look at the rest of h. It returns what follows, the body if it is inline.
func decodeHead(b []byte, h *head, each func(Reference)) (body []byte, err error) {
	r := packed.Reader{B: b}
	form, size, expires, queues := r.Byte(), r.Uvarint(), r.Uvarint(), r.Uvarint()
	if r.Bad || form != messageForm || max(size, expires, queues) > 1<<32-1 {
		return nil, errStored
	}
	*h = head{size: uint32(size), expires: uint32(expires), queues: uint32(queues)}
	for range queues {
		v := r.Uvarint()
		if r.Bad {
			return nil, errStored
		}
		each(Reference{Queue: QueueID(v >> 3), Flags: byte(v & MaxFlags)})
	}
	return r.B, nil
}
