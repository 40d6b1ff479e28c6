package mqtt

import "fmt"

// Version is a protocol level as it stands in CONNECT.
type Version byte

// Protocol levels. The zero Version means "not known yet": before CONNECT.
const (
	V31  Version = 3 // MQTT 3.1, protocol name MQIsdp: recognised, never decoded
	V311 Version = 4 // MQTT 3.1.1
	V5   Version = 5 // MQTT 5.0
)

// String names the version as the standards do: "MQTT 3.1.1".
func (v Version) String() string {
	switch v {
	case 0:
		return "MQTT"
	case V31:
		return "MQTT 3.1"
	case V311:
		return "MQTT 3.1.1"
	case V5:
		return "MQTT 5"
	}
	return fmt.Sprintf("MQTT level %d", byte(v))
}

// Supported reports whether this package decodes and encodes the version.
func (v Version) Supported() bool { return v == V311 || v == V5 }

// QoS is a quality of service: 0, 1 or 2. The value 3 never leaves a decoder.
type QoS byte

// PacketType is the upper half of a packet's first byte.
type PacketType byte

// The packet types of both versions; AUTH is MQTT 5 only.
const (
	TypeConnect     PacketType = 1
	TypeConnack     PacketType = 2
	TypePublish     PacketType = 3
	TypePuback      PacketType = 4
	TypePubrec      PacketType = 5
	TypePubrel      PacketType = 6
	TypePubcomp     PacketType = 7
	TypeSubscribe   PacketType = 8
	TypeSuback      PacketType = 9
	TypeUnsubscribe PacketType = 10
	TypeUnsuback    PacketType = 11
	TypePingreq     PacketType = 12
	TypePingresp    PacketType = 13
	TypeDisconnect  PacketType = 14
	TypeAuth        PacketType = 15
)

var typeNames = [16]string{
	"RESERVED", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP",
	"SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH",
}

// String is the packet's name in the standards: "CONNECT".
func (t PacketType) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("packet type %d", byte(t))
}

// TypeOf returns the packet type that a packet's first byte names.
func TypeOf(header byte) PacketType { return PacketType(header >> 4) }

// ClientMaySend reports whether the standard lets a client send packets of type
// t at all. Source: table 2.1 of both standards.
func ClientMaySend(t PacketType, v Version) bool {
	switch t {
	case TypeConnack, TypeSuback, TypeUnsuback, TypePingresp:
		return false
	case TypeAuth:
		return v == V5
	default:
		return t >= TypeConnect && t <= TypeDisconnect
	}
}

// ServerMaySend reports whether the standard lets a server send packets of type
// t at all. Source: table 2.1 of both standards.
func ServerMaySend(t PacketType, v Version) bool {
	switch t {
	case TypeConnect, TypeSubscribe, TypeUnsubscribe, TypePingreq:
		return false
	case TypeDisconnect, TypeAuth:
		return v == V5
	default:
		return t >= TypeConnack && t <= TypePingresp
	}
}

// headerFlags holds the fixed header flags of each packet type (MQTT 3.1.1
// table 2.2, MQTT 5 table 2-2). PUBLISH is apart: its flags mean something.
var headerFlags = [16]byte{TypePubrel: 2, TypeSubscribe: 2, TypeUnsubscribe: 2}

// checkHeader validates a packet's first byte.
func checkHeader(v Version, header byte) *Error {
	t, flags := TypeOf(header), header&0x0F
	switch {
	case t == TypePublish:
		if flags&0x06 == 0x06 {
			return &Error{Version: v, Packet: t, Code: MalformedPacket, Rule: "MQTT-3.3.1-4", Message: "PUBLISH has QoS 3"}
		}
	case t == 0:
		return &Error{Version: v, Code: MalformedPacket, Rule: pick(v, "section 2.2.1", "section 2.1.2"), Message: "packet type 0 is reserved"}
	case t == TypeAuth && v == V311:
		return &Error{Version: v, Packet: t, Code: MalformedPacket, Rule: "section 2.2.1", Message: "packet type 15 is reserved in MQTT 3.1.1"}
	case flags != headerFlags[t]:
		return &Error{
			Version: v, Packet: t, Code: MalformedPacket, Rule: flagRule(v, t),
			Message: fmt.Sprintf("%s has fixed header flags %04b, must be %04b", t, flags, headerFlags[t]),
		}
	}
	return nil
}

func flagRule(v Version, t PacketType) string {
	switch t {
	case TypePubrel:
		return "MQTT-3.6.1-1"
	case TypeSubscribe:
		return "MQTT-3.8.1-1"
	case TypeUnsubscribe:
		return "MQTT-3.10.1-1"
	case TypeDisconnect:
		return "MQTT-3.14.1-1"
	case TypeAuth:
		return "MQTT-3.15.1-1"
	default:
		return pick(v, "MQTT-2.2.2-2", "MQTT-2.1.3-1")
	}
}

// pick returns the rule of the version in use; before CONNECT that of MQTT 5.
func pick(v Version, v311, v5 string) string {
	if v == V311 || v == V31 {
		return v311
	}
	return v5
}
