//go:build linux

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// device is what a benchmark client shows a server.
type device struct {
	config *tls.Config // certificate, root CA, server name
	addr   string
	// upgrade answers the address of the WebSocket that MQTT goes through; nil: through none.
	upgrade func(context.Context) (string, error)
}

// dial completes the TLS handshake.
func (d device) dial() (*tls.Conn, error) {
	nc, err := net.DialTimeout("tcp", d.addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	tc := tls.Client(nc, d.config)
	_ = tc.SetDeadline(time.Now().Add(60 * time.Second))
	if err := tc.Handshake(); err != nil {
		nc.Close()
		return nil, err
	}
	return tc, nil
}

// session is how a client connects.
type session struct {
	id        string
	keepAlive uint16
	v5        bool
	// keeps asks for a session that outlives the connection (MQTT 3.1.1: cleanSession 0).
	keeps bool
}

// A client is one MQTT connection. Its methods are for one goroutine each way.
type client struct {
	net.Conn
	in *bufio.Reader
	v5 bool
	// resumed says that the server had the session.
	resumed bool
}

// connect dials and completes an MQTT CONNECT.
func (d device) connect(s session) (*client, error) {
	tc, err := d.dial()
	if err != nil {
		return nil, err
	}
	nc := net.Conn(tc)
	if d.upgrade != nil {
		if nc, err = d.upgraded(tc); err != nil {
			tc.Close()
			return nil, err
		}
	}
	c := &client{Conn: nc, in: bufio.NewReaderSize(nc, 4096), v5: s.v5}
	if _, err := nc.Write(connectPacket(s)); err != nil {
		nc.Close()
		return nil, err
	}
	header, body, err := c.packet()
	if err != nil || header != 0x20 || len(body) < 2 || body[1] != 0 {
		nc.Close()
		return nil, fmt.Errorf("CONNACK of %s: %#x % x, %w", s.id, header, body, err)
	}
	c.resumed = body[0] == 1
	return c, nil
}

// subscribe subscribes to up to eight filters, as AWS allows in one packet.
func (c *client) subscribe(qos byte, filters ...string) error {
	body := []byte{0, 1}
	if c.v5 {
		body = append(body, 0)
	}
	for _, f := range filters {
		body = append(appendString(body, f), qos)
	}
	if _, err := c.Write(packet(0x82, body)); err != nil {
		return err
	}
	header, answer, err := c.packet()
	if err != nil || header != 0x90 {
		return fmt.Errorf("SUBACK: %#x, %w", header, err)
	}
	for _, code := range answer[len(answer)-len(filters):] {
		if code != qos {
			return fmt.Errorf("SUBACK refuses: % x", answer)
		}
	}
	return nil
}

// leave ends the connection with DISCONNECT.
func (c *client) leave() error {
	if _, err := c.Write([]byte{0xe0, 0}); err != nil {
		return err
	}
	return c.Close()
}

func connectPacket(s session) []byte {
	level, flags := byte(4), byte(2)
	if s.v5 {
		level = 5
	}
	if s.keeps {
		flags = 0
	}
	body := []byte{0, 4, 'M', 'Q', 'T', 'T', level, flags}
	body = binary.BigEndian.AppendUint16(body, s.keepAlive)
	switch {
	case s.v5 && s.keeps:
		body = append(body, 5, 0x11, 0, 0, 0x0e, 0x10) // session expiry: an hour
	case s.v5:
		body = append(body, 0)
	}
	return packet(0x10, appendString(body, s.id))
}

// publishPacket encodes a PUBLISH and answers where its packet identifier and payload are.
func publishPacket(topic string, qos byte, v5 bool, payload []byte) (p []byte, id, at int) {
	body := appendString(nil, topic)
	if qos > 0 {
		id = len(body)
		body = append(body, 0, 0)
	}
	if v5 {
		body = append(body, 0)
	}
	at = len(body)
	p = packet(0x30|qos<<1, append(body, payload...))
	shift := len(p) - at - len(payload)
	return p, id + shift, at + shift
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

func packet(header byte, body []byte) []byte {
	return append(binary.AppendUvarint([]byte{header}, uint64(len(body))), body...)
}

// packet reads one packet. The body is valid until the next call.
func (c *client) packet() (header byte, body []byte, err error) {
	header, err = c.in.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	length, err := binary.ReadUvarint(c.in) // MQTT's remaining length is the same encoding
	if err != nil {
		return 0, nil, err
	}
	if length > 1<<20 {
		return 0, nil, errors.New("packet of over 1 MiB")
	}
	if int(length) <= c.in.Size() {
		if body, err = c.in.Peek(int(length)); err == nil {
			_, err = c.in.Discard(int(length))
		}
		return header, body, err
	}
	body = make([]byte, length)
	_, err = io.ReadFull(c.in, body)
	return header, body, err
}

// publishBody splits the body of a PUBLISH into packet identifier and payload.
func (c *client) publishBody(header byte, body []byte) (id uint16, payload []byte, err error) {
	short := errors.New("short PUBLISH")
	if len(body) < 2 {
		return 0, nil, short
	}
	n := 2 + int(binary.BigEndian.Uint16(body))
	if len(body) < n+3 {
		return 0, nil, short
	}
	body = body[n:]
	if header&0x06 != 0 {
		id, body = binary.BigEndian.Uint16(body), body[2:]
	}
	if c.v5 {
		props, width := binary.Uvarint(body)
		if width <= 0 || len(body) < width+int(props) {
			return 0, nil, short
		}
		body = body[width+int(props):]
	}
	return id, body, nil
}
