package attempt

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// stuckStore is a disk that does not answer.
type stuckStore struct {
	*MemoryStore
	release chan struct{}
}

func (s stuckStore) Write(ctx context.Context, records []Record) error {
	select {
	case <-s.release:
		return s.MemoryStore.Write(ctx, records)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestStuckStoreDoesNotSlowAnybody: recording goes on in bounded memory, what
// does not fit is counted, and nobody waits.
func TestStuckStoreDoesNotSlowAnybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := NewRecorder(Config{Store: stuckStore{NewMemoryStore(100), release}, Buffer: 8})
		start := time.Now()
		for range 100 {
			a := r.Begin(DoorMQTT, addr("192.0.2.17:1"), nil)
			a.Pass(check.TCPAccepted)
			a.End()
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("recording waited %v", waited)
		}
		if n := r.Metrics().Counts().Dropped; n != 92 {
			t.Errorf("dropped %d, want 92", n)
		}
		time.Sleep(2 * writeEvery) // the writer holds the batch now
		if records, _, err := r.List(t.Context(), Filter{}, Cursor{}, 100); err != nil || len(records) != 8 {
			t.Errorf("%d records to be seen, %v; want 8", len(records), err)
		}
		time.Sleep(2 * writeLimit) // it gives up
		if m := r.Metrics().Counts(); m.Dropped != 100 || m.StoreErrors != 1 {
			t.Errorf("after the store failed: %+v", m)
		}
		close(release)
		a := r.Begin(DoorMQTT, addr("192.0.2.17:1"), nil)
		if err := r.Close(); err != nil { // ends the live one and writes it
			t.Error(err)
		}
		if _, found, _ := r.cfg.Store.Get(t.Context(), a.ID()); !found {
			t.Error("Close lost the live attempt")
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

type failingStore struct{ *MemoryStore }

func (failingStore) Prune(context.Context, time.Time, int) error { return errors.New("disk full") }

func TestPruneFailureIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recorder(t, Config{Store: failingStore{NewMemoryStore(10)}})
		refuse(r, "192.0.2.17:1", "c", check.CertInactive)
		time.Sleep(time.Second)
		if n := r.Metrics().Counts().StoreErrors; n != 1 {
			t.Errorf("%d errors, want 1", n)
		}
	})
}

// TestListJoinsLiveAndStored pages through attempts that are live, waiting and stored.
func TestListJoinsLiveAndStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recorder(t, Config{})
		want := map[string]bool{}
		for i := range 30 {
			a := r.Begin(DoorMQTT, addr("192.0.2.17:1"), nil)
			a.SetClientID("c")
			want[a.ID()] = true
			if i%3 != 0 {
				a.End()
			}
			time.Sleep(50 * time.Millisecond) // so that some are written, some not
		}
		got := map[string]bool{}
		var after Cursor
		var previous time.Time
		for pages := 0; ; pages++ {
			records, more, err := r.List(t.Context(), Filter{ClientID: "c"}, after, 7)
			if err != nil || pages > 10 {
				t.Fatal(pages, err)
			}
			for _, rec := range records {
				if got[rec.ID] {
					t.Errorf("%s twice", rec.ID)
				}
				if !previous.IsZero() && rec.Last.After(previous) {
					t.Error("not in order")
				}
				got[rec.ID], previous = true, rec.Last
				after = cursorOf(rec)
			}
			if !more {
				break
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d attempts listed, want %d", len(got), len(want))
		}
	})
}
