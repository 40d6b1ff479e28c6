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

// alertText writes an alert as openssl and mbedTLS logs name it:
// "46 certificate unknown".
func alertText(number byte) string {
	text := tls.AlertError(number).Error() // "tls: unknown certificate", or "tls: alert(46)"
	return strconv.Itoa(int(number)) + " " + text[len("tls: "):]
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
