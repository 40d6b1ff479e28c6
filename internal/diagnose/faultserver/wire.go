package faultserver

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"strings"
	"time"
)

// conn is the wire under TLS: it paces what is sent, keeps what was read before
// TLS began, and puts the alert that was asked for in place of Go's.
type conn struct {
	net.Conn
	pace  pace
	alert uint8        // replaces the number of an alert that goes out in plain text
	read  bytes.Buffer // bytes to be read once more
	stop  <-chan struct{}
}

func (c *conn) Read(b []byte) (int, error) {
	if c.read.Len() > 0 {
		return c.read.Read(b)
	}
	return c.Conn.Read(b)
}

func (c *conn) Write(b []byte) (int, error) {
	// Go's server answers alert 42 to whatever a callback refuses. In TLS 1.2 that
	// record is plain text: connect sheet 9 (1).
	if len(b) == 7 && b[0] == recordAlert && c.alert != 0 {
		b = append(bytes.Clone(b[:6]), c.alert)
	}
	if c.pace.bytes == 0 {
		return c.Conn.Write(b)
	}
	sent := 0
	for sent < len(b) {
		if c.pace.delay > 0 {
			select {
			case <-time.After(c.pace.delay):
			case <-c.stop:
				return sent, net.ErrClosed
			}
		}
		n, err := c.Conn.Write(b[sent:min(sent+c.pace.bytes, len(b))])
		sent += n
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

const (
	recordAlert     = 21
	recordHandshake = 22
	recordData      = 23
	maxRecord       = 16<<10 + 256
)

// readHello reads the first record, which is to be read once more. It is an
// error if it is no TLS.
func (c *conn) readHello() error {
	head := make([]byte, 5)
	if _, err := io.ReadFull(c.Conn, head); err != nil {
		return err
	}
	n := int(head[3])<<8 | int(head[4])
	if head[0] != recordHandshake || n > maxRecord {
		return errors.New("the client does not speak TLS")
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(c.Conn, body); err != nil {
		return err
	}
	c.read.Write(head)
	c.read.Write(body)
	return nil
}

// plainAlert is a fatal alert before there are keys.
func plainAlert(number uint8) []byte { return []byte{recordAlert, 3, 3, 0, 2, 2, number} }

// keyLog keeps the secret with which the server's records are encrypted. Go's
// TLS offers no way to choose an alert, so the fault server encrypts it itself.
type keyLog struct{ server []byte }

func (k *keyLog) Write(line []byte) (int, error) {
	fields := strings.Fields(string(line))
	if len(fields) == 3 && fields[0] == "SERVER_TRAFFIC_SECRET_0" {
		secret, err := hex.DecodeString(fields[2])
		if err != nil {
			return 0, err
		}
		k.server = secret
	}
	return len(line), nil
}

// canAlert says whether sealedAlert knows the suite.
func canAlert(suite uint16) bool {
	return suite == tls.TLS_AES_128_GCM_SHA256 || suite == tls.TLS_AES_256_GCM_SHA384
}

// sealedAlert is a fatal alert as the server's first record after a TLS 1.3
// handshake without session tickets: RFC 8446, sections 5.2 and 7.3.
func (k *keyLog) sealedAlert(suite uint16, number uint8) ([]byte, error) {
	var newHash func() hash.Hash
	size := 16
	switch suite {
	case tls.TLS_AES_128_GCM_SHA256:
		newHash = sha256.New
	case tls.TLS_AES_256_GCM_SHA384:
		newHash, size = sha512.New384, 32
	default:
		return nil, fmt.Errorf("alert over %s is not built", tls.CipherSuiteName(suite))
	}
	key, err := hkdf.Expand(newHash, k.server, label("key", size), size)
	if err != nil {
		return nil, err
	}
	const ivSize = 12
	iv, err := hkdf.Expand(newHash, k.server, label("iv", ivSize), ivSize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	inner := []byte{2, number, recordAlert}
	head := []byte{recordData, 3, 3, 0, byte(len(inner) + aead.Overhead())}
	return aead.Seal(head, iv, inner, head), nil // the first record: its number, 0, leaves the IV as it is
}

// label is an HkdfLabel without context.
func label(name string, size int) string {
	name = "tls13 " + name
	return string([]byte{byte(size >> 8), byte(size), byte(len(name))}) + name + "\x00"
}
