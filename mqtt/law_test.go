package mqtt_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// Generators of valid packets.

// fields generates the contents of strings and binary data.
type fields struct{ text, bytes *rapid.Generator[[]byte] }

// fieldsFrom generates fields of at least size characters or bytes.
func fieldsFrom(size int) fields {
	return fields{
		text: rapid.Custom(func(t *rapid.T) []byte {
			return []byte(rapid.StringOfN(rapid.RuneFrom([]rune("ab/$é温🌡\ufeff\x01 ")), size, 40, -1).Draw(t, "text"))
		}),
		bytes: rapid.SliceOfN(rapid.Byte(), size, 300),
	}
}

var (
	genID  = rapid.Uint16Range(1, 65535)
	genQoS = rapid.Custom(func(t *rapid.T) mqtt.QoS { return mqtt.QoS(rapid.IntRange(0, 2).Draw(t, "qos")) })
)

// setters has a way to set each single-valued property to something valid.
var setters = map[mqtt.PropertyID]func(t *rapid.T, f fields, p *mqtt.Properties){
	mqtt.PropPayloadFormat:    func(t *rapid.T, f fields, p *mqtt.Properties) { p.SetPayloadFormat(rapid.ByteRange(0, 1).Draw(t, "v")) },
	mqtt.PropMessageExpiry:    func(t *rapid.T, f fields, p *mqtt.Properties) { p.SetMessageExpiry(rapid.Uint32().Draw(t, "v")) },
	mqtt.PropContentType:      func(t *rapid.T, f fields, p *mqtt.Properties) { p.SetContentType(f.text.Draw(t, "v")) },
	mqtt.PropResponseTopic:    func(t *rapid.T, f fields, p *mqtt.Properties) { p.SetResponseTopic(f.text.Draw(t, "v")) },
	mqtt.PropCorrelationData:  func(t *rapid.T, f fields, p *mqtt.Properties) { p.SetCorrelationData(f.bytes.Draw(t, "v")) },
	mqtt.PropSessionExpiry:    func(t *rapid.T, f fields, p *mqtt.Properties) { p.SetSessionExpiry(rapid.Uint32().Draw(t, "v")) },
	mqtt.PropAssignedClientID: func(t *rapid.T, f fields, p *mqtt.Properties) { p.SetAssignedClientID(f.text.Draw(t, "v")) },
	mqtt.PropServerKeepAlive:  func(t *rapid.T, f fields, p *mqtt.Properties) { p.SetServerKeepAlive(rapid.Uint16().Draw(t, "v")) },
	mqtt.PropAuthMethod:       func(t *rapid.T, f fields, p *mqtt.Properties) { p.SetAuthMethod(f.text.Draw(t, "v")) },
	mqtt.PropAuthData: func(t *rapid.T, f fields, p *mqtt.Properties) {
		p.SetAuthMethod(f.text.Draw(t, "m"))
		p.SetAuthData(f.bytes.Draw(t, "v"))
	},
	mqtt.PropRequestProblemInfo:  func(t *rapid.T, f fields, p *mqtt.Properties) { p.SetRequestProblemInfo(rapid.Bool().Draw(t, "v")) },
	mqtt.PropWillDelay:           func(t *rapid.T, f fields, p *mqtt.Properties) { p.SetWillDelay(rapid.Uint32().Draw(t, "v")) },
	mqtt.PropRequestResponseInfo: func(t *rapid.T, f fields, p *mqtt.Properties) { p.SetRequestResponseInfo(rapid.Bool().Draw(t, "v")) },
	mqtt.PropResponseInfo:        func(t *rapid.T, f fields, p *mqtt.Properties) { p.SetResponseInfo(f.text.Draw(t, "v")) },
	mqtt.PropServerReference:     func(t *rapid.T, f fields, p *mqtt.Properties) { p.SetServerReference(f.text.Draw(t, "v")) },
	mqtt.PropReasonString:        func(t *rapid.T, f fields, p *mqtt.Properties) { p.SetReasonString(f.text.Draw(t, "v")) },
	mqtt.PropReceiveMaximum:      func(t *rapid.T, f fields, p *mqtt.Properties) { p.SetReceiveMaximum(genID.Draw(t, "v")) },
	mqtt.PropTopicAliasMaximum:   func(t *rapid.T, f fields, p *mqtt.Properties) { p.SetTopicAliasMaximum(rapid.Uint16().Draw(t, "v")) },
	mqtt.PropTopicAlias:          func(t *rapid.T, f fields, p *mqtt.Properties) { p.SetTopicAlias(genID.Draw(t, "v")) },
	mqtt.PropMaximumQoS: func(t *rapid.T, f fields, p *mqtt.Properties) {
		p.SetMaximumQoS(mqtt.QoS(rapid.ByteRange(0, 1).Draw(t, "v")))
	},
	mqtt.PropRetainAvailable: func(t *rapid.T, f fields, p *mqtt.Properties) { p.SetRetainAvailable(rapid.Bool().Draw(t, "v")) },
	mqtt.PropMaximumPacketSize: func(t *rapid.T, f fields, p *mqtt.Properties) {
		p.SetMaximumPacketSize(rapid.Uint32Min(1).Draw(t, "v"))
	},
	mqtt.PropWildcardAvailable: func(t *rapid.T, f fields, p *mqtt.Properties) { p.SetWildcardAvailable(rapid.Bool().Draw(t, "v")) },
	mqtt.PropSubscriptionAvailable: func(t *rapid.T, f fields, p *mqtt.Properties) {
		p.SetSubscriptionAvailable(rapid.Bool().Draw(t, "v"))
	},
	mqtt.PropSharedAvailable: func(t *rapid.T, f fields, p *mqtt.Properties) { p.SetSharedAvailable(rapid.Bool().Draw(t, "v")) },
}

func genProps(t *rapid.T, f fields, v mqtt.Version, ids ...mqtt.PropertyID) (p mqtt.Properties) {
	if v != v5 {
		return p
	}
	for _, id := range ids {
		if rapid.Bool().Draw(t, id.String()) {
			setters[id](t, f, &p)
		}
	}
	for range rapid.IntRange(0, 3).Draw(t, "user properties") {
		p.User = append(p.User, mqtt.UserProperty{Name: f.text.Draw(t, "name"), Value: f.text.Draw(t, "value")})
	}
	return p
}

func genCode(t *rapid.T, v mqtt.Version, typ mqtt.PacketType) mqtt.ReasonCode {
	return rapid.Custom(func(t *rapid.T) mqtt.ReasonCode { return mqtt.ReasonCode(rapid.Byte().Draw(t, "code")) }).
		Filter(func(c mqtt.ReasonCode) bool { return c.ValidIn(v, typ) }).Draw(t, "reason")
}

func genPacket(t *rapid.T, f fields, v mqtt.Version) mqtt.Packet {
	types := []mqtt.PacketType{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}
	if v == v5 {
		types = append(types, mqtt.TypeAuth)
	}
	typ := rapid.SampledFrom(types).Draw(t, "type")
	ack := func() mqtt.Puback {
		return mqtt.Puback{PacketID: genID.Draw(t, "id"), Reason: genCode(t, v, typ), Props: genProps(t, f, v, mqtt.PropReasonString)}
	}
	codes := func() mqtt.Suback {
		p := mqtt.Suback{PacketID: genID.Draw(t, "id"), Props: genProps(t, f, v, mqtt.PropReasonString)}
		for range rapid.IntRange(1, 8).Draw(t, "codes") {
			p.Codes = append(p.Codes, genCode(t, v, typ))
		}
		return p
	}
	switch typ {
	case mqtt.TypeConnect:
		return genConnect(t, f, v)
	case mqtt.TypeConnack:
		p := &mqtt.Connack{Reason: genCode(t, v, typ), Props: genProps(t, f, v, mqtt.PropSessionExpiry, mqtt.PropAssignedClientID,
			mqtt.PropServerKeepAlive, mqtt.PropAuthData, mqtt.PropResponseInfo, mqtt.PropServerReference, mqtt.PropReasonString,
			mqtt.PropReceiveMaximum, mqtt.PropTopicAliasMaximum, mqtt.PropMaximumQoS, mqtt.PropRetainAvailable,
			mqtt.PropMaximumPacketSize, mqtt.PropWildcardAvailable, mqtt.PropSubscriptionAvailable, mqtt.PropSharedAvailable)}
		p.SessionPresent = p.Reason == mqtt.Success && rapid.Bool().Draw(t, "session present")
		return p
	case mqtt.TypePublish:
		return genPublish(t, f, v)
	case mqtt.TypePuback:
		p := ack()
		return &p
	case mqtt.TypePubrec:
		p := mqtt.Pubrec(ack())
		return &p
	case mqtt.TypePubrel:
		p := mqtt.Pubrel(ack())
		return &p
	case mqtt.TypePubcomp:
		p := mqtt.Pubcomp(ack())
		return &p
	case mqtt.TypeSubscribe:
		p := &mqtt.Subscribe{PacketID: genID.Draw(t, "id"), Props: genProps(t, f, v)}
		if v == v5 && rapid.Bool().Draw(t, "identified") {
			p.Props.SubscriptionIDs = []uint32{rapid.Uint32Range(1, mqtt.MaxRemainingLength).Draw(t, "subscription id")}
		}
		for range rapid.IntRange(1, 8).Draw(t, "filters") {
			s := mqtt.Subscription{Filter: f.text.Draw(t, "filter"), QoS: genQoS.Draw(t, "qos")}
			if v == v5 {
				s.NoLocal = rapid.Bool().Draw(t, "no local") && !bytes.HasPrefix(s.Filter, []byte("$share/"))
				s.RetainAsPublished, s.RetainHandling = rapid.Bool().Draw(t, "rap"), rapid.ByteRange(0, 2).Draw(t, "handling")
			}
			p.Filters = append(p.Filters, s)
		}
		return p
	case mqtt.TypeSuback:
		p := codes()
		return &p
	case mqtt.TypeUnsubscribe:
		return &mqtt.Unsubscribe{PacketID: genID.Draw(t, "id"), Props: genProps(t, f, v), Filters: rapid.SliceOfN(f.text, 1, 8).Draw(t, "filters")}
	case mqtt.TypeUnsuback:
		p := mqtt.Unsuback(codes())
		if v != v5 {
			p.Codes = nil
		}
		return &p
	case mqtt.TypePingreq:
		return &mqtt.Pingreq{}
	case mqtt.TypePingresp:
		return &mqtt.Pingresp{}
	case mqtt.TypeDisconnect:
		return &mqtt.Disconnect{Reason: genCode(t, v, typ), Props: genProps(t, f, v, mqtt.PropSessionExpiry, mqtt.PropServerReference, mqtt.PropReasonString)}
	default: // AUTH
	}
	p := &mqtt.Auth{Reason: genCode(t, v, typ), Props: genProps(t, f, v, mqtt.PropReasonString, mqtt.PropAuthData)}
	p.Props.SetAuthMethod(f.text.Draw(t, "method"))
	return p
}

func genConnect(t *rapid.T, f fields, v mqtt.Version) *mqtt.Connect {
	p := &mqtt.Connect{
		ProtocolName: []byte("MQTT"), Version: v, CleanStart: rapid.Bool().Draw(t, "clean"), KeepAlive: rapid.Uint16().Draw(t, "keep alive"),
		ClientID: f.text.Draw(t, "id"), Props: genProps(t, f, v, mqtt.PropSessionExpiry, mqtt.PropAuthData, mqtt.PropRequestProblemInfo,
			mqtt.PropRequestResponseInfo, mqtt.PropReceiveMaximum, mqtt.PropTopicAliasMaximum, mqtt.PropMaximumPacketSize),
	}
	if rapid.Bool().Draw(t, "will") {
		p.Will = &mqtt.Will{
			QoS: genQoS.Draw(t, "will qos"), Retain: rapid.Bool().Draw(t, "will retain"), Topic: f.text.Draw(t, "will topic"), Payload: f.bytes.Draw(t, "will payload"),
			Props: genProps(t, f, v, mqtt.PropPayloadFormat, mqtt.PropMessageExpiry, mqtt.PropContentType, mqtt.PropResponseTopic, mqtt.PropCorrelationData, mqtt.PropWillDelay),
		}
	}
	if p.HasUserName = rapid.Bool().Draw(t, "has user name"); p.HasUserName {
		p.UserName = f.text.Draw(t, "user name")
	}
	if p.HasPassword = (p.HasUserName || v == v5) && rapid.Bool().Draw(t, "has password"); p.HasPassword {
		p.Password = f.bytes.Draw(t, "password")
	}
	return p
}

func genPublish(t *rapid.T, f fields, v mqtt.Version) *mqtt.Publish {
	p := &mqtt.Publish{
		Dup: rapid.Bool().Draw(t, "dup"), QoS: genQoS.Draw(t, "qos"), Retain: rapid.Bool().Draw(t, "retain"), Topic: f.text.Draw(t, "topic"), Payload: f.bytes.Draw(t, "payload"),
		Props: genProps(t, f, v, mqtt.PropPayloadFormat, mqtt.PropMessageExpiry, mqtt.PropContentType, mqtt.PropResponseTopic, mqtt.PropCorrelationData, mqtt.PropTopicAlias),
	}
	if p.QoS > 0 {
		p.PacketID = genID.Draw(t, "id")
	}
	if v == v5 {
		p.Props.SubscriptionIDs = rapid.SliceOfN(rapid.Uint32Range(1, mqtt.MaxRemainingLength), 0, 3).Draw(t, "subscription ids")
		if len(p.Topic) == 0 && !p.Props.Has(mqtt.PropTopicAlias) {
			p.Props.SetTopicAlias(1)
		}
	}
	return p
}

// TestRoundTrip: decoding what was encoded gives it back, also out of a stream
// of several packets that arrives in pieces.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SampledFrom([]mqtt.Version{v311, v5}).Draw(t, "version")
		var sent []mqtt.Packet
		var wire []byte
		for range rapid.IntRange(1, 4).Draw(t, "packets") {
			p := genPacket(t, fieldsFrom(0), v)
			sent = append(sent, p)
			before := len(wire)
			var err error
			if wire, err = p.Append(wire, v); err != nil {
				t.Fatalf("Append(%+v): %v", p, err)
			}
			if pub, ok := p.(*mqtt.Publish); ok {
				if size, err := pub.Size(v); err != nil || size != len(wire)-before {
					t.Fatalf("Size = %d, %v; Append appended %d", size, err, len(wire)-before)
				}
			}
		}
		r := mqtt.NewReader(&pieces{wire, rapid.IntRange(1, 50).Draw(t, "piece")}, v, len(wire))
		for _, want := range sent {
			got, err := r.ReadPacket()
			if err != nil {
				t.Fatalf("ReadPacket of % X: %v", wire, err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("decoded (-sent +got):\n%s", diff)
			}
		}
	})
}

// TestFrameForFanOut: a frame encoded once and patched is what encoding anew gives.
func TestFrameForFanOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SampledFrom([]mqtt.Version{v311, v5}).Draw(t, "version")
		p := genPublish(t, fieldsFrom(0), v)
		frame, at, err := p.AppendFrame([]byte("head"), v)
		if err != nil || (at >= 0) != (p.QoS > 0) {
			t.Fatalf("AppendFrame: id at %d, %v", at, err)
		}
		id := genID.Draw(t, "other id")
		mqtt.SetPacketID(frame, at, id)
		if p.QoS > 0 {
			p.PacketID = id
		}
		if want, err := p.Append([]byte("head"), v); err != nil || !bytes.Equal(frame, want) {
			t.Fatalf("patched % X\n   want % X, %v", frame, want, err)
		}
	})
}

// FuzzDecode: decoding never panics; what it accepts encodes again, and that
// encoding is a fixed point.
func FuzzDecode(f *testing.F) {
	for _, tt := range valid {
		f.Add(unhex(f, tt.wire), tt.v == v5)
	}
	for _, tt := range malformed {
		body := unhex(f, tt.wire[5:])
		f.Add(append([]byte{unhex(f, tt.wire[:2])[0], byte(len(body))}, body...), tt.v == v5)
	}
	f.Fuzz(func(t *testing.T, wire []byte, five bool) {
		v := v311
		if five {
			v = v5
		}
		header, body, n, err := mqtt.NextPacket(wire, 1<<20)
		switch {
		case err != nil || n < 0:
			if body != nil || n > 0 {
				t.Fatalf("NextPacket = % X, %d beside %v", body, n, err)
			}
			return
		case n > len(wire) || len(body) > n-2:
			t.Fatalf("NextPacket split %d bytes, body %d, of %d", n, len(body), len(wire))
		}
		p, err := mqtt.Decode(v, header, body)
		if err != nil {
			if e, ok := errors.AsType[*mqtt.Error](err); !ok || e.Rule == "" || e.Message == "" || e.Code < 0x80 || e.Offset < 0 || e.Offset > 5+len(body) {
				t.Fatalf("error without substance: %+v", e)
			}
			return
		}
		if c, ok := p.(*mqtt.Connect); ok {
			v = c.Version
		}
		first, err := p.Append(nil, v)
		if err != nil {
			t.Fatalf("decoded %+v does not encode: %v", p, err)
		}
		header, body, _, _ = mqtt.NextPacket(first, 0)
		again, err := mqtt.Decode(v, header, body)
		if err != nil {
			t.Fatalf("canonical form % X does not decode: %v", first, err)
		}
		if diff := cmp.Diff(p, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("canonical form differs:\n%s", diff)
		}
		if second, err := again.Append(nil, v); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("encodings differ: % X, % X, %v", first, second, err)
		}
		if len(first) > n {
			t.Fatalf("canonical form % X is longer than % X", first, wire[:n])
		}
	})
}
