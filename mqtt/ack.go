package mqtt

import "encoding/binary"

// Puback acknowledges a QoS 1 PUBLISH (section 3.4).
type Puback struct {
	PacketID uint16
	Reason   ReasonCode // MQTT 5; always Success in MQTT 3.1.1
	Props    Properties
}

// Pubrec is the first answer to a QoS 2 PUBLISH (section 3.5).
type Pubrec Puback

// Pubrel releases a QoS 2 message (section 3.6).
type Pubrel Puback

// Pubcomp completes a QoS 2 delivery (section 3.7).
type Pubcomp Puback

// Type returns TypePuback.
func (p *Puback) Type() PacketType { return TypePuback }

// Decode implements [Packet] and allocates nothing.
func (p *Puback) Decode(v Version, header byte, body []byte) error {
	return decodeAck(p, v, TypePuback, header, body)
}

// Append implements [Packet].
func (p *Puback) Append(dst []byte, v Version) ([]byte, error) {
	return appendAck(p, dst, v, TypePuback)
}

// Type returns TypePubrec.
func (p *Pubrec) Type() PacketType { return TypePubrec }

// Decode implements [Packet] and allocates nothing.
func (p *Pubrec) Decode(v Version, header byte, body []byte) error {
	return decodeAck((*Puback)(p), v, TypePubrec, header, body)
}

// Append implements [Packet].
func (p *Pubrec) Append(dst []byte, v Version) ([]byte, error) {
	return appendAck((*Puback)(p), dst, v, TypePubrec)
}

// Type returns TypePubrel.
func (p *Pubrel) Type() PacketType { return TypePubrel }

// Decode implements [Packet] and allocates nothing.
func (p *Pubrel) Decode(v Version, header byte, body []byte) error {
	return decodeAck((*Puback)(p), v, TypePubrel, header, body)
}

// Append implements [Packet].
func (p *Pubrel) Append(dst []byte, v Version) ([]byte, error) {
	return appendAck((*Puback)(p), dst, v, TypePubrel)
}

// Type returns TypePubcomp.
func (p *Pubcomp) Type() PacketType { return TypePubcomp }

// Decode implements [Packet] and allocates nothing.
func (p *Pubcomp) Decode(v Version, header byte, body []byte) error {
	return decodeAck((*Puback)(p), v, TypePubcomp, header, body)
}

// Append implements [Packet].
func (p *Pubcomp) Append(dst []byte, v Version) ([]byte, error) {
	return appendAck((*Puback)(p), dst, v, TypePubcomp)
}

func decodeAck(p *Puback, v Version, t PacketType, header byte, body []byte) error {
	if err := begin(v, t, header); err != nil {
		return err
	}
	p.PacketID, p.Reason = 0, Success
	p.Props.Reset()
	if len(body) == 2 {
		if p.PacketID = binary.BigEndian.Uint16(body); p.PacketID != 0 {
			return nil
		}
	}
	c := newCursor(v, t, body)
	p.PacketID = c.packetID()
	if v == V5 && c.left() > 0 { // both the reason and the properties may be left out
		p.Reason = c.reason()
		if c.left() > 0 {
			p.Props.decode(&c, t)
		}
	}
	return c.end()
}

func appendAck(p *Puback, dst []byte, v Version, t PacketType) ([]byte, error) {
	e := encoding{v: v, t: t}
	e.id(p.PacketID)
	n, props, long := 2, 0, false
	if v == V5 {
		e.reason(p.Reason)
		if p.Reason != Success {
			n++
		}
		if props = p.Props.size(&e, t); props > 0 {
			long = true
			n = 3 + varintSize(props) + props
		}
	}
	dst, err := e.open(dst, headerFlags[t], n)
	if err != nil {
		return dst, err
	}
	dst = appendU16(dst, p.PacketID)
	if n > 2 {
		dst = append(dst, byte(p.Reason))
	}
	if long {
		dst = p.Props.append(dst, props)
	}
	return dst, nil
}

// AppendAck appends a PUBACK, PUBREC, PUBREL or PUBCOMP without properties; in
// MQTT 3.1.1 the reason is left out. It is the fast way to acknowledge: it
// checks nothing, id must not be 0 and t must be one of the four.
func AppendAck(dst []byte, v Version, t PacketType, id uint16, reason ReasonCode) []byte {
	first := byte(t)<<4 | headerFlags[t&15]
	if v != V5 || reason == Success {
		return append(dst, first, 2, byte(id>>8), byte(id))
	}
	return append(dst, first, 3, byte(id>>8), byte(id), byte(reason))
}

// reason reads a reason code and checks that it may be in this packet.
func (c *cursor) reason() ReasonCode {
	r := ReasonCode(c.u8("the reason code"))
	if c.err == nil && !r.ValidIn(c.v, c.t) {
		c.fail(ProtocolError, reasonRule(c.v, c.t), c.pos-1, badReason(c.t, r))
	}
	return r
}

// reason checks a code that is about to be sent.
func (e *encoding) reason(r ReasonCode) {
	if !r.ValidIn(e.v, e.t) {
		e.fail(ProtocolError, reasonRule(e.v, e.t), badReason(e.t, r))
	}
}
