package mqttconn

import (
	"math"
	"strconv"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/broker"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// sessionOptions is what a CONNECT asks of its session. MQTT 3.1.1 knows no expiry: its sessions are
// kept as long as any. Source: mqtt sheet 4.1.
func (k *conn) sessionOptions(p *mqtt.Connect) broker.SessionOptions {
	o := broker.SessionOptions{Clean: p.CleanStart, Principal: k.who.ID, Will: k.will.record(), Least: k.server.departed.take(k.clientID, k.opened) + 1}
	switch {
	case k.version == mqtt.V5:
		o.Expiry = time.Duration(p.Props.SessionExpiry) * time.Second
	case !p.CleanStart:
		o.Expiry = math.MaxInt64
	}
	return o
}

// noteUnsaved records subscriptions that are in force and that a restart loses.
func (k *conn) noteUnsaved(granted []string) {
	if len(granted) == 0 {
		return
	}
	if err := k.client.Unsaved(); err != nil {
		k.at.Warn(check.SessionNotStored, attempt.F("error", err.Error()), attempt.F("filter", granted[0]))
	}
}

// noteSession records what came of it.
func (k *conn) noteSession(r *broker.Connected) {
	if r.Err != nil {
		k.at.Warn(check.SessionNotStored, attempt.F("error", r.Err.Error()))
	}
	if !r.Present {
		return
	}
	k.at.Pass(check.SessionResumed, attempt.F("queued", strconv.Itoa(r.Queued)))
	if r.Principal != k.who.ID {
		k.at.Warn(check.SessionOtherPrincipal, attempt.F("client_id", k.clientID), attempt.F("other_principal", r.Principal))
	}
	if n := r.Missed.Full; n > 0 {
		k.at.Warn(check.DeliveryOfflineQueueFull, attempt.F("client_id", k.clientID), attempt.F("dropped", strconv.FormatInt(n, 10)), attempt.F("required", k.server.cfg.Limits.queueBound()))
	}
	if n := r.Missed.Throttled; n > 0 {
		k.at.Warn(check.LimitQueuedRate, attempt.F("client_id", k.clientID), attempt.F("dropped", strconv.FormatInt(n, 10)), attempt.F("required", strconv.Itoa(k.server.cfg.Limits.QueuedAccount.Burst)+" a second"))
	}
}
