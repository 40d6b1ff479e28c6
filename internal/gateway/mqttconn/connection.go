package mqttconn

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// A Connection is what the server tells about a client: its live connection, or how the last one ended.
type Connection struct {
	ClientID          string
	Connected         bool
	ThingName         string // empty without a thing
	CleanSession      bool   // MQTT 5: the session ends with the connection
	SessionExpiry     time.Duration
	KeepAlive         time.Duration // the interval that the client asked for
	Source, Target    netip.AddrPort
	ConnectedSince    time.Time // zero while not connected
	DisconnectedSince time.Time // zero while connected
	DisconnectReason  string    // AWS's word; empty while connected

	number int64 // the versionNumber of its lifecycle events
}

// ErrNotConnected is the answer for a client that has no connection, and no session where one would do.
var ErrNotConnected = errors.New("mqttconn: the client is not connected")

// Connection tells about a client by its ID. It is known while it is connected, for 30 minutes
// afterwards, and as long as its session is stored; found is false for any other. Source: mqtt sheet 18.
func (s *Server) Connection(clientID string) (c Connection, found bool) {
	stored, session := s.cfg.Broker.Stored(clientID)
	if k := s.live(clientID); k != nil {
		c, found = k.describe(), true
	} else if c, found = s.departed.find(clientID, s.cfg.Now()); !found && session {
		c, found = Connection{ClientID: clientID, DisconnectedSince: stored.Disconnected}, true
	}
	if c.CleanSession = !session; session {
		c.SessionExpiry = stored.Expiry
	}
	return c, found
}

// A Subscription is a filter of a client with the QoS that was granted.
type Subscription struct {
	Filter string
	QoS    byte
}

// Subscriptions lists what a client is subscribed to in the order of the filters, also while only
// its session is stored; [ErrNotConnected] without either. Source: mqtt sheet 18.
func (s *Server) Subscriptions(clientID string) ([]Subscription, error) {
	filters, found := s.cfg.Broker.Filters(clientID)
	if !found {
		return nil, ErrNotConnected
	}
	list := make([]Subscription, 0, len(filters))
	for filter, qos := range filters {
		list = append(list, Subscription{filter, qos})
	}
	slices.SortFunc(list, func(a, b Subscription) int { return strings.Compare(a.Filter, b.Filter) })
	return list, nil
}

// live returns the open connection of a client ID, or nil.
func (s *Server) live(clientID string) *conn {
	c := s.cfg.Broker.Lookup(clientID)
	if c == nil {
		return nil
	}
	k, _ := c.Peer().(*conn)
	return k
}

// describe tells about an open connection.
func (k *conn) describe() Connection {
	c := Connection{
		ClientID: k.clientID, Connected: true, ThingName: k.auth.ThingName(),
		KeepAlive: time.Duration(k.keepAliveAsk) * time.Second, Source: k.info.Remote, ConnectedSince: k.opened, number: k.client.Number(),
	}
	if a, ok := k.nc.LocalAddr().(*net.TCPAddr); ok {
		c.Target = a.AddrPort()
	}
	return c
}

// depart remembers how an open connection ended.
func (k *conn) depart(e ending) {
	c := k.describe()
	c.Connected, c.ConnectedSince, c.DisconnectedSince, c.DisconnectReason = false, time.Time{}, k.server.cfg.Now(), string(e.reason)
	if above := k.server.departed.add(c); above > 0 {
		k.server.cfg.Broker.SkipNumbers(above)
	}
}

// Disconnect ends the live connection of a client because the API was asked to: MQTT 5 clients get
// DISCONNECT 0x98. Its will is published unless noWill is set. With endSession the stored session
// ends too, also while it has no connection; Disconnect returns when that is on disk.
// [ErrNotConnected] if there is nothing to end. Source: mqtt sheet 13, 18.
func (s *Server) Disconnect(ctx context.Context, clientID string, noWill, endSession bool) error {
	if noWill && endSession {
		s.cfg.Broker.DropWill(clientID)
	}
	ended := endSession && s.cfg.Broker.EndSession(clientID)
	k := s.live(clientID)
	if k != nil {
		k.end(ending{code: mqtt.AdministrativeAction, reason: apiInitiated, noWill: noWill, check: check.DisconnectedByAPI})
	} else if !ended {
		return ErrNotConnected
	}
	if ended {
		return s.awaitDisk(ctx)
	}
	return nil
}
