// Package nonblock lets a goroutine use a socket without waiting for the peer unawares: what the
// socket does not take at once goes out from a goroutine of the connection, and a Read that has to
// wait says so before it does.
package nonblock

import (
	"errors"
	"io"
	"net"
	"os"
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
	in      incoming

	mu      sync.Mutex
	changed sync.Cond
	p       []byte // guarded by mu, like all below: what attempt shall write
	n       int    // and what came of it
	err     error  // of any write; sticks
	backlog []byte
	sending bool // a goroutine sends backlog
}

// An incoming is what one Read does. It belongs to the goroutine that reads.
type incoming struct {
	attempt func(fd uintptr) bool // reads into p; made once, so that Read does not allocate
	onWait  func()
	p       []byte
	n       int
	err     error
	missed  error // what WaitRead took off the socket, for the next Read
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
	c.in.attempt = c.in.tryRead
	return c
}

// Find returns the first of nc and the connections under it, as their NetConn tells, that is a T.
func Find[T any](nc net.Conn) (found T, ok bool) {
	for {
		if found, ok = any(nc).(T); ok {
			return found, true
		}
		over, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return found, false
		}
		nc = over.NetConn()
	}
}

// Congested tells whether the socket did not take all of an earlier Write yet.
func (c *Conn) Congested() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sending
}

// Settle waits until the socket has taken all of earlier Writes, or failed.
func (c *Conn) Settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.sending {
		c.changed.Wait()
	}
}

// NetConn returns the wrapped connection. Bytes written to it directly get mixed up with the backlog.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// SyscallConn implements [syscall.Conn]. Bytes written by it get mixed up with the backlog.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.raw, nil }

// OnWait has f called by every Read that finds nothing to read, before it waits for the peer; nil
// ends that. What came together can so be answered together, without a system call that asks for
// more. f may write to the connection and must not read from it. Only the goroutine that reads may
// call OnWait.
func (c *Conn) OnWait(f func()) { c.in.onWait = f }

// Read implements [net.Conn].
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	in := &c.in
	in.p, in.n, in.err = p, 0, nil
	var err error
	if in.missed != nil {
		in.err, in.missed = in.missed, nil
	} else {
		err = c.raw.Read(in.attempt)
	}
	in.p = nil
	switch {
	case err != nil:
		if e, ok := errors.AsType[*net.OpError](err); ok {
			e.Op = "read" // not "raw-read"
		}
		return 0, err
	case in.err != nil:
		return 0, &net.OpError{Op: "read", Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError("read", in.err)}
	case in.n == 0:
		return 0, io.EOF
	}
	return in.n, nil
}

// WaitRead waits until there is something to read, be it the end or a failure, and reads nothing. It
// needs little of the stack. The error is that of a deadline or of Close, as Read will return it again.
// Only the goroutine that reads may call WaitRead.
func (c *Conn) WaitRead() error {
	c.in.p = nil
	return c.raw.Read(c.in.attempt)
}

// tryRead reads what the socket has, or only looks for it where there is no place to read to. It answers
// false to be called again when there is more.
func (in *incoming) tryRead(fd uintptr) (done bool) {
	var wait bool
	if in.p == nil {
		wait, in.missed = peek(fd)
		return !wait
	}
	if in.n, wait, in.err = readOnce(fd, in.p); wait && in.onWait != nil {
		in.onWait()
	}
	return !wait
}

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
