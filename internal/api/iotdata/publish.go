package iotdata

import (
	"context"
	"errors"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/gateway/mqttconn"
)

// publisher takes messages from HTTPS: [mqttconn.Server].
type publisher interface {
	PublishHTTP(ctx context.Context, m *mqttconn.HTTPMessage, auth mqttconn.Authorization, at *attempt.Attempt) error
}

// Publish publishes the body of the request. Source: connect sheet 6.1.
func (h Handlers) Publish(ctx context.Context, in *PublishRequest) (*PublishResponse, error) {
	caller, _ := api.CallerFrom(ctx)
	auth, ok := caller.Access.(mqttconn.Authorization)
	at := api.AttemptFrom(ctx)
	if !ok || at == nil {
		return nil, errors.New("publish without a caller or a record") // how the server was put together
	}
	props, err := mqttProperties{in.ContentType, in.ResponseTopic, in.CorrelationData, in.UserProperties, in.PayloadFormatIndicator}.decode()
	if err != nil {
		return nil, err
	}
	if in.MessageExpiry != nil {
		if *in.MessageExpiry < 0 || *in.MessageExpiry > 1<<32-1 {
			return nil, InvalidRequestException("messageExpiry is not a number of seconds.")
		}
		props.SetMessageExpiry(uint32(*in.MessageExpiry))
	}
	m := &mqttconn.HTTPMessage{
		Topic: in.Topic, Retain: in.Retain != nil && *in.Retain, Payload: in.Payload, Properties: &props,
	}
	if in.Qos != nil {
		if *in.Qos < 0 || *in.Qos > 1 {
			return nil, InvalidRequestException("qos must be 0 or 1.")
		}
		m.QoS = byte(*in.Qos)
	}
	err = h.Publisher.PublishHTTP(ctx, m, auth, at)
	invalid, isInvalid := errors.AsType[*mqttconn.InvalidError](err)
	switch {
	case err == nil:
		message, id := "OK", at.ID()
		return &PublishResponse{Message: &message, TraceId: &id}, nil
	case isInvalid:
		return nil, InvalidRequestException("%s", invalid.Reason)
	case errors.Is(err, mqttconn.ErrTooLarge):
		return nil, RequestEntityTooLargeException("Request entity too large")
	case errors.Is(err, mqttconn.ErrThrottled):
		return nil, ThrottlingException("Rate exceeded")
	case errors.Is(err, mqttconn.ErrForbidden):
		return nil, ForbiddenException("Forbidden")
	}
	return nil, err
}
