package mqttconn

import (
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// A Lifetime bounds how long a connection may last, whatever it does. The zero Lifetime bounds nothing.
type Lifetime struct {
	Ends time.Time
	By   LifetimeSource
}

// A LifetimeSource says who bounds the lifetime of a connection.
type LifetimeSource int

// The sources. Source: mqtt sheet 13.
const (
	WebSocketLifetime  LifetimeSource = iota // 24 hours: WEBSOCKET_TTL_EXPIRATION
	AuthorizerLifetime                       // disconnectAfterInSeconds: CUSTOMAUTH_TTL_EXPIRATION
)

// over tells whether the lifetime of a connection has passed, and if so how it ends.
func (l Lifetime) over(opened, now time.Time) (ending, bool) {
	if l.Ends.IsZero() || now.Before(l.Ends) {
		return ending{}, false
	}
	e := ending{code: mqtt.MaximumConnectTime, reason: webSocketTTL, check: check.SessionMaxLifetime}
	if l.By == AuthorizerLifetime {
		e.reason, e.check = customAuthTTL, check.LifetimeAuthorizer
	}
	e.evidence = []attempt.Field{attempt.F("connected_for", now.Sub(opened).Round(time.Second).String())}
	return e, true
}

// next is the earlier of t and the end of the lifetime: when to look at the connection again.
func (l Lifetime) next(t time.Time) time.Time {
	if !l.Ends.IsZero() && l.Ends.Before(t) {
		return l.Ends
	}
	return t
}
