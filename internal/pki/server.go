package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	serverLifetime = 397 * 24 * time.Hour // the longest that browsers accept
	renewBefore    = 30 * 24 * time.Hour  // of the end
	retryRenewal   = time.Hour            // after a failed one
)

// serverCertificates are the two certificates of the endpoints, for the same names.
type serverCertificates struct {
	rsa, ecdsa serverCertificate
}

// A serverCertificate renews itself when it is asked for near its end.
type serverCertificate struct {
	file string
	key  crypto.Signer

	mu        sync.RWMutex // guards what follows
	cert      *tls.Certificate
	nextRenew time.Time
}

// ServerCertificate returns the certificate for a TLS client: ECDSA P-256 where
// its offer allows that, else RSA 2048. It has the signature of
// tls.Config.GetCertificate. Near their end certificates are renewed here, with
// the same key: a running server never presents an expired one.
func (a *Authority) ServerCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	ec := a.current(&a.server.ecdsa)
	if supports(hello, ec) {
		return ec, nil
	}
	return a.current(&a.server.rsa), nil
}

// ECDSACertificate returns the certificate with the ECDSA P-256 key; see
// [Authority.ServerCertificate]. It must not be changed.
func (a *Authority) ECDSACertificate() *tls.Certificate { return a.current(&a.server.ecdsa) }

// RSACertificate returns the certificate with the RSA 2048 key; see
// [Authority.ServerCertificate]. It must not be changed.
func (a *Authority) RSACertificate() *tls.Certificate { return a.current(&a.server.rsa) }

// supports reports whether the client can use the ECDSA certificate. The name
// plays no part: which names are served is the gateway's question, and its
// answer depends on more than the certificate.
func supports(hello *tls.ClientHelloInfo, cert *tls.Certificate) bool {
	nameless := *hello
	nameless.ServerName = ""
	return nameless.SupportsCertificate(cert) == nil
}

// current returns the certificate of s, renewed if it is time to.
func (a *Authority) current(s *serverCertificate) *tls.Certificate {
	now := time.Now()
	s.mu.RLock()
	cert, next := s.cert, s.nextRenew
	s.mu.RUnlock()
	if now.Before(next) {
		return cert
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Before(s.nextRenew) {
		return s.cert
	}
	if err := a.renewLocked(s); err != nil {
		s.nextRenew = now.Add(retryRenewal) // the old one is good for weeks yet
	}
	return s.cert
}

// loadServer reads the certificate of s, and issues another if there is none,
// or if it ends soon or is for other hosts, or was signed by another root.
func (a *Authority) loadServer(s *serverCertificate) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	cert, err := readCert(filepath.Join(a.dir, s.file))
	if err != nil {
		return err
	}
	if cert == nil || !a.fits(cert, s.key.Public()) {
		return a.renewLocked(s)
	}
	s.setLocked(cert)
	return nil
}

// fits reports whether cert can go on serving.
func (a *Authority) fits(cert *x509.Certificate, pub crypto.PublicKey) bool {
	dns, ips := splitHosts(a.hosts)
	return samePublicKey(cert.PublicKey, pub) &&
		cert.CheckSignatureFrom(a.root.cert) == nil &&
		time.Now().Before(cert.NotAfter.Add(-renewBefore)) &&
		slices.Equal(cert.DNSNames, dns) &&
		slices.EqualFunc(cert.IPAddresses, ips, net.IP.Equal)
}

// renewLocked issues a certificate for the key of s and writes its file.
func (a *Authority) renewLocked(s *serverCertificate) error {
	serial, err := newSerial()
	if err != nil {
		return fmt.Errorf("issue a server certificate: %w", err)
	}
	now := time.Now()
	dns, ips := splitHosts(a.hosts)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: commonName(a.hosts[0])},
		NotBefore:             now.Add(-24 * time.Hour), // for devices whose clock is a little behind
		NotAfter:              now.Add(serverLifetime),
		KeyUsage:              x509.KeyUsageDigitalSignature | keyEncipherment(s.key),
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              dns,
		IPAddresses:           ips,
	}, a.root.cert, s.key.Public(), a.root.key)
	if err != nil {
		return fmt.Errorf("issue a server certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("issue a server certificate: %w", err)
	}
	if err := writeFile(filepath.Join(a.dir, s.file), encodeCert(der), 0o644); err != nil {
		return err
	}
	s.setLocked(cert)
	return nil
}

func (s *serverCertificate) setLocked(cert *x509.Certificate) {
	s.cert = &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: s.key, Leaf: cert}
	s.nextRenew = cert.NotAfter.Add(-renewBefore)
}

// keyEncipherment is what the RSA key exchange of TLS 1.2 needs; ECDSA has none.
func keyEncipherment(key crypto.Signer) x509.KeyUsage {
	if _, ok := key.(*ecdsa.PrivateKey); ok {
		return 0
	}
	return x509.KeyUsageKeyEncipherment
}

// commonName cuts host to the 64 characters that X.520 allows; verifiers read
// the alternative names.
func commonName(host string) string { return host[:min(len(host), 64)] }

// splitHosts tells names from addresses, each sorted and once.
func splitHosts(hosts []string) (dns []string, ips []net.IP) {
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			ips = append(ips, ip)
		} else if h != "" {
			dns = append(dns, h)
		}
	}
	slices.Sort(dns)
	slices.SortFunc(ips, func(a, b net.IP) int { return slices.Compare(a.To16(), b.To16()) })
	return slices.Compact(dns), slices.CompactFunc(ips, net.IP.Equal)
}

func newECKey() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }
