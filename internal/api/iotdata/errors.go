package iotdata

import (
	"errors"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/gateway/mqttconn"
)

// mapError turns what the MQTT server refuses into the exceptions of the model; nil for all other errors.
// Source: mqtt sheet 18, connect sheet 6.1.
func mapError(err error) *api.Error {
	if e, ok := errors.AsType[*mqttconn.InvalidError](err); ok {
		return InvalidRequestException("%s", e.Reason)
	}
	switch {
	case errors.Is(err, mqttconn.ErrNotConnected):
		return ResourceNotFoundException("The client is not connected.")
	case errors.Is(err, mqttconn.ErrNoRetained):
		return ResourceNotFoundException("No retained message found for the topic.")
	case errors.Is(err, mqttconn.ErrForbidden):
		return ForbiddenException("The client is not allowed to receive messages on the topic.")
	case errors.Is(err, mqttconn.ErrTooLarge):
		return RequestEntityTooLargeException("The message is too large.")
	case errors.Is(err, mqttconn.ErrThrottled):
		return ThrottlingException("Rate exceeded.")
	case errors.Is(err, mqttconn.ErrNotAcknowledged):
		return GatewayTimeoutException("The client did not acknowledge the message in time.")
	}
	return nil
}
