package broker

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// packet is a PUBLISH as its receiver sees it.
type packet struct {
	Topic, Payload string
	QoS            byte
	Retain         bool
	ID             uint16
	Props          string
}

func parse(t *testing.T, b []byte, v5 bool) (list []packet) {
	t.Helper()
	for len(b) > 0 {
		size, n := binary.Uvarint(b[1:])
		if b[0]>>4 != 3 || n <= 0 || len(b) < 1+n+int(size) {
			t.Fatalf("not a PUBLISH: % x", b[:min(len(b), 16)])
		}
		p := packet{QoS: b[0] >> 1 & 3, Retain: b[0]&1 != 0}
		body := b[1+n : 1+n+int(size)]
		b = b[1+n+int(size):]
		topic := int(binary.BigEndian.Uint16(body))
		p.Topic, body = string(body[2:2+topic]), body[2+topic:]
		if p.QoS > 0 {
			p.ID, body = binary.BigEndian.Uint16(body), body[2:]
		}
		if v5 {
			props, n := binary.Uvarint(body)
			p.Props, body = string(body[n:n+int(props)]), body[n+int(props):]
		}
		p.Payload = string(body)
		list = append(list, p)
	}
	return list
}

func publish(b *Broker, from *Client, topic string, list ...*Message) {
	bt := NewBatch(time.Now())
	r := b.NewRoute(topic)
	for _, m := range list {
		b.Publish(bt, from, r, m)
	}
	bt.Flush(nil, nil)
	bt.Release()
}

func TestDeliver(t *testing.T) {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // when the clock of a bubble starts
	for name, tt := range map[string]struct {
		v5    bool
		own   bool // the subscriber is the publisher
		subs  map[string]Options
		msg   Message
		limit int
		want  []packet
		drops []Drop
	}{
		"QoS 0":                     {subs: map[string]Options{"t": {}}, msg: Message{Payload: []byte("x")}, want: []packet{{Topic: "t", Payload: "x"}}},
		"publish 1, granted 0":      {subs: map[string]Options{"t": {}}, msg: Message{QoS: 1}, want: []packet{{Topic: "t"}}},
		"publish 0, granted 1":      {subs: map[string]Options{"t": {QoS: 1}}, msg: Message{}, want: []packet{{Topic: "t"}}},
		"publish 1, granted 1":      {subs: map[string]Options{"t": {QoS: 1}}, msg: Message{QoS: 1}, want: []packet{{Topic: "t", QoS: 1, ID: 1}}},
		"overlap, highest QoS":      {subs: map[string]Options{"t": {}, "+": {QoS: 1}, "#": {}}, msg: Message{QoS: 1}, want: []packet{{Topic: "t", QoS: 1, ID: 1}}},
		"no local":                  {own: true, v5: true, subs: map[string]Options{"t": {NoLocal: true}}, msg: Message{}},
		"no local, other publisher": {v5: true, subs: map[string]Options{"t": {NoLocal: true}}, msg: Message{}, want: []packet{{Topic: "t"}}},
		"no local and another":      {own: true, v5: true, subs: map[string]Options{"t": {NoLocal: true}, "+": {}}, msg: Message{}, want: []packet{{Topic: "t"}}},
		"retain, live copy":         {subs: map[string]Options{"t": {}}, msg: Message{Retain: true}, want: []packet{{Topic: "t"}}},
		"retain as published":       {v5: true, subs: map[string]Options{"t": {RetainAsPublished: true}}, msg: Message{Retain: true}, want: []packet{{Topic: "t", Retain: true}}},
		"properties to v5":          {v5: true, subs: map[string]Options{"t": {}}, msg: Message{Properties: []byte{1, 1}}, want: []packet{{Topic: "t", Props: "\x01\x01"}}},
		"properties to v3":          {subs: map[string]Options{"t": {}}, msg: Message{Properties: []byte{1, 1}, Expires: now.Add(time.Minute)}, want: []packet{{Topic: "t"}}},
		"expiry, rounded down":      {v5: true, subs: map[string]Options{"t": {}}, msg: Message{Expires: now.Add(9900 * time.Millisecond)}, want: []packet{{Topic: "t", Props: "\x02\x00\x00\x00\x09"}}},
		"too large for the client":  {subs: map[string]Options{"t": {}}, msg: Message{Payload: make([]byte, 100)}, limit: 100, drops: []Drop{DropTooLarge}},
		"not subscribed":            {subs: map[string]Options{"t/x": {}}, msg: Message{}},
		"shared":                    {subs: map[string]Options{"$share/g/+": {QoS: 1}}, msg: Message{QoS: 1}, want: []packet{{Topic: "t", QoS: 1, ID: 1}}},
		"shared and ordinary":       {subs: map[string]Options{"$share/g/+": {}, "t": {}}, msg: Message{QoS: 1}, want: []packet{{Topic: "t"}, {Topic: "t"}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, d := New(Config{}), newDevice()
				c := b.NewClient(ClientConfig{ID: "c", V5: tt.v5, Conn: d, Peer: d, MaxPacket: tt.limit})
				b.Connect(c, SessionOptions{})
				for f, o := range tt.subs {
					c.Subscribe(f, o)
				}
				var from *Client
				if tt.own {
					from = c
				}
				publish(b, from, "t", &tt.msg)
				synctest.Wait()
				if diff := cmp.Diff(tt.want, parse(t, d.received(), tt.v5)); diff != "" {
					t.Errorf("received (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.drops, d.dropped()); diff != "" {
					t.Errorf("dropped (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestReceiveDecidedOnce(t *testing.T) {
	b, d := New(Config{}), newDevice()
	d.ready = true
	c := b.NewClient(ClientConfig{ID: "c", Conn: d, Peer: d})
	c.Subscribe("t", Options{})
	r, bt := b.NewRoute("t"), NewBatch(time.Now())
	send := func() int { defer bt.Flush(nil, nil); return b.Publish(bt, nil, r, &Message{}) }
	for range 3 {
		if n := send(); n != 1 {
			t.Fatalf("%d copies", n)
		}
	}
	if d.decided != 1 {
		t.Errorf("decided %d times for one topic and one authorization", d.decided)
	}
	d.deny.Store(true)
	d.gen.Add(1)
	if n := send() + send(); n != 0 || d.decided != 2 {
		t.Errorf("after the policy changed: %d copies, %d decisions", n, d.decided)
	}
	if diff := cmp.Diff([]Drop{DropDenied, DropDenied}, d.dropped()); diff != "" {
		t.Error(diff)
	}
}

// TestWindow sends more QoS 1 messages than the client may have unacknowledged.
func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d := New(Config{}), newDevice()
		c := b.NewClient(ClientConfig{ID: "c", V5: true, Conn: d, Peer: d, ReceiveMaximum: 3, PendingMessages: 4})
		c.Subscribe("t", Options{QoS: 1})
		var list []*Message
		for i := range 9 {
			m := &Message{QoS: 1, Payload: fmt.Append(nil, i)}
			switch i {
			case 4:
				m.Expires = time.Now().Add(time.Second)
			case 5:
				m.Expires = time.Now().Add(time.Minute)
			}
			list = append(list, m)
		}
		publish(b, nil, "t", list...) // 0-2 go out, 3-6 wait, 7 and 8 find the queue full
		synctest.Wait()
		if diff := cmp.Diff([]Drop{DropQueue, DropQueue}, d.dropped()); diff != "" {
			t.Fatal(diff)
		}
		time.Sleep(10 * time.Second)
		bt := NewBatch(time.Now())
		for _, id := range []uint16{2, 2, 77, 1, 3} { // one of them twice, one unknown
			bt.Ack(c, id)
		}
		bt.Flush(c, nil)
		var got []string
		for _, p := range parse(t, d.received(), true) {
			got = append(got, fmt.Sprintf("%s id=%d %q", p.Payload, p.ID, p.Props))
		}
		want := []string{`0 id=1 ""`, `1 id=2 ""`, `2 id=3 ""`, `3 id=4 ""`, `5 id=5 "\x02\x00\x00\x002"`, `6 id=6 ""`}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]Drop{DropQueue, DropQueue, DropExpired}, d.dropped()); diff != "" {
			t.Error(diff)
		}
		c.Sweep(time.Now().Add(59 * time.Minute))
		if n := c.window.n; n != 3 {
			t.Errorf("%d in the window before an hour has passed, want 3", n)
		}
		c.Sweep(time.Now().Add(61 * time.Minute))
		if n := c.window.n; n != 0 {
			t.Errorf("%d in the window after more than an hour", n)
		}
		synctest.Wait()
	})
}

// TestSweepDoesNotWait: who looks after all clients must not be stopped by one that does not read.
func TestSweepDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d := New(Config{}), newDevice()
		c := b.NewClient(ClientConfig{ID: "c", Conn: d, Peer: d, ReceiveMaximum: 1})
		c.Subscribe("t", Options{QoS: 1})
		publish(b, nil, "t", &Message{QoS: 1}, &Message{QoS: 1})
		synctest.Wait()
		d.gate = make(chan struct{}) // from now on nothing is read
		c.Sweep(time.Now().Add(2 * time.Hour))
		if diff := cmp.Diff([]Drop{DropNotAcked}, d.dropped()); diff != "" {
			t.Error(diff)
		}
		close(d.gate)
		c.Finish(nil)
	})
}

// TestSlowReceiver: a client that does not read neither stops its publisher nor grows.
func TestSlowReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d := New(Config{}), newDevice()
		d.gate = make(chan struct{})
		c := b.NewClient(ClientConfig{ID: "c", Conn: d, Peer: d, OutputBytes: 50_000, PendingBytes: 50_000})
		c.Subscribe("t", Options{QoS: 1})
		for i := range 300 {
			m := &Message{QoS: byte(i % 2), Payload: bytes.Repeat([]byte{byte(i)}, 1000)}
			publish(b, nil, "t", m)
		}
		c.out.mu.Lock()
		waiting, pending := c.out.bytes, c.pending.bytes
		c.out.mu.Unlock()
		if waiting > 50_000 || pending > 50_000 {
			t.Errorf("%d bytes of output and %d pending, limit 50000 each", waiting, pending)
		}
		close(d.gate) // the connection breaks
		synctest.Wait()
		c.Finish(nil)
		c.out.mu.Lock()
		defer c.out.mu.Unlock()
		if len(c.out.list) != 0 || c.out.bytes != 0 || c.pending.len() != 0 || b.held.Load() != 0 || b.queued.Load() != 0 {
			t.Errorf("a finished client holds %d chunks, %d bytes, %d pending; the broker counts %d and %d", len(c.out.list), c.out.bytes, c.pending.len(), b.held.Load(), b.queued.Load())
		}
	})
}

// TestManySlowReceivers: the more all together hold, the less each may.
func TestManySlowReceivers(t *testing.T) {
	const limit = 4 << 20
	for _, tt := range []struct{ times, most int }{{0, limit}, {1, limit / 16}, {2, limit / 256}, {3, limit / 1024}} {
		synctest.Test(t, func(t *testing.T) {
			b, d := New(Config{}), newDevice()
			d.gate = make(chan struct{})
			others := int64(tt.times * sharedBytes / 2) // of each kind
			b.held.Store(others/chunkSize + 1)
			b.queued.Store(others + 1)
			c := b.NewClient(ClientConfig{ID: "c", Conn: d, Peer: d, OutputBytes: limit, PendingBytes: limit, ReceiveMaximum: 1})
			c.Subscribe("t", Options{QoS: 1})
			for range 5000 {
				publish(b, nil, "t", &Message{QoS: 1, Payload: make([]byte, 500)})
				publish(b, nil, "t", &Message{Payload: make([]byte, 500)})
			}
			c.out.mu.Lock()
			waiting, pending := c.out.bytes, c.pending.bytes
			c.out.mu.Unlock()
			if waiting > tt.most || pending > tt.most || pending < tt.most/2 {
				t.Errorf("others hold %d bytes: %d wait for the socket and %d for an acknowledgement, want at most %d", others, waiting, pending, tt.most)
			}
			if got := b.queued.Load() - others - 1; got != int64(pending) {
				t.Errorf("the broker counts %d bytes in the queue, it has %d", got, pending)
			}
			close(d.gate)
			synctest.Wait()
			c.Finish(nil)
			if got := b.queued.Load() - others - 1; got != 0 {
				t.Errorf("the broker counts %d bytes of a client that is gone", got)
			}
		})
	}
}

// TestEverythingArrives: with a receiver that reads slowly but reads, QoS 1 messages arrive whole, once and in order.
func TestEverythingArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d := New(Config{}), newDevice()
		d.gate = make(chan struct{})
		c := b.NewClient(ClientConfig{ID: "c", Conn: d, Peer: d, OutputBytes: 40_000})
		c.Subscribe("t", Options{QoS: 1})
		const n = 500
		for i := range n {
			publish(b, nil, "t", &Message{QoS: 1, Payload: fmt.Appendf(nil, "%4d%s", i, bytes.Repeat([]byte("-"), i*3))})
		}
		acked := 0
		for len(parsed(d.received())) < n {
			select {
			case d.gate <- struct{}{}:
			default:
			}
			synctest.Wait()
			bt := NewBatch(time.Now())
			for _, p := range parsed(d.received())[acked:] {
				bt.Ack(c, p)
				acked++
			}
			bt.Flush(nil, nil)
			bt.Release()
			synctest.Wait()
		}
		for i, p := range parse(t, d.received(), false) {
			if want := fmt.Sprintf("%4d", i); p.Payload[:4] != want || len(p.Payload) != 4+i*3 {
				t.Fatalf("packet %d begins with %q and has %d bytes", i, p.Payload[:4], len(p.Payload))
			}
		}
		if d := d.dropped(); d != nil {
			t.Errorf("dropped: %v", d)
		}
		close(d.gate)
		c.Finish(nil)
	})
}

// parsed returns the packet identifiers of the whole packets in b.
func parsed(b []byte) (ids []uint16) {
	for len(b) > 2 {
		size, n := binary.Uvarint(b[1:])
		if n <= 0 || len(b) < 1+n+int(size) {
			break
		}
		topic := int(binary.BigEndian.Uint16(b[1+n:]))
		ids = append(ids, binary.BigEndian.Uint16(b[1+n+2+topic:]))
		b = b[1+n+int(size):]
	}
	return ids
}

func TestRateDelaysQoS1(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d := New(Config{}), newDevice()
		c := b.NewClient(ClientConfig{ID: "c", Conn: d, Peer: d})
		c.Subscribe("t", Options{QoS: 1})
		d.slow.Store(true)
		publish(b, nil, "t", &Message{}, &Message{QoS: 1})
		time.Sleep(100 * time.Millisecond)
		if got := d.received(); len(got) != 0 {
			t.Errorf("received % x above the rate", got)
		}
		d.slow.Store(false)
		time.Sleep(100 * time.Millisecond)
		if diff := cmp.Diff([]packet{{Topic: "t", QoS: 1, ID: 1}}, parse(t, d.received(), false)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]Drop{DropRate}, d.dropped()); diff != "" {
			t.Error(diff)
		}
		c.Finish(nil)
	})
}

func TestConnectDisplaces(t *testing.T) {
	b := New(Config{})
	d1, d2 := newDevice(), newDevice()
	c1 := b.NewClient(ClientConfig{ID: "c", Conn: d1, Peer: d1})
	c2 := b.NewClient(ClientConfig{ID: "c", Conn: d2, Peer: d2})
	if b.Connect(c1, SessionOptions{}).Displaced != nil || b.Connect(c2, SessionOptions{}).Displaced != c1 {
		t.Fatal("the second connection displaces the first")
	}
	b.Disconnect(c1)
	if b.Lookup("c") != c2 || b.Connections() != 1 {
		t.Error("the end of a displaced connection touched its successor")
	}
	b.Disconnect(c2)
	if b.Lookup("c") != nil || b.Connections() != 0 {
		t.Error("still connected")
	}
}

func TestPublishAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	b, d := New(Config{}), newDevice()
	d.ready = true
	c := b.NewClient(ClientConfig{ID: "c", Conn: d, Peer: d})
	c.Subscribe("t/+", Options{})
	r, m := b.NewRoute("t/x"), &Message{Payload: make([]byte, 256)}
	now := time.Now()
	if n := testing.AllocsPerRun(200, func() {
		bt := NewBatch(now)
		b.Publish(bt, nil, r, m)
		bt.Flush(nil, nil)
		bt.Release()
		d.mu.Lock()
		d.got.Reset()
		d.mu.Unlock()
	}); n >= 1 {
		t.Errorf("%v allocations for a QoS 0 message from one to one, want 0", n)
	}
}

func BenchmarkPublish(b *testing.B) {
	for _, receivers := range []int{1, 4, 1000} {
		for _, qos := range []byte{0, 1} {
			b.Run(fmt.Sprintf("receivers=%d/qos=%d", receivers, qos), func(b *testing.B) {
				br := New(Config{})
				var clients []*Client
				for i := range receivers {
					d := &sink{}
					d.gen.Store(1)
					c := br.NewClient(ClientConfig{ID: fmt.Sprint(i), Conn: d, Peer: d})
					c.Subscribe("t/+", Options{QoS: qos})
					clients = append(clients, c)
				}
				r, m := br.NewRoute("t/x"), &Message{Payload: make([]byte, 256), QoS: qos}
				now := time.Now()
				b.ReportAllocs()
				for id := uint16(1); b.Loop(); id++ {
					bt := NewBatch(now)
					br.Publish(bt, nil, r, m)
					if qos > 0 {
						for _, c := range clients {
							bt.Ack(c, max(id, 1))
						}
					}
					for _, c := range bt.dirty {
						c.out.flush(byOther)
					}
					bt.dirty = bt.dirty[:0]
					bt.Release()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(receivers), "ns/copy")
			})
		}
	}
}

// sink is a device that reads everything at once.
type sink struct{ device }

func (*sink) Write(p []byte) (int, error) { return len(p), nil }
func (*sink) Congested() bool             { return false }

func BenchmarkMatch(b *testing.B) {
	for _, filters := range []int{2000, 100_000} {
		b.Run(fmt.Sprintf("filters=%d", filters), func(b *testing.B) {
			br, d := New(Config{}), newDevice()
			for i := range filters / 10 {
				c := br.NewClient(ClientConfig{ID: fmt.Sprint(i), Conn: d, Peer: d})
				for j := range 10 {
					f := fmt.Sprintf("site/%d/dev/%d/%d", i, j, j)
					switch j % 3 {
					case 1:
						f = fmt.Sprintf("site/%d/+/%d/#", i, j)
					case 2:
						f = fmt.Sprintf("+/%d/dev/%d/+", i, j)
					}
					c.Subscribe(f, Options{})
				}
			}
			r := br.NewRoute("site/77/dev/3/3")
			b.ReportAllocs()
			for b.Loop() {
				r.genAt = nil
				r.refresh(br)
			}
		})
	}
}
