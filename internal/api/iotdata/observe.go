package iotdata

import (
	"errors"
	"net/http"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/gateway/mqttconn"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
)

// observe tells of a call of the data plane, for metrics and the log. Source: logs sheet 3.2.
func (h Handlers) observe(d api.Done) {
	by := &observe.Request{Is: observe.Who{Protocol: observe.HTTP, TraceID: d.RequestID, PrincipalID: d.Caller.UserID, Source: d.Remote}}
	e := &observe.Event{Outcome: outcomeOf(d)}
	switch in := d.In.(type) {
	case *PublishRequest:
		e.Kind, e.Topic, e.Retain = observe.PublishIn, in.Topic, given(in.Retain)
		if e.Retain {
			h.Observe.Seen(by, observe.HTTP, observe.PublishRetained, e.Outcome)
		}
		if e.Outcome == observe.Success {
			mqttconn.ObserveBasicIngest(h.Observe, by, observe.HTTP, in.Topic)
		}
	case *GetRetainedMessageRequest:
		e.Kind, e.Topic = observe.GetRetainedMessage, in.Topic
		if m, ok := d.Out.(*GetRetainedMessageResponse); ok && m != nil {
			e.QoS = byte(*m.Qos)
			if m.LastModifiedTime != nil {
				e.LastModified = time.UnixMilli(*m.LastModifiedTime)
			}
		}
	case *ListRetainedMessagesRequest:
		e.Kind = observe.ListRetainedMessages
	case *DeleteConnectionRequest:
		e.Kind, by.Is.ClientID = observe.DeleteConnection, in.ClientId
	case *GetConnectionRequest:
		e.Kind, by.Is.ClientID = observe.GetConnection, in.ClientId
	case *ListSubscriptionsRequest:
		e.Kind, by.Is.ClientID = observe.ListSubscriptions, in.ClientId
		if in.MaxResults != nil {
			e.MaxResults = int(*in.MaxResults)
		}
	case *SendDirectMessageRequest:
		e.Kind, by.Is.ClientID, e.Topic = observe.SendDirectMessage, in.ClientId, in.Topic
		if e.Confirmation = given(in.Confirmation); e.Confirmation {
			if e.Timeout = defaultConfirmation; in.Timeout != nil {
				e.Timeout = int(*in.Timeout)
			}
		}
		e.Reason, e.Details = h.directReason(in, d)
	default:
		return
	}
	if !h.Observe.Seen(by, observe.HTTP, e.Kind, e.Outcome) {
		return
	}
	if e.Outcome != observe.Success {
		if d.Attempt != nil {
			if step, ok := d.Attempt.Refusal(); ok {
				e.Check, e.Evidence = step.Check, step.Evidence
			}
		}
		if e.Details == "" {
			e.Details = d.Err.Message
		}
	}
	h.Observe.Log(by, e)
}

// outcomeOf says as what AWS counts an answer.
func outcomeOf(d api.Done) observe.Outcome {
	switch e := d.Err; {
	case e == nil:
		return observe.Success
	case d.Denied, e.Status == http.StatusForbidden:
		return observe.AuthError
	case e.Status == http.StatusTooManyRequests:
		return observe.Throttle
	case e.Status >= http.StatusInternalServerError && e.Status != http.StatusGatewayTimeout:
		return observe.ServerError
	}
	return observe.ClientError
}

// directReason is AWS's reason for a direct message that was not delivered. Source: logs sheet 3.3.
func (h Handlers) directReason(in *SendDirectMessageRequest, d api.Done) (reason, details string) {
	if d.Err == nil || d.Denied {
		return "", ""
	}
	invalid, isInvalid := errors.AsType[*mqttconn.InvalidError](d.Cause)
	switch {
	case checkClientID(in.ClientId) != nil:
		return "MALFORMED_CLIENTID", d.Err.Message
	case isInvalid:
		return "INVALID_TOPIC", invalid.Reason
	case errors.Is(d.Cause, mqttconn.ErrNotConnected):
		switch c, known := h.Connections.Connection(in.ClientId); {
		case !known:
			return "TARGET_CLIENT_ID_NOT_FOUND", "The target client ID is not known"
		case c.CleanSession:
			return "TARGET_CLIENT_NOT_CONNECTED", "The target client ID is not connected"
		}
		return "TARGET_CLIENT_NOT_CONNECTED", "The target client ID is not connected, but it has an active persistent session"
	case errors.Is(d.Cause, mqttconn.ErrForbidden):
		return "RECEIVE_AUTHORIZATION_FAILURE", d.Err.Message
	case errors.Is(d.Cause, mqttconn.ErrThrottled):
		return "RECEIVE_SESSION_THROTTLED", d.Err.Message
	case errors.Is(d.Cause, mqttconn.ErrNotAcknowledged):
		return "DELIVERY_CONFIRMATION_TIMEOUT", d.Err.Message
	case d.Err.Status >= http.StatusInternalServerError:
		return "INTERNAL_SERVER_ERROR", d.Err.Message
	case in.Timeout != nil && (*in.Timeout < minConfirmation || *in.Timeout > maxConfirmation):
		return "INVALID_TIMEOUT_PARAMETER", d.Err.Message
	}
	return "", ""
}
