package conformance

import (
	"strings"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

var nine = strings.Fields("1 2 3 4 5 6 7 8 9")

// filter is a row about one filter: MQTT 3.1.1 closes, MQTT 5 answers for the filter.
func filter(section, name, code string, filters ...string) row {
	return answers(section, name, closed, "SUBACK "+code+", open", sub(1, filters...))
}

var subscribeRows = []row{
	answers("6.1", "filters per SUBSCRIBE: 8", "SUBACK"+strings.Repeat(" 0x01", 8)+", open", "SUBACK"+strings.Repeat(" 0x01", 8)+", open", sub(1, nine[:8]...)),
	answers("6.1", "filters per SUBSCRIBE: 0", closed, "DISCONNECT 0x82, "+closed, "\x82\x03\x00\x07\x00"),
	elsewhere("6.1", "subscriptions per connection", "internal/gateway/mqttconn TestSubscriptionLimit", "test/refusals TestRefusals: H/subscriptions"),
	answers("6.1", "filter: $share/<name>/ is not counted", "SUBACK 0x00, open", "SUBACK 0x00, open", sub(0, "$share/g/1/2/3/4/5/6/7/"+long[:242])),
	answers("6.1", "requested QoS 2", closed, "DISCONNECT 0x9B, "+closed, sub(2, "a")),
	elsewhere("6.1", "requested QoS 2: switch v3SubscribeQoS2", "internal/gateway/mqttconn TestSubscribe: 4 QoS 2, downgrade"),
	each("6.1", "granted QoS", func(p *peer) {
		p.connect()
		s := sub(0, "a", "b")
		s.Filters[1].QoS = 1
		p.send(s)
		p.gets("SUBACK 0x00 0x01")
	}),
	answers("6.1", "Subscription Identifier", "", "DISCONNECT 0xA1, "+closed, "\x82\x09\x00\x07\x02\x0b\x05\x00\x01a\x00"),
	each("6.1", "same filter again", func(p *peer) { // replaces; the retained message is sent again
		p.connect()
		p.publishes(pub(p.topic("t"), 1, retain))
		for _, qos := range []mqtt.QoS{1, 0} {
			p.finds(qos, kept(p.topic("t"), int(qos), "x"), p.topic("t"))
		}
		p.other(p.v).delivers(p, pub(p.topic("t"), 1), message(p.topic("t"), 0, "x"))
	}),
	only5("6.1", "No Local", func(p *peer) {
		p.connect()
		s := sub(0, p.topic("t"))
		s.Filters[0].NoLocal = true
		p.send(s)
		p.gets("SUBACK 0x00")
		p.publishes(pub(p.topic("t"), 1))
		p.other(mqtt.V5).delivers(p, pub(p.topic("t"), 0, payload("theirs")), message(p.topic("t"), 0, "theirs"))
	}),
	answers("6.1", "No Local on a shared subscription", "", "DISCONNECT 0x82, "+closed, "\x82\x10\x00\x07\x00\x00\x0a$share/g/a\x05"),
	only5("6.1", "Retain As Published", func(p *peer) {
		p.connect()
		s := sub(0, p.topic("t"))
		s.Filters[0].RetainAsPublished = true
		p.send(s)
		p.gets("SUBACK 0x00")
		p.other(mqtt.V5).delivers(p, pub(p.topic("t"), 0, retain), "PUBLISH "+p.topic("t")+` 0 retained "x"`)
	}),
	only5("6.1", "Retain Handling", func(p *peer) {
		p.connect()
		p.publishes(pub(p.topic("t"), 1, retain))
		ask := func(handling byte, want ...string) {
			p.Helper()
			s := sub(0, p.topic("t"))
			s.Filters[0].RetainHandling = handling
			p.send(s)
			p.getsAll(append(want, "SUBACK 0x00")...)
			p.sees("", open)
		}
		kept := "PUBLISH " + p.topic("t") + ` 0 retained "x"`
		ask(2)
		ask(1) // there is a subscription
		ask(0, kept)
		p.send(unsub(p.topic("t")))
		p.gets("UNSUBACK 0x00")
		ask(1, kept)
	}),
	each("6.1", "overlapping filters of one client", func(p *peer) { // one copy, of the highest QoS
		p.connect()
		p.subscribe(0, p.topic("#"))
		p.subscribe(1, p.topic("+"))
		p.other(p.v).delivers(p, pub(p.topic("t"), 1), message(p.topic("t"), 1, "x"))
		p.sees(open, open)
	}),
	each("6.1", "delivered QoS", func(p *peer) {
		p.connect()
		p.subscribe(0, p.topic("0"))
		p.subscribe(1, p.topic("1"))
		for _, tt := range []struct {
			topic    string
			qos, got mqtt.QoS
		}{{"0", 0, 0}, {"0", 1, 0}, {"1", 0, 0}, {"1", 1, 1}} {
			p.other(p.v).delivers(p, pub(p.topic(tt.topic), tt.qos), message(p.topic(tt.topic), int(tt.got), "x"))
		}
	}),
	each("6.1", "UNSUBSCRIBE", func(p *peer) {
		p.mayLittle().connect()
		p.send(unsub("not/allowed", "a/#/b"))
		p.sees("UNSUBACK, open", "UNSUBACK 0x00 0x8F, open")
	}),
	each("6.1", "UNSUBSCRIBE ends deliveries", func(p *peer) {
		p.connect()
		p.subscribe(0, p.topic("t"))
		p.send(unsub(p.topic("t")))
		p.next()
		p.from(pub(p.topic("t"), 1))
		p.sees(open, open)
	}),

	answers("6.2", "1 decode", closed, "DISCONNECT 0x81, "+closed, "\x82\x03\x00\x07\x05"),
	filter("6.2", "syntax: # inside", "0x8F", "a/#/b"),
	filter("6.2", "syntax: + in a level", "0x8F", "a+"),
	filter("6.2", "syntax: empty", "0x8F", ""),
	filter("6.2", "size", "0x8F", long),
	filter("6.2", "levels", "0x8F", level9),
	filter("6.2", "reserved topic not subscribable", "0x8F", "$aws/rules/r"),
	filter("6.2", "one filter of several", "0x01 0x8F 0x01", "a", "b+", "c"),
	answers("6.2", "more than 8 filters", closed, "SUBACK"+strings.Repeat(" 0x97", 9)+", open", sub(0, nine...)),
	each("6.2", "51st subscription", func(p *peer) {
		p.likeAWS().connect()
		for i := range 7 {
			p.subscribe(0, p.names(i, 7)...)
		}
		p.send(sub(0, "50", "51"))
		p.sees("SUBACK 0x00 0x80, "+closed, "SUBACK 0x00 0x97, open")
	}),
	answers("6.2", "packet id in use", "SUBACK 0x00, SUBACK 0x00, open", "SUBACK 0x00, SUBACK 0x00, open", sub(0, "a"), sub(0, "b")), // none is: each is answered at once
	elsewhere("6.2", "policy: the switch v3SubscribeDenied", "internal/gateway/mqttconn TestSubscribe: 7 policy, suback", "test/refusals TestRefusals: G-02/explain"),
	elsewhere("6.2", "server fault", "internal/gateway/mqttconn TestLogRefuses"),
	each("6.3", "unauthorized SUBSCRIBE", func(p *peer) {
		p.mayLittle().connect()
		p.send(sub(1, "ok/a", "no"))
		p.sees(closed, "SUBACK 0x01 0x87, open")
	}),
}

// names are n filters that no other i has.
func (p *peer) names(i, n int) []string {
	var list []string
	for j := range n {
		list = append(list, p.topic(nine[i]+"/"+nine[j]))
	}
	return list
}

// delivers has this device publish a message, of which another one gets one copy.
func (p *peer) delivers(to *peer, m *mqtt.Publish, want string) {
	p.Helper()
	p.connect()
	p.publishes(m)
	to.gets(want)
}
