package broker

import (
	"encoding/binary"
	"time"
)

// A Message is one publish on its way to its receivers. Its slices are borrowed: whoever keeps
// them past [Batch.Publish] must copy them.
type Message struct {
	Payload []byte
	QoS     byte // 0 or 1
	Retain  bool
	// Properties are the MQTT 5 properties that travel with the message, encoded, without their
	// length, and without the message expiry and topic alias.
	Properties []byte
	// Expires is when the message is no longer worth delivering; zero: never.
	Expires time.Time
	// Trace is the ID under which its way can be followed; empty without one. It is not stored.
	Trace string
}

// Options are what a subscription asks for.
type Options struct {
	QoS               byte // 0 or 1
	NoLocal           bool
	RetainAsPublished bool
}

// A frame is an encoded PUBLISH. It is made once for each kind of receiver, and shared.
type frame struct {
	data []byte
	id   int // offset of the packet identifier; 0 at QoS 0
	// expiry is the offset of the four bytes of the message expiry interval, 0 without one.
	expiry  int
	expires time.Time
	payload int
	topic   string
	trace   string
	copy    *groupCopy // to hand over; nil: not of a shared subscription that has no queue
}

// held is the memory of a frame that waits, in bytes.
func (f *frame) held() int { return len(f.data) + f.copy.size() }

// encode encodes a PUBLISH as MQTT 5 or 3.1.1 to f.data[:0]. The packet identifier stays 0.
func (f *frame) encode(m *Message, topic string, v5, retain bool, qos byte, now time.Time) {
	size := 2 + len(topic) + len(m.Payload)
	if qos > 0 {
		size += 2
	}
	props := 0
	if v5 {
		props = len(m.Properties)
		if !m.Expires.IsZero() {
			props += 5
		}
		size += varintLen(props) + props
	}
	b := f.data[:0]
	head := byte(0x30) | qos<<1
	if retain {
		head |= 1
	}
	b = append(b, head)
	b = binary.AppendUvarint(b, uint64(size)) // the remaining length has the same form below 2^28
	b = binary.BigEndian.AppendUint16(b, uint16(len(topic)))
	b = append(b, topic...)
	f.id, f.expiry = 0, 0
	if qos > 0 {
		f.id = len(b)
		b = append(b, 0, 0)
	}
	if v5 {
		b = binary.AppendUvarint(b, uint64(props))
		if !m.Expires.IsZero() {
			b = append(b, 0x02)
			f.expiry = len(b)
			b = binary.BigEndian.AppendUint32(b, remaining(m.Expires, now))
		}
		b = append(b, m.Properties...)
	}
	f.data = append(b, m.Payload...)
	f.expires, f.payload, f.topic, f.trace = m.Expires, len(m.Payload), topic, m.Trace
}

// remaining is the message expiry interval that is left, in whole seconds rounded down.
func remaining(expires, now time.Time) uint32 {
	return uint32(max(0, expires.Sub(now)/time.Second))
}

func varintLen(n int) int {
	switch {
	case n < 1<<7:
		return 1
	case n < 1<<14:
		return 2
	case n < 1<<21:
		return 3
	}
	return 4
}

// Kinds of frame: MQTT 5 or not, QoS 1 or 0, retain flag or not.
const (
	kindRetain = 1 << iota
	kindQoS1
	kindV5
	kinds
)
