package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// handshakeWait is how long a new connection waits for others to finish their
// handshake when Config.MaxHandshakes are under way: a burst is spread over
// time, in the kernel's queue, before anybody is refused.
const handshakeWait = time.Second

// accept takes connections from ln until ctx ends or ln breaks.
func (s *Server) accept(ctx context.Context, sig conduct, door Door, ln net.Listener) error {
	patience := newPatience(handshakeWait)
	defer patience.stop()
	for backOff := time.Duration(0); ; {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			backOff = 0
		case ctx.Err() != nil:
			return nil // we closed ln ourselves
		case isShortage(err):
			// Out of descriptors or memory: connections that end give some
			// back. Those that wait stay in the kernel's queue.
			if backOff == 0 {
				s.cfg.Log.LogAttrs(ctx, slog.LevelError, "cannot accept connections", slog.String("door", string(door)), slog.String("error", err.Error()))
			}
			backOff = min(max(2*backOff, 5*time.Millisecond), time.Second)
			if !sleep(ctx, backOff) {
				return nil
			}
			continue
		case errors.Is(err, syscall.ECONNABORTED):
			continue // the peer was gone before we took it
		default:
			return fmt.Errorf("accept on %s (%s): %w", ln.Addr(), door, err)
		}
		s.accepted.Add(1)
		if open := s.open.Add(1); open > int64(s.cfg.MaxConnections) {
			s.turnAway(door, nc, check.TCPTooManyConnections, s.cfg.MaxConnections)
			continue
		}
		src := sourceOf(nc)
		ok, turn := s.sources.enter(src)
		switch {
		case ok:
			s.admit(sig, door, nc, src, func() bool { return patience.take(ctx, s.handshakes) })
		case turn != nil:
			s.serving.run(func() { s.await(sig, door, nc, src, turn) })
		default:
			s.turnAway(door, nc, check.TCPTooManyHandshakesOfSource, s.cfg.MaxHandshakesPerSource)
		}
	}
}

// await admits a connection once another one of its source has finished its handshake.
func (s *Server) await(sig conduct, door Door, nc net.Conn, src netip.Prefix, turn chan struct{}) {
	if s.sources.wait(sig, src, turn, s.cfg.HandshakeTimeout/2) {
		patience := newPatience(handshakeWait)
		defer patience.stop()
		s.admit(sig, door, nc, src, func() bool { return patience.take(sig.stop, s.handshakes) })
	} else if sig.stop.Err() == nil {
		s.turnAway(door, nc, check.TCPTooManyHandshakesOfSource, s.cfg.MaxHandshakesPerSource)
	} else {
		s.forget(nc)
	}
}

// admit serves a connection that has a place among those of its source, if take
// gets it one among all.
func (s *Server) admit(sig conduct, door Door, nc net.Conn, src netip.Prefix, take func() bool) {
	if take() {
		s.serving.run(func() { s.serve(sig, door, nc, src) })
		return
	}
	s.sources.leave(src)
	if sig.stop.Err() == nil {
		s.turnAway(door, nc, check.TCPTooManyHandshakes, s.cfg.MaxHandshakes)
	} else {
		s.forget(nc)
	}
}

// turnAway closes a connection that finds no place.
func (s *Server) turnAway(door Door, nc net.Conn, c *check.Check, limit int) {
	s.refused.Add(1)
	at := s.cfg.Attempts.Begin(door, nc.RemoteAddr(), nc.LocalAddr())
	at.Fail(c, attempt.F("required", "at most "+strconv.Itoa(limit)))
	s.forget(nc)
	at.End()
}

// forget closes a connection that was accepted and not served.
func (s *Server) forget(nc net.Conn) {
	nc.Close()
	s.open.Add(-1)
}

// isShortage tells whether accepting failed for want of something that comes back.
func isShortage(err error) bool {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// patience takes tokens, and waits for one once: as long as tokens are out
// after a wait that was in vain, nobody else waits.
type patience struct {
	limit     time.Duration
	timer     *time.Timer
	exhausted bool
}

func newPatience(limit time.Duration) *patience {
	t := time.NewTimer(limit)
	t.Stop()
	return &patience{limit: limit, timer: t}
}

func (p *patience) stop() { p.timer.Stop() }

// take puts a token into tokens, and tells whether there was room.
func (p *patience) take(ctx context.Context, tokens chan struct{}) bool {
	select {
	case tokens <- struct{}{}:
		p.exhausted = false
		return true
	default:
	}
	if p.exhausted {
		return false
	}
	p.timer.Reset(p.limit)
	defer p.timer.Stop()
	select {
	case tokens <- struct{}{}:
		return true
	case <-p.timer.C:
		p.exhausted = true
	case <-ctx.Done():
	}
	return false
}

// sleep waits for d, and tells whether it came to the end before ctx did.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
