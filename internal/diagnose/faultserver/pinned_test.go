package faultserver

import "testing"

// pinned are faults whose check no other test names.
var pinned = map[string]string{
	"accept-close": "tls.handshake.closed", "connect-silence": "connect.no_answer", "connect-http": "connect.not_mqtt", "connack-5": "connect.refused",
	"connect-close": "connect.closed", "disconnect-0x8e": "session.disconnected", "publish-silence": "delivery.no_answer", "receive-nothing": "delivery.not_received",
	"subscribe-refuse": "subscribe.refused", "publish-refuse": "publish.refused", "alert-42": "cert.refused", "cert-wrong-name": "tls.server_cert.name_mismatch",
}

// TestChecks pins what faults stand for.
func TestChecks(t *testing.T) {
	for name, code := range pinned {
		if f, err := Lookup(name); err != nil || f.Check == nil || f.Check.Code != code {
			t.Errorf("%s is %v (%v), want %s", name, f.Check, err, code)
		}
	}
}
