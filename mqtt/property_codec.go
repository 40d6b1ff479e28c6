package mqtt

import (
	"bytes"
	"fmt"
	"math/bits"
)

// decode reads a property block. which selects the allowed ones: the packet
// type, or typeWill.
func (p *Properties) decode(c *cursor, which PacketType) {
	p.Reset()
	size := c.varint("the property length")
	if c.err != nil || size == 0 {
		return
	}
	if size > c.left() {
		c.short("the properties", size)
		return
	}
	whole := c.b
	c.b = c.b[:c.pos+size] // properties may not run over their block
	for c.err == nil && c.left() > 0 {
		p.decodeOne(c, which)
	}
	if c.err == nil {
		c.b = whole
		if p.Has(PropAuthData) && !p.Has(PropAuthMethod) {
			c.fail(ProtocolError, "section 3.1.2.11.10", c.pos-size, "Authentication Data without Authentication Method")
		}
	}
}

func (p *Properties) decodeOne(c *cursor, which PacketType) {
	at := c.pos
	n := c.varint("a property identifier")
	if c.err != nil {
		return
	}
	if n >= len(properties) || properties[n].kind == kindNone {
		c.malformed("section 2.2.2.2", at, "property 0x%02X does not exist", n)
		return
	}
	id := PropertyID(n)
	repeatable := id == PropUser || id == PropSubscriptionID && which == TypePublish
	switch {
	case allowed[which]&(1<<id) == 0:
		c.malformed("section 2.2.2.2", at, "%s is not a property of %s", id, owner(c.t, which))
		return
	case p.Has(id) && !repeatable:
		c.fail(ProtocolError, "section 2.2.2.2", at, fmt.Sprintf("%s is there twice", id))
		return
	}
	what := properties[id].name
	switch properties[id].kind {
	case kindNone: // refused above
	case kindBool:
		p.take(c, id, at, uint32(c.u8(what)))
	case kindU16:
		p.take(c, id, at, uint32(c.u16(what)))
	case kindU32:
		p.take(c, id, at, c.u32(what))
	case kindVarint:
		if v := c.varint(what); c.err == nil {
			if v == 0 {
				c.fail(ProtocolError, "section 3.8.2.1.2", at, "Subscription Identifier is 0")
			}
			p.SubscriptionIDs = append(p.SubscriptionIDs, uint32(v))
		}
	case kindText:
		b := c.text(what, "MQTT-1.5.4-1")
		if id == PropResponseTopic && bytes.ContainsAny(b, "+#") {
			c.fail(ProtocolError, "MQTT-3.3.2-14", at, "Response Topic contains a wildcard")
		}
		*p.text(id) = b
		p.mark(id)
	case kindBinary:
		*p.text(id) = c.bytes(what)
		p.mark(id)
	case kindPair:
		u := UserProperty{Name: c.text("a User Property's name", "MQTT-1.5.7-1")}
		u.Value = c.text("a User Property's value", "MQTT-1.5.7-1")
		if c.err == nil {
			p.User = append(p.User, u)
		}
	}
}

// take checks the range of a number and stores it.
func (p *Properties) take(c *cursor, id PropertyID, at int, v uint32) {
	if c.err != nil {
		return
	}
	switch {
	case properties[id].kind == kindBool && v > 1:
		c.fail(ProtocolError, "section 2.2.2.2", at, fmt.Sprintf("%s is %d, must be 0 or 1", id, v))
	case v == 0 && id == PropTopicAlias:
		c.fail(TopicAliasInvalid, "MQTT-3.3.2-8", at, "Topic Alias is 0")
	case v == 0 && id == PropReceiveMaximum:
		c.fail(ProtocolError, "section 3.1.2.11.3", at, "Receive Maximum is 0")
	case v == 0 && id == PropMaximumPacketSize:
		c.fail(ProtocolError, "section 3.1.2.11.4", at, "Maximum Packet Size is 0")
	}
	p.setNumber(id, v)
	p.mark(id)
}

func owner(t, which PacketType) string {
	if which == typeWill {
		return "a will"
	}
	return t.String()
}

// size returns the length of the encoded properties without their length, and
// reports to e what cannot be encoded.
func (p *Properties) size(e *encoding, which PacketType) int {
	set := p.set()
	if set == 0 {
		return 0
	}
	if bad := set &^ allowed[which]; bad != 0 {
		e.fail(MalformedPacket, "section 2.2.2.2",
			fmt.Sprintf("%s is not a property of %s", PropertyID(bits.TrailingZeros64(bad)), owner(e.t, which)))
		return 0
	}
	if which == TypeSubscribe && len(p.SubscriptionIDs) > 1 {
		e.fail(ProtocolError, "section 3.8.2.1.2", "Subscription Identifier is there twice")
	}
	n := 0
	for s := set; s != 0; s &= s - 1 {
		switch id := PropertyID(bits.TrailingZeros64(s)); properties[id].kind {
		case kindNone: // never allowed
		case kindBool:
			n += 2
		case kindU16:
			n += 3
		case kindU32:
			n += 5
		case kindVarint:
			for _, v := range p.SubscriptionIDs {
				if v == 0 || v > MaxRemainingLength {
					e.fail(ProtocolError, "section 3.8.2.1.2", fmt.Sprintf("Subscription Identifier is %d", v))
				}
				n += 1 + varintSize(int(v))
			}
		case kindText, kindBinary:
			n += 1 + e.field(properties[id].name, *p.text(id))
		case kindPair:
			for _, u := range p.User {
				n += 1 + e.field("a User Property's name", u.Name) + e.field("a User Property's value", u.Value)
			}
		}
	}
	return n
}

// order groups the properties by when they are written; within a group the
// order is that of their identifiers. It makes a CONNACK byte for byte AWS's
// reference, and puts User Properties last. Source: mqtt sheet 3.
var order = [...]uint64{
	(1<<PropTopicAliasMaximum-1)&^late | propSet(PropTopicAlias, PropMaximumQoS, PropRetainAvailable, PropMaximumPacketSize),
	propSet(PropTopicAliasMaximum),
	propSet(PropWildcardAvailable, PropSubscriptionAvailable, PropSharedAvailable),
	late,
}

const late = 1<<PropServerKeepAlive | 1<<PropUser

// append appends the property length and the properties. size must have
// accepted them.
func (p *Properties) append(dst []byte, size int) []byte {
	dst = appendVarint(dst, size)
	set := p.set()
	if set == 0 {
		return dst
	}
	for _, group := range order {
		for s := set & group; s != 0; s &= s - 1 {
			dst = p.appendOne(dst, PropertyID(bits.TrailingZeros64(s)))
		}
	}
	return dst
}

func (p *Properties) appendOne(dst []byte, id PropertyID) []byte {
	switch properties[id].kind {
	case kindNone: // never allowed
	case kindBool:
		return append(dst, byte(id), byte(p.number(id)))
	case kindU16:
		return appendU16(append(dst, byte(id)), uint16(p.number(id)))
	case kindU32:
		return appendU32(append(dst, byte(id)), p.number(id))
	case kindVarint:
		for _, v := range p.SubscriptionIDs {
			dst = appendVarint(append(dst, byte(id)), int(v))
		}
	case kindText, kindBinary:
		return appendField(append(dst, byte(id)), *p.text(id))
	case kindPair:
		for _, u := range p.User {
			dst = appendField(appendField(append(dst, byte(id)), u.Name), u.Value)
		}
	}
	return dst
}

// text points to the value of a string or binary property, nil for others.
func (p *Properties) text(id PropertyID) *[]byte {
	switch id {
	case PropContentType:
		return &p.ContentType
	case PropResponseTopic:
		return &p.ResponseTopic
	case PropCorrelationData:
		return &p.CorrelationData
	case PropAssignedClientID:
		return &p.AssignedClientID
	case PropAuthMethod:
		return &p.AuthMethod
	case PropAuthData:
		return &p.AuthData
	case PropResponseInfo:
		return &p.ResponseInfo
	case PropServerReference:
		return &p.ServerReference
	case PropReasonString:
		return &p.ReasonString
	default:
		return nil
	}
}

// number returns the value of a numeric property as it goes on the wire.
func (p *Properties) number(id PropertyID) uint32 {
	switch id {
	case PropPayloadFormat:
		return uint32(p.PayloadFormat)
	case PropMessageExpiry:
		return p.MessageExpiry
	case PropSessionExpiry:
		return p.SessionExpiry
	case PropServerKeepAlive:
		return uint32(p.ServerKeepAlive)
	case PropRequestProblemInfo:
		return flag(p.RequestProblemInfo)
	case PropWillDelay:
		return p.WillDelay
	case PropRequestResponseInfo:
		return flag(p.RequestResponseInfo)
	case PropReceiveMaximum:
		return uint32(p.ReceiveMaximum)
	case PropTopicAliasMaximum:
		return uint32(p.TopicAliasMaximum)
	case PropTopicAlias:
		return uint32(p.TopicAlias)
	case PropMaximumQoS:
		return uint32(p.MaximumQoS)
	case PropRetainAvailable:
		return flag(p.RetainAvailable)
	case PropMaximumPacketSize:
		return p.MaximumPacketSize
	case PropWildcardAvailable:
		return flag(p.WildcardAvailable)
	case PropSubscriptionAvailable:
		return flag(p.SubscriptionAvailable)
	case PropSharedAvailable:
		return flag(p.SharedAvailable)
	default:
		return 0
	}
}

func (p *Properties) setNumber(id PropertyID, v uint32) {
	switch id {
	case PropPayloadFormat:
		p.PayloadFormat = byte(v)
	case PropMessageExpiry:
		p.MessageExpiry = v
	case PropSessionExpiry:
		p.SessionExpiry = v
	case PropServerKeepAlive:
		p.ServerKeepAlive = uint16(v)
	case PropRequestProblemInfo:
		p.RequestProblemInfo = v != 0
	case PropWillDelay:
		p.WillDelay = v
	case PropRequestResponseInfo:
		p.RequestResponseInfo = v != 0
	case PropReceiveMaximum:
		p.ReceiveMaximum = uint16(v)
	case PropTopicAliasMaximum:
		p.TopicAliasMaximum = uint16(v)
	case PropTopicAlias:
		p.TopicAlias = uint16(v)
	case PropMaximumQoS:
		p.MaximumQoS = QoS(v)
	case PropRetainAvailable:
		p.RetainAvailable = v != 0
	case PropMaximumPacketSize:
		p.MaximumPacketSize = v
	case PropWildcardAvailable:
		p.WildcardAvailable = v != 0
	case PropSubscriptionAvailable:
		p.SubscriptionAvailable = v != 0
	case PropSharedAvailable:
		p.SharedAvailable = v != 0
	default: // not a number
	}
}

func flag(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}
