package mqtt

import "fmt"

// Connack answers a CONNECT (section 3.2).
type Connack struct {
	SessionPresent bool
	Reason         ReasonCode // MQTT 3.1.1: Success or one of the Refused... codes
	Props          Properties
}

// Type returns TypeConnack.
func (p *Connack) Type() PacketType { return TypeConnack }

// Decode implements [Packet]. When the version does not fit the packet's shape
// (a server that answers an MQTT 5 CONNECT with 20 02 00 01) it fails and says so.
func (p *Connack) Decode(v Version, header byte, body []byte) error {
	if err := begin(v, TypeConnack, header); err != nil {
		return err
	}
	*p = Connack{}
	c := newCursor(v, TypeConnack, body)
	flags := c.u8("the acknowledge flags")
	if flags > 1 {
		c.malformed(pick(v, "section 3.2.2.1", "MQTT-3.2.2-1"), 0, "acknowledge flags are %08b, bits 7 to 1 must be 0", flags)
	}
	p.SessionPresent = flags == 1
	if v == V5 && len(body) == 2 && body[1] <= byte(RefusedNotAuthorized) {
		p.Reason = ReasonCode(body[1])
		c.malformed("section 3.2.2.3", 2, "the server answered in the shape of MQTT 3.1.1, return code %d (%s)", p.Reason, p.Reason.Name(V311, TypeConnack))
		return nilable(c.err)
	}
	p.Reason = c.reason()
	if c.err == nil && p.SessionPresent && p.Reason != Success {
		c.fail(ProtocolError, pick(v, "MQTT-3.2.2-4", "MQTT-3.2.2-6"), 0, fmt.Sprintf("session present beside code %d", p.Reason))
	}
	if v == V5 {
		p.Props.decode(&c, TypeConnack)
	}
	return c.end()
}

// Append implements [Packet]. The order of the properties is that of the
// reference CONNACK. Source: mqtt sheet 3.
func (p *Connack) Append(dst []byte, v Version) ([]byte, error) {
	e := encoding{v: v, t: TypeConnack}
	e.reason(p.Reason)
	if p.SessionPresent && p.Reason != Success {
		e.fail(ProtocolError, pick(v, "MQTT-3.2.2-4", "MQTT-3.2.2-6"), "session present beside a refusal")
	}
	n, props := 2, 0
	if v == V5 {
		props = p.Props.size(&e, TypeConnack)
		n += varintSize(props) + props
	}
	dst, err := e.open(dst, 0, n)
	if err != nil {
		return dst, err
	}
	dst = append(dst, byte(flag(p.SessionPresent)), byte(p.Reason))
	if v == V5 {
		dst = p.Props.append(dst, props)
	}
	return dst, nil
}

// AppendRefusedVersion appends the CONNACK that clients of every version
// understand: 20 02 00 01, unacceptable protocol level (MQTT 3.1.1 MQTT-3.1.2-2).
// Source: mqtt sheet 1.
func AppendRefusedVersion(dst []byte) []byte {
	return append(dst, byte(TypeConnack)<<4, 2, 0, byte(RefusedProtocolVersion))
}
