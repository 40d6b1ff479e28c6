package mqttconn

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/broker"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// A conn is what the hub observes: it counts, and logs as the account's levels say. Each function
// here is the one place that tells of its kind of event; without a log they allocate nothing.
var _ observe.Source = (*conn)(nil)

// Observed implements [observe.Source].
func (k *conn) Observed() *observe.Cell { return &k.cell }

// Who implements [observe.Source].
func (k *conn) Who() observe.Who {
	w := observe.Who{TraceID: k.at.ID(), ClientID: k.clientID, PrincipalID: k.who.ID, Source: k.info.Remote}
	if k.auth != nil {
		w.Thing = k.auth.ThingName()
	}
	return w
}

// outcomeOf says as which kind of failure AWS counts an end or a refusal.
func outcomeOf(reason disconnectReason) observe.Outcome {
	if reason == authError || reason == forbidden {
		return observe.AuthError
	}
	if reason == throttled {
		return observe.Throttle
	}
	if reason == serverFault {
		return observe.ServerError
	}
	return observe.ClientError
}

// faults are the reasons for which a session is cut; all others end it in good order.
var faults = []disconnectReason{duplicateClient, authError, forbidden, clientError, throttled, serverFault}

// saw tells of an event of this connection.
func (k *conn) saw(e observe.Event) {
	if h := k.server.cfg.Observe; h.Seen(k, observe.MQTT, e.Kind, e.Outcome) {
		k.explainEvent(&e)
		h.Log(k, &e)
	}
}

// explainEvent adds why it failed: the latest refusal of the record, unless the event says it.
func (k *conn) explainEvent(e *observe.Event) {
	if e.Outcome == observe.Success || e.Check != nil {
		return
	}
	if step, ok := k.at.Refusal(); ok {
		e.Check, e.Evidence = step.Check, step.Evidence
	}
}

// sawConnect tells that a CONNECT was refused, unless that is told when the attempt ends.
func (k *conn) sawConnect(refused *ending) {
	e := observe.Event{Kind: observe.Connect, Outcome: outcomeOf(refused.reason), Check: refused.check, Evidence: refused.evidence}
	if k.explainEvent(&e); e.Check == nil {
		return
	}
	if _, later := observe.AtEnd(e.Check); later {
		return
	}
	if e.Check == check.LimitConnectRateClientID {
		e.Outcome = observe.ClientIDThrottle
	}
	k.saw(e)
}

// sawDisconnect tells that an open session ended. Source: logs sheet 3.3.
func (k *conn) sawDisconnect(end ending) {
	e := observe.Event{Kind: observe.Disconnect, DisconnectReason: string(end.reason)}
	if slices.Contains(faults, end.reason) {
		e.Outcome, e.Check, e.Evidence = outcomeOf(end.reason), end.check, end.evidence
	}
	k.server.cfg.Observe.Disconnected(e.DisconnectReason)
	k.saw(e)
}

// sawPing tells of a ping that was answered, or whose answer can't be sent. Source: logs sheet 3.3.
func (k *conn) sawPing() {
	h := k.server.cfg.Observe
	now := k.server.cfg.Now()
	if k.client.Broken() {
		k.saw(observe.Event{
			Kind: observe.Ping, Outcome: observe.ClientError, Check: lost.check, Requested: k.work.batch.Now, Time: now,
			Reason: "CONNECTION_ALREADY_CLOSED", Details: "Connection has already closed",
		})
		return
	}
	h.Pinged(now.Sub(k.work.batch.Now))
	if h.Seen(k, observe.MQTT, observe.Ping, observe.Success) {
		h.Log(k, &observe.Event{Kind: observe.Ping, Requested: k.work.batch.Now, Time: now})
	}
}

// count counts a connection whose session opened, or ended.
func (s *Server) count(k *conn, n int64) {
	s.open.Add(n)
	if k.info.Facts.Protocol == policy.WSS {
		s.openWebSockets.Add(n)
	}
}

// Open returns how many connections have a session: over TLS, and over WebSocket.
func (s *Server) Open() (mqtt, webSocket int64) {
	webSocket = s.openWebSockets.Load()
	return s.open.Load() - webSocket, webSocket
}

// accepted are messages that were accepted one after the other.
type accepted struct {
	topic  string
	retain bool
	times  int
}

// sawPublish tells of a message that was accepted: of those that are alike together, before
// anything else happens on the connection, and before their answers leave.
func (k *conn) sawPublish(topic string, retain bool) {
	a := &k.work.accepted
	if a.times > 0 && (a.topic != topic || a.retain != retain) {
		k.tellAccepted()
	}
	a.topic, a.retain = topic, retain
	a.times++
}

// tellAccepted tells of the messages that were accepted last.
func (k *conn) tellAccepted() {
	if k.work.accepted.times == 0 {
		return
	}
	a, h := k.work.accepted, k.server.cfg.Observe
	k.work.accepted = accepted{}
	if a.retain {
		h.SeenTimes(k, observe.MQTT, observe.PublishRetained, observe.Success, a.times)
	}
	if h.SeenTimes(k, observe.MQTT, observe.PublishIn, observe.Success, a.times) {
		h.Passed(k, observe.Passage{Kind: observe.PublishIn, Time: k.work.batch.Now, Topic: a.topic, Retain: a.retain, Times: a.times})
	}
}

// sawPublishRefused tells of one that was not; c is nil where the record says why.
func (k *conn) sawPublishRefused(outcome observe.Outcome, c *check.Check, evidence []attempt.Field) {
	k.tellAccepted()
	p := &k.work.publish
	if p.Retain {
		k.server.cfg.Observe.Seen(k, observe.MQTT, observe.PublishRetained, outcome)
	}
	if c == check.LimitPublishRate {
		k.server.cfg.Observe.Seen(k, observe.MQTT, observe.PacketThrottle, outcome)
	}
	k.saw(observe.Event{Kind: observe.PublishIn, Outcome: outcome, Topic: string(p.Topic), Retain: p.Retain, Check: c, Evidence: evidence})
}

// ObserveBasicIngest tells h, of a message that was accepted, that the rule it is for
// does not exist: there are no rules yet. It does nothing for any other topic.
func ObserveBasicIngest(h *observe.Hub, by observe.Source, p observe.Protocol, topic string) {
	rest, ok := strings.CutPrefix(topic, basicIngest)
	if !ok {
		return
	}
	rule, _, _ := strings.Cut(rest, "/")
	h.RuleMissed(rule)
	if h.Seen(by, p, observe.RuleNotFound, observe.ClientError) {
		h.Log(by, &observe.Event{
			Kind: observe.RuleNotFound, Outcome: observe.ClientError, Topic: topic, Rule: rule, Check: check.TopicServiceNotBuilt,
			Evidence: []attempt.Field{attempt.F("topic", topic), attempt.F("service", rulesEngine)},
		})
	}
}

// sawSubscribe tells of a SUBSCRIBE that was answered. It failed if every filter was refused.
func (k *conn) sawSubscribe(filters []mqtt.Subscription, codes []mqtt.ReasonCode, outcome observe.Outcome) {
	h := k.server.cfg.Observe
	if !h.Seen(k, observe.MQTT, observe.Subscribe, outcome) {
		return
	}
	e := observe.Event{Kind: observe.Subscribe, Outcome: outcome, V5: k.version == mqtt.V5, Topic: joinFilters(filters)}
	for i, c := range codes {
		e.Filters = append(e.Filters, observe.Filter{Topic: string(filters[i].Filter), Code: byte(c)})
	}
	k.explainEvent(&e)
	h.Log(k, &e)
}

func joinFilters(filters []mqtt.Subscription) string {
	names := make([]string, len(filters))
	for i := range filters {
		names[i] = string(filters[i].Filter)
	}
	return strings.Join(names, ",")
}

// subscribeOutcome is a failure if every filter was refused.
func subscribeOutcome(wishes []wish) observe.Outcome {
	for i := range wishes {
		if !wishes[i].code.Failed() {
			return observe.Success
		}
	}
	return outcomeOf(wishes[0].reason)
}

// sawEnd tells of a packet that ended the connection.
func (k *conn) sawEnd(t mqtt.PacketType, e *ending) {
	switch outcome := outcomeOf(e.reason); {
	case e.check == check.ServerShuttingDown:
	case t == mqtt.TypePublish:
		k.sawPublishRefused(outcome, e.check, e.evidence)
	case t == mqtt.TypeSubscribe:
		k.sawSubscribe(k.work.subscribe.Filters, nil, outcome)
	case t == mqtt.TypeUnsubscribe:
		k.saw(observe.Event{Kind: observe.Unsubscribe, Outcome: outcome, Check: e.check, Evidence: e.evidence})
	}
}

// sawUnframed tells of a packet whose length already ended the connection: of what is in it nothing is known.
func (k *conn) sawUnframed(err error, e *ending) {
	if bad, ok := errors.AsType[*mqtt.Error](err); ok {
		k.work.publish.Topic, k.work.publish.Retain = nil, false // of the packet before
		k.work.subscribe.Filters = nil
		k.tellAccepted()
		k.sawEnd(bad.Packet, e)
	}
}

// Sent implements [broker.Peer].
func (k *conn) Sent(topic, trace string, now time.Time, times int) {
	h := k.server.cfg.Observe
	if h.SeenTimes(k, observe.MQTT, observe.PublishOut, observe.Success, times) {
		h.Passed(k, observe.Passage{Kind: observe.PublishOut, Time: now, Topic: topic, TraceID: trace, Times: times})
	}
}

// sawDropped tells of a delivery that did not come about.
func (k *conn) sawDropped(why broker.Drop, topic string) {
	e := observe.Passage{Kind: observe.PublishOut, Topic: topic}
	switch why {
	case broker.DropDenied:
		e.Outcome, e.Check = observe.AuthError, check.AuthzReceive
	case broker.DropRate:
		if e.Outcome, e.Check = observe.Throttle, check.LimitPublishRate; k.outThrottled.Load() {
			e.Check = check.LimitPublishOutRateAccount
		}
	case broker.DropSlow, broker.DropQueue:
		e.Outcome, e.Check = observe.ClientError, check.DeliveryQueueFull
	case broker.DropTooLarge:
		e.Outcome, e.Check = observe.ClientError, check.DeliveryPacketTooLarge
	case broker.DropNotAcked:
		e.Outcome, e.Check = observe.ClientError, check.DeliveryNotAcked
	case broker.DropShared:
		e.Outcome, e.Check = observe.Throttle, check.DeliverySharedQueueFull
	case broker.DropExpired: // what the publisher asked for
		return
	}
	if h := k.server.cfg.Observe; h.Seen(k, observe.MQTT, e.Kind, e.Outcome) {
		e.Time = k.server.cfg.Now()
		h.Passed(k, e)
	}
}

// queuedRequests are Sources of what happens to sessions without connection.
var queuedRequests = sync.Pool{New: func() any { return new(observe.Request) }}

// ObserveQueued returns the function that tells h of messages for sessions without connection: for
// [broker.Config].
func ObserveQueued(h *observe.Hub) func(broker.Queued) {
	return func(q broker.Queued) {
		e := observe.Event{Kind: observe.Queued, Topic: q.Topic, QoS: 1}
		switch q.Outcome {
		case broker.QueueStored:
		case broker.QueueFull:
			e.Outcome, e.Check = observe.Throttle, check.DeliveryOfflineQueueFull
		case broker.QueueThrottled:
			e.Outcome, e.Check = observe.Throttle, check.LimitQueuedRate
		case broker.QueueFailed:
			e.Outcome, e.Check = observe.ServerError, check.DeliveryNotStored
		}
		by := queuedRequests.Get().(*observe.Request)
		defer queuedRequests.Put(by)
		by.Reset(observe.Who{TraceID: q.Trace, ClientID: q.ClientID, PrincipalID: q.Principal})
		if h.Seen(by, observe.MQTT, e.Kind, e.Outcome) {
			h.Log(by, &e)
		}
	}
}
