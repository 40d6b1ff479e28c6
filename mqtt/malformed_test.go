package mqtt_test

import (
	"errors"
	"testing"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

const (
	mal   = mqtt.MalformedPacket
	proto = mqtt.ProtocolError
)

// malformed holds packets that break one rule each. The Remaining Length of
// wire is written as "LL" and filled in by the test.
var malformed = []struct {
	name string
	v    mqtt.Version // 0 for CONNECT, which brings its own
	wire string
	code mqtt.ReasonCode
	rule string
	at   int
}{
	// Fixed header: types and flags.
	{"type 0", v311, "00 LL", mal, "section 2.2.1", 0},
	{"type 0", v5, "00 LL", mal, "section 2.1.2", 0},
	{"type 15", v311, "F0 LL", mal, "section 2.2.1", 0},
	{"connect flags", 0, "11 LL 0004'MQTT' 04 02 0000 0000", mal, "MQTT-2.2.2-2", 0},
	{"connect flags", 0, "11 LL 0004'MQTT' 05 02 0000 00 0000", mal, "MQTT-2.1.3-1", 0},
	{"connack flags", v5, "28 LL 00 00 00", mal, "MQTT-2.1.3-1", 0},
	{"puback flags", v311, "42 LL 0001", mal, "MQTT-2.2.2-2", 0},
	{"pubrec flags", v311, "51 LL 0001", mal, "MQTT-2.2.2-2", 0},
	{"pubrel flags 0", v311, "60 LL 0001", mal, "MQTT-3.6.1-1", 0},
	{"pubrel flags 3", v5, "63 LL 0001", mal, "MQTT-3.6.1-1", 0},
	{"pubcomp flags", v5, "72 LL 0001", mal, "MQTT-2.1.3-1", 0},
	{"subscribe flags", v311, "80 LL 0001 0001'a' 00", mal, "MQTT-3.8.1-1", 0},
	{"suback flags", v311, "92 LL 0001 00", mal, "MQTT-2.2.2-2", 0},
	{"unsubscribe flags", v5, "A0 LL 0001 00 0001'a'", mal, "MQTT-3.10.1-1", 0},
	{"unsuback flags", v5, "B2 LL 0001 00 00", mal, "MQTT-2.1.3-1", 0},
	{"pingreq flags", v311, "C1 LL", mal, "MQTT-2.2.2-2", 0},
	{"pingresp flags", v311, "D8 LL", mal, "MQTT-2.2.2-2", 0},
	{"disconnect flags", v311, "E1 LL", mal, "MQTT-3.14.1-1", 0},
	{"auth flags", v5, "F1 LL", mal, "MQTT-3.15.1-1", 0},

	// CONNECT: protocol name and level.
	{"empty packet", 0, "10 LL", mal, "section 2.1.4", 2},
	{"name cut off", 0, "10 LL 0004'MQ'", mal, "section 2.1.4", 6},
	{"no level", 0, "10 LL 0004'MQTT'", mal, "section 2.1.4", 8},
	{"name MQIsdp", 0, "10 LL 0006'MQIsdp' 03 02 003C 0001'a'", mqtt.UnsupportedProtocolVersion, "MQTT-3.1.2-2", 10},
	{"name in lower case", 0, "10 LL 0004'mqtt' 04 02 003C 0001'a'", mqtt.UnsupportedProtocolVersion, "MQTT-3.1.2-1", 4},
	{"name empty", 0, "10 LL 0000 04 02 003C 0001'a'", mqtt.UnsupportedProtocolVersion, "MQTT-3.1.2-1", 4},
	{"level 3", 0, "10 LL 0004'MQTT' 03 02 003C 0001'a'", mqtt.UnsupportedProtocolVersion, "MQTT-3.1.2-2", 8},
	{"level 6", 0, "10 LL 0004'MQTT' 06 02 003C 0001'a'", mqtt.UnsupportedProtocolVersion, "MQTT-3.1.2-2", 8},
	{"level of a bridge", 0, "10 LL 0004'MQTT' 84 02 003C 0001'a'", mqtt.UnsupportedProtocolVersion, "MQTT-3.1.2-2", 8},
	// CONNECT: flags.
	{"reserved flag", 0, "10 LL 0004'MQTT' 04 03 003C 0001'a'", mal, "MQTT-3.1.2-3", 9},
	{"reserved flag", 0, "10 LL 0004'MQTT' 05 03 003C 00 0001'a'", mal, "MQTT-3.1.2-3", 9},
	{"will QoS without will", 0, "10 LL 0004'MQTT' 04 0A 003C 0001'a'", mal, "MQTT-3.1.2-13", 9},
	{"will QoS without will", 0, "10 LL 0004'MQTT' 05 12 003C 00 0001'a'", mal, "MQTT-3.1.2-11", 9},
	{"will QoS 3", 0, "10 LL 0004'MQTT' 04 1E 003C 0001'a' 0001'w' 0000", mal, "MQTT-3.1.2-14", 9},
	{"will QoS 3", 0, "10 LL 0004'MQTT' 05 1E 003C 00 0001'a' 00 0001'w' 0000", mal, "MQTT-3.1.2-12", 9},
	{"will retain without will", 0, "10 LL 0004'MQTT' 04 22 003C 0001'a'", mal, "MQTT-3.1.2-15", 9},
	{"will retain without will", 0, "10 LL 0004'MQTT' 05 22 003C 00 0001'a'", mal, "MQTT-3.1.2-13", 9},
	{"password without user name", 0, "10 LL 0004'MQTT' 04 42 003C 0001'a' 0001'p'", mal, "MQTT-3.1.2-22", 9},
	// CONNECT: fields.
	{"no flags", 0, "10 LL 0004'MQTT' 04", mal, "section 2.2.3", 9},
	{"keep alive cut off", 0, "10 LL 0004'MQTT' 04 02 00", mal, "section 2.2.3", 11},
	{"no client id", 0, "10 LL 0004'MQTT' 04 02 003C", mal, "section 2.2.3", 12},
	{"client id cut off", 0, "10 LL 0004'MQTT' 04 02 003C 0005'a'", mal, "section 2.2.3", 15},
	{"client id not UTF-8", 0, "10 LL 0004'MQTT' 04 02 003C 0003'a'FF'b'", mal, "MQTT-3.1.3-4", 15},
	{"client id a surrogate", 0, "10 LL 0004'MQTT' 05 02 003C 00 0003 EDA080", mal, "MQTT-3.1.3-4", 15},
	{"client id overlong", 0, "10 LL 0004'MQTT' 05 02 003C 00 0002 C080", mal, "MQTT-3.1.3-4", 15},
	{"client id with U+0000", 0, "10 LL 0004'MQTT' 04 02 003C 0003'a'00'b'", mal, "MQTT-1.5.3-2", 15},
	{"client id with U+0000", 0, "10 LL 0004'MQTT' 05 02 003C 00 0003'a'00'b'", mal, "MQTT-1.5.4-2", 16},
	{"will topic missing", 0, "10 LL 0004'MQTT' 04 06 003C 0001'a'", mal, "section 2.2.3", 15},
	{"will topic not UTF-8", 0, "10 LL 0004'MQTT' 04 06 003C 0001'a' 0001 80 0000", mal, "MQTT-3.1.3-10", 17},
	{"will topic not UTF-8", 0, "10 LL 0004'MQTT' 05 06 003C 00 0001'a' 00 0001 80 0000", mal, "MQTT-3.1.3-11", 19},
	{"will payload missing", 0, "10 LL 0004'MQTT' 04 06 003C 0001'a' 0001'w'", mal, "section 2.2.3", 18},
	{"user name missing", 0, "10 LL 0004'MQTT' 04 82 003C 0001'a'", mal, "section 2.2.3", 15},
	{"user name not UTF-8", 0, "10 LL 0004'MQTT' 04 82 003C 0001'a' 0001 FE", mal, "MQTT-3.1.3-11", 17},
	{"user name not UTF-8", 0, "10 LL 0004'MQTT' 05 82 003C 00 0001'a' 0001 FE", mal, "MQTT-3.1.3-12", 18},
	{"password missing", 0, "10 LL 0004'MQTT' 04 C2 003C 0001'a' 0001'u'", mal, "section 2.2.3", 18},
	{"password cut off", 0, "10 LL 0004'MQTT' 04 C2 003C 0001'a' 0001'u' 0002'p'", mal, "section 2.2.3", 21},
	{"a will that the flags deny", 0, "10 LL 0004'MQTT' 04 02 003C 0001'a' 0001'w' 0000", mal, "section 2.2.3", 15},
	{"bytes after the end", 0, "10 LL 0004'MQTT' 05 02 003C 00 0001'a' 00", mal, "section 2.1.4", 16},
	// Properties.
	{"property length missing", 0, "10 LL 0004'MQTT' 05 02 003C", mal, "section 2.1.4", 12},
	{"property length beyond the packet", 0, "10 LL 0004'MQTT' 05 02 003C 05 11 0000", mal, "section 2.1.4", 16},
	{"property length of five bytes", 0, "10 LL 0004'MQTT' 05 02 003C FFFFFFFF01 0001'a'", mal, "section 1.5.5", 12},
	{"property length not shortest", 0, "10 LL 0004'MQTT' 05 02 003C 8000 0001'a'", mal, "MQTT-1.5.5-1", 12},
	{"property beyond its block", 0, "10 LL 0004'MQTT' 05 02 003C 04 11 00000000 0001'a'", mal, "section 2.1.4", 17},
	{"property unknown", 0, "10 LL 0004'MQTT' 05 02 003C 02 04 00 0001'a'", mal, "section 2.2.2.2", 13},
	{"property 0", 0, "10 LL 0004'MQTT' 05 02 003C 02 00 00 0001'a'", mal, "section 2.2.2.2", 13},
	{"property identifier not shortest", 0, "10 LL 0004'MQTT' 05 02 003C 04 A100 0001 0001'a'", mal, "MQTT-1.5.5-1", 13},
	{"property of another packet", 0, "10 LL 0004'MQTT' 05 02 003C 03 23 0001 0001'a'", mal, "section 2.2.2.2", 13},
	{"will delay outside the will", 0, "10 LL 0004'MQTT' 05 02 003C 05 18 00000001 0001'a'", mal, "section 2.2.2.2", 13},
	{"session expiry twice", 0, "10 LL 0004'MQTT' 05 02 003C 0A 11 00000001 11 00000001 0001'a'", proto, "section 2.2.2.2", 18},
	{"receive maximum 0", 0, "10 LL 0004'MQTT' 05 02 003C 03 21 0000 0001'a'", proto, "section 3.1.2.11.3", 13},
	{"maximum packet size 0", 0, "10 LL 0004'MQTT' 05 02 003C 05 27 00000000 0001'a'", proto, "section 3.1.2.11.4", 13},
	{"request problem information 2", 0, "10 LL 0004'MQTT' 05 02 003C 02 17 02 0001'a'", proto, "section 2.2.2.2", 13},
	{"request response information 2", 0, "10 LL 0004'MQTT' 05 02 003C 02 19 02 0001'a'", proto, "section 2.2.2.2", 13},
	{"authentication data alone", 0, "10 LL 0004'MQTT' 05 02 003C 04 16 0001'd' 0001'a'", proto, "section 3.1.2.11.10", 13},
	{"user property name not UTF-8", 0, "10 LL 0004'MQTT' 05 02 003C 07 26 0001 FF 0001'v' 0001'a'", mal, "MQTT-1.5.7-1", 16},
	{"user property value not UTF-8", 0, "10 LL 0004'MQTT' 05 02 003C 07 26 0001'k' 0001 FF 0001'a'", mal, "MQTT-1.5.7-1", 19},
	{"user property without value", 0, "10 LL 0004'MQTT' 05 02 003C 04 26 0001'k' 0001'a'", mal, "section 2.1.4", 17},
	{"will property of a publish", 0, "10 LL 0004'MQTT' 05 06 003C 00 0001'a' 03 23 0001 0001'w' 0000", mal, "section 2.2.2.2", 17},
	{"will payload format 2", 0, "10 LL 0004'MQTT' 05 06 003C 00 0001'a' 02 01 02 0001'w' 0000", proto, "section 2.2.2.2", 17},
	{"will response topic with wildcard", 0, "10 LL 0004'MQTT' 05 06 003C 00 0001'a' 06 08 0003'a/#' 0001'w' 0000", proto, "MQTT-3.3.2-14", 17},

	// CONNACK.
	{"connack cut off", v311, "20 LL 00", mal, "section 2.2.3", 3},
	{"connack too long", v311, "20 LL 00 00 00", mal, "section 2.2.3", 4},
	{"connack flags byte", v311, "20 LL 02 00", mal, "section 3.2.2.1", 2},
	{"connack flags byte", v5, "20 LL 80 00 00", mal, "MQTT-3.2.2-1", 2},
	{"connack return code 6", v311, "20 LL 00 06", proto, "section 3.2.2.3", 3},
	{"connack reason code 0x04", v5, "20 LL 00 04 00", proto, "MQTT-3.2.2-8", 3},
	{"connack session present and refused", v311, "20 LL 01 05", proto, "MQTT-3.2.2-4", 2},
	{"connack session present and refused", v5, "20 LL 01 87 00", proto, "MQTT-3.2.2-6", 2},
	{"connack in the shape of 3.1.1", v5, "20 LL 00 01", mal, "section 3.2.2.3", 4},
	{"connack maximum QoS 2", v5, "20 LL 00 00 02 24 02", proto, "section 2.2.2.2", 5},
	{"connack retain available 2", v5, "20 LL 00 00 02 25 02", proto, "section 2.2.2.2", 5},
	{"connack shared available twice", v5, "20 LL 00 00 04 2A 01 2A 01", proto, "section 2.2.2.2", 7},
	{"connack receive maximum 0", v5, "20 LL 00 00 03 21 0000", proto, "section 3.1.2.11.3", 5},

	// PUBLISH.
	{"publish QoS 3", v311, "36 LL 0001'a' 0001", mal, "MQTT-3.3.1-4", 0},
	{"publish QoS 3", v5, "37 LL 0001'a' 0001 00", mal, "MQTT-3.3.1-4", 0},
	{"publish empty", v311, "30 LL", mal, "section 2.2.3", 2},
	{"publish topic cut off", v311, "30 LL 0005'a/b'", mal, "section 2.2.3", 7},
	{"publish topic not UTF-8", v311, "30 LL 0003'a'FF'b' 'x'", mal, "MQTT-3.3.2-1", 5},
	{"publish topic not UTF-8 far in", v311, "30 LL 0012'0123456789abcdef'C328 'x'", mal, "MQTT-3.3.2-1", 20},
	{"publish topic with U+0000", v311, "30 LL 000A'01234567'00'b' 'x'", mal, "MQTT-1.5.3-2", 12},
	{"publish topic with U+0000", v5, "30 LL 0002'a'00 00 'x'", mal, "MQTT-1.5.4-2", 5},
	{"publish packet id cut off", v311, "32 LL 0001'a' 00", mal, "section 2.2.3", 6},
	{"publish packet id 0", v311, "32 LL 0001'a' 0000", proto, "MQTT-2.3.1-1", 5},
	{"publish packet id 0", v5, "34 LL 0001'a' 0000 00", proto, "MQTT-2.2.1-3", 5},
	{"publish properties missing", v5, "30 LL 0001'a'", mal, "section 2.1.4", 5},
	{"publish empty topic without alias", v5, "30 LL 0000 00 'x'", proto, "section 3.3.2.1", 2},
	{"publish alias 0", v5, "30 LL 0001'a' 03 23 0000", mqtt.TopicAliasInvalid, "MQTT-3.3.2-8", 6},
	{"publish alias twice", v5, "30 LL 0001'a' 06 23 0001 23 0002", proto, "section 2.2.2.2", 9},
	{"publish payload format 2", v5, "30 LL 0001'a' 02 01 02", proto, "section 2.2.2.2", 6},
	{"publish message expiry twice", v5, "30 LL 0001'a' 0A 02 00000001 02 00000001", proto, "section 2.2.2.2", 11},
	{"publish content type not UTF-8", v5, "30 LL 0001'a' 04 03 0001 FF", mal, "MQTT-1.5.4-1", 9},
	{"publish response topic with +", v5, "30 LL 0001'a' 06 08 0003'a/+'", proto, "MQTT-3.3.2-14", 6},
	{"publish subscription id 0", v5, "30 LL 0001'a' 02 0B 00", proto, "section 3.8.2.1.2", 6},
	{"publish reason string", v5, "30 LL 0001'a' 04 1F 0001'r'", mal, "section 2.2.2.2", 6},

	// Acknowledgements.
	{"puback empty", v311, "40 LL", mal, "section 2.2.3", 2},
	{"puback one byte", v311, "40 LL 00", mal, "section 2.2.3", 3},
	{"puback packet id 0", v311, "40 LL 0000", proto, "MQTT-2.3.1-1", 2},
	{"puback packet id 0", v5, "40 LL 0000", proto, "MQTT-2.2.1-3", 2},
	{"puback with reason", v311, "40 LL 0001 00", mal, "section 2.2.3", 4},
	{"puback reason of another packet", v5, "40 LL 0001 8E", proto, "MQTT-3.4.2-1", 4},
	{"puback unknown reason", v5, "40 LL 0001 FF", proto, "MQTT-3.4.2-1", 4},
	{"puback bytes after the properties", v5, "40 LL 0001 00 00 00", mal, "section 2.1.4", 6},
	{"puback reason string twice", v5, "40 LL 0001 00 06 1F 0000 1F 0000", proto, "section 2.2.2.2", 9},
	{"pubrec reason", v5, "50 LL 0001 92", proto, "MQTT-3.5.2-1", 4},
	{"pubrel reason", v5, "62 LL 0001 80", proto, "MQTT-3.6.2-1", 4},
	{"pubrel packet id 0", v311, "62 LL 0000", proto, "MQTT-2.3.1-1", 2},
	{"pubcomp reason", v5, "70 LL 0001 10", proto, "MQTT-3.7.2-1", 4},

	// SUBSCRIBE, UNSUBSCRIBE and their answers.
	{"subscribe empty", v311, "82 LL", mal, "section 2.2.3", 2},
	{"subscribe packet id 0", v311, "82 LL 0000 0001'a' 00", proto, "MQTT-2.3.1-1", 2},
	{"subscribe packet id 0", v5, "82 LL 0000 00 0001'a' 00", proto, "MQTT-2.2.1-3", 2},
	{"subscribe without filter", v311, "82 LL 0001", proto, "MQTT-3.8.3-3", 4},
	{"subscribe without filter", v5, "82 LL 0001 00", proto, "MQTT-3.8.3-2", 5},
	{"subscribe filter cut off", v311, "82 LL 0001 0002'a'", mal, "section 2.2.3", 7},
	{"subscribe without options", v311, "82 LL 0001 0001'a'", mal, "section 2.2.3", 7},
	{"subscribe QoS 3", v311, "82 LL 0001 0001'a' 03", mal, "MQTT-3.8.3-4", 7},
	{"subscribe QoS 3", v5, "82 LL 0001 00 0001'a' 03", proto, "section 3.8.3.1", 8},
	{"subscribe options of MQTT 5", v311, "82 LL 0001 0001'a' 04", mal, "MQTT-3.8.3-4", 7},
	{"subscribe reserved bit 6", v5, "82 LL 0001 00 0001'a' 40", mal, "MQTT-3.8.3-5", 8},
	{"subscribe reserved bit 7", v5, "82 LL 0001 00 0001'a' 80", mal, "MQTT-3.8.3-5", 8},
	{"subscribe retain handling 3", v5, "82 LL 0001 00 0001'a' 30", proto, "section 3.8.3.1", 8},
	{"subscribe no local and shared", v5, "82 LL 0001 00 000A'$share/g/a' 04", proto, "MQTT-3.8.3-4", 17},
	{"subscribe filter not UTF-8", v311, "82 LL 0001 0001 FF 00", mal, "MQTT-3.8.3-1", 6},
	{"subscribe second filter bad", v5, "82 LL 0001 00 0001'a' 00 0001 00 00", mal, "MQTT-1.5.4-2", 11},
	{"subscribe identifier twice", v5, "82 LL 0001 04 0B 01 0B 02 0001'a' 00", proto, "section 2.2.2.2", 7},
	{"subscribe identifier 0", v5, "82 LL 0001 02 0B 00 0001'a' 00", proto, "section 3.8.2.1.2", 5},
	{"suback empty", v311, "90 LL 0001", proto, "MQTT-3.8.4-5", 4},
	{"suback code 3", v311, "90 LL 0001 03", proto, "MQTT-3.9.3-2", 4},
	{"suback code of MQTT 5", v311, "90 LL 0001 87", proto, "MQTT-3.9.3-2", 4},
	{"suback unknown code", v5, "90 LL 0001 00 11", proto, "MQTT-3.9.3-2", 5},
	{"unsubscribe without filter", v311, "A2 LL 0001", proto, "MQTT-3.10.3-2", 4},
	{"unsubscribe packet id 0", v5, "A2 LL 0000 00 0001'a'", proto, "MQTT-2.2.1-3", 2},
	{"unsubscribe filter not UTF-8", v311, "A2 LL 0001 0002'a'C0", mal, "MQTT-3.10.3-1", 7},
	{"unsubscribe subscription id", v5, "A2 LL 0001 02 0B 01 0001'a'", mal, "section 2.2.2.2", 5},
	{"unsuback with codes", v311, "B0 LL 0001 00", mal, "section 2.2.3", 4},
	{"unsuback without codes", v5, "B0 LL 0001 00", proto, "MQTT-3.11.3-1", 5},
	{"unsuback code", v5, "B0 LL 0001 00 01", proto, "MQTT-3.11.3-2", 5},

	// The rest.
	{"pingreq with a body", v311, "C0 LL 00", mal, "section 2.2.3", 2},
	{"pingresp with a body", v5, "D0 LL 00", mal, "section 2.1.4", 2},
	{"disconnect with a body", v311, "E0 LL 00", mal, "section 2.2.3", 2},
	{"disconnect unknown reason", v5, "E0 LL 01", proto, "MQTT-3.14.2-1", 2},
	{"disconnect bytes after the end", v5, "E0 LL 00 00 00", mal, "section 2.1.4", 4},
	{"disconnect property of another packet", v5, "E0 LL 00 03 21 0001", mal, "section 2.2.2.2", 4},
	{"auth without properties", v5, "F0 LL 18", mal, "section 2.1.4", 3},
	{"auth without method", v5, "F0 LL 18 00", proto, "section 3.15.2.2.2", 4},
	{"auth unknown reason", v5, "F0 LL 87 04 15 0001'm'", proto, "MQTT-3.15.2-1", 2},
}

func TestMalformedPackets(t *testing.T) {
	for _, tt := range malformed {
		t.Run(tt.v.String()+" "+tt.name, func(t *testing.T) {
			body := unhex(t, tt.wire[5:])
			header := unhex(t, tt.wire[:2])[0]
			_, err := mqtt.Decode(tt.v, header, body)
			e, ok := errors.AsType[*mqtt.Error](err)
			if !ok {
				t.Fatalf("Decode(%02X, % X) = %v, want an *Error", header, body, err)
			}
			if e.Code != tt.code || e.Rule != tt.rule || e.Offset != tt.at || e.Message == "" {
				t.Errorf("Decode(%02X, % X)\n got %v (%s)\nwant byte %d [%s] (%s)", header, body, e, e.Code, tt.at, tt.rule, tt.code)
			}
		})
	}
}

// TestWrongTypeOrVersion: decoders refuse what is not theirs.
func TestWrongTypeOrVersion(t *testing.T) {
	for typ := mqtt.TypeConnect; typ <= mqtt.TypeAuth; typ++ {
		p := mqtt.New(typ)
		for other := range 16 {
			if mqtt.PacketType(other) != typ {
				if err := p.Decode(v5, byte(other)<<4, nil); err == nil {
					t.Errorf("%s decoded a packet of type %d", typ, other)
				}
			}
		}
		for _, v := range []mqtt.Version{0, mqtt.V31, 6} {
			if err := p.Decode(v, byte(typ)<<4, []byte{0, 0}); err == nil {
				t.Errorf("%s decoded a packet of %s", typ, v)
			}
			if _, err := p.Append(nil, v); err == nil {
				t.Errorf("%s encoded a packet for %s", typ, v)
			}
		}
	}
}

// TestConnectEvidence: what a refused CONNECT said before its fault is kept.
func TestConnectEvidence(t *testing.T) {
	for _, tt := range []struct {
		wire     string
		version  mqtt.Version
		name, id string
	}{
		{"0006'MQIsdp' 03 02 003C 0001'a'", mqtt.V31, "MQIsdp", ""},
		{"0004'MQTT' 06 02 003C 0001'a'", 6, "MQTT", ""},
		{"0004'HTTP' 05 02 003C 0001'a'", 0, "HTTP", ""},
		{"0004'MQTT' 05 82 003C 00 0006'sensor' 0001 FF", v5, "MQTT", "sensor"},
		{"0004'MQTT' 04 06 003C 0006'sensor' 0001'w'", v311, "MQTT", "sensor"},
	} {
		var c mqtt.Connect
		err := c.Decode(0, 0x10, unhex(t, tt.wire))
		if err == nil || c.Version != tt.version || string(c.ProtocolName) != tt.name || string(c.ClientID) != tt.id {
			t.Errorf("Decode(%s) = %v: version %d, name %q, id %q; want %d, %q, %q",
				tt.wire, err, c.Version, c.ProtocolName, c.ClientID, tt.version, tt.name, tt.id)
		}
	}
}

// TestCutOff: every prefix of a valid body is refused or is itself a packet; it
// never panics, and never reads beyond its end.
func TestCutOff(t *testing.T) {
	for _, tt := range valid {
		wire := unhex(t, tt.wire)
		for n := 2; n < len(wire); n++ {
			body := append([]byte{}, wire[2:n]...) // its own memory, so that reading on would panic
			p, err := mqtt.Decode(tt.v, wire[0], body)
			if err != nil {
				if e, ok := errors.AsType[*mqtt.Error](err); !ok || e.Offset > n || e.Rule == "" {
					t.Errorf("%s cut to %d bytes: %v", tt.name, n, err)
				}
			} else if _, err := p.Append(nil, tt.v); err != nil {
				t.Errorf("%s cut to %d bytes decodes but does not encode: %v", tt.name, n, err)
			}
		}
	}
}
