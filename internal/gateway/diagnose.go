package gateway

import (
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// diagnose records why a handshake failed. crypto/tls tells by its error's
// text, the wire by what passed over it; what we refused ourselves is recorded
// already. Source: connect sheet 9, 5.1.
func (h *handshake) diagnose(err error, sig conduct) {
	at, w := h.at, h.wire
	switch {
	case h.judged:
		return
	case h.err != nil:
		h.s.cfg.Log.LogAttrs(sig.stop, slog.LevelError, "cannot judge a certificate", slog.String("trace", at.ID()), slog.String("error", h.err.Error()))
		at.Fail(check.TLSHandshakeFailed, attempt.F("reason", "the registry could not be read"), attempt.F("error", h.err.Error()), attempt.F("alert", alertText(alertInternalError)))
		return
	case sig.stop.Err() != nil:
		at.Warn(check.ServerShuttingDown)
		return
	case errors.Is(err, errNotTLS):
		h.diagnosePlaintext()
		return
	}
	if number, ok := remoteAlert(err); ok {
		h.diagnoseAlert(number)
		return
	}
	if w.received != 0 {
		// An OpenSSL client on TLS 1.3 sends its alert in plaintext, where
		// crypto/tls sees a record that it can't decrypt.
		h.diagnoseAlert(w.received)
		return
	}
	text := strings.TrimPrefix(err.Error(), "tls: ")
	alert := attempt.F("alert", "none")
	if w.sent != 0 {
		alert = attempt.F("alert", alertText(w.sent))
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		h.diagnoseTimeout()
	case isGone(err):
		h.diagnoseClose(err)
	case strings.HasPrefix(text, "client didn't provide a certificate"):
		at.Fail(check.CertNoneSent, attempt.F("alert", alertText(h.missingCertificateAlert())))
	case strings.HasPrefix(text, "invalid signature by the client certificate"):
		at.Fail(check.CertKeyMismatch, attempt.F("alert", alertText(alertDecryptError)), attempt.F("reason", "CertificateVerify is not signed with the certificate's key"))
	case strings.HasPrefix(text, "failed to parse client certificate: "):
		at.Fail(check.CertMalformed, attempt.F("reason", clipText(strings.TrimPrefix(text, "failed to parse client certificate: "))), alert)
	case strings.HasPrefix(text, "client sent certificate containing RSA key larger"):
		at.Fail(check.CertAlgorithm, attempt.F("algorithm", "RSA larger than 8192 bits"), attempt.F("required", "RSA with 2048 to 8192 bits"), alert)
	case strings.HasPrefix(text, "client certificate contains an unsupported public key"):
		at.Fail(check.CertAlgorithm, attempt.F("algorithm", strings.TrimPrefix(text, "client certificate contains an unsupported public key of type ")),
			attempt.F("required", "RSA with at least 2048 bits, or ECDSA on P-256, P-384 or P-521"), alert)
	case strings.HasPrefix(text, "no cipher suite supported"):
		at.Fail(check.TLSCipherNoneShared, attempt.F("reason", text), alert)
	case strings.HasPrefix(text, "client offered only unsupported versions"), strings.HasPrefix(text, "unsupported SSLv2 handshake"):
		security, _ := LookupSecurityPolicy("", h.door)
		at.Fail(check.TLSVersionBelowPolicy, attempt.F("offered", "SSL 2.0"), attempt.F("required", requiredVersions(security)), attempt.F("security_policy", security.Name), alert)
	case !h.hello:
		at.Fail(check.TLSClientHelloMalformed, attempt.F("reason", clipText(text)), alert)
	default:
		at.Fail(check.TLSHandshakeFailed, attempt.F("reason", clipText(text)), alert)
	}
}

// missingCertificateAlert is what crypto/tls sends for a missing certificate.
func (h *handshake) missingCertificateAlert() byte {
	if h.version == 0x0304 {
		return alertCertificateRequired
	}
	return alertHandshakeFailure
}

// diagnosePlaintext records a peer that does not speak TLS. Source: connect sheet 2.4.
func (h *handshake) diagnosePlaintext() {
	first := h.wire.first
	bytes := attempt.F("bytes", hex.EncodeToString(first[:min(len(first), 32)]))
	switch sniff(first) {
	case speechMQTT:
		h.at.Fail(check.TLSPlaintextMQTT, bytes)
	case speechHTTP, speechHTTP2:
		h.at.Fail(check.TLSPlaintextHTTP, bytes, attempt.F("offered", requestLine(first)))
	default:
		h.at.Fail(check.TLSNotTLS, bytes)
	}
}

// requestLine returns the beginning of a request without its query, which may
// hold credentials.
func requestLine(p []byte) string {
	line, _, _ := strings.Cut(string(p), "\r\n")
	line, _, _ = strings.Cut(line, "?")
	return strings.ToValidUTF8(clipText(line), "\uFFFD")
}

// diagnoseAlert records that the client ended the handshake with an alert:
// mostly it does not accept our certificate. Source: connect sheet 5.1 row 6.
func (h *handshake) diagnoseAlert(number byte) {
	alert := attempt.F("alert", alertText(number))
	switch number {
	case alertUnknownCA:
		h.at.Fail(check.TLSServerCertUntrusted, alert)
	case alertCertificateExpired:
		if h.served == nil {
			h.at.Fail(check.TLSServerCertRefused, alert)
			return
		}
		c, now := check.DeviceClockBehind, h.s.cfg.Now()
		if now.Before(h.served.NotBefore) || now.After(h.served.NotAfter) {
			c = check.TLSServerCertExpired // the device is right
		}
		h.at.Fail(c, alert, attempt.F("now", h.now()), attempt.F("not_before", date(h.served.NotBefore)), attempt.F("not_after", date(h.served.NotAfter)))
	case alertBadCertificate, alertUnsupportedCertificate, alertCertificateRevoked, alertCertificateUnknown:
		if required, ok := h.nameMismatch(); ok {
			h.at.Fail(check.TLSServerCertName, alert, attempt.F("offered", h.serverName()), attempt.F("required", required))
			return
		}
		h.at.Fail(check.TLSServerCertRefused, alert)
	default:
		h.at.Fail(check.TLSHandshakeFailed, alert, attempt.F("reason", "the device ended the handshake with the alert "+alertText(number)))
	}
}

// nameMismatch tells whether our certificate does not have the name by which
// the client came, and which names it has.
func (h *handshake) nameMismatch() (required string, mismatch bool) {
	if h.served == nil {
		return "", false
	}
	required = strings.Join(h.served.DNSNames, ", ")
	return required, h.sni == "" || h.served.VerifyHostname(h.sni) != nil
}

// serverName is the name by which the client came.
func (h *handshake) serverName() string {
	if h.sni == "" {
		return "an address without server name"
	}
	return h.sni
}

// date writes a time as evidence.
func date(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// diagnoseTimeout records a handshake that took too long.
func (h *handshake) diagnoseTimeout() {
	waited := attempt.F("waited", h.s.cfg.HandshakeTimeout.String())
	switch {
	case h.wire.in.Load() == 0:
		h.at.Fail(check.TLSHandshakeTimeout, waited, attempt.F("reason", "not a byte arrived"))
	case !h.hello:
		h.at.Fail(check.TLSHandshakeTimeout, waited, attempt.F("reason", "the ClientHello did not arrive whole"))
	default:
		h.at.Fail(check.TLSHandshakeTimeout, waited, attempt.F("reason", "the device did not answer our certificate"))
	}
}

// diagnoseClose records a peer that went away in the handshake, and what it had
// seen by then.
func (h *handshake) diagnoseClose(err error) {
	reason := attempt.F("reason", "the device closed the connection")
	if errors.Is(err, syscall.ECONNRESET) {
		reason = attempt.F("reason", "the connection was reset")
	}
	w := h.wire
	switch {
	case w.in.Load() == 0:
		h.at.Warn(check.TCPClosedBeforeHello, reason)
	case !h.hello:
		h.at.Fail(check.TLSClientHelloMalformed, attempt.F("reason", "the connection ended within the ClientHello"))
	case w.answered && w.sinceAnswer == 0 && errors.Is(err, syscall.ECONNRESET):
		h.at.Fail(check.NetResetAfterClientHello, reason)
	case w.answered && w.sinceAnswer == 0:
		// Everything that we sent and nothing since: the device saw our
		// certificate and left. Source: connect sheet 9.2, PROBLEMS B-13.
		h.at.Fail(check.TLSServerCertRefused, reason, attempt.F("alert", "none"))
		if sent := w.out.Load(); sent > smallBuffer {
			h.at.Also(check.ClientTLSBufferSmall, attempt.F("bytes_sent", strconv.FormatInt(sent, 10)))
		}
	default:
		h.at.Fail(check.TLSHandshakeFailed, reason)
	}
}

// smallBuffer is the input buffer of small TLS stacks. Source: PROBLEMS B-13.
const smallBuffer = 4096

// isGone tells whether err means that the peer is no longer there.
func isGone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe)
}
