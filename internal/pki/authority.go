// Package pki is the certificate authority of a Gatehouse: it makes the root
// that devices trust, the certificates that the endpoints present, and the
// certificates of devices, and keeps their keys in a folder.
package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
)

// Names of the files in the folder of an Authority.
const (
	rootCertFile   = "root-ca.pem"
	rootKeyFile    = "root-ca.key"
	deviceCertFile = "device-ca.pem"
	deviceKeyFile  = "device-ca.key"
	serverRSAFile  = "server-rsa" // and .key, .pem
	serverECFile   = "server-ecdsa"
)

const (
	authorityLifetime = 20 * 365 * 24 * time.Hour
	rsaBits           = 2048
)

// Config is what an Authority needs.
type Config struct {
	Dir   string   // made (mode 0700) when it is absent
	Hosts []string // names and IP addresses that the server certificates are for; the first one is the endpoint
}

// An Authority issues certificates. It is safe for concurrent use.
type Authority struct {
	dir    string
	hosts  []string
	root   signer
	device signer
	server serverCertificates
}

// A signer is a CA: its certificate and its key.
type signer struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// Open reads the authority in cfg.Dir and makes what is missing: the first time
// all of it, later the server certificates when they are near their end or are
// for other hosts. Keys are written with mode 0600. A file that is there but
// can't be understood is an error that names it: nothing is overwritten.
func Open(cfg Config) (*Authority, error) {
	if cfg.Dir == "" || len(cfg.Hosts) == 0 {
		return nil, errors.New("pki: Dir and Hosts are required")
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the CA: %w", err)
	}
	a := &Authority{dir: cfg.Dir, hosts: cfg.Hosts}
	if err := a.loadKeys(); err != nil {
		return nil, err
	}
	if err := a.loadAuthorities(); err != nil {
		return nil, err
	}
	for _, s := range []*serverCertificate{&a.server.rsa, &a.server.ecdsa} {
		if err := a.loadServer(s); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// loadKeys reads or makes the four keys, side by side: making an RSA key is
// most of the work of a first start.
func (a *Authority) loadKeys() error {
	for cert, key := range map[string]string{rootCertFile: rootKeyFile, deviceCertFile: deviceKeyFile} {
		if isFile(filepath.Join(a.dir, cert)) && !isFile(filepath.Join(a.dir, key)) {
			return fmt.Errorf("the certificate %s is there, but its key %s is missing", filepath.Join(a.dir, cert), key)
		}
	}
	var g errgroup.Group
	load := func(dst *crypto.Signer, file string, generate func() (crypto.Signer, error)) {
		g.Go(func() (err error) {
			*dst, err = loadKey(filepath.Join(a.dir, file), generate)
			return err
		})
	}
	load(&a.root.key, rootKeyFile, newRSAKey)
	load(&a.device.key, deviceKeyFile, newRSAKey)
	load(&a.server.rsa.key, serverRSAFile+".key", newRSAKey)
	load(&a.server.ecdsa.key, serverECFile+".key", newECKey)
	a.server.rsa.file, a.server.ecdsa.file = serverRSAFile+".pem", serverECFile+".pem"
	return g.Wait()
}

// loadAuthorities reads or makes the root, which signs server certificates, and
// the CA under it that signs device certificates.
func (a *Authority) loadAuthorities() (err error) {
	a.root.cert, err = loadCert(filepath.Join(a.dir, rootCertFile), a.root.key.Public(), func() ([]byte, error) {
		t, err := authorityTemplate(pkix.Name{CommonName: "Gatehouse Root CA", Organization: []string{"Gatehouse"}}, 1)
		if err != nil {
			return nil, err
		}
		return x509.CreateCertificate(rand.Reader, t, t, a.root.key.Public(), a.root.key)
	})
	if err != nil {
		return err
	}
	a.device.cert, err = loadCert(filepath.Join(a.dir, deviceCertFile), a.device.key.Public(), func() ([]byte, error) {
		t, err := authorityTemplate(pkix.Name{OrganizationalUnit: []string{deviceIssuer}}, 0)
		if err != nil {
			return nil, err
		}
		return x509.CreateCertificate(rand.Reader, t, a.root.cert, a.device.key.Public(), a.root.key)
	})
	return err
}

func authorityTemplate(subject pkix.Name, pathLen int) (*x509.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               subject,
		NotBefore:             now.Add(-24 * time.Hour),
		NotAfter:              now.Add(authorityLifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLen:            pathLen,
		MaxPathLenZero:        pathLen == 0,
	}, nil
}

// RootFile returns the path of the root certificate, PEM: what devices must trust.
func (a *Authority) RootFile() string { return filepath.Join(a.dir, rootCertFile) }

// RootPEM returns the root certificate.
func (a *Authority) RootPEM() []byte { return encodeCert(a.root.cert.Raw) }

// Root returns the root certificate.
func (a *Authority) Root() *x509.Certificate { return a.root.cert }

// DeviceCA returns the certificate of the CA that signs device certificates.
func (a *Authority) DeviceCA() *x509.Certificate { return a.device.cert }

// newSerial draws a serial number of 159 bits: positive, and 20 bytes at most.
func newSerial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 159))
	if err != nil {
		return nil, err
	}
	return n.Add(n, big.NewInt(1)), nil
}

func newRSAKey() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, rsaBits) }

func encodeCert(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
