package mqttconn

import (
	"slices"
	"sync"
	"time"
)

const (
	loopCount   = 3               // so many times the same thing ...
	loopWindow  = 2 * time.Minute // ... within this time is a loop
	trackedLoop = 10_000          // things kept in memory
)

// loops remembers when the same thing happened lately: a client ID taken over, a refused packet sent
// again. Devices repeat what is refused by themselves, and then the repetition is the news.
type loops struct {
	mu   sync.Mutex
	last map[string][]time.Time // guarded by mu: what happened, and when
}

// note records that id happened at now and tells how often it did within loopWindow, and over what
// time.
func (t *loops) note(id string, now time.Time) (count int, within time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil {
		t.last = make(map[string][]time.Time)
	}
	if len(t.last) >= trackedLoop && t.last[id] == nil {
		for id, times := range t.last {
			if now.Sub(times[len(times)-1]) > loopWindow {
				delete(t.last, id)
			}
		}
		if len(t.last) >= trackedLoop {
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
