package mqtt

import "fmt"

// ReasonCode is a reason code of MQTT 5, or a return code of MQTT 3.1.1's
// CONNACK (the constants Refused...) and SUBACK. Values from 0x80 are failures.
type ReasonCode byte

// Reason codes of MQTT 5, section 2.4.
const (
	Success                     ReasonCode = 0x00 // also Normal disconnection, Granted QoS 0
	GrantedQoS1                 ReasonCode = 0x01
	GrantedQoS2                 ReasonCode = 0x02
	DisconnectWithWill          ReasonCode = 0x04
	NoMatchingSubscribers       ReasonCode = 0x10
	NoSubscriptionExisted       ReasonCode = 0x11
	ContinueAuthentication      ReasonCode = 0x18
	ReAuthenticate              ReasonCode = 0x19
	UnspecifiedError            ReasonCode = 0x80 // in MQTT 3.1.1's SUBACK: Failure
	MalformedPacket             ReasonCode = 0x81
	ProtocolError               ReasonCode = 0x82
	ImplementationSpecificError ReasonCode = 0x83
	UnsupportedProtocolVersion  ReasonCode = 0x84
	ClientIdentifierNotValid    ReasonCode = 0x85
	BadUserNameOrPassword       ReasonCode = 0x86
	NotAuthorized               ReasonCode = 0x87
	ServerUnavailable           ReasonCode = 0x88
	ServerBusy                  ReasonCode = 0x89
	Banned                      ReasonCode = 0x8A
	ServerShuttingDown          ReasonCode = 0x8B
	BadAuthenticationMethod     ReasonCode = 0x8C
	KeepAliveTimeout            ReasonCode = 0x8D
	SessionTakenOver            ReasonCode = 0x8E
	TopicFilterInvalid          ReasonCode = 0x8F
	TopicNameInvalid            ReasonCode = 0x90
	PacketIdentifierInUse       ReasonCode = 0x91
	PacketIdentifierNotFound    ReasonCode = 0x92
	ReceiveMaximumExceeded      ReasonCode = 0x93
	TopicAliasInvalid           ReasonCode = 0x94
	PacketTooLarge              ReasonCode = 0x95
	MessageRateTooHigh          ReasonCode = 0x96
	QuotaExceeded               ReasonCode = 0x97
	AdministrativeAction        ReasonCode = 0x98
	PayloadFormatInvalid        ReasonCode = 0x99
	RetainNotSupported          ReasonCode = 0x9A
	QoSNotSupported             ReasonCode = 0x9B
	UseAnotherServer            ReasonCode = 0x9C
	ServerMoved                 ReasonCode = 0x9D
	SharedNotSupported          ReasonCode = 0x9E
	ConnectionRateExceeded      ReasonCode = 0x9F
	MaximumConnectTime          ReasonCode = 0xA0
	SubscriptionIDsNotSupported ReasonCode = 0xA1
	WildcardsNotSupported       ReasonCode = 0xA2
)

// Return codes of MQTT 3.1.1's CONNACK, table 3.1.
const (
	RefusedProtocolVersion   ReasonCode = 1
	RefusedIdentifier        ReasonCode = 2
	RefusedServerUnavailable ReasonCode = 3
	RefusedCredentials       ReasonCode = 4
	RefusedNotAuthorized     ReasonCode = 5
)

type packetSet uint16

func packets(types ...PacketType) packetSet {
	var s packetSet
	for _, t := range types {
		s |= 1 << t
	}
	return s
}

// reasons is table 2-6 of MQTT 5: each code, its name, the packets it may be in.
var reasons = map[ReasonCode]struct {
	name string
	in   packetSet
}{
	Success:                     {"Success", packets(TypeConnack, TypePuback, TypePubrec, TypePubrel, TypePubcomp, TypeSuback, TypeUnsuback, TypeDisconnect, TypeAuth)},
	GrantedQoS1:                 {"Granted QoS 1", packets(TypeSuback)},
	GrantedQoS2:                 {"Granted QoS 2", packets(TypeSuback)},
	DisconnectWithWill:          {"Disconnect with Will Message", packets(TypeDisconnect)},
	NoMatchingSubscribers:       {"No matching subscribers", packets(TypePuback, TypePubrec)},
	NoSubscriptionExisted:       {"No subscription existed", packets(TypeUnsuback)},
	ContinueAuthentication:      {"Continue authentication", packets(TypeAuth)},
	ReAuthenticate:              {"Re-authenticate", packets(TypeAuth)},
	UnspecifiedError:            {"Unspecified error", packets(TypeConnack, TypePuback, TypePubrec, TypeSuback, TypeUnsuback, TypeDisconnect)},
	MalformedPacket:             {"Malformed Packet", packets(TypeConnack, TypeDisconnect)},
	ProtocolError:               {"Protocol Error", packets(TypeConnack, TypeDisconnect)},
	ImplementationSpecificError: {"Implementation specific error", packets(TypeConnack, TypePuback, TypePubrec, TypeSuback, TypeUnsuback, TypeDisconnect)},
	UnsupportedProtocolVersion:  {"Unsupported Protocol Version", packets(TypeConnack)},
	ClientIdentifierNotValid:    {"Client Identifier not valid", packets(TypeConnack)},
	BadUserNameOrPassword:       {"Bad User Name or Password", packets(TypeConnack)},
	NotAuthorized:               {"Not authorized", packets(TypeConnack, TypePuback, TypePubrec, TypeSuback, TypeUnsuback, TypeDisconnect)},
	ServerUnavailable:           {"Server unavailable", packets(TypeConnack)},
	ServerBusy:                  {"Server busy", packets(TypeConnack, TypeDisconnect)},
	Banned:                      {"Banned", packets(TypeConnack)},
	ServerShuttingDown:          {"Server shutting down", packets(TypeDisconnect)},
	BadAuthenticationMethod:     {"Bad authentication method", packets(TypeConnack, TypeDisconnect)},
	KeepAliveTimeout:            {"Keep Alive timeout", packets(TypeDisconnect)},
	SessionTakenOver:            {"Session taken over", packets(TypeDisconnect)},
	TopicFilterInvalid:          {"Topic Filter invalid", packets(TypeSuback, TypeUnsuback, TypeDisconnect)},
	TopicNameInvalid:            {"Topic Name invalid", packets(TypeConnack, TypePuback, TypePubrec, TypeDisconnect)},
	PacketIdentifierInUse:       {"Packet Identifier in use", packets(TypePuback, TypePubrec, TypeSuback, TypeUnsuback)},
	PacketIdentifierNotFound:    {"Packet Identifier not found", packets(TypePubrel, TypePubcomp)},
	ReceiveMaximumExceeded:      {"Receive Maximum exceeded", packets(TypeDisconnect)},
	TopicAliasInvalid:           {"Topic Alias invalid", packets(TypeDisconnect)},
	PacketTooLarge:              {"Packet too large", packets(TypeConnack, TypeDisconnect)},
	MessageRateTooHigh:          {"Message rate too high", packets(TypeDisconnect)},
	QuotaExceeded:               {"Quota exceeded", packets(TypeConnack, TypePuback, TypePubrec, TypeSuback, TypeDisconnect)},
	AdministrativeAction:        {"Administrative action", packets(TypeDisconnect)},
	PayloadFormatInvalid:        {"Payload format invalid", packets(TypeConnack, TypePuback, TypePubrec, TypeDisconnect)},
	RetainNotSupported:          {"Retain not supported", packets(TypeConnack, TypeDisconnect)},
	QoSNotSupported:             {"QoS not supported", packets(TypeConnack, TypeDisconnect)},
	UseAnotherServer:            {"Use another server", packets(TypeConnack, TypeDisconnect)},
	ServerMoved:                 {"Server moved", packets(TypeConnack, TypeDisconnect)},
	SharedNotSupported:          {"Shared Subscriptions not supported", packets(TypeSuback, TypeDisconnect)},
	ConnectionRateExceeded:      {"Connection rate exceeded", packets(TypeConnack, TypeDisconnect)},
	MaximumConnectTime:          {"Maximum connect time", packets(TypeDisconnect)},
	SubscriptionIDsNotSupported: {"Subscription Identifiers not supported", packets(TypeSuback, TypeDisconnect)},
	WildcardsNotSupported:       {"Wildcard Subscriptions not supported", packets(TypeSuback, TypeDisconnect)},
}

var refusedNames = [...]string{
	"Connection Accepted", "unacceptable protocol version", "identifier rejected",
	"Server unavailable", "bad user name or password", "not authorized",
}

// String is the name in MQTT 5: "Not authorized".
func (c ReasonCode) String() string {
	if r, ok := reasons[c]; ok {
		return r.name
	}
	return fmt.Sprintf("reason code 0x%02X", byte(c))
}

// Name is the code's name in a packet of type t and version v, where the same
// number can mean different things: 0 is "Granted QoS 0" in SUBACK, 5 is "not
// authorized" in MQTT 3.1.1's CONNACK.
func (c ReasonCode) Name(v Version, t PacketType) string {
	switch {
	case v != V5 && t == TypeConnack && int(c) < len(refusedNames):
		return refusedNames[c]
	case v != V5 && t == TypeSuback && c == UnspecifiedError:
		return "Failure"
	case t == TypeSuback && c == Success:
		return "Granted QoS 0"
	case t == TypeDisconnect && c == Success:
		return "Normal disconnection"
	}
	return c.String()
}

// Failed reports whether the code is a refusal in MQTT 5 (0x80 and above). A
// CONNACK of MQTT 3.1.1 is a refusal with any code but 0.
func (c ReasonCode) Failed() bool { return c >= 0x80 }

// ValidIn reports whether the standard of version v allows the code in a packet
// of type t.
func (c ReasonCode) ValidIn(v Version, t PacketType) bool {
	if v != V5 {
		switch t {
		case TypeConnack:
			return int(c) < len(refusedNames)
		case TypeSuback:
			return c <= GrantedQoS2 || c == UnspecifiedError
		default:
			return c == Success
		}
	}
	if c == Success && t != TypeConnect { // the hot path of acknowledgements: no map
		return true
	}
	return reasons[c].in&(1<<t) != 0
}
