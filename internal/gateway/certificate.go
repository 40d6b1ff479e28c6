package gateway

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"strconv"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// minRSABits is the smallest RSA key of a device. Source: connect sheet 4.2.
const minRSABits = 2048

// A finding is one thing that is wrong with a client certificate.
type finding struct {
	check    *check.Check
	alert    byte // what AWS's table has for it; TLS 1.2 only
	evidence []attempt.Field
}

// judge finds everything that is wrong with the client's certificate, in the
// order of AWS's checks: what it is, its dates, whether it is registered, its
// status, how it was presented. Empty means that it may connect.
// Source: connect sheet 5.1 rows 9 to 13, 4.2 to 4.5.
func (h *handshake) judge(chain []*x509.Certificate) []finding {
	leaf := chain[0]
	var list []finding
	add := func(c *check.Check, alert byte, evidence ...attempt.Field) {
		list = append(list, finding{c, alert, evidence})
	}

	if name, required, ok := keyAlgorithm(leaf); !ok {
		add(check.CertAlgorithm, alertUnsupportedCertificate, attempt.F("algorithm", name), attempt.F("required", required))
	}
	if !supportedSignature(leaf.SignatureAlgorithm) {
		add(check.CertAlgorithm, alertUnsupportedCertificate, attempt.F("algorithm", "signature "+leaf.SignatureAlgorithm.String()),
			attempt.F("required", "SHA-256, SHA-384 or SHA-512 with RSA, RSA-PSS or ECDSA"))
	}

	now := h.s.cfg.Now()
	dates := func() []attempt.Field {
		return []attempt.Field{
			attempt.F("not_before", leaf.NotBefore.UTC().Format(time.RFC3339)), attempt.F("not_after", leaf.NotAfter.UTC().Format(time.RFC3339)),
			attempt.F("now", now.UTC().Format(time.RFC3339)),
		}
	}
	switch {
	case now.After(leaf.NotAfter):
		add(check.CertExpired, alertCertificateExpired, dates()...)
	case now.Before(leaf.NotBefore):
		add(check.CertNotYetValid, alertCertificateExpired, dates()...)
	}

	if h.known == nil {
		add(check.CertNotRegistered, alertCertificateUnknown,
			attempt.F("subject", clipText(leaf.Subject.String())), attempt.F("issuer", clipText(leaf.Issuer.String())))
		return list
	}
	if h.known.Status != registry.StatusActive {
		add(statusCheck(h.known.Status), alertCertificateUnknown, attempt.F("status", string(h.known.Status)),
			attempt.F("changed", now.Sub(h.known.ModifiedAt).Round(time.Second).String()))
	}
	if h.known.Mode == registry.ModeSNIOnly && h.sni == "" {
		add(check.TLSSNIRequiredForCert, alertCertificateUnknown,
			attempt.F("offered", "no server name"), attempt.F("required", h.endpoint.Host))
	}
	return list
}

// statusCheck names the check that a certificate of that status fails.
// Source: connect sheet 4.3.
func statusCheck(status registry.CertificateStatus) *check.Check {
	switch status {
	case registry.StatusRevoked:
		return check.CertRevoked
	case registry.StatusPendingActivation:
		return check.CertPendingActivation
	case registry.StatusPendingTransfer:
		return check.CertPendingTransfer
	default:
		return check.CertInactive
	}
}

// keyAlgorithm names the key of a certificate, and tells whether AWS takes it.
// Source: connect sheet 4.2.
func keyAlgorithm(cert *x509.Certificate) (name, required string, ok bool) {
	const keys = "RSA with at least 2048 bits, or ECDSA on P-256, P-384 or P-521"
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		bits := key.N.BitLen()
		return "RSA " + strconv.Itoa(bits), keys, bits >= minRSABits
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return "ECDSA " + key.Params().Name, keys, true
		}
		return "ECDSA " + key.Params().Name, keys, false
	case ed25519.PublicKey:
		return "Ed25519", keys, false
	}
	return cert.PublicKeyAlgorithm.String(), keys, false
}

// supportedSignature tells whether AWS takes certificates signed that way: not
// by SHA-1 and MD5. Source: connect sheet 4.2.
func supportedSignature(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.DSAWithSHA256:
		return true
	default:
		return false
	}
}

// clipText shortens what a hostile certificate may make long.
func clipText(s string) string {
	const limit = 256
	if len(s) > limit {
		return s[:limit] + "..."
	}
	return s
}
