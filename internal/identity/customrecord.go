package identity

import (
	"sync"

	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// Bounds of the events that are kept for a replay.
const (
	maxEvents     = 512
	maxEventBytes = 64 << 10 // of one event; a greater one is not kept
)

// A RecordedEvent is what an authorizer's function was invoked with.
type RecordedEvent struct {
	Authorizer  string // name
	FunctionARN string
	Redacted    bool // token, signature and password were taken out
	Event       []byte
}

// eventBook keeps the latest events by connection. It lives as long as the process.
type eventBook struct {
	whole bool // keep secrets

	mu    sync.Mutex // guards what follows
	byID  map[string]RecordedEvent
	order []string // connection IDs, the oldest first
}

func newEventBook(whole bool) *eventBook {
	return &eventBook{whole: whole, byID: map[string]RecordedEvent{}}
}

// add keeps the event of a connection; a later one replaces it.
func (b *eventBook) add(connection string, a registry.Authorizer, e *authorizerEvent, payload []byte, secrets []string) {
	if connection == "" || len(payload) > maxEventBytes {
		return
	}
	rec := RecordedEvent{Authorizer: a.Name, FunctionARN: a.FunctionARN, Redacted: !b.whole, Event: payload}
	if !b.whole {
		rec.Event = e.redacted(secrets).payload()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.byID[connection]; !ok {
		if len(b.order) == maxEvents {
			delete(b.byID, b.order[0])
			b.order = b.order[1:]
		}
		b.order = append(b.order, connection)
	}
	b.byID[connection] = rec
}

// Event returns what the function was last invoked with for a connection, by
// its ID, which is the trace ID of its attempt. ok is false when it is not, or
// no longer, known.
func (s *Authorizers) Event(connectionID string) (e RecordedEvent, ok bool) {
	s.events.mu.Lock()
	defer s.events.mu.Unlock()
	e, ok = s.events.byID[connectionID]
	return e, ok
}
