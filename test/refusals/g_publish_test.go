package refusals

import (
	"strings"

	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/rawmqtt"
)

// sends opens a session and sends packets that may name the device CLIENT.
func sends(packets ...mqtt.Packet) func(*device) rawmqtt.End {
	return func(d *device) rawmqtt.End { d.t.Helper(); return d.send(named(d, packets)...) }
}

func named(d *device, packets []mqtt.Packet) []mqtt.Packet {
	name := func(b []byte) []byte { return []byte(strings.ReplaceAll(string(b), "CLIENT", d.name)) }
	out := make([]mqtt.Packet, len(packets))
	for i, p := range packets {
		switch p := p.(type) {
		case *mqtt.Publish:
			c := *p
			c.Topic = name(p.Topic)
			out[i] = &c
		case *mqtt.Subscribe:
			c := *p
			c.Filters = nil
			for _, f := range p.Filters {
				f.Filter = name(f.Filter)
				c.Filters = append(c.Filters, f)
			}
			out[i] = &c
		default:
			out[i] = p
		}
	}
	return out
}

func retained(p *mqtt.Publish) *mqtt.Publish { p.Retain = true; return p }

// often lets the device do the same thing again and again, as a library does
// that resends after each connection.
func often(times int, act func(*device) rawmqtt.End) func(*device) rawmqtt.End {
	return func(d *device) rawmqtt.End {
		d.t.Helper()
		var end rawmqtt.End
		for range times {
			end = act(d)
		}
		return end
	}
}

// delivered lets the device subscribe and another one publish.
func delivered(filter, topic string, packet *mqtt.Publish) func(*device) rawmqtt.End {
	return func(d *device) rawmqtt.End {
		d.t.Helper()
		other := d.twin("")
		c := d.session()
		defer func() { _ = c.Reset() }()
		_ = c.Send(d.encode(subscribe(strings.ReplaceAll(filter, "CLIENT", d.name))))
		if p, end := c.Next(patience); p == nil || p.Type() != mqtt.TypeSuback {
			d.t.Fatalf("SUBSCRIBE: %v %v", p, end)
		}
		packet := *packet
		packet.Topic = []byte(strings.ReplaceAll(topic, "CLIENT", d.name))
		if end := other.send(&packet); !strings.HasSuffix(end.String(), "open") {
			d.t.Fatalf("the other device can't publish: %s", end)
		}
		return d.finish(c)
	}
}

const (
	publishSees5  = "PUBACK 0x87, open"
	onlyConnect   = "iot:Connect *"
	subscribeSees = "SUBACK 0x87, open"
)

var (
	deniedPublish   = byMQTT(closed, publishSees5)
	deniedSubscribe = byMQTT(closed, subscribeSees)
	reservedPublish = byMQTT(closed, "PUBACK 0x90, open")
	badFilter       = byMQTT(closed, "SUBACK 0x8F, open")
)

// publishRows is group G: publish, subscribe and receive refused.
var publishRows = []refusal{
	{
		id: "G-01", does: "publishes with QoS 1 to a topic that it may not publish to",
		setup: allowed(onlyConnect, "iot:Publish topic/other/*"), act: sends(publish("sensors/CLIENT/temp", 1)),
		sees: deniedPublish, code: "authz.publish", after: "PUBACK 0x00, open",
		proof: map[string]string{"action": "iot:Publish", "topic": "sensors/$client/temp", "resource": "arn:aws:iot:$region:$account:topic/sensors/$client/temp", "policy": "$policy", "pattern": "arn:aws:iot:$region:$account:topic/other/*"},
	},
	{
		id: "G-01/qos0", does: "publishes with QoS 0 to a topic that it may not publish to",
		setup: allowed(onlyConnect), act: sends(publish("sensors/CLIENT/temp", 0)),
		sees: byMQTT(closed, "DISCONNECT 0x87, "+closed), code: "authz.publish", after: "open",
		proof: map[string]string{"topic": "sensors/$client/temp"},
	},
	{
		id: "G-01/loop", does: "connects and publishes what is refused, again and again", mode: &helpful,
		setup: allowed(onlyConnect), act: often(4, sends(publish("sensors/CLIENT/temp", 1))),
		sees: byMQTT(closed, ""), code: "authz.publish", also: []string{"loop.publish_denied"},
	},
	{
		id: "G-02", does: "subscribes to a filter that it may not subscribe to",
		setup: allowed(onlyConnect, "iot:Subscribe topicfilter/other/*"), act: sends(subscribe("sensors/CLIENT/cmd")),
		sees: deniedSubscribe, code: "authz.subscribe", after: "SUBACK 0x01, open",
		proof: map[string]string{"action": "iot:Subscribe", "filter": "sensors/$client/cmd", "resource": "arn:aws:iot:$region:$account:topicfilter/sensors/$client/cmd", "pattern": "arn:aws:iot:$region:$account:topicfilter/other/*"},
	},
	{
		id: "G-02/some", does: "subscribes to two filters, of which it may have one",
		setup: allowed(onlyConnect, "iot:Subscribe topicfilter/sensors/CLIENT/cmd", "iot:Receive topic/*"), act: sends(subscribe("sensors/CLIENT/cmd", "other")),
		sees: byMQTT(closed, "SUBACK 0x01 0x87, open"), code: "authz.subscribe", proof: map[string]string{"filter": "other"},
	},
	{
		id: "G-02/explain", does: "subscribes to a forbidden filter where refusals are told", mode: &helpful,
		setup: allowed(onlyConnect), act: sends(subscribe("sensors/CLIENT/cmd")),
		sees: byMQTT("SUBACK 0x80, open", subscribeSees), code: "authz.subscribe",
	},
	{
		id: "G-02/loop", does: "connects and subscribes to what is refused, again and again", mode: &helpful,
		setup: allowed(onlyConnect, "iot:Publish *"), act: often(4, sends(subscribe("sensors/CLIENT/cmd"), publish("x", 2))),
		sees: byMQTT("SUBACK 0x80, "+closed, ""), code: "authz.subscribe", also: []string{"loop.subscribe_denied"},
	},
	{
		id: "G-04", does: "subscribes with a policy that has iot:Subscribe on topic/",
		setup: allowed(onlyConnect, "iot:Subscribe topic/sensors/*"), act: sends(subscribe("sensors/CLIENT/cmd")),
		sees: deniedSubscribe, code: "authz.subscribe.resource_type", after: "SUBACK 0x01, open",
		proof: map[string]string{"pattern": "arn:aws:iot:$region:$account:topic/sensors/*"},
	},
	{
		id: "G/publish-type", does: "publishes with a policy that has iot:Publish on topicfilter/",
		setup: allowed(onlyConnect, "iot:Publish topicfilter/sensors/*"), act: sends(publish("sensors/CLIENT/temp", 1)),
		sees: deniedPublish, code: "authz.publish.resource_type", after: "PUBACK 0x00, open",
		proof: map[string]string{"pattern": "arn:aws:iot:$region:$account:topicfilter/sensors/*"},
	},
	{
		id: "G-05", does: "subscribes without iot:Receive: the message never comes",
		setup: allowed(onlyConnect, "iot:Subscribe *"), act: delivered("sensors/CLIENT/+", "sensors/CLIENT/cmd", publish("", 1)),
		sees: byMQTT("open", "open"), code: "authz.receive",
		proof: map[string]string{"topic": "sensors/$client/cmd", "resource": "arn:aws:iot:$region:$account:topic/sensors/$client/cmd"},
	},
	{
		id: "G-05/subscribe", does: "subscribes to a topic on which it can never receive",
		setup: allowed(onlyConnect, "iot:Subscribe *"), act: sends(subscribe("sensors/CLIENT/cmd")),
		sees: byMQTT("SUBACK 0x01, open", "SUBACK 0x01, open"), code: "authz.receive_missing",
		proof: map[string]string{"filter": "sensors/$client/cmd", "resource": "arn:aws:iot:$region:$account:topic/sensors/$client/cmd"},
	},
	{
		id: "G-07", does: "subscribes to #, as MQTT tools do",
		setup: allowed(onlyConnect, "iot:Subscribe topicfilter/sensors/*"), act: sends(subscribe("#")),
		sees: deniedSubscribe, code: "policy.filter_broader_than_grant", refused: "authz.subscribe", proof: map[string]string{"filter": "#"}, says: "filter # is tested as it is written",
	},
	{
		id: "G-07/sys", does: "subscribes to $SYS/#, as MQTT tools do",
		act:  sends(subscribe("$SYS/#")),
		sees: badFilter, code: "topic.reserved_unsupported", proof: map[string]string{"filter": "$$SYS/#"},
	},
	{
		id: "G-08", does: "subscribes to sensors/# where each of its topics is granted alone",
		setup: allowed(onlyConnect, "iot:Subscribe topicfilter/sensors/a topicfilter/sensors/b"), act: sends(subscribe("sensors/#")),
		sees: deniedSubscribe, code: "policy.filter_broader_than_grant", refused: "authz.subscribe", after: "SUBACK 0x01, open",
		proof: map[string]string{"filter": "sensors/#"},
	},
	{
		id: "G-10", does: "subscribes to its shadow's delta without a grant",
		setup: allowed(onlyConnect, "iot:Subscribe topicfilter/sensors/*"), act: sends(subscribe("$aws/things/CLIENT/shadow/update/delta")),
		sees: deniedSubscribe, code: "authz.subscribe", after: "SUBACK 0x01, open",
		proof: map[string]string{"filter": "$$aws/things/$client/shadow/update/delta"},
	},
	{
		id: "G-11", does: "publishes a retained message without iot:RetainPublish",
		setup: allowed(onlyConnect, "iot:Publish *"), act: sends(retained(publish("sensors/CLIENT/temp", 1))),
		sees: deniedPublish, code: "authz.retain_publish", after: "PUBACK 0x00, open",
		proof: map[string]string{"action": "iot:RetainPublish", "resource": "arn:aws:iot:$region:$account:topic/sensors/$client/temp"},
	},
	{
		id: "G-14", does: "publishes to $SYS, as a bridge does with its notifications",
		act:  sends(publish("$SYS/broker/connection/CLIENT/state", 1)),
		sees: reservedPublish, code: "topic.reserved", says: "notifications false",
		proof: map[string]string{"topic": "$$SYS/broker/connection/$client/state"},
	},
	{
		id: "G-16", does: "publishes to a $aws topic that does not exist",
		act:  sends(publish("$aws/things/CLIENT/shadow/updates", 1)),
		sees: reservedPublish, code: "topic.reserved", proof: map[string]string{"topic": "$$aws/things/$client/shadow/updates", "nearest": "$$aws/things/$client/shadow/update"},
	},
	{
		id: "G-16/answer", does: "publishes to a topic on which only the service publishes",
		act:  sends(publish("$aws/things/CLIENT/shadow/update/accepted", 1)),
		sees: reservedPublish, code: "topic.reserved", proof: map[string]string{"topic": "$$aws/things/$client/shadow/update/accepted"},
	},
	{
		id: "G/reserved-retain", does: "publishes a retained message to its shadow",
		act:  sends(retained(publish("$aws/things/CLIENT/shadow/update", 1))),
		sees: reservedPublish, code: "topic.reserved_retain", proof: map[string]string{"topic": "$$aws/things/$client/shadow/update"},
	},
	{
		id: "G/deny", does: "publishes to a topic that a statement denies",
		setup: allowed("iot:* *", "Deny iot:Publish topic/admin/*"), act: sends(publish("admin/reboot", 1)),
		sees: deniedPublish, code: "policy.explicit_deny", proof: map[string]string{"policy": "$policy", "statement": "2"}, says: "denies iot:Publish",
	},
	{
		id: "G/hostile", does: "publishes to a topic that is shell, JSON and policy variable at once",
		setup: allowed(onlyConnect), act: sends(publish("sensors/CLIENT/"+hostile, 1)),
		sees: deniedPublish, code: "authz.publish", after: "PUBACK 0x00, open",
	},
	{
		id: "G/case", does: "publishes to sensors/... where the policy has Sensors/...",
		setup: allowed(onlyConnect, "iot:Publish topic/Sensors/CLIENT/temp"), act: sends(publish("sensors/CLIENT/temp", 1)),
		sees: deniedPublish, code: "policy.case", refused: "authz.publish", after: "PUBACK 0x00, open",
		proof: map[string]string{"pattern": "arn:aws:iot:$region:$account:topic/Sensors/$client/temp"},
	},
	{
		id: "G/slash", does: "publishes to /sensors/... where the policy has sensors/...",
		setup: allowed(onlyConnect, "iot:Publish topic/sensors/CLIENT/temp"), act: sends(publish("/sensors/CLIENT/temp", 1)),
		sees: deniedPublish, code: "policy.slash", refused: "authz.publish", proof: map[string]string{"topic": "/sensors/$client/temp"},
	},
	{
		id: "G/wildcard", does: "publishes where the policy uses + as a wildcard",
		setup: allowed(onlyConnect, "iot:Publish topic/sensors/+/temp"), act: sends(publish("sensors/CLIENT/temp", 1)),
		sees: deniedPublish, code: "policy.mqtt_wildcard", refused: "authz.publish", after: "PUBACK 0x00, open",
		proof: map[string]string{"pattern": "arn:aws:iot:$region:$account:topic/sensors/+/temp"},
	},
	{
		id: "G/variable", does: "publishes with a thing variable in the policy, and there is no thing",
		setup: allowed(onlyConnect, "iot:Publish topic/sensors/${iot:Connection.Thing.ThingName}/*"), act: sends(publish("sensors/CLIENT/temp", 1)),
		sees: deniedPublish, code: "policy.var.undefined", after: "PUBACK 0x00, open", proof: map[string]string{"variable": "iot:Connection.Thing.ThingName"},
	},
	{
		id: "G/topic", does: "publishes to a topic with a wildcard",
		act:  sends(publish("sensors/+/temp", 1)),
		sees: reservedPublish, code: "topic.invalid", proof: map[string]string{"topic": "sensors/+/temp", "reason": "it contains the wildcard +"},
	},
	{
		id: "G/filter", does: "subscribes to a filter with # in the middle",
		act:  sends(subscribe("sensors/#/temp")),
		sees: badFilter, code: "topic.filter_invalid", proof: map[string]string{"filter": "sensors/#/temp", "reason": "# is not the last level"},
	},
}
