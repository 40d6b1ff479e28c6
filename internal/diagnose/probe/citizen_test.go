package probe

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// counting forwards connections to a port and counts them.
func counting(t *testing.T, to int) (port int, count *atomic.Int64) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	count = new(atomic.Int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			count.Add(1)
			go forward(nc, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(to)).String())
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return portOf(ln.Addr().String()), count
}

func forward(nc net.Conn, to string) {
	defer nc.Close()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		io.Copy(server, nc)
		server.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(nc, server)
}

// TestConnectionsAreAnnounced counts what reaches the server.
func TestConnectionsAreAnnounced(t *testing.T) {
	s := faults(t)
	for _, fault := range []string{"none", "sni", "alert-42", "version", "connect-close", "cert-expired"} {
		d := newDevice(t)
		d.at(t, s, fault)
		d.opts.Version, d.opts.Variants = 0, true
		port, count := counting(t, d.opts.Port)
		d.opts.Port = port
		r := probe(t, d.opts)
		var made int64
		for _, c := range r.Facts.Connections {
			if !c.Began.IsZero() {
				made++
				if !c.Local.IsValid() || int(c.Remote.Port()) != port {
					t.Errorf("%s: %+v", fault, c)
				}
			}
		}
		if count.Load() != made || made == 0 {
			t.Errorf("%s: %d connections reached the server, %d are in the facts", fault, count.Load(), made)
		}
	}
}

// TestNothingWithoutBeingAsked is a run without --publish and --subscribe.
func TestNothingWithoutBeingAsked(t *testing.T) {
	s := faults(t)
	d := newDevice(t)
	d.at(t, s, "none")
	r := probe(t, d.opts)
	for _, c := range []*check.Check{check.SubscribeRefused, check.PublishRefused} {
		if find(r, Skipped, c) == nil || find(r, Pass, c) != nil {
			t.Errorf("%v was not skipped", c)
		}
	}
	if r.Facts.ClientID == "" || find(r, Pass, check.SessionHazard) == nil {
		t.Error("without a client ID a random one is used")
	}
}

// TestStops ends runs in the middle, wherever that is.
func TestStops(t *testing.T) {
	s := faults(t)
	for _, fault := range []string{"accept-silence", "hello-silence", "connect-silence", "subscribe-silence", "receive-nothing", "slow"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t)
			d.at(t, s, fault)
			d.opts.Timeout, d.opts.Subscribe, d.opts.Publish = time.Minute, "a/#", "a/b"
			p := newRun(d.opts)
			p.lookup = func(context.Context, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
			}
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			began := time.Now()
			r := p.walk(ctx, func(string) {})
			if !errors.Is(r.Stopped, context.DeadlineExceeded) || time.Since(began) > 10*time.Second {
				t.Errorf("ended after %v with %v", time.Since(began), r.Stopped)
			}
			if first := r.First(); first != nil {
				t.Errorf("an interrupted run blames %v", first.Check)
			}
		})
	}
}
