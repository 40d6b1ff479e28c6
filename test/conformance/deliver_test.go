package conformance

import (
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

var deliveryRows = []row{
	each("7", "outbound un-acked QoS 1 per client", func(p *peer) {
		p.connect()
		p.subscribe(1, p.topic("t"))
		q := p.other(p.v)
		q.connect()
		for i := range 101 {
			q.publishes(pub(p.topic("t"), 1, payload(fmt.Sprint(i))))
		}
		var last *mqtt.Publish
		for i := range 100 {
			last = p.next().(*mqtt.Publish)
			if string(last.Payload) != fmt.Sprint(i) {
				p.Fatalf("message %d is %s", i, words(last))
			}
		}
		p.sees(open, open)
		p.send(&mqtt.Puback{PacketID: last.PacketID})
		p.gets(message(p.topic("t"), 1, "100"))
	}),
	elsewhere("7", "retry: an un-acked message frees its slot after an hour", "internal/gateway/mqttconn TestNotAcked", "internal/broker TestPassedOver"),
	elsewhere("7", "no retry inside one connection", "internal/gateway/mqttconn TestNotAcked"),
	elsewhere("7", "re-send on session resume", "internal/gateway/mqttconn TestUnacknowledgedComeAgain"),
	only5("7", "negative PUBACK from the client", func(p *peer) { // acknowledges
		p.connect(func(c *mqtt.Connect) { c.Props.SetReceiveMaximum(1) })
		p.subscribe(1, p.topic("t"))
		p.from(pub(p.topic("t"), 1, payload("a")), pub(p.topic("t"), 1, payload("b")))
		m := p.next().(*mqtt.Publish)
		p.send(&mqtt.Puback{PacketID: m.PacketID, Reason: mqtt.NotAuthorized})
		p.gets(message(p.topic("t"), 1, "b"))
	}),
	elsewhere("7", "outbound rate", "internal/broker TestRateDelaysQoS1", "internal/gateway/mqttconn TestLimitPublishOut"),
	elsewhere("7", "throughput", "internal/gateway/mqttconn TestThroughput"),
	each("7", "denied iot:Receive", func(p *peer) { // not delivered, and the connection stays
		p.mayLittle().connect()
		p.subscribe(0, "no/receive", "ok/"+p.id)
		p.from(pub("no/receive", 1), pub("ok/"+p.id, 1))
		p.gets(message("ok/"+p.id, 0, "x"))
		p.sees(open, open)
	}),
	answers("7", "unknown PUBACK packet id", open, open, &mqtt.Puback{PacketID: 99}),
}

// kept is what arrives of a retained message.
func kept(topic string, qos int, payload string) string {
	return fmt.Sprintf("PUBLISH %s %d retained %q", topic, qos, payload)
}

var retainedRows = []row{
	each("8", "identity", func(p *peer) {
		p.connect()
		p.publishes(pub(p.topic("t"), 1, retain, payload("first")), pub(p.topic("t"), 1, retain, payload("second")))
		p.finds(1, kept(p.topic("t"), 1, "second"), p.topic("t"))
		p.sees(open, open)
	}),
	published("retained on Basic Ingest", "0x90", "$aws/rules/r/t", retain).in("8", "not allowed"),
	elsewhere("8", "permission", "internal/gateway/mqttconn TestPublishRefused: 10 RetainPublish", "internal/gateway/mqttconn TestRetained"),
	each("8", "delete", func(p *peer) {
		p.connect()
		p.publishes(pub(p.topic("t"), 1, retain))
		p.finds(1, kept(p.topic("t"), 1, "x"), p.topic("t"))
		p.from(pub(p.topic("t"), 1, retain, payload("")))
		p.gets(message(p.topic("t"), 1, ""))
		q := p.other(p.v)
		q.connect()
		q.subscribe(1, p.topic("t"))
		q.sees(open, open)
	}),
	each("8", "sent on SUBSCRIBE", func(p *peer) {
		p.connect()
		p.publishes(pub(p.topic("t"), 1, retain))
		p.subscribe(1, p.topic("+"), p.topic("#"), "$share/g/"+p.topic("t"))
		p.sees(open, open)
		p.finds(1, kept(p.topic("t"), 1, "x"), p.topic("t"))
	}),
	each("8", "RETAIN flag", func(p *peer) {
		p.connect()
		p.subscribe(0, p.topic("t"))
		p.from(pub(p.topic("t"), 1, retain))
		p.gets(message(p.topic("t"), 0, "x"))
		p.finds(0, kept(p.topic("t"), 0, "x"), p.topic("t"))
	}),
	each("8", "QoS of the copy", func(p *peer) {
		p.connect()
		p.publishes(pub(p.topic("0"), 0, retain), pub(p.topic("1"), 1, retain))
		for _, tt := range []struct {
			topic        string
			granted, got mqtt.QoS
		}{{"0", 0, 0}, {"0", 1, 0}, {"1", 0, 0}, {"1", 1, 1}} {
			p.finds(tt.granted, kept(p.topic(tt.topic), int(tt.got), "x"), p.topic(tt.topic))
		}
	}),
	only5("8", "life", func(p *peer) {
		p.connect()
		p.publishes(pub(p.topic("short"), 1, retain, props(func(m *mqtt.Properties) { m.SetMessageExpiry(1) })),
			pub(p.topic("long"), 1, retain, props(func(m *mqtt.Properties) { m.SetMessageExpiry(60) })), pub(p.topic("ever"), 1, retain))
		time.Sleep(1100 * time.Millisecond) // the first one expires
		p.finds(0, kept(p.topic("ever"), 0, "x"), p.topic("short"), p.topic("ever"))
		p.sees("", open)
		p.send(sub(0, p.topic("long")))
		m, ok := p.next().(*mqtt.Publish)
		if !ok {
			m, _ = p.next().(*mqtt.Publish) // the SUBACK came first
		}
		if m == nil || m.Props.MessageExpiry == 0 || m.Props.MessageExpiry > 58 {
			p.Errorf("got %+v", m)
		}
	}),
	elsewhere("8", "store full", "internal/gateway/mqttconn TestRetainedFull"),
	elsewhere("8", "will", "internal/gateway/mqttconn TestWillRetain"),
	elsewhere("8", "live delivery when the retained save is throttled", "internal/gateway/mqttconn TestRetainRates"),
	elsewhere("8", "rate", "internal/gateway/mqttconn TestRetainRates"),
	elsewhere("8", "reading APIs", "internal/gateway/mqttconn TestRetainedAPI", "test/e2e TestRetainedMessages"),
}

// finds subscribes and reads the answer and a retained message, which may come before it.
func (p *peer) finds(qos mqtt.QoS, want string, filters ...string) {
	p.Helper()
	p.send(sub(qos, filters...))
	p.getsAll("SUBACK", want)
}

// in moves a row to another place of the sheet.
func (r row) in(section, name string) row { r.section, r.name = section, name; return r }

// watches is a device that gets a topic.
func (p *peer) watches(filters ...string) *peer {
	p.Helper()
	watch := p.other(mqtt.V5)
	watch.connect()
	return watch.subscribe(1, filters...)
}

var willRows = []row{
	each("9", "published when the connection is lost", func(p *peer) {
		watch := p.watches(p.topic("w"))
		p.connect(will(p.topic("w"), 1))
		p.vanishes()
		watch.gets(message(p.topic("w"), 1, "gone"))
	}),
	each("9", "not after DISCONNECT", func(p *peer) {
		watch := p.watches(p.topic("w"))
		p.connect(will(p.topic("w"), 1))
		p.goes()
		watch.sees("", open)
	}),
	only5("9", "DISCONNECT with will message", func(p *peer) {
		watch := p.watches(p.topic("w"))
		p.connect(will(p.topic("w"), 1))
		p.send(&mqtt.Disconnect{Reason: mqtt.DisconnectWithWill})
		watch.gets(message(p.topic("w"), 1, "gone"))
	}),
	only5("9", "properties of a will", func(p *peer) {
		watch := p.watches(p.topic("w"))
		p.connect(will(p.topic("w"), 1), func(c *mqtt.Connect) {
			c.Will.Props.SetMessageExpiry(60)
			c.Will.Props.SetContentType([]byte("text/plain"))
			c.Will.Props.SetResponseTopic([]byte("r"))
			c.Will.Props.SetCorrelationData([]byte{7})
			c.Will.Props.AddUser("k", "v")
		})
		p.vanishes()
		m := watch.next().(*mqtt.Publish)
		if m.Props.MessageExpiry < 59 || string(m.Props.ContentType) != "text/plain" || string(m.Props.ResponseTopic) != "r" || len(m.Props.CorrelationData) != 1 || len(m.Props.User) != 1 {
			p.Errorf("the will has %+v", m.Props) // the expiry counts from the publication
		}
	}),
	elsewhere("9", "Will Delay Interval", "internal/gateway/mqttconn TestWillDelay"),
	elsewhere("9", "CONNECT is refused when the client may not publish the will", "test/refusals TestRefusals: E/will-denied"),
	elsewhere("9", "checked again at publication", "internal/gateway/mqttconn TestWill: no longer allowed"),
	connects("9", "Basic Ingest as will topic", "CONNACK 0x00, open", "CONNACK 0x00, open", will("$aws/rules/r/t", 1)),
	elsewhere("9", "DeleteConnection with preventWillMessage", "internal/gateway/mqttconn TestDisconnectReasons"),
	connects("9", "payload of 65,535 bytes", "CONNACK 0x00, open", "CONNACK 0x00, open", func(c *mqtt.Connect) {
		c.Will = &mqtt.Will{Topic: []byte("w"), Payload: bytesOf(65535)}
	}),
}

// spread has two members of a group and publishes n messages.
func (p *peer) spread(n int, qos mqtt.QoS) (one, two int) {
	p.Helper()
	filter, topic := "$share/g/"+p.topic("+"), p.topic("t")
	q := p.other(otherVersion(p.v))
	q.connect()
	q.subscribe(qos, filter)
	p.connect()
	p.subscribe(qos, filter)
	from := p.other(p.v)
	from.connect()
	for i := range n {
		from.publishes(pub(topic, qos, payload(fmt.Sprint(i))))
	}
	from.sees(open, open) // all of it is taken
	count := func(p *peer) int { return strings.Count(p.rest(), "PUBLISH "+topic) }
	return count(p), count(q)
}

var sharedRows = []row{
	answers("10", "ShareName: 128 characters", "SUBACK 0x00, open", "SUBACK 0x00, open", sub(0, "$share/"+strings.Repeat("é", 128)+"/a")),
	filter("10", "ShareName: 129 characters", "0x8F", "$share/"+strings.Repeat("é", 129)+"/a"),
	filter("10", "ShareName: wildcard", "0x8F", "$share/a+/a"),
	filter("10", "ShareName: empty", "0x8F", "$share//a"),
	filter("10", "TopicFilter: none", "0x8F", "$share/g"),
	filter("10", "TopicFilter: levels", "0x8F", "$share/g/"+level9),
	filter("10", "TopicFilter: size", "0x8F", "$share/g/"+long),
	each("10", "group key", func(p *peer) { // the same name with another filter is another group
		p.connect()
		p.subscribe(0, "$share/g/"+p.topic("+"))
		q := p.other(p.v)
		q.connect()
		q.subscribe(0, "$share/g/"+p.topic("#"))
		p.from(pub(p.topic("t"), 0), pub(p.topic("t"), 1))
		for _, member := range []*peer{p, q} {
			member.gets(message(p.topic("t"), 0, "x"), message(p.topic("t"), 0, "x"))
		}
	}),
	each("10", "choice of receiver", func(p *peer) {
		if one, two := p.spread(60, 1); one+two != 60 || one == 0 || two == 0 {
			p.Errorf("of 60 messages one member got %d, the other %d", one, two)
		}
	}),
	each("10", "one copy per group, and that of an ordinary subscription", func(p *peer) {
		p.connect()
		p.subscribe(0, "$share/g/"+p.topic("t"), "$share/h/"+p.topic("t"), p.topic("t"))
		p.from(pub(p.topic("t"), 1))
		p.gets(message(p.topic("t"), 0, "x"), message(p.topic("t"), 0, "x"), message(p.topic("t"), 0, "x"))
		p.sees(open, open)
	}),
	each("10", "QoS 0", func(p *peer) {
		if one, two := p.spread(60, 0); one+two != 60 {
			p.Errorf("of 60 messages one member got %d, the other %d", one, two)
		}
	}),
	each("10", "QoS 1", func(p *peer) { // queued while no member is here
		p.leavesSession(1, "$share/g/"+p.topic("t"))
		p.from(pub(p.topic("t"), 0, payload("lost")), pub(p.topic("t"), 1, payload("kept")))
		q := p.resumes(p.v, true)
		q.gets(message(p.topic("t"), 1, "kept"))
		q.sees(open, open)
	}).also("internal/broker TestSharedQueue"),
	elsewhere("10", "queue drain", "internal/broker TestSharedQueue"),
	elsewhere("10", "queue retention", "internal/broker TestSharedBounds"),
	elsewhere("10", "queue overflow", "internal/broker TestSharedBounds", "internal/gateway/mqttconn TestSharedQueueFull"),
	each("10", "membership: clean sessions leave", func(p *peer) {
		q := p.other(p.v)
		q.connect()
		q.subscribe(1, "$share/g/"+p.topic("t"))
		p.connect()
		p.subscribe(1, "$share/g/"+p.topic("t"))
		q.goes()
		p.from(pub(p.topic("t"), 1, payload("1")), pub(p.topic("t"), 1, payload("2")), pub(p.topic("t"), 1, payload("3")))
		p.gets(message(p.topic("t"), 1, "1"), message(p.topic("t"), 1, "2"), message(p.topic("t"), 1, "3"))
	}),
	each("10", "membership: UNSUBSCRIBE leaves", func(p *peer) {
		p.connect()
		p.subscribe(1, "$share/g/"+p.topic("t"))
		p.send(unsub("$share/g/" + p.topic("t")))
		p.next()
		p.from(pub(p.topic("t"), 1))
		p.sees(open, open)
	}),
	elsewhere("10", "un-acked message of a member that disconnects", "internal/broker TestSharedHandOver", "internal/broker TestHandOver"),
	each("10", "retained", func(p *peer) {
		p.connect()
		p.publishes(pub(p.topic("t"), 1, retain))
		p.subscribe(1, "$share/g/"+p.topic("t"))
		p.sees(open, open)
		p.from(pub(p.topic("t"), 1, retain, payload("live")))
		p.gets(message(p.topic("t"), 1, "live"))
	}),
	each("10", "policy", func(p *peer) {
		p.mayLittle().connect()
		p.send(sub(0, "$share/g/ok/a"))
		p.gets("SUBACK 0x00")
		p.send(sub(0, "$share/h/ok/a"))
		p.sees(closed, "SUBACK 0x87, open")
	}),
	filter("10", "$queue/<filter>", "0x8F", "$queue/a"),
}
