package server

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestCollect: one collection when a storm is over, none while it lasts and none
// for a few connections.
func TestCollect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var changes, open, collections atomic.Int64
		done := make(chan struct{})
		go func() {
			defer close(done)
			collect(ctx, func() (int64, int) { return changes.Load(), int(open.Load()) }, func() { collections.Add(1) })
		}()
		expect := func(what string, want int64) {
			t.Helper()
			if got := collections.Load(); got != want {
				t.Errorf("%s: %d collections, want %d", what, got, want)
			}
		}
		time.Sleep(30 * time.Second)
		expect("nothing happened", 0)
		changes.Add(collectLeast - 1)
		time.Sleep(30 * time.Second)
		expect("few connections", 0)
		time.Sleep(collectEvery / 2) // between the ticks
		for range 20 {
			changes.Add(100)
			time.Sleep(time.Second)
		}
		expect("a storm", 0)
		time.Sleep(3 * time.Second)
		expect("after the storm", 1)
		time.Sleep(time.Hour)
		expect("an hour later", 1)
		open.Store(collectPart * 1000)
		changes.Add(999)
		time.Sleep(time.Hour)
		expect("few of those that are open", 1)
		changes.Add(1)
		time.Sleep(3 * time.Second)
		expect("enough of them", 2)
		cancel()
		<-done
	})
}

// TestPace: the more lives, the less garbage may lie beside it.
func TestPace(t *testing.T) {
	for live, want := range map[uint64]int{0: 200, 32<<20 - 1: 200, 32 << 20: 100, 256<<20 - 1: 100, 256 << 20: 50, 16 << 30: 50} {
		if got := paceOf(live); got != want {
			t.Errorf("%d bytes live: %d %%, want %d", live, got, want)
		}
	}
}
