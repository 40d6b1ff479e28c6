package broker

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gatehouse-iot/gatehouse/internal/broker/gcra"
	"github.com/gatehouse-iot/gatehouse/internal/messagelog"
	"github.com/gatehouse-iot/gatehouse/internal/messagelog/logtest"
)

// stored is a broker on a log in memory.
func stored(t interface{ Fatal(...any) }, l *logtest.Log, change ...func(*Config)) *Broker {
	cfg := Config{Log: l}
	for _, f := range change {
		f(&cfg)
	}
	b := New(cfg)
	if err := b.Restore(); err != nil {
		t.Fatal(err)
	}
	return b
}

// arrive connects a client that has a session of the given expiry, and lets its messages come.
func arrive(b *Broker, id string, o SessionOptions, change ...func(*ClientConfig)) (*Client, *device, Connected) {
	d := newDevice()
	cfg := ClientConfig{ID: id, Conn: d, Peer: d}
	for _, f := range change {
		f(&cfg)
	}
	c := b.NewClient(cfg)
	r := b.Connect(c, o)
	c.Start()
	return c, d, r
}

// leave ends the connection of c.
func leave(b *Broker, c *Client) {
	b.Disconnect(c)
	c.Finish(nil)
}

func payloads(t *testing.T, d *device) (list []string) {
	t.Helper()
	synctest.Wait()
	for _, p := range parse(t, d.received(), false) {
		list = append(list, p.Payload)
	}
	return list
}

func messages(from, to int) (list []*Message) {
	for i := from; i < to; i++ {
		list = append(list, &Message{QoS: 1, Payload: fmt.Append(nil, i)})
	}
	return list
}

func numbers(from, to int) (list []string) {
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprint(i))
	}
	return list
}

func ack(c *Client, ids ...uint16) {
	bt := NewBatch(time.Now())
	for _, id := range ids {
		bt.Ack(c, id)
	}
	bt.Flush(c, nil)
	bt.Release()
}

const hour = time.Hour

// TestSession walks through the life of a session. Source: mqtt sheet 4.
func TestSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &logtest.Log{}
		b := stored(t, l)
		c, d, r := arrive(b, "c", SessionOptions{Expiry: hour, Principal: "p1"})
		if r.Present || r.Expiry != hour {
			t.Fatalf("a first connection: %+v", r)
		}
		c.Subscribe("t", Options{QoS: 1})
		c.Subscribe("zero", Options{})
		publish(b, nil, "t", messages(0, 5)...)
		if diff := cmp.Diff(numbers(0, 5), payloads(t, d)); diff != "" {
			t.Fatal("live:", diff)
		}
		ack(c, 1, 2, 4) // 2 and 4 stay: the messages "2" and "4"
		leave(b, c)
		publish(b, nil, "t", messages(5, 8)...)
		publish(b, nil, "t", &Message{Payload: []byte("QoS 0")})
		publish(b, nil, "zero", &Message{QoS: 1, Payload: []byte("granted 0")})
		if d := l.Depth(1); d.Messages != 5 {
			t.Fatalf("%d messages wait, want 5", d.Messages)
		}

		c, d, r = arrive(b, "c", SessionOptions{Expiry: hour, Principal: "p2"}, func(cfg *ClientConfig) { cfg.ReceiveMaximum = 4 })
		if !r.Present || r.Principal != "p1" || r.Queued != 5 || c.Subscriptions() != 2 {
			t.Fatalf("resumed: %+v with %d subscriptions", r, c.Subscriptions())
		}
		publish(b, nil, "t", messages(8, 9)...) // goes behind what waits
		if diff := cmp.Diff([]string{"2", "4", "5", "6"}, payloads(t, d)); diff != "" {
			t.Fatal("resumed, window of 4:", diff)
		}
		ack(c, 1, 2, 3, 4)
		if diff := cmp.Diff([]string{"2", "4", "5", "6", "7", "8"}, payloads(t, d)); diff != "" {
			t.Fatal("after the acknowledgements:", diff)
		}
		publish(b, nil, "zero", &Message{Payload: []byte("QoS 0")})
		if got := payloads(t, d); got[len(got)-1] != "QoS 0" {
			t.Error("no QoS 0 message to a session with a connection")
		}
		ack(c, 5, 6)
		if u := l.Usage(); u.References != 0 {
			t.Errorf("%d messages are left in the log", u.References)
		}
		leave(b, c)
		b.Close()
	})
}

// TestEndedSessionStaysAway: a session that the API ended is gone also when the server ends before its
// connection does.
func TestEndedSessionStaysAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &logtest.Log{}
		b := stored(t, l)
		c, _, _ := arrive(b, "c", SessionOptions{Expiry: hour})
		c.Subscribe("t", Options{QoS: 1})
		if !b.EndSession("c") {
			t.Fatal("there is no session")
		}
		b.Close()
		b = stored(t, l)
		c, _, r := arrive(b, "c", SessionOptions{Expiry: hour})
		if r.Present || c.Subscriptions() != 0 {
			t.Errorf("present %v with %d subscriptions", r.Present, c.Subscriptions())
		}
		leave(b, c)
		b.Close()
	})
}

// TestSessionEnds: each way a session ends, and what does not end it. Source: mqtt sheet 4.1.
func TestSessionEnds(t *testing.T) {
	keep := SessionOptions{Expiry: hour}
	for name, tt := range map[string]struct {
		v5     bool
		end    func(b *Broker, c *Client) // before the connection ends
		away   time.Duration
		resume SessionOptions
		v5Then bool
		want   bool // the session is there
	}{
		"not":                           {resume: keep, want: true},
		"a clean start":                 {resume: SessionOptions{Clean: true, Expiry: hour}},
		"a clean session":               {resume: SessionOptions{Clean: true}},
		"resumed for the last time":     {v5: true, v5Then: true, resume: SessionOptions{}, want: true},
		"MQTT 5 resumes MQTT 3.1.1":     {v5Then: true, resume: keep},
		"MQTT 3.1.1 resumes MQTT 5":     {v5: true, resume: keep},
		"just before its expiry":        {away: hour - time.Second, resume: keep, want: true},
		"its expiry":                    {away: hour + time.Second, resume: keep},
		"DISCONNECT with expiry 0":      {v5: true, v5Then: true, end: func(_ *Broker, c *Client) { c.SetExpiry(0) }, resume: keep},
		"DISCONNECT with a longer one":  {end: func(_ *Broker, c *Client) { c.SetExpiry(3 * hour) }, away: 2 * hour, resume: keep, want: true},
		"DISCONNECT with a shorter one": {end: func(_ *Broker, c *Client) { c.SetExpiry(time.Minute) }, away: 2 * time.Minute, resume: keep},
		"the API, while connected":      {end: func(b *Broker, _ *Client) { b.EndSession("c") }, resume: keep},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &logtest.Log{}
				b := stored(t, l, func(cfg *Config) { cfg.SessionExpiry = 10 * hour })
				c, _, _ := arrive(b, "c", keep, func(cfg *ClientConfig) { cfg.V5 = tt.v5 })
				c.Subscribe("t", Options{QoS: 1})
				if tt.end != nil {
					tt.end(b, c)
				}
				leave(b, c)
				time.Sleep(tt.away)
				synctest.Wait()
				publish(b, nil, "t", messages(0, 1)...)
				c, d, r := arrive(b, "c", tt.resume, func(cfg *ClientConfig) { cfg.V5 = tt.v5Then })
				if r.Present != tt.want || (c.Subscriptions() == 1) != tt.want {
					t.Errorf("present %v with %d subscriptions, want %v", r.Present, c.Subscriptions(), tt.want)
				}
				synctest.Wait()
				if got := len(d.received()) > 0; got != tt.want {
					t.Errorf("the queued message came: %v, want %v", got, tt.want)
				}
				leave(b, c)
				if tt.resume.Expiry == 0 && (b.HasSession("c") || l.Usage().Sessions != 0) {
					t.Error("a session that was resumed for the last time is kept")
				}
				b.Close()
			})
		})
	}
}

// TestSessionExpiry: sessions end within a minute of their time, also after a restart, and leave nothing.
func TestSessionExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &logtest.Log{}
		b := stored(t, l)
		for i, expiry := range []time.Duration{30 * time.Minute, 10 * time.Minute, 5 * hour, 20 * time.Minute} {
			c, _, r := arrive(b, fmt.Sprint(i), SessionOptions{Expiry: expiry})
			if want := min(expiry, hour); r.Expiry != want {
				t.Errorf("granted %s, want %s", r.Expiry, want)
			}
			c.Subscribe("t", Options{QoS: 1})
			if i < 3 {
				leave(b, c)
			}
		}
		publish(b, nil, "t", messages(0, 3)...)
		left := func(after time.Duration, want int) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			if n := b.Sessions(); n != want || l.Usage().Sessions != want {
				t.Errorf("%d sessions, %d of them in the log, want %d", n, l.Usage().Sessions, want)
			}
		}
		left(9*time.Minute, 4)
		left(2*time.Minute, 3)
		b.Close()
		b = stored(t, l) // "3" had a connection: its time begins now
		left(18*time.Minute, 3)
		left(2*time.Minute, 1)
		left(30*time.Minute, 0)
		if u := l.Usage(); u.References != 0 {
			t.Errorf("%d messages of nobody are left", u.References)
		}
		if r := b.NewRoute("t"); b.Reaches(r) {
			t.Error("an ended session still subscribes")
		}
		b.Close()
	})
}

// TestTakeOver: the new connection inherits the session, and the old one gets nothing more.
func TestTakeOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := stored(t, &logtest.Log{})
		c1, d1, _ := arrive(b, "c", SessionOptions{Expiry: hour})
		c1.Subscribe("t", Options{QoS: 1})
		publish(b, nil, "t", messages(0, 2)...)
		c2, d2, r := arrive(b, "c", SessionOptions{Expiry: hour})
		if r.Displaced != c1 || !r.Present {
			t.Fatalf("%+v", r)
		}
		publish(b, nil, "t", messages(2, 3)...)
		ack(c1, 1) // too late: the message is on its way to c2
		leave(b, c1)
		if diff := cmp.Diff(numbers(0, 2), payloads(t, d1)); diff != "" {
			t.Error("old:", diff)
		}
		if diff := cmp.Diff(numbers(0, 3), payloads(t, d2)); diff != "" {
			t.Error("new:", diff)
		}
		leave(b, c2)
		b.Close()
	})
}

// TestQueueBounds: the newest is dropped at each bound, and the client learns how many.
func TestQueueBounds(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Config)
		sizes  int
		want   int
		missed Missed
	}{
		"messages": {change: func(cfg *Config) { cfg.QueueMessages = 3 }, want: 3, missed: Missed{Full: 5}},
		"bytes":    {change: func(cfg *Config) { cfg.QueueBytes = 4000 }, sizes: 1000, want: 3, missed: Missed{Full: 5}},
		"rate":     {change: func(cfg *Config) { cfg.QueueRate = gcra.PerSecond(4) }, want: 4, missed: Missed{Throttled: 4}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := stored(t, &logtest.Log{}, tt.change)
				c, _, _ := arrive(b, "c", SessionOptions{Expiry: hour})
				c.Subscribe("t", Options{QoS: 1})
				leave(b, c)
				for i := range 8 {
					publish(b, nil, "t", &Message{QoS: 1, Payload: append(fmt.Append(nil, i), make([]byte, tt.sizes)...)})
				}
				c, d, r := arrive(b, "c", SessionOptions{Expiry: hour})
				if r.Missed != tt.missed {
					t.Errorf("missed %+v, want %+v", r.Missed, tt.missed)
				}
				got := payloads(t, d)
				if len(got) != tt.want || got[0][0] != '0' || got[tt.want-1][0] != byte('0'+tt.want-1) {
					t.Errorf("%d messages came, want the first %d", len(got), tt.want)
				}
				leave(b, c)
				if _, _, r = arrive(b, "c", SessionOptions{Clean: true}); r.Missed != (Missed{}) {
					t.Error("told twice")
				}
				b.Close()
			})
		})
	}
}

// TestDrain: what is decided when a stored message is delivered, and not when it was stored.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &logtest.Log{}
		b := stored(t, l, func(cfg *Config) { cfg.DrainRate = gcra.PerSecond(10) })
		v5 := func(cfg *ClientConfig) { cfg.V5, cfg.MaxPacket = true, 60 }
		c, _, _ := arrive(b, "c", SessionOptions{Expiry: hour}, v5)
		c.Subscribe("t", Options{QoS: 1, RetainAsPublished: true})
		c.Subscribe("u", Options{QoS: 1})
		leave(b, c)
		now := time.Now()
		publish(b, nil, "t",
			&Message{QoS: 1, Payload: []byte("too late"), Expires: now.Add(5 * time.Second)},
			&Message{QoS: 1, Payload: []byte("in time"), Expires: now.Add(time.Minute), Retain: true},
			&Message{QoS: 1, Payload: make([]byte, 100)})
		publish(b, nil, "u", &Message{QoS: 1, Retain: true, Properties: []byte{1, 1}})
		publish(b, nil, "t", messages(0, 30)...)
		time.Sleep(10 * time.Second)
		c, d, _ := arrive(b, "c", SessionOptions{Expiry: hour}, v5)
		publish(b, nil, "t", messages(30, 31)...)
		synctest.Wait()
		got := parse(t, d.received(), true)
		want := []packet{
			{Topic: "t", Payload: "in time", QoS: 1, Retain: true, ID: 1, Props: "\x02\x00\x00\x00\x32"},
			{Topic: "u", QoS: 1, ID: 2, Props: "\x01\x01"},
		}
		if len(got) != 10 {
			t.Fatalf("%d messages at once, want the 10 of a second", len(got))
		}
		if diff := cmp.Diff(want, got[:2]); diff != "" {
			t.Error(diff)
		}
		time.Sleep(1050 * time.Millisecond)
		if n := len(parse(t, d.received(), true)); n < 19 || n > 21 {
			t.Errorf("%d messages after a second, want 20", n)
		}
		time.Sleep(3 * time.Second)
		if got = parse(t, d.received(), true); len(got) != 33 || got[32].Payload != "30" {
			t.Errorf("%d messages in the end, want 33, the live one last", len(got))
		}
		if diff := cmp.Diff([]Drop{DropTooLarge}, d.dropped()); diff != "" {
			t.Error(diff)
		}
		d.deny.Store(true)
		d.gen.Add(1)
		publish(b, nil, "t", messages(31, 32)...)
		if diff := cmp.Diff([]Drop{DropTooLarge, DropDenied}, d.dropped()); diff != "" {
			t.Error(diff)
		}
		leave(b, c)
		publish(b, nil, "t", messages(32, 33)...)
		if c, d, _ = arrive(b, "c", SessionOptions{Expiry: hour}, v5, func(cfg *ClientConfig) { cfg.Peer.(*device).deny.Store(true) }); len(d.dropped()) == 0 {
			t.Error("a message that may not be received was delivered")
		}
		leave(b, c)
		b.Close()
	})
}

// TestRefusedByLog: a message that the log does not take reaches nobody, and later ones do.
func TestRefusedByLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &logtest.Log{}
		b := stored(t, l)
		c, d, _ := arrive(b, "c", SessionOptions{Expiry: hour})
		c.Subscribe("t", Options{QoS: 1})
		v, dv, _ := arrive(b, "v", SessionOptions{})
		v.Subscribe("t", Options{QoS: 1})
		l.Refuse(messagelog.ErrFull)
		bt, r := NewBatch(time.Now()), b.NewRoute("t")
		if n := b.Publish(bt, nil, r, messages(0, 1)[0]); n != 0 || !errors.Is(bt.Refused(), messagelog.ErrFull) || bt.Stored() {
			t.Errorf("%d copies of a message that was refused with %v", n, bt.Refused())
		}
		l.Refuse(nil)
		if n := b.Publish(bt, nil, r, messages(1, 2)[0]); n != 1 || bt.Refused() != nil || !bt.Stored() {
			t.Errorf("%d copies, refused with %v", n, bt.Refused())
		}
		bt.Flush(nil, nil)
		bt.Release()
		for _, d := range []*device{d, dv} {
			if diff := cmp.Diff([]string{"1"}, payloads(t, d)); diff != "" {
				t.Error(diff)
			}
		}
		l.Refuse(messagelog.ErrBroken)
		if _, _, r := arrive(b, "new", SessionOptions{Expiry: hour}); r.Err == nil || r.Expiry != 0 || b.HasSession("new") {
			t.Errorf("a session that could not be stored: %+v", r)
		}
		leave(b, c)
		leave(b, v)
		b.Close()
	})
}

// TestSessionsAtRandom compares sessions with a slow model: what each client should have in its
// queue, in order, whatever happens to connections, sessions and the server.
func TestSessionsAtRandom(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var failed any // rapid wants its panics in its own goroutine
		synctest.Test(t, func(t *testing.T) {
			defer func() { failed = recover() }()
			sessionsAtRandom(t, rt)
		})
		if failed != nil {
			panic(failed)
		}
	})
}

// modelSession is a session as it should be.
type modelSession struct {
	filters  map[string]bool
	queue    []string // not acknowledged, oldest first
	expiry   time.Duration
	gone     time.Time // when it lost its connection
	client   *Client
	device   *device
	read     int               // packets of device that were looked at
	underway map[uint16]string // of this connection
	handed   int               // how many of queue are under way
	stored   bool              // it outlives its connection
}

// room is how many messages a client whose session ends with its connection has under way beside its queue.
func (s *modelSession) room() int {
	if s.stored {
		return 0
	}
	return s.handed
}

const modelQueue = 40 // messages in a queue: more than a page

func sessionsAtRandom(t *testing.T, rt *rapid.T) {
	l := &logtest.Log{}
	limit := func(cfg *Config) { cfg.QueueMessages = modelQueue }
	b := stored(t, l, limit)
	model := map[string]*modelSession{}
	ids, topics := []string{"a", "b", "c"}, []string{"t", "u"}
	number := 0
	drop := func(id string) {
		s := model[id]
		s.client, s.device, s.handed, s.read, s.gone = nil, nil, 0, 0, time.Now()
		if s.expiry == 0 {
			delete(model, id)
		}
	}
	look := func() {
		synctest.Wait()
		for id, s := range model {
			if s.client == nil {
				continue
			}
			all := parse(t, s.device.received(), false)
			for _, p := range all[s.read:] {
				if s.handed >= len(s.queue) || s.queue[s.handed] != p.Payload {
					rt.Fatalf("%s got %s, and should get %q after %d under way", id, p.Payload, s.queue, s.handed)
				}
				s.handed++
				s.underway[p.ID] = p.Payload
			}
			s.read = len(all)
			if want := min(len(s.queue), 5); s.handed < want {
				rt.Fatalf("%s has %d messages under way of %q, its window is 5", id, s.handed, s.queue)
			}
		}
	}
	for range rapid.IntRange(1, 60).Draw(rt, "steps") {
		id := rapid.SampledFrom(ids).Draw(rt, "client")
		s := model[id]
		switch rapid.SampledFrom([]string{"connect", "connect", "leave", "publish", "publish", "publish", "ack", "ack", "sleep", "subscribe", "restart"}).Draw(rt, "step") {
		case "connect":
			o := SessionOptions{Clean: rapid.IntRange(0, 4).Draw(rt, "clean") == 0, Expiry: time.Duration(rapid.IntRange(0, 3).Draw(rt, "expiry")) * 10 * time.Minute}
			var old *Client
			if s != nil {
				old = s.client
			}
			c, d, r := arrive(b, id, o, func(cfg *ClientConfig) { cfg.ReceiveMaximum, cfg.PendingMessages = 5, modelQueue })
			if r.Displaced != old {
				rt.Fatalf("%s displaced %p, want %p", id, r.Displaced, old)
			}
			if old != nil {
				leave(b, old)
			}
			if present := s != nil && !o.Clean && s.stored; r.Present != present {
				rt.Fatalf("%s: session present %v, want %v", id, r.Present, present)
			}
			if !r.Present {
				s = &modelSession{filters: map[string]bool{}}
				model[id] = s
			}
			s.client, s.device, s.read, s.handed, s.expiry, s.underway = c, d, 0, 0, o.Expiry, map[uint16]string{}
			if s.stored = c.Persistent(); !s.stored {
				s.expiry = 0
			}
		case "leave":
			if s != nil && s.client != nil {
				leave(b, s.client)
				drop(id)
			}
		case "subscribe":
			if s == nil || s.client == nil {
				continue
			}
			topic := rapid.SampledFrom(topics).Draw(rt, "topic")
			if rapid.Bool().Draw(rt, "un") {
				s.client.Unsubscribe(topic)
				delete(s.filters, topic)
			} else {
				s.client.Subscribe(topic, Options{QoS: 1})
				s.filters[topic] = true
			}
		case "publish":
			topic := rapid.SampledFrom(topics).Draw(rt, "topic")
			n := rapid.IntRange(1, 25).Draw(rt, "messages")
			publish(b, nil, topic, messages(number, number+n)...)
			for i := range n {
				for _, s := range model {
					if s.filters[topic] && len(s.queue) < modelQueue+s.room() {
						s.queue = append(s.queue, fmt.Sprint(number+i))
					}
				}
			}
			number += n
		case "ack":
			if s == nil || s.client == nil {
				continue
			}
			for _, p := range slices.Sorted(maps.Keys(s.underway)) {
				payload := s.underway[p]
				if rapid.Bool().Draw(rt, "not this one") {
					continue
				}
				ack(s.client, p)
				delete(s.underway, p)
				s.queue = slices.DeleteFunc(s.queue, func(q string) bool { return q == payload })
				s.handed--
			}
		case "sleep":
			time.Sleep(time.Duration(rapid.IntRange(1, 21).Draw(rt, "minutes")) * time.Minute)
		case "restart":
			for _, s := range model {
				if s.client != nil {
					s.client.Finish(nil)
				}
			}
			b.Close()
			b = stored(t, l, limit)
			for id := range model {
				if model[id].client != nil {
					if !model[id].stored {
						model[id].expiry = 0
					}
					drop(id)
				}
			}
		}
		for id, s := range model {
			if s.client == nil && time.Since(s.gone) >= s.expiry {
				delete(model, id)
			}
		}
		look()
	}
	for _, s := range model {
		if s.client != nil {
			leave(b, s.client)
		}
	}
	b.Close()
}
