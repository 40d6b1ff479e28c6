package gcra

import (
	"testing"
	"time"
)

func TestAllow(t *testing.T) {
	var m Meter
	r, now := PerSecond(10), time.Unix(1000, 0)
	count := func(now time.Time) (n int) {
		for m.Allow(r, now, 1) {
			n++
		}
		return n
	}
	for _, tt := range []struct {
		after time.Duration
		want  int
	}{{0, 10}, {0, 0}, {99 * time.Millisecond, 0}, {100 * time.Millisecond, 1}, {500 * time.Millisecond, 4}, {time.Hour, 10}} {
		if got := count(now.Add(tt.after)); got != tt.want {
			t.Errorf("after %v: %d events, want %d", tt.after, got, tt.want)
		}
	}
	if m.Rested(now.Add(time.Hour)) || !m.Rested(now.Add(time.Hour+time.Second)) {
		t.Error("a meter has rested a second after it was used up")
	}
	if m.Allow(r, now.Add(2*time.Hour), 11) || !m.Allow(r, now.Add(2*time.Hour), 10) {
		t.Error("11 units fit into a burst of 10, or 10 do not")
	}
	if !m.Allow(Rate{}, now, 1<<30) {
		t.Error("the zero rate limits")
	}
}

// TestClocks: users of one meter read the clock at different times before they come to it, and
// clocks are set back.
func TestClocks(t *testing.T) {
	var m Meter
	r, now := PerSecond(10), time.Unix(1000, 0)
	if !m.Allow(r, now, 1) || !m.Allow(r, now.Add(-5*time.Second), 1) {
		t.Error("who read the clock early is refused by a meter that is not used up")
	}
	for range 8 {
		m.Allow(r, now.Add(-5*time.Second), 1)
	}
	if m.Allow(r, now.Add(-5*time.Second), 1) || m.Allow(r, now, 1) {
		t.Error("reading the clock early gives more than the rate")
	}
	if back := now.Add(-time.Hour); !m.Allow(r, back, 10) || m.Allow(r, back, 1) {
		t.Error("after the clock was set back an hour the meter does not begin anew")
	}
}

func TestTake(t *testing.T) {
	var m Meter
	r, now := PerSecond(100), time.Unix(1000, 0)
	for _, tt := range []struct {
		n    int
		want time.Duration
	}{{0, 0}, {100, 0}, {0, 0}, {50, 500 * time.Millisecond}, {0, 500 * time.Millisecond}, {200, 2500 * time.Millisecond}} {
		if got := m.Take(r, now, tt.n); got != tt.want {
			t.Errorf("Take(%d) = %v, want %v", tt.n, got, tt.want)
		}
	}
	if got := m.Take(r, now.Add(3*time.Second), 0); got != 0 {
		t.Errorf("rest of %v after resting", got)
	}
}
