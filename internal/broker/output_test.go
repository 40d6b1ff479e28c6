package broker

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestGather: what a client gets at a moderate rate is written together, by who brings the last of
// it, by the timer when nobody does, or with what its own goroutine has to say.
func TestGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d := New(Config{}), newDevice()
		d.ready = true
		c := b.NewClient(ClientConfig{ID: "c", Conn: d, Peer: d})
		c.Subscribe("t", Options{})
		began := time.Now()
		var got []string
		at := func(after time.Duration, do func()) {
			time.Sleep(time.Until(began.Add(after)))
			synctest.Wait()
			do()
			synctest.Wait()
			d.mu.Lock()
			defer d.mu.Unlock()
			got = append(got, fmt.Sprintf("%s: %d messages in %d writes", after, d.sent, d.writes))
		}
		message := func() { publish(b, nil, "t", &Message{}) }
		at(0, message) // long after the last one: at once
		for n := 1; n <= 3; n++ {
			at(time.Duration(n)*gatherTime/2, message) // the third finds the first that waits old enough
		}
		at(2*gatherTime, message)
		at(3*gatherTime, func() {}) // nobody brought more
		at(3*gatherTime+stormPeriod, message)
		at(3*gatherTime+stormPeriod, func() { c.out.flush(byOwner) })
		at(3*gatherTime+2*stormPeriod-1, message) // a storm
		want := []string{
			"0s: 1 messages in 1 writes",
			"100µs: 2 messages in 1 writes",
			"200µs: 3 messages in 1 writes",
			"300µs: 4 messages in 2 writes",
			"400µs: 5 messages in 2 writes",
			"600µs: 5 messages in 3 writes",
			"650µs: 6 messages in 3 writes",
			"650µs: 6 messages in 4 writes",
			"699.999µs: 7 messages in 5 writes",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		time.Sleep(time.Second)
		if d.writes != 5 {
			t.Errorf("%d writes in the end: a timer had nothing to write, and wrote", d.writes)
		}
	})
}
