//go:build linux

package main

import (
	"errors"
	"fmt"
	"time"
)

// What of an offline queue a line measures.
const (
	offlineWrite  = iota // CPU time for a message that is stored for one offline session
	offlineDrain         // CPU time for a stored message that is delivered after the resume
	offlineMemory        // resident memory for a stored message
)

// offlineLine queues QoS 1 messages for ten sessions that are away, and lets them come back.
// Gatehouse has the message on disk before its PUBACK; the peers keep it in memory.
func (b *bench) offlineLine(name string, what int) line {
	const sessions = 10
	perSession := b.scaled(5000)
	total := sessions * perSession
	u := micros
	must := 1.6
	switch what {
	case offlineMemory:
		u, must = octets, 0.5
	case offlineDrain:
		must = 0.70
	}
	return line{name: name, unit: u, must: must, measure: func(s *peer) (figure, error) {
		d := b.device(s, b.ecdsa)
		keeper := func(i int) session {
			return session{id: fmt.Sprint("bench-away-", i), keepAlive: 1200, keeps: true}
		}
		defer func() { _ = inParallel(sessions, 4, func(i int) error { return d.forget(keeper(i)) }) }()
		if err := inParallel(sessions, 4, func(i int) error {
			c, err := d.connect(keeper(i))
			if err != nil {
				return err
			}
			if err := c.subscribe(1, fmt.Sprintf("bench/away/%d/t", i)); err != nil {
				return err
			}
			return c.leave()
		}); err != nil {
			return figure{}, err
		}
		before, err := s.process.resident()
		if err != nil {
			return figure{}, err
		}
		wrote, err := spent(s.process, total, func() error {
			return inParallel(sessions, sessions, func(i int) error { return d.publishAll(i, perSession) })
		})
		if err != nil {
			return figure{}, err
		}
		after, err := s.process.resident()
		if err != nil {
			return figure{}, err
		}
		drained, err := spent(s.process, total, func() error {
			return inParallel(sessions, sessions, func(i int) error { return d.drainAll(keeper(i), perSession) })
		})
		return [...]figure{
			offlineWrite: {value: float64(wrote)}, offlineDrain: {value: float64(drained)},
			offlineMemory: {value: float64(after-before) / float64(total)},
		}[what], err
	}}
}

// forget ends a stored session.
func (d device) forget(s session) error {
	s.keeps = false
	c, err := d.connect(s)
	if err != nil {
		return err
	}
	return c.leave()
}

// publishAll sends n QoS 1 messages to the topic of session i, with at most ackWindow unacknowledged.
func (d device) publishAll(i, n int) error {
	c, err := d.connect(session{id: fmt.Sprint("bench-writer-", i), keepAlive: 1200})
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Minute))
	acks := newCredits(ackWindow)
	failed := make(chan error, 1)
	go func() {
		for range n {
			header, _, err := c.packet()
			if err == nil && header != 0x40 {
				err = fmt.Errorf("packet %#x where a PUBACK was due", header)
			}
			if err != nil {
				acks.kill(err)
				failed <- err
				return
			}
			acks.give(1)
		}
		failed <- nil
	}()
	message, id, at := publishPacket(fmt.Sprintf("bench/away/%d/t", i), 1, false, make([]byte, 256))
	for k := range n {
		if err := acks.take(1); err != nil {
			return err
		}
		pid := k%60000 + 1
		message[id], message[id+1] = byte(pid>>8), byte(pid)
		message[at], message[at+1], message[at+2] = byte(k>>16), byte(k>>8), byte(k)
		if _, err := c.Write(message); err != nil {
			return errors.Join(err, <-failed)
		}
	}
	return <-failed
}

// drainAll resumes a session and takes its n messages, which must come once each and in order. It ends when
// the server has answered a PINGREQ behind the last acknowledgement: until then it has work to do.
func (d device) drainAll(s session, n int) error {
	c, err := d.connect(s)
	if err != nil {
		return err
	}
	defer c.Close()
	if !c.resumed {
		return fmt.Errorf("%s: session not present", s.id)
	}
	_ = c.SetDeadline(time.Now().Add(5 * time.Minute))
	var acks []byte
	for k := range n {
		header, body, err := c.packet()
		if err != nil || header>>4 != 3 {
			return fmt.Errorf("after %d of %d stored messages: %#x, %w", k, n, header, err)
		}
		id, payload, err := c.publishBody(header, body)
		if err != nil || len(payload) < 3 {
			return errors.Join(errors.New("bad message"), err)
		}
		if got := int(payload[0])<<16 | int(payload[1])<<8 | int(payload[2]); got != k {
			return fmt.Errorf("stored message %d where %d was due", got, k)
		}
		acks = append(acks, 0x40, 2, byte(id>>8), byte(id))
		if c.in.Buffered() == 0 || len(acks) >= 200 || k == n-1 {
			if _, err := c.Write(acks); err != nil {
				return err
			}
			acks = acks[:0]
		}
	}
	if _, err := c.Write([]byte{0xc0, 0}); err != nil {
		return err
	}
	if header, _, err := c.packet(); err != nil || header != 0xd0 {
		return fmt.Errorf("packet %#x where a PINGRESP was due, %w", header, err)
	}
	return nil
}
