//go:build linux

package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// connects makes n connections with workers at a time, each up to what `until`
// does, and answers the CPU time of server for one.
func connects(server *process, n, workers int, until func(i int) error) (time.Duration, error) {
	before, err := server.cpu()
	if err != nil {
		return 0, err
	}
	if err := inParallel(n, workers, until); err != nil {
		return 0, err
	}
	time.Sleep(100 * time.Millisecond) // the server closes its ends
	after, err := server.cpu()
	return (after - before) / time.Duration(n), err
}

// inParallel runs f(0) … f(n-1) by workers and answers the first error.
func inParallel(n, workers int, f func(i int) error) error {
	var next atomic.Int64
	var first atomic.Pointer[error]
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && first.Load() == nil; i = next.Add(1) - 1 {
				if err := f(int(i)); err != nil {
					first.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	if err := first.Load(); err != nil {
		return *err
	}
	return nil
}

// handshakeOnly completes the handshake and says goodbye.
func (d device) handshakeOnly(int) error {
	tc, err := d.dial()
	if err != nil {
		return err
	}
	return tc.Close()
}

// connectOnly goes up to CONNACK, then sends DISCONNECT.
func (d device) connectOnly(i int) error {
	tc, _, err := d.connect(fmt.Sprintf("bench-%d", i), 60)
	if err != nil {
		return err
	}
	_, _ = tc.Write([]byte{0xe0, 0})
	return tc.Close()
}

// window is how many messages of a pair may be under way: closed loop, so that no
// broker has to drop and what is measured is work done.
const window = 200

// pairs sends perPair QoS 0 messages of size bytes from each of n publishers to
// its one subscriber and answers the CPU time of server for one delivered message.
// With every above 0 a publisher sends one message each time that has passed, and
// does not wait for its subscriber: an open loop.
func pairs(server *process, d device, n, perPair, size int, every time.Duration) (time.Duration, error) {
	type pair struct {
		pub, sub *tls.Conn
		in       *bufio.Reader
		topic    string
	}
	all := make([]pair, n)
	for i := range all {
		p := &all[i]
		var err error
		p.topic = fmt.Sprintf("bench/%d/t", i)
		if p.sub, p.in, err = d.connect(fmt.Sprintf("bench-sub-%d", i), 1200); err != nil {
			return 0, err
		}
		defer p.sub.Close()
		if _, err := p.sub.Write(subscribePacket(p.topic, 0)); err != nil {
			return 0, err
		}
		if header, err := readPacket(p.in); err != nil || header != 0x90 {
			return 0, fmt.Errorf("SUBACK: %#x, %w", header, err)
		}
		if p.pub, _, err = d.connect(fmt.Sprintf("bench-pub-%d", i), 1200); err != nil {
			return 0, err
		}
		defer p.pub.Close()
	}
	before, err := server.cpu()
	if err != nil {
		return 0, err
	}
	var wg sync.WaitGroup
	failures := make(chan error, 2*n)
	for i := range all {
		p := &all[i]
		deadline := time.Now().Add(5 * time.Minute)
		_ = p.sub.SetDeadline(deadline)
		_ = p.pub.SetDeadline(deadline)
		credit := make(chan struct{}, window)
		wg.Go(func() {
			message := publishPacket(p.topic, make([]byte, size))
			next := time.Now().Add(every * time.Duration(i) / time.Duration(n))
			for range perPair {
				credit <- struct{}{}
				if every > 0 {
					time.Sleep(time.Until(next))
					next = next.Add(every)
				}
				if _, err := p.pub.Write(message); err != nil {
					failures <- err
					p.sub.Close()
					return
				}
			}
		})
		wg.Go(func() {
			for got := range perPair {
				if header, err := readPacket(p.in); err != nil || header>>4 != 3 {
					failures <- fmt.Errorf("after %d of %d messages: header %#x, %w", got, perPair, header, err)
					p.pub.Close()
					for range window { // lets the publisher see that its connection is closed
						select {
						case <-credit:
						default:
						}
					}
					return
				}
				<-credit
			}
		})
	}
	wg.Wait()
	close(failures)
	for err := range failures {
		return 0, err
	}
	after, err := server.cpu()
	return (after - before) / time.Duration(n*perPair), err
}

// idle holds n idle connections and answers the resident memory of server for one.
func idle(server *process, d device, n int) (int64, error) {
	before, err := server.resident()
	if err != nil {
		return 0, err
	}
	held := make([]net.Conn, n)
	defer func() {
		for _, nc := range held {
			if nc != nil {
				nc.Close()
			}
		}
	}()
	if err := inParallel(n, 4, func(i int) error {
		tc, _, err := d.connect(fmt.Sprintf("bench-idle-%d", i), 1200)
		if err == nil {
			held[i] = tc
		}
		return err
	}); err != nil {
		return 0, err
	}
	time.Sleep(5 * time.Second) // handshake garbage is collected, buffers are given back
	after, err := server.resident()
	if err != nil {
		return 0, err
	}
	for i, nc := range held {
		if nc == nil {
			return 0, errors.New("connection not held: " + fmt.Sprint(i))
		}
	}
	return (after - before) / int64(n), nil
}
