package refusals

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/rawmqtt"
)

// of is a PUBLISH with a payload of so many bytes.
func of(size int, qos mqtt.QoS) *mqtt.Publish {
	p := publish("sensors/CLIENT/image", qos)
	p.Payload = make([]byte, size)
	return p
}

// with is a PUBLISH that set has changed.
func with(set func(*mqtt.Publish)) *mqtt.Publish {
	p := publish("sensors/CLIENT/temp", 1)
	set(p)
	return p
}

// many makes n topics or filters.
func many(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("sensors/CLIENT/%d", i))
	}
	return list
}

func bytesOf(list []string) (out [][]byte) {
	for _, s := range list {
		out = append(out, []byte(s))
	}
	return out
}

// burst sends so many PUBLISH packets in one write.
func burst(topic string, n int, qos mqtt.QoS) []mqtt.Packet {
	list := make([]mqtt.Packet, n)
	for i := range list {
		p := publish(topic, qos)
		if qos > 0 {
			p.PacketID = uint16(i + 1)
		}
		list[i] = p
	}
	return list
}

var quota = byMQTT("", "DISCONNECT 0x97, "+closed)

// limitRows is the gateway's part of group H: limits of the protocol and of a session.
var limitRows = []refusal{
	{
		id: "H-01", does: "publishes with QoS 2",
		act:  sends(publish("sensors/CLIENT/temp", 2)),
		sees: byMQTT(closed, "DISCONNECT 0x9B, "+closed), code: "mqtt.qos2", proof: map[string]string{"packet": "PUBLISH", "qos": "2", "topic": "sensors/$client/temp"},
	},
	{
		id: "H-02", does: "subscribes with QoS 2, as a bridge does",
		act:  sends(&mqtt.Subscribe{PacketID: 7, Filters: []mqtt.Subscription{{Filter: []byte("sensors/CLIENT/cmd"), QoS: 2}}}),
		sees: byMQTT(closed, "DISCONNECT 0x9B, "+closed), code: "mqtt.qos2", proof: map[string]string{"packet": "SUBSCRIBE", "qos": "2", "filter": "sensors/$client/cmd"},
	},
	{
		id: "H-04", does: "publishes a payload of more than 128 KB",
		act:  sends(of(131073, 1)),
		sees: byMQTT(closed, "DISCONNECT 0x97, "+closed), code: "limit.payload", proof: map[string]string{"offered": "131073", "required": "131072", "topic": "sensors/$client/image"},
	},
	{
		id: "H-04/loop", does: "publishes a payload of more than 128 KB, again and again", mode: &helpful,
		act:  often(4, sends(of(131073, 1))),
		sees: byMQTT(closed, ""), code: "limit.payload", also: []string{"limit.payload.loop"},
	},
	{
		id: "H-04/packet", does: "publishes a packet larger than any that is taken",
		act:  sends(of(160000, 1)),
		sees: byMQTT(closed, "DISCONNECT 0x95, "+closed), code: "limit.packet", proof: map[string]string{"packet": "PUBLISH", "offered": "~ bytes", "required": "149504"},
	},
	{
		id: "H-05", does: "unsubscribes from 9 filters in one packet",
		act:  sends(&mqtt.Unsubscribe{PacketID: 7, Filters: bytesOf(many(9))}),
		sees: byMQTT(closed, "UNSUBACK, open"), code: "limit.topics_per_packet", proof: map[string]string{"packet": "UNSUBSCRIBE", "offered": "9", "required": "8"},
	},
	{
		id: "H-05/subscribe", does: "subscribes to 9 filters in one packet",
		act:  sends(subscribe(many(9)...)),
		sees: byMQTT(closed, "SUBACK"+strings.Repeat(" 0x97", 9)+", open"), code: "limit.topics_per_packet", proof: map[string]string{"packet": "SUBSCRIBE", "offered": "9", "required": "8"},
	},
	{
		id: "H-07", does: "has more than 100 unacknowledged publishes under way", mode: &helpful,
		act: func(d *device) rawmqtt.End {
			end := d.send(burst("a", 3000, 1)...) // far more than is acknowledged between two reads
			for len(end.Packets) > 0 && end.Packets[0].Type() == mqtt.TypePuback {
				end.Packets = end.Packets[1:] // those that were taken
			}
			return end
		},
		sees: byMQTT("", "DISCONNECT 0x93, "+closed), code: "limit.inflight", proof: map[string]string{"offered": "101", "required": "100"},
	},
	{
		id: "H-08", does: "sends more than 512 KiB in a second: it is slowed down",
		act: func(d *device) rawmqtt.End {
			end := d.send(named(d, slices.Repeat([]mqtt.Packet{of(120000, 0)}, 8))...)
			return end
		},
		sees: byMQTT("open", "open"), code: "limit.throughput", proof: map[string]string{"required": "~512 KiB/s"},
	},
	{
		id: "H/rate", does: "publishes 1000 times at once",
		act: func(d *device) rawmqtt.End {
			c := d.session()
			for i := range 1000 {
				p := publish("sensors/"+d.name+"/temp", 1)
				p.PacketID, p.Payload = uint16(i+1), make([]byte, 400) // few enough in one read to be acknowledged in time
				_ = c.Send(d.encode(p))
			}
			end := d.finish(c)
			var refused []mqtt.Packet
			for _, p := range end.Packets {
				if ack, ok := p.(*mqtt.Puback); ok && ack.Reason != 0 && len(refused) == 0 {
					refused = append(refused, ack)
				}
			}
			if len(end.Packets) < 100 || d.mqtt == mqtt.V311 && len(end.Packets) >= 1000 {
				d.t.Errorf("%d of 1000 publishes were acknowledged", len(end.Packets))
			}
			end.Packets = refused
			return end
		},
		sees: byMQTT("open", "PUBACK 0x97, open"), code: "limit.publish_rate", proof: map[string]string{"topic": "sensors/$client/temp"},
	},
	{
		id: "H/subscriptions", does: "subscribes to a 51st filter",
		act: func(d *device) rawmqtt.End {
			var packets []mqtt.Packet
			for i := range 7 {
				n := 8
				if i == 6 {
					n = 3
				}
				packets = append(packets, subscribe(many(51)[8*i:8*i+n]...))
			}
			end := d.send(named(d, packets)...)
			end.Packets = end.Packets[max(0, min(6, len(end.Packets)-1)):]
			return end
		},
		sees: byMQTT("SUBACK 0x01 0x01 0x80, "+closed, "SUBACK 0x01 0x01 0x97, open"), code: "limit.subscriptions", proof: map[string]string{"filter": "sensors/$client/50", "offered": "51", "required": "50"},
	},
	{
		id: "H/topic-length", does: "publishes to a topic of 257 bytes",
		act:  sends(publish(strings.Repeat("a", 257), 1)),
		sees: reservedPublish, code: "limit.topic_length", proof: map[string]string{"offered": "257", "required": "256"},
	},
	{
		id: "H/topic-levels", does: "publishes to a topic of 9 levels",
		act:  sends(publish("a/b/c/d/e/f/g/h/i", 1)),
		sees: reservedPublish, code: "limit.topic_levels", proof: map[string]string{"topic": "a/b/c/d/e/f/g/h/i", "offered": "9", "required": "8"},
	},
	{
		id: "H/filter-levels", does: "subscribes to a filter of 9 levels",
		act:  sends(subscribe("a/b/c/d/e/f/g/h/+")),
		sees: badFilter, code: "limit.topic_levels", proof: map[string]string{"offered": "9", "required": "8"},
	},
	{
		id: "H/alias", does: "uses topic alias 9",
		act:  sends(with(func(p *mqtt.Publish) { p.Props.SetTopicAlias(9) })),
		sees: byMQTT("", "DISCONNECT 0x94, "+closed), code: "limit.topic_alias", proof: map[string]string{"offered": "9", "required": "~1 to 8"},
	},
	{
		id: "H/alias-unknown", does: "uses a topic alias that it never introduced",
		act:  sends(with(func(p *mqtt.Publish) { p.Topic = nil; p.Props.SetTopicAlias(3) })),
		sees: byMQTT("", "DISCONNECT 0x94, "+closed), code: "limit.topic_alias", proof: map[string]string{"offered": "3"},
	},
	{
		id: "H/content-type", does: "publishes with a content type of 257 bytes",
		act:  sends(with(func(p *mqtt.Publish) { p.Props.SetContentType([]byte(strings.Repeat("t", 257))) })),
		sees: quota, code: "limit.content_type", proof: map[string]string{"offered": "257", "required": "256"},
	},
	{
		id: "H/correlation", does: "publishes with correlation data of 257 bytes",
		act:  sends(with(func(p *mqtt.Publish) { p.Props.SetCorrelationData(make([]byte, 257)) })),
		sees: quota, code: "limit.correlation_data", proof: map[string]string{"offered": "257", "required": "256"},
	},
	{
		id: "H/user-properties", does: "publishes with more than 8 KB of user properties",
		act:  sends(with(func(p *mqtt.Publish) { p.Props.AddUser("k", strings.Repeat("v", 8192)) })),
		sees: quota, code: "limit.user_properties", proof: map[string]string{"offered": "8193", "required": "8192"},
	},
	{
		id: "H/response-topic", does: "publishes with a wildcard in its response topic",
		act:  sends(with(func(p *mqtt.Publish) { p.Props.SetResponseTopic([]byte("answers/+")) })),
		sees: byMQTT("", "DISCONNECT 0x82, "+closed), code: "mqtt.protocol_error", says: "Response Topic contains a wildcard",
	},
	{
		id: "H/response-topic-length", does: "publishes with a response topic of 257 bytes",
		act:  sends(with(func(p *mqtt.Publish) { p.Props.SetResponseTopic([]byte(strings.Repeat("r", 257))) })),
		sees: byMQTT("", "DISCONNECT 0x82, "+closed), code: "limit.response_topic", proof: map[string]string{"offered": "257 bytes", "required": "256 bytes"},
	},
	{
		id: "H/subscription-id", does: "subscribes with a subscription identifier",
		act: func(d *device) rawmqtt.End {
			p := subscribe("sensors/" + d.name + "/cmd")
			p.Props.SubscriptionIDs = []uint32{7}
			return d.send(p)
		},
		sees: byMQTT("", "DISCONNECT 0xA1, "+closed), code: "mqtt.subscription_identifier", proof: map[string]string{"offered": "7"},
	},
	{
		id: "H/publish-subscription-id", does: "publishes with a subscription identifier, which only servers may",
		act: func(d *device) rawmqtt.End {
			c := d.session()
			_ = c.Send([]byte("\x32\x09\x00\x01a\x00\x01\x02\x0B\x07x"))
			return d.finish(c)
		},
		sees: byMQTT("", "DISCONNECT 0x82, "+closed), code: "mqtt.protocol_error", proof: map[string]string{"packet": "PUBLISH"},
	},
	{
		id: "H/pubrel", does: "sends PUBREL, which belongs to QoS 2",
		act:  sends(&mqtt.Pubrel{PacketID: 1}),
		sees: byMQTT(closed, "DISCONNECT 0x82, "+closed), code: "mqtt.unexpected_packet", proof: map[string]string{"packet": "PUBREL"},
	},
	{
		id: "H/server-packet", does: "sends a packet that only servers send",
		act: func(d *device) rawmqtt.End {
			c := d.session()
			_ = c.Send([]byte{0xD0, 0})
			return d.finish(c)
		},
		sees: byMQTT(closed, "DISCONNECT 0x82, "+closed), code: "mqtt.protocol_error", proof: map[string]string{"packet": "PINGRESP"},
	},
	{
		id: "H/packet-id", does: "publishes with packet identifier 0",
		act: func(d *device) rawmqtt.End {
			b := d.encode(publish("a", 1))
			b[6] = 0
			c := d.session()
			_ = c.Send(b)
			return d.finish(c)
		},
		sees: byMQTT(closed, "DISCONNECT 0x82, "+closed), code: "mqtt.protocol_error", proof: map[string]string{"packet": "PUBLISH", "rule": "~MQTT-2"},
	},
	{
		id: "H/length", does: "writes the length of a packet in more bytes than needed",
		act: func(d *device) rawmqtt.End {
			c := d.session()
			_ = c.Send([]byte{0xC0, 0x80, 0})
			return d.finish(c)
		},
		sees: byMQTT("", "DISCONNECT 0x81, "+closed), code: "mqtt.malformed", proof: map[string]string{"packet": "PINGREQ", "rule": "MQTT-1.5.5-1"},
	},
	{
		id: "H/malformed", does: "sends a PUBLISH whose topic is longer than the packet",
		act: func(d *device) rawmqtt.End {
			c := d.session()
			_ = c.Send([]byte("\x30\x04\x00\x09ab"))
			return d.finish(c)
		},
		sees: byMQTT(closed, "DISCONNECT 0x81, "+closed), code: "mqtt.malformed", proof: map[string]string{"packet": "PUBLISH"},
	},
	{
		id: "H/no-filter", does: "sends a SUBSCRIBE without a filter",
		act: func(d *device) rawmqtt.End {
			c := d.session()
			b := "\x82\x02\x00\x07"
			if d.mqtt == mqtt.V5 {
				b = "\x82\x03\x00\x07\x00"
			}
			_ = c.Send([]byte(b))
			return d.finish(c)
		},
		sees: byMQTT(closed, "DISCONNECT 0x82, "+closed), code: "mqtt.protocol_error", proof: map[string]string{"packet": "SUBSCRIBE"},
	},
	{
		id: "H/max-packet", does: "names a maximum packet size that a message exceeds: it does not come",
		act: func(d *device) rawmqtt.End {
			d.hello5 = func(p *mqtt.Connect) { p.Props.SetMaximumPacketSize(1024) }
			return delivered("sensors/CLIENT/+", "sensors/CLIENT/config", with(func(p *mqtt.Publish) { p.Payload = make([]byte, 2000) }))(d)
		},
		sees: byMQTT("", "open"), code: "delivery.packet_too_large", proof: map[string]string{"topic": "sensors/$client/config"},
	},
	{
		id: "H/keep-alive", does: "asks for a keep-alive of an hour",
		act:  changed(func(_ *device, p *mqtt.Connect) { p.KeepAlive = 3600 }),
		sees: byMQTT(accepted, accepted), code: "keepalive.above_max", proof: map[string]string{"keep_alive": "3600", "used": "1200"},
	},
	{
		id: "H/keep-alive-short", does: "asks for a keep-alive of 5 seconds",
		act:  changed(func(_ *device, p *mqtt.Connect) { p.KeepAlive = 5 }),
		sees: byMQTT(accepted, accepted), code: "keepalive.below_min", proof: map[string]string{"keep_alive": "5", "used": "30"},
	},
	{
		id: "H/packet-minimum", does: "can't take packets of 1,024 bytes",
		act:  changed(func(_ *device, p *mqtt.Connect) { p.Props.SetMaximumPacketSize(64) }),
		sees: byMQTT("", "CONNACK 0x97, "+closed), code: "limit.packet_minimum", proof: map[string]string{"offered": "64", "required": "1024"},
	},
	{
		id: "H/message-expiry", does: "publishes a message that expires after more than 7 days",
		act:  sends(with(func(p *mqtt.Publish) { p.Props.SetMessageExpiry(700000) })),
		sees: byMQTT("", "PUBACK 0x00, open"), code: "limit.message_expiry", proof: map[string]string{"offered": "700000", "used": "604800"},
	},
	{
		id: "H/retain-rate", does: "changes a retained message twice within a second: the second one is lost",
		act:  sends(retained(publish("sensors/CLIENT/state", 0)), retained(publish("sensors/CLIENT/state", 0))),
		sees: byMQTT("open", "open"), code: "limit.retain_rate.topic", proof: map[string]string{"topic": "sensors/$client/state"},
	},
	{
		id: "H/shared-rate", does: "joins and leaves the group of a shared subscription again and again",
		act: func(d *device) rawmqtt.End {
			filter := "$share/workers/sensors/" + d.name
			var packets []mqtt.Packet
			for range 5 {
				packets = append(packets, subscribe(filter), &mqtt.Unsubscribe{PacketID: 8, Filters: bytesOf([]string{filter})})
			}
			end := d.send(append(packets, subscribe(filter))...)
			end.Packets = end.Packets[max(0, min(10, len(end.Packets)-1)):]
			return end
		},
		sees: byMQTT("SUBACK 0x80, "+closed, "SUBACK 0x97, open"), code: "limit.shared_group.rate", proof: map[string]string{"filter": "$$share/workers/sensors/$client", "required": "10 a second"},
	},
	{
		id: "H/user-properties-subscribe", does: "subscribes with more than 8 KB of user properties",
		act: func(d *device) rawmqtt.End {
			p := subscribe("sensors/" + d.name + "/temp")
			p.Props.AddUser("k", strings.Repeat("v", 8192))
			return d.send(p)
		},
		sees: quota, code: "limit.user_properties", proof: map[string]string{"offered": "8193", "required": "8192"},
	},
}
