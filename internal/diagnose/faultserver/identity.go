package faultserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// identity is which certificate the server presents.
type identity uint8

const (
	inOrder identity = iota
	otherCA
	selfSigned
	wrongName
	expired
	notYetValid
	crossSigned
	identities // how many there are
)

// WrongName is the host name in the certificate of the fault cert-wrong-name.
const WrongName = "other.gatehouse.example"

// authority is a small CA, made when the server starts and gone with it.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// makeIdentities makes a CA and a chain for each identity. host is the name, or
// the address, by which clients come.
func makeIdentities(host string) (root *authority, chains [identities]tls.Certificate, err error) {
	now := time.Now()
	day := 24 * time.Hour
	root, err = newAuthority("Gatehouse fault server root")
	if err != nil {
		return nil, chains, err
	}
	other, err := newAuthority("Gatehouse fault server root that nobody trusts")
	if err != nil {
		return nil, chains, err
	}
	for id := range identities {
		name, from, to, signer := host, now.Add(-time.Hour), now.Add(30*day), root
		switch id {
		case otherCA:
			signer = other
		case selfSigned:
			signer = nil
		case wrongName:
			name = WrongName
		case expired:
			from, to = now.Add(-30*day), now.Add(-day)
		case notYetValid:
			from, to = now.Add(30*day), now.Add(60*day)
		default:
		}
		if chains[id], err = leaf(name, from, to, signer); err != nil {
			return nil, chains, err
		}
	}
	cross, err := sign(rootTemplate("Gatehouse fault server root"), other, &root.key.PublicKey)
	if err != nil {
		return nil, chains, err
	}
	chains[crossSigned].Certificate = append(chains[crossSigned].Certificate, cross)
	return root, chains, nil
}

func rootTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
}

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a CA: %w", err)
	}
	a := &authority{key: key}
	der, err := sign(rootTemplate(name), a, &key.PublicKey)
	if err != nil {
		return nil, err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("make a CA: %w", err)
	}
	return a, nil
}

// sign signs template for pub; an authority without a certificate signs its own.
func sign(template *x509.Certificate, by *authority, pub *ecdsa.PublicKey) ([]byte, error) {
	parent := by.cert
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, by.key)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", template.Subject, err)
	}
	return der, nil
}

// leaf makes a server certificate; without a signer it signs itself.
func leaf(host string, from, to time.Time, signer *authority) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: host}, NotBefore: from, NotAfter: to,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	if signer == nil {
		signer = &authority{key: key}
	}
	der, err := sign(template, signer, &key.PublicKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}
