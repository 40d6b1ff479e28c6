package mqtt_test

import (
	"bytes"
	"testing"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// hot holds the packets of a broker's hot path, encoded.
func hot(tb testing.TB) map[string]struct {
	v    mqtt.Version
	wire []byte
	p    mqtt.Packet
} {
	tb.Helper()
	payload := bytes.Repeat([]byte("x"), 256)
	props := with(func(p *mqtt.Properties) {
		p.SetMessageExpiry(60)
		p.SetContentType([]byte("application/json"))
		p.AddUser("k", "v")
		p.AddUser("k2", "v2")
	})
	out := map[string]struct {
		v    mqtt.Version
		wire []byte
		p    mqtt.Packet
	}{}
	for name, c := range map[string]struct {
		v mqtt.Version
		p mqtt.Packet
	}{
		"PUBLISH/v=3.1.1/qos=0/size=256":   {v311, &mqtt.Publish{Topic: []byte("sensors/sensor-1/temp"), Payload: payload}},
		"PUBLISH/v=3.1.1/qos=1/size=256":   {v311, &mqtt.Publish{QoS: 1, PacketID: 7, Topic: []byte("sensors/sensor-1/temp"), Payload: payload}},
		"PUBLISH/v=5/qos=1/size=256":       {v5, &mqtt.Publish{QoS: 1, PacketID: 7, Topic: []byte("sensors/sensor-1/temp"), Payload: payload}},
		"PUBLISH/v=5/properties/size=256":  {v5, &mqtt.Publish{QoS: 1, PacketID: 7, Topic: []byte("sensors/sensor-1/temp"), Payload: payload, Props: props}},
		"PUBACK/v=3.1.1":                   {v311, &mqtt.Puback{PacketID: 7}},
		"PUBACK/v=5":                       {v5, &mqtt.Puback{PacketID: 7}},
		"PUBACK/v=5/refused":               {v5, &mqtt.Puback{PacketID: 7, Reason: mqtt.QuotaExceeded}},
		"PINGREQ/v=3.1.1":                  {v311, &mqtt.Pingreq{}},
		"SUBSCRIBE/v=5":                    {v5, &mqtt.Subscribe{PacketID: 7, Filters: []mqtt.Subscription{{Filter: []byte("a/+/b")}, {Filter: []byte("c/#"), QoS: 1}}}},
		"UNSUBSCRIBE/v=5":                  {v5, &mqtt.Unsubscribe{PacketID: 7, Filters: [][]byte{[]byte("a/+/b")}}},
		"DISCONNECT/v=5":                   {v5, &mqtt.Disconnect{Reason: mqtt.SessionTakenOver}},
		"PUBLISH/v=5/alias/qos=0/size=256": {v5, &mqtt.Publish{Payload: payload, Props: with(func(p *mqtt.Properties) { p.SetTopicAlias(1) })}},
	} {
		wire, err := c.p.Append(nil, c.v)
		if err != nil {
			tb.Fatal(err)
		}
		e := out[name]
		e.v, e.p, e.wire = c.v, c.p, wire
		out[name] = e
	}
	return out
}

func TestHotPathAllocatesNothing(t *testing.T) {
	for name, c := range hot(t) {
		p := mqtt.New(c.p.Type())
		if n := testing.AllocsPerRun(100, func() {
			header, body, _, _ := mqtt.NextPacket(c.wire, 0)
			if err := p.Decode(c.v, header, body); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("decoding %s allocates %v times", name, n)
		}
		dst := make([]byte, 0, 1024)
		if n := testing.AllocsPerRun(100, func() {
			if _, err := c.p.Append(dst, c.v); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("encoding %s allocates %v times", name, n)
		}
	}
	dst := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		mqtt.AppendAck(dst, v5, mqtt.TypePuback, 7, mqtt.NotAuthorized)
		mqtt.AppendPingresp(dst)
		mqtt.AppendDisconnect(dst, v5, mqtt.NotAuthorized)
	}); n != 0 {
		t.Errorf("acknowledging allocates %v times", n)
	}
	topic, filter := []byte("sensors/sensor-1/temp"), []byte("sensors/+/#")
	if n := testing.AllocsPerRun(100, func() {
		name, err := mqtt.ParseTopicName(topic, mqtt.AWSTopicLimits())
		if err != nil || !mqtt.Match(filter, name) {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("matching allocates %v times", n)
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, c := range hot(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			p := mqtt.New(c.p.Type())
			header, body, _, err := mqtt.NextPacket(c.wire, 0)
			for b.Loop() {
				err = p.Decode(c.v, header, body)
			}
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}

func BenchmarkNextPacket(b *testing.B) {
	wire := hot(b)["PUBLISH/v=3.1.1/qos=0/size=256"].wire
	for b.Loop() {
		if _, _, n, _ := mqtt.NextPacket(wire, 128<<10); n != len(wire) {
			b.Fatal(n)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for name, c := range hot(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			dst := make([]byte, 0, 1024)
			for b.Loop() {
				if _, err := c.p.Append(dst, c.v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMatch(b *testing.B) {
	filter, name := []byte("sensors/+/temp"), []byte("sensors/sensor-1/temp")
	for b.Loop() {
		if !mqtt.Match(filter, name) {
			b.Fatal("no match")
		}
	}
}

func BenchmarkParseTopicName(b *testing.B) {
	topic := []byte("sensors/sensor-1/temp")
	for b.Loop() {
		if _, err := mqtt.ParseTopicName(topic, mqtt.AWSTopicLimits()); err != nil {
			b.Fatal(err)
		}
	}
}
