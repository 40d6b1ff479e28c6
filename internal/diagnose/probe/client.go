package probe

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// maxPacket is what the probe takes from a server: AWS's limit, mqtt sheet 2.
const maxPacket = 128<<10 + 1<<10

// keepAlive is AWS's lower end, in seconds: a run is over long before.
const keepAlive = 30

// client is the small MQTT client of the probe.
type client struct {
	conn    net.Conn // TLS, or the WebSocket in it
	version mqtt.Version
	reader  *mqtt.Reader
	tee     *firstBytes
	rtt     time.Duration // of CONNECT
	lastID  uint16
	gone    bool
}

func newClient(conn net.Conn, v mqtt.Version) *client {
	tee := &firstBytes{r: conn}
	return &client{conn: conn, version: v, reader: mqtt.NewReader(tee, v, maxPacket), tee: tee}
}

// firstBytes keeps the first bytes that were read, to show them when they are no MQTT.
type firstBytes struct {
	r    io.Reader
	kept []byte
}

func (b *firstBytes) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if room := 16 - len(b.kept); room > 0 && n > 0 {
		b.kept = append(b.kept, p[:min(room, n)]...)
	}
	return n, err
}

func (c *client) send(p mqtt.Packet, limit time.Duration) error {
	c.conn.SetWriteDeadline(time.Now().Add(limit))
	return mqtt.WritePacket(c.conn, c.version, p)
}

// receive returns the next packet.
func (c *client) receive(limit time.Duration) (mqtt.Packet, error) {
	c.conn.SetReadDeadline(time.Now().Add(limit))
	p, err := c.reader.ReadPacket()
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.gone = true
	}
	return p, err
}

// nextID numbers packets.
func (c *client) nextID() uint16 { c.lastID++; return c.lastID }

// disconnect ends the session in good order.
func (c *client) disconnect() {
	if c == nil || c.gone {
		return
	}
	c.gone = true
	_ = c.send(&mqtt.Disconnect{}, time.Second) // a courtesy: the connection ends anyway
}

// An answer is what came of one packet.
type answer struct {
	packet mqtt.Packet
	err    error
	took   time.Duration
}

// ending words the end of a connection.
func ending(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "TCP closed without TLS close_notify"
	case errors.Is(err, io.EOF):
		return "TLS close_notify"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "TCP reset"
	}
	if n := alertNumber(err); n != 0 {
		return "TLS alert " + alertText(n)
	}
	return plainError(err)
}

// looksLike names what answered in place of MQTT.
func looksLike(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("HTTP")):
		return "HTTP"
	case bytes.HasPrefix(b, []byte{0x20, 2}):
		return "a CONNACK in the shape of MQTT 3.1.1"
	}
	return ""
}
