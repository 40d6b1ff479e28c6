package mqtt

import (
	"bytes"
	"fmt"
)

// Connect is the first packet of a client (section 3.1).
type Connect struct {
	// ProtocolName and Version are what the packet says. They are set also when
	// Decode fails later, so that a server knows how to answer: Version may
	// then be V31 (name MQIsdp) or any other level. When encoding, the name is
	// ignored.
	ProtocolName []byte
	Version      Version
	CleanStart   bool   // MQTT 3.1.1: CleanSession
	KeepAlive    uint16 // seconds
	Props        Properties
	ClientID     []byte // may be empty: what that means is the server's to say (MQTT-3.1.3-6 to -8)
	Will         *Will  // nil if there is none
	HasUserName  bool
	UserName     []byte
	HasPassword  bool
	Password     []byte
}

// Will is the message that the server publishes when the connection is lost.
type Will struct {
	QoS     QoS
	Retain  bool
	Props   Properties
	Topic   []byte // valid UTF-8; else unchecked, see [ParseTopicName]
	Payload []byte
}

// Connect flags, section 3.1.2.3.
const (
	flagReserved   = 0x01
	flagCleanStart = 0x02
	flagWill       = 0x04
	flagWillQoS    = 0x18
	flagWillRetain = 0x20
	flagPassword   = 0x40
	flagUserName   = 0x80
)

// Type returns TypeConnect.
func (p *Connect) Type() PacketType { return TypeConnect }

// Decode implements [Packet]; it ignores its Version argument and finds the
// version in the packet. A level other than 4 and 5 is an *Error with code
// UnsupportedProtocolVersion; MQIsdp at level 3 leaves Version at V31. To such
// clients a server answers [AppendRefusedVersion].
func (p *Connect) Decode(_ Version, header byte, body []byte) error {
	*p = Connect{}
	if header>>4 != byte(TypeConnect) {
		return begin(V5, TypeConnect, header)
	}
	c := newCursor(0, TypeConnect, body)
	p.decodeLevel(&c)
	if c.err == nil {
		if err := checkHeader(p.Version, header); err != nil {
			return err
		}
		p.decodeFields(&c)
	}
	return c.end()
}

// decodeLevel reads the protocol name and level.
func (p *Connect) decodeLevel(c *cursor) {
	p.ProtocolName = c.bytes("the protocol name")
	name := c.pos
	level := Version(c.u8("the protocol level"))
	switch {
	case c.err != nil:
	case bytes.Equal(p.ProtocolName, []byte("MQIsdp")):
		p.Version = level
		c.v = V31
		c.fail(UnsupportedProtocolVersion, "MQTT-3.1.2-2", name, fmt.Sprintf("protocol MQIsdp at level %d is MQTT 3.1, which is not supported", level))
	case !bytes.Equal(p.ProtocolName, []byte("MQTT")):
		c.fail(UnsupportedProtocolVersion, "MQTT-3.1.2-1", 2, fmt.Sprintf("protocol name is %.20q, must be \"MQTT\"", p.ProtocolName))
	case level.Supported():
		p.Version, c.v = level, level
	default:
		p.Version = level
		hint := ""
		if level == 0x80|V311 || level == 0x80|V31 {
			hint = " (the high bit marks a bridge between brokers)"
		}
		c.fail(UnsupportedProtocolVersion, "MQTT-3.1.2-2", name, fmt.Sprintf("protocol level is %d%s, must be 4 (3.1.1) or 5", level, hint))
	}
}

func (p *Connect) decodeFields(c *cursor) {
	v := p.Version
	flags := c.u8("the connect flags")
	if c.err == nil {
		checkConnectFlags(c, v, flags)
	}
	p.CleanStart = flags&flagCleanStart != 0
	p.KeepAlive = c.u16("the keep alive")
	if v == V5 {
		p.Props.decode(c, TypeConnect)
	}
	p.ClientID = c.text("the client identifier", "MQTT-3.1.3-4")
	if c.err == nil && flags&flagWill != 0 {
		w := &Will{QoS: QoS(flags & flagWillQoS >> 3), Retain: flags&flagWillRetain != 0}
		p.Will = w
		if v == V5 {
			w.Props.decode(c, typeWill)
		}
		w.Topic = c.text("the will topic", pick(v, "MQTT-3.1.3-10", "MQTT-3.1.3-11"))
		w.Payload = c.bytes("the will payload")
	}
	if p.HasUserName = flags&flagUserName != 0; p.HasUserName {
		p.UserName = c.text("the user name", pick(v, "MQTT-3.1.3-11", "MQTT-3.1.3-12"))
	}
	if p.HasPassword = flags&flagPassword != 0; p.HasPassword {
		p.Password = c.bytes("the password")
	}
}

func checkConnectFlags(c *cursor, v Version, flags byte) {
	at := c.pos - 1
	switch {
	case flags&flagReserved != 0:
		c.malformed("MQTT-3.1.2-3", at, "the reserved connect flag is 1")
	case flags&flagWillQoS == flagWillQoS:
		c.malformed(pick(v, "MQTT-3.1.2-14", "MQTT-3.1.2-12"), at, "the will has QoS 3")
	case flags&flagWill == 0 && flags&flagWillQoS != 0:
		c.malformed(pick(v, "MQTT-3.1.2-13", "MQTT-3.1.2-11"), at, "there is a will QoS but no will")
	case flags&flagWill == 0 && flags&flagWillRetain != 0:
		c.malformed(pick(v, "MQTT-3.1.2-15", "MQTT-3.1.2-13"), at, "there is a will retain flag but no will")
	case v == V311 && flags&flagPassword != 0 && flags&flagUserName == 0:
		c.malformed("MQTT-3.1.2-22", at, "there is a password but no user name")
	}
}

// Append implements [Packet]: it encodes for v, whatever p.Version says.
func (p *Connect) Append(dst []byte, v Version) ([]byte, error) {
	e := encoding{v: v, t: TypeConnect}
	n := 10 + e.field("the client identifier", p.ClientID)
	props, willProps, flags := 0, 0, byte(0)
	if p.CleanStart {
		flags |= flagCleanStart
	}
	if v == V5 {
		props = p.Props.size(&e, TypeConnect)
		n += varintSize(props) + props
	}
	if w := p.Will; w != nil {
		flags |= flagWill | byte(w.QoS&3)<<3
		if w.QoS > 2 {
			e.fail(MalformedPacket, pick(v, "MQTT-3.1.2-14", "MQTT-3.1.2-12"), "the will has QoS 3")
		}
		if w.Retain {
			flags |= flagWillRetain
		}
		n += e.field("the will topic", w.Topic) + e.field("the will payload", w.Payload)
		if v == V5 {
			willProps = w.Props.size(&e, typeWill)
			n += varintSize(willProps) + willProps
		}
	}
	if p.HasUserName {
		flags |= flagUserName
		n += e.field("the user name", p.UserName)
	}
	if p.HasPassword {
		flags |= flagPassword
		n += e.field("the password", p.Password)
		if v == V311 && !p.HasUserName {
			e.fail(MalformedPacket, "MQTT-3.1.2-22", "there is a password but no user name")
		}
	}
	dst, err := e.open(dst, 0, n)
	if err != nil {
		return dst, err
	}
	dst = append(dst, 0, 4, 'M', 'Q', 'T', 'T', byte(v), flags, byte(p.KeepAlive>>8), byte(p.KeepAlive))
	if v == V5 {
		dst = p.Props.append(dst, props)
	}
	dst = appendField(dst, p.ClientID)
	if w := p.Will; w != nil {
		if v == V5 {
			dst = w.Props.append(dst, willProps)
		}
		dst = appendField(appendField(dst, w.Topic), w.Payload)
	}
	if p.HasUserName {
		dst = appendField(dst, p.UserName)
	}
	if p.HasPassword {
		dst = appendField(dst, p.Password)
	}
	return dst, nil
}
