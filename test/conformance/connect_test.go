package conformance

import (
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

func clientID(id string) func(*mqtt.Connect) {
	return func(c *mqtt.Connect) { c.ClientID = []byte(id) }
}

var connectRows = []row{
	each("2.1", "1 CONNECT comes first", func(p *peer) {
		p.send(pub("a", 0))
		p.sees(closed, closed) // no version is known yet
	}),
	each("2.1", "1 reserved flag", func(p *peer) {
		if p.v == mqtt.V5 {
			p.send("\x10\x0e\x00\x04MQTT\x05\x03\x00\x3c\x00\x00\x01a")
		} else {
			p.send("\x10\x0d\x00\x04MQTT\x04\x03\x00\x3c\x00\x01a")
		}
		p.sees(closed, "CONNACK 0x81, "+closed)
	}),
	each("2.1", "1 protocol name", func(p *peer) {
		p.send("\x10\x0d\x00\x04MQTX\x04\x02\x00\x3c\x00\x01a")
		p.sees(closed, closed)
	}),
	each("2.1", "2 level 4 or 5", func(p *peer) {
		p.send("\x10\x0d\x00\x04MQTT\x06\x02\x00\x3c\x00\x01a")
		p.sees("CONNACK 0x01, "+closed, "CONNACK 0x01, "+closed)
	}),
	connects("2.1", "3 client id rules", "CONNACK 0x02, "+closed, "CONNACK 0x85, "+closed, clientID("$a")),
	connects("2.1", "4 Will QoS <= 1", closed, "CONNACK 0x9B, "+closed, will("a", 2)),
	connects("2.1", "5 Will Topic: wildcard", closed, "CONNACK 0x90, "+closed, will("a/+", 1)),
	connects("2.1", "5 Will Topic: reserved", closed, "CONNACK 0x90, "+closed, will("$SYS/a", 1)),
	connects("2.1", "5 Will Topic: levels", closed, "CONNACK 0x90, "+closed, will(level9, 1)),
	connects("2.1", "5 Will Topic: length", closed, "CONNACK 0x90, "+closed, will(long, 1)),
	connects("2.1", "6 Authentication Method", "", "CONNACK 0x8C, "+closed, func(c *mqtt.Connect) { c.Props.SetAuthMethod([]byte("SCRAM")) }),
	elsewhere("2.1", "7 authentication by user name and password", "test/refusals TestRefusals: J/rejected", "test/e2e TestCustomAuthorizers"),
	each("2.1", "8 connect rate", func(p *peer) {
		p.likeAWS().connect()
		q := p.again(p.v)
		q.send(q.hello())
		q.sees(closed, "CONNACK 0x97, "+closed)
		p.sees(open, open) // and nobody is evicted
	}).also("internal/gateway/mqttconn TestConnectRate"),
	each("2.1", "9 policy: iot:Connect", func(p *peer) {
		p.limited = true // and its client ID is none that the policy allows
		p.send(p.hello())
		p.sees(closed, "CONNACK 0x87, "+closed)
	}),
	each("2.1", "9 policy: will", func(p *peer) {
		p.mayLittle().send(p.hello(will("no", 0)))
		p.sees(closed, "CONNACK 0x87, "+closed)
	}),
	each("2.1", "9 policy: retained will", func(p *peer) {
		p.mayLittle().send(p.hello(will("ok/a", 0), func(c *mqtt.Connect) { c.Will.Retain = true }))
		p.sees(closed, "CONNACK 0x87, "+closed)
	}),
	each("2.1", "10 take-over", func(p *peer) {
		p.connect()
		p.again(p.v).connect()
		p.sees(closed, "DISCONNECT 0x8E, "+closed)
	}),
	each("2.1", "10 a refused CONNECT evicts nobody", func(p *peer) {
		p.connect()
		q := p.again(p.v)
		q.limited = true
		q.send(q.hello())
		q.sees(closed, "CONNACK 0x87, "+closed)
		p.sees(open, open)
	}),
	connects("2.1", "11 CONNACK", "CONNACK 0x00, open", "CONNACK 0x00, open", nil),
	elsewhere("2.1", "the first packet has 10 s, as connect sheet 3.3 has it", "internal/gateway/mqttconn TestFirstPacketTimeout", "internal/gateway TestFirstPacketTimeout"),
	elsewhere("2.1", "switch v3ConnectDenied", "test/refusals TestRefusals: E-02/explain"),

	connects("2.2", "length: 128", "CONNACK 0x00, open", "CONNACK 0x00, open", clientID(strings.Repeat("i", 128))),
	connects("2.2", "length: 129", "CONNACK 0x02, "+closed, "CONNACK 0x85, "+closed, clientID(strings.Repeat("i", 129))),
	connects("2.2", "first character", "CONNACK 0x02, "+closed, "CONNACK 0x85, "+closed, clientID("$aws")),
	connects("2.2", "charset: any UTF-8", "CONNACK 0x00, open", "CONNACK 0x00, open", clientID("é */?")),
	connects("2.2", "charset: NUL", closed, "CONNACK 0x81, "+closed, clientID("a\x00b")),
	each("2.2", "charset: # and + have no lifecycle events", func(p *peer) {
		watch := p.other(mqtt.V311)
		watch.connect()
		watch.subscribe(0, "$aws/events/presence/connected/#")
		p.id += "+#"
		p.connect()
		watch.sees(open, open)
	}),
	each("2.2", "uniqueness", func(p *peer) { // the will is published, and the event says why
		watch := p.other(mqtt.V5)
		watch.connect()
		watch.subscribe(1, p.topic("will"), "$aws/events/presence/disconnected/"+p.id)
		p.connect(will(p.topic("will"), 1))
		p.again(p.v).connect()
		watch.getsAll(message(p.topic("will"), 1, "gone"), `"disconnectReason":"DUPLICATE_CLIENTID"`)
	}),
	each("2.2", "rate: the next second is good again", func(p *peer) {
		p.likeAWS().connect()
		time.Sleep(1100 * time.Millisecond) // one CONNECT a second
		p.again(p.v).connect()
	}).also("internal/gateway/mqttconn TestConnectRate"),
	only5("2.2", "empty, MQTT 5", func(p *peer) {
		p.id = ""
		if ack := p.connect(); len(ack.Props.AssignedClientID) != 36 {
			p.Errorf("assigned %q", ack.Props.AssignedClientID)
		}
	}),
	connects("2.2", "empty, MQTT 3.1.1, cleanSession 0", "CONNACK 0x02, "+closed, "", func(c *mqtt.Connect) { c.ClientID, c.CleanStart = nil, false }),
	connects("2.2", "empty, MQTT 3.1.1, cleanSession 1", "CONNACK 0x00, open", "", clientID("")),
	each("2.2", "empty: the policy is asked for the name that was made", func(p *peer) {
		p.limited, p.id = true, ""
		p.send(p.hello())
		p.sees(closed, "CONNACK 0x87, "+closed)
	}),
}

// connack is a row about the CONNACK of a plain CONNECT, changed by change.
func connack(name string, change func(*mqtt.Connect), good func(*mqtt.Connack) bool) row {
	return only5("3", name, func(p *peer) {
		if ack := p.connect(change); !good(ack) {
			p.Errorf("CONNACK %+v", ack.Props)
		}
	})
}

func expiry(seconds uint32) func(*mqtt.Connect) {
	return func(c *mqtt.Connect) { c.Props.SetSessionExpiry(seconds) }
}

var connackRows = []row{
	only5("3", "0x11 Session Expiry Interval", func(p *peer) {
		p.likeAWS()
		for asked, told := range map[uint32]uint32{0: 0, 3600: 0, 3601: 3600, 0xFFFFFFFF: 3600} {
			q := p.other(mqtt.V5).likeAWS()
			if got := q.connect(expiry(asked)).Props; got.SessionExpiry != told || got.Has(mqtt.PropSessionExpiry) != (told > 0) {
				p.Errorf("asked for %d, told %d", asked, got.SessionExpiry)
			}
		}
	}),
	connack("0x12 Assigned Client Identifier", nil, func(a *mqtt.Connack) bool { return !a.Props.Has(mqtt.PropAssignedClientID) }),
	connack("0x13 Server Keep Alive", nil, func(a *mqtt.Connack) bool { return a.Props.ServerKeepAlive == 60 }),
	connack("0x1F Reason String", nil, func(a *mqtt.Connack) bool { return !a.Props.Has(mqtt.PropReasonString) }).also("internal/gateway/mqttconn TestReasonStrings"),
	connack("0x21 Receive Maximum", nil, func(a *mqtt.Connack) bool { return a.Props.ReceiveMaximum == 100 }),
	connack("0x22 Topic Alias Maximum", nil, func(a *mqtt.Connack) bool { return a.Props.TopicAliasMaximum == 8 }),
	connack("0x24 Maximum QoS", nil, func(a *mqtt.Connack) bool { return a.Props.Has(mqtt.PropMaximumQoS) && a.Props.MaximumQoS == 1 }),
	connack("0x25 Retain Available", nil, func(a *mqtt.Connack) bool { return a.Props.Has(mqtt.PropRetainAvailable) && a.Props.RetainAvailable }),
	connack("0x27 Maximum Packet Size", nil, func(a *mqtt.Connack) bool { return a.Props.MaximumPacketSize == 149504 }),
	connack("0x28 Wildcard Subscription Available", nil, func(a *mqtt.Connack) bool {
		return a.Props.Has(mqtt.PropWildcardAvailable) && a.Props.WildcardAvailable
	}),
	connack("0x29 Subscription Identifier Available", nil, func(a *mqtt.Connack) bool {
		return a.Props.Has(mqtt.PropSubscriptionAvailable) && !a.Props.SubscriptionAvailable
	}),
	connack("0x2A Shared Subscription Available", nil, func(a *mqtt.Connack) bool { return a.Props.Has(mqtt.PropSharedAvailable) && a.Props.SharedAvailable }),
	connack("0x1A, 0x1C, 0x15, 0x16 never", func(c *mqtt.Connect) { c.Props.SetRequestResponseInfo(true) }, func(a *mqtt.Connack) bool {
		return !a.Props.Has(mqtt.PropResponseInfo) && !a.Props.Has(mqtt.PropServerReference) && !a.Props.Has(mqtt.PropAuthMethod) && !a.Props.Has(mqtt.PropAuthData)
	}),
	only5("3", "the reference packet", func(p *peer) {
		ack := p.connect(func(c *mqtt.Connect) { c.KeepAlive = 1200 })
		b, err := ack.Append(nil, mqtt.V5)
		p.must(err)
		if want := "\x20\x1b\x00\x00\x18\x21\x00\x64\x24\x01\x25\x01\x27\x00\x02\x48\x00\x22\x00\x08\x28\x01\x29\x00\x2a\x01\x13\x04\xb0"; string(b) != want {
			p.Errorf("CONNACK % X, want % X", b, want)
		}
	}),
	only5("3", "Session Present is 0 beside a failure", func(p *peer) {
		p.connect(session)
		q := p.again(mqtt.V5)
		q.send(q.hello(session, will("a", 2)))
		if ack, ok := q.next().(*mqtt.Connack); !ok || ack.Reason == 0 || ack.SessionPresent {
			p.Errorf("CONNACK %+v", ack)
		}
	}),
	connects("3", "properties of CONNECT that are taken", "", "CONNACK 0x00, open", func(c *mqtt.Connect) {
		c.Props.SetSessionExpiry(1)
		c.Props.SetReceiveMaximum(1)
		c.Props.SetMaximumPacketSize(1024)
		c.Props.SetTopicAliasMaximum(9)
		c.Props.SetRequestResponseInfo(true)
		c.Props.SetRequestProblemInfo(false)
		c.Props.AddUser("k", "v")
		c.Will = &mqtt.Will{Topic: []byte("a"), Payload: []byte("x")}
		c.Will.Props.SetPayloadFormat(1)
		c.Will.Props.SetMessageExpiry(60)
		c.Will.Props.SetContentType([]byte("text/plain"))
		c.Will.Props.SetResponseTopic([]byte("r"))
		c.Will.Props.SetCorrelationData([]byte{1})
		c.Will.Props.SetWillDelay(5)
		c.Will.Props.AddUser("k", "v")
	}),
	only5("3", "Receive Maximum 0", func(p *peer) {
		p.send("\x10\x11\x00\x04MQTT\x05\x02\x00\x3c\x03\x21\x00\x00\x00\x01a")
		p.sees("", "CONNACK 0x82, "+closed)
	}),
	only5("3", "Maximum Packet Size 0", func(p *peer) {
		p.send("\x10\x13\x00\x04MQTT\x05\x02\x00\x3c\x05\x27\x00\x00\x00\x00\x00\x01a")
		p.sees("", "CONNACK 0x82, "+closed)
	}),
	only5("3", "a property twice", func(p *peer) {
		p.send("\x10\x14\x00\x04MQTT\x05\x02\x00\x3c\x06\x21\x00\x01\x21\x00\x01\x00\x01a")
		p.sees("", "CONNACK 0x82, "+closed)
	}),
	only5("3", "the client's Receive Maximum is obeyed", func(p *peer) {
		p.connect(func(c *mqtt.Connect) { c.Props.SetReceiveMaximum(2) })
		p.subscribe(1, p.topic("t"))
		q := p.other(mqtt.V5)
		q.connect()
		q.publishes(pub(p.topic("t"), 1), pub(p.topic("t"), 1), pub(p.topic("t"), 1), pub(p.topic("t"), 0))
		p.gets(message(p.topic("t"), 1, "x"))
		second := p.next().(*mqtt.Publish)
		p.gets(message(p.topic("t"), 0, "x")) // QoS 0 is not counted
		p.sees("", open)
		p.send(&mqtt.Puback{PacketID: second.PacketID})
		p.gets(message(p.topic("t"), 1, "x"))
	}),
	only5("3", "the client's Maximum Packet Size is obeyed", func(p *peer) {
		p.connect(func(c *mqtt.Connect) { c.Props.SetMaximumPacketSize(1024) })
		p.subscribe(1, p.topic("t"))
		p.from(pub(p.topic("t"), 1, payload(string(bytesOf(1100)))), pub(p.topic("t"), 1, payload("small")))
		p.gets(message(p.topic("t"), 1, "small"))
	}).also("test/refusals TestRefusals: H/max-packet"),
	only5("3", "no outbound topic aliases", func(p *peer) {
		p.connect(func(c *mqtt.Connect) { c.Props.SetTopicAliasMaximum(10) })
		p.subscribe(0, p.topic("t"))
		for range 2 {
			p.send(pub(p.topic("t"), 0))
			if m := p.next().(*mqtt.Publish); m.Props.Has(mqtt.PropTopicAlias) || string(m.Topic) != p.topic("t") {
				p.Errorf("%+v", m)
			}
		}
	}),
}
