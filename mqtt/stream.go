package mqtt

import (
	"errors"
	"io"
)

// Reader reads packets from a stream, for tests, probes and small clients; a
// server with many connections splits its own buffers with [NextPacket].
type Reader struct {
	// Version is that of the packets to come. Reading a CONNECT sets it; a
	// client sets it to the version that it sent.
	Version Version

	r   io.Reader
	max int
	buf []byte // what was read and not yet returned, from pos on
	pos int
}

// NewReader returns a Reader of packets of up to max bytes, fixed header
// included; 0 means no limit but the protocol's. Memory grows with the bytes
// that arrive, never with a length that a packet only claims.
func NewReader(r io.Reader, v Version, max int) *Reader {
	return &Reader{Version: v, r: r, max: max}
}

// ReadFrame returns the next packet undecoded: its first byte and its body,
// which is valid until the next call. Errors are io.EOF between packets,
// io.ErrUnexpectedEOF inside one, an *Error for bytes that are no packet, or the
// stream's own (a timeout may be retried).
func (r *Reader) ReadFrame() (header byte, body []byte, err error) {
	for {
		header, body, n, err := NextPacket(r.buf[r.pos:], r.max)
		if err != nil {
			return header, nil, err
		}
		if n > 0 {
			r.pos += n
			return header, body, CheckLength(r.Version, header, n, len(body))
		}
		if err := r.fill(-n); err != nil {
			if errors.Is(err, io.EOF) && r.pos < len(r.buf) {
				err = io.ErrUnexpectedEOF
			}
			return 0, nil, err
		}
	}
}

// ReadPacket reads and decodes the next packet. The packet owns its memory. On
// an *Error it returns also what was decoded so far, nil if that is nothing.
func (r *Reader) ReadPacket() (Packet, error) {
	header, body, err := r.ReadFrame()
	if err != nil {
		return nil, err
	}
	p, err := Decode(r.Version, header, append([]byte{}, body...))
	if c, ok := p.(*Connect); ok && err == nil {
		r.Version = c.Version
	}
	return p, err
}

// Buffered returns the bytes that were read and belong to no returned packet;
// after an error, what the peer sent that could not be used.
func (r *Reader) Buffered() []byte { return r.buf[r.pos:] }

// fill reads at least one byte, hoping for need.
func (r *Reader) fill(need int) error {
	if r.pos > 0 {
		r.buf = append(r.buf[:0], r.buf[r.pos:]...)
		r.pos = 0
	}
	const step = 4096 // so that a claimed length costs nothing before its bytes come
	have := len(r.buf)
	r.buf = append(r.buf, make([]byte, min(max(need, 512), step))...)
	n, err := io.ReadAtLeast(r.r, r.buf[have:], 1)
	r.buf = r.buf[:have+n]
	return err
}

// WritePacket encodes p for version v and writes it in one call of w.
func WritePacket(w io.Writer, v Version, p Packet) error {
	b, err := p.Append(nil, v)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}
