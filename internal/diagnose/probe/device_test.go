package probe

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/faultserver"
)

// The names of the servers in these tests; they resolve to loopback.
const (
	host     = "gw.test"
	dualHost = "dual.gw.test" // has an address of IPv6 too, to which there is no way
)

// A device is one with made-up files.
type device struct {
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	opts Options
}

// issue makes a certificate; without a signer it is self-signed.
func issue(t *testing.T, template *x509.Certificate, pub crypto.PublicKey, signer *x509.Certificate, key crypto.Signer) *x509.Certificate {
	t.Helper()
	if signer == nil {
		signer = template
	}
	if template.SerialNumber == nil {
		template.SerialNumber = big.NewInt(time.Now().UnixNano())
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer, pub, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func pkcs8(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// newDevice makes a device in order, which knows its endpoint and CA later.
func newDevice(t *testing.T) *device {
	t.Helper()
	d := &device{dir: t.TempDir(), key: newKey(t)}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "AWS IoT Certificate"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(20, 0, 0)}
	d.cert = issue(t, template, &d.key.PublicKey, nil, d.key)
	d.opts = Options{
		Endpoint: host, CertFile: d.write(t, "device.pem.crt", pemOf("CERTIFICATE", d.cert.Raw)),
		KeyFile: d.write(t, "private.pem.key", pemOf("PRIVATE KEY", pkcs8(t, d.key))),
		Env:     func(string) string { return "" }, Timeout: time.Second, Version: 5,
	}
	return d
}

// write puts a file into the device's folder and returns its path.
func (d *device) write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// faults starts a fault server.
func faults(t *testing.T) *faultserver.Server {
	t.Helper()
	s, err := faultserver.Start("127.0.0.1", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// at points the device to a fault and trusts its CA.
func (d *device) at(t *testing.T, s *faultserver.Server, name string) {
	t.Helper()
	fault, err := faultserver.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	addr, err := s.Listen(t.Context(), fault, 0)
	if err != nil {
		t.Fatal(err)
	}
	d.opts.Port = int(netip.MustParseAddrPort(addr.String()).Port())
	d.opts.CAFile = d.write(t, "root.pem", s.CA())
}

// probe runs the probe with a DNS that knows the test's host alone.
func probe(t *testing.T, o Options) Report {
	t.Helper()
	p := newRun(o)
	p.lookup = func(_ context.Context, name string) ([]netip.Addr, error) {
		switch name {
		case host, "localhost":
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		case dualHost:
			return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("2001:db8::1")}, nil
		}
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	r := p.walk(t.Context(), func(string) {})
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("report:\n%s", text(r))
		}
	})
	return r
}

// text is a report for the log of a test.
func text(r Report) string {
	var b strings.Builder
	for _, x := range r.Results {
		b.WriteString("  " + x.Stage + " " + string(x.Outcome) + " " + x.Check.Code)
		for _, e := range x.Evidence {
			b.WriteString(" " + e.Key + "=" + e.Value)
		}
		b.WriteString(" | " + x.Note + "\n")
	}
	return b.String()
}

// find returns the first result of that outcome; nil without one.
func find(r Report, o Outcome, c *check.Check) *Result {
	i := slices.IndexFunc(r.Results, func(x Result) bool { return x.Outcome == o && (c == nil || x.Check == c) })
	if i < 0 {
		return nil
	}
	return &r.Results[i]
}
