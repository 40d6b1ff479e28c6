package mqtt_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// unhex reads hexadecimal bytes; words in quotes stand for themselves.
func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	var out []byte
	for i, part := range strings.Split(s, "'") {
		if i%2 == 1 {
			out = append(out, part...)
			continue
		}
		b, err := hex.DecodeString(strings.ReplaceAll(part, " ", ""))
		if err != nil {
			tb.Fatalf("bad hex %q: %v", part, err)
		}
		out = append(out, b...)
	}
	return out
}

func with(set func(p *mqtt.Properties)) (p mqtt.Properties) {
	set(&p)
	return p
}

const (
	v311 = mqtt.V311
	v5   = mqtt.V5
)

// valid holds packets and their canonical encoding.
var valid = []struct {
	name string
	v    mqtt.Version
	wire string
	p    mqtt.Packet
}{
	{
		"connect, minimal", v311, "10 0D 0004'MQTT' 04 02 003C 0001'a'",
		&mqtt.Connect{ProtocolName: []byte("MQTT"), Version: v311, CleanStart: true, KeepAlive: 60, ClientID: []byte("a")},
	},
	{
		"connect, empty client id", v311, "10 0C 0004'MQTT' 04 02 0000 0000",
		&mqtt.Connect{ProtocolName: []byte("MQTT"), Version: v311, CleanStart: true},
	},
	{
		"connect, everything", v311, "10 1F 0004'MQTT' 04 EC 04B0 0002'id' 0003'w/t' 0002 00FF 0001'u' 0003'p'00'w'",
		&mqtt.Connect{
			ProtocolName: []byte("MQTT"), Version: v311, KeepAlive: 1200, ClientID: []byte("id"),
			Will:        &mqtt.Will{QoS: 1, Retain: true, Topic: []byte("w/t"), Payload: []byte{0, 0xFF}},
			HasUserName: true, UserName: []byte("u"), HasPassword: true, Password: []byte("p\x00w"),
		},
	},
	{
		"connect, will QoS 2", v311, "10 13 0004'MQTT' 04 14 0000 0001'a' 0002'wt' 0000",
		&mqtt.Connect{ProtocolName: []byte("MQTT"), Version: v311, ClientID: []byte("a"), Will: &mqtt.Will{QoS: 2, Topic: []byte("wt")}},
	},
	{
		"connect, empty user name", v311, "10 0F 0004'MQTT' 04 80 0000 0001'a' 0000",
		&mqtt.Connect{ProtocolName: []byte("MQTT"), Version: v311, ClientID: []byte("a"), HasUserName: true},
	},
	{
		"connect, minimal", v5, "10 0E 0004'MQTT' 05 02 003C 00 0001'a'",
		&mqtt.Connect{ProtocolName: []byte("MQTT"), Version: v5, CleanStart: true, KeepAlive: 60, ClientID: []byte("a")},
	},
	{
		"connect, password alone", v5, "10 11 0004'MQTT' 05 40 0000 00 0001'a' 0001'p'",
		&mqtt.Connect{ProtocolName: []byte("MQTT"), Version: v5, ClientID: []byte("a"), HasPassword: true, Password: []byte("p")},
	},
	{
		"connect, all properties", v5,
		"10 60 0004'MQTT' 05 04 0000 24 11 00000E10 15 0001'm' 16 0002 0102 17 00 19 01 21 0064 27 00024800 22 0008 26 0001'k' 0001'v' 0001'a'" +
			"27 01 01 02 0000003C 03 0002'ct' 08 0002'rt' 09 0001'c' 18 00000005 26 0001'a' 0001'1' 26 0001'a' 0000 0001'w' 0001'p'",
		&mqtt.Connect{
			ProtocolName: []byte("MQTT"), Version: v5, ClientID: []byte("a"),
			Props: with(func(p *mqtt.Properties) {
				p.SetSessionExpiry(3600)
				p.SetAuthMethod([]byte("m"))
				p.SetAuthData([]byte{1, 2})
				p.SetRequestProblemInfo(false)
				p.SetRequestResponseInfo(true)
				p.SetReceiveMaximum(100)
				p.SetTopicAliasMaximum(8)
				p.SetMaximumPacketSize(149504)
				p.AddUser("k", "v")
			}),
			Will: &mqtt.Will{Topic: []byte("w"), Payload: []byte("p"), Props: with(func(p *mqtt.Properties) {
				p.SetPayloadFormat(1)
				p.SetMessageExpiry(60)
				p.SetContentType([]byte("ct"))
				p.SetResponseTopic([]byte("rt"))
				p.SetCorrelationData([]byte("c"))
				p.SetWillDelay(5)
				p.AddUser("a", "1")
				p.AddUser("a", "")
			})},
		},
	},

	{"connack, accepted", v311, "20 02 00 00", &mqtt.Connack{}},
	{"connack, session present", v311, "20 02 01 00", &mqtt.Connack{SessionPresent: true}},
	{"connack, refused", v311, "20 02 00 05", &mqtt.Connack{Reason: mqtt.RefusedNotAuthorized}},
	{"connack, accepted", v5, "20 03 00 00 00", &mqtt.Connack{}},
	{"connack, refused", v5, "20 03 00 87 00", &mqtt.Connack{Reason: mqtt.NotAuthorized}},
	// The reference packet of AWS. Source: mqtt sheet 3.
	{"connack, reference", v5, "20 1B 00 00 18 21 00 64 24 01 25 01 27 00 02 48 00 22 00 08 28 01 29 00 2A 01 13 04 B0", nil},
	{
		"connack, every property", v5,
		"20 44 00 00 41 11 00000001 12 0001'i' 15 0001'm' 16 0001'd' 1A 0001'r' 1C 0001's' 1F 0001'R' 21 0001 24 00 25 00 27 00000100 22 0002 28 00 29 01 2A 00 13 0005 26 0001'k' 0001'v' 26 0000 0000",
		&mqtt.Connack{Props: with(func(p *mqtt.Properties) {
			p.SetSessionExpiry(1)
			p.SetAssignedClientID([]byte("i"))
			p.SetServerKeepAlive(5)
			p.SetAuthMethod([]byte("m"))
			p.SetAuthData([]byte("d"))
			p.SetResponseInfo([]byte("r"))
			p.SetServerReference([]byte("s"))
			p.SetReasonString([]byte("R"))
			p.SetReceiveMaximum(1)
			p.SetTopicAliasMaximum(2)
			p.SetMaximumQoS(0)
			p.SetRetainAvailable(false)
			p.SetMaximumPacketSize(256)
			p.SetWildcardAvailable(false)
			p.SetSubscriptionAvailable(true)
			p.SetSharedAvailable(false)
			p.AddUser("k", "v")
			p.AddUser("", "")
		})},
	},

	{"publish, QoS 0", v311, "30 07 0003'a/b' 'hi'", &mqtt.Publish{Topic: []byte("a/b"), Payload: []byte("hi")}},
	{"publish, no payload", v311, "31 05 0003'a/b'", &mqtt.Publish{Retain: true, Topic: []byte("a/b")}},
	{"publish, empty topic", v311, "30 02 0000", &mqtt.Publish{}},
	{"publish, QoS 1 DUP", v311, "3A 08 0003'a/b' 0100 'x'", &mqtt.Publish{Dup: true, QoS: 1, Topic: []byte("a/b"), PacketID: 256, Payload: []byte("x")}},
	{"publish, QoS 2", v311, "34 07 0003'a/b' FFFF", &mqtt.Publish{QoS: 2, Topic: []byte("a/b"), PacketID: 65535}},
	{"publish, DUP at QoS 0 is AWS's to ignore", v311, "38 03 0001'a'", &mqtt.Publish{Dup: true, Topic: []byte("a")}},
	{"publish, other scripts", v311, "30 11 000F E6B8A9E5BAA6 2F F09F8CA1 2F EFBBBF", nil},
	{"publish, control characters", v311, "30 05 0003 01 7F 0A", &mqtt.Publish{Topic: []byte("\x01\x7f\n")}},
	{"publish, wildcard is the caller's to refuse", v311, "30 03 0001'#'", &mqtt.Publish{Topic: []byte("#")}},
	{"publish, QoS 0", v5, "30 08 0003'a/b' 00 'hi'", &mqtt.Publish{Topic: []byte("a/b"), Payload: []byte("hi")}},
	{"publish, QoS 1", v5, "32 08 0003'a/b' 0001 00", &mqtt.Publish{QoS: 1, Topic: []byte("a/b"), PacketID: 1}},
	{
		"publish, alias alone", v5, "30 07 0000 03 23 0008 'x'",
		&mqtt.Publish{Payload: []byte("x"), Props: with(func(p *mqtt.Properties) { p.SetTopicAlias(8) })},
	},
	{
		"publish, all properties", v5,
		"32 33 0001't' 0007 2A 01 00 02 0000003C 03 0002'ct' 08 0002'rt' 09 0000 0B 01 0B 80 01 23 0001 26 0001'k' 0001'v' 26 0001'k' 0001'w' 'pay'",
		&mqtt.Publish{QoS: 1, Topic: []byte("t"), PacketID: 7, Payload: []byte("pay"), Props: with(func(p *mqtt.Properties) {
			p.SetPayloadFormat(0)
			p.SetMessageExpiry(60)
			p.SetContentType([]byte("ct"))
			p.SetResponseTopic([]byte("rt"))
			p.SetCorrelationData([]byte{})
			p.SubscriptionIDs = []uint32{1, 128}
			p.SetTopicAlias(1)
			p.AddUser("k", "v")
			p.AddUser("k", "w")
		})},
	},

	{"puback", v311, "40 02 0001", &mqtt.Puback{PacketID: 1}},
	{"puback, success", v5, "40 02 0001", &mqtt.Puback{PacketID: 1}},
	{"puback, refused", v5, "40 03 0001 87", &mqtt.Puback{PacketID: 1, Reason: mqtt.NotAuthorized}},
	{
		"puback, properties", v5, "40 0F 0001 00 0B 1F 0001'r' 26 0001'k' 0001'v'",
		&mqtt.Puback{PacketID: 1, Props: with(func(p *mqtt.Properties) { p.SetReasonString([]byte("r")); p.AddUser("k", "v") })},
	},
	{"pubrec", v311, "50 02 0102", &mqtt.Pubrec{PacketID: 258}},
	{"pubrec, refused", v5, "50 03 0102 97", &mqtt.Pubrec{PacketID: 258, Reason: mqtt.QuotaExceeded}},
	{"pubrel", v311, "62 02 0102", &mqtt.Pubrel{PacketID: 258}},
	{"pubrel, unknown id", v5, "62 03 0102 92", &mqtt.Pubrel{PacketID: 258, Reason: mqtt.PacketIdentifierNotFound}},
	{"pubcomp", v311, "70 02 0102", &mqtt.Pubcomp{PacketID: 258}},
	{
		"pubcomp, unknown id", v5, "70 08 0102 92 04 1F 0001'x'",
		&mqtt.Pubcomp{PacketID: 258, Reason: mqtt.PacketIdentifierNotFound, Props: with(func(p *mqtt.Properties) { p.SetReasonString([]byte("x")) })},
	},

	{"subscribe", v311, "82 0C 0001 0003'a/+' 00 0001'#' 01", &mqtt.Subscribe{
		PacketID: 1,
		Filters:  []mqtt.Subscription{{Filter: []byte("a/+")}, {Filter: []byte("#"), QoS: 1}},
	}},
	{"subscribe, QoS 2 is the server's to refuse", v311, "82 06 0001 0001'a' 02", &mqtt.Subscribe{
		PacketID: 1,
		Filters:  []mqtt.Subscription{{Filter: []byte("a"), QoS: 2}},
	}},
	{"subscribe, options", v5, "82 0D 0001 00 0001'a' 2E 0003'b/c' 11", &mqtt.Subscribe{
		PacketID: 1,
		Filters:  []mqtt.Subscription{{Filter: []byte("a"), QoS: 2, NoLocal: true, RetainAsPublished: true, RetainHandling: 2}, {Filter: []byte("b/c"), QoS: 1, RetainHandling: 1}},
	}},
	{"subscribe, identifier", v5, "82 0C 0001 05 0B FFFFFF7F 0001'a' 00", &mqtt.Subscribe{
		PacketID: 1,
		Props:    mqtt.Properties{SubscriptionIDs: []uint32{mqtt.MaxRemainingLength}},
		Filters:  []mqtt.Subscription{{Filter: []byte("a")}},
	}},
	{"suback", v311, "90 05 0001 00 01 80", &mqtt.Suback{PacketID: 1, Codes: []mqtt.ReasonCode{0, 1, 0x80}}},
	{"suback", v5, "90 06 0001 00 02 87 8F", &mqtt.Suback{PacketID: 1, Codes: []mqtt.ReasonCode{2, mqtt.NotAuthorized, mqtt.TopicFilterInvalid}}},
	{"unsubscribe", v311, "A2 08 0001 0001'a' 0001'b'", &mqtt.Unsubscribe{PacketID: 1, Filters: [][]byte{[]byte("a"), []byte("b")}}},
	{"unsubscribe", v5, "A2 0D 0001 07 26 0001'k' 0001'v' 0001'a'", &mqtt.Unsubscribe{
		PacketID: 1, Filters: [][]byte{[]byte("a")},
		Props: with(func(p *mqtt.Properties) { p.AddUser("k", "v") }),
	}},
	{"unsuback", v311, "B0 02 0001", &mqtt.Unsuback{PacketID: 1}},
	{"unsuback", v5, "B0 05 0001 00 00 11", &mqtt.Unsuback{PacketID: 1, Codes: []mqtt.ReasonCode{0, mqtt.NoSubscriptionExisted}}},

	{"pingreq", v311, "C0 00", &mqtt.Pingreq{}},
	{"pingreq", v5, "C0 00", &mqtt.Pingreq{}},
	{"pingresp", v311, "D0 00", &mqtt.Pingresp{}},
	{"pingresp", v5, "D0 00", &mqtt.Pingresp{}},
	{"disconnect", v311, "E0 00", &mqtt.Disconnect{}},
	{"disconnect, normal", v5, "E0 00", &mqtt.Disconnect{}},
	{"disconnect, taken over", v5, "E0 01 8E", &mqtt.Disconnect{Reason: mqtt.SessionTakenOver}},
	{"disconnect, session expiry", v5, "E0 07 00 05 11 00000E10", &mqtt.Disconnect{Props: with(func(p *mqtt.Properties) { p.SetSessionExpiry(3600) })}},
	{
		"disconnect, all properties", v5, "E0 16 9D 14 11 00000000 1C 0001's' 1F 0002'rs' 26 0000 0001'v'",
		&mqtt.Disconnect{Reason: mqtt.ServerMoved, Props: with(func(p *mqtt.Properties) {
			p.SetSessionExpiry(0)
			p.SetServerReference([]byte("s"))
			p.SetReasonString([]byte("rs"))
			p.AddUser("", "v")
		})},
	},
	{"auth, success", v5, "F0 00", &mqtt.Auth{}},
	{"auth, continue", v5, "F0 0A 18 08 15 0001'm' 16 0001'd'", &mqtt.Auth{Reason: mqtt.ContinueAuthentication, Props: with(func(p *mqtt.Properties) {
		p.SetAuthMethod([]byte("m"))
		p.SetAuthData([]byte("d"))
	})}},
}

func TestValidPackets(t *testing.T) {
	for _, tt := range valid {
		t.Run(tt.v.String()+" "+tt.name, func(t *testing.T) {
			wire := unhex(t, tt.wire)
			header, body, n, err := mqtt.NextPacket(wire, 0)
			if err != nil || n != len(wire) {
				t.Fatalf("NextPacket(% X) = %d bytes, %v; want %d", wire, n, err, len(wire))
			}
			got, err := mqtt.Decode(tt.v, header, body)
			if err != nil {
				t.Fatalf("Decode(% X): %v", wire, err)
			}
			if tt.p != nil {
				if diff := cmp.Diff(tt.p, got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("Decode(% X) (-want +got):\n%s", wire, diff)
				}
			}
			again, err := got.Append([]byte("before"), tt.v)
			if err != nil {
				t.Fatalf("Append: %v", err)
			}
			if want := append([]byte("before"), wire...); !bytes.Equal(again, want) {
				t.Errorf("Append\n got % X\nwant % X", again, want)
			}
		})
	}
}

// TestReferenceConnack builds the CONNACK of mqtt sheet 3 as a server does.
func TestReferenceConnack(t *testing.T) {
	var p mqtt.Connack
	p.Props.SetServerKeepAlive(1200)
	p.Props.SetReceiveMaximum(100)
	p.Props.SetMaximumQoS(1)
	p.Props.SetRetainAvailable(true)
	p.Props.SetMaximumPacketSize(149504)
	p.Props.SetTopicAliasMaximum(8)
	p.Props.SetWildcardAvailable(true)
	p.Props.SetSubscriptionAvailable(false)
	p.Props.SetSharedAvailable(true)
	got, err := p.Append(nil, v5)
	want := unhex(t, "20 1B 00 00 18 21 00 64 24 01 25 01 27 00 02 48 00 22 00 08 28 01 29 00 2A 01 13 04 B0")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("Append: %v\n got % X\nwant % X", err, got, want)
	}
}

// TestLongForms holds encodings that are legal but not the shortest.
func TestLongForms(t *testing.T) {
	for _, tt := range []struct {
		v               mqtt.Version
		wire, canonical string
	}{
		{v5, "40 03 0001 00", "40 02 0001"},
		{v5, "40 04 0001 00 00", "40 02 0001"},
		{v5, "40 04 0001 87 00", "40 03 0001 87"},
		{v5, "E0 01 00", "E0 00"},
		{v5, "E0 02 8E 00", "E0 01 8E"},
		{v5, "30 0A 0001't' 06 02 00000001", ""},
		{v5, "20 09 00 00 06 13 04B0 21 0064", "20 09 00 00 06 21 0064 13 04B0"},
	} {
		wire := unhex(t, tt.wire)
		p, err := mqtt.Decode(tt.v, wire[0], wire[2:])
		if tt.canonical == "" {
			if err == nil {
				t.Errorf("Decode(% X) accepted a property length beyond its properties", wire)
			}
			continue
		}
		if err != nil {
			t.Errorf("Decode(% X): %v", wire, err)
			continue
		}
		if got, err := p.Append(nil, tt.v); err != nil || !bytes.Equal(got, unhex(t, tt.canonical)) {
			t.Errorf("% X encoded again = % X, %v; want %s", wire, got, err, tt.canonical)
		}
	}
}

// TestDecodeReplaces: a struct that is decoded into again holds nothing of the
// packet before.
func TestDecodeReplaces(t *testing.T) {
	for _, first := range valid {
		for _, second := range valid {
			w1, w2 := unhex(t, first.wire), unhex(t, second.wire)
			if w1[0]>>4 != w2[0]>>4 {
				continue
			}
			p := mqtt.New(mqtt.TypeOf(w1[0]))
			for _, step := range []struct {
				v    mqtt.Version
				wire []byte
			}{{first.v, w1}, {second.v, w2}} {
				if err := p.Decode(step.v, step.wire[0], step.wire[2:]); err != nil {
					t.Fatalf("Decode(% X): %v", step.wire, err)
				}
			}
			fresh, _ := mqtt.Decode(second.v, w2[0], w2[2:])
			if diff := cmp.Diff(fresh, p, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%q after %q (-fresh +reused):\n%s", second.name, first.name, diff)
			}
		}
	}
}

func TestMayBeSent(t *testing.T) {
	for typ := range mqtt.PacketType(16) {
		var client, server bool
		switch typ {
		case mqtt.TypeConnect, mqtt.TypeSubscribe, mqtt.TypeUnsubscribe, mqtt.TypePingreq:
			client = true
		case mqtt.TypeConnack, mqtt.TypeSuback, mqtt.TypeUnsuback, mqtt.TypePingresp:
			server = true
		case mqtt.TypePublish, mqtt.TypePuback, mqtt.TypePubrec, mqtt.TypePubrel, mqtt.TypePubcomp:
			client, server = true, true
		default: // it depends on the version
		}
		for _, v := range []mqtt.Version{v311, v5} {
			c, s := client, server
			switch typ {
			case mqtt.TypeDisconnect:
				c, s = true, v == v5
			case mqtt.TypeAuth:
				c, s = v == v5, v == v5
			default: // in both alike
			}
			if got := mqtt.ClientMaySend(typ, v); got != c {
				t.Errorf("ClientMaySend(%s, %s) = %v, want %v", typ, v, got, c)
			}
			if got := mqtt.ServerMaySend(typ, v); got != s {
				t.Errorf("ServerMaySend(%s, %s) = %v, want %v", typ, v, got, s)
			}
		}
	}
}
