// Package websocket carries a byte stream, such as MQTT, in the binary frames of
// a WebSocket (RFC 6455), on the server's side and as a [net.Conn].
//
// It is no general library, and none that exists would do: a read deadline must
// leave the connection able to say goodbye, a write must not wait for the peer
// where the socket below need not, and an idle connection must hold no buffers.
package websocket

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// ErrClosed is what Read returns after the peer's Close frame: it went on its own
// account, in good order.
var ErrClosed = errors.New("websocket: closed by the peer")

// A ProtocolError is what Read returns for a frame that breaks RFC 6455, or that
// is not for a byte stream. The peer is told by a Close frame.
type ProtocolError struct {
	Code   CloseCode
	Reason string
}

func (e *ProtocolError) Error() string { return "websocket: " + e.Reason }

// A CloseCode says in a Close frame why the connection ends. Source: RFC 6455 section 7.4.1.
type CloseCode uint16

// The codes that this side sends.
const (
	normalClosure   CloseCode = 1000
	protocolError   CloseCode = 1002
	unsupportedData CloseCode = 1003
	invalidPayload  CloseCode = 1007
	policyViolation CloseCode = 1008
)

// Opcodes. Source: RFC 6455 section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA

	bitFinal    = 0x80
	bitsReserve = 0x70
	bitMask     = 0x80

	maxControl = 125

	// maxHollow is how many frames that bring nothing for the stream may come in a second: Ping, Pong, no payload.
	maxHollow = 100
)

// A Conn is the server's side of a WebSocket over TLS. Reading returns the
// payload of binary frames, however it was split; each Write is one frame. One
// goroutine may read, others may write.
type Conn struct {
	*tls.Conn
	source io.Reader // of the connection's bytes: those that were read already come first

	// Owned by the reader.
	header    [14]byte
	have      int    // bytes of header
	remaining uint64 // bytes of the current frame's payload
	mask      [4]byte
	at        int  // position in mask
	message   bool // inside of a fragmented message
	hollow    int  // frames that brought nothing, since hollowAt
	hollowAt  time.Time
	err       error

	closing atomic.Bool // a Close frame went out
}

// New makes a Conn of a connection whose handshake is complete. source is where
// its bytes are read from: tc, or what was read of it already and then tc.
func New(tc *tls.Conn, source io.Reader) *Conn { return &Conn{Conn: tc, source: source} }

// Read implements [net.Conn]. It answers Ping frames. A deadline that passes
// leaves the connection intact: the next Read goes on where this one stopped.
func (c *Conn) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	for c.remaining == 0 {
		if err := c.nextFrame(); err != nil {
			return 0, c.fail(err)
		}
	}
	if uint64(len(p)) > c.remaining {
		p = p[:c.remaining]
	}
	n, err := c.source.Read(p)
	c.unmask(p[:n])
	c.remaining -= uint64(n)
	return n, unexpected(err)
}

// fail remembers what ends reading for good, and tells the peer.
func (c *Conn) fail(err error) error {
	var broken *ProtocolError
	switch {
	case errors.As(err, &broken):
		c.err = err
		c.close(broken.Code)
	case errors.Is(err, ErrClosed):
		c.err = err
	}
	return err
}

// nextFrame reads frame headers, and whole control frames, until a data frame
// with a payload begins.
func (c *Conn) nextFrame() error {
	size, err := c.readHeader()
	if err != nil {
		return err
	}
	first := c.header[0]
	opcode, final := first&0x0F, first&bitFinal != 0
	switch {
	case first&bitsReserve != 0:
		return &ProtocolError{protocolError, "a reserved bit is set, and no extension was agreed"}
	case c.header[1]&bitMask == 0:
		return &ProtocolError{protocolError, "a frame of a client is not masked"}
	}
	copy(c.mask[:], c.header[c.have-4:c.have])
	if opcode != opClose && (opcode > opClose || size == 0) {
		if err := c.countHollow(); err != nil {
			return err
		}
	}
	if opcode >= opClose { // read before it is taken off: a deadline may pass in between
		return c.control(opcode, final, size)
	}
	c.have, c.at = 0, 0
	switch {
	case opcode == opText:
		return &ProtocolError{unsupportedData, "a text frame; MQTT needs binary frames"}
	case opcode == opBinary && c.message:
		return &ProtocolError{protocolError, "a new message inside of a fragmented one"}
	case opcode == opContinuation && !c.message:
		return &ProtocolError{protocolError, "a continuation of no message"}
	case opcode != opBinary && opcode != opContinuation:
		return &ProtocolError{protocolError, fmt.Sprintf("the unknown opcode %d", opcode)}
	}
	c.message = !final
	c.remaining = size
	return nil
}

// countHollow counts a frame that brings nothing for the stream. Whoever counts bytes of the stream does
// not see these.
func (c *Conn) countHollow() error {
	if now := time.Now(); now.Sub(c.hollowAt) > time.Second {
		c.hollow, c.hollowAt = 0, now
	}
	if c.hollow++; c.hollow > maxHollow {
		return &ProtocolError{policyViolation, fmt.Sprintf("more than %d frames without content in a second", maxHollow)}
	}
	return nil
}

// readHeader reads a frame header into c.header, and returns the size of the payload.
func (c *Conn) readHeader() (uint64, error) {
	if err := c.fill(2); err != nil {
		return 0, err
	}
	short := c.header[1] & 0x7F
	extended := 0
	switch short {
	case 126:
		extended = 2
	case 127:
		extended = 8
	}
	masked := 0
	if c.header[1]&bitMask != 0 {
		masked = 4
	}
	if err := c.fill(2 + extended + masked); err != nil {
		return 0, err
	}
	switch extended {
	case 2:
		return uint64(binary.BigEndian.Uint16(c.header[2:])), nil
	case 8:
		size := binary.BigEndian.Uint64(c.header[2:])
		if size>>63 != 0 {
			return 0, &ProtocolError{protocolError, "a payload of more than 2^63 bytes"}
		}
		return size, nil
	}
	return uint64(short), nil
}

// fill reads until the header has n bytes.
func (c *Conn) fill(n int) error {
	for c.have < n {
		got, err := c.source.Read(c.header[c.have:n])
		c.have += got
		if c.have < n && err != nil {
			return unexpected(err)
		}
	}
	return nil
}

// control takes a control frame, and answers it.
func (c *Conn) control(opcode byte, final bool, size uint64) error {
	if !final || size > maxControl {
		return &ProtocolError{protocolError, "a control frame that is fragmented or longer than 125 bytes"}
	}
	var buf [maxControl]byte
	payload := buf[:size]
	if _, err := io.ReadFull(c.source, payload); err != nil {
		return unexpected(err) // also a deadline: whoever set it is ending the connection
	}
	c.have, c.at = 0, 0
	c.unmask(payload)
	switch opcode {
	case opPing:
		return c.send(opPong, payload)
	case opPong:
		return nil
	case opClose:
		code, err := closeCode(payload)
		if err != nil {
			return err
		}
		c.close(code)
		return ErrClosed
	}
	return &ProtocolError{protocolError, fmt.Sprintf("the unknown opcode %d", opcode)}
}

// closeCode checks the payload of a Close frame, and returns the code to echo.
func closeCode(payload []byte) (CloseCode, error) {
	switch {
	case len(payload) == 0:
		return normalClosure, nil
	case len(payload) == 1:
		return 0, &ProtocolError{protocolError, "a Close frame with half a code"}
	case !utf8.Valid(payload[2:]):
		return 0, &ProtocolError{invalidPayload, "a Close frame whose reason is not UTF-8"}
	}
	code := CloseCode(binary.BigEndian.Uint16(payload))
	if code < 1000 || code >= 5000 || code >= 1004 && code <= 1006 || code >= 1015 && code < 3000 {
		return 0, &ProtocolError{protocolError, fmt.Sprintf("a Close frame with the code %d", code)}
	}
	return code, nil
}

func (c *Conn) unmask(p []byte) {
	at := c.at
	for i := range p {
		p[i] ^= c.mask[at&3]
		at++
	}
	c.at = at & 3
}

// frames are buffers for a frame: the header, and what a writer gives at a time.
var frames = sync.Pool{New: func() any { return new([maxHeader + 16<<10]byte) }}

const maxHeader = 10 // of a frame that is not masked

// Write implements [net.Conn]: one frame, in one write below, so that what is
// written together travels together.
func (c *Conn) Write(p []byte) (int, error) {
	buf := frames.Get().(*[maxHeader + 16<<10]byte)
	defer frames.Put(buf)
	b := appendHeader(buf[:0], opBinary, len(p))
	b = append(b, p...) // beyond the buffer only for packets that a writer does not cut
	if _, err := c.Conn.Write(b); err != nil {
		return 0, err
	}
	return len(p), nil
}

func appendHeader(b []byte, opcode byte, n int) []byte {
	b = append(b, bitFinal|opcode)
	switch {
	case n <= maxControl:
		return append(b, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
}

// send sends a control frame.
func (c *Conn) send(opcode byte, payload []byte) error {
	_, err := c.Conn.Write(append(appendHeader(make([]byte, 0, 2+maxControl), opcode, len(payload)), payload...))
	return err
}

// close sends a Close frame, once.
func (c *Conn) close(code CloseCode) {
	if c.closing.CompareAndSwap(false, true) {
		_ = c.send(opClose, binary.BigEndian.AppendUint16(nil, uint16(code))) // the peer may be gone
	}
}

// CloseWrite ends the sending side in good order: a Close frame, then close_notify.
func (c *Conn) CloseWrite() error {
	c.close(normalClosure)
	return c.Conn.CloseWrite()
}

// unexpected makes an end without Close frame what it is.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
