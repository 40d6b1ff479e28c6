package gateway

import (
	"errors"
	"net"
	"sync/atomic"
	"syscall"

	"github.com/gatehouse-iot/gatehouse/internal/broker/nonblock"
)

// errNotTLS ends a handshake whose first byte can't begin a TLS record.
var errNotTLS = errors.New("first bytes are not a TLS handshake")

// Record types of TLS that are visible in plaintext.
const (
	recordAlert     = 21
	recordHandshake = 22
)

// handshakeCertificate is the type of a Certificate message.
const handshakeCertificate = 11

// A wire is a device's TCP connection as seen from under TLS. crypto/tls picks
// alert numbers on its own and does not say which alert a client sent in
// plaintext, so the wire does both: it gives an outgoing plaintext alert the
// number that AWS sends, and it reads the numbers of incoming ones. It also
// counts bytes and keeps the first bytes of a peer that does not speak TLS.
//
// Source: connect sheet 9.1, 9.2.
type wire struct {
	net.Conn

	in, out atomic.Int64 // bytes

	// What follows belongs to the goroutine of the handshake, and is not
	// touched once sealed.
	sealed      bool   // the handshake is over: bytes pass through unread
	alert       byte   // number that the next outgoing alert shall have; 0 leaves it
	sent        byte   // number of the plaintext alert that went out, 0 for none
	received    byte   // number of the plaintext alert that came in, 0 for none
	first       []byte // first bytes of a peer that does not speak TLS
	sinceAnswer int64  // bytes read since our last write
	answered    bool   // we have written something
	track       recordTracker
}

// newWire puts a wire on an accepted connection. Whoever delivers a message
// writes it to the socket itself, if the socket takes it at once.
func newWire(nc net.Conn) *wire { return &wire{Conn: nonblock.New(nc)} }

// Read reads from the connection. Until the handshake is over it looks at
// what passes.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n == 0 {
		return n, err
	}
	total := w.in.Add(int64(n))
	if w.sealed {
		return n, err
	}
	w.sinceAnswer += int64(n)
	if total == int64(n) && p[0] != recordHandshake && p[0] != recordAlert && !isSSLv2Hello(p[:n]) {
		w.first = append([]byte(nil), p[:min(n, maxSniff)]...)
		return 0, errNotTLS
	}
	if alert := w.track.feed(p[:n]); alert != 0 && w.received == 0 {
		w.received = alert
	}
	return n, err
}

// Write writes to the connection. A plaintext alert gets the wanted number.
func (w *wire) Write(p []byte) (int, error) {
	if !w.sealed {
		w.answered, w.sinceAnswer = true, 0
		if isPlainAlert(p) {
			patched := [7]byte(p)
			patched[6] = w.wanted(p[6])
			w.sent = patched[6]
			n, err := w.Conn.Write(patched[:])
			w.out.Add(int64(n))
			return n, err
		}
	}
	n, err := w.Conn.Write(p)
	w.out.Add(int64(n))
	return n, err
}

// wanted is the alert number to send where crypto/tls chose number.
func (w *wire) wanted(number byte) byte {
	switch {
	case w.alert != 0:
		return w.alert
	case number == alertDecodeError && w.track.certificate:
		return alertBadCertificate // it can't be parsed: connect sheet 5.1 row 9
	}
	return number
}

// isPlainAlert recognises a whole fatal alert record in plaintext. An
// encrypted alert is longer in every version.
func isPlainAlert(p []byte) bool {
	return len(p) == 7 && p[0] == recordAlert && p[1] == 3 && p[3] == 0 && p[4] == 2 && p[5] == 2
}

// isSSLv2Hello recognises the hello of SSL 2.0: crypto/tls answers it with
// alert 70, so it is let through.
func isSSLv2Hello(p []byte) bool { return len(p) >= 3 && p[0] == 0x80 && p[2] == 1 }

// seal ends the watching: the handshake is over. A client with Nagle's algorithm
// holds its CONNECT back until we have acknowledged the end of the handshake,
// and without session tickets we have nothing to send with it: the first read
// that has to wait acknowledges at once, not after the 40 ms of the kernel.
func (w *wire) seal() {
	w.sealed, w.first = true, nil
	if c, ok := w.Conn.(*nonblock.Conn); ok {
		c.OnWait(func() {
			c.OnWait(nil)
			acknowledge(c)
		})
	}
}

// CloseWrite sends FIN and leaves the other direction open, where the
// transport can do that.
func (w *wire) CloseWrite() error {
	if c, ok := w.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

// NetConn returns the connection underneath.
func (w *wire) NetConn() net.Conn { return w.Conn }

// SyscallConn gives access to the socket. What is read and written there is not counted.
func (w *wire) SyscallConn() (syscall.RawConn, error) {
	if c, ok := w.Conn.(syscall.Conn); ok {
		return c.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// A recordTracker follows the headers of TLS records through a byte stream
// that arrives in pieces.
type recordTracker struct {
	header [5]byte
	have   int     // bytes of header seen
	left   int     // bytes of the body still to come
	body   [2]byte // first bytes of the body
	bodyAt int     // bytes of the body seen, counted up to 2

	certificate bool // a record began with a Certificate message, in plaintext
}

// feed takes the next bytes, and returns the number of a plaintext alert that
// they complete, else 0.
func (t *recordTracker) feed(p []byte) (alert byte) {
	for len(p) > 0 {
		if t.have < len(t.header) {
			n := copy(t.header[t.have:], p)
			t.have += n
			p = p[n:]
			if t.have < len(t.header) {
				return alert
			}
			t.left = int(t.header[3])<<8 | int(t.header[4])
			t.bodyAt = 0
			if t.left == 0 {
				t.have = 0
			}
			continue
		}
		if t.bodyAt < len(t.body) {
			t.bodyAt += copy(t.body[t.bodyAt:], p[:min(len(p), t.left)])
		}
		n := min(len(p), t.left)
		t.left -= n
		p = p[n:]
		if t.header[0] == recordHandshake && t.body[0] == handshakeCertificate {
			t.certificate = true
		}
		if t.left == 0 {
			t.have = 0
			if t.header[0] == recordAlert && t.header[3] == 0 && t.header[4] == 2 && t.body[1] != alertCloseNotify {
				alert = t.body[1]
			}
		}
	}
	return alert
}
