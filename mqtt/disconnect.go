package mqtt

// Disconnect ends a connection; in MQTT 3.1.1 it has no content and only
// clients send it (section 3.14).
type Disconnect struct {
	Reason ReasonCode
	Props  Properties
}

// Auth carries enhanced authentication, MQTT 5 only (section 3.15).
type Auth struct {
	Reason ReasonCode
	Props  Properties
}

// Pingreq asks whether the server is there (section 3.12).
type Pingreq struct{}

// Pingresp answers a PINGREQ (section 3.13).
type Pingresp struct{}

// Type returns TypeDisconnect.
func (p *Disconnect) Type() PacketType { return TypeDisconnect }

// Decode implements [Packet].
func (p *Disconnect) Decode(v Version, header byte, body []byte) error {
	if err := begin(v, TypeDisconnect, header); err != nil {
		return err
	}
	p.Reason = Success
	p.Props.Reset()
	c := newCursor(v, TypeDisconnect, body)
	if v == V5 && c.left() > 0 { // both the reason and the properties may be left out
		p.Reason = c.reason()
		if c.left() > 0 {
			p.Props.decode(&c, TypeDisconnect)
		}
	}
	return c.end()
}

// Append implements [Packet].
func (p *Disconnect) Append(dst []byte, v Version) ([]byte, error) {
	return appendReason(dst, v, TypeDisconnect, p.Reason, &p.Props)
}

// Type returns TypeAuth.
func (p *Auth) Type() PacketType { return TypeAuth }

// Decode implements [Packet].
func (p *Auth) Decode(v Version, header byte, body []byte) error {
	if err := begin(v, TypeAuth, header); err != nil {
		return err
	}
	p.Reason = Success
	p.Props.Reset()
	c := newCursor(v, TypeAuth, body)
	if c.left() > 0 { // both are left out, or none
		p.Reason = c.reason()
		p.Props.decode(&c, TypeAuth)
		if c.err == nil && !p.Props.Has(PropAuthMethod) {
			c.fail(ProtocolError, "section 3.15.2.2.2", c.pos, "there is no Authentication Method")
		}
	}
	return c.end()
}

// Append implements [Packet].
func (p *Auth) Append(dst []byte, v Version) ([]byte, error) {
	e := encoding{v: v, t: TypeAuth}
	if v == V311 {
		e.fail(MalformedPacket, "section 2.2.1", "packet type 15 is reserved in MQTT 3.1.1")
		return dst, e.err
	}
	if !p.Props.Has(PropAuthMethod) && (p.Reason != Success || !p.Props.Empty()) {
		e.fail(ProtocolError, "section 3.15.2.2.2", "there is no Authentication Method")
		return dst, e.err
	}
	return appendReason(dst, v, TypeAuth, p.Reason, &p.Props)
}

// appendReason appends a DISCONNECT or AUTH in its shortest form.
func appendReason(dst []byte, v Version, t PacketType, r ReasonCode, p *Properties) ([]byte, error) {
	e := encoding{v: v, t: t}
	n, props := 0, 0
	if v == V5 {
		e.reason(r)
		if props = p.size(&e, t); props > 0 {
			n = 1 + varintSize(props) + props
		} else if r != Success {
			n = 1
		}
	}
	dst, err := e.open(dst, 0, n)
	if err != nil || n == 0 {
		return dst, err
	}
	if dst = append(dst, byte(r)); props > 0 {
		dst = p.append(dst, props)
	}
	return dst, nil
}

// AppendDisconnect appends a DISCONNECT with a reason and nothing else; in MQTT
// 3.1.1 the reason is left out. It does not check the reason.
func AppendDisconnect(dst []byte, v Version, reason ReasonCode) []byte {
	if v != V5 || reason == Success {
		return append(dst, byte(TypeDisconnect)<<4, 0)
	}
	return append(dst, byte(TypeDisconnect)<<4, 1, byte(reason))
}

// Type returns TypePingreq.
func (p *Pingreq) Type() PacketType { return TypePingreq }

// Decode implements [Packet] and allocates nothing.
func (p *Pingreq) Decode(v Version, header byte, body []byte) error {
	return decodeEmpty(v, TypePingreq, header, body)
}

// Append implements [Packet].
func (p *Pingreq) Append(dst []byte, v Version) ([]byte, error) {
	e := encoding{v: v, t: TypePingreq}
	return e.open(dst, 0, 0)
}

// Type returns TypePingresp.
func (p *Pingresp) Type() PacketType { return TypePingresp }

// Decode implements [Packet].
func (p *Pingresp) Decode(v Version, header byte, body []byte) error {
	return decodeEmpty(v, TypePingresp, header, body)
}

// Append implements [Packet].
func (p *Pingresp) Append(dst []byte, v Version) ([]byte, error) {
	e := encoding{v: v, t: TypePingresp}
	return e.open(dst, 0, 0)
}

// AppendPingresp appends the two bytes of a PINGRESP.
func AppendPingresp(dst []byte) []byte { return append(dst, byte(TypePingresp)<<4, 0) }

func decodeEmpty(v Version, t PacketType, header byte, body []byte) error {
	if err := begin(v, t, header); err != nil {
		return err
	}
	if len(body) == 0 {
		return nil
	}
	c := newCursor(v, t, body)
	return c.end()
}
