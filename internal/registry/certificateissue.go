package registry

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
)

// A KeyPair is a device's key, which the registry does not keep.
type KeyPair struct {
	PublicPEM  string // PUBLIC KEY
	PrivatePEM string // RSA PRIVATE KEY, as AWS writes it
}

// LogValue hides the private key.
func (KeyPair) LogValue() slog.Value { return slog.StringValue("key pair") }

// CreateKeysAndCertificate makes an RSA 2048 key pair and a certificate for it.
// Nobody can ask for the private key again. Source: connect sheet 4.2.
func (r *Registry) CreateKeysAndCertificate(ctx context.Context, active bool) (Certificate, KeyPair, error) {
	key, err := rsa.GenerateKey(rand.Reader, minRSABits)
	if err != nil {
		return Certificate{}, KeyPair{}, fmt.Errorf("make a key pair: %w", err)
	}
	pub, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return Certificate{}, KeyPair{}, fmt.Errorf("make a key pair: %w", err)
	}
	cert, err := r.issue(ctx, key.Public(), active, "keys")
	if err != nil {
		return Certificate{}, KeyPair{}, err
	}
	return cert, KeyPair{
		PublicPEM:  string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pub})),
		PrivatePEM: string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	}, nil
}

// CreateCertificateFromCSR makes a certificate for the key in a PEM certificate
// signing request, whose subject does not count. The same request twice gives
// two certificates. It refuses with InvalidRequest a request that can't be read
// or was not signed with its key, and keys other than RSA of 2048 bits or more
// and NIST P-256, P-384 and P-521.
func (r *Registry) CreateCertificateFromCSR(ctx context.Context, csrPEM string, active bool) (Certificate, error) {
	csr, err := parseCSR(csrPEM)
	if err != nil {
		return Certificate{}, err
	}
	return r.issue(ctx, csr.PublicKey, active, "csr")
}

// issue signs a certificate for pub and registers it.
func (r *Registry) issue(ctx context.Context, pub any, active bool, origin string) (Certificate, error) {
	der, err := r.issuer.IssueDevice(pub)
	if err != nil {
		return Certificate{}, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return Certificate{}, fmt.Errorf("read the certificate that was issued: %w", err)
	}
	var added Certificate
	err = r.write(ctx, func(t *tx) error {
		added, err = r.insertCertificate(ctx, t, cert, newCertificate{status: activeOr(active, StatusInactive), mode: ModeDefault, origin: origin})
		return err
	})
	return added, err
}

func activeOr(active bool, otherwise CertificateStatus) CertificateStatus {
	if active {
		return StatusActive
	}
	return otherwise
}
