package conformance

import (
	"fmt"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

var packetRows = []row{
	each("1", "both versions on the same port, talking to each other", func(p *peer) {
		p.connect()
		p.subscribe(1, p.topic("t"))
		for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} {
			q := p.other(v)
			q.connect()
			q.publishes(pub(p.topic("t"), 1))
			p.gets(message(p.topic("t"), 1, "x"))
		}
	}),
	elsewhere("1", "both versions over WebSocket", "test/e2e TestWebSocketClients: mqttjs3", "test/e2e TestWebSocketClients: mqttjs5"),
	each("1", "MQTT 3.1 is answered with the CONNACK of 3.1.1", func(p *peer) {
		p.send("\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01a")
		p.sees("CONNACK 0x01, "+closed, "CONNACK 0x01, "+closed)
	}),
	each("1", "CONNECT / CONNACK", func(p *peer) {
		p.connect()
		p.send(p.hello())
		p.sees(closed, "DISCONNECT 0x82, "+closed)
	}),
	each("1", "PUBLISH, PUBACK", func(p *peer) {
		p.connect()
		p.subscribe(1, p.topic("t"))
		p.send(pub(p.topic("t"), 0), pub(p.topic("t"), 1))
		p.getsAll("PUBACK 0x00", message(p.topic("t"), 0, "x"), message(p.topic("t"), 1, "x"))
		p.sees(open, open)
	}),
	answers("1", "PUBREC", closed, "DISCONNECT 0x82, "+closed, "\x50\x02\x00\x01"),
	answers("1", "PUBREL", closed, "DISCONNECT 0x82, "+closed, "\x62\x02\x00\x01"),
	answers("1", "PUBCOMP", closed, "DISCONNECT 0x82, "+closed, "\x70\x02\x00\x01"),
	answers("1", "SUBSCRIBE/SUBACK, UNSUBSCRIBE/UNSUBACK", "SUBACK 0x00, UNSUBACK, open", "SUBACK 0x00, UNSUBACK 0x00, open", sub(0, "a"), unsub("a")),
	answers("1", "PINGREQ/PINGRESP", open, open),
	answers("1", "DISCONNECT from the client", closed, closed, &mqtt.Disconnect{}),
	answers("1", "DISCONNECT from the server is of MQTT 5 only", closed, "DISCONNECT 0x9B, "+closed, pub("a", 2)),
	answers("1", "AUTH", closed, "DISCONNECT 0x82, "+closed, "\xf0\x00"),
	each("1", "DUP is ignored on arrivals and never set", func(p *peer) {
		p.connect()
		p.subscribe(1, p.topic("t"))
		m := pub(p.topic("t"), 1)
		m.Dup = true
		p.send(m, m) // a message and its repetition are two messages
		p.getsAll("PUBACK 0x00", "PUBACK 0x00", message(p.topic("t"), 1, "x"), message(p.topic("t"), 1, "x"))
	}),
	each("1", "order of messages and acknowledgements is kept", func(p *peer) {
		p.connect()
		p.subscribe(1, p.topic("t"))
		q := p.other(p.v)
		q.connect()
		for i := range 50 {
			q.send(pub(p.topic("t"), 1, payload(fmt.Sprint(i)), func(m *mqtt.Publish) { m.PacketID = uint16(i + 1) }))
		}
		for i := range 50 {
			p.gets(message(p.topic("t"), 1, fmt.Sprint(i)))
			if ack, ok := q.next().(*mqtt.Puback); !ok || ack.PacketID != uint16(i+1) {
				p.Fatalf("acknowledgement %d: %+v", i, ack)
			}
		}
	}),
	each("1", "packets that come with the CONNECT", func(p *peer) {
		p.send(p.hello(), sub(1, p.topic("t")), pub(p.topic("t"), 0))
		p.gets("CONNACK 0x00")
		p.getsAll("SUBACK 0x01", message(p.topic("t"), 0, "x"))
	}),
	each("1", "packets that come with a refused CONNECT", func(p *peer) {
		watch := p.other(p.v)
		watch.connect()
		watch.subscribe(0, p.topic("t"))
		p.send(p.hello(will("a", 2)), pub(p.topic("t"), 0))
		p.sees(closed, "CONNACK 0x9B, "+closed)
		watch.sees(open, open)
	}),
	each("1", "a subscription is active before SUBACK leaves", func(p *peer) {
		p.connect()
		p.send(sub(1, p.topic("t")), pub(p.topic("t"), 1))
		p.getsAll("SUBACK 0x01", "PUBACK 0x00", message(p.topic("t"), 1, "x"))
	}),
	each("1", "# does not match the parent", func(p *peer) {
		p.connect()
		p.subscribe(0, p.topic("sensor/#"))
		for _, name := range []string{"sensor", "sensor/", "sensor/a", "sensor/a/b"} {
			p.send(pub(p.topic(name), 0))
		}
		p.gets(message(p.topic("sensor/"), 0, "x"), message(p.topic("sensor/a"), 0, "x"), message(p.topic("sensor/a/b"), 0, "x"))
		p.sees(open, open)
	}),
	each("1", "wildcards in front match no $ topics", func(p *peer) {
		p.connect()
		p.subscribe(0, "#", "+/events/presence/+/+")
		p.other(p.v).connect() // has a lifecycle event
		p.sees(open, open)
	}),
	answers("1", "no Subscription Identifiers", "", "DISCONNECT 0xA1, "+closed, &mqtt.Subscribe{PacketID: 7, Props: mqtt.Properties{SubscriptionIDs: []uint32{5}}, Filters: sub(0, "a").Filters}),
}
