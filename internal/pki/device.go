package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"time"
)

// What AWS writes into the certificates that it issues. The issuer is one
// OU value. Source: connect sheet 4.2, policy sheet 7.3.
const (
	deviceIssuer  = "Amazon Web Services O=Amazon.com Inc. L=Seattle ST=Washington C=US"
	deviceSubject = "AWS IoT Certificate"
)

// deviceNotAfter is the end of every certificate that AWS issues. Source: connect sheet 4.2.
var deviceNotAfter = time.Date(2049, time.December, 31, 23, 59, 59, 0, time.UTC)

// IssueDevice signs a new certificate for a device's public key as AWS does, and
// returns its DER form. The same key signed twice gives two certificates.
// Source: connect sheet 4.2, API sheet 7.
func (a *Authority) IssueDevice(pub crypto.PublicKey) ([]byte, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, fmt.Errorf("issue a device certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: deviceSubject},
		NotBefore:             time.Now().Add(-2 * time.Minute),
		NotAfter:              deviceNotAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		SignatureAlgorithm:    x509.SHA256WithRSA,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.device.cert, pub, a.device.key)
	if err != nil {
		return nil, fmt.Errorf("issue a device certificate: %w", err)
	}
	return der, nil
}
