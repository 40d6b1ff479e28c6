package conformance

import (
	"strings"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// reserved is section 15.2: what clients may do with topics that begin with $.
var reserved = []struct{ topics, may string }{
	{"$aws/things/t/shadow/{get,update,delete}", "PS"},
	{"$aws/things/t/shadow/name/s/{get,update,delete}", "PS"},
	{"$aws/things/t/shadow/{get,update,delete}/{accepted,rejected}", "S"},
	{"$aws/things/t/shadow/update/{delta,documents}", "S"},
	{"$aws/things/t/shadow/name/s/{get,update,delete}/{accepted,rejected}", "S"},
	{"$aws/things/t/shadow/name/s/update/{delta,documents}", "S"},
	{"$aws/things/t/jobs/{get,start-next,j/get,j/update,$next/get}", "P"},
	{"$aws/things/t/jobs/{get,start-next,j/get,j/update}/{accepted,rejected}", "S"},
	{"$aws/things/t/jobs/{notify,notify-next}", "S"},
	{"$aws/certificates/{create,create-from-csr}/{json,cbor}", "P"},
	{"$aws/certificates/{create,create-from-csr}/{json,cbor}/{accepted,rejected}", "S"},
	{"$aws/provisioning-templates/p/provision/{json,cbor}", "P"},
	{"$aws/provisioning-templates/p/provision/{json,cbor}/{accepted,rejected}", "S"},
	{"$aws/things/t/defender/metrics/{json,cbor}", "P"},
	{"$aws/things/t/defender/metrics/{json,cbor}/{accepted,rejected}", "S"},
	{"$aws/things/t/streams/s/{get,describe}/{json,cbor}", "P"},
	{"$aws/things/t/streams/s/{data,description,rejected}/{json,cbor}", "S"},
	{"$aws/things/t/tunnels/notify", "S"},
	{"$aws/rules/{r,r/a/b}", "P"},
	{"$aws/events/presence/{connected,disconnected,connect_failed}/c", "S"},
	{"$aws/events/subscriptions/{subscribed,unsubscribed}/c", "S"},
	{"$aws/events/certificates/registered/c", "S"},
	{"$aws/events/job/j/{canceled,cancellation_in_progress,completed,deleted,deletion_in_progress}", "S"},
	{"$aws/events/jobExecution/j/{canceled,deleted,failed,rejected,removed,succeeded,timed_out}", "S"},
	{"$aws/events/{thing,thingGroup,thingType}/n/{created,updated,deleted}", "S"},
	{"$aws/events/thingTypeAssociation/thing/t/y", "S"},
	{"$aws/events/thingGroupMembership/thingGroup/g/thing/t/{added,removed}", "S"},
	{"$aws/events/thingGroupHierarchy/thingGroup/p/childThingGroup/c/{added,removed}", "S"},
	{"$aws/sitewise/asset-models/m/assets/a/properties/p", "S"},
	{"$aws/magic", ""},
	{"$SYS/broker/uptime", ""},
	{"$local/a", ""},
}

// expand writes out what stands in braces.
func expand(topic string) []string {
	before, rest, more := strings.Cut(topic, "{")
	if !more {
		return []string{topic}
	}
	choices, after, _ := strings.Cut(rest, "}")
	var list []string
	for choice := range strings.SplitSeq(choices, ",") {
		list = append(list, expand(before+choice+after)...)
	}
	return list
}

func reservedRow(topics, may string) row {
	return only5("15.2", topics, func(p *peer) {
		p.connect()
		for _, topic := range expand(topics) {
			puback, suback := "PUBACK 0x90", "SUBACK 0x8F"
			if strings.Contains(may, "P") {
				puback = "PUBACK 0x00"
			}
			if strings.Contains(may, "S") {
				suback = "SUBACK 0x00"
			}
			p.send(pub(topic, 1, payload("{}")), sub(0, topic), unsub(topic))
			for packet := p.next(); ; packet = p.next() { // what a service answers is not looked at here
				if text := words(packet); packet.Type() == mqtt.TypePuback && text != puback || packet.Type() == mqtt.TypeSuback && text != suback {
					p.Errorf("%s: %s, want %s and %s", topic, text, puback, suback)
				}
				if packet.Type() == mqtt.TypeUnsuback {
					break
				}
			}
		}
	})
}

var topicRows = append([]row{
	each("15.1", "empty levels count, and case matters", func(p *peer) {
		p.connect()
		p.subscribe(0, p.topic("a//B"), "/"+p.topic("a"))
		p.send(pub(p.topic("a//b"), 0), pub(p.topic("a/B"), 0), pub(p.topic("a//B"), 0), pub("/"+p.topic("a"), 0))
		p.gets(message(p.topic("a//B"), 0, "x"), message("/"+p.topic("a"), 0, "x"))
	}),
	each("15.1", "levels of wildcards", func(p *peer) {
		p.connect()
		p.subscribe(0, p.topic("+/b"), p.topic("c/+"))
		p.send(pub(p.topic("a/b"), 0), pub(p.topic("/b"), 0), pub(p.topic("a/a/b"), 0), pub(p.topic("c"), 0), pub(p.topic("c/"), 0))
		p.gets(message(p.topic("a/b"), 0, "x"), message(p.topic("/b"), 0, "x"), message(p.topic("c/"), 0, "x"))
		p.sees(open, open)
	}),
	elsewhere("15.1", "sizes", "mqtt TestParseTopicName", "mqtt TestParseTopicFilter"),
	answers("15.2", "wildcard filters inside the families", "SUBACK 0x00 0x00 0x00, open", "SUBACK 0x00 0x00 0x00, open",
		sub(0, "$aws/events/presence/connected/+", "$aws/things/+/shadow/update/accepted", "$aws/events/thing/#")),
	filter("15.2", "wildcard filters outside the families", "0x8F", "$SYS/#"),
	elsewhere("15.2", "RETAIN", "internal/gateway/mqttconn TestPublishRefused: 7 retain on reserved"),

	answers("16", "publish", "PUBACK 0x00, open", "PUBACK 0x00, open", pub("$aws/rules/r_1/a/b", 1)),
	each("16", "not through the broker", func(p *peer) {
		p.connect()
		p.subscribe(0, "#", "a/b")
		p.publishes(pub("$aws/rules/r/a/b", 1))
		p.sees(open, open)
	}),
	each("16", "rule missing: no error for the device", func(p *peer) {
		p.connect()
		p.publishes(pub("$aws/rules/none", 1))
		p.sees(open, open)
	}),
	each("16", "policy", func(p *peer) {
		p.mayLittle().connect()
		p.send(pub("$aws/rules/r/ok/a", 1))
		p.sees(closed, "PUBACK 0x87, open")
	}),
}, func() []row {
	var rows []row
	for _, r := range reserved {
		rows = append(rows, reservedRow(r.topics, r.may))
	}
	return rows
}()...)
