package mqtt_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// TestEncodeRefuses: what has no encoding is refused and dst stays as it was.
func TestEncodeRefuses(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 65536)
	for _, tt := range []struct {
		name string
		v    mqtt.Version
		p    mqtt.Packet
		code mqtt.ReasonCode
	}{
		{"client id too long", v311, &mqtt.Connect{ClientID: long}, mqtt.PacketTooLarge},
		{"will topic too long", v311, &mqtt.Connect{Will: &mqtt.Will{Topic: long}}, mqtt.PacketTooLarge},
		{"will payload too long", v5, &mqtt.Connect{Will: &mqtt.Will{Payload: long}}, mqtt.PacketTooLarge},
		{"will QoS 3", v5, &mqtt.Connect{Will: &mqtt.Will{QoS: 3}}, mal},
		{"password alone", v311, &mqtt.Connect{HasPassword: true}, mal},
		{"property of another packet", v5, &mqtt.Connect{Props: with(func(p *mqtt.Properties) { p.SetTopicAlias(1) })}, mal},
		{"property of another packet in will", v5, &mqtt.Connect{Will: &mqtt.Will{Props: with(func(p *mqtt.Properties) { p.SetSessionExpiry(1) })}}, mal},
		{"session present and refused", v5, &mqtt.Connack{SessionPresent: true, Reason: mqtt.Banned}, proto},
		{"reason of MQTT 5", v311, &mqtt.Connack{Reason: mqtt.Banned}, proto},
		{"return code of 3.1.1", v5, &mqtt.Connack{Reason: mqtt.RefusedNotAuthorized}, proto},
		{"topic too long", v311, &mqtt.Publish{Topic: long}, mqtt.PacketTooLarge},
		{"publish without id", v311, &mqtt.Publish{QoS: 1, Topic: []byte("a")}, proto},
		{"publish QoS 3", v311, &mqtt.Publish{QoS: 3, PacketID: 1, Topic: []byte("a")}, mal},
		{"user property too long", v5, &mqtt.Publish{Topic: []byte("a"), Props: mqtt.Properties{User: []mqtt.UserProperty{{Value: long}}}}, mqtt.PacketTooLarge},
		{"subscription id 0", v5, &mqtt.Publish{Topic: []byte("a"), Props: mqtt.Properties{SubscriptionIDs: []uint32{0}}}, proto},
		{"ack without id", v5, &mqtt.Puback{}, proto},
		{"ack with a reason not its own", v5, &mqtt.Puback{PacketID: 1, Reason: mqtt.SessionTakenOver}, proto},
		{"subscribe without filter", v5, &mqtt.Subscribe{PacketID: 1}, proto},
		{"subscribe QoS 3", v5, &mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{QoS: 3}}}, proto},
		{"subscribe with two identifiers", v5, &mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{}}, Props: mqtt.Properties{SubscriptionIDs: []uint32{1, 2}}}, proto},
		{"suback without code", v311, &mqtt.Suback{PacketID: 1}, proto},
		{"suback code of MQTT 5", v311, &mqtt.Suback{PacketID: 1, Codes: []mqtt.ReasonCode{mqtt.NotAuthorized}}, proto},
		{"unsubscribe without filter", v311, &mqtt.Unsubscribe{PacketID: 1}, proto},
		{"unsubscribe filter too long", v311, &mqtt.Unsubscribe{PacketID: 1, Filters: [][]byte{long}}, mqtt.PacketTooLarge},
		{"unsuback without code", v5, &mqtt.Unsuback{PacketID: 1}, proto},
		{"disconnect with a reason not its own", v5, &mqtt.Disconnect{Reason: mqtt.GrantedQoS1}, proto},
		{"auth in 3.1.1", v311, &mqtt.Auth{}, mal},
		{"auth without method", v5, &mqtt.Auth{Reason: mqtt.ReAuthenticate}, proto},
	} {
		got, err := tt.p.Append([]byte("kept"), tt.v)
		if e, ok := errors.AsType[*mqtt.Error](err); !ok || e.Code != tt.code || e.Rule == "" || string(got) != "kept" {
			t.Errorf("%s: Append = %.20q, %v; want %s", tt.name, got, err, tt.code)
		}
	}
}

// TestEncodeTooLarge: 268435455 bytes after the fixed header fit, one more does not.
func TestEncodeTooLarge(t *testing.T) {
	payload := make([]byte, mqtt.MaxRemainingLength-3+1)
	p := &mqtt.Publish{Topic: []byte("a"), Payload: payload}
	if _, err := p.Size(v311); err == nil {
		t.Error("Size accepts a packet above the protocol's limit")
	}
	if _, err := p.Append(nil, v311); err == nil {
		t.Error("Append accepts a packet above the protocol's limit")
	}
	p.Payload = payload[1:]
	if n, err := p.Size(v311); err != nil || n != mqtt.MaxPacketSize {
		t.Errorf("Size of the largest packet = %d, %v; want %d", n, err, mqtt.MaxPacketSize)
	}
}

// TestVersionsStrip: what MQTT 3.1.1 lacks is left out, not refused.
func TestVersionsStrip(t *testing.T) {
	props := with(func(p *mqtt.Properties) { p.SetReasonString([]byte("r")); p.AddUser("k", "v") })
	pub := &mqtt.Publish{Topic: []byte("a"), Payload: []byte("x"), Props: with(func(p *mqtt.Properties) { p.SetContentType([]byte("t")) })}
	for _, tt := range []struct {
		p    mqtt.Packet
		want string
	}{
		{pub, "30 04 0001'a' 'x'"},
		{&mqtt.Puback{PacketID: 1, Reason: mqtt.Success, Props: props}, "40 02 0001"},
		{&mqtt.Disconnect{Reason: mqtt.SessionTakenOver, Props: props}, "E0 00"},
		{&mqtt.Unsuback{PacketID: 1, Codes: []mqtt.ReasonCode{0x11}}, "B0 02 0001"},
		{&mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte("a"), QoS: 1, NoLocal: true, RetainHandling: 2}}}, "82 06 0001 0001'a' 01"},
	} {
		if got, err := tt.p.Append(nil, v311); err != nil || !bytes.Equal(got, unhex(t, tt.want)) {
			t.Errorf("%T for MQTT 3.1.1 = % X, %v; want %s", tt.p, got, err, tt.want)
		}
	}
}

// TestShortcuts: the quick appenders write what the packets do.
func TestShortcuts(t *testing.T) {
	for _, v := range []mqtt.Version{v311, v5} {
		for _, reason := range []mqtt.ReasonCode{mqtt.Success, mqtt.UnspecifiedError} {
			for _, p := range []mqtt.Packet{&mqtt.Puback{PacketID: 515, Reason: reason}, &mqtt.Pubrec{PacketID: 515, Reason: reason}, &mqtt.Pubrel{PacketID: 515}, &mqtt.Pubcomp{PacketID: 515}} {
				r := reason
				if p.Type() == mqtt.TypePubrel || p.Type() == mqtt.TypePubcomp {
					r = mqtt.Success
				}
				want, err := p.Append(nil, v)
				if got := mqtt.AppendAck(nil, v, p.Type(), 515, r); err != nil && v == v5 || err == nil && !bytes.Equal(got, want) {
					t.Errorf("AppendAck(%s, %s, %s) = % X, want % X, %v", v, p.Type(), r, got, want, err)
				}
			}
			want, err := (&mqtt.Disconnect{Reason: reason}).Append(nil, v)
			if got := mqtt.AppendDisconnect(nil, v, reason); err != nil || !bytes.Equal(got, want) {
				t.Errorf("AppendDisconnect(%s, %s) = % X, want % X, %v", v, reason, got, want, err)
			}
		}
	}
	if got := mqtt.AppendPingresp(nil); !bytes.Equal(got, unhex(t, "D0 00")) {
		t.Errorf("AppendPingresp = % X", got)
	}
	if got := mqtt.AppendRefusedVersion(nil); !bytes.Equal(got, unhex(t, "20 02 00 01")) {
		t.Errorf("AppendRefusedVersion = % X", got)
	}
}

func TestAppendWithin(t *testing.T) {
	props := with(func(p *mqtt.Properties) { p.SetReasonString([]byte("why")); p.AddUser("k", "v") })
	connackProps := props
	connackProps.SetReceiveMaximum(7)
	for _, tt := range []struct {
		name string
		v    mqtt.Version
		p    mqtt.Packet
		max  uint32
		want string // "" is too large
	}{
		{"no limit", v5, &mqtt.Puback{PacketID: 1, Props: props}, 0, "40 11 0001 00 0D 1F 0003'why' 26 0001'k' 0001'v'"},
		{"fits exactly", v5, &mqtt.Puback{PacketID: 1, Props: props}, 19, "40 11 0001 00 0D 1F 0003'why' 26 0001'k' 0001'v'"},
		{"fits without its explanation", v5, &mqtt.Puback{PacketID: 1, Props: props}, 18, "40 02 0001"},
		{"other properties stay", v5, &mqtt.Connack{Props: connackProps}, 8, "20 06 00 00 03 21 0007"},
		{"does not fit at all", v5, &mqtt.Connack{Props: connackProps}, 7, ""},
		{"disconnect", v5, &mqtt.Disconnect{Reason: mqtt.ServerBusy, Props: props}, 3, "E0 01 89"},
		{"suback", v5, &mqtt.Suback{PacketID: 1, Codes: []mqtt.ReasonCode{1}, Props: props}, 6, "90 04 0001 00 01"},
		{"publish keeps its user properties", v5, &mqtt.Publish{Topic: []byte("t"), Props: mqtt.Properties{User: props.User}}, 10, ""},
		{"MQTT 3.1.1 has no limit", v311, &mqtt.Puback{PacketID: 1}, 1, "40 02 0001"},
	} {
		got, ok, err := mqtt.AppendWithin([]byte{9}, tt.v, tt.p, tt.max)
		if want := append([]byte{9}, unhex(t, tt.want)...); err != nil || ok != (tt.want != "") || !bytes.Equal(got, want) {
			t.Errorf("%s: AppendWithin = % X, %v, %v; want % X", tt.name, got, ok, err, want)
		}
	}
	if props.User == nil || !props.Has(mqtt.PropReasonString) {
		t.Error("AppendWithin changed the packet")
	}
	if _, ok, err := mqtt.AppendWithin(nil, v5, &mqtt.Puback{}, 0); ok || err == nil {
		t.Errorf("AppendWithin of a packet that cannot be encoded: %v, %v", ok, err)
	}
}

func TestCheckPayload(t *testing.T) {
	for _, tt := range []struct {
		format  int // -1 is absent
		payload string
		bad     bool
	}{{-1, "\xff", false}, {0, "\xff", false}, {1, "é\x00", false}, {1, "\xff", true}} {
		p := &mqtt.Publish{Payload: []byte(tt.payload)}
		if tt.format >= 0 {
			p.Props.SetPayloadFormat(byte(tt.format))
		}
		err := p.CheckPayload()
		if e, ok := errors.AsType[*mqtt.Error](err); ok != tt.bad || ok && e.Code != mqtt.PayloadFormatInvalid {
			t.Errorf("CheckPayload(format %d, %q) = %v, want a failure: %v", tt.format, tt.payload, err, tt.bad)
		}
	}
}

func TestProperties(t *testing.T) {
	var p mqtt.Properties
	if !p.Empty() || p.Has(mqtt.PropUser) {
		t.Error("the zero Properties are not empty")
	}
	p.SetServerKeepAlive(0)
	p.AddUser("a", "b")
	p.SubscriptionIDs = []uint32{1}
	p.SetContentType([]byte("x"))
	for _, id := range []mqtt.PropertyID{mqtt.PropServerKeepAlive, mqtt.PropUser, mqtt.PropSubscriptionID, mqtt.PropContentType} {
		if !p.Has(id) {
			t.Errorf("%s is missing", id)
		}
		if p.Delete(id); p.Has(id) {
			t.Errorf("%s is still there", id)
		}
	}
	if !p.Empty() || p.ContentType != nil {
		t.Errorf("after deleting all: %+v", p)
	}
}

func TestNames(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{mqtt.Success.Name(v5, mqtt.TypeSuback), "Granted QoS 0"},
		{mqtt.Success.Name(v5, mqtt.TypeDisconnect), "Normal disconnection"},
		{mqtt.Success.Name(v5, mqtt.TypePuback), "Success"},
		{mqtt.RefusedNotAuthorized.Name(v311, mqtt.TypeConnack), "not authorized"},
		{mqtt.UnspecifiedError.Name(v311, mqtt.TypeSuback), "Failure"},
		{mqtt.NotAuthorized.Name(v5, mqtt.TypeConnack), "Not authorized"},
		{mqtt.ReasonCode(0xFE).String(), "reason code 0xFE"},
		{mqtt.PropReceiveMaximum.String(), "Receive Maximum"},
		{mqtt.PropertyID(4).String(), "property 0x04"},
		{mqtt.V31.String(), "MQTT 3.1"},
		{v311.String(), "MQTT 3.1.1"},
		{v5.String(), "MQTT 5"},
		{mqtt.Version(9).String(), "MQTT level 9"},
		{mqtt.TypeUnsuback.String(), "UNSUBACK"},
		{mqtt.PacketType(99).String(), "packet type 99"},
		{
			fmt.Sprint(&mqtt.Error{Version: v311, Packet: mqtt.TypeConnect, Rule: "MQTT-3.1.2-3", Offset: 9, Message: "the reserved connect flag is 1"}),
			"MQTT 3.1.1 CONNECT: byte 9: the reserved connect flag is 1 [MQTT-3.1.2-3]",
		},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

// TestValidUTF8: the fast check agrees with the slow and obvious one.
func TestValidUTF8(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.OneOf(rapid.ByteRange(0x20, 0x7E), rapid.SampledFrom([]byte{0, 1, 0x7F, 0x80, 0xC3, 0xA9, 0xED, 0xA0, 0xEF, 0xBF, 0xFF})), 0, 30).Draw(t, "bytes")
		if got, want := mqtt.ValidUTF8(b), utf8.Valid(b) && !bytes.Contains(b, []byte{0}); got != want {
			t.Errorf("ValidUTF8(% X) = %v, want %v", b, got, want)
		}
	})
	for _, s := range []string{"", "\uffff", "\ufdd0", "\u0080", "01234567é", "\U0010ffff"} {
		if !mqtt.ValidUTF8([]byte(s)) {
			t.Errorf("ValidUTF8(%q) = false", s)
		}
	}
}
