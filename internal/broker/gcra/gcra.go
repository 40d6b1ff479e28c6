// Package gcra meters events: so many in a second with so many in a burst, on a clock that is passed in.
package gcra

import (
	"sync/atomic"
	"time"
)

// A Rate is a limit: one event each Every, with Burst events at once after a rest. The zero Rate
// limits nothing.
type Rate struct {
	Every time.Duration
	Burst int
}

// PerSecond is a rate of n events a second with a burst of one second. n must be positive.
func PerSecond(n int) Rate { return Rate{Every: time.Second / time.Duration(n), Burst: n} }

// A Meter holds the state of one limit. The zero Meter has rested. It is safe for concurrent use.
//
// It is the generic cell rate algorithm: one number, the time at which the meter will have rested,
// moves ahead by Every for each unit, and may lie Burst units ahead of the clock at most.
type Meter struct {
	tat    atomic.Int64
	latest atomic.Int64 // what the clock showed, to about clockStep, when anybody last used the meter
}

const (
	clockStep = time.Millisecond
	// setBack is how far behind another's reading a clock was set back, rather than read long ago.
	setBack = time.Minute
)

// clock returns now in Unix nanoseconds, or what somebody else has seen of the clock already. Who
// shares a meter may have read the clock long before its turn came; by its own time the meter then
// looks as if it were far ahead, and used up.
func (m *Meter) clock(now time.Time) int64 {
	t, latest := now.UnixNano(), m.latest.Load()
	switch {
	case t > latest+int64(clockStep):
		m.latest.CompareAndSwap(latest, t)
	case t < latest-int64(setBack):
		m.latest.Store(t)
		m.tat.Store(t)
		return t
	}
	return max(t, latest)
}

// Allow takes n units if all of them fit into r at now. It takes none otherwise.
func (m *Meter) Allow(r Rate, now time.Time, n int) bool {
	if r.Every == 0 {
		return true
	}
	t := m.clock(now)
	for {
		old := m.tat.Load()
		next := max(old, t) + int64(n)*int64(r.Every)
		if next-t > int64(r.Burst)*int64(r.Every) {
			return false
		}
		if m.tat.CompareAndSwap(old, next) {
			return true
		}
	}
}

// Take takes n units in any case, and tells how long the caller must rest so that r holds. With n
// 0 it only asks.
func (m *Meter) Take(r Rate, now time.Time, n int) time.Duration {
	if r.Every == 0 {
		return 0
	}
	t := m.clock(now)
	for {
		old := m.tat.Load()
		next := max(old, t) + int64(n)*int64(r.Every)
		if n == 0 || m.tat.CompareAndSwap(old, next) {
			return max(0, time.Duration(next-t-int64(r.Burst)*int64(r.Every)))
		}
	}
}

// Rested tells whether the meter stands as if it had never been used.
func (m *Meter) Rested(now time.Time) bool { return m.tat.Load() <= now.UnixNano() }
