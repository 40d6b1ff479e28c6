package gateway

import (
	"crypto/tls"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// TestWeakSuites: only what is broken is worth a warning. Source: PROBLEMS C-05.
func TestWeakSuites(t *testing.T) {
	good := append(append([]uint16{0x0a0a, 0x00ff, tls.TLS_FALLBACK_SCSV, 0x009e, 0x009f, 0x0039, 0xccaa}, groupA...), groupB...) // and DHE, GREASE, signalling
	if weak := weakSuites(good); len(weak) > 0 {
		t.Errorf("weakSuites calls %s weak", suiteNames(weak, 99))
	}
	bad := []uint16{
		0x0001, 0x0003, 0x0009, 0x0018, // NULL_MD5, EXPORT_RC4_40, DES, DH_anon_RC4
		tls.TLS_RSA_WITH_RC4_128_SHA, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA,
		0x0034, 0x003b, 0xc006, 0xc018, // DH_anon_AES128, NULL_SHA256, ECDHE_ECDSA_NULL, ECDH_anon_AES128
	}
	if diff := cmp.Diff(bad, weakSuites(append(good, bad...))); diff != "" {
		t.Errorf("weakSuites (-want +got):\n%s", diff)
	}
}

// TestWeakOffer: the device connects, and its record names the suite.
func TestWeakOffer(t *testing.T) {
	r := newRig(t, nil)
	cfg := clientConfig(tls.VersionTLS12, endpointHost, issued(t, registry.StatusActive).cert)
	cfg.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}
	if got := r.talk(DoorMQTT, cfg, connect); len(got.answer) != 4 {
		t.Fatalf("the client saw %+v, want a CONNACK", got)
	}
	rec := r.record()
	if diff := cmp.Diff([]string{check.TLSCipherOutsideRecommended.Code}, codesOf(rec, attempt.Warned)); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if got := evidenceOf(rec, check.TLSCipherOutsideRecommended)["offered"]; got != "TLS_RSA_WITH_3DES_EDE_CBC_SHA" {
		t.Errorf("evidence offered is %q", got)
	}
}
