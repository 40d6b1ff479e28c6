package mqtt

import (
	"bytes"
	"fmt"
)

// Subscribe asks for messages (section 3.8).
type Subscribe struct {
	PacketID uint16
	Props    Properties
	Filters  []Subscription // at least one
}

// Subscription is one filter of a SUBSCRIBE with its options; MQTT 3.1.1 knows
// only the QoS.
type Subscription struct {
	Filter            []byte // valid UTF-8; else unchecked, see [ParseTopicFilter]
	QoS               QoS    // requested maximum
	NoLocal           bool
	RetainAsPublished bool
	RetainHandling    byte // 0 send retained messages, 1 only for a new subscription, 2 never
}

// Subscription options, MQTT 5 section 3.8.3.1.
const (
	optionNoLocal   = 0x04
	optionRetainAs  = 0x08
	optionRetain    = 0x30
	optionsReserved = 0xC0
)

// Type returns TypeSubscribe.
func (p *Subscribe) Type() PacketType { return TypeSubscribe }

// Decode implements [Packet]. It accepts QoS 2.
func (p *Subscribe) Decode(v Version, header byte, body []byte) error {
	if err := begin(v, TypeSubscribe, header); err != nil {
		return err
	}
	p.Filters = p.Filters[:0]
	p.Props.Reset()
	c := newCursor(v, TypeSubscribe, body)
	p.PacketID = c.packetID()
	if v == V5 {
		p.Props.decode(&c, TypeSubscribe)
	}
	if c.err == nil && c.left() == 0 {
		c.fail(ProtocolError, pick(v, "MQTT-3.8.3-3", "MQTT-3.8.3-2"), c.pos, "there is no topic filter")
	}
	for c.err == nil && c.left() > 0 {
		s := Subscription{Filter: c.text("a topic filter", "MQTT-3.8.3-1")}
		s.decodeOptions(&c)
		if c.err == nil {
			p.Filters = append(p.Filters, s)
		}
	}
	return c.end()
}

func (s *Subscription) decodeOptions(c *cursor) {
	at := c.pos
	o := c.u8("the options of a topic filter")
	if c.err != nil {
		return
	}
	s.QoS = QoS(o & 3)
	reserved := byte(0xFC)
	if c.v == V5 {
		reserved = optionsReserved
		s.NoLocal, s.RetainAsPublished, s.RetainHandling = o&optionNoLocal != 0, o&optionRetainAs != 0, o&optionRetain>>4
	}
	switch {
	case o&reserved != 0:
		c.malformed(pick(c.v, "MQTT-3.8.3-4", "MQTT-3.8.3-5"), at, "reserved bits of the options 0x%02X are set", o)
	case s.QoS == 3 && c.v == V311:
		c.malformed("MQTT-3.8.3-4", at, "requested QoS is 3")
	case s.QoS == 3:
		c.fail(ProtocolError, "section 3.8.3.1", at, "requested maximum QoS is 3")
	case s.RetainHandling == 3:
		c.fail(ProtocolError, "section 3.8.3.1", at, "retain handling is 3")
	case s.NoLocal && bytes.HasPrefix(s.Filter, []byte(sharePrefix)):
		c.fail(ProtocolError, "MQTT-3.8.3-4", at, "no local is set on a shared subscription")
	}
}

// Append implements [Packet].
func (p *Subscribe) Append(dst []byte, v Version) ([]byte, error) {
	e := encoding{v: v, t: TypeSubscribe}
	e.id(p.PacketID)
	n, props := 2, 0
	if v == V5 {
		props = p.Props.size(&e, TypeSubscribe)
		n += varintSize(props) + props
	}
	if len(p.Filters) == 0 {
		e.fail(ProtocolError, pick(v, "MQTT-3.8.3-3", "MQTT-3.8.3-2"), "there is no topic filter")
	}
	for _, s := range p.Filters {
		n += e.field("a topic filter", s.Filter) + 1
		if s.QoS > 2 || s.RetainHandling > 2 {
			e.fail(ProtocolError, "section 3.8.3.1", fmt.Sprintf("requested QoS is %d, retain handling %d", s.QoS, s.RetainHandling))
		}
	}
	dst, err := e.open(dst, headerFlags[TypeSubscribe], n)
	if err != nil {
		return dst, err
	}
	dst = appendU16(dst, p.PacketID)
	if v == V5 {
		dst = p.Props.append(dst, props)
	}
	for _, s := range p.Filters {
		dst = append(appendField(dst, s.Filter), s.options(v))
	}
	return dst, nil
}

func (s *Subscription) options(v Version) byte {
	o := byte(s.QoS)
	if v != V5 {
		return o
	}
	if s.NoLocal {
		o |= optionNoLocal
	}
	if s.RetainAsPublished {
		o |= optionRetainAs
	}
	return o | s.RetainHandling<<4
}

// Unsubscribe ends subscriptions (section 3.10).
type Unsubscribe struct {
	PacketID uint16
	Props    Properties
	Filters  [][]byte // at least one; valid UTF-8, else unchecked
}

// Type returns TypeUnsubscribe.
func (p *Unsubscribe) Type() PacketType { return TypeUnsubscribe }

// Decode implements [Packet].
func (p *Unsubscribe) Decode(v Version, header byte, body []byte) error {
	if err := begin(v, TypeUnsubscribe, header); err != nil {
		return err
	}
	p.Filters = p.Filters[:0]
	p.Props.Reset()
	c := newCursor(v, TypeUnsubscribe, body)
	p.PacketID = c.packetID()
	if v == V5 {
		p.Props.decode(&c, TypeUnsubscribe)
	}
	if c.err == nil && c.left() == 0 {
		c.fail(ProtocolError, "MQTT-3.10.3-2", c.pos, "there is no topic filter")
	}
	for c.err == nil && c.left() > 0 {
		if f := c.text("a topic filter", "MQTT-3.10.3-1"); c.err == nil {
			p.Filters = append(p.Filters, f)
		}
	}
	return c.end()
}

// Append implements [Packet].
func (p *Unsubscribe) Append(dst []byte, v Version) ([]byte, error) {
	e := encoding{v: v, t: TypeUnsubscribe}
	e.id(p.PacketID)
	n, props := 2, 0
	if v == V5 {
		props = p.Props.size(&e, TypeUnsubscribe)
		n += varintSize(props) + props
	}
	if len(p.Filters) == 0 {
		e.fail(ProtocolError, "MQTT-3.10.3-2", "there is no topic filter")
	}
	for _, f := range p.Filters {
		n += e.field("a topic filter", f)
	}
	dst, err := e.open(dst, headerFlags[TypeUnsubscribe], n)
	if err != nil {
		return dst, err
	}
	dst = appendU16(dst, p.PacketID)
	if v == V5 {
		dst = p.Props.append(dst, props)
	}
	for _, f := range p.Filters {
		dst = appendField(dst, f)
	}
	return dst, nil
}
