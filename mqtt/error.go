package mqtt

import "fmt"

// Error says why bytes are not the packet they should be, or why a packet
// cannot be encoded. Every error of this package is an *Error, except those of
// the io.Reader or io.Writer.
type Error struct {
	Version Version    // whose Rule it is; 0 before the version is known
	Packet  PacketType // 0 if the first byte names none, or for a bare topic
	Code    ReasonCode // what an MQTT 5 server answers: MalformedPacket, ProtocolError, ...
	Rule    string     // "MQTT-3.1.2-3", or "section 2.2.3" where the standard numbers no rule
	Offset  int        // of the offending byte from the packet's first (a topic's first for topic errors)
	Message string     // one clause, without Rule and Offset
}

// Error renders all fields but Code: "MQTT 5 CONNECT: byte 9: ... [MQTT-3.1.2-3]".
func (e *Error) Error() string {
	subject := e.Version.String()
	if e.Packet != 0 {
		subject += " " + e.Packet.String()
	}
	return fmt.Sprintf("%s: byte %d: %s [%s]", subject, e.Offset, e.Message, e.Rule)
}

// Rules of [Error] for the limits that a server sets and no standard numbers.
const (
	RuleTopicBytes  = "limit topic bytes"
	RuleTopicLevels = "limit topic levels"
	RuleShareName   = "limit share name"
	RulePacketSize  = "limit packet size"
)

// nilable keeps a nil *Error from becoming a non-nil error.
func nilable(e *Error) error {
	if e == nil {
		return nil
	}
	return e
}
