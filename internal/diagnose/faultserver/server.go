// Package faultserver is a server that misbehaves on demand: each of its ports
// shows one fault of the way to an MQTT broker, to try clients, and the probe,
// without the servers and networks that have these faults.
package faultserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Bounds, for a port that anybody may reach.
const (
	maxConnections = 64              // of a port at once; one more is closed
	lifetime       = 2 * time.Minute // of a connection, silent ones too
	drainFor       = time.Second     // reading on after the last word, so that the client gets to read it
	drainBytes     = 64 << 10
)

// A Server shows faults, each on a port of its own.
type Server struct {
	host   string
	name   string
	root   *authority
	chains [identities]tls.Certificate

	stop context.CancelFunc
	done <-chan struct{} // closed when the server stops
	work sync.WaitGroup
}

// Start makes the server's own small CA, which lives as long as the server. It
// will listen on host, an address or a name of this machine, and present
// certificates for name. [Server.Stop] ends it.
func Start(host, name string) (*Server, error) {
	root, chains, err := makeIdentities(name)
	if err != nil {
		return nil, fmt.Errorf("faultserver: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	return &Server{host: host, name: name, root: root, chains: chains, stop: stop, done: ctx.Done()}, nil
}

// CA returns the CA certificate that clients must trust, PEM. The faults
// cert-unknown-ca and cert-self-signed have others.
func (s *Server) CA() []byte { return s.root.pem() }

// Listen shows f on port, which the kernel chooses if it is 0, and returns the
// address.
func (s *Server) Listen(ctx context.Context, f Fault, port int) (net.Addr, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", net.JoinHostPort(s.host, fmt.Sprint(port)))
	if err != nil {
		return nil, fmt.Errorf("faultserver: %s: %w", f.Name, err)
	}
	s.work.Go(func() {
		<-s.done
		ln.Close()
	})
	s.work.Go(func() { s.accept(ln, f) })
	return ln.Addr(), nil
}

// accept serves the connections of one port.
func (s *Server) accept(ln net.Listener, f Fault) {
	places := make(chan struct{}, maxConnections)
	for {
		nc, err := ln.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of descriptors, most likely: some come back
			select {
			case <-time.After(100 * time.Millisecond):
				continue
			case <-s.done:
				return
			}
		}
		select {
		case places <- struct{}{}:
		default:
			nc.Close()
			continue
		}
		s.work.Go(func() {
			defer func() { <-places }()
			s.serve(nc, f.does)
		})
	}
}

// Stop closes all ports and connections and waits for their end.
func (s *Server) Stop() {
	s.stop()
	s.work.Wait()
}
