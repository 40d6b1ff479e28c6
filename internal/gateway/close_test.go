package gateway

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// TestAlertSurvives: a device that goes on sending before it reads still gets
// the alert, many times out of as many. Source: PROBLEMS 1.2.
func TestAlertSurvives(t *testing.T) {
	d := issued(t, registry.StatusInactive)
	for range 12 {
		r := newRig(t, nil)
		nc, err := net.Dial("tcp", r.addr[DoorMQTT])
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(10 * time.Second))
		tc := tls.Client(nc, clientConfig(tls.VersionTLS13, endpointHost, d.cert))
		if err := tc.Handshake(); err != nil {
			t.Fatal(err) // in TLS 1.3 the client is done before we judge
		}
		r.waitClosing()
		if _, err := tc.Write(append(bytes.Clone(connect), make([]byte, 16<<10)...)); err != nil {
			t.Errorf("write: %v", err)
		}
		_, err = tc.Read(make([]byte, 1))
		if number, ok := remoteAlert(err); !ok || number != alertBadCertificate {
			t.Errorf("the client read %v, want alert 42", err)
		}
		nc.Close()
		r.record()
		r.stop()
	}
}

// waitClosing waits until the gateway has ended its side, that is, until it drains.
func (r *rig) waitClosing() {
	deadline := time.Now().Add(2 * time.Second)
	for r.server.Stats().Draining == 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond) // polls over real sockets
	}
}

// TestDrainIsBounded: a peer that never stops sending, or never closes, is cut.
func TestDrainIsBounded(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxDraining = 1 })
	send := func(p []byte) net.Conn {
		nc, err := net.Dial("tcp", r.addr[DoorMQTT])
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(10 * time.Second))
		nc.Write(p)
		return nc
	}
	first := send(connect) // stays open: the gateway drains it for a second
	defer first.Close()
	r.waitClosing()
	second := send(connect) // finds no place
	defer second.Close()
	io.Copy(io.Discard, second) // ends with our half-close, a moment before the count
	for deadline := time.Now().Add(time.Second); r.server.Stats().Skipped == 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond) // polls over real sockets
	}
	if s := r.server.Stats(); s.Skipped != 1 || s.Draining != 1 {
		t.Errorf("%+v, want one draining and one skipped", s)
	}
	endless := time.Now()
	for {
		if _, err := first.Write(make([]byte, 4096)); err != nil {
			break
		}
		if time.Since(endless) > 5*time.Second {
			t.Fatal("the gateway reads for ever")
		}
	}
	r.records(2)
}
