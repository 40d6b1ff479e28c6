package mqttconn

import (
	"context"
	"fmt"
	"strconv"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/broker"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// An HTTPMessage is what a publish over HTTPS carries. Source: connect sheet 6.1.
type HTTPMessage struct {
	Topic      string
	QoS        byte // 0 or 1
	Retain     bool
	Payload    []byte
	Properties *mqtt.Properties
}

// PublishHTTP publishes m for a caller with auth, after the checks of a PUBLISH
// in their order, each recorded in at. When it returns nil the message is on the
// disk, as far as a session or the retained messages must not lose it. Errors:
// [ErrTooLarge], [InvalidError], [ErrThrottled], [ErrForbidden]; others are
// broken machinery. Source: connect sheet 6.1; mqtt sheet 5.1.
func (s *Server) PublishHTTP(ctx context.Context, m *HTTPMessage, auth Authorization, at *attempt.Attempt) error {
	k := &conn{server: s, auth: auth, at: at} // a connection of one packet
	now := s.cfg.Now()
	invalid := func(f fault) error {
		k.refuse(f)
		return &InvalidError{f.check.Title + "."}
	}
	if len(m.Payload) > maxPayload { // #3
		k.payloadTooLarge(m.Topic, strconv.Itoa(len(m.Payload)))
		return ErrTooLarge
	}
	t := k.topic([]byte(m.Topic))
	if t.fault.found() { // #5, #6
		return invalid(t.fault)
	}
	if m.Retain && t.name[0] == '$' { // #7
		return invalid(faultOf(check.TopicReservedRetain, attempt.F("topic", t.name)))
	}
	if f := checkForwarded(m.Properties); f.found() { // #8
		return invalid(f)
	}
	if !s.accountPublishes.Allow(s.cfg.Limits.PublishAccount, now, 1) { // #9
		k.refuse(faultOf(check.LimitPublishRateAccount, attempt.F("topic", t.name)))
		return ErrThrottled
	}
	if f := k.mayPublish(t, m.Retain); f.found() { // #10
		k.refuse(f)
		return ErrForbidden
	}
	if m.Retain { // #11
		for _, f := range []fault{s.overRetainRate(t.name, now), s.retainedFull(t.name, len(m.Payload))} {
			if f.found() {
				k.refuse(f)
				return ErrThrottled
			}
		}
	}
	if err := k.acceptHTTP(ctx, m, t); err != nil { // #12
		at.Fail(check.DeliveryNotStored, attempt.F("topic", t.name), attempt.F("error", err.Error()))
		return fmt.Errorf("publish on %s: %w", t.name, err)
	}
	at.Pass(check.PublishAccepted, attempt.F("topic", t.name), attempt.F("qos", strconv.Itoa(int(m.QoS))))
	return nil
}

// acceptHTTP hands a message to the broker and waits for the disk.
func (k *conn) acceptHTTP(ctx context.Context, m *HTTPMessage, t *topicEntry) error {
	if t.service != "" { // nobody takes the message: an answer alone would look like success
		k.at.Warn(check.TopicServiceNotBuilt, attempt.F("topic", t.name), attempt.F("service", t.service))
	}
	if t.route == nil { // Basic Ingest: mqtt sheet 16
		return nil
	}
	b := k.server.cfg.Broker
	batch := broker.NewBatch(k.server.cfg.Now())
	defer batch.Release()
	message := broker.Message{QoS: m.QoS, Retain: m.Retain, Payload: m.Payload, Properties: appendForwarded(nil, m.Properties), Trace: k.at.ID()}
	if d := messageExpiry(m.Properties); d > 0 {
		message.Expires = batch.Now.Add(d)
	}
	if m.Retain {
		if err := b.Retain(batch, t.name, &message); err != nil {
			return err
		}
	}
	b.Publish(batch, nil, t.route, &message)
	if err := batch.Refused(); err != nil {
		return err
	}
	stored := batch.Stored()
	batch.Flush(nil, nil)
	if !stored {
		return nil
	}
	return k.server.awaitDisk(ctx)
}

// awaitDisk returns when all that was stored before is on disk, with nil, or why it may not be.
func (s *Server) awaitDisk(ctx context.Context) error {
	durable := make(chan error, 1)
	s.cfg.Broker.OnDurable(func(err error) { durable <- err })
	select {
	case err := <-durable:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
