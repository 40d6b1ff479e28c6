package mqttconn

import (
	"strconv"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/broker"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// A conn is the broker's [broker.Peer]: these methods are called from other connections' goroutines.
var _ broker.Peer = (*conn)(nil)

// Generation implements [broker.Peer]. The broker's 0 means undecided.
func (k *conn) Generation() uint64 { return k.auth.Generation() + 1 }

// MayReceive implements [broker.Peer].
func (k *conn) MayReceive(topic string) bool {
	return k.auth.Decide(policy.Receive, topic) == policy.Allow
}

// MaySend implements [broker.Peer]: inbound and outbound publishes of a connection share one rate
// (mqtt sheet 7), and deliveries of the account another (mqtt sheet 19).
func (k *conn) MaySend(now time.Time) bool {
	limits := &k.server.cfg.Limits
	if !k.rate.Allow(limits.PublishConnection, now, 1) {
		return false
	}
	if !k.server.accountOut.Allow(limits.PublishOutAccount, now, 1) {
		k.outThrottled.Store(true)
		return false
	}
	return true
}

// A dropKey counts drops by cause and topic.
type dropKey struct {
	why   broker.Drop
	topic string
}

const maxDropKeys = 32 // a connection's causes and topics that are told apart

// Dropped implements [broker.Peer]. The first drop of a kind is recorded at once, the number of all
// of them at the end: see recordDrops.
func (k *conn) Dropped(why broker.Drop, topic string) {
	k.sawDropped(why, topic)
	key := dropKey{why, topic}
	k.dropM.Lock()
	if k.drops == nil {
		k.drops = map[dropKey]int64{}
	}
	if k.drops[key] == 0 && len(k.drops) >= maxDropKeys {
		key.topic = "" // and all others
	}
	k.drops[key]++
	first := k.drops[key] == 1
	k.dropM.Unlock()
	if first {
		k.warnDrop(key)
	}
}

func (k *conn) warnDrop(key dropKey, more ...attempt.Field) {
	ev := append([]attempt.Field{attempt.F("topic", key.topic)}, more...)
	switch key.why {
	case broker.DropDenied:
		if key.topic == "" {
			k.at.Warn(check.AuthzReceive, ev...)
			return
		}
		f := k.denied(check.AuthzReceive, policy.Receive, key.topic, false)
		k.at.Warn(f.check, append(f.evidence, more...)...)
	case broker.DropSlow, broker.DropQueue:
		k.at.Warn(check.DeliveryQueueFull, ev...)
	case broker.DropTooLarge:
		k.at.Warn(check.DeliveryPacketTooLarge, ev...)
	case broker.DropRate:
		if k.outThrottled.Load() {
			k.at.Warn(check.LimitPublishOutRateAccount, append(ev, attempt.F("required", strconv.Itoa(k.server.cfg.Limits.PublishOutAccount.Burst)+" a second"))...)
			return
		}
		k.at.Warn(check.LimitPublishRate, ev...)
	case broker.DropNotAcked:
		k.at.Warn(check.DeliveryNotAcked, append(ev, attempt.F("waited", time.Hour.String()))...) // mqtt sheet 7
	case broker.DropShared:
		k.at.Warn(check.DeliverySharedQueueFull, append(ev, attempt.F("required", k.server.cfg.Limits.queueBound()))...)
	case broker.DropExpired: // what the publisher asked for
	}
}

// PassedOver implements [broker.Peer]: PROBLEMS H-16.
func (k *conn) PassedOver(topic string, size int) {
	k.at.Warn(check.ClientRxBuffer, attempt.F("topic", topic), attempt.F("offered", strconv.Itoa(size)))
}

// recordDrops records how many messages were dropped, where it was more than one.
func (k *conn) recordDrops() {
	k.dropM.Lock()
	drops := k.drops
	k.drops = nil
	k.dropM.Unlock()
	for key, n := range drops {
		if n > 1 {
			k.warnDrop(key, attempt.F("dropped", strconv.FormatInt(n, 10)))
		}
	}
}
