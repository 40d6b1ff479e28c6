//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A shape is who sends to whom.
type shape int

const (
	pairs  shape = iota // publisher i to subscriber i
	fanIn               // all publishers to one subscriber
	fanOut              // one publisher to all subscribers
)

// A flow is a load of messages. Every message carries its publisher, its number
// and when it was sent, so that what is lost, doubled or out of order is counted:
// a broker that is fast because it drops is not fast.
type flow struct {
	shape  shape
	n      int // publishers, for fanOut subscribers
	qos    byte
	v5     bool
	size   int // bytes of payload, at least stampSize
	perPub int // messages of each publisher
	every  time.Duration
}

const (
	stampSize = 14
	// closedWindow is how many deliveries to a subscriber may be under way in a closed
	// loop, so that no broker has to drop and what is measured is work done.
	closedWindow = 2000
	pairsWindow  = 200 // the same for each of many pairs
	// ackWindow is how many QoS 1 messages a publisher has unacknowledged: AWS's receive maximum.
	ackWindow = 100
)

// A yield is what a flow found.
type yield struct {
	cpu       time.Duration // of the server, for one delivered message
	p99       time.Duration // from send to receipt; with an open loop only
	delivered int
}

// credits is a semaphore that is taken and given in numbers.
type credits struct {
	mu   sync.Mutex
	more sync.Cond
	free int
	dead error
}

func newCredits(n int) *credits {
	c := &credits{free: n}
	c.more.L = &c.mu
	return c
}

func (c *credits) take(n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.free < n && c.dead == nil {
		c.more.Wait()
	}
	c.free -= n
	return c.dead
}

func (c *credits) give(n int) {
	c.mu.Lock()
	c.free += n
	c.mu.Unlock()
	c.more.Signal()
}

func (c *credits) kill(err error) {
	c.mu.Lock()
	c.dead = err
	c.mu.Unlock()
	c.more.Broadcast()
}

// run drives the flow against a server and answers what it cost.
func (f flow) run(server *process, d device) (y yield, err error) {
	pubs, subs := f.n, f.n
	switch f.shape {
	case fanIn:
		subs = 1
	case fanOut:
		pubs = 1
	case pairs:
	}
	r := &flowRun{flow: f, began: time.Now(), receivers: 1}
	if f.shape == fanOut {
		r.receivers = subs
	}
	defer r.close()
	if err := r.connect(d, pubs, subs); err != nil {
		return y, err
	}
	before, err := server.cpu()
	if err != nil {
		return y, err
	}
	if err := r.drive(); err != nil {
		return y, err
	}
	after, err := server.cpu()
	y.delivered = pubs * f.perPub * r.receivers
	y.cpu = (after - before) / time.Duration(y.delivered)
	if f.every > 0 {
		slices.Sort(r.latencies)
		y.p99 = r.latencies[len(r.latencies)*99/100]
	}
	return y, err
}

// A flowRun is the state of one run.
type flowRun struct {
	flow
	began     time.Time
	receivers int // of each message
	pubs      []*client
	subs      []*client
	window    []*credits // deliveries under way, by publisher
	acks      []*credits // unacknowledged, by publisher

	mu        sync.Mutex
	latencies []time.Duration // guarded by mu
}

func (r *flowRun) topic(pub int) string {
	switch r.shape {
	case fanIn:
		return fmt.Sprintf("bench/in/%d", pub)
	case fanOut:
		return "bench/out"
	case pairs:
	}
	return fmt.Sprintf("bench/%d/t", pub)
}

func (r *flowRun) connect(d device, pubs, subs int) error {
	r.subs, r.pubs = make([]*client, subs), make([]*client, pubs)
	if err := inParallel(subs, 4, func(i int) (err error) {
		if r.subs[i], err = d.connect(session{id: fmt.Sprint("bench-sub-", i), keepAlive: 1200, v5: r.v5}); err != nil {
			return err
		}
		_ = r.subs[i].SetDeadline(time.Now().Add(10 * time.Minute))
		filter := r.topic(i)
		if r.shape == fanIn {
			filter = "bench/in/+"
		}
		return r.subs[i].subscribe(r.qos, filter)
	}); err != nil {
		return err
	}
	window := pairsWindow
	if r.shape != pairs {
		window = max(2, closedWindow/pubs*r.receivers)
	}
	for range pubs {
		r.window = append(r.window, newCredits(window))
		r.acks = append(r.acks, newCredits(ackWindow))
	}
	return inParallel(pubs, 4, func(i int) (err error) {
		if r.pubs[i], err = d.connect(session{id: fmt.Sprint("bench-pub-", i), keepAlive: 1200, v5: r.v5}); err != nil {
			return err
		}
		return r.pubs[i].SetDeadline(time.Now().Add(10 * time.Minute))
	})
}

func (r *flowRun) close() {
	for _, c := range append(r.pubs, r.subs...) {
		if c != nil {
			c.Close()
		}
	}
}

// drive sends and receives everything.
func (r *flowRun) drive() error {
	var wg sync.WaitGroup
	var once sync.Once
	var failure error
	fail := func(who string, err error) {
		if err == nil {
			return
		}
		once.Do(func() {
			failure = fmt.Errorf("%s: %w", who, err)
			for i := range r.pubs {
				r.window[i].kill(failure)
				r.acks[i].kill(failure)
			}
			r.close()
		})
	}
	for i := range r.pubs {
		wg.Go(func() { fail(fmt.Sprint("publisher ", i), r.publish(i)) })
		if r.qos > 0 {
			wg.Go(func() { fail(fmt.Sprint("acknowledgements of publisher ", i), r.acknowledged(i)) })
		}
	}
	for i := range r.subs {
		wg.Go(func() { fail(fmt.Sprint("subscriber ", i), r.receive(i)) })
	}
	wg.Wait()
	return failure
}

func (r *flowRun) publish(i int) error {
	c := r.pubs[i]
	message, id, at := publishPacket(r.topic(i), r.qos, r.v5, make([]byte, max(r.size, stampSize)))
	binary.BigEndian.PutUint16(message[at:], uint16(i))
	next := time.Now().Add(r.every * time.Duration(i) / time.Duration(len(r.pubs)))
	for n := range r.perPub {
		if err := r.window[i].take(r.receivers); err != nil {
			return err
		}
		if r.qos > 0 {
			if err := r.acks[i].take(1); err != nil {
				return err
			}
			binary.BigEndian.PutUint16(message[id:], uint16(n%60000+1))
		}
		if r.every > 0 {
			time.Sleep(time.Until(next))
			next = next.Add(r.every)
		}
		binary.BigEndian.PutUint32(message[at+2:], uint32(n))
		binary.BigEndian.PutUint64(message[at+6:], uint64(time.Since(r.began)))
		if _, err := c.Write(message); err != nil {
			return err
		}
	}
	return nil
}

func (r *flowRun) acknowledged(i int) error {
	for got := 0; got < r.perPub; {
		n := 0
		for n == 0 || r.pubs[i].in.Buffered() >= 4 {
			header, body, err := r.pubs[i].packet()
			if err != nil || header != 0x40 || len(body) > 2 && body[2] >= 0x80 {
				return fmt.Errorf("after %d of %d: %#x % x, %w", got+n, r.perPub, header, body, err)
			}
			n++
		}
		got += n
		r.acks[i].give(n)
	}
	return nil
}

func (r *flowRun) receive(i int) error {
	c := r.subs[i]
	want := r.perPub
	if r.shape == fanIn {
		want *= len(r.pubs)
	}
	next := make([]uint32, len(r.pubs))
	given := make([]int, len(r.pubs))
	var acks []byte
	var took []time.Duration
	for got := range want {
		header, body, err := c.packet()
		if err != nil || header>>4 != 3 {
			return fmt.Errorf("after %d of %d messages: header %#x, %w", got, want, header, err)
		}
		id, payload, err := c.publishBody(header, body)
		if err != nil || len(payload) < stampSize {
			return errors.Join(errors.New("bad message"), err)
		}
		pub, n := binary.BigEndian.Uint16(payload), binary.BigEndian.Uint32(payload[2:])
		if int(pub) >= len(next) || next[pub] != n {
			return fmt.Errorf("message %d of publisher %d where %d was due: lost, doubled or out of order", n, pub, next[pub])
		}
		next[pub]++
		given[pub]++
		if r.every > 0 {
			took = append(took, time.Since(r.began)-time.Duration(binary.BigEndian.Uint64(payload[6:])))
		}
		if id != 0 {
			acks = append(acks, 0x40, 2, byte(id>>8), byte(id))
		}
		if c.in.Buffered() > 0 && len(acks) < 200 && got != want-1 {
			continue
		}
		if len(acks) > 0 {
			if _, err := c.Write(acks); err != nil {
				return err
			}
			acks = acks[:0]
		}
		for p, n := range given {
			if n > 0 {
				r.window[p].give(n)
				given[p] = 0
			}
		}
	}
	r.mu.Lock()
	r.latencies = append(r.latencies, took...)
	r.mu.Unlock()
	return nil
}
