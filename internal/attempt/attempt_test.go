package attempt

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

func TestAttemptRecordsChecksInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recorder(t, Config{})
		a := r.Begin(DoorMQTT, addr("[::ffff:192.0.2.17]:51544"), addr("192.0.2.1:8883"))
		a.Pass(check.TCPAccepted)
		time.Sleep(3 * time.Millisecond)
		a.SetSNI("gw.example.com")
		a.Pass(check.TLSSNI, F("offered", "gw.example.com"))
		time.Sleep(5 * time.Millisecond)
		a.Fail(check.CertInactive, F("status", "INACTIVE"))
		a.Also(check.PolicyNoneAttached)
		a.Warn(check.NetSlowHandshake)
		if !a.Refused() {
			t.Error("a failed check does not refuse")
		}
		if rec, found, err := r.Get(t.Context(), a.ID()); !found || err != nil || rec.Outcome != Failed || !rec.Ended.IsZero() {
			t.Errorf("a live attempt: %v %v %+v", found, err, rec)
		}
		a.End()
		a.End()
		a.Fail(check.ServerError) // too late
		rec, found, err := r.Get(t.Context(), a.ID())
		if !found || err != nil {
			t.Fatal(found, err)
		}
		want := []Step{
			{Check: check.TCPAccepted, Outcome: Passed, Count: 1},
			{Check: check.TLSSNI, Outcome: Passed, Evidence: Fields{{"offered", "gw.example.com"}}, At: 3 * time.Millisecond, Last: 3 * time.Millisecond, Count: 1},
			{Check: check.CertInactive, Outcome: Failed, Evidence: Fields{{"status", "INACTIVE"}}, At: 8 * time.Millisecond, Last: 8 * time.Millisecond, Count: 1},
			{Check: check.PolicyNoneAttached, Outcome: Also, At: 8 * time.Millisecond, Last: 8 * time.Millisecond, Count: 1},
			{Check: check.NetSlowHandshake, Outcome: Warned, At: 8 * time.Millisecond, Last: 8 * time.Millisecond, Count: 1},
		}
		if diff := cmp.Diff(want, rec.Steps, cmp.Comparer(func(a, b *check.Check) bool { return a == b })); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
		if rec.Code != "cert.inactive" || rec.Source.String() != "192.0.2.17:51544" || rec.Count != 1 {
			t.Errorf("code %q, source %v, count %d", rec.Code, rec.Source, rec.Count)
		}
	})
}

// TestAttemptIsBounded throws much more at an attempt than it may keep.
func TestAttemptIsBounded(t *testing.T) {
	r := recorder(t, Config{})
	a := r.Begin(DoorMQTT, nil, nil)
	for i := range 10_000 {
		a.Pass(check.AuthzPublish, F("topic", fmt.Sprint(i)+strings.Repeat("ü", 4000)), F(strings.Repeat("k", 500), "v"))
		a.Pass(check.TLSSNI)
		a.Set(fmt.Sprint("fact", i), strings.Repeat("x", 5000))
	}
	a.SetALPN(make([]string, 1000), "x")
	a.SetCertificate("id", make([]byte, 1<<20))
	a.Fail(check.AuthzPublish, F("topic", "\xff\xfe broken"))
	a.End()
	rec, _, _ := r.Get(t.Context(), a.ID())
	size := 0
	for _, s := range rec.Steps {
		for _, f := range s.Evidence {
			size += len(f.Key) + len(f.Value)
			if len(f.Key) > maxKey || len(f.Value) > maxValue || !utf8.ValidString(f.Value) {
				t.Fatalf("evidence of %d and %d bytes, valid %v", len(f.Key), len(f.Value), utf8.ValidString(f.Value))
			}
		}
	}
	if len(rec.Steps) > maxSteps || size > maxEvidence || len(rec.Facts) > maxFields || len(rec.ALPNOffered) > maxFields || rec.Certificate != nil {
		t.Errorf("%d steps, %d bytes of evidence, %d facts, %d ALPN, %d bytes of certificate", len(rec.Steps), size, len(rec.Facts), len(rec.ALPNOffered), len(rec.Certificate))
	}
	if rec.Dropped == 0 || rec.Outcome != Failed || firstFailed(rec.Steps) == nil {
		t.Errorf("dropped %d, outcome %v: the failure must have a place", rec.Dropped, rec.Outcome)
	}
	for _, s := range rec.Steps {
		if s.Check == check.TLSSNI && s.Count != 10_000 {
			t.Errorf("a repeated step counts %d", s.Count)
		}
	}
}

// TestAttemptFromManyGoroutines is for the race detector.
func TestAttemptFromManyGoroutines(t *testing.T) {
	r := recorder(t, Config{})
	a := r.Begin(DoorMQTT, addr("192.0.2.17:1"), addr("192.0.2.1:8883"))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				a.Pass(check.AuthzPublish, F("topic", fmt.Sprint(i, j%10)))
				a.Set("k", fmt.Sprint(j))
				a.SetClientID(fmt.Sprint("c", i))
				if rec, found, err := r.Get(t.Context(), a.ID()); err == nil && found {
					r.Explain(rec)
				}
				if _, _, err := r.List(t.Context(), Filter{ClientID: "c1"}, Cursor{}, 5); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() { time.Sleep(time.Millisecond); a.End() })
	wg.Wait()
}

func BenchmarkAttempt(b *testing.B) {
	r := NewRecorder(Config{})
	defer r.Close()
	from, to := addr("192.0.2.17:51544"), addr("192.0.2.1:8883")
	b.ReportAllocs()
	for b.Loop() {
		a := r.Begin(DoorMQTT, from, to)
		a.Pass(check.TCPAccepted)
		a.SetSNI("gw.example.com")
		a.Pass(check.TLSSNI, F("offered", "gw.example.com"))
		a.Pass(check.CertActive)
		a.Pass(check.AuthzConnect, F("action", "iot:Connect"))
		a.Pass(check.SessionOpened)
		a.End()
	}
}
