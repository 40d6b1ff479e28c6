package observe

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// Tallies are the counts of what comes at most once with a connection, in more
// detail than [Hub.Count] has. The keys come from fixed vocabularies.
type Tallies struct {
	AuthN       map[Protocol]map[AuthN]uint64
	Handshakes  map[*check.Check]uint64 // of HandshakeRefused, by what refused them
	Disconnects map[string]uint64       // by disconnectReason
	Pings       Pings
}

// tallies guard themselves.
type tallies struct {
	mu          sync.Mutex
	authN       [Protocols]map[AuthN]uint64
	handshakes  map[*check.Check]uint64
	disconnects map[string]uint64
	rules       map[string]uint64
}

// disconnectReasons are AWS's. Source: logs sheet 3.3.
var disconnectReasons = []string{
	"AUTH_ERROR", "CLIENT_INITIATED_DISCONNECT", "CLIENT_ERROR", "CONNECTION_LOST", "DUPLICATE_CLIENTID", "FORBIDDEN_ACCESS", "MQTT_KEEP_ALIVE_TIMEOUT",
	"SERVER_ERROR", "SERVER_INITIATED_DISCONNECT", "API_INITIATED_DISCONNECT", "THROTTLED", "WEBSOCKET_TTL_EXPIRATION", "CUSTOMAUTH_TTL_EXPIRATION",
}

// newTallies has a zero for all that is known before it happens: a sum over what is
// not there yet would be nothing, and an alert on it silent.
func newTallies() *tallies {
	t := &tallies{handshakes: map[*check.Check]uint64{}, disconnects: map[string]uint64{}, rules: map[string]uint64{}}
	for p := range t.authN {
		t.authN[p] = map[AuthN]uint64{}
	}
	for _, c := range check.All() {
		switch kind, atEnd := AtEnd(c); {
		case !atEnd:
		case kind == HandshakeRefused:
			t.handshakes[c] = 0
		default:
			for p := range t.authN {
				t.authN[p][(&Event{Check: c}).AuthN()] = 0
			}
		}
	}
	for _, reason := range disconnectReasons {
		t.disconnects[reason] = 0
	}
	return t
}

// refused counts an AuthNError or a HandshakeRefused.
func (t *tallies) refused(p Protocol, e *Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Kind == AuthNError {
		t.authN[p][e.AuthN()]++
	} else {
		t.handshakes[e.Check]++
	}
}

// PingBounds are the upper bounds of [Pings].
var PingBounds = [...]time.Duration{
	100 * time.Microsecond, time.Millisecond, 5 * time.Millisecond, 25 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, 2500 * time.Millisecond,
}

// Pings are how long pings waited for their answer.
type Pings struct {
	Within [len(PingBounds) + 1]uint64 // no longer than each bound, and above the one before; the last: longer than all
	Total  time.Duration
}

type pings struct {
	within [len(PingBounds) + 1]atomic.Uint64
	total  atomic.Int64 // nanoseconds
}

// Pinged counts a ping that was answered so long after it was read. It takes no lock.
func (h *Hub) Pinged(after time.Duration) {
	i := 0
	for i < len(PingBounds) && after > PingBounds[i] {
		i++
	}
	h.pings.within[i].Add(1)
	h.pings.total.Add(int64(after))
}

// Disconnected counts the end of a session's connection by its reason.
func (h *Hub) Disconnected(reason string) {
	h.tallies.mu.Lock()
	defer h.tallies.mu.Unlock()
	h.tallies.disconnects[reason]++
}

// Tallies reads what was counted since the start.
func (h *Hub) Tallies() Tallies {
	h.tallies.mu.Lock()
	defer h.tallies.mu.Unlock()
	t := Tallies{AuthN: map[Protocol]map[AuthN]uint64{}, Handshakes: maps.Clone(h.tallies.handshakes), Disconnects: maps.Clone(h.tallies.disconnects)}
	for i := range h.pings.within {
		t.Pings.Within[i] = h.pings.within[i].Load()
	}
	t.Pings.Total = time.Duration(h.pings.total.Load())
	for p, of := range h.tallies.authN {
		t.AuthN[Protocol(p)] = maps.Clone(of)
	}
	return t
}
