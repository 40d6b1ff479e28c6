package conformance

import (
	"strings"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// published is a row about a PUBLISH for QoS 0 and 1: where MQTT 3.1.1 closes, MQTT 5 answers DISCONNECT at
// QoS 0 and PUBACK at QoS 1.
func published(name, code string, topic string, change ...func(*mqtt.Publish)) row {
	return each("5.1", name, func(p *peer) {
		p.connect()
		p.send(pub(topic, 1, change...))
		p.sees(closed, "PUBACK "+code+", open")
		q := p.other(p.v)
		q.connect()
		q.send(pub(topic, 0, change...))
		q.sees(closed, "DISCONNECT "+code+", "+closed)
	})
}

func forwarded(name, code string, change func(*mqtt.Properties)) row {
	return answers("5.1", name, "", "DISCONNECT "+code+", "+closed, pub("a", 1, props(change)))
}

var publishRows = []row{
	answers("5.1", "1 decodable", closed, "DISCONNECT 0x81, "+closed, "\x30\x02\x00\x09"),
	answers("5.1", "1 packet id", closed, "DISCONNECT 0x82, "+closed, "\x32\x06\x00\x01t\x00\x00\x00"),
	answers("5.1", "2 QoS <= 1", closed, "DISCONNECT 0x9B, "+closed, pub("a", 2)),
	answers("5.1", "3 size: payload", closed, "DISCONNECT 0x97, "+closed, pub("a", 1, payload(string(bytesOf(131073))))),
	answers("5.1", "3 size: the largest payload", "PUBACK 0x00, open", "PUBACK 0x00, open", pub("a", 1, payload(string(bytesOf(131072))))),
	answers("5.1", "3 size: packet", closed, "DISCONNECT 0x95, "+closed, pub("a", 1, payload(string(bytesOf(150000))))),
	forwarded("4 topic alias: 0", "0x94", func(p *mqtt.Properties) { p.SetTopicAlias(0) }),
	forwarded("4 topic alias: 9", "0x94", func(p *mqtt.Properties) { p.SetTopicAlias(9) }),
	answers("5.1", "4 topic alias: unknown", "", "DISCONNECT 0x94, "+closed, pub("", 1, props(func(p *mqtt.Properties) { p.SetTopicAlias(8) }))),
	only5("5.1", "4 topic alias: 1 to 8", func(p *peer) {
		p.connect()
		p.subscribe(0, p.topic("#"))
		alias := func(n uint16) func(*mqtt.Publish) {
			return props(func(m *mqtt.Properties) { m.SetTopicAlias(n) })
		}
		p.send(pub(p.topic("a"), 0, alias(1)), pub(p.topic("b"), 0, alias(8)), pub("", 0, alias(1)), pub("", 0, alias(8)), pub(p.topic("c"), 0, alias(1)), pub("", 0, alias(1)))
		for _, name := range []string{"a", "b", "a", "b", "c", "c"} {
			p.gets(message(p.topic(name), 0, "x"))
		}
	}),
	published("5 topic: +", "0x90", "a/+"),
	published("5 topic: #", "0x90", "#"),
	published("5 topic: length", "0x90", long),
	published("5 topic: slashes", "0x90", level9),
	answers("5.1", "5 topic: empty", closed, "DISCONNECT 0x82, "+closed, pub("", 0)),
	answers("5.1", "5 topic: NUL", closed, "DISCONNECT 0x81, "+closed, pub("a\x00", 0)),
	answers("5.1", "5 topic: UTF-8", closed, "DISCONNECT 0x81, "+closed, pub("a\xff", 0)),
	answers("5.1", "5 topic: the largest", "PUBACK 0x00, open", "PUBACK 0x00, open", pub("1/2/3/4/5/6/7/"+long[:242], 1)),
	answers("5.1", "5 topic: Basic Ingest is not counted", "PUBACK 0x00, open", "PUBACK 0x00, open", pub("$aws/rules/rule/1/2/3/4/5/6/7/8", 1)),
	published("6 reserved topic", "0x90", "$SYS/a"),
	published("6 reserved topic of the service", "0x90", "$aws/things/t/shadow/update/accepted"),
	published("7 RETAIN on a reserved topic", "0x90", "$aws/rules/r", retain),
	forwarded("8 Response Topic: wildcard", "0x82", func(p *mqtt.Properties) { p.SetResponseTopic([]byte("a/+")) }),
	forwarded("8 Response Topic: size", "0x82", func(p *mqtt.Properties) { p.SetResponseTopic([]byte(long)) }),
	forwarded("8 Content Type: size", "0x97", func(p *mqtt.Properties) { p.SetContentType([]byte(long)) }),
	forwarded("8 Correlation Data: size", "0x97", func(p *mqtt.Properties) { p.SetCorrelationData([]byte(long)) }),
	forwarded("8 user properties: size", "0x97", func(p *mqtt.Properties) { p.AddUser("k", strings.Repeat("v", 8192)) }),
	answers("5.1", "8 payload format", "", "DISCONNECT 0x82, "+closed, "\x30\x06\x00\x01t\x02\x01\x02"),
	elsewhere("5.1", "9 per-connection and account rates", "internal/gateway/mqttconn TestPublishRate", "internal/gateway/mqttconn TestAccountRates"),
	each("5.1", "10 policy, QoS 0", func(p *peer) {
		p.mayLittle().connect()
		p.send(pub("no", 0))
		p.sees(closed, "DISCONNECT 0x87, "+closed)
	}),
	each("5.1", "10 policy, QoS 1", func(p *peer) {
		p.mayLittle().connect()
		p.send(pub("no", 1), pub("ok/a", 1))
		p.sees(closed, "PUBACK 0x87, PUBACK 0x00, open")
	}),
	each("5.1", "10 policy, RetainPublish", func(p *peer) {
		p.mayLittle().connect()
		p.send(pub("ok/a", 1, retain))
		p.sees(closed, "PUBACK 0x87, open")
	}),
	elsewhere("5.1", "11 retained store full", "internal/gateway/mqttconn TestRetainedFull"),
	answers("5.1", "12 accept", "PUBACK 0x00, open", "PUBACK 0x00, open", pub("a", 0), pub("a", 1)),
	elsewhere("5.1", "12 durably", "internal/gateway/mqttconn TestPubackWaitsForDisk", "test/e2e TestKillLosesNothingAcknowledged", "test/faults TestKillUnderLoad"),
	elsewhere("5.1", "more than 100 unacknowledged", "internal/gateway/mqttconn TestInflight", "internal/gateway/mqttconn TestUnacknowledgedInbound", "test/refusals TestRefusals: H-07"),
	answers("5.1", "no PUBACK 0x10 without subscribers", "PUBACK 0x00, open", "PUBACK 0x00, open", pub("nobody/listens", 1)),
	answers("5.1", "packet id used again at once", "PUBACK 0x00, PUBACK 0x00, open", "PUBACK 0x00, PUBACK 0x00, open", pub("a", 1), pub("a", 1)),
}
