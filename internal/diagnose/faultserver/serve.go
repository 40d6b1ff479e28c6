package faultserver

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"
)

// errMisbehaved ends a connection that showed its fault.
var errMisbehaved = errors.New("the fault was shown")

// serve carries one connection to its fault, or to the client's goodbye.
func (s *Server) serve(nc net.Conn, does behaviour) {
	defer nc.Close()
	gone := make(chan struct{})
	defer close(gone)
	s.work.Go(func() { // a stopped server unblocks its connections
		select {
		case <-s.done:
			nc.SetDeadline(time.Unix(1, 0))
		case <-gone:
		}
	})
	nc.SetDeadline(time.Now().Add(lifetime))
	c := &conn{Conn: nc, pace: does.pace, alert: does.certAlert, stop: s.done}
	if does.accept != goOn {
		letGo(c, nil, does.accept)
		return
	}
	if err := s.hello(c, does); err != nil {
		return
	}
	tc, err := s.handshake(c, does)
	if err != nil {
		return
	}
	s.mqtt(tc, c, does)
}

// hello reads the ClientHello and shows the faults that answer it.
func (s *Server) hello(c *conn, does behaviour) error {
	if err := c.readHello(); err != nil {
		if does.plain == "" {
			letGo(c, nil, eof)
			return err
		}
	}
	switch {
	case does.plain != "":
		return finish(c, []byte(does.plain))
	case does.helloAlert != 0:
		return finish(c, plainAlert(does.helloAlert))
	case does.hello != goOn:
		letGo(c, nil, does.hello)
		return errMisbehaved
	}
	return nil
}

// finish sends the last word and ends the connection so that it can be read.
func finish(c *conn, last []byte) error {
	if _, err := c.Write(last); err != nil {
		return err
	}
	letGo(c, nil, eof)
	return errMisbehaved
}

// handshake speaks TLS and refuses the client's certificate if it is to.
func (s *Server) handshake(c *conn, does behaviour) (*tls.Conn, error) {
	keys := &keyLog{}
	cfg := &tls.Config{
		Certificates: []tls.Certificate{s.chains[does.identity]}, MinVersion: max(does.min, tls.VersionTLS12), MaxVersion: does.max,
		ClientAuth: tls.RequestClientCert, SessionTicketsDisabled: true, KeyLogWriter: keys,
	}
	cfg.VerifyConnection = func(cs tls.ConnectionState) error {
		if does.certAlert != 0 && (cs.Version < tls.VersionTLS13 || !canAlert(cs.CipherSuite)) {
			return errMisbehaved // becomes an alert, whose number conn replaces
		}
		return nil
	}
	// Whatever the client offers first is chosen: ALPN is not what is tried here.
	cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		mine := cfg.Clone()
		mine.NextProtos = hello.SupportedProtos
		return mine, nil
	}
	tc := tls.Server(c, cfg)
	if err := tc.HandshakeContext(context.Background()); err != nil {
		letGo(c, nil, eof)
		return nil, err
	}
	if does.certAlert != 0 {
		last, err := keys.sealedAlert(tc.ConnectionState().CipherSuite, does.certAlert)
		if err != nil {
			return nil, err
		}
		return nil, finish(c, last)
	}
	return tc, nil
}

// letGo ends a connection in one of the ways of end. After the last word it
// reads on for a while: a closed socket with unread bytes sends RST, and the
// client would lose what was said. PROBLEMS 1.2.
func letGo(c *conn, tc *tls.Conn, how end) {
	tcp, isTCP := c.Conn.(*net.TCPConn)
	switch how {
	case goOn:
		return
	case silence:
		io.Copy(io.Discard, io.LimitReader(c.Conn, maxSilent)) //nolint:errcheck // until the client, its time or the server ends
		return
	case reset:
		if isTCP {
			tcp.SetLinger(0) //nolint:errcheck // the test of the fault sees it
		}
		c.Close()
		return
	case closeNotify:
		if tc != nil {
			tc.CloseWrite()
		}
	case eof:
	}
	if isTCP {
		tcp.CloseWrite()
	}
	c.SetReadDeadline(time.Now().Add(drainFor))
	io.Copy(io.Discard, io.LimitReader(c.Conn, drainBytes)) //nolint:errcheck // nobody waits for it
}

// maxSilent bounds what a silent port reads from one client.
const maxSilent = 1 << 20
