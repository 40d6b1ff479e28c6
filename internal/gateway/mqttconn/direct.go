package mqttconn

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/broker"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// A DirectMessage goes to one connected client, whatever it subscribed to.
type DirectMessage struct {
	Topic      string
	Payload    []byte
	Properties *mqtt.Properties // those that travel with a message; MQTT 3.1.1 clients do not get them
	Confirm    bool             // QoS 1, and wait for the acknowledgement
}

// An InvalidError is a request that AWS's rules do not allow.
type InvalidError struct{ Reason string }

func (e *InvalidError) Error() string { return "mqttconn: " + e.Reason }

// Answers of [Server.SendDirect].
var (
	ErrForbidden       = errors.New("mqttconn: the client may not receive messages on the topic")
	ErrTooLarge        = errors.New("mqttconn: the message is too large")
	ErrNotAcknowledged = errors.New("mqttconn: the client did not acknowledge the message in time")
)

// directPause is how long a direct message waits before it tries a busy client again.
const directPause = 20 * time.Millisecond

// SendDirect sends m to the client with the given ID. Unconfirmed it goes out at QoS 0, once; else at
// QoS 1, and SendDirect returns when the client has acknowledged it, at the latest when ctx ends.
// Errors: [InvalidError], [ErrNotConnected], [ErrForbidden], [ErrTooLarge], [ErrThrottled],
// [ErrNotAcknowledged]. Source: mqtt sheet 18.
func (s *Server) SendDirect(ctx context.Context, clientID string, m DirectMessage) error {
	if f := checkTopicName(m.Topic); f.found() {
		return &InvalidError{"The topic is not valid: " + f.check.Title + "."}
	}
	if strings.HasPrefix(m.Topic, "$") {
		return &InvalidError{"Topics that begin with $ are reserved."}
	}
	if len(m.Payload) > maxPayload {
		return ErrTooLarge
	}
	if f := checkForwarded(m.Properties); f.found() {
		return &InvalidError{f.check.Title + "."}
	}
	k := s.live(clientID)
	if k == nil {
		return ErrNotConnected
	}
	message := broker.Message{Payload: m.Payload, Properties: appendForwarded(nil, m.Properties)}
	acked := make(chan struct{})
	if m.Confirm {
		message.QoS = 1
	}
	for {
		switch k.client.SendDirect(m.Topic, &message, s.cfg.Now(), acked) {
		case broker.DirectDenied:
			return ErrForbidden
		case broker.DirectTooLarge:
			return ErrTooLarge
		case broker.DirectBusy:
			if !m.Confirm {
				return ErrThrottled
			}
		case broker.DirectSent:
			if !m.Confirm {
				return nil
			}
			select {
			case <-acked:
				return nil
			case <-k.stop:
			case <-ctx.Done():
			}
			return ErrNotAcknowledged
		}
		select {
		case <-time.After(directPause):
		case <-k.stop:
			return ErrNotAcknowledged
		case <-ctx.Done():
			return ErrNotAcknowledged
		}
	}
}
