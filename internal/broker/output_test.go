package broker

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestWhoWrites: what a client gets now and then is written by who gives it. In a storm nobody waits for
// the writer, and what comes until it is done goes out in one write.
func TestWhoWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d := New(Config{}), newDevice()
		d.ready, d.gate = true, make(chan struct{}, 3)
		c := b.NewClient(ClientConfig{ID: "c", Conn: d, Peer: d})
		c.Subscribe("t", Options{})
		began := time.Now()
		var got []string
		message := func() {
			publish(b, nil, "t", &Message{})
			d.mu.Lock()
			defer d.mu.Unlock()
			got = append(got, fmt.Sprintf("%s: %d messages in %d writes", time.Since(began), d.sent, d.writes))
		}
		for _, rest := range []time.Duration{stormPeriod, stormPeriod, stormPeriod - 1} {
			d.gate <- struct{}{}
			message()
			time.Sleep(rest)
		}
		for range 3 {
			message()
			synctest.Wait() // the writer is at the gate
		}
		d.gate <- struct{}{}
		d.gate <- struct{}{}
		synctest.Wait()
		want := []string{
			"0s: 1 messages in 1 writes",
			"50µs: 2 messages in 2 writes",
			"100µs: 3 messages in 3 writes",
			"149.999µs: 4 messages in 3 writes",
			"149.999µs: 5 messages in 3 writes",
			"149.999µs: 6 messages in 3 writes",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if d.writes != 5 {
			t.Errorf("%d writes in the end, want 5: the storm's first message, and both that came meanwhile", d.writes)
		}
	})
}
