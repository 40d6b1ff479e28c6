package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// A variant is what one handshake offers.
type variant struct {
	sni      string // empty: none is sent
	alpn     []string
	min, max uint16 // TLS versions; 0: 1.2 and 1.3, no other
	bare     bool   // without the client certificate
}

// deviceVariant is what the device offers.
func (p *run) deviceVariant() variant {
	v := variant{sni: p.serverName(), alpn: p.ALPN, min: p.TLS, max: p.TLS}
	if _, err := netip.ParseAddr(v.sni); err == nil || p.NoSNI { // an address is no server name
		v.sni = ""
	}
	if p.ALPN == nil && !p.WebSocket {
		switch {
		case p.Authorizer != "":
			v.alpn = []string{"mqtt"}
		case p.report.Facts.Port == 443:
			v.alpn = []string{"x-amzn-mqtt-ca"}
		}
	}
	return v
}

// serverName is the name that is sent, and that the server's certificate must have.
func (p *run) serverName() string {
	if p.SNI != "" {
		return p.SNI
	}
	return p.report.Facts.Endpoint
}

// A shake is one handshake and how it came out.
type shake struct {
	conn    *tls.Conn
	state   tls.ConnectionState
	asked   bool // the server asked for a client certificate
	err     error
	elapsed time.Duration
	waited  time.Duration // the limit
}

// handshake makes v's handshake over nc. The server's certificate is not judged
// in it: that comes after, with every detail. Nothing but the handshake is sent
// before that.
func (p *run) handshake(ctx context.Context, nc net.Conn, v variant, limit time.Duration) shake {
	s := shake{waited: limit}
	cfg := &tls.Config{
		ServerName: v.sni, NextProtos: v.alpn, MinVersion: max(v.min, tls.VersionTLS12), MaxVersion: v.max,
		InsecureSkipVerify: true, //nolint:gosec // serverCertificate judges it, and stops the run
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			s.asked = true
			return p.clientCertificate(v), nil
		},
		VerifyConnection: func(cs tls.ConnectionState) error { s.state = cs; return nil },
	}
	s.conn = tls.Client(nc, cfg)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := time.Now()
	s.err = s.conn.HandshakeContext(ctx)
	s.elapsed = time.Since(began)
	if s.err == nil {
		s.state = s.conn.ConnectionState()
	}
	return s
}

func (p *run) clientCertificate(v variant) *tls.Certificate {
	cert := &tls.Certificate{}
	if v.bare || p.material.key == nil {
		return cert
	}
	for _, c := range p.material.chain {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	cert.PrivateKey = p.material.key
	return cert
}

// patience is how long to wait for a server that may yet end TLS: in TLS 1.3 it
// judges the client's certificate when the client is done (connect sheet 5.2).
func (s shake) patience() time.Duration {
	return min(max(2*s.elapsed, 50*time.Millisecond), time.Second)
}

// hearOut waits for the server's verdict on the client's certificate. nil is
// silence, which means that it is content.
func (s shake) hearOut() error {
	if s.state.Version < tls.VersionTLS13 {
		return nil
	}
	s.conn.SetReadDeadline(time.Now().Add(s.patience()))
	defer s.conn.SetReadDeadline(time.Time{})
	_, err := s.conn.Read(make([]byte, 1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	} else if err == nil {
		return errSpokeFirst
	}
	return err
}

var errSpokeFirst = errors.New("the server sent data before the client did")

// alertNumber is the number of the TLS alert that the peer sent; 0 if err is
// none. crypto/tls keeps the number to itself and gives its words.
func alertNumber(err error) uint8 {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" {
		return 0
	}
	for n := 1; n < 256; n++ {
		if tls.AlertError(n).Error() == op.Err.Error() {
			return uint8(n)
		}
	}
	return 0
}

// alertNames are the names of RFC 8446, section 6.
var alertNames = map[uint8]string{
	10: "unexpected_message", 20: "bad_record_mac", 22: "record_overflow", 40: "handshake_failure", 42: "bad_certificate",
	43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown", 47: "illegal_parameter",
	48: "unknown_ca", 49: "access_denied", 50: "decode_error", 51: "decrypt_error", 70: "protocol_version", 71: "insufficient_security",
	80: "internal_error", 86: "inappropriate_fallback", 90: "user_canceled", 109: "missing_extension", 110: "unsupported_extension",
	112: "unrecognized_name", 113: "bad_certificate_status_response", 115: "unknown_psk_identity", 116: "certificate_required", 120: "no_application_protocol",
}

// refusesCertificate says whether an alert is about the client's certificate.
func refusesCertificate(alert uint8) bool {
	return alert >= 42 && alert <= 46 || alert == 48 || alert == 49 || alert == 51 || alert == 116
}

// failure is the check that a failed handshake stands for, with its evidence.
func (p *run) failure(s shake, v variant) (*check.Check, []pair) {
	alert := alertNumber(s.err)
	said := []pair{{"alert", alertText(alert)}}
	switch {
	case alert != 0 && s.asked && (refusesCertificate(alert) || alert == 40):
		return p.refusal(alert)
	case alert == 70:
		return check.TLSVersionBelowPolicy, append(said, pair{"offered", versionsOf(v)}, pair{"required", otherVersions(v)})
	case alert == 112:
		return check.TLSSNIUnknown, append(said, pair{"offered", v.sni})
	case alert == 120:
		return check.TLSALPNNoOverlap, append(said, pair{"alpn_offered", strings.Join(v.alpn, ", ")})
	case alert == 40 || alert == 71:
		return check.TLSCipherNoneShared, said
	case alert != 0:
		return check.TLSHandshakeFailed, append(said, pair{"reason", "the server ended it with an alert"}, pair{"error", plainError(s.err)})
	}
	elapsed := pair{"elapsed", milliseconds(s.elapsed)}
	if record, ok := errors.AsType[tls.RecordHeaderError](s.err); ok {
		return check.TLSServerNotTLS, []pair{{"bytes", hexBytes(record.RecordHeader[:])}}
	}
	switch {
	case errors.Is(s.err, context.DeadlineExceeded), errors.Is(s.err, os.ErrDeadlineExceeded):
		return check.TLSHandshakeTimeout, []pair{{"waited", s.waited.String()}, {"reason", "the server stopped answering"}}
	case errors.Is(s.err, syscall.ECONNRESET), errors.Is(s.err, syscall.EPIPE):
		return check.NetResetAfterClientHello, []pair{elapsed}
	case errors.Is(s.err, io.EOF), errors.Is(s.err, io.ErrUnexpectedEOF):
		return check.TLSHandshakeClosed, []pair{elapsed}
	case strings.Contains(s.err.Error(), "protocol version"):
		return check.TLSVersionBelowPolicy, []pair{{"offered", versionsOf(v)}, {"required", otherVersions(v)}}
	}
	return check.TLSHandshakeFailed, []pair{{"error", plainError(s.err)}}
}

// refusal is the check that an alert about the client's certificate stands for.
func (p *run) refusal(alert uint8) (*check.Check, []pair) {
	ev := []pair{{"alert", alertText(alert)}, {"certificate_id", p.report.Facts.Fingerprint}}
	cert := p.report.Facts.Certificate
	switch {
	case cert == nil:
		return check.CertNoneSent, append(ev[:1], pair{"required", "a client certificate"})
	case alert == 116:
		return check.CertNoneSent, append(ev, pair{"reason", "the server calls for a certificate although one was sent"})
	case alert == 43:
		return check.CertAlgorithm, append(ev, pair{"algorithm", keyName(cert.PublicKey) + ", " + cert.SignatureAlgorithm.String()}, pair{"required", acceptedAlgorithms})
	case alert == 44:
		return check.CertRevoked, ev
	case alert == 45:
		return check.CertExpired, append(ev, pair{"not_after", stamp(cert.NotAfter)}, pair{"now", stamp(p.Now())})
	case alert == 51:
		return check.CertKeyMismatch, ev
	}
	return check.CertRefused, ev
}

// certificateCauses are behind a refused certificate, the likeliest first: the
// symptom table's order, and connect sheet 8.5.
var certificateCauses = []*check.Check{
	check.CertNotRegistered, check.CertInactive, check.CertRevoked, check.CertRegisteredElsewhere, check.CertRegisteredCANotInChain,
	check.TLSSNIRequiredForCert, check.CertExpired, check.CertKeyMismatch,
}

func versionsOf(v variant) string {
	switch {
	case v.max == tls.VersionTLS12:
		return "TLS 1.2"
	case v.min == tls.VersionTLS13:
		return "TLS 1.3"
	}
	return "TLS 1.2 and TLS 1.3"
}

func otherVersions(v variant) string {
	switch {
	case v.max == tls.VersionTLS12:
		return "TLS 1.3"
	case v.min == tls.VersionTLS13:
		return "TLS 1.2"
	}
	return "another version than both"
}

func alertText(n uint8) string {
	if n == 0 {
		return ""
	}
	return strings.TrimSpace(itoa(n) + " " + alertNames[n])
}
