package iotdata

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/gateway/mqttconn"
)

// connections are the clients of the broker: [mqttconn.Server]. Those of its errors that a client may
// see are in [mapError].
type connections interface {
	Connection(clientID string) (c mqttconn.Connection, found bool)
	Disconnect(ctx context.Context, clientID string, noWill, endSession bool) error
	Subscriptions(clientID string) ([]mqttconn.Subscription, error)
	SendDirect(ctx context.Context, clientID string, m mqttconn.DirectMessage) error
}

// maxClientID is in bytes. Source: mqtt sheet 2.2.
const maxClientID = 128

// checkClientID refuses what can be no client ID. Source: mqtt sheet 18.
func checkClientID(id string) error {
	if id == "" || len(id) > maxClientID || strings.HasPrefix(id, "$") {
		return InvalidRequestException("The client ID must have 1 to %d bytes and must not begin with $.", maxClientID)
	}
	return nil
}

func given(b *bool) bool { return b != nil && *b }

// DeleteConnection ends a live connection, and with cleanSession the stored session too.
func (h Handlers) DeleteConnection(ctx context.Context, in *DeleteConnectionRequest) (*DeleteConnectionResponse, error) {
	if err := checkClientID(in.ClientId); err != nil {
		return nil, err
	}
	if err := h.Connections.Disconnect(ctx, in.ClientId, given(in.PreventWillMessage), given(in.CleanSession)); err != nil {
		return nil, err
	}
	return &DeleteConnectionResponse{}, nil
}

// GetConnection tells about a client that is connected, was so lately, or has a stored session.
func (h Handlers) GetConnection(_ context.Context, in *GetConnectionRequest) (*GetConnectionResponse, error) {
	if err := checkClientID(in.ClientId); err != nil {
		return nil, err
	}
	c, found := h.Connections.Connection(in.ClientId)
	if !found {
		return nil, ResourceNotFoundException("No connection found for client ID %s.", in.ClientId)
	}
	expiry := int64(c.SessionExpiry / time.Second)
	out := &GetConnectionResponse{ClientId: &c.ClientID, Connected: &c.Connected, CleanSession: &c.CleanSession, SessionExpiry: &expiry}
	if c.ThingName != "" {
		out.ThingName = &c.ThingName
	}
	if c.KeepAlive > 0 {
		seconds := int32(c.KeepAlive / time.Second)
		out.KeepAliveDuration = &seconds
	}
	out.ConnectedSince, out.DisconnectedSince = milliseconds(c.ConnectedSince), milliseconds(c.DisconnectedSince)
	if c.DisconnectReason != "" {
		out.DisconnectReason = &c.DisconnectReason
	}
	if given(in.IncludeSocketInformation) {
		out.SourceIp, out.SourcePort = socket(c.Source)
		out.TargetIp, out.TargetPort = socket(c.Target)
	}
	return out, nil
}

// milliseconds since the epoch; nil for the zero time.
func milliseconds(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}

func socket(a netip.AddrPort) (ip *string, port *int32) {
	if !a.IsValid() {
		return nil, nil
	}
	text, number := a.Addr().Unmap().String(), int32(a.Port())
	return &text, &number
}

// pageOfSubscriptions is the default of maxResults. Source: mqtt sheet 18.
const pageOfSubscriptions = 20

// ListSubscriptions lists the subscriptions of a client in the order of their filters, also while
// only its stored session is there.
func (h Handlers) ListSubscriptions(ctx context.Context, in *ListSubscriptionsRequest) (*ListSubscriptionsResponse, error) {
	if err := checkClientID(in.ClientId); err != nil {
		return nil, err
	}
	if n := in.MaxResults; n != nil && (*n < 1 || *n > 200) {
		return nil, InvalidRequestException("maxResults must be 1 to 200.")
	}
	page, err := api.ReadPage(ctx, in.NextToken, in.MaxResults, pageOfSubscriptions, in.ClientId)
	if err != nil {
		return nil, err
	}
	list, err := h.Connections.Subscriptions(in.ClientId)
	if err != nil {
		return nil, err
	}
	out := &ListSubscriptionsResponse{Subscriptions: []SubscriptionSummary{}}
	for _, s := range list {
		if s.Filter <= page.After {
			continue
		}
		if n := len(out.Subscriptions); n == page.Size {
			out.NextToken = page.Next(true, out.Subscriptions[n-1].TopicFilter)
			break
		}
		out.Subscriptions = append(out.Subscriptions, SubscriptionSummary{TopicFilter: s.Filter, Qos: int32(s.QoS)})
	}
	return out, nil
}
