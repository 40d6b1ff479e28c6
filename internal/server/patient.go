package server

import (
	"errors"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

// A patientListener goes on where the system reports by accept that one
// connection failed: on Linux the peer's network, or a packet filter, can bring
// that about, and it must not end the server. See accept(2), "Error handling".
// It also bounds the open connections, if most is not 0: further ones wait in the
// kernel's queue.
type patientListener struct {
	net.Listener
	places chan struct{} // a token for each open connection; nil: no bound

	closing sync.Once
	closed  chan struct{}
}

func patient(ln net.Listener, most int) *patientListener {
	l := &patientListener{Listener: ln, closed: make(chan struct{})}
	if most > 0 {
		l.places = make(chan struct{}, most)
	}
	return l
}

// passing are the failures of one connection, not of the listener.
var passing = []error{
	syscall.EPERM, syscall.EPROTO, syscall.ENOPROTOOPT, syscall.EOPNOTSUPP, syscall.EHOSTDOWN, syscall.EHOSTUNREACH,
	syscall.ENETDOWN, syscall.ENETUNREACH, syscall.ETIMEDOUT, syscall.ECONNRESET, syscall.ECONNABORTED,
}

// Accept implements [net.Listener].
func (l *patientListener) Accept() (net.Conn, error) {
	if l.places != nil {
		select {
		case l.places <- struct{}{}:
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
	for {
		nc, err := l.Listener.Accept()
		if err == nil && l.places != nil {
			return &placed{Conn: nc, places: l.places}, nil
		}
		if err == nil || !slices.ContainsFunc(passing, func(p error) bool { return errors.Is(err, p) }) {
			if err != nil && l.places != nil {
				<-l.places
			}
			return nc, err
		}
		time.Sleep(time.Millisecond) // should it be the listener after all, it must not take a processor
	}
}

// Close implements [net.Listener].
func (l *patientListener) Close() error {
	l.closing.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// A placed connection gives its place back when it is closed.
type placed struct {
	net.Conn
	places chan struct{}
	once   sync.Once
}

// CloseWrite lets net/http end its side first, so that its last answer is read.
func (c *placed) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close implements [net.Conn].
func (c *placed) Close() error {
	c.once.Do(func() { <-c.places })
	return c.Conn.Close()
}
