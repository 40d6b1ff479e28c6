package attempt

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

func TestFloodIsOneRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recorder(t, Config{})
		start := time.Now()
		var last *Attempt
		for range 500 {
			last = refuse(r, "192.0.2.17:1000", "sensor-1", check.CertInactive)
			time.Sleep(time.Second)
		}
		other := refuse(r, "192.0.2.18:1000", "sensor-1", check.CertInactive)
		records, more, err := r.List(t.Context(), Filter{}, Cursor{}, 10)
		if err != nil || more || len(records) != 2 {
			t.Fatalf("%d records, more %v, %v; want 2", len(records), more, err)
		}
		rec, found, err := r.Get(t.Context(), last.ID())
		if err != nil || !found || rec.Count != 500 || !rec.Began.Equal(start) || rec.Last.Sub(start) != 499*time.Second {
			t.Errorf("by the last trace ID: found %v, count %d, began %v, last %v, %v", found, rec.Count, rec.Began, rec.Last, err)
		}
		if rec, _, _ := r.Get(t.Context(), other.ID()); rec.Count != 1 {
			t.Errorf("another source counts %d", rec.Count)
		}
		if m := r.Metrics().Counts(); m.Merged != 499 || m.Failed != 501 || m.Live != 0 || m.Checks["cert.inactive"].Failed != 501 {
			t.Errorf("counters %+v", m)
		}
		report := r.Explain(rec)
		if len(report.Warnings) != 1 || report.Warnings[0].Code != "loop.connect_refused" {
			t.Errorf("warnings %+v, want the loop", report.Warnings)
		}

		time.Sleep(floodWindow + time.Second)
		late := refuse(r, "192.0.2.17:1000", "sensor-1", check.CertInactive)
		if rec, _, _ := r.Get(t.Context(), late.ID()); rec.Count != 1 || rec.ID != late.ID() {
			t.Errorf("after the window a new record begins, got count %d", rec.Count)
		}
	})
}

// TestFloodOfNewNames: a source that changes its client ID each time must not
// push everybody else out of the store.
func TestFloodOfNewNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recorder(t, Config{})
		for i := range 5000 {
			refuse(r, "[2001:db8::1]:1000", fmt.Sprint("c", i), check.AuthzConnect)
		}
		records, _, err := r.List(t.Context(), Filter{}, Cursor{}, 1000)
		if err != nil || len(records) > sourceMost+1 {
			t.Errorf("%d records of one network, %v; want at most %d", len(records), err, sourceMost+1)
		}
		total := 0
		for _, rec := range records {
			total += rec.Count
		}
		if total != 5000 {
			t.Errorf("the counts make %d, want 5000", total)
		}
	})
}

func TestLRUIsBounded(t *testing.T) {
	l := newLRU[int, int](3)
	for i := range 100 {
		l.put(i, i)
		l.get(0) // used again and again: it stays
	}
	if _, ok := l.get(0); !ok || len(l.items) != 3 || l.order.Len() != 3 {
		t.Errorf("0 kept: %v, %d items, %d in order", ok, len(l.items), l.order.Len())
	}
}

func TestTakeoverLoop(t *testing.T) {
	for name, tt := range map[string]struct {
		otherIP string
		want    *check.Check
	}{
		"two devices": {"192.0.2.44", check.SessionTakeoverLoop},
		"itself":      {"192.0.2.17", check.SessionTakeoverSelf},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := recorder(t, Config{})
				var last *Attempt
				for range 4 {
					a := r.Begin(DoorMQTT, addr("192.0.2.17:1000"), addr("192.0.2.1:8883"))
					a.SetClientID("sensor-1")
					a.SetPrincipal("p", "")
					a.Pass(check.SessionOpened)
					time.Sleep(2 * time.Second)
					a.Fail(check.SessionTakeover, F("other_source_ip", tt.otherIP), F("other_principal", "p"))
					a.End()
					last = a
				}
				rec, _, _ := r.Get(t.Context(), last.ID())
				report := r.Explain(rec)
				var codes []string
				for _, f := range append(report.Findings, report.Warnings...) {
					codes = append(codes, f.Code)
				}
				found := false
				for _, s := range rec.Steps {
					found = found || s.Check == tt.want && s.Evidence.Get("count") == "4" && s.Evidence.Get("period") == "6s"
				}
				if rec.Code != tt.want.Code || report.Findings[0].Code != tt.want.Code || len(report.Findings) != 1 {
					t.Errorf("code %q, findings %v; want %v alone", rec.Code, codes, tt.want)
				}
				if !found {
					t.Errorf("findings %v, steps %+v; want %v with count 4 in 6s", codes, rec.Steps, tt.want)
				}
			})
		})
	}
}
