package conformance

import (
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane/types"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// withID adds a Subscription Identifier to a SUBSCRIBE of MQTT 5.
func withID(s *mqtt.Subscribe) *mqtt.Subscribe {
	s.Props.SubscriptionIDs = []uint32{5}
	return s
}

// unlike is a row about what a device gets that may do little.
func unlike(section, name, v3, v5 string, packets ...any) row {
	r := each(section, name, func(p *peer) {
		p.mayLittle().connect()
		p.send(packets...)
		p.sees(v3, v5)
	})
	return r.unless(v3, v5)
}

// fails is an error of the data plane that want is part of the type of.
func fails[E error](p *peer, what string, err error) {
	p.Helper()
	if _, ok := errors.AsType[E](err); !ok {
		var want E
		p.Errorf("%s: %v, want %T", what, err, want)
	}
}

// statementRows are what the sheet says outside of its tables: which check comes first where several
// fail, and what stands in its lists.
var statementRows = []row{
	each("1", "a message that DISCONNECT follows at once is delivered", func(p *peer) {
		watch := p.watches(p.topic("t"))
		p.connect()
		p.send(pub(p.topic("t"), 0), pub(p.topic("t"), 1, payload("y")), &mqtt.Disconnect{})
		watch.gets(message(p.topic("t"), 0, "x"), message(p.topic("t"), 1, "y"))
	}),
	connects("2.3", "user name and password beside a certificate are ignored", "CONNACK 0x00, open", "CONNACK 0x00, open", func(c *mqtt.Connect) {
		c.HasUserName, c.UserName = true, []byte("?SDK=CPPv2&Version=1.33&Platform=Linux")
		c.HasPassword, c.Password = true, []byte{0xFF, 0}
	}),
	only5("3", "Request Response Information is ignored", func(p *peer) {
		ack := p.connect(func(c *mqtt.Connect) { c.Props.SetRequestResponseInfo(true) })
		if ack.Props.Has(mqtt.PropResponseInfo) || ack.Props.Has(mqtt.PropServerReference) {
			p.Errorf("CONNACK has %+v", ack.Props)
		}
	}),
	answers("5.1", "order: 2 QoS before 3 size", closed, "DISCONNECT 0x9B, "+closed, pub("a", 2, payload(string(bytesOf(131_073))))),
	answers("5.1", "order: 3 size before 5 topic", closed, "DISCONNECT 0x97, "+closed, pub("a/#", 1, payload(string(bytesOf(131_073))))),
	unlike("5.1", "order: 5 topic before 10 policy", closed, "PUBACK 0x90, open", pub(level9, 1)),
	unlike("5.1", "order: 6 reserved before 10 policy", closed, "PUBACK 0x90, open", pub("$SYS/a", 1)),
	unlike("5.1", "what was accepted before is acknowledged before the close", "PUBACK 0x00, "+closed, "PUBACK 0x00, PUBACK 0x87, open",
		pub("ok/a", 1), pub("no", 1, func(p *mqtt.Publish) { p.PacketID = 2 })),
	answers("6.2", "order: 2 number before 3 Subscription Identifier", "", "SUBACK"+strings.Repeat(" 0x97", 9)+", open", withID(sub(1, nine...))),
	answers("6.2", "order: 3 Subscription Identifier before 4 QoS", "", "DISCONNECT 0xA1, "+closed, withID(sub(2, "a"))),
	answers("6.2", "order: 4 QoS before 5 syntax", closed, "DISCONNECT 0x9B, "+closed, sub(2, "a#")),
	unlike("6.2", "order: 5 syntax before 7 policy", closed, "SUBACK 0x8F, open", sub(1, "no/#/x")),
	unlike("6.2", "order: 6 reserved before 7 policy", closed, "SUBACK 0x8F, open", sub(1, "$SYS/#")),
	answers("6.2", "each filter has its own answer", closed, "SUBACK 0x01 0x8F 0x8F 0x01, open", sub(1, "a", "b#", "$queue/c", "d")),
	each("8", "delete what is not there", func(p *peer) {
		p.connect()
		p.publishes(pub(p.topic("t"), 1, retain, payload("")))
		p.sees(open, open)
	}),
	only5("9", "Message Expiry Interval of a will counts from its publication", func(p *peer) {
		watch := p.watches(p.topic("w"))
		p.connect(will(p.topic("w"), 1), func(c *mqtt.Connect) { c.Will.Props.SetMessageExpiry(100) })
		p.vanishes()
		if m := watch.next().(*mqtt.Publish); m.Props.MessageExpiry < 99 || m.Props.MessageExpiry > 100 {
			p.Errorf("%d s are left of 100", m.Props.MessageExpiry)
		}
	}),
	filter("10", "ShareName with a wildcard", "0x8F", "$share/a+b/t"),
	filter("10", "ShareName that is empty", "0x8F", "$share//t"),
	filter("10", "no filter behind the ShareName", "0x8F", "$share/g"),
	published("publish to $share", "0x90", "$share/g/t").in("10", "publish to the filter of a shared subscription"),
	only5("11.1", "an alias is not part of the session", func(p *peer) {
		p.connect(session)
		alias := func(p *mqtt.Publish) { p.Props.SetTopicAlias(1) }
		p.publishes(pub(p.topic("t"), 1, alias))
		p.goes()
		q := p.resumes(p.v, true)
		q.send(pub("", 1, alias))
		q.sees("", "DISCONNECT 0x94, "+closed)
	}),
	answers("12", "UNSUBACK 0x8F", "", "UNSUBACK 0x8F 0x00, open", unsub("a#", "never/subscribed")),
	answers("16", "nothing behind the rule", "PUBACK 0x00, open", "PUBACK 0x00, open", pub("$aws/rules/r", 1)),
	only5("17", "17.5 the filters that were granted", func(p *peer) {
		p.mayLittle()
		watch := p.watches(subscriptions + "subscribed/" + p.id)
		p.connect()
		p.send(sub(1, "no/x", "ok/a"))
		p.gets("SUBACK 0x87 0x01")
		e := watch.event(subscriptions+"subscribed/"+p.id, "clientId timestamp eventType sessionIdentifier principalIdentifier topics")
		if topics, _ := e["topics"].([]any); len(topics) != 1 || topics[0] != "ok/a" {
			p.Errorf("%v", e)
		}
	}),
	each("18", "errors of DeleteConnection", func(p *peer) {
		for id, check := range map[string]func(*peer, string, error){
			"nobody-" + p.id: fails[*types.ResourceNotFoundException], "$reserved": fails[*types.InvalidRequestException], long: fails[*types.InvalidRequestException],
		} {
			_, err := p.data().DeleteConnection(p.Context(), &iotdataplane.DeleteConnectionInput{ClientId: &id})
			check(p, id, err)
		}
	}),
	each("18", "errors of SendDirectMessage", func(p *peer) {
		send := func(topic string, confirm bool, payload []byte) error {
			_, err := p.data().SendDirectMessage(p.Context(), &iotdataplane.SendDirectMessageInput{
				ClientId: &p.id, Topic: &topic, Confirmation: confirm, Timeout: 1, Payload: payload,
			})
			return err
		}
		p.mayLittle()
		fails[*types.ResourceNotFoundException](p, "not connected", send("ok/a", false, nil))
		p.connect()
		fails[*types.ForbiddenException](p, "iot:Receive is missing", send("no/a", false, nil))
		fails[*types.InvalidRequestException](p, "a wildcard", send("ok/#", false, nil))
		fails[*types.RequestEntityTooLargeException](p, "too large", send("ok/a", false, bytesOf(131_073)))
		fails[*types.GatewayTimeoutException](p, "not acknowledged", send("ok/a", true, []byte("x")))
		p.gets(message("ok/a", 1, "x"))
	}),
	unlike("21", "UNSUBSCRIBE needs no permission", "UNSUBACK, open", "UNSUBACK 0x00, open", unsub("no/x")),
	unlike("21", "RETAIN needs iot:RetainPublish beside iot:Publish", closed, "PUBACK 0x87, open", pub("ok/a", 1, retain)),
	unlike("21", "a direct message needs no subscription, a SUBSCRIBE iot:Subscribe on the filter as sent", closed, "SUBACK 0x01 0x87, open", sub(1, "$share/g/ok/a", "$share/h/ok/a")),
}
