package mqttconn

import (
	"slices"
	"sync"
	"time"
)

const (
	loopTakeovers   = 3               // so many take-overs of a client ID ...
	loopWindow      = 2 * time.Minute // ... within this time are a loop
	trackedTakeover = 10_000          // client IDs kept in memory
)

// takeovers remembers who took over which client ID lately, to tell two devices that fight for an
// ID from one that races itself.
type takeovers struct {
	mu   sync.Mutex
	last map[string][]time.Time // guarded by mu: by client ID, the latest loopTakeovers
}

// note records a take-over of id at now and tells how many there were within loopWindow, and over
// what time.
func (t *takeovers) note(id string, now time.Time) (count int, within time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil {
		t.last = make(map[string][]time.Time)
	}
	if len(t.last) >= trackedTakeover && t.last[id] == nil {
		for id, times := range t.last {
			if now.Sub(times[len(times)-1]) > loopWindow {
				delete(t.last, id)
			}
		}
		if len(t.last) >= trackedTakeover {
			return 1, 0
		}
	}
	times := slices.DeleteFunc(t.last[id], func(at time.Time) bool { return now.Sub(at) > loopWindow })
	times = append(times, now)
	const kept = 16
	if len(times) > kept {
		times = slices.Delete(times, 0, len(times)-kept)
	}
	t.last[id] = times
	return len(times), now.Sub(times[0])
}
