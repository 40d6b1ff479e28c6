//go:build linux

package main

import (
	"bufio"
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

// connect dials and completes an MQTT 3.1.1 CONNECT with a clean session.
func (d device) connect(clientID string, keepAlive uint16) (*tls.Conn, *bufio.Reader, error) {
	tc, err := d.dial()
	if err != nil {
		return nil, nil, err
	}
	if _, err := tc.Write(connectPacket(clientID, keepAlive)); err != nil {
		tc.Close()
		return nil, nil, err
	}
	r := bufio.NewReaderSize(tc, 512)
	var connack [4]byte
	if _, err := io.ReadFull(r, connack[:]); err != nil {
		tc.Close()
		return nil, nil, fmt.Errorf("CONNACK of %s: %w", clientID, err)
	}
	if connack != [4]byte{0x20, 2, 0, 0} {
		tc.Close()
		return nil, nil, fmt.Errorf("CONNACK of %s: % x", clientID, connack)
	}
	return tc, r, nil
}

func connectPacket(clientID string, keepAlive uint16) []byte {
	body := []byte{0, 4, 'M', 'Q', 'T', 'T', 4, 2}
	body = binary.BigEndian.AppendUint16(body, keepAlive)
	return packet(0x10, appendString(body, clientID))
}

func subscribePacket(filter string, qos byte) []byte {
	return packet(0x82, append(appendString([]byte{0, 1}, filter), qos))
}

func publishPacket(topic string, payload []byte) []byte {
	return packet(0x30, append(appendString(nil, topic), payload...))
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

func packet(header byte, body []byte) []byte {
	return append(binary.AppendUvarint([]byte{header}, uint64(len(body))), body...)
}

// readPacket reads one packet and answers its first byte.
func readPacket(r *bufio.Reader) (byte, error) {
	header, err := r.ReadByte()
	if err != nil {
		return 0, err
	}
	length, err := binary.ReadUvarint(r) // MQTT's remaining length is the same encoding
	if err != nil {
		return 0, err
	}
	if length > 1<<20 {
		return 0, errors.New("packet of over 1 MiB")
	}
	_, err = r.Discard(int(length))
	return header, err
}
