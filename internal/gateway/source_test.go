package gateway

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

func TestSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sig := conduct{stop: t.Context(), cut: t.Context()}
		a, b := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("2001:db8::/64")
		s := newSources(2, 2)
		enter := func(p netip.Prefix) chan struct{} {
			t.Helper()
			ok, turn := s.enter(p)
			if ok != (turn == nil) {
				t.Fatalf("enter(%v) = %v, %v", p, ok, turn)
			}
			return turn
		}
		enter(a)
		enter(a)
		first, second := enter(a), enter(a)
		if ok, turn := s.enter(a); ok || turn != nil {
			t.Error("a fifth connection may wait, though two do")
		}
		if ok, _ := s.enter(b); !ok {
			t.Error("another source finds no place")
		}
		began := time.Now()
		s.leave(a)
		if !s.wait(sig, a, first, time.Minute) || time.Since(began) > 0 {
			t.Error("the first one does not get the place that is free")
		}
		if s.wait(sig, a, second, time.Minute) || time.Since(began) != time.Minute {
			t.Errorf("the second one waited %v and got a place, want to give up after a minute", time.Since(began))
		}
		third := enter(a)
		stopped, stop := context.WithCancel(t.Context())
		stop()
		if s.wait(conduct{stop: stopped}, a, third, time.Hour) {
			t.Error("a place after the stop")
		}
		s.leave(a)
		s.leave(a)
		s.leave(b)
		if len(s.by) != 0 || s.waiting != 0 {
			t.Errorf("%d sources and %d waiting are left", len(s.by), s.waiting)
		}
	})
}

func TestSourceOf(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:50000":            "192.0.2.1/32",
		"[::ffff:192.0.2.1]:50000":   "192.0.2.1/32",
		"[2001:db8:1:2:3::4]:50000":  "2001:db8:1:2::/64",
		"[fe80::1%eth0]:50000":       "fe80::/64",
		"[2001:db8:1:2:ffff::]:5000": "2001:db8:1:2::/64",
	} {
		if got := sourceOf(addressed{remote: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(remote))}); got.String() != want {
			t.Errorf("sourceOf(%s) = %v, want %s", remote, got, want)
		}
	}
	if got := sourceOf(addressed{remote: &net.UnixAddr{}}); got.IsValid() {
		t.Errorf("sourceOf(no TCP) = %v, want none", got)
	}
}

type addressed struct {
	net.Conn
	remote net.Addr
}

func (a addressed) RemoteAddr() net.Addr { return a.remote }

// TestOneSourceBlocksItselfOnly: a source whose places are taken by connections
// that say nothing is turned away, and another one is served meanwhile.
func TestOneSourceBlocksItselfOnly(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxHandshakes, c.MaxHandshakesPerSource, c.HandshakeTimeout = 8, 1, 2*time.Second })
	from := func(ip string) net.Conn {
		t.Helper()
		nc, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}).Dial("tcp", r.addr[DoorMQTT])
		if err != nil {
			t.Skipf("this system has no second loopback address: %v", err)
		}
		t.Cleanup(func() { nc.Close() })
		nc.SetDeadline(time.Now().Add(10 * time.Second))
		return nc
	}
	silent := from("127.0.0.2")
	second := from("127.0.0.2")
	began := time.Now()
	got := r.talk(DoorMQTT, clientConfig(tls.VersionTLS13, endpointHost, issued(t, registry.StatusActive).cert), connect)
	if len(got.answer) != 4 || time.Since(began) > time.Second {
		t.Errorf("another source after %v: %+v, want a CONNACK at once", time.Since(began), got)
	}
	r.record()
	if n, _ := io.Copy(io.Discard, second); n > 0 {
		t.Errorf("%d bytes for a connection that was turned away", n)
	}
	if rec := r.records(2)[0]; rec.Code != check.TCPTooManyHandshakesOfSource.Code {
		t.Errorf("record failed by %q, want %q", rec.Code, check.TCPTooManyHandshakesOfSource.Code)
	}

	// The next one waits, and gets the place of the silent one.
	third := tls.Client(from("127.0.0.2"), clientConfig(tls.VersionTLS13, endpointHost, issued(t, registry.StatusActive).cert))
	time.AfterFunc(100*time.Millisecond, func() { silent.Close() })
	if _, err := third.Write(connect); err != nil {
		t.Fatalf("a connection that waited for its turn: %v", err)
	}
	if _, err := io.ReadFull(third, make([]byte, 4)); err != nil {
		t.Errorf("a connection that waited for its turn: %v, want a CONNACK", err)
	}
}
