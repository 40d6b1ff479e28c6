package mqtt

import (
	"encoding/binary"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Publish is an application message (section 3.3).
type Publish struct {
	Dup      bool
	QoS      QoS
	Retain   bool
	Topic    []byte // valid UTF-8; else unchecked, see [ParseTopicName]. May be empty in MQTT 5 beside a topic alias
	PacketID uint16 // 0 at QoS 0
	Props    Properties
	Payload  []byte
}

// Type returns TypePublish.
func (p *Publish) Type() PacketType { return TypePublish }

// Decode implements [Packet] and allocates nothing. It accepts QoS 2.
func (p *Publish) Decode(v Version, header byte, body []byte) error {
	if header>>4 != byte(TypePublish) || header&0x06 == 0x06 || !v.Supported() {
		return begin(v, TypePublish, header)
	}
	p.Dup, p.QoS, p.Retain = header&8 != 0, QoS(header>>1&3), header&1 != 0
	p.Topic, p.PacketID, p.Payload = nil, 0, nil
	p.Props.Reset()
	if len(body) > 2 { // the common packet, without a cursor
		end := 2 + int(binary.BigEndian.Uint16(body))
		at, id := end, uint16(0)
		if p.QoS > 0 && end+2 <= len(body) {
			at, id = end+2, binary.BigEndian.Uint16(body[end:])
		}
		bare := v == V311 || end > 2 && at < len(body) && body[at] == 0 // no properties
		if bare && at <= len(body) && (id != 0) == (p.QoS > 0) && ValidUTF8(body[2:end]) {
			if v == V5 {
				at++
			}
			p.Topic, p.PacketID, p.Payload = body[2:end:end], id, body[at:]
			return nil
		}
	}
	return p.decodeSlow(v, body)
}

// decodeSlow reads packets with properties, and finds what is wrong with others.
func (p *Publish) decodeSlow(v Version, body []byte) error {
	c := newCursor(v, TypePublish, body)
	p.Topic = c.text("the topic name", "MQTT-3.3.2-1")
	if p.QoS > 0 {
		p.PacketID = c.packetID()
	}
	if v == V5 {
		p.Props.decode(&c, TypePublish)
		if c.err == nil && len(p.Topic) == 0 && !p.Props.Has(PropTopicAlias) {
			c.fail(ProtocolError, "section 3.3.2.1", 0, "topic name is empty and there is no Topic Alias")
		}
	}
	if c.err != nil {
		return c.err
	}
	p.Payload = c.b[c.pos:]
	return nil
}

// CheckPayload returns a PayloadFormatInvalid *Error if the packet says that its
// payload is UTF-8 and it is not. Decode does not look: receivers may, but need
// not. Source: MQTT 5 section 3.3.2.3.2.
func (p *Publish) CheckPayload() error {
	if p.Props.Has(PropPayloadFormat) && p.Props.PayloadFormat == 1 && !utf8.Valid(p.Payload) {
		return &Error{Version: V5, Packet: TypePublish, Code: PayloadFormatInvalid, Rule: "section 3.3.2.3.2", Message: "payload is not UTF-8 as its Payload Format Indicator says"}
	}
	return nil
}

// Append implements [Packet] and allocates nothing beyond dst.
func (p *Publish) Append(dst []byte, v Version) ([]byte, error) {
	dst, _, err := p.AppendFrame(dst, v)
	return dst, err
}

// AppendFrame is Append for fan-out: idAt is where in the returned slice the
// packet identifier stands, -1 at QoS 0. Encode once with any identifier but 0,
// copy the frame for each receiver, and set its own with [SetPacketID].
func (p *Publish) AppendFrame(dst []byte, v Version) (frame []byte, idAt int, err error) {
	e := encoding{v: v, t: TypePublish}
	n, props := p.bodySize(&e)
	if dst, err = e.open(dst, p.flags(), n); err != nil {
		return dst, -1, err
	}
	dst = appendField(slices.Grow(dst, n), p.Topic)
	idAt = -1
	if p.QoS > 0 {
		idAt = len(dst)
		dst = appendU16(dst, p.PacketID)
	}
	if v == V5 {
		dst = p.Props.append(dst, props)
	}
	return append(dst, p.Payload...), idAt, nil
}

// Size is the number of bytes that Append would append, for comparison with a
// receiver's Maximum Packet Size; its errors are those of Append.
func (p *Publish) Size(v Version) (int, error) {
	e := encoding{v: v, t: TypePublish}
	n, _ := p.bodySize(&e)
	if n > MaxRemainingLength {
		e.fail(PacketTooLarge, "section 2.1.4", fmt.Sprintf("remaining length %d is above %d", n, MaxRemainingLength))
	}
	return 1 + varintSize(n) + n, nilable(e.err)
}

func (p *Publish) bodySize(e *encoding) (body, props int) {
	n := e.field("the topic name", p.Topic) + len(p.Payload)
	if p.QoS > 0 {
		e.id(p.PacketID)
		n += 2
	}
	if p.QoS > 2 {
		e.fail(MalformedPacket, "MQTT-3.3.1-4", "PUBLISH has QoS 3")
	}
	if e.v == V5 {
		props = p.Props.size(e, TypePublish)
		n += varintSize(props) + props
	}
	return n, props
}

func (p *Publish) flags() byte {
	f := byte(p.QoS) << 1
	if p.Dup {
		f |= 8
	}
	if p.Retain {
		f |= 1
	}
	return f
}

// SetPacketID writes the packet identifier into a frame of
// [Publish.AppendFrame]; it does nothing if idAt is negative (QoS 0).
func SetPacketID(frame []byte, idAt int, id uint16) {
	if idAt >= 0 {
		binary.BigEndian.PutUint16(frame[idAt:], id)
	}
}
