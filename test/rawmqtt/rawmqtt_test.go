package rawmqtt_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/rawmqtt"
)

// certificate makes a self-signed certificate for localhost.
func certificate(t *testing.T) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// listen runs serve for each connection until the test ends.
func listen(t *testing.T, serve func(nc *net.TCPConn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer nc.Close()
				nc.SetDeadline(time.Now().Add(10 * time.Second))
				serve(nc.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() { ln.Close(); running.Wait() })
	return ln.Addr().String()
}

// rewriter changes the number of an alert that goes out in plain text, as a
// server does whose library cannot send the one it wants.
type rewriter struct {
	net.Conn
	alert byte
}

func (r rewriter) Write(b []byte) (int, error) {
	if len(b) == 7 && b[0] == 21 {
		b = append(append([]byte{}, b[:6]...), r.alert)
	}
	return r.Conn.Write(b)
}

// peer is the server's end of one connection, with the ways to end it. A step
// that fails shows in what the client saw, so it is only logged.
type peer struct {
	t  *testing.T
	nc *net.TCPConn
	tc *tls.Conn // nil without TLS
}

func (p peer) note(err error) {
	if err != nil {
		p.t.Logf("server: %v", err)
	}
}

func (p peer) send(b []byte) {
	var to net.Conn = p.nc
	if p.tc != nil {
		to = p.tc
	}
	_, err := to.Write(b)
	p.note(err)
}

func (p peer) closeNotify() { p.note(p.tc.CloseWrite()) }

func (p peer) handshake() { p.note(p.tc.Handshake()) }

// reset makes the coming close a TCP reset.
func (p peer) reset() { p.note(p.nc.SetLinger(0)) }

// wait reads until the client leaves.
func (p peer) wait() {
	_, err := io.Copy(io.Discard, p.nc)
	p.note(err)
}

// drain half-closes and reads what the client still sends, so that what was
// sent last is not lost in a reset.
func (p peer) drain() {
	p.note(p.nc.CloseWrite())
	p.wait()
}

// TestHandshakeRefusals: alerts that crypto/tls servers end a handshake with.
func TestHandshakeRefusals(t *testing.T) {
	cert, device := certificate(t), certificate(t)
	refuse := func(tls.ConnectionState) error { return errors.New("no") }
	for _, tt := range []struct {
		name    string
		server  *tls.Config
		rewrite byte
		client  rawmqtt.Options
		want    string
		level   uint8
	}{
		{
			"certificate refused, TLS 1.2", &tls.Config{ClientAuth: tls.RequestClientCert, VerifyConnection: refuse}, 0,
			rawmqtt.Options{TLS: tls.VersionTLS12, Certificate: device},
			"alert 42 bad_certificate in the handshake, then FIN", 2,
		},
		{
			"certificate refused, TLS 1.3", &tls.Config{ClientAuth: tls.RequestClientCert, VerifyConnection: refuse}, 0,
			rawmqtt.Options{TLS: tls.VersionTLS13, Certificate: device},
			"alert 42 bad_certificate (encrypted), then FIN", 0,
		},
		{
			"certificate refused, TLS 1.2, rewritten", &tls.Config{ClientAuth: tls.RequestClientCert, VerifyConnection: refuse}, 46,
			rawmqtt.Options{TLS: tls.VersionTLS12, Certificate: device},
			"alert 46 certificate_unknown in the handshake, then FIN", 2,
		},
		{
			"no certificate, TLS 1.2", &tls.Config{ClientAuth: tls.RequireAnyClientCert}, 0,
			rawmqtt.Options{TLS: tls.VersionTLS12},
			"alert 40 handshake_failure in the handshake, then FIN", 2,
		},
		{
			"no certificate, TLS 1.3", &tls.Config{ClientAuth: tls.RequireAnyClientCert}, 0,
			rawmqtt.Options{TLS: tls.VersionTLS13},
			"alert 116 certificate_required (encrypted), then FIN", 0,
		},
		{
			"no common cipher suite", &tls.Config{CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}}, 0,
			rawmqtt.Options{TLS: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}},
			"alert 40 handshake_failure in the handshake, then FIN", 2,
		},
		{
			"protocol version", &tls.Config{MinVersion: tls.VersionTLS13}, 0,
			rawmqtt.Options{TLS: tls.VersionTLS12},
			"alert 70 protocol_version in the handshake, then FIN", 2,
		},
		{
			"old protocol version", &tls.Config{}, 0,
			rawmqtt.Options{TLS: tls.VersionTLS11},
			"alert 70 protocol_version in the handshake, then FIN", 2,
		},
		{
			"ALPN, TLS 1.2", &tls.Config{NextProtos: []string{"mqtt"}}, 0,
			rawmqtt.Options{TLS: tls.VersionTLS12, ALPN: []string{"x-amzn-mqtt-ca"}},
			"alert 120 no_application_protocol in the handshake, then FIN", 2,
		},
		{
			"ALPN, TLS 1.3", &tls.Config{NextProtos: []string{"mqtt"}}, 0,
			rawmqtt.Options{TLS: tls.VersionTLS13, ALPN: []string{"x-amzn-mqtt-ca"}},
			"alert 120 no_application_protocol in the handshake, then FIN", 2,
		},
		{
			"name, TLS 1.2", &tls.Config{GetConfigForClient: refuseName}, 112,
			rawmqtt.Options{TLS: tls.VersionTLS12, ServerName: "elsewhere"},
			"alert 112 unrecognized_name in the handshake, then FIN", 2,
		},
		{
			"name, TLS 1.3", &tls.Config{GetConfigForClient: refuseName}, 112,
			rawmqtt.Options{TLS: tls.VersionTLS13, ServerName: "elsewhere"},
			"alert 112 unrecognized_name in the handshake, then FIN", 2,
		},
		{
			"internal error", &tls.Config{GetConfigForClient: refuseName}, 0,
			rawmqtt.Options{ServerName: "elsewhere"},
			"alert 80 internal_error in the handshake, then FIN", 2,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addr := listen(t, func(nc *net.TCPConn) {
				var conn net.Conn = nc
				if tt.rewrite != 0 {
					conn = rewriter{nc, tt.rewrite}
				}
				server := tt.server.Clone()
				server.Certificates = []tls.Certificate{*cert}
				if tls.Server(conn, server).Handshake() == nil {
					t.Error("the server accepted")
				}
				peer{t, nc, nil}.drain()
			})
			o := tt.client
			o.Addr = addr
			end, err := rawmqtt.Try(t.Context(), o, []byte{0x10, 0})
			if err != nil || end.String() != tt.want || end.Level != tt.level {
				t.Errorf("Try = %s (level %d), %v; want %s (level %d)\n%v", end, end.Level, err, tt.want, tt.level, end.Err)
			}
		})
	}
}

func refuseName(h *tls.ClientHelloInfo) (*tls.Config, error) {
	if h.ServerName != "localhost" {
		return nil, errors.New("unknown name")
	}
	return nil, nil
}

// TestEnds: how an accepted connection can end, in both versions of TLS.
func TestEnds(t *testing.T) {
	cert := certificate(t)
	for _, tt := range []struct {
		name string
		end  func(p peer)
		mqtt mqtt.Version
		want string
	}{
		{"close_notify and FIN", func(p peer) { p.closeNotify(); p.drain() }, mqtt.V311, "close_notify, then FIN"},
		{"close_notify alone", func(p peer) { p.closeNotify(); p.wait() }, mqtt.V311, "close_notify, then silence"},
		{"close_notify and RST", func(p peer) {
			p.closeNotify()
			p.reset()
		}, mqtt.V311, "close_notify, then RST"},
		{"FIN", func(p peer) { p.drain() }, mqtt.V311, "FIN"},
		{"RST", func(p peer) { p.reset() }, mqtt.V311, "RST"},
		{"silence", func(p peer) { p.wait() }, mqtt.V311, "silence"},
		{"CONNACK of 3.1.1 and close", func(p peer) {
			p.send(mqtt.AppendRefusedVersion(nil))
			p.closeNotify()
			p.drain()
		}, mqtt.V311, "CONNACK 0x01, close_notify, then FIN"},
		{"CONNACK of MQTT 5 and close", func(p peer) {
			p.send([]byte{0x20, 3, 0, 0x87, 0})
			p.closeNotify()
			p.drain()
		}, mqtt.V5, "CONNACK 0x87, close_notify, then FIN"},
		{"CONNACK of the wrong version", func(p peer) {
			p.send(mqtt.AppendRefusedVersion(nil))
			p.closeNotify()
			p.drain()
		}, mqtt.V5, "CONNACK 0x01, malformed [section 3.2.2.3], close_notify, then FIN"},
		{"several packets and DISCONNECT", func(p peer) {
			p.send([]byte{0x20, 3, 0, 0, 0, 0x40, 2})
			p.send([]byte{0, 1, 0x90, 5, 0, 1, 0, 1, 0x87, 0xE0, 1, 0x8E})
			p.closeNotify()
			p.drain()
		}, mqtt.V5, "CONNACK 0x00, PUBACK 0x00, SUBACK 0x01 0x87, DISCONNECT 0x8E, close_notify, then FIN"},
		{"a packet cut off", func(p peer) {
			p.send([]byte{0x20, 2, 0})
			p.closeNotify()
			p.drain()
		}, mqtt.V311, "close_notify, then FIN"},
		{"an HTTP answer", func(p peer) {
			p.send([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			p.closeNotify()
			p.drain()
		}, mqtt.V311, `malformed [MQTT-2.2.2-2], garbage "HTTP/1.1 400 Bad Request\r\n\r\n", then FIN`},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(tt.name+", "+tls.VersionName(version), func(t *testing.T) {
				addr := listen(t, func(nc *net.TCPConn) {
					tc := tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{*cert}})
					if _, err := tc.Read(make([]byte, 2)); err != nil {
						t.Errorf("server: %v", err)
					}
					tt.end(peer{t, nc, tc})
				})
				end, err := rawmqtt.Try(t.Context(), rawmqtt.Options{Addr: addr, TLS: version, MQTT: tt.mqtt, Timeout: 300 * time.Millisecond}, []byte{0x10, 0})
				if err != nil || strings.Replace(end.String(), "MQTT-2.1.3-1", "MQTT-2.2.2-2", 1) != tt.want {
					t.Errorf("Try = %s, %v; want %s\n%v", end, err, tt.want, end.Err)
				}
				if end.Kind == rawmqtt.CloseNotify && !end.Encrypted {
					t.Error("close_notify after the handshake is said to be plain")
				}
			})
		}
	}
}

// TestRawEnds: what servers do that are not even TLS, and what this client does
// without TLS.
func TestRawEnds(t *testing.T) {
	cert := certificate(t)
	for _, tt := range []struct {
		name   string
		server func(p peer)
		client rawmqtt.Options
		send   string
		want   string
	}{
		{"FIN instead of ServerHello", peer.drain, rawmqtt.Options{}, "", "FIN in the handshake"},
		{"RST instead of ServerHello", peer.reset, rawmqtt.Options{}, "", "RST in the handshake"},
		{"no ServerHello", peer.wait, rawmqtt.Options{}, "", "silence in the handshake"},
		{
			"HTTP instead of ServerHello", func(p peer) { p.send([]byte("HTTP/1.1 400 Bad\r\n\r\n")); p.drain() },
			rawmqtt.Options{},
			"",
			`garbage "HTTP/1.1 400 Bad\r\n\r\n" in the handshake, then FIN`,
		},
		{"MQTT to a TLS port", func(p peer) {
			p.tc = tls.Server(p.nc, &tls.Config{Certificates: []tls.Certificate{*cert}})
			p.handshake()
			p.drain()
		}, rawmqtt.Options{Plain: true}, "\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01a", "FIN"},
		{
			"an alert to plain MQTT", func(p peer) { p.send([]byte{21, 3, 3, 0, 2, 2, 10}); p.drain() },
			rawmqtt.Options{Plain: true},
			"\x10\x00",
			"malformed [MQTT-2.2.2-2], alert 10 unexpected_message, then FIN",
		},
		{"plain MQTT", func(p peer) { p.send([]byte{0x20, 2, 0, 5}); p.drain() }, rawmqtt.Options{Plain: true}, "\x10\x00", "CONNACK 0x05, FIN"},
		{"server certificate not trusted", func(p peer) {
			p.tc = tls.Server(p.nc, &tls.Config{Certificates: []tls.Certificate{*cert}})
			p.handshake()
			p.drain()
		}, rawmqtt.Options{RootCAs: x509.NewCertPool(), ServerName: "localhost"}, "", "local: x509: certificate signed by unknown authority in the handshake, then FIN"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := tt.client
			o.Addr = listen(t, func(nc *net.TCPConn) {
				if tt.client.RootCAs == nil && !strings.Contains(tt.name, "TLS port") {
					_, err := nc.Read(make([]byte, 4096))
					peer{t, nc, nil}.note(err)
				}
				tt.server(peer{t, nc, nil})
			})
			o.Timeout = 300 * time.Millisecond
			end, err := rawmqtt.Try(t.Context(), o, []byte(tt.send))
			if got := strings.Replace(end.String(), "MQTT-2.1.3-1", "MQTT-2.2.2-2", 1); err != nil || !strings.HasPrefix(got, tt.want) {
				t.Errorf("Try = %s, %v; want %s\n%v", got, err, tt.want, end.Err)
			}
		})
	}
}

// TestConversation: a client that goes on, with all options in force.
func TestConversation(t *testing.T) {
	cert, device := certificate(t), certificate(t)
	roots := x509.NewCertPool()
	roots.AddCert(cert.Leaf)
	addr := listen(t, func(nc *net.TCPConn) {
		tc := tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{*cert}, NextProtos: []string{"x-amzn-mqtt-ca"}, ClientAuth: tls.RequireAnyClientCert})
		r := mqtt.NewReader(tc, 0, 0)
		send := func(p mqtt.Packet) {
			if err := mqtt.WritePacket(tc, r.Version, p); err != nil {
				t.Errorf("server: %v", err)
			}
		}
		for {
			p, err := r.ReadPacket()
			if err != nil {
				return
			}
			switch p := p.(type) {
			case *mqtt.Connect:
				s := tc.ConnectionState()
				if s.ServerName != "localhost" || !bytes.Equal(s.PeerCertificates[0].Raw, device.Certificate[0]) {
					t.Errorf("server saw SNI %q and another certificate", s.ServerName)
				}
				send(&mqtt.Connack{})
			case *mqtt.Publish:
				send(&mqtt.Puback{PacketID: p.PacketID, Reason: mqtt.NotAuthorized})
			case *mqtt.Disconnect:
				tc.Close()
			}
		}
	})
	c, end, err := rawmqtt.Dial(t.Context(), rawmqtt.Options{Addr: addr, ServerName: "localhost", ALPN: []string{"x-amzn-mqtt-ca"}, Certificate: device, RootCAs: roots})
	if err != nil || end != nil {
		t.Fatalf("Dial: %v, %v", end, err)
	}
	defer leave(c)
	if got := c.State().NegotiatedProtocol; got != "x-amzn-mqtt-ca" {
		t.Errorf("ALPN agreed on %q", got)
	}
	send := func(p mqtt.Packet) {
		t.Helper()
		if err := c.SendPacket(p); err != nil {
			t.Fatal(err)
		}
	}
	send(&mqtt.Connect{Version: mqtt.V5, CleanStart: true, ClientID: []byte("c")})
	if p, end := c.Next(time.Second); end != nil || p.(*mqtt.Connack).Reason != mqtt.Success {
		t.Fatalf("after CONNECT: %v, %v", p, end)
	}
	if p, end := c.Next(20 * time.Millisecond); p != nil || end.Kind != rawmqtt.Silence {
		t.Fatalf("nothing was due: %v, %v", p, end)
	}
	send(&mqtt.Publish{QoS: 1, PacketID: 9, Topic: []byte("t")})
	if p, end := c.Next(time.Second); end != nil || p.(*mqtt.Puback).PacketID != 9 || p.(*mqtt.Puback).Reason != mqtt.NotAuthorized {
		t.Fatalf("after PUBLISH and a silence: %v, %v", p, end)
	}
	send(&mqtt.Disconnect{})
	for range 2 { // the end stays known
		if got := c.End(time.Second); got.Kind != rawmqtt.CloseNotify || got.Connack() != nil || got.Disconnect() != nil {
			t.Errorf("after DISCONNECT: %s", got)
		}
	}
}

func atEOF(err error) bool { return errors.Is(err, io.EOF) }

// leave ends a connection that may have ended already.
func leave(c *rawmqtt.Client) { _ = c.Reset() }

// TestOurEnds: what a server sees of each way to leave.
func TestOurEnds(t *testing.T) {
	cert := certificate(t)
	for name, tt := range map[string]struct {
		leave func(c *rawmqtt.Client) error
		want  func(err error) bool
	}{
		"close":      {(*rawmqtt.Client).Close, atEOF},
		"half-close": {(*rawmqtt.Client).CloseWrite, atEOF},
		"drop":       {(*rawmqtt.Client).Drop, atEOF},
		"reset":      {(*rawmqtt.Client).Reset, func(err error) bool { return err != nil && strings.Contains(err.Error(), "connection reset") }},
	} {
		t.Run(name, func(t *testing.T) {
			seen := make(chan error, 1)
			addr := listen(t, func(nc *net.TCPConn) {
				tc := tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{*cert}})
				p := peer{t, nc, tc}
				_, err := tc.Read(make([]byte, 1))
				p.note(err)
				_, err = tc.Read(make([]byte, 1))
				seen <- err
				p.send([]byte{0xD0, 0})
			})
			c, end, err := rawmqtt.Dial(t.Context(), rawmqtt.Options{Addr: addr})
			if err != nil || end != nil {
				t.Fatalf("Dial: %v, %v", end, err)
			}
			defer leave(c)
			if err := c.Send([]byte{0}); err != nil {
				t.Fatal(err)
			}
			if err := tt.leave(c); err != nil {
				t.Fatal(err)
			}
			if err := <-seen; !tt.want(err) {
				t.Errorf("the server read %v", err)
			}
			if name == "half-close" {
				if p, end := c.Next(time.Second); end != nil || p.Type() != mqtt.TypePingresp {
					t.Errorf("after half-closing: %v, %v", p, end)
				}
			}
		})
	}
}

func TestDialFails(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	if _, end, err := rawmqtt.Dial(t.Context(), rawmqtt.Options{Addr: addr}); err == nil || end != nil {
		t.Errorf("Dial of a closed port: %v, %v", end, err)
	}
}
