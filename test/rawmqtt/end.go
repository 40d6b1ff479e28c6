package rawmqtt

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"syscall"
	"time"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// Kind is how a connection ended.
type Kind string

// The kinds of ends.
const (
	CloseNotify Kind = "close_notify" // TLS was closed properly
	FIN         Kind = "FIN"          // the peer closed TCP; under TLS: without close_notify
	RST         Kind = "RST"          // TCP reset
	Alert       Kind = "alert"        // a TLS alert other than close_notify: End.Alert
	Silence     Kind = "silence"      // nothing came in time; the connection is open
	Garbage     Kind = "garbage"      // the peer sent what is neither TLS nor MQTT: End.Rest
	Local       Kind = "local"        // this side gave up, for example over the server's certificate: End.Err
)

// End is how a connection ended and what came before.
type End struct {
	Kind      Kind
	Handshake bool // it ended during the handshake, as this side saw it

	// Alert and what follows it are set for Kind Alert, and Level and Encrypted for
	// CloseNotify.
	Alert     uint8 // number, see RFC 8446 section 6
	Level     uint8 // 1 warning, 2 fatal; 0 when unknown because it was encrypted
	Encrypted bool

	// Then is what TCP did after Kind CloseNotify, Alert, Garbage or Local: FIN, RST,
	// or Silence when it stayed open.
	Then Kind

	Packets   []mqtt.Packet // all that [Client.End] and [Try] read
	Malformed *mqtt.Error   // the fault of a packet that the decoder refused
	Rest      []byte        // bytes that make no packet
	Wire      string        // TLS records that came after our last word and the last packet read, content type and length: "23:19, 21:26"
	After     time.Duration // from the dial to the end
	Err       error         // what Go said
}

// Disconnect returns the server's DISCONNECT, the last packet; nil if there is none.
func (e End) Disconnect() *mqtt.Disconnect { return last[*mqtt.Disconnect](e) }

// Connack returns the first CONNACK; nil if there is none.
func (e End) Connack() *mqtt.Connack {
	for _, p := range e.Packets {
		if c, ok := p.(*mqtt.Connack); ok {
			return c
		}
	}
	return nil
}

func last[P mqtt.Packet](e End) (none P) {
	if n := len(e.Packets); n > 0 {
		if p, ok := e.Packets[n-1].(P); ok {
			return p
		}
	}
	return none
}

// String is all of the end that a test compares, in one line:
// "CONNACK 0x87, close_notify, then FIN" or
// "alert 42 bad_certificate (encrypted), then FIN".
func (e End) String() string {
	var parts []string
	for _, p := range e.Packets {
		parts = append(parts, describe(p))
	}
	if e.Malformed != nil {
		parts = append(parts, fmt.Sprintf("malformed [%s]", e.Malformed.Rule))
	}
	end := string(e.Kind)
	switch e.Kind {
	case Alert:
		end = fmt.Sprintf("alert %d %s", e.Alert, AlertName(e.Alert))
		if e.Encrypted {
			end += " (encrypted)"
		}
	case Local:
		end = fmt.Sprintf("local: %v", e.Err)
	case Garbage:
		end = fmt.Sprintf("garbage %.40q", e.Rest)
	default: // the kind says it all
	}
	if e.Handshake {
		end += " in the handshake"
	}
	parts = append(parts, end)
	s := strings.Join(parts, ", ")
	if e.Then != "" {
		s += ", then " + string(e.Then)
	}
	return s
}

func describe(p mqtt.Packet) string {
	switch p := p.(type) {
	case *mqtt.Connack:
		return fmt.Sprintf("CONNACK 0x%02X", byte(p.Reason))
	case *mqtt.Disconnect:
		return fmt.Sprintf("DISCONNECT 0x%02X", byte(p.Reason))
	case *mqtt.Puback:
		return fmt.Sprintf("PUBACK 0x%02X", byte(p.Reason))
	case *mqtt.Suback:
		var s strings.Builder
		s.WriteString("SUBACK")
		for _, c := range p.Codes {
			fmt.Fprintf(&s, " 0x%02X", byte(c))
		}
		return s.String()
	}
	return p.Type().String()
}

// classify turns the error of a read or of the handshake into an End.
func (c *Client) classify(err error) End {
	end := End{Err: err, After: time.Since(c.started)}
	if n, ok := remoteAlert(err); ok {
		end.Kind, end.Alert = Alert, n
		end.Level, end.Encrypted = c.tap.lastAlert()
		return end
	}
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	_, noMQTT := errors.AsType[*mqtt.Error](err)
	if errors.Is(err, syscall.EPIPE) { // the peer was gone before our write: how, the next read says
		c.tap.SetReadDeadline(time.Now().Add(time.Second))
		_, _ = io.Copy(io.Discard, c.tap) // the tap notes it
	}
	switch {
	case noTLS:
		end.Kind, end.Rest = Garbage, c.tap.first()
	case noMQTT:
		end.Kind = Garbage
	case errors.Is(err, syscall.ECONNRESET) || c.tap.reset:
		end.Kind = RST
	case c.tls == nil && c.tap.plainAlert(&end):
	case c.tap.eof:
		end.Kind = FIN
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		// TLS ended and TCP did not: Go's answer to close_notify.
		end.Kind = CloseNotify
		end.Level, end.Encrypted = c.tap.lastAlert()
	case errors.Is(err, os.ErrDeadlineExceeded) || isTimeout(err):
		end.Kind = Silence
	default:
		end.Kind = Local
	}
	return end
}

// follow watches what TCP does after TLS, or MQTT, is over.
func (c *Client) follow(end *End, deadline time.Time) {
	switch end.Kind {
	case CloseNotify, Alert, Garbage, Local:
	default:
		return
	}
	if end.Kind != Local { // reading on after our own failure shows how the server takes it
		deadline = time.Now().Add(max(time.Until(deadline), 200*time.Millisecond))
	}
	c.tap.SetReadDeadline(deadline)
	buf := make([]byte, 4096)
	for !c.tap.eof && !c.tap.reset {
		n, err := c.tap.Read(buf)
		if end.Kind == Garbage && len(end.Rest) < maxKept {
			end.Rest = append(end.Rest, buf[:n]...)
		}
		if isTimeout(err) {
			end.Then = Silence
			return
		}
		if err != nil {
			break
		}
	}
	if end.Then = FIN; c.tap.reset {
		end.Then = RST
	}
}

// drain collects what follows bytes that are no packet.
func (c *Client) drain(end End) End {
	end.Rest = append([]byte{}, c.reader.Buffered()...)
	if bad, ok := errors.AsType[*mqtt.Error](end.Err); ok {
		end.Malformed = bad
	}
	c.reader = mqtt.NewReader(strings.NewReader(""), c.version, 0)
	if c.tls == nil {
		c.tap.plainAlert(&end)
		return end
	}
	buf := make([]byte, 4096)
	for len(end.Rest) < maxKept {
		n, err := c.tls.Read(buf)
		end.Rest = append(end.Rest, buf[:n]...)
		if err != nil {
			break
		}
	}
	return end
}

// remoteAlert returns the alert number in an error of crypto/tls. Its alert
// type is not exported, but it is a uint8 inside a net.OpError.
func remoteAlert(err error) (uint8, bool) {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" {
		return 0, false
	}
	if v := reflect.ValueOf(op.Err); v.Kind() == reflect.Uint8 {
		return uint8(v.Uint()), true
	}
	return 0, false
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// AlertName is the name of a TLS alert (RFC 8446 section 6, RFC 5246 7.2).
func AlertName(n uint8) string {
	if s, ok := alertNames[n]; ok {
		return s
	}
	return fmt.Sprintf("alert_%d", n)
}

var alertNames = map[uint8]string{
	0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 21: "decryption_failed", 22: "record_overflow",
	40: "handshake_failure", 41: "no_certificate", 42: "bad_certificate", 43: "unsupported_certificate", 44: "certificate_revoked",
	45: "certificate_expired", 46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied",
	50: "decode_error", 51: "decrypt_error", 70: "protocol_version", 71: "insufficient_security", 80: "internal_error",
	86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation", 109: "missing_extension", 110: "unsupported_extension",
	112: "unrecognized_name", 113: "bad_certificate_status_response", 115: "unknown_psk_identity", 116: "certificate_required",
	120: "no_application_protocol", 121: "ech_required",
}
