package attempt

import (
	"sync/atomic"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// Metrics counts what is recorded since the start. Reading and counting take no lock.
type Metrics struct {
	begun, passed, failed atomic.Uint64
	merged                atomic.Uint64
	dropped               atomic.Uint64
	storeErrors           atomic.Uint64
	checks                map[*check.Check]*checkCounters // complete from the start

	openedIn    [len(OpenedBounds) + 1]atomic.Uint64 // sessions, by the bound that their time is within
	openedTotal atomic.Int64                         // nanoseconds
}

// OpenedBounds are the upper bounds of [Counts].OpenedIn.
var OpenedBounds = [...]time.Duration{
	5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

type checkCounters struct{ passed, failed, warned, also atomic.Uint64 }

func newMetrics() *Metrics {
	m := &Metrics{checks: map[*check.Check]*checkCounters{}}
	for _, c := range check.All() {
		m.checks[c] = new(checkCounters)
	}
	return m
}

func (m *Metrics) count(c *check.Check, outcome Outcome) {
	n := m.checks[c]
	if n == nil {
		return
	}
	switch outcome {
	case Passed:
		n.passed.Add(1)
	case Failed:
		n.failed.Add(1)
	case Warned:
		n.warned.Add(1)
	case Also:
		n.also.Add(1)
	case Live: // no outcome of a check
	}
}

// opened counts a session that was opened so long after the TCP accept.
func (m *Metrics) opened(after time.Duration) {
	i := 0
	for i < len(OpenedBounds) && after > OpenedBounds[i] {
		i++
	}
	m.openedIn[i].Add(1)
	m.openedTotal.Add(int64(after))
}

func (m *Metrics) ended(outcome Outcome) {
	if outcome == Failed {
		m.failed.Add(1)
	} else {
		m.passed.Add(1)
	}
}

// Counts is a reading of Metrics.
type Counts struct {
	Begun, Passed, Failed uint64 // attempts
	Live                  uint64 // attempts under way
	Merged                uint64 // refusals that were counted in the record of an identical one
	Dropped               uint64 // ended attempts that no record was kept of
	StoreErrors           uint64
	Checks                map[string]CheckCounts // by code; only those that were recorded

	OpenedIn    [len(OpenedBounds) + 1]uint64 // sessions that took no longer than each bound from the TCP accept to the CONNACK, and above the bound before; the last: longer than all
	OpenedTotal time.Duration                 // of all sessions
}

// CheckCounts says how often a check came out how.
type CheckCounts struct{ Passed, Failed, Warned, Also uint64 }

// Counts reads all counters. They are read one after another, not at one instant.
func (m *Metrics) Counts() Counts {
	c := Counts{
		Passed: m.passed.Load(), Failed: m.failed.Load(), Merged: m.merged.Load(),
		Dropped: m.dropped.Load(), StoreErrors: m.storeErrors.Load(), Checks: map[string]CheckCounts{},
	}
	c.Begun = m.begun.Load() // after the ended ones, so that Live can't be negative
	c.Live = c.Begun - c.Passed - c.Failed
	for i := range m.openedIn {
		c.OpenedIn[i] = m.openedIn[i].Load()
	}
	c.OpenedTotal = time.Duration(m.openedTotal.Load())
	for entry, n := range m.checks {
		counts := CheckCounts{Passed: n.passed.Load(), Failed: n.failed.Load(), Warned: n.warned.Load(), Also: n.also.Load()}
		if counts != (CheckCounts{}) {
			c.Checks[entry.Code] = counts
		}
	}
	return c
}
