package gateway

import (
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"os"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/gateway/mqttconn"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// carryMQTT carries an MQTT connection: its first bytes must not belong to
// another protocol, and from there on it is mqttconn's.
func (c *session) carryMQTT() mqttconn.Rest {
	first, ok := c.readFirst()
	if !ok {
		return nil
	}
	switch sniff(first) {
	case speechHTTP, speechHTTP2:
		c.at.Fail(check.ProtocolHTTPOnMQTT, attempt.F("offered", requestLine(c.more(first))))
		return nil
	case speechTLS:
		c.at.Fail(check.ProtocolUnrecognized, attempt.F("bytes", hex.EncodeToString(first)), attempt.F("offered", "TLS within TLS"))
		return nil
	default: // MQTT, or for mqttconn to refuse
	}
	if c.deferred != nil || c.endpoint.Disabled {
		hello := parseConnect(c.more(first))
		if hello.clientID != "" {
			c.at.SetClientID(hello.clientID)
		}
		if c.refusedBefore(hello.clientID) {
			return nil
		}
	}
	nc := &prefixed{Conn: c.tls, first: first}
	if c.route.auth != authCertificate {
		return c.stranger(nc, nil, policy.MQTT, mqttconn.Lifetime{})
	}
	return c.serveMQTT(nc, caller{who: c.who}, policy.MQTT, mqttconn.Lifetime{}, nil)
}

// serveMQTT hands a stream of MQTT packets to mqttconn until it ends or rests. Where who
// is nobody, authenticate says it by the CONNECT; else it is nil.
func (c *session) serveMQTT(nc net.Conn, who caller, protocol policy.Protocol, lifetime mqttconn.Lifetime, authenticate mqttconn.AuthenticateFunc) mqttconn.Rest {
	info := mqttconn.Info{
		Remote:   remote(c.wire.Conn),
		Facts:    identity.Facts{Protocol: protocol, DomainName: c.sni, SourceIP: remote(c.wire.Conn).Addr()},
		Lifetime: lifetime, Authenticate: authenticate,
	}
	return c.s.cfg.MQTT.Serve(c.sig.stop, nc, info, who.who, c.at)
}

// readFirst reads the first bytes that the device sends, enough to recognise a
// protocol, and records why when there are none.
func (c *session) readFirst() (first []byte, ok bool) {
	c.tls.SetReadDeadline(time.Now().Add(c.s.cfg.HeaderTimeout))
	defer c.tls.SetReadDeadline(time.Time{})
	stop := c.unblockReads()
	defer stop()
	buf := make([]byte, 0, 16)
	for {
		n, err := c.tls.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if len(buf) > 0 && (isConnect(buf) || !couldGrow(buf)) {
			return buf, true
		}
		if err != nil {
			c.noFirst(buf, err)
			return nil, false
		}
	}
}

// noFirst records that the first bytes did not come.
func (c *session) noFirst(have []byte, err error) {
	switch {
	case c.refusedBefore(""):
	case c.sig.stop.Err() != nil:
		c.at.Warn(check.ServerShuttingDown)
	case errors.Is(err, os.ErrDeadlineExceeded):
		timeout := check.ConnectTimeout
		if c.route.transport == transportHTTP {
			timeout = check.HTTPHeaderTimeout
		}
		c.at.Fail(timeout, attempt.F("waited", c.s.cfg.HeaderTimeout.String()), attempt.F("bytes", hex.EncodeToString(have)))
		if c.bare && c.door == DoorALPN && c.route.transport == transportHTTP {
			// Perhaps it waits for MQTT, and its ALPN list did not reach its TLS library: PROBLEMS C-11.
			c.at.Warn(check.TLSALPNAbsent, attempt.F("required", alpnMQTTCert))
		}
	default:
		c.closedBeforeData(err)
	}
}

// closedBeforeData records that the device left after the handshake without a
// word. In TLS 1.3 it may have refused our certificate: its alert arrives as
// the first thing after the handshake. Source: connect sheet 5.2, 9.3.
func (c *session) closedBeforeData(err error) {
	if number, ok := remoteAlert(err); ok {
		c.at.Fail(check.TLSServerCertRefused, attempt.F("alert", alertText(number)), attempt.F("offered", c.sni))
		return
	}
	c.at.Fail(check.ProtocolClosedBeforeData, attempt.F("reason", clipText(err.Error())))
}

// unblockReads makes reads fail when the server stops.
func (c *session) unblockReads() (stop func() bool) {
	return afterStop(c.sig, func() { c.tls.SetReadDeadline(time.Unix(1, 0)) })
}

// more returns first with what else has arrived, at most 512 bytes: for the
// record only, so it hardly waits.
func (c *session) more(first []byte) []byte {
	buf := make([]byte, 512)
	n := copy(buf, first)
	c.tls.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if m, err := c.tls.Read(buf[n:]); err == nil {
		n += m
	}
	return buf[:n]
}

// A connectHello is what the record of a refused CONNECT shows.
type connectHello struct {
	clientID string
	level    byte   // 3: MQTT 3.1, 4: 3.1.1, 5: 5
	custom   string // names of the parameters of a custom authorizer that were sent; "" for none
}

// parseConnect reads the client ID of a CONNECT packet that may be cut short,
// for the record only. What can't be read stays empty. The bytes are hostile.
func parseConnect(p []byte) (hello connectHello) {
	if !isConnect(p) {
		return hello
	}
	_, n := binary.Uvarint(p[1:]) // the remaining length has the same form, of up to 4 bytes
	if n <= 0 {
		return hello
	}
	p = p[1+n:]
	name, p, ok := cutString(p)
	if !ok || len(p) < 4 || name != "MQTT" && name != "MQIsdp" {
		return hello
	}
	hello.level = p[0]
	flags := p[1]
	p = p[4:] // level, flags, keep-alive
	if p, ok = cutProperties(p, hello.level); !ok {
		return hello
	}
	id, p, ok := cutString(p)
	if !ok || !utf8.ValidString(id) {
		return hello
	}
	hello.clientID = id
	const hasWill, hasUserName = 0x04, 0x80
	if flags&hasUserName == 0 {
		return hello
	}
	if flags&hasWill != 0 {
		if p, ok = cutProperties(p, hello.level); !ok {
			return hello
		}
		for range 2 { // topic, payload
			if _, p, ok = cutString(p); !ok {
				return hello
			}
		}
	}
	if len(p) > 2 { // the rest of a long one is not needed
		user := string(p[2:min(len(p), 2+int(binary.BigEndian.Uint16(p)))])
		if identity.HasCustomParameters(user) {
			hello.custom = clipText(identity.ParameterNames(user))
		}
	}
	return hello
}

// cutProperties takes the properties of MQTT 5 from the front of p; other
// versions have none.
func cutProperties(p []byte, level byte) (rest []byte, ok bool) {
	if level != 5 {
		return p, true
	}
	size, n := binary.Uvarint(p)
	if n <= 0 || size > uint64(len(p)-n) {
		return p, false
	}
	return p[n+int(size):], true
}

// cutString takes a string with a length of two bytes from the front of p.
func cutString(p []byte) (s string, rest []byte, ok bool) {
	if len(p) < 2 {
		return "", p, false
	}
	n := int(binary.BigEndian.Uint16(p))
	if len(p)-2 < n {
		return "", p, false
	}
	return string(p[2 : 2+n]), p[2+n:], true
}

// prefixed is a TLS connection some of whose bytes were read already.
type prefixed struct {
	*tls.Conn
	first []byte
}

// Read returns the bytes that were read already, then those of the connection.
func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.first) > 0 {
		n := copy(b, p.first)
		if p.first = p.first[n:]; len(p.first) == 0 {
			p.first = nil
		}
		return n, nil
	}
	return p.Conn.Read(b)
}
