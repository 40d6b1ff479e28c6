package mqtt

import "fmt"

// PropertyID is the identifier of an MQTT 5 property, section 2.2.2.2.
type PropertyID byte

// The properties of MQTT 5.
const (
	PropPayloadFormat         PropertyID = 0x01
	PropMessageExpiry         PropertyID = 0x02
	PropContentType           PropertyID = 0x03
	PropResponseTopic         PropertyID = 0x08
	PropCorrelationData       PropertyID = 0x09
	PropSubscriptionID        PropertyID = 0x0B
	PropSessionExpiry         PropertyID = 0x11
	PropAssignedClientID      PropertyID = 0x12
	PropServerKeepAlive       PropertyID = 0x13
	PropAuthMethod            PropertyID = 0x15
	PropAuthData              PropertyID = 0x16
	PropRequestProblemInfo    PropertyID = 0x17
	PropWillDelay             PropertyID = 0x18
	PropRequestResponseInfo   PropertyID = 0x19
	PropResponseInfo          PropertyID = 0x1A
	PropServerReference       PropertyID = 0x1C
	PropReasonString          PropertyID = 0x1F
	PropReceiveMaximum        PropertyID = 0x21
	PropTopicAliasMaximum     PropertyID = 0x22
	PropTopicAlias            PropertyID = 0x23
	PropMaximumQoS            PropertyID = 0x24
	PropRetainAvailable       PropertyID = 0x25
	PropUser                  PropertyID = 0x26
	PropMaximumPacketSize     PropertyID = 0x27
	PropWildcardAvailable     PropertyID = 0x28
	PropSubscriptionAvailable PropertyID = 0x29 // Subscription Identifier Available
	PropSharedAvailable       PropertyID = 0x2A
)

// UserProperty is one User Property; names may repeat and order matters.
// Decoded ones alias the packet.
type UserProperty struct {
	Name, Value []byte
}

// Properties are the properties of one MQTT 5 packet, or of its will. A
// single-valued property is there only if [Properties.Has] says so; use the
// Set methods, which keep Present and the value together. MQTT 3.1.1 packets
// have none: they decode to none, and are encoded without.
type Properties struct {
	Present uint64 // bit n: the single-valued property with identifier n is there

	PayloadFormat         byte   // 0 bytes, 1 UTF-8
	MessageExpiry         uint32 // seconds
	ContentType           []byte
	ResponseTopic         []byte
	CorrelationData       []byte
	SessionExpiry         uint32 // seconds; 0xFFFFFFFF: never
	AssignedClientID      []byte
	ServerKeepAlive       uint16 // seconds
	AuthMethod            []byte
	AuthData              []byte
	RequestProblemInfo    bool
	WillDelay             uint32 // seconds
	RequestResponseInfo   bool
	ResponseInfo          []byte
	ServerReference       []byte
	ReasonString          []byte
	ReceiveMaximum        uint16
	TopicAliasMaximum     uint16
	TopicAlias            uint16
	MaximumQoS            QoS
	RetainAvailable       bool
	MaximumPacketSize     uint32 // bytes, the whole packet
	WildcardAvailable     bool
	SubscriptionAvailable bool // Subscription Identifiers
	SharedAvailable       bool

	SubscriptionIDs []uint32       // one in SUBSCRIBE, any number in PUBLISH to a client
	User            []UserProperty // in the order of the packet
}

// Has reports whether the property is there.
func (p *Properties) Has(id PropertyID) bool { return p.set()&(1<<id) != 0 }

// Empty reports whether no property is there.
func (p *Properties) Empty() bool { return p.set() == 0 }

// Delete takes a property out, all values of a repeated one.
func (p *Properties) Delete(id PropertyID) {
	switch id {
	case PropUser:
		p.User = nil
	case PropSubscriptionID:
		p.SubscriptionIDs = nil
	default:
		p.Present &^= 1 << id
		p.setNumber(id, 0)
		if t := p.text(id); t != nil {
			*t = nil
		}
	}
}

// Reset takes all properties out and keeps the memory of the lists.
func (p *Properties) Reset() {
	if p.set() != 0 {
		*p = Properties{User: p.User[:0], SubscriptionIDs: p.SubscriptionIDs[:0]}
	}
}

// AddUser appends a User Property.
func (p *Properties) AddUser(name, value string) {
	p.User = append(p.User, UserProperty{Name: []byte(name), Value: []byte(value)})
}

func (p *Properties) mark(id PropertyID) { p.Present |= 1 << id }

// set is Present with the repeatable properties.
func (p *Properties) set() uint64 {
	s := p.Present
	if len(p.User) > 0 {
		s |= 1 << PropUser
	}
	if len(p.SubscriptionIDs) > 0 {
		s |= 1 << PropSubscriptionID
	}
	return s
}

// kind is the data type of a property's value.
type kind byte

const (
	kindNone kind = iota
	kindBool      // a byte, 0 or 1
	kindU16
	kindU32
	kindVarint
	kindText
	kindBinary
	kindPair
)

// properties is table 2-4 of MQTT 5.
var properties = [64]struct {
	name string
	kind kind
}{
	PropPayloadFormat:         {"Payload Format Indicator", kindBool},
	PropMessageExpiry:         {"Message Expiry Interval", kindU32},
	PropContentType:           {"Content Type", kindText},
	PropResponseTopic:         {"Response Topic", kindText},
	PropCorrelationData:       {"Correlation Data", kindBinary},
	PropSubscriptionID:        {"Subscription Identifier", kindVarint},
	PropSessionExpiry:         {"Session Expiry Interval", kindU32},
	PropAssignedClientID:      {"Assigned Client Identifier", kindText},
	PropServerKeepAlive:       {"Server Keep Alive", kindU16},
	PropAuthMethod:            {"Authentication Method", kindText},
	PropAuthData:              {"Authentication Data", kindBinary},
	PropRequestProblemInfo:    {"Request Problem Information", kindBool},
	PropWillDelay:             {"Will Delay Interval", kindU32},
	PropRequestResponseInfo:   {"Request Response Information", kindBool},
	PropResponseInfo:          {"Response Information", kindText},
	PropServerReference:       {"Server Reference", kindText},
	PropReasonString:          {"Reason String", kindText},
	PropReceiveMaximum:        {"Receive Maximum", kindU16},
	PropTopicAliasMaximum:     {"Topic Alias Maximum", kindU16},
	PropTopicAlias:            {"Topic Alias", kindU16},
	PropMaximumQoS:            {"Maximum QoS", kindBool},
	PropRetainAvailable:       {"Retain Available", kindBool},
	PropUser:                  {"User Property", kindPair},
	PropMaximumPacketSize:     {"Maximum Packet Size", kindU32},
	PropWildcardAvailable:     {"Wildcard Subscription Available", kindBool},
	PropSubscriptionAvailable: {"Subscription Identifier Available", kindBool},
	PropSharedAvailable:       {"Shared Subscription Available", kindBool},
}

// String is the property's name in the standard: "Receive Maximum".
func (id PropertyID) String() string {
	if int(id) < len(properties) && properties[id].kind != kindNone {
		return properties[id].name
	}
	return fmt.Sprintf("property 0x%02X", byte(id))
}

func propSet(ids ...PropertyID) uint64 {
	var s uint64
	for _, id := range ids {
		s |= 1 << id
	}
	return s
}

// typeWill stands for the will properties of CONNECT in the table below.
const typeWill PacketType = 0

// allowed holds the properties that each packet may carry (table 2-4).
var allowed = [16]uint64{
	typeWill: propSet(PropPayloadFormat, PropMessageExpiry, PropContentType, PropResponseTopic, PropCorrelationData, PropWillDelay, PropUser),
	TypeConnect: propSet(PropSessionExpiry, PropAuthMethod, PropAuthData, PropRequestProblemInfo, PropRequestResponseInfo,
		PropReceiveMaximum, PropTopicAliasMaximum, PropUser, PropMaximumPacketSize),
	TypeConnack: propSet(PropSessionExpiry, PropAssignedClientID, PropServerKeepAlive, PropAuthMethod, PropAuthData, PropResponseInfo,
		PropServerReference, PropReasonString, PropReceiveMaximum, PropTopicAliasMaximum, PropMaximumQoS, PropRetainAvailable,
		PropUser, PropMaximumPacketSize, PropWildcardAvailable, PropSubscriptionAvailable, PropSharedAvailable),
	TypePublish: propSet(PropPayloadFormat, PropMessageExpiry, PropContentType, PropResponseTopic, PropCorrelationData,
		PropSubscriptionID, PropTopicAlias, PropUser),
	TypePuback:      propSet(PropReasonString, PropUser),
	TypePubrec:      propSet(PropReasonString, PropUser),
	TypePubrel:      propSet(PropReasonString, PropUser),
	TypePubcomp:     propSet(PropReasonString, PropUser),
	TypeSubscribe:   propSet(PropSubscriptionID, PropUser),
	TypeSuback:      propSet(PropReasonString, PropUser),
	TypeUnsubscribe: propSet(PropUser),
	TypeUnsuback:    propSet(PropReasonString, PropUser),
	TypeDisconnect:  propSet(PropSessionExpiry, PropServerReference, PropReasonString, PropUser),
	TypeAuth:        propSet(PropAuthMethod, PropAuthData, PropReasonString, PropUser),
}
