package gateway

import (
	"crypto/tls"
	"errors"
	"net"
	"strconv"
)

// Alert numbers that the gateway sends or understands: RFC 8446, section 6.
const (
	alertCloseNotify            = 0
	alertHandshakeFailure       = 40
	alertBadCertificate         = 42
	alertUnsupportedCertificate = 43
	alertCertificateRevoked     = 44
	alertCertificateExpired     = 45
	alertCertificateUnknown     = 46
	alertUnknownCA              = 48
	alertDecodeError            = 50
	alertDecryptError           = 51
	alertProtocolVersion        = 70
	alertInternalError          = 80
	alertUnrecognizedName       = 112
	alertCertificateRequired    = 116
	alertNoApplicationProtocol  = 120
)

// alertNames are the names of RFC 8446 for the numbers that devices see.
var alertNames = map[byte]string{
	10: "unexpected_message", 20: "bad_record_mac", 22: "record_overflow",
	alertHandshakeFailure: "handshake_failure", alertBadCertificate: "bad_certificate",
	alertUnsupportedCertificate: "unsupported_certificate", alertCertificateRevoked: "certificate_revoked",
	alertCertificateExpired: "certificate_expired", alertCertificateUnknown: "certificate_unknown",
	47: "illegal_parameter", alertUnknownCA: "unknown_ca", 49: "access_denied", alertDecodeError: "decode_error",
	alertDecryptError: "decrypt_error", alertProtocolVersion: "protocol_version", 71: "insufficient_security",
	alertInternalError: "internal_error", 90: "user_canceled", 109: "missing_extension", 110: "unsupported_extension",
	alertUnrecognizedName: "unrecognized_name", 113: "bad_certificate_status_response",
	alertCertificateRequired: "certificate_required", alertNoApplicationProtocol: "no_application_protocol",
}

// alertText writes an alert with its name: "46 certificate_unknown".
func alertText(number byte) string {
	text := strconv.Itoa(int(number))
	if name := alertNames[number]; name != "" {
		text += " " + name
	}
	return text
}

// remoteAlert returns the number of the alert that made a handshake fail with
// err, when it was the client that sent it. crypto/tls keeps the number in an
// unexported type; its text is the public part.
func remoteAlert(err error) (number byte, ok bool) {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" || op.Err == nil {
		return 0, false
	}
	text := op.Err.Error()
	for n := range 256 {
		if tls.AlertError(n).Error() == text {
			return byte(n), true
		}
	}
	return 0, false
}
