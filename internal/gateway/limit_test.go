package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// TestHandshakeTimeout: a peer that says too little is let go.
func TestHandshakeTimeout(t *testing.T) {
	for name, send := range map[string]string{"nothing": "", "a third of a ClientHello": "\x16\x03\x01\x02\x00\x01"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.HandshakeTimeout = 50 * time.Millisecond })
			nc, err := net.Dial("tcp", r.addr[DoorMQTT])
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			io.WriteString(nc, send)
			nc.SetDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.Copy(io.Discard, nc); err != nil {
				t.Errorf("the client read %v, want a clean close", err)
			}
			nc.Close()
			if rec := r.record(); rec.Code != check.TLSHandshakeTimeout.Code {
				t.Errorf("record failed by %q, want %q: %v", rec.Code, check.TLSHandshakeTimeout.Code, rec.Steps)
			}
		})
	}
}

// TestFirstPacketTimeout: so is one that shakes hands and then says nothing.
func TestFirstPacketTimeout(t *testing.T) {
	for door, want := range map[Door]*check.Check{DoorMQTT: check.ConnectTimeout, DoorHTTPS: check.HTTPHeaderTimeout} {
		t.Run(string(door), func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.HeaderTimeout = 50 * time.Millisecond })
			got := r.talk(door, clientConfig(tls.VersionTLS13, endpointHost, issued(t, registry.StatusActive).cert), nil)
			if !got.clean {
				t.Errorf("the client saw %+v, want close_notify", got)
			}
			if rec := r.record(); rec.Code != want.Code {
				t.Errorf("record failed by %q, want %q", rec.Code, want.Code)
			}
		})
	}
}

// TestSilentWithoutALPN is PROBLEMS C-11: a device whose ALPN option did not
// reach its TLS library waits on port 443 in vain. One that did offer something
// is not suspected.
func TestSilentWithoutALPN(t *testing.T) {
	for name, tt := range map[string]struct {
		door    Door
		offered []string
		warned  []string
	}{
		"443, none":     {DoorALPN, nil, []string{check.TLSALPNAbsent.Code}},
		"443, http/1.1": {DoorALPN, []string{"http/1.1"}, nil},
		"443, MQTT":     {DoorALPN, []string{"x-amzn-mqtt-ca"}, nil},
		"8443, none":    {DoorHTTPS, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.HeaderTimeout = 50 * time.Millisecond })
			cfg := clientConfig(tls.VersionTLS13, endpointHost, issued(t, registry.StatusActive).cert)
			cfg.NextProtos = tt.offered
			r.talk(tt.door, cfg, nil)
			if diff := cmp.Diff(tt.warned, codesOf(r.record(), attempt.Warned)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTooMany: what finds no place is turned away at once, and room comes back.
func TestTooMany(t *testing.T) {
	for name, tt := range map[string]struct {
		setup func(*Config)
		want  *check.Check
	}{
		"handshakes":  {func(c *Config) { c.MaxHandshakes, c.MaxHandshakesPerSource = 1, 9 }, check.TCPTooManyHandshakes},
		"connections": {func(c *Config) { c.MaxConnections = 1 }, check.TCPTooManyConnections},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, tt.setup)
			first, err := net.Dial("tcp", r.addr[DoorMQTT])
			if err != nil {
				t.Fatal(err)
			}
			defer first.Close()
			second, err := net.Dial("tcp", r.addr[DoorMQTT])
			if err != nil {
				t.Fatal(err)
			}
			defer second.Close()
			second.SetDeadline(time.Now().Add(10 * time.Second))
			if n, _ := io.Copy(io.Discard, second); n > 0 {
				t.Errorf("%d bytes for a connection that was turned away", n)
			}
			if rec := r.record(); rec.Code != tt.want.Code {
				t.Errorf("record failed by %q, want %q", rec.Code, tt.want.Code)
			}
			first.Close()
			r.records(2)
			got := r.talk(DoorMQTT, clientConfig(tls.VersionTLS13, endpointHost, issued(t, registry.StatusActive).cert), connect)
			if len(got.answer) != 4 {
				t.Errorf("after the first one left: %+v, want a CONNACK", got)
			}
		})
	}
}

// TestShutdown: live connections are told, and everything ends.
func TestShutdown(t *testing.T) {
	r := newRig(t, nil)
	d := issued(t, registry.StatusActive)
	tc, err := tls.Dial("tcp", r.addr[DoorMQTT], clientConfig(tls.VersionTLS13, endpointHost, d.cert))
	if err != nil {
		t.Fatal(err)
	}
	defer tc.Close()
	tc.SetDeadline(time.Now().Add(10 * time.Second))
	tc.Write(connect)
	if _, err := io.ReadFull(tc, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	web, err := tls.Dial("tcp", r.addr[DoorHTTPS], clientConfig(tls.VersionTLS13, endpointHost, d.cert))
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	half, err := net.Dial("tcp", r.addr[DoorMQTT]) // in its handshake
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	for r.server.Stats().Open < 3 {
		time.Sleep(time.Millisecond) // polls the accept loop over real sockets
	}
	read := make(chan error, 1)
	go func() { _, err := tc.Read(make([]byte, 1)); tc.Close(); web.Close(); read <- err }()
	r.stop()
	if err := <-read; !errors.Is(err, io.EOF) {
		t.Errorf("the live connection read %v, want EOF by close_notify", err)
	}
	if s := r.server.Stats(); s.Open != 0 || s.Handshakes != 0 || s.Draining != 0 {
		t.Errorf("after Run returned: %+v", s)
	}
}

// flakyListener fails like a process out of descriptors, then works.
type flakyListener struct {
	net.Listener
	mu    sync.Mutex
	fails int // guarded by mu
}

func (l *flakyListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	fail := l.fails > 0
	l.fails--
	l.mu.Unlock()
	if fail {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

// TestAcceptSurvivesShortage: EMFILE is waited out.
func TestAcceptSurvivesShortage(t *testing.T) {
	r := newRig(t, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(r.server.cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, Listeners{MQTT: &flakyListener{Listener: ln, fails: 3}}) }()
	r.addr[DoorMQTT] = ln.Addr().String()
	if got := r.talk(DoorMQTT, clientConfig(tls.VersionTLS13, endpointHost, issued(t, registry.StatusActive).cert), connect); len(got.answer) != 4 {
		t.Errorf("the client saw %+v, want a CONNACK", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// TestBrokenListener: what is broken for good ends Run with an error.
func TestBrokenListener(t *testing.T) {
	r := newRig(t, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(r.server.cfg)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(t.Context(), Listeners{MQTT: ln}) }()
	ln.Close()
	if err := <-done; err == nil {
		t.Error("Run returned nil after its listener broke")
	}
}
