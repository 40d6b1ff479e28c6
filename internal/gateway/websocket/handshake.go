package websocket

import (
	"crypto/sha1" //nolint:gosec // RFC 6455 demands it; it secures nothing
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// Subprotocols are the names under which clients offer MQTT, the usual one
// first: browser clients of AWS for MQTT 3 send mqttv3.1. Source: connect sheet 7.
var Subprotocols = []string{"mqtt", "mqttv3.1"}

// CheckHandshake says what makes r no opening handshake of a WebSocket; nil when
// it is one. Source: RFC 6455 section 4.2.1.
func CheckHandshake(r *http.Request) error {
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	switch {
	case r.Method != http.MethodGet:
		return errors.New("the method is not GET")
	case !r.ProtoAtLeast(1, 1):
		return errors.New("HTTP/1.0 knows no upgrade")
	case !hasToken(r.Header["Upgrade"], "websocket"):
		return errors.New("the header Upgrade: websocket is missing")
	case !hasToken(r.Header["Connection"], "upgrade"):
		return errors.New("the header Connection: Upgrade is missing")
	case !hasToken(r.Header["Sec-Websocket-Version"], "13"):
		return errors.New("the header Sec-WebSocket-Version: 13 is missing")
	case err != nil || len(key) != 16 || len(r.Header["Sec-Websocket-Key"]) != 1:
		return errors.New("the header Sec-WebSocket-Key is not 16 bytes in base64")
	}
	return nil
}

// Subprotocol chooses among what the client offers: the first that it names, of
// [Subprotocols]; "" when it offers none of them.
func Subprotocol(r *http.Request) string {
	for name := range tokens(r.Header["Sec-Websocket-Protocol"]) {
		if slices.Contains(Subprotocols, name) {
			return name
		}
	}
	return ""
}

// AppendAccept appends the answer to a handshake that [CheckHandshake] accepted.
// header is further header lines, with their line ends.
func AppendAccept(b []byte, r *http.Request, subprotocol, header string) []byte {
	const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + guid)) //nolint:gosec // as above
	b = append(b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = base64.StdEncoding.AppendEncode(b, sum[:])
	b = append(b, "\r\n"...)
	if subprotocol != "" {
		b = append(b, "Sec-WebSocket-Protocol: "+subprotocol+"\r\n"...)
	}
	b = append(b, header...)
	return append(b, "\r\n"...)
}

func hasToken(values []string, want string) bool {
	for t := range tokens(values) {
		if strings.EqualFold(t, want) {
			return true
		}
	}
	return false
}

// tokens yields the elements of a header that is a list.
func tokens(values []string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range values {
			for t := range strings.SplitSeq(v, ",") {
				if t = strings.TrimSpace(t); t != "" && !yield(t) {
					return
				}
			}
		}
	}
}
