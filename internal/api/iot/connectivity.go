package iot

import (
	"context"
	"net/netip"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/gateway/mqttconn"
)

// connections tells who is connected: [mqttconn.Server].
type connections interface {
	Connection(clientID string) (c mqttconn.Connection, found bool)
}

// GetThingConnectivityData tells about the client that has the thing's name as its ID. A client that
// was never here, or left more than half an hour ago, is disconnected for an unknown reason.
// Source: mqtt sheet 13, 18.
func (h Handlers) GetThingConnectivityData(ctx context.Context, in *GetThingConnectivityDataRequest) (*GetThingConnectivityDataResponse, error) {
	thing, err := h.Registry.Thing(ctx, in.ThingName)
	if err != nil {
		return nil, err
	}
	c, found := h.Connections.Connection(thing.Name)
	out := &GetThingConnectivityDataResponse{ThingName: &thing.Name, Connected: &c.Connected}
	at := c.ConnectedSince
	if !c.Connected {
		reason := DisconnectReasonValueUnknown
		if c.DisconnectReason != "" {
			reason = DisconnectReasonValue(c.DisconnectReason)
		}
		out.DisconnectReason, at = &reason, c.DisconnectedSince
	}
	if !found {
		return out, nil
	}
	expiry := int64(c.SessionExpiry / time.Second)
	out.ClientId, out.CleanSession, out.SessionExpiry, out.Timestamp = &c.ClientID, &c.CleanSession, &expiry, api.TimeOf(at)
	if c.KeepAlive > 0 {
		seconds := int32(c.KeepAlive / time.Second)
		out.KeepAliveDuration = &seconds
	}
	if in.IncludeSocketInformation != nil && *in.IncludeSocketInformation {
		out.SourceIp, out.SourcePort = socket(c.Source)
		out.TargetIp, out.TargetPort = socket(c.Target)
	}
	return out, nil
}

func socket(a netip.AddrPort) (ip *string, port *int32) {
	if !a.IsValid() {
		return nil, nil
	}
	text, number := a.Addr().Unmap().String(), int32(a.Port())
	return &text, &number
}
