package conformance

import (
	"time"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// leavesSession makes a session with a subscription, and goes.
func (p *peer) leavesSession(qos mqtt.QoS, filters ...string) {
	p.Helper()
	if p.connect(session).SessionPresent {
		p.Error("a first connection finds a session")
	}
	p.subscribe(qos, filters...)
	p.goes()
}

// resumes connects again and compares Session Present.
func (p *peer) resumes(v mqtt.Version, present bool, change ...func(*mqtt.Connect)) *peer {
	p.Helper()
	q := p.again(v)
	if len(change) == 0 {
		change = append(change, session)
	}
	if got := q.connect(change...).SessionPresent; got != present {
		p.Errorf("session present %v, want %v", got, present)
	}
	return q
}

// from has another device publish.
func (p *peer) from(packets ...*mqtt.Publish) {
	p.Helper()
	q := p.other(p.v)
	q.connect()
	q.publishes(packets...)
	q.goes()
}

func otherVersion(v mqtt.Version) mqtt.Version {
	if v == mqtt.V5 {
		return mqtt.V311
	}
	return mqtt.V5
}

var sessionRows = []row{
	each("4.1", "volatile", func(p *peer) {
		p.connect()
		p.subscribe(1, p.topic("t"))
		p.goes()
		p.from(pub(p.topic("t"), 1))
		p.resumes(p.v, false).sees(open, open)
	}),
	only5("4.1", "volatile: Clean Start 0 with no expiry", func(p *peer) {
		keep := func(c *mqtt.Connect) { c.CleanStart = false }
		p.connect(keep)
		p.subscribe(1, p.topic("t"))
		p.goes()
		p.resumes(mqtt.V5, false, keep)
	}),
	each("4.1", "persistent", func(p *peer) {
		p.leavesSession(1, p.topic("t"))
		q := p.resumes(p.v, true)
		p.from(pub(p.topic("t"), 1))
		q.gets(message(p.topic("t"), 1, "x")) // without subscribing again
	}),
	each("4.1", "discard an earlier session at connect", func(p *peer) {
		p.leavesSession(1, p.topic("t"))
		p.from(pub(p.topic("t"), 1))
		q := p.resumes(p.v, false, func(*mqtt.Connect) {})
		q.sees(open, open)
		q.goes()
		p.resumes(p.v, false)
	}),
	only5("4.1", "expiry", func(p *peer) {
		p.connect(expiry(1))
		p.goes()
		time.Sleep(2500 * time.Millisecond) // longer than the session is kept
		p.resumes(mqtt.V5, false)
	}).also("internal/broker TestSessionExpiry", "internal/gateway/mqttconn TestSessionResumed"),
	each("4.1", "resume by the other version", func(p *peer) {
		p.leavesSession(1, p.topic("t"))
		p.resumes(otherVersion(p.v), false).goes()
		p.resumes(p.v, false)
	}),
	only5("4.1", "DISCONNECT with an expiry: 0 to more", func(p *peer) {
		p.connect()
		p.send("\xe0\x07\x00\x05\x11\x00\x00\x00\x01")
		p.sees("", "DISCONNECT 0x82, "+closed)
	}),
	only5("4.1", "DISCONNECT with an expiry: to 0", func(p *peer) {
		p.connect(session)
		p.send("\xe0\x07\x00\x05\x11\x00\x00\x00\x00")
		p.sees("", closed)
		p.resumes(mqtt.V5, false)
	}),
	elsewhere("4.1", "DISCONNECT with an expiry: replaced and capped", "internal/broker TestSessionEnds", "internal/gateway/mqttconn TestSessionResumed"),
	elsewhere("4.1", "ends by DeleteConnection with cleanSession", "internal/broker TestSessionEnds"),
	each("4.1", "take-over inherits the session", func(p *peer) {
		p.connect(session)
		p.subscribe(1, p.topic("t"))
		q := p.resumes(p.v, true)
		p.from(pub(p.topic("t"), 1))
		q.gets(message(p.topic("t"), 1, "x"))
	}),
	elsewhere("4.1", "not bound to the certificate", "internal/gateway/mqttconn TestOtherPrincipal"),
	elsewhere("4.1", "policy: PersistentConnect and LastWill of iot:ConnectAttributes", "policy TestConditions: PersistentConnect"),

	each("4.2", "stored", func(p *peer) {
		p.leavesSession(1, p.topic("t"))
		p.from(pub(p.topic("t"), 1, payload("one")), pub(p.topic("t"), 1, payload("two")))
		p.resumes(p.v, true).gets(message(p.topic("t"), 1, "one"), message(p.topic("t"), 1, "two"))
	}),
	each("4.2", "stored: sent and not acknowledged", func(p *peer) {
		p.connect(session)
		p.subscribe(1, p.topic("t"))
		p.from(pub(p.topic("t"), 1))
		p.gets(message(p.topic("t"), 1, "x"))
		p.vanishes()
		p.resumes(p.v, true).gets(message(p.topic("t"), 1, "x")) // DUP is not set
	}),
	each("4.2", "not stored", func(p *peer) {
		p.connect(session)
		p.subscribe(1, p.topic("one"))
		p.subscribe(0, p.topic("zero"))
		p.goes()
		p.from(pub(p.topic("one"), 0), pub(p.topic("zero"), 1), pub(p.topic("one"), 1, payload("kept")))
		q := p.resumes(p.v, true)
		q.gets(message(p.topic("one"), 1, "kept"))
		q.sees(open, open)
	}),
	elsewhere("4.2", "rate of storing", "internal/gateway/mqttconn TestMissedMessages", "internal/broker TestQueueBounds"),
	elsewhere("4.2", "depth per session", "internal/broker TestQueueBounds"),
	only5("4.2", "Message Expiry Interval", func(p *peer) {
		p.leavesSession(1, p.topic("t"))
		p.from(pub(p.topic("t"), 1, payload("short"), props(func(m *mqtt.Properties) { m.SetMessageExpiry(1) })),
			pub(p.topic("t"), 1, payload("long"), props(func(m *mqtt.Properties) { m.SetMessageExpiry(600) })))
		time.Sleep(1500 * time.Millisecond) // the first one expires
		m := p.resumes(mqtt.V5, true).next().(*mqtt.Publish)
		if left := m.Props.MessageExpiry; string(m.Payload) != "long" || left < 500 || left > 599 {
			p.Errorf("%s with %d s left", words(m), left)
		}
	}),
	elsewhere("4.2", "delivery after resume", "internal/broker TestDrain"),
	elsewhere("4.2", "policy", "internal/gateway/mqttconn TestReceiveDecidedAtDelivery"),
	each("4.2", "retained updates arrive as ordinary messages", func(p *peer) {
		p.leavesSession(1, p.topic("t"))
		p.from(pub(p.topic("t"), 1, retain, payload("a")), pub(p.topic("t"), 1, retain, payload("b")))
		p.resumes(p.v, true).gets(message(p.topic("t"), 1, "a"), message(p.topic("t"), 1, "b"))
	}),
}
