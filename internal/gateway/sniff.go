package gateway

import "bytes"

// maxSniff is how many first bytes are kept of a peer that speaks the wrong
// protocol: enough to recognise it, and for an HTTP request line.
const maxSniff = 128

// A speech is the protocol that first bytes belong to.
type speech string

// What a peer may speak where something else was expected.
const (
	speechUnknown speech = "unknown"
	speechTLS     speech = "TLS"
	speechMQTT    speech = "MQTT CONNECT"
	speechHTTP    speech = "HTTP"
	speechHTTP2   speech = "HTTP/2"
)

// httpStarts are the first four bytes of HTTP requests.
var httpStarts = []string{"GET ", "POST", "HEAD", "PUT ", "DELE", "PATC", "OPTI", "CONN", "TRAC"}

// sniff recognises the protocol of a stream by its first bytes.
// Source: connect sheet 2.4.
func sniff(p []byte) speech {
	switch {
	case len(p) >= 2 && p[0] == recordHandshake && p[1] == 3:
		return speechTLS
	case isConnect(p):
		return speechMQTT
	case bytes.HasPrefix(p, []byte("PRI ")):
		return speechHTTP2
	}
	for _, start := range httpStarts {
		if bytes.HasPrefix(p, []byte(start)) {
			return speechHTTP
		}
	}
	return speechUnknown
}

// isConnect recognises the beginning of an MQTT CONNECT packet: the fixed
// header, a remaining length of one to four bytes, and the protocol name
// "MQTT" or, before version 3.1.1, "MQIsdp", as far as they have arrived.
func isConnect(p []byte) bool {
	if len(p) == 0 || p[0] != 0x10 {
		return false
	}
	at := 1
	for at < len(p) && p[at]&0x80 != 0 {
		if at++; at > 4 {
			return false
		}
	}
	at++ // the last byte of the remaining length
	if at >= len(p) {
		return true // nothing against it yet
	}
	return partial(p[at:], "\x00\x04MQTT") || partial(p[at:], "\x00\x06MQIsdp")
}

// partial tells whether p begins with want, or want with p.
func partial(p []byte, want string) bool {
	n := min(len(p), len(want))
	return string(p[:n]) == want[:n]
}

// couldGrow tells whether more bytes may still make p an HTTP verb, so that
// waiting for them is worth while.
func couldGrow(p []byte) bool {
	for _, start := range httpStarts {
		if len(p) < len(start) && partial(p, start) {
			return true
		}
	}
	return len(p) < 4 && partial(p, "PRI ")
}
