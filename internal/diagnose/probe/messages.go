package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// messages subscribes and publishes as far as it was asked to, and looks whether
// the device's own message comes back.
func (p *run) messages(ctx context.Context) bool {
	c := p.link.client
	stop := context.AfterFunc(ctx, func() { p.link.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	subscribed, early := false, []*mqtt.Publish(nil)
	if p.Subscribe == "" {
		p.skip(check.SubscribeRefused, "No --subscribe was given.")
	} else if subscribed, early = p.subscribe(ctx, c); !subscribed && (c.gone || ctx.Err() != nil) {
		return true
	}
	if p.Publish == "" {
		p.skip(check.PublishRefused, "No --publish was given.")
		return true
	}
	if !p.publish(ctx, c, &early) || !subscribed || !mqtt.Match(p.Subscribe, p.Publish) {
		return true
	}
	p.comesBack(ctx, c, early)
	return true
}

func (p *run) subscribe(ctx context.Context, c *client) (granted bool, early []*mqtt.Publish) {
	id := c.nextID()
	filter := pair{"filter", p.Subscribe}
	a := c.ask(&mqtt.Subscribe{PacketID: id, Filters: []mqtt.Subscription{{Filter: []byte(p.Subscribe), QoS: 1}}}, late*p.Timeout, &early, func(x mqtt.Packet) bool {
		ack, ok := x.(*mqtt.Suback)
		return ok && ack.PacketID == id
	})
	ack, ok := a.packet.(*mqtt.Suback)
	switch {
	case ok && len(ack.Codes) == 1 && !ack.Codes[0].Failed():
		p.acknowledgedLate("SUBSCRIBE", a, filter)
		p.add(check.SubscribeRefused, Pass, f(filter.key, filter.value), f("qos", fmt.Sprint(byte(ack.Codes[0]))), f("elapsed", milliseconds(a.took))).Took = a.took
		return true, early
	case ok && len(ack.Codes) == 1:
		p.add(check.SubscribeRefused, Fail, fields([]pair{filter, {"reply", fmt.Sprintf("SUBACK 0x%02X %s", byte(ack.Codes[0]), ack.Codes[0].Name(c.version, mqtt.TypeSuback))}, {"reason", string(ack.Props.ReasonString)}})...).Causes = subscribeCauses
	case ctx.Err() == nil:
		p.unanswered(check.SubscribeRefused, "SUBSCRIBE", a, filter)
	}
	return false, early
}

// late is how many times its patience an answer is waited for: one that a device
// does not wait for comes all the same, and tells why the device gave up.
const late = 2

// acknowledgedLate warns of an answer for which a client's patience does not do: PROBLEMS H-14.
func (p *run) acknowledgedLate(packet string, a answer, what pair) {
	if a.took > p.Timeout {
		p.add(check.ClientTimeoutShort, Warn, fields([]pair{{"packet", packet}, what, {"elapsed", milliseconds(a.took)}, {"required", "less than " + p.Timeout.String()}})...).Took = a.took
	}
}

var (
	subscribeCauses = []*check.Check{check.AuthzSubscribe, check.AuthzSubscribeResourceType, check.TopicReserved, check.TopicFilterInvalid, check.PolicyVarUndefined}
	publishCauses   = []*check.Check{check.AuthzPublish, check.AuthzPublishResourceType, check.TopicReserved, check.TopicInvalid, check.LimitPayload, check.PolicyVarUndefined}
)

// publish sends one message at QoS 1; what comes meanwhile is added to early.
func (p *run) publish(ctx context.Context, c *client, early *[]*mqtt.Publish) bool {
	id := c.nextID()
	topic := pair{"topic", p.Publish}
	if p.Payload == nil {
		p.Payload = fmt.Appendf(nil, `{"from":"gatehouse diagnose","clientId":%q,"at":%q}`, p.report.Facts.ClientID, stamp(time.Now()))
	}
	a := c.ask(&mqtt.Publish{QoS: 1, PacketID: id, Topic: []byte(p.Publish), Payload: p.Payload}, late*p.Timeout, early, func(x mqtt.Packet) bool {
		ack, ok := x.(*mqtt.Puback)
		return ok && ack.PacketID == id
	})
	ack, ok := a.packet.(*mqtt.Puback)
	switch {
	case ok && !ack.Reason.Failed():
		p.acknowledgedLate("PUBLISH", a, topic)
		p.add(check.PublishRefused, Pass, f(topic.key, topic.value), f("qos", "1"), f("elapsed", milliseconds(a.took))).Took = a.took
		return true
	case ok:
		p.add(check.PublishRefused, Fail, fields([]pair{topic, {"reply", fmt.Sprintf("PUBACK 0x%02X %s", byte(ack.Reason), ack.Reason)}, {"reason", string(ack.Props.ReasonString)}})...).Causes = publishCauses
	case ctx.Err() == nil:
		p.unanswered(check.PublishRefused, "PUBLISH", a, topic)
	}
	return false
}

// unanswered records a packet whose answer is the end of the connection, or none.
func (p *run) unanswered(refused *check.Check, packet string, a answer, what pair) {
	if d, ok := a.packet.(*mqtt.Disconnect); ok {
		r := p.add(refused, Fail, fields([]pair{what, {"reply", fmt.Sprintf("DISCONNECT 0x%02X %s", byte(d.Reason), d.Reason)}, {"reason", string(d.Props.ReasonString)}})...)
		r.Causes = causesOf(refused)
		return
	}
	if errors.Is(a.err, os.ErrDeadlineExceeded) {
		p.add(check.MessageNoAnswer, Fail, fields([]pair{{"packet", packet}, what, {"waited", (late * p.Timeout).String()}})...)
		return
	}
	r := p.add(refused, Fail, fields([]pair{what, {"reply", "the end of the connection"}, {"reason", ending(a.err)}})...)
	r.Causes = causesOf(refused)
}

func causesOf(refused *check.Check) []*check.Check {
	if refused == check.SubscribeRefused {
		return subscribeCauses
	}
	return publishCauses
}

// ask sends a packet and reads until its answer, a DISCONNECT, or the limit.
// Messages that come meanwhile are kept.
func (c *client) ask(packet mqtt.Packet, limit time.Duration, early *[]*mqtt.Publish, isAnswer func(mqtt.Packet) bool) answer {
	began := time.Now()
	err := c.send(packet, limit)
	for err == nil {
		var p mqtt.Packet
		if p, err = c.receive(limit - time.Since(began)); err != nil {
			break
		}
		switch x := p.(type) {
		case *mqtt.Publish:
			c.take(x, early)
			continue
		case *mqtt.Disconnect:
			c.gone = true
			return answer{x, nil, time.Since(began)}
		}
		if isAnswer(p) {
			return answer{p, nil, time.Since(began)}
		}
	}
	return answer{nil, err, time.Since(began)}
}

// maxEarly bounds what a busy filter brings while something else is awaited.
const maxEarly = 256

// take acknowledges a message and keeps it.
func (c *client) take(m *mqtt.Publish, kept *[]*mqtt.Publish) {
	if m.QoS == 1 {
		if err := c.send(&mqtt.Puback{PacketID: m.PacketID}, time.Second); err != nil {
			c.gone = true
		}
	}
	if len(*kept) < maxEarly {
		*kept = append(*kept, m)
	}
}

// comesBack waits for the device's own message among those that come.
func (p *run) comesBack(ctx context.Context, c *client, early []*mqtt.Publish) {
	began := time.Now()
	ev := []pair{{"filter", p.Subscribe}, {"topic", p.Publish}}
	for {
		for _, m := range early {
			if string(m.Topic) == p.Publish && string(m.Payload) == string(p.Payload) {
				took := time.Since(began)
				p.add(check.MessageNotReceived, Pass, fields(append(ev, pair{"elapsed", milliseconds(took)}))...).Took = took
				return
			}
		}
		early = early[:0]
		packet, err := c.receive(p.Timeout - time.Since(began))
		if ctx.Err() != nil {
			return
		} else if err != nil {
			c.gone = c.gone || !errors.Is(err, os.ErrDeadlineExceeded)
			r := p.add(check.MessageNotReceived, Fail, fields(append(ev, pair{"waited", p.Timeout.String()}, pair{"reason", ending(err)}))...)
			r.Causes = []*check.Check{check.AuthzReceiveMissing, check.AuthzReceive}
			return
		}
		if m, ok := packet.(*mqtt.Publish); ok {
			c.take(m, &early)
		}
	}
}
