//go:build linux

// Package faults does to the real gatehouse binary what hostile devices and bad
// days do: floods, slow and broken peers, a full disk, signals at the wrong
// moment. Everything runs on loopback, and every attack is bounded in time.
package faults

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// usage is [gatehouseproc.Usage] in the unit that a test speaks of.
type usage struct {
	rss         int // MiB
	descriptors int
	threads     int
}

func (u usage) String() string {
	return fmt.Sprintf("%d MiB, %d descriptors, %d threads", u.rss, u.descriptors, u.threads)
}

func usageOf(pid int) usage {
	u := gatehouseproc.UsageOf(pid)
	return usage{int(u.Resident >> 20), u.Descriptors, u.Threads}
}

// explained is what `gatehouse explain` knows of the last attempt that flags choose.
func explained(t *testing.T, gw *gatehouseproc.Process, flags ...string) (d attempt.Detail) {
	t.Helper()
	out, stderr, _ := gw.Run(t.Context(), "", "gatehouse", append([]string{"-o", "json", "explain"}, flags...)...)
	if err := json.Unmarshal([]byte(out), &d); err != nil {
		t.Fatalf("explain %v: %v\n%s%s", flags, err, out, stderr)
	}
	return d
}

func codesOf(findings []attempt.Finding) (codes []string) {
	for _, f := range findings {
		codes = append(codes, f.Code)
	}
	return codes
}

// A device is how one connects.
type device struct {
	id     string // thing name
	config *tls.Config
}

func addDevice(t testing.TB, gw *gatehouseproc.Process, name string) device {
	t.Helper()
	_, config := gw.AddPermissiveDevice(t, name)
	return device{name, config}
}

// dialFrom opens a TCP connection from a loopback address of its own.
func dialFrom(ip string, port int) (*net.TCPConn, error) {
	d := net.Dialer{Timeout: 30 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	nc, err := d.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	return nc.(*net.TCPConn), nil
}

// open goes up to CONNACK as MQTT 3.1.1, or as MQTT 5 when level is 5.
func (d device) open(ip string, port int, clientID string, level byte) (*tls.Conn, error) {
	nc, err := dialFrom(ip, port)
	if err != nil {
		return nil, err
	}
	tc := tls.Client(nc, d.config)
	tc.SetDeadline(time.Now().Add(30 * time.Second))
	if err := connect(tc, clientID, level); err != nil {
		tc.Close()
		return nil, err
	}
	tc.SetDeadline(time.Time{})
	return tc, nil
}

func connect(rw io.ReadWriter, clientID string, level byte) error {
	if _, err := rw.Write(connectPacket(clientID, level)); err != nil {
		return err
	}
	head := make([]byte, 2)
	if _, err := io.ReadFull(rw, head); err != nil {
		return err
	}
	body := make([]byte, head[1]) // CONNACK is short
	if _, err := io.ReadFull(rw, body); err != nil {
		return err
	}
	if head[0] != 0x20 || len(body) < 2 || body[1] != 0 {
		return fmt.Errorf("CONNACK % x % x", head, body)
	}
	return nil
}

func connectPacket(clientID string, level byte) []byte {
	body := []byte{0, 4, 'M', 'Q', 'T', 'T', level, 2, 0, 60}
	if level == 5 {
		body = append(body, 0)
	}
	return packet(0x10, append(body, text(clientID)...))
}

// packet puts a fixed header in front of body.
func packet(header byte, body []byte) []byte {
	p := []byte{header}
	for n := len(body); ; {
		b := byte(n & 0x7f)
		if n >>= 7; n > 0 {
			p = append(p, b|0x80)
			continue
		}
		return append(append(p, b), body...)
	}
}

func text(s string) []byte { return append([]byte{byte(len(s) >> 8), byte(len(s))}, s...) }

// publishOnce sends a QoS 1 message and waits for its PUBACK.
func publishOnce(tc *tls.Conn, topic string) error {
	if _, err := tc.Write(packet(0x32, append(append(text(topic), 0, 1), "hello"...))); err != nil {
		return err
	}
	ack := make([]byte, 4)
	if _, err := io.ReadFull(tc, ack); err != nil {
		return err
	}
	if [4]byte(ack) != [4]byte{0x40, 2, 0, 1} {
		return errors.New("no PUBACK")
	}
	return nil
}
