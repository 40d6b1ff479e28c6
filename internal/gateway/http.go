package gateway

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
)

// Bounds of HTTP connections.
const (
	maxHeaderBytes = 16 << 10
	maxBodyBytes   = 128<<10 + 1 // AWS's largest payload, and one more to see that it is larger
	requestTime    = 30 * time.Second
	idleTime       = 60 * time.Second
)

// carryHTTP answers HTTP requests on the connection until it ends.
func (c *session) carryHTTP() {
	first, ok := c.readFirst()
	if !ok {
		c.end()
		return
	}
	switch sniff(first) {
	case speechMQTT:
		c.mqttOnHTTP(first)
		c.end()
		return
	case speechHTTP:
	default:
		if !looksLikeText(first) {
			c.at.Fail(check.ProtocolUnrecognized, attempt.F("bytes", hex.EncodeToString(first)))
			c.end()
			return
		}
	}
	hc := &httpConn{prefixed: prefixed{Conn: c.tls, first: first}, c: c, closed: make(chan struct{})}
	srv := &http.Server{
		Handler:                      http.HandlerFunc(hc.answer),
		ReadHeaderTimeout:            c.s.cfg.HeaderTimeout,
		ReadTimeout:                  requestTime,
		WriteTimeout:                 requestTime,
		IdleTimeout:                  idleTime,
		MaxHeaderBytes:               maxHeaderBytes,
		ErrorLog:                     log.New(io.Discard, "", 0), // what peers do wrong is in their attempt
		DisableGeneralOptionsHandler: true,
	}
	stop := afterStop(c.sig, func() { _ = srv.Shutdown(context.Background()); hc.Close() })
	defer stop()
	_ = srv.Serve(&oneConn{conn: hc, done: hc.closed})
	<-hc.closed
}

// mqttOnHTTP records an MQTT CONNECT where HTTP is spoken. AWS closes without a
// word. Source: connect sheet 2.4.
func (c *session) mqttOnHTTP(first []byte) {
	hello := parseConnect(c.more(first))
	if hello.clientID != "" {
		c.at.SetClientID(hello.clientID)
	}
	if c.refusedBefore(hello.clientID) {
		return
	}
	bytes := attempt.F("bytes", hex.EncodeToString(first))
	if hello.custom != "" && c.route.auth == authRequest {
		c.at.Fail(check.TLSALPNMQTTRequired, bytes, attempt.F("required", alpnMQTTAuth), attempt.F("sent", hello.custom), attempt.F("client_id", hello.clientID))
		return
	}
	if c.door != DoorALPN || c.route.wantsCertificate() {
		c.at.Fail(check.ProtocolMQTTOnHTTP, bytes, attempt.F("client_id", hello.clientID))
	} else {
		c.at.Fail(check.TLSALPNMissingOn443, bytes, attempt.F("required", alpnMQTTCert), attempt.F("client_id", hello.clientID))
	}
	c.s.inspectClient(c.sig, c.at, c.who.ID, hello.clientID)
}

// looksLikeText tells whether p may begin an HTTP request with an unusual verb.
func looksLikeText(p []byte) bool {
	for _, b := range p {
		if (b < ' ' || b > '~') && b != '\r' && b != '\n' {
			return false
		}
	}
	return true
}

// An httpConn is a device's connection in the hands of net/http. Its attempt is
// that of the first request; every later one has its own.
type httpConn struct {
	prefixed
	c        *session
	logins   *identity.CustomSession // nil until a custom authorizer was asked
	requests atomic.Int32
	timedOut atomic.Bool
	once     sync.Once
	closed   chan struct{}
}

// Read notes a time-out: net/http does not say why it gave up.
func (hc *httpConn) Read(p []byte) (int, error) {
	n, err := hc.prefixed.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		hc.timedOut.Store(true)
	}
	return n, err
}

// Close closes the connection, and its attempt with a reason when no request
// was read.
func (hc *httpConn) Close() error {
	hc.once.Do(func() {
		if hc.requests.Load() == 0 {
			if hc.timedOut.Load() {
				hc.c.at.Fail(check.HTTPHeaderTimeout, attempt.F("waited", hc.c.s.cfg.HeaderTimeout.String()))
			} else if hc.c.sig.stop.Err() == nil {
				hc.c.at.Fail(check.HTTPMalformed)
			}
		}
		hc.c.end()
		close(hc.closed)
	})
	return nil
}

// release lets net/http go, which has handed the connection over.
func (hc *httpConn) release() { hc.once.Do(func() { close(hc.closed) }) }

// oneConn is a listener that has one connection, and then waits for its end.
type oneConn struct {
	conn net.Conn
	done <-chan struct{}
	used bool
}

func (l *oneConn) Accept() (net.Conn, error) {
	if !l.used {
		l.used = true
		return l.conn, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }

// afterStop runs fn when the server stops.
func afterStop(sig conduct, fn func()) (stop func() bool) { return context.AfterFunc(sig.stop, fn) }
