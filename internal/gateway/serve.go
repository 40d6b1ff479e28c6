package gateway

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/gateway/mqttconn"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
)

// A session is a connection after its handshake: what the transports need, and
// nothing that an idle connection should hold.
type session struct {
	s        *Server
	sig      conduct
	door     Door
	at       *attempt.Attempt
	wire     *wire
	tls      *tls.Conn
	route    route
	endpoint *Endpoint
	sni      string
	bare     bool               // the client offered no ALPN protocols
	who      identity.Principal // nobody where no certificate was asked for
	leaf     []byte             // certificate of who in DER form, where an authorizer wants to see it
	deferred *handshake         // not nil when its certificate is refused, and the device not yet told
	uncut    func() bool        // ends the attention to sig.cut; set once MQTT is carried
}

// serve carries one connection from its first byte to its close. A step that
// fails has recorded its check in the attempt.
func (s *Server) serve(sig conduct, door Door, nc net.Conn, src netip.Prefix) {
	at := s.cfg.Attempts.Begin(door, nc.RemoteAddr(), nc.LocalAddr())
	at.Pass(check.TCPAccepted)
	h := &handshake{s: s, door: door, at: at, wire: newWire(nc)}

	tc, ok := h.run(sig) // SNI, ALPN, version, cipher, client certificate
	<-s.handshakes
	s.sources.leave(src)
	if !ok {
		s.hangUp(h.wire, nil)
		s.inspect(sig, h, "")
		s.close(sig, h.wire, at)
		return
	}
	c := &session{
		s: s, sig: sig, door: door, at: at, wire: h.wire, tls: tc,
		route: h.route, endpoint: h.endpoint, sni: h.sni, bare: h.bare, who: h.who, leaf: h.shown,
	}
	if len(h.refused) > 0 {
		c.deferred = h
	}
	// A goroutine of its own: the stack of the handshake is several times
	// what a live connection needs.
	s.serving.run(c.carry)
}

// carry hands the connection to its transport.
func (c *session) carry() {
	stop := c.heedCut()
	switch c.route.transport {
	case transportMQTT:
		c.uncut = stop
		c.goOn(c.carryMQTT())
	default:
		defer stop()
		c.carryHTTP()
	}
}

// heedCut closes the socket when the server can't wait any longer.
func (c *session) heedCut() (stop func() bool) {
	return context.AfterFunc(c.sig.cut, func() { c.wire.Close() })
}

// goOn does what is left of MQTT: in another fresh goroutine, or it ends the connection.
func (c *session) goOn(rest mqttconn.Rest) {
	if rest != nil {
		c.s.serving.run(func() { c.goOn(rest()) })
		return
	}
	c.end()
	c.uncut()
}

// end closes the connection and its attempt: close_notify, half-close, drain, close.
func (c *session) end() {
	c.s.hangUp(c.wire, c.tls)
	c.s.close(c.sig, c.wire, c.at)
}

// refused tells whether the connection is refused for a reason that was found
// before its first packet, and records it: a certificate that is refused after
// the CONNECT, a disabled domain. Source: connect sheet 5, 5.1 row 14.
func (c *session) refusedBefore(clientID string) bool {
	switch {
	case c.deferred != nil:
		c.deferred.reportCertificate()
		c.s.inspect(c.sig, c.deferred, clientID)
	case c.endpoint.Disabled:
		c.at.Fail(check.DomainDisabled, attempt.F("domain_configuration", c.endpoint.Name), attempt.F("offered", c.sni))
	default:
		return false
	}
	return true
}

// remote returns the device's address.
func remote(nc net.Conn) netip.AddrPort {
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
	}
	return netip.AddrPort{}
}

// Bounds of a drain. Source: PROBLEMS 1.2.
const (
	drainTime  = time.Second
	drainBytes = 64 << 10
	goodbye    = 2 * time.Second // for the peer to take our last record
)

// hangUp ends our side of the connection, with close_notify where TLS is up,
// and lets the peer finish: what we sent last can still be read.
func (s *Server) hangUp(w *wire, tc *tls.Conn) {
	w.SetWriteDeadline(time.Now().Add(goodbye))
	if tc != nil {
		tc.CloseWrite()
	}
	_ = w.CloseWrite() // the peer may be gone already
}

// close reads and forgets what the peer still sends, so that closing does not
// reset the connection under our last words, then closes it and ends the
// attempt. Who finds no place to wait is closed at once.
func (s *Server) close(sig conduct, w *wire, at *attempt.Attempt) {
	select {
	case s.draining <- struct{}{}:
		if sig.cut.Err() == nil {
			w.Conn.SetReadDeadline(time.Now().Add(drainTime))
			_, _ = io.CopyN(io.Discard, w.Conn, drainBytes)
		}
		<-s.draining
	default:
		s.skipped.Add(1)
	}
	w.Close()
	at.End()
	s.open.Add(-1)
}
