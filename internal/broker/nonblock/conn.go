// Package nonblock lets a goroutine write to a socket without waiting for the peer: what the socket
// does not take at once goes out from a goroutine of the connection.
package nonblock

import (
	"errors"
	"net"
	"sync"
	"syscall"
)

// maxBacklog bounds what waits for the socket. A Write that finds more waiting waits too.
const maxBacklog = 64 << 10

// A Conn is a connection whose Write tries the socket once and keeps the rest. Whoever must not
// wait asks [Conn.Congested] first: after a no, writing up to half of the backlog does not wait.
// It belongs under a tls.Conn, which writes records.
//
// A failure to send what was kept is reported by the next Write.
type Conn struct {
	net.Conn
	raw     syscall.RawConn
	attempt func(fd uintptr) bool // writes p once; made once, so that Write does not allocate

	mu      sync.Mutex
	changed sync.Cond
	p       []byte // guarded by mu, like all below: what attempt shall write
	n       int    // and what came of it
	err     error  // of any write; sticks
	backlog []byte
	sending bool // a goroutine sends backlog
}

// New wraps nc. A connection without a socket that can be asked (a net.Pipe, a platform without
// such writes) is returned as it is.
func New(nc net.Conn) net.Conn {
	s, ok := nc.(syscall.Conn)
	if !ok || !supported {
		return nc
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nc
	}
	c := &Conn{Conn: nc, raw: raw}
	c.changed.L = &c.mu
	c.attempt = func(fd uintptr) bool {
		c.n, c.err = writeOnce(fd, c.p)
		return true
	}
	return c
}

// Congested tells whether the socket did not take all of an earlier Write yet.
func (c *Conn) Congested() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sending
}

// NetConn returns the wrapped connection. Bytes written to it directly get mixed up with the backlog.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// SyscallConn implements [syscall.Conn]. Bytes written by it get mixed up with the backlog.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.raw, nil }

// Write implements [net.Conn].
func (c *Conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.sending && c.err == nil && len(c.backlog)+len(p) > maxBacklog {
		c.changed.Wait()
	}
	if c.err != nil {
		return 0, c.err
	}
	if c.sending {
		c.backlog = append(c.backlog, p...)
		return len(p), nil
	}
	c.p, c.n = p, 0
	err := c.raw.Write(c.attempt)
	c.p = nil
	if c.err == nil {
		c.err = err
	}
	if c.err != nil {
		return c.n, c.err
	}
	if c.n < len(p) {
		c.backlog = append(c.backlog, p[c.n:]...)
		c.sending = true
		go c.send()
	}
	return len(p), nil
}

// send writes the backlog until it is empty.
func (c *Conn) send() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.backlog) > 0 && c.err == nil {
		part := c.backlog
		c.backlog = nil
		c.mu.Unlock()
		_, err := c.Conn.Write(part)
		c.mu.Lock()
		if err != nil {
			c.err = err
		}
		c.changed.Broadcast()
	}
	c.backlog, c.sending = nil, false
	c.changed.Broadcast()
}

// CloseWrite sends what is kept, as far as the write deadline allows, and then ends the sending side.
func (c *Conn) CloseWrite() error {
	c.mu.Lock()
	for c.sending {
		c.changed.Wait()
	}
	c.mu.Unlock()
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}
