package broker

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestPassedOver: a client that acknowledges what comes after a large message, and
// not the large one, has not taken it. Source: PROBLEMS H-16; MQTT-4.6.0-2.
func TestPassedOver(t *testing.T) {
	small, large := &Message{Payload: []byte("s"), QoS: 1}, &Message{Payload: []byte(strings.Repeat("L", 600)), QoS: 1}
	const packet = 2 + 1 + 2 + 1 + 2 + 600 // fixed header with two bytes of length, topic, identifier, payload
	for name, tt := range map[string]struct {
		send []*Message
		acks []uint16 // in order; 0: twenty seconds pass
		want []string
	}{
		"passed over":             {[]*Message{small, large, small}, []uint16{1, 0, 3}, []string{"t 608"}},
		"told once":               {[]*Message{small, large, small, large, small}, []uint16{1, 0, 3, 5}, []string{"t 608"}},
		"the first one":           {[]*Message{large, small}, []uint16{0, 2}, []string{"t 608"}},
		"in order":                {[]*Message{small, large, small}, []uint16{0, 1, 2, 3}, nil},
		"it takes its time":       {[]*Message{small, large, small}, []uint16{1, 3}, nil},
		"only an earlier one":     {[]*Message{small, large}, []uint16{0, 1}, nil},
		"never any":               {[]*Message{small, large}, []uint16{0}, nil},
		"it took one as large":    {[]*Message{large, large, small}, []uint16{1, 0, 3}, nil},
		"a later one as large":    {[]*Message{small, large, large}, []uint16{1, 0, 3}, nil},
		"it acknowledges nothing": {[]*Message{large, large}, []uint16{0, 9}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := New(Config{})
				d := newDevice()
				c := b.NewClient(ClientConfig{ID: "c", Conn: d, Peer: d})
				b.Connect(c, SessionOptions{})
				c.Subscribe("t", Options{QoS: 1})
				publish(b, nil, "t", tt.send...)
				for _, id := range tt.acks {
					if id == 0 {
						time.Sleep(20 * time.Second)
						continue
					}
					bt := NewBatch(time.Now())
					bt.Ack(c, id)
					bt.Flush(c, nil)
					bt.Release()
				}
				synctest.Wait()
				if diff := cmp.Diff(tt.want, d.passed); diff != "" {
					t.Errorf("passed over (-want +got), packets of %d bytes:\n%s", packet, diff)
				}
				b.Disconnect(c)
			})
		})
	}
}

// TestPassedOverExpires: what was given up after an hour is not suspected any more.
func TestPassedOverExpires(t *testing.T) {
	var w window
	began := time.Unix(1_800_000_000, 0)
	id := w.take(began, 600, "t")
	if n, _, _ := w.expire(began.Add(time.Hour)); n != 1 || w.n != 0 {
		t.Fatalf("expire freed %d, %d are left", n, w.n)
	}
	next := w.take(began.Add(time.Hour), 10, "t")
	w.release(next)
	if topic, size, over := w.passedOver(next, began.Add(2*time.Hour)); over {
		t.Errorf("message %d on %s of %d bytes is passed over after it expired", id, topic, size)
	}
}
