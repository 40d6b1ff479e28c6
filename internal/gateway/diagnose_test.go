package gateway

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// alertConn is a device whose TLS library sends another alert than Go's.
type alertConn struct {
	net.Conn
	number byte
}

func (c alertConn) Write(p []byte) (int, error) {
	if isPlainAlert(p) {
		p = bytes.Clone(p)
		p[6] = c.number
	}
	return c.Conn.Write(p)
}

// refuseUs shakes hands in TLS 1.2 and ends it with an alert once our
// certificate is there.
func (r *rig) refuseUs(alert byte, serverName string) {
	r.t.Helper()
	nc, err := net.Dial("tcp", r.addr[DoorMQTT])
	if err != nil {
		r.t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	cfg := clientConfig(tls.VersionTLS12, serverName)
	cfg.VerifyConnection = func(tls.ConnectionState) error { return errors.New("not this one") }
	if err := tls.Client(alertConn{nc, alert}, cfg).Handshake(); err == nil {
		r.t.Error("handshake succeeded")
	}
}

// TestClientAlerts: why a device does not like our certificate, by the alert
// that its library sends. Source: PROBLEMS B-08, B-10, B-11; connect sheet 9.
func TestClientAlerts(t *testing.T) {
	when := func(now time.Time) func(*Config) {
		return func(c *Config) { c.Now = func() time.Time { return now } }
	}
	later := time.Now().AddDate(20, 0, 0)
	for name, tt := range map[string]struct {
		alert    byte
		sni      string
		setup    func(*Config)
		want     *check.Check
		evidence map[string]string
	}{
		"unknown CA":            {48, endpointHost, nil, check.TLSServerCertUntrusted, map[string]string{"alert": "48 unknown_ca"}},
		"its clock is behind":   {45, endpointHost, nil, check.DeviceClockBehind, map[string]string{"alert": "45 certificate_expired"}},
		"ours has expired":      {45, endpointHost, when(later), check.TLSServerCertExpired, map[string]string{"alert": "45 certificate_expired", "now": later.UTC().Format(time.RFC3339)}},
		"ours is not valid yet": {45, endpointHost, when(time.Unix(0, 0)), check.TLSServerCertExpired, map[string]string{"now": "1970-01-01T00:00:00Z"}},
		"bad, without a name":   {42, "", nil, check.TLSServerCertName, map[string]string{"alert": "42 bad_certificate", "offered": "an address without server name", "required": endpointHost + ", custom.gatehouse.test, localhost"}},
		"bad, by our name":      {42, endpointHost, nil, check.TLSServerCertRefused, map[string]string{"alert": "42 bad_certificate"}},
		"an alert of its own":   {80, endpointHost, nil, check.TLSHandshakeFailed, map[string]string{"alert": "80 internal_error"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, tt.setup)
			r.refuseUs(tt.alert, tt.sni)
			rec := r.record()
			if rec.Outcome != attempt.Failed || rec.Code != tt.want.Code {
				t.Fatalf("record: %s by %q, want failed by %q; steps %v", rec.Outcome, rec.Code, tt.want.Code, rec.Steps)
			}
			evidence := evidenceOf(rec, tt.want)
			for k, v := range tt.evidence {
				if evidence[k] != v {
					t.Errorf("evidence %s is %q, want %q", k, evidence[k], v)
				}
			}
			if tt.alert == 45 && (evidence["not_before"] == "" || evidence["not_after"] == "") {
				t.Errorf("evidence %v lacks the validity of our certificate", evidence)
			}
		})
	}
}

// hello sends a ClientHello and returns the connection once our first byte is there.
func (r *rig) hello(cfg *tls.Config) *net.TCPConn {
	r.t.Helper()
	nc, err := net.Dial("tcp", r.addr[DoorMQTT])
	if err != nil {
		r.t.Fatal(err)
	}
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	tc := tls.Client(oneRead{nc.(*net.TCPConn)}, cfg)
	if err := tc.Handshake(); err == nil {
		r.t.Fatal("handshake succeeded after one byte")
	}
	return nc.(*net.TCPConn)
}

// oneRead is a device that gives up with our first byte, without an alert.
type oneRead struct{ *net.TCPConn }

var errGivesUp = errors.New("gives up")

func (c oneRead) Read(p []byte) (int, error) {
	if _, err := io.ReadFull(c.TCPConn, p[:1]); err != nil {
		return 0, err
	}
	return 0, errGivesUp
}

func (c oneRead) Write(p []byte) (int, error) {
	if p[0] == recordAlert {
		return len(p), nil
	}
	return c.TCPConn.Write(p)
}

// TestResetAfterHello is PROBLEMS B-17: a box on the way inspects TLS.
func TestResetAfterHello(t *testing.T) {
	r := newRig(t, nil)
	nc := r.hello(clientConfig(tls.VersionTLS12, endpointHost))
	nc.SetLinger(0)
	nc.Close() // with RST: not all was read
	rec := r.record()
	if rec.Code != check.NetResetAfterClientHello.Code || evidenceOf(rec, check.NetResetAfterClientHello)["reason"] != "the connection was reset" || rec.SNI != endpointHost {
		t.Errorf("record failed by %q for %q: %v", rec.Code, rec.SNI, rec.Steps)
	}
}

// TestSmallBuffer is PROBLEMS B-13: a device with little memory closes when our
// Certificate message does not fit.
func TestSmallBuffer(t *testing.T) {
	for name, tt := range map[string]struct {
		copies int // of the issuer in our chain
		also   []string
	}{
		"a long chain":  {8, []string{check.ClientTLSBufferSmall.Code}},
		"a short chain": {0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) {
				c.ServerCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
					cert, err := world.authority.ServerCertificate(hello)
					if err != nil {
						return nil, err
					}
					long := *cert
					long.Certificate = append([][]byte(nil), cert.Certificate...)
					for range tt.copies {
						long.Certificate = append(long.Certificate, world.authority.Root().Raw)
					}
					return &long, nil
				}
			})
			cfg := clientConfig(tls.VersionTLS12, endpointHost)
			nc, err := net.Dial("tcp", r.addr[DoorMQTT])
			if err != nil {
				t.Fatal(err)
			}
			nc.SetDeadline(time.Now().Add(10 * time.Second))
			cfg.VerifyConnection = func(tls.ConnectionState) error { nc.Close(); return errGivesUp }
			if err := tls.Client(nc, cfg).Handshake(); err == nil {
				t.Error("handshake succeeded")
			}
			rec := r.record()
			if got := codesOf(rec, attempt.Also); rec.Code != check.TLSServerCertRefused.Code || len(got) != len(tt.also) || len(got) > 0 && got[0] != tt.also[0] {
				t.Errorf("record failed by %q, also %v, want %q, also %v", rec.Code, got, check.TLSServerCertRefused.Code, tt.also)
			}
			if sent, _ := strconv.Atoi(evidenceOf(rec, check.ClientTLSBufferSmall)["bytes_sent"]); len(tt.also) > 0 && sent <= smallBuffer {
				t.Errorf("evidence bytes_sent is %d", sent)
			}
		})
	}
}

// TestSlowHandshake: a link on which embedded devices give up is worth a remark.
// Source: PROBLEMS B-16.
func TestSlowHandshake(t *testing.T) {
	for name, tt := range map[string]struct {
		pause  time.Duration
		warned []string
	}{
		"slow": {5 * time.Second, []string{check.NetSlowHandshake.Code}},
		"fast": {3 * time.Second, nil},
	} {
		t.Run(name, func(t *testing.T) {
			base, now := newRig(t, nil).server.cfg, time.Now()
			synctest.Test(t, func(t *testing.T) {
				cfg := base
				cfg.Attempts = attempt.NewRecorder(attempt.Config{Account: "123456789012", Region: "us-east-1"})
				cfg.HandshakeTimeout = 10 * time.Second
				s, err := New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				client, server := net.Pipe()
				defer client.Close()
				defer server.Close()
				done := make(chan error, 1)
				dial := clientConfig(tls.VersionTLS13, endpointHost)
				dial.Time = func() time.Time { return now } // the clock of a bubble starts in 2000
				go func() {
					time.Sleep(tt.pause)
					done <- tls.Client(client, dial).Handshake()
				}()
				at := cfg.Attempts.Begin(DoorALPN, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}, nil)
				h := &handshake{s: s, door: DoorALPN, at: at, wire: newWire(server)} // this door asks for no certificate
				if _, ok := h.run(conduct{stop: t.Context(), cut: t.Context()}); !ok {
					t.Error("the handshake failed")
				}
				if err := <-done; err != nil {
					t.Errorf("the client: %v", err)
				}
				at.End()
				rec, found, err := cfg.Attempts.Get(t.Context(), at.ID())
				if err != nil || !found {
					t.Fatalf("found %v, %v", found, err)
				}
				warned := slices.DeleteFunc(codesOf(rec, attempt.Warned), func(code string) bool { return code == check.TLSALPNAbsent.Code })
				if !slices.Equal(warned, tt.warned) {
					t.Errorf("warned %v, want %v", warned, tt.warned)
				}
				if len(tt.warned) > 0 && evidenceOf(rec, check.NetSlowHandshake)["elapsed"] != "5s" {
					t.Errorf("evidence %v", evidenceOf(rec, check.NetSlowHandshake))
				}
				if err := cfg.Attempts.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
