package diagnose

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"time"
)

// bulkyChain is a server certificate for host with its chain, of more than 4 KiB,
// as public ones often are.
func bulkyChain(d *device, host string) (key, chain []byte) {
	d.t.Helper()
	var (
		signer    *rsa.PrivateKey
		issuer    *x509.Certificate
		presented [][]byte
	)
	for n, name := range []string{"Bulky root", "Bulky intermediate 1", "Bulky intermediate 2", host} {
		own, err := rsa.GenerateKey(rand.Reader, 2048)
		d.must(err)
		template := &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name, Organization: []string{strings.Repeat("A long name of an organisation ", 20)}},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: n < 3, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		}
		if n == 3 {
			template.DNSNames, template.ExtKeyUsage = []string{host}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}
		if issuer == nil {
			issuer, signer = template, own
		}
		der, err := x509.CreateCertificate(rand.Reader, template, issuer, &own.PublicKey, signer)
		d.must(err)
		issuer, err = x509.ParseCertificate(der)
		d.must(err)
		signer = own
		if n > 0 {
			presented = append(presented, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
		}
	}
	slices.Reverse(presented)
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(signer)}), slices.Concat(presented...)
}
