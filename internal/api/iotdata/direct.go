package iotdata

import (
	"context"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/gateway/mqttconn"
)

// How long SendDirectMessage waits for the client's acknowledgement, in seconds. Source: mqtt sheet 18.
const (
	minConfirmation     = 1
	maxConfirmation     = 15
	defaultConfirmation = 5
)

// SendDirectMessage sends a message to one connected client, whatever it subscribed to. With
// confirmation it is sent at QoS 1, and the answer waits for the client's PUBACK.
func (h Handlers) SendDirectMessage(ctx context.Context, in *SendDirectMessageRequest) (*SendDirectMessageResponse, error) {
	if err := checkClientID(in.ClientId); err != nil {
		return nil, err
	}
	wait := int32(defaultConfirmation)
	if in.Timeout != nil && given(in.Confirmation) { // ignored otherwise
		wait = *in.Timeout
	}
	if wait < minConfirmation || wait > maxConfirmation {
		return nil, InvalidRequestException("timeout must be %d to %d seconds.", minConfirmation, maxConfirmation)
	}
	props, err := mqttProperties{
		contentType: in.ContentType, responseTopic: in.ResponseTopic, correlationData: in.CorrelationData,
		userProperties: in.UserProperties, format: in.PayloadFormatIndicator,
	}.decode()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(wait)*time.Second)
	defer cancel()
	if err := h.Connections.SendDirect(ctx, in.ClientId, mqttconn.DirectMessage{
		Topic: in.Topic, Payload: in.Payload, Properties: &props, Confirm: given(in.Confirmation),
	}); err != nil {
		return nil, err
	}
	message, trace := "OK", api.RequestID(ctx)
	return &SendDirectMessageResponse{Message: &message, TraceId: &trace}, nil
}
