package insights

import (
	"slices"
	"sync"
)

// latest are the times of the newest matching events, of all workers together,
// so that a worker need not read what can't be among the newest.
type latest struct {
	mu    sync.Mutex
	times []int64 // epoch ms, none before floor
	floor int64   // there are enough events from then on: epoch ms
}

// newer adds the times of a part's matching rows and returns the time before
// which no event is in the result.
func (r *run) newer(times []int64, rows []int32) int64 {
	l := &r.latest
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, at := range rows {
		if times[at] >= l.floor {
			l.times = append(l.times, times[at])
		}
	}
	if k := r.keep; len(l.times) >= k+k/8 {
		slices.Sort(l.times)
		l.times = slices.Delete(l.times, 0, len(l.times)-k)
		l.floor = l.times[0]
	}
	return l.floor
}

// floor is the time before which no event is in the result, by what is known so far.
func (r *run) floor() int64 {
	r.latest.mu.Lock()
	defer r.latest.mu.Unlock()
	return r.latest.floor
}
