package gateway

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

func sha256Of(b []byte) [32]byte { return sha256.Sum256(b) }

// none is "no alert".
const none = -1

// TestRefusals goes through rows 3 to 13 of connect sheet 5.1: what the client
// sees in TLS 1.2 and 1.3, and what the record says.
func TestRefusals(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skipf("this Go makes no weak keys: %v", err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	endpoint := func(change func(*Endpoint)) func(*Config) {
		return func(c *Config) {
			e := Endpoint{Name: "iot:Data-ATS", Host: endpointHost}
			change(&e)
			set, err := NewEndpoints(e)
			if err != nil {
				panic(err)
			}
			c.Endpoints = set
		}
	}
	policy := func(name string) func(*Config) {
		return endpoint(func(e *Endpoint) { e.SecurityPolicy = "IoTSecurityPolicy_" + name })
	}
	key := newKey(t)

	type want struct {
		alert12, alert13 int
		code             *check.Check
		also             []*check.Check
		evidence         map[string]string // of code, what must be in it
	}
	for name, tt := range map[string]struct {
		setup  func(*Config)
		device func(t *testing.T) device
		sni    string // "" is endpointHost, "-" none
		change func(*tls.Config)
		skip12 bool
		skip13 bool
		want   want
	}{
		"row 3: TLS 1.2 where the policy wants 1.3": {
			setup: policy("TLS13_1_3_2022_10"), skip13: true,
			want: want{alert12: 70, code: check.TLSVersionBelowPolicy, evidence: map[string]string{
				"offered": "TLS 1.2", "required": "TLS 1.3", "security_policy": "IoTSecurityPolicy_TLS13_1_3_2022_10", "alert": "70 protocol_version",
			}},
		},
		"row 3: TLS 1.3 where the policy wants 1.2": {
			setup: policy("TLS12_1_2_2022_10"), skip12: true,
			want: want{alert13: 70, code: check.TLSVersionBelowPolicy, evidence: map[string]string{"offered": "TLS 1.3", "required": "TLS 1.2"}},
		},
		"row 3: TLS 1.1": {
			change: func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, skip13: true,
			want: want{alert12: 70, code: check.TLSVersionBelowPolicy, evidence: map[string]string{"required": "TLS 1.2 or 1.3"}},
		},
		"row 3: no cipher suite": {
			change: func(c *tls.Config) { c.CipherSuites = []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA} }, skip13: true,
			want: want{alert12: 40, code: check.TLSCipherNoneShared, evidence: map[string]string{"offered": "TLS_RSA_WITH_3DES_EDE_CBC_SHA", "alert": "40 handshake_failure"}},
		},
		"row 4: unknown server name": {
			sni:  "a0000000000000-ats.iot.us-east-1.gatehouse.test",
			want: want{alert12: 112, alert13: 112, code: check.TLSSNIUnknown, evidence: map[string]string{"offered": "a0000000000000-ats.iot.us-east-1.gatehouse.test", "required": endpointHost}},
		},
		"row 7: no client certificate": {
			device: func(*testing.T) device { return device{} },
			want:   want{alert12: 40, alert13: 116, code: check.CertNoneSent},
		},
		"row 8: key of another certificate": {
			device: func(t *testing.T) device {
				d := issued(t, registry.StatusActive)
				d.cert.PrivateKey = newKey(t)
				return d
			},
			want: want{alert12: 51, alert13: 51, code: check.CertKeyMismatch},
		},
		"row 9: not a certificate": {
			device: func(t *testing.T) device {
				return device{cert: tls.Certificate{Certificate: [][]byte{[]byte("-----BEGIN CERTIFICATE-----")}, PrivateKey: newKey(t)}}
			},
			want: want{alert12: 42, alert13: 50, code: check.CertMalformed},
		},
		"row 9: Ed25519": {
			device: func(t *testing.T) device { return selfSigned(t, edKey, nil) },
			want: want{
				alert12: 43, alert13: 42, code: check.CertAlgorithm, evidence: map[string]string{"algorithm": "Ed25519"},
				also: []*check.Check{check.CertAlgorithm, check.CertNotRegistered},
			},
		},
		"row 9: RSA 1024": {
			device: func(t *testing.T) device { return selfSigned(t, rsaKey, nil) },
			want: want{
				alert12: 43, alert13: 42, code: check.CertAlgorithm, evidence: map[string]string{"algorithm": "RSA 1024"},
				also: []*check.Check{check.CertNotRegistered},
			},
		},
		"row 10: expired": {
			device: func(t *testing.T) device {
				return selfSigned(t, key, func(c *x509.Certificate) {
					c.NotBefore, c.NotAfter = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
				}).registered(t)
			},
			want: want{
				alert12: 45, alert13: 42, code: check.CertExpired, also: []*check.Check{check.PolicyNoneAttached},
				evidence: map[string]string{"not_before": "2020-01-01T00:00:00Z", "not_after": "2021-01-01T00:00:00Z", "now": "2026-11-21T12:00:00Z"},
			},
			setup: func(c *Config) {
				c.Now = func() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }
			},
		},
		"row 10: not yet valid": {
			device: func(t *testing.T) device { return issued(t, registry.StatusActive) },
			setup: func(c *Config) {
				c.Now = func() time.Time { return time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC) }
			},
			want: want{
				alert12: 45, alert13: 42, code: check.CertNotYetValid, also: []*check.Check{check.PolicyNoneAttached},
				evidence: map[string]string{"now": "1970-01-01T00:00:00Z"},
			},
		},
		"row 11: not registered": {
			device: func(t *testing.T) device {
				return selfSigned(t, key, func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: "stranger"} })
			},
			want: want{alert12: 46, alert13: 42, code: check.CertNotRegistered, evidence: map[string]string{"subject": "CN=stranger", "issuer": "CN=stranger"}},
		},
		"row 12: inactive": {
			device: func(t *testing.T) device { return issued(t, registry.StatusInactive) },
			want:   want{alert12: 46, alert13: 42, code: check.CertInactive, evidence: map[string]string{"status": "INACTIVE"}, also: []*check.Check{check.PolicyNoneAttached}},
		},
		"row 12: revoked": {
			device: func(t *testing.T) device { return issued(t, registry.StatusRevoked) },
			want:   want{alert12: 46, alert13: 42, code: check.CertRevoked, evidence: map[string]string{"status": "REVOKED"}, also: []*check.Check{check.PolicyNoneAttached}},
		},
		"row 12: pending activation": {
			device: func(t *testing.T) device { return issued(t, registry.StatusPendingActivation) },
			want:   want{alert12: 46, alert13: 42, code: check.CertPendingActivation, also: []*check.Check{check.PolicyNoneAttached}},
		},
		"row 12: pending transfer": {
			device: func(t *testing.T) device { return issued(t, registry.StatusPendingTransfer) },
			want:   want{alert12: 46, alert13: 42, code: check.CertPendingTransfer, also: []*check.Check{check.PolicyNoneAttached}},
		},
		"row 13: SNI_ONLY without SNI": {
			sni:    "-",
			device: func(t *testing.T) device { return selfSigned(t, newKey(t), nil).registered(t) },
			want: want{
				alert12: 46, alert13: 42, code: check.TLSSNIRequiredForCert, also: []*check.Check{check.PolicyNoneAttached},
				evidence: map[string]string{"required": endpointHost},
			},
		},
	} {
		for version, label := range map[uint16]string{tls.VersionTLS12: "TLS 1.2", tls.VersionTLS13: "TLS 1.3"} {
			if version == tls.VersionTLS12 && tt.skip12 || version == tls.VersionTLS13 && tt.skip13 {
				continue
			}
			t.Run(name+"/"+label, func(t *testing.T) {
				r := newRig(t, tt.setup)
				var d device
				if tt.device != nil {
					d = tt.device(t)
				} else {
					d = issued(t, registry.StatusActive)
				}
				sni := endpointHost
				if tt.sni == "-" {
					sni = ""
				} else if tt.sni != "" {
					sni = tt.sni
				}
				cfg := clientConfig(version, sni)
				if len(d.cert.Certificate) > 0 {
					cfg = clientConfig(version, sni, d.cert)
				}
				if tt.change != nil {
					tt.change(cfg)
				}
				got := r.talk(DoorMQTT, cfg, connect)
				wantAlert := tt.want.alert13
				if version == tls.VersionTLS12 {
					wantAlert = tt.want.alert12
				}
				if got.alert != wantAlert || len(got.answer) > 0 {
					t.Errorf("the client saw alert %d and answer %x (handshake: %v), want alert %d", got.alert, got.answer, got.handshake, wantAlert)
				}
				if version == tls.VersionTLS12 && got.handshake == nil {
					t.Error("the TLS 1.2 handshake succeeded")
				}
				rec := r.record()
				if rec.Outcome != attempt.Failed || rec.Code != tt.want.code.Code {
					t.Errorf("record: %s by %q, want failed by %q; steps %v", rec.Outcome, rec.Code, tt.want.code.Code, rec.Steps)
				}
				var also []string
				for _, c := range tt.want.also {
					also = append(also, c.Code)
				}
				if diff := cmp.Diff(also, codesOf(rec, attempt.Also)); diff != "" {
					t.Errorf("also (-want +got):\n%s", diff)
				}
				evidence := evidenceOf(rec, tt.want.code)
				for k, v := range tt.want.evidence {
					if evidence[k] != v {
						t.Errorf("evidence %s of %s is %q, want %q; all: %v", k, rec.Code, evidence[k], v, evidence)
					}
				}
				if d.id != "" && rec.CertificateID != "" && rec.CertificateID != d.id {
					t.Errorf("record names certificate %s, want %s", rec.CertificateID, d.id)
				}
			})
		}
	}
}
