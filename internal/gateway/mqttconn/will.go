package mqttconn

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/broker"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/internal/messagelog"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// A will is the message that is published when the connection is lost. It owns its memory.
type will struct {
	topic   string
	message broker.Message
	expiry  time.Duration // counts from the moment of publication; 0: never
	delay   time.Duration // after the end of the connection, within its session
}

// newWill copies the will out of a CONNECT.
func newWill(w *mqtt.Will) *will {
	if w == nil {
		return nil
	}
	return &will{
		topic: string(w.Topic),
		message: broker.Message{
			QoS:        byte(w.QoS),
			Retain:     w.Retain,
			Payload:    bytes.Clone(w.Payload),
			Properties: appendForwarded(nil, &w.Props),
		},
		expiry: messageExpiry(&w.Props),
		delay:  time.Duration(w.Props.WillDelay) * time.Second,
	}
}

// record is the form in which a session keeps the will; nil without one.
func (w *will) record() *messagelog.Will {
	if w == nil {
		return nil
	}
	m := &w.message
	return &messagelog.Will{
		Topic: w.topic, Payload: m.Payload, Properties: m.Properties, QoS: m.QoS, Retain: m.Retain, Expiry: w.expiry, Delay: w.delay,
	}
}

// lastWill decides what becomes of the will when the connection ends as e says, and takes the
// connection out of the broker. Source: mqtt sheet 9, 13.
func (k *conn) lastWill(e ending) {
	s, w := k.server, k.will
	if w == nil || e.noWill {
		k.client.DropWill()
		s.cfg.Broker.Disconnect(k.client)
		return
	}
	who, auth := k.Who(), k.auth // the rest of the connection need not wait with the will
	fate := k.client.HoldWill(s.cfg.Now(), w.delay, func() { s.publishLate(w, who, auth) })
	s.cfg.Broker.Disconnect(k.client)
	if fate != broker.WillNow {
		return
	}
	if f := s.publishWill(w, k, k.client, auth); f.found() {
		if f.action != "" {
			f.fault = k.denied(f.check, f.action, w.topic, false)
		}
		k.at.Warn(f.check, f.evidence...)
	}
}

// A willFault is why a will was not published.
type willFault struct {
	fault
	action policy.Action // that is not allowed; empty: it was something else
}

// publishWill publishes a will, if the policies still allow it, with the bounds of any publish.
// Source: mqtt sheet 9.
func (s *Server) publishWill(w *will, by observe.Source, from *broker.Client, auth Authorization) willFault {
	m, topic := w.message, attempt.F("topic", w.topic)
	if auth.Decide(policy.Publish, w.topic) != policy.Allow {
		return willFault{faultOf(check.AuthzWillPublish, topic), policy.Publish}
	}
	b := s.cfg.Broker
	batch := broker.NewBatch(s.cfg.Now())
	defer batch.Release()
	if w.expiry > 0 {
		m.Expires = batch.Now.Add(w.expiry)
	}
	if m.Retain {
		if auth.Decide(policy.RetainPublish, w.topic) != policy.Allow {
			return willFault{faultOf(check.AuthzWillRetain, topic), policy.RetainPublish}
		}
		for _, f := range []fault{s.overRetainRate(w.topic, batch.Now), s.retainedFull(w.topic, len(m.Payload))} {
			if f.found() {
				return willFault{fault: f}
			}
		}
		if err := b.Retain(batch, w.topic, &m); err != nil {
			return willFault{fault: faultOf(check.DeliveryNotStored, topic, attempt.F("error", err.Error()))}
		}
	}
	if strings.HasPrefix(w.topic, basicIngest) {
		ObserveBasicIngest(s.cfg.Observe, by, observe.MQTT, w.topic)
		return willFault{}
	}
	b.Publish(batch, from, b.NewRoute(w.topic), &m)
	batch.Flush(nil, nil)
	if err := batch.Refused(); err != nil {
		return willFault{fault: faultOf(check.DeliveryNotStored, topic, attempt.F("error", err.Error()))}
	}
	return willFault{}
}

// publishLate publishes a will after its delay. The attempt has ended by then, so that a refusal goes to our own log.
func (s *Server) publishLate(w *will, who observe.Who, auth Authorization) {
	if f := s.publishWill(w, &observe.Request{Is: who}, nil, auth); f.found() {
		s.cfg.Log.LogAttrs(context.Background(), slog.LevelWarn, "delayed will not published", slog.String("client_id", who.ClientID),
			slog.String("topic", w.topic), slog.String("check", f.check.Code))
	}
}

// PublishLostWills publishes, when they are due, the wills of the connections that ended with the
// last run of the server. Call it once, after [broker.Broker.Restore]. The policies are those of the
// certificate that had the session; a will of any other principal is not published, because nothing
// is left to say what that principal may do.
func (s *Server) PublishLostWills() {
	s.cfg.Broker.PublishLostWills(func(lost broker.LostWill) {
		ctx, cancel := context.WithTimeout(context.Background(), hintTime)
		defer cancel()
		r := &lost.Will
		auth, err := s.cfg.Authorize(ctx, identity.Principal{Kind: identity.KindCertificate, ID: lost.Principal}, lost.ClientID,
			identity.Facts{ConnectAttributes: []string{policy.PersistentConnect, policy.LastWill}, LastWillTopic: r.Topic})
		if err != nil {
			s.cfg.Log.LogAttrs(ctx, slog.LevelError, "delayed will not published", slog.String("client_id", lost.ClientID), slog.Any("error", err))
			return
		}
		s.publishLate(&will{topic: r.Topic, expiry: r.Expiry, message: broker.Message{
			QoS: r.QoS, Retain: r.Retain, Payload: r.Payload, Properties: r.Properties,
		}}, observe.Who{ClientID: lost.ClientID, PrincipalID: lost.Principal}, auth)
	})
}
