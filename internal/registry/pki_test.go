package registry

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// testCA signs certificates with ECDSA, which is quick to make.
type testCA struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	return key
}

func newCA(t testing.TB, name string) *testCA {
	t.Helper()
	ca := &testCA{t: t, key: newKey(t)}
	return ca.again(name)
}

// again makes another certificate for the same CA key.
func (ca *testCA) again(name string) *testCA {
	ca.t.Helper()
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der := got(x509.CreateCertificate(rand.Reader, template, template, ca.key.Public(), ca.key))(ca.t)
	return &testCA{t: ca.t, key: ca.key, cert: got(x509.ParseCertificate(der))(ca.t)}
}

func (ca *testCA) pem() string { return encodePEM(ca.cert.Raw) }

func (ca *testCA) id() string { return CertificateID(ca.cert.Raw) }

// sign returns the PEM of a certificate for a new key.
func (ca *testCA) sign(name string) string {
	ca.t.Helper()
	return encodePEM(ca.signFor(name, newKey(ca.t).Public()))
}

func (ca *testCA) signFor(name string, pub crypto.PublicKey) []byte {
	ca.t.Helper()
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	return got(x509.CreateCertificate(rand.Reader, template, ca.cert, pub, ca.key))(ca.t)
}

// IssueDevice makes a testCA the issuer of a registry.
func (ca *testCA) IssueDevice(pub crypto.PublicKey) ([]byte, error) {
	return ca.signFor("AWS IoT Certificate", pub), nil
}

func serial() *big.Int { return new(big.Int).SetBytes([]byte(rand.Text())) }

// csr returns a PEM signing request.
func csr(t *testing.T, key crypto.Signer) string {
	t.Helper()
	der := got(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "mine"}}, key))(t)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// badKeys are keys that AWS IoT does not accept.
func badKeys(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	ok(t, err)
	return map[string]crypto.Signer{
		"RSA 1024": got(rsa.GenerateKey(rand.Reader, 1024))(t),
		"P-224":    got(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))(t),
		"Ed25519":  ed,
	}
}

func setStatus(certificateID string, status CertificateStatus) registrydb.SetCertificateStatusParams {
	return registrydb.SetCertificateStatusParams{CertificateID: certificateID, Status: string(status), GenerationID: "g", LastModifiedAt: 1}
}
