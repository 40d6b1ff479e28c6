package broker

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/messagelog/logtest"
)

// TestHandOver: in a group whose sessions all end with their connections, what a member has not
// acknowledged, and what waits for it, goes to another member when it leaves. Source: mqtt sheet 10.
func TestHandOver(t *testing.T) {
	member := func(b *Broker, id string, change ...func(*ClientConfig)) (*Client, *device) {
		c, d, _ := arrive(b, id, SessionOptions{}, change...)
		c.Subscribe(sharedT, Options{QoS: 1})
		return c, d
	}
	for name, end := range map[string]func(b *Broker, c *Client){
		"disconnect": leave,
		"take-over": func(b *Broker, c *Client) {
			next, _, _ := arrive(b, c.ID(), SessionOptions{})
			leave(b, c)
			leave(b, next)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := New(Config{})
				// Seven slots, so that two messages wait; their identifiers run over 65,535.
				first, df := member(b, "first", func(cfg *ClientConfig) { cfg.ReceiveMaximum = 7 })
				first.window = &window{next: 65_530}
				list := messages(0, 9)
				list[8].Expires = time.Now().Add(time.Minute)
				publish(b, nil, "t", list...)
				publish(b, nil, "t", &Message{Payload: []byte("QoS 0 is lost")})
				if n := len(payloads(t, df)); n != 8 {
					t.Fatalf("%d messages, want 7 and the one of QoS 0", n)
				}
				bt := NewBatch(time.Now())
				bt.Ack(first, 65_532)
				bt.Flush(first, nil)
				bt.Release()
				second, ds := member(b, "second", func(cfg *ClientConfig) { cfg.V5 = true })
				time.Sleep(2 * time.Minute) // 8 expires
				end(b, first)
				var got []string
				synctest.Wait()
				for _, p := range parse(t, ds.received(), true) {
					got = append(got, p.Payload)
				}
				if diff := cmp.Diff([]string{"0", "2", "3", "4", "5", "6", "7"}, got); diff != "" {
					t.Errorf("handed over (-want +got):\n%s", diff)
				}
				third, dt := member(b, "third")
				ack(second, 1, 2, 3)
				end(b, second)
				if diff := cmp.Diff([]string{"4", "5", "6", "7"}, payloads(t, dt)); diff != "" {
					t.Errorf("handed over once more (-want +got):\n%s", diff)
				}
				end(b, third)
				if n := b.queued.Load(); n != 0 {
					t.Errorf("%d bytes are counted, and nothing waits", n)
				}
			})
		})
	}
}

// TestHandOverToQueue: a member with a session came after the messages, and left again: they wait.
func TestHandOverToQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &logtest.Log{}
		b := stored(t, l)
		v, _, _ := arrive(b, "v", SessionOptions{})
		v.Subscribe(sharedT, Options{QoS: 1})
		publish(b, nil, "t", messages(0, 3)...)
		synctest.Wait()
		if n := l.Usage().References; n != 0 {
			t.Fatalf("%d messages in the log, and no session", n)
		}
		p, _, _ := arrive(b, "p", SessionOptions{Expiry: hour})
		p.Subscribe(sharedT, Options{QoS: 1})
		leave(b, p)
		leave(b, v)
		if n := l.Usage().References; n != 3 {
			t.Errorf("%d messages wait in the queue of the group, want 3", n)
		}
		p, dp, _ := arrive(b, "p", SessionOptions{Expiry: hour})
		if diff := cmp.Diff(numbers(0, 3), payloads(t, dp)); diff != "" {
			t.Errorf("back again (-want +got):\n%s", diff)
		}
		leave(b, p)
		b.Close()
	})
}

// TestHandOverBounds: what is kept for a member that does not acknowledge is bounded, is counted, and
// goes with the hour after which nobody waits for its acknowledgement.
func TestHandOverBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(Config{})
		c, d, _ := arrive(b, "c", SessionOptions{}, func(cfg *ClientConfig) { cfg.PendingBytes = 10_000 })
		c.Subscribe(sharedT, Options{QoS: 1})
		for range 50 {
			publish(b, nil, "t", &Message{QoS: 1, Payload: make([]byte, 1000)})
		}
		if n := len(payloads(t, d)); n != 50 {
			t.Fatalf("%d messages, want 50", n)
		}
		if n := b.queued.Load(); n < 9000 || n > 10_000 {
			t.Errorf("%d bytes are kept, want up to 10,000", n)
		}
		c.Sweep(time.Now().Add(2 * hour))
		if n := b.queued.Load(); n != 0 {
			t.Errorf("%d bytes are kept after the hour", n)
		}
		other, do, _ := arrive(b, "other", SessionOptions{})
		other.Subscribe(sharedT, Options{QoS: 1})
		leave(b, c)
		if n := len(payloads(t, do)); n != 0 {
			t.Errorf("%d messages were handed over after the hour", n)
		}
		leave(b, other)
	})
}
