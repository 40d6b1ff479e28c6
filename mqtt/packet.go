package mqtt

import "fmt"

// Packet is any of the 15 packet structs: pointers to [Connect], [Connack],
// [Publish], [Puback], [Pubrec], [Pubrel], [Pubcomp], [Subscribe], [Suback],
// [Unsubscribe], [Unsuback], [Pingreq], [Pingresp], [Disconnect] and [Auth].
type Packet interface {
	// Type is the packet's type.
	Type() PacketType

	// Decode replaces the packet by what header (the first byte) and body (what
	// follows the Remaining Length) say. The result borrows body. v must be
	// V311 or V5; [Connect] ignores it and finds its own. On an *Error the fields
	// that come before its Offset are set: they are evidence, not more.
	Decode(v Version, header byte, body []byte) error

	// Append appends the whole packet to dst. It fails with an *Error, leaving
	// dst as it was, if a field is too long to be encoded, a packet identifier
	// is 0, or a property may not be in this packet. It does not look into
	// strings: whoever makes them checks them. What the version lacks
	// (properties, reason codes of acknowledgements) is left out.
	Append(dst []byte, v Version) ([]byte, error)
}

// New returns an empty packet of type t, or nil if t is none.
func New(t PacketType) Packet {
	switch t {
	case TypeConnect:
		return new(Connect)
	case TypeConnack:
		return new(Connack)
	case TypePublish:
		return new(Publish)
	case TypePuback:
		return new(Puback)
	case TypePubrec:
		return new(Pubrec)
	case TypePubrel:
		return new(Pubrel)
	case TypePubcomp:
		return new(Pubcomp)
	case TypeSubscribe:
		return new(Subscribe)
	case TypeSuback:
		return new(Suback)
	case TypeUnsubscribe:
		return new(Unsubscribe)
	case TypeUnsuback:
		return new(Unsuback)
	case TypePingreq:
		return new(Pingreq)
	case TypePingresp:
		return new(Pingresp)
	case TypeDisconnect:
		return new(Disconnect)
	case TypeAuth:
		return new(Auth)
	default:
		return nil
	}
}

// Decode decodes any packet into a new struct that borrows body. Beside an
// error it returns what was decoded before the fault, nil for packet type 0.
func Decode(v Version, header byte, body []byte) (Packet, error) {
	p := New(TypeOf(header))
	if p == nil {
		return nil, checkHeader(v, header)
	}
	return p, p.Decode(v, header, body)
}

// begin checks what all decoders but Connect's check first.
func begin(v Version, t PacketType, header byte) *Error {
	if header>>4 != byte(t) {
		return &Error{Version: v, Packet: t, Code: ProtocolError, Rule: "section 2.1", Message: fmt.Sprintf("first byte 0x%02X is not of %s", header, t)}
	}
	if !v.Supported() {
		return &Error{Version: v, Packet: t, Code: UnsupportedProtocolVersion, Rule: "MQTT-3.1.2-2", Message: "cannot decode " + v.String()}
	}
	return checkHeader(v, header)
}
