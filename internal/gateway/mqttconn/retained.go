package mqttconn

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/messagelog"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// overRetainRate takes a retained publish on topic out of the rates of the account and the topic.
// Source: mqtt sheet 8, 19.
func (s *Server) overRetainRate(topic string, now time.Time) fault {
	if r := s.cfg.Limits.RetainAccount; !s.accountRetains.Allow(r, now, 1) {
		return faultOf(check.LimitRetainRateAccount, attempt.F("topic", topic), attempt.F("required", strconv.Itoa(r.Burst)+" a second"))
	}
	if r := s.cfg.Limits.RetainTopic; !s.topicRetains.allow(r, topic, now) {
		return faultOf(check.LimitRetainRateTopic, attempt.F("topic", topic), attempt.F("required", strconv.Itoa(r.Burst)+" a second"))
	}
	return fault{}
}

// retainedFull tells whether the store has no room for a retained message with a payload on topic: a
// topic that has one already may replace it, and deleting works always. Source: mqtt sheet 5.1 #11, 8.
func (s *Server) retainedFull(topic string, payload int) fault {
	most := s.cfg.Limits.RetainedMessages
	if most == 0 || payload == 0 {
		return fault{}
	}
	n := s.cfg.Broker.RetainedCount()
	if n < most {
		return fault{}
	}
	if kept, err := s.cfg.Broker.Retained(topic); err == nil && kept != nil {
		return fault{}
	}
	return faultOf(check.LimitRetainedMessages, attempt.F("topic", topic), attempt.F("offered", strconv.Itoa(n)), attempt.F("required", strconv.Itoa(most)))
}

// sendRetained sends what the topics hold that a client has just subscribed to. A filter with a
// wildcard gets nothing, nor does a shared subscription. Source: mqtt sheet 8.
func (k *conn) sendRetained(filter string, qos byte) {
	if wild(filter) || filter[0] == '$' {
		return
	}
	if err := k.server.cfg.Broker.SendRetained(k.work.batch, k.client, filter, qos); err != nil {
		k.server.cfg.Log.LogAttrs(context.Background(), slog.LevelError, "cannot send a retained message",
			slog.String("client_id", k.clientID), slog.String("attempt", k.at.ID()), slog.Any("error", err))
	}
}

// A RetainedMessage is what a topic holds.
type RetainedMessage struct {
	Topic          string
	Payload        []byte
	QoS            byte
	Modified       time.Time
	UserProperties []mqtt.UserProperty // in the order of the publish
}

// ErrNoRetained is the answer for a topic without a retained message.
var ErrNoRetained = errors.New("mqttconn: the topic has no retained message")

// ErrThrottled is the answer above the rate of an API.
var ErrThrottled = errors.New("mqttconn: too many requests")

// RetainedMessage returns what a topic holds. Errors: [ErrNoRetained], [ErrThrottled]; others are
// broken machinery.
func (s *Server) RetainedMessage(topic string) (RetainedMessage, error) {
	if !s.getRetained.Allow(s.cfg.Limits.GetRetained, s.cfg.Now(), 1) {
		return RetainedMessage{}, ErrThrottled
	}
	kept, err := s.cfg.Broker.Retained(topic)
	switch {
	case err != nil:
		return RetainedMessage{}, err
	case kept == nil:
		return RetainedMessage{}, ErrNoRetained
	}
	return RetainedMessage{
		Topic: kept.Topic, Payload: kept.Payload, QoS: kept.QoS, Modified: kept.Modified, UserProperties: forwardedUser(kept.Properties),
	}, nil
}

// RetainedMessages lists at most most topics behind after that hold a message, in their order.
// Errors: [ErrThrottled]; others are broken machinery.
func (s *Server) RetainedMessages(after string, most int) ([]messagelog.RetainedSummary, error) {
	if !s.listRetained.Allow(s.cfg.Limits.ListRetained, s.cfg.Now(), 1) {
		return nil, ErrThrottled
	}
	return s.cfg.Broker.RetainedPage(after, most)
}

// forwardedUser reads the User Properties out of what [appendForwarded] made.
func forwardedUser(b []byte) (list []mqtt.UserProperty) {
	field := func() []byte {
		n := int(binary.BigEndian.Uint16(b))
		v := b[2 : 2+n]
		b = b[2+n:]
		return v
	}
	for len(b) > 0 {
		id := mqtt.PropertyID(b[0])
		b = b[1:]
		switch id {
		case mqtt.PropPayloadFormat:
			b = b[1:]
		case mqtt.PropUser:
			name := field()
			list = append(list, mqtt.UserProperty{Name: name, Value: field()})
		default:
			field()
		}
	}
	return list
}
