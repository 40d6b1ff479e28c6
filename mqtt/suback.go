package mqtt

import "fmt"

// Suback answers a SUBSCRIBE, a code for each filter in its order (section 3.9).
type Suback struct {
	PacketID uint16
	Props    Properties
	Codes    []ReasonCode // granted QoS 0 to 2, or a failure; MQTT 3.1.1 has only 0x80
}

// Unsuback answers an UNSUBSCRIBE (section 3.11); MQTT 3.1.1 has no codes.
type Unsuback Suback

// Type returns TypeSuback.
func (p *Suback) Type() PacketType { return TypeSuback }

// Decode implements [Packet].
func (p *Suback) Decode(v Version, header byte, body []byte) error {
	return decodeCodes(p, v, TypeSuback, header, body)
}

// Append implements [Packet].
func (p *Suback) Append(dst []byte, v Version) ([]byte, error) {
	return appendCodes(p, dst, v, TypeSuback)
}

// Type returns TypeUnsuback.
func (p *Unsuback) Type() PacketType { return TypeUnsuback }

// Decode implements [Packet].
func (p *Unsuback) Decode(v Version, header byte, body []byte) error {
	return decodeCodes((*Suback)(p), v, TypeUnsuback, header, body)
}

// Append implements [Packet].
func (p *Unsuback) Append(dst []byte, v Version) ([]byte, error) {
	return appendCodes((*Suback)(p), dst, v, TypeUnsuback)
}

func decodeCodes(p *Suback, v Version, t PacketType, header byte, body []byte) error {
	if err := begin(v, t, header); err != nil {
		return err
	}
	p.Codes = p.Codes[:0]
	p.Props.Reset()
	c := newCursor(v, t, body)
	p.PacketID = c.packetID()
	if v == V5 {
		p.Props.decode(&c, t)
	}
	if v == V311 && t == TypeUnsuback {
		return c.end()
	}
	if c.err == nil && c.left() == 0 {
		c.fail(ProtocolError, codesRule(v, t), c.pos, "there is no code")
	}
	for c.err == nil && c.left() > 0 {
		if r := c.reason(); c.err == nil {
			p.Codes = append(p.Codes, r)
		}
	}
	return c.end()
}

func appendCodes(p *Suback, dst []byte, v Version, t PacketType) ([]byte, error) {
	e := encoding{v: v, t: t}
	e.id(p.PacketID)
	n, props, codes := 2, 0, p.Codes
	if v == V5 {
		props = p.Props.size(&e, t)
		n += varintSize(props) + props
	}
	if v == V311 && t == TypeUnsuback {
		codes = nil
	} else if len(codes) == 0 {
		e.fail(ProtocolError, codesRule(v, t), "there is no code")
	}
	for _, r := range codes {
		e.reason(r)
	}
	dst, err := e.open(dst, 0, n+len(codes))
	if err != nil {
		return dst, err
	}
	dst = appendU16(dst, p.PacketID)
	if v == V5 {
		dst = p.Props.append(dst, props)
	}
	for _, r := range codes {
		dst = append(dst, byte(r))
	}
	return dst, nil
}

func codesRule(v Version, t PacketType) string {
	if t == TypeUnsuback {
		return "MQTT-3.11.3-1"
	}
	return pick(v, "MQTT-3.8.4-5", "MQTT-3.8.4-6")
}

// reasonRule is the rule that lists the codes of a packet.
func reasonRule(v Version, t PacketType) string {
	switch t {
	case TypeConnack:
		return pick(v, "section 3.2.2.3", "MQTT-3.2.2-8")
	case TypePuback:
		return "MQTT-3.4.2-1"
	case TypePubrec:
		return "MQTT-3.5.2-1"
	case TypePubrel:
		return "MQTT-3.6.2-1"
	case TypePubcomp:
		return "MQTT-3.7.2-1"
	case TypeSuback:
		return "MQTT-3.9.3-2"
	case TypeUnsuback:
		return "MQTT-3.11.3-2"
	case TypeAuth:
		return "MQTT-3.15.2-1"
	default:
		return "MQTT-3.14.2-1"
	}
}

func badReason(t PacketType, r ReasonCode) string {
	return fmt.Sprintf("code 0x%02X is not one of %s", byte(r), t)
}
