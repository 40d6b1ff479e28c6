package broker

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/broker/gcra"
	"github.com/gatehouse-iot/gatehouse/internal/messagelog/logtest"
)

const sharedT = "$share/g/t"

// sorted returns all messages that the devices got.
func sorted(t *testing.T, devices ...*device) (list []string) {
	t.Helper()
	for _, d := range devices {
		list = append(list, payloads(t, d)...)
	}
	slices.Sort(list)
	return list
}

// TestSharedQueue: with a member that has a session, QoS 1 messages wait while nobody is online, and
// come once, to one member or another. Source: mqtt sheet 10.
func TestSharedQueue(t *testing.T) {
	for _, volatile := range []bool{false, true} {
		t.Run(fmt.Sprintf("drained by a volatile member: %v", volatile), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &logtest.Log{}
				b := stored(t, l)
				a, da, _ := arrive(b, "a", SessionOptions{Expiry: hour})
				a.Subscribe(sharedT, Options{QoS: 1})
				publish(b, nil, "t", messages(0, 3)...)
				if diff := cmp.Diff(numbers(0, 3), payloads(t, da)); diff != "" {
					t.Fatal("live:", diff)
				}
				ack(a, 1, 2, 3)
				leave(b, a)
				publish(b, nil, "t", messages(3, 6)...)
				publish(b, nil, "t", &Message{Payload: []byte("QoS 0 is lost")})
				if n := l.Usage().References; n != 3 {
					t.Fatalf("%d messages wait, want 3", n)
				}
				b.Close()
				b = stored(t, l) // the queue survives a restart
				o := SessionOptions{Expiry: hour}
				if volatile {
					o = SessionOptions{}
				}
				id := map[bool]string{false: "a", true: "v"}[volatile]
				c, d, _ := arrive(b, id, o)
				if volatile {
					c.Subscribe(sharedT, Options{QoS: 1})
				}
				if diff := cmp.Diff(numbers(3, 6), payloads(t, d)); diff != "" {
					t.Error("drained:", diff)
				}
				publish(b, nil, "t", messages(6, 7)...)
				ack(c, 1, 2, 3, 4)
				if diff := cmp.Diff(numbers(3, 7), payloads(t, d)); diff != "" {
					t.Error("then live:", diff)
				}
				if n := l.Usage().References; n != 0 {
					t.Errorf("%d messages are left", n)
				}
				leave(b, c)
				b.Close()
			})
		})
	}
}

// TestSharedHandOver: what a volatile member has not acknowledged goes to another one; what is in the
// session of a member stays there.
func TestSharedHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := stored(t, &logtest.Log{})
		p, dp, _ := arrive(b, "p", SessionOptions{Expiry: hour}, func(cfg *ClientConfig) { cfg.ReceiveMaximum = 2 })
		p.Subscribe(sharedT, Options{QoS: 1})
		v, dv, _ := arrive(b, "v", SessionOptions{})
		v.Subscribe(sharedT, Options{QoS: 1})
		publish(b, nil, "t", messages(0, 9)...)
		if diff := cmp.Diff(numbers(0, 9), sorted(t, dp, dv)); diff != "" {
			t.Fatalf("each once (-want +got):\n%s", diff)
		}
		had := payloads(t, dp)
		if len(had) > 2 {
			t.Errorf("p got %q, above its window of 2", had)
		}
		v2, dv2, _ := arrive(b, "v2", SessionOptions{})
		v2.Subscribe(sharedT, Options{QoS: 1})
		leave(b, p) // keeps what it has
		leave(b, v)
		if diff := cmp.Diff(payloads(t, dv), sorted(t, dv2)); diff != "" {
			t.Errorf("handed over (-want +got):\n%s", diff)
		}
		p, dp, _ = arrive(b, "p", SessionOptions{Expiry: hour})
		if diff := cmp.Diff(had, payloads(t, dp)); diff != "" {
			t.Errorf("kept (-want +got):\n%s", diff)
		}
		leave(b, p)
		leave(b, v2)
		b.Close()
	})
}

// TestSharedBounds: rate, overflow, retention, and the end with the last member.
func TestSharedBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &logtest.Log{}
		b := stored(t, l, func(cfg *Config) { cfg.SharedRate, cfg.QueueMessages = gcra.PerSecond(20), 50 })
		a, _, _ := arrive(b, "a", SessionOptions{Expiry: hour})
		a.Subscribe(sharedT, Options{QoS: 1})
		leave(b, a)
		publish(b, nil, "t", messages(0, 60)...)
		v, dv, _ := arrive(b, "v", SessionOptions{})
		v.Subscribe(sharedT, Options{QoS: 1})
		if n := len(payloads(t, dv)); n != 20 {
			t.Errorf("%d messages at once, want the 20 of a second", n)
		}
		if diff := cmp.Diff([]Drop{DropShared}, dv.dropped()); diff != "" {
			t.Error(diff)
		}
		time.Sleep(2 * time.Second)
		if diff := cmp.Diff(numbers(0, 50), payloads(t, dv)); diff != "" {
			t.Errorf("the older ones are kept (-want +got):\n%s", diff)
		}
		for id := range uint16(50) {
			ack(v, id+1)
		}
		leave(b, v)
		late := messages(0, 3)
		late[1].Expires = time.Now().Add(10 * time.Minute)
		publish(b, nil, "t", late...)
		time.Sleep(20 * time.Minute)
		v, dv, _ = arrive(b, "v", SessionOptions{})
		v.Subscribe(sharedT, Options{QoS: 1})
		if diff := cmp.Diff([]string{"0", "2"}, payloads(t, dv)); diff != "" {
			t.Errorf("after the expiry of 1 (-want +got):\n%s", diff)
		}
		leave(b, v)
		time.Sleep(hour)
		synctest.Wait()
		if u := l.Usage(); u.References != 0 || u.Sessions != 0 || b.Groups() != 0 {
			t.Errorf("%+v and %d groups after the last member", u, b.Groups())
		}
		b.Close()
	})
}
