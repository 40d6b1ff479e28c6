package mqttconn

import (
	"bytes"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/broker"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// A will is the message that is published when the connection is lost. It owns its memory.
type will struct {
	topic   string
	message broker.Message
	expiry  time.Duration // counts from the moment of publication; 0: never
}

// newWill copies the will out of a CONNECT. A will delay is not kept: the session ends with the
// connection, and the delay with the session.
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
	}
}

// publishWill publishes the will, if the policies still allow it. Source: mqtt sheet 9.
func (k *conn) publishWill() {
	w := k.will
	if k.auth.Decide(policy.Publish, w.topic) != policy.Allow {
		f := k.denied(check.AuthzWillPublish, policy.Publish, w.topic, false)
		k.at.Warn(f.check, f.evidence...)
		return
	}
	if w.message.Retain && k.auth.Decide(policy.RetainPublish, w.topic) != policy.Allow {
		f := k.denied(check.AuthzWillRetain, policy.RetainPublish, w.topic, false)
		k.at.Warn(f.check, f.evidence...)
		return
	}
	b := k.server.cfg.Broker
	batch := broker.NewBatch(k.server.cfg.Now())
	if w.expiry > 0 {
		w.message.Expires = batch.Now.Add(w.expiry)
	}
	b.Publish(batch, k.client, b.NewRoute(w.topic), &w.message)
	batch.Flush(nil, nil)
	batch.Release()
}
