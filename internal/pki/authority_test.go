package pki

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func open(t *testing.T, dir string, hosts ...string) *Authority {
	t.Helper()
	a, err := Open(Config{Dir: dir, Hosts: hosts})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestOpenKeepsWhatItMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	a := open(t, dir, "iot.example.com", "127.0.0.1")
	b := open(t, dir, "iot.example.com", "127.0.0.1")
	for _, tt := range []struct {
		what      string
		got, want []byte
	}{
		{"root", b.Root().Raw, a.Root().Raw},
		{"device CA", b.DeviceCA().Raw, a.DeviceCA().Raw},
		{"RSA certificate", b.RSACertificate().Leaf.Raw, a.RSACertificate().Leaf.Raw},
		{"ECDSA certificate", b.ECDSACertificate().Leaf.Raw, a.ECDSACertificate().Leaf.Raw},
	} {
		if !cmp.Equal(tt.got, tt.want) {
			t.Errorf("%s differs after a restart", tt.what)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 8 {
		t.Fatalf("files: %v (%v), want 8", files, err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, ".key") && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, want 0600", file, info.Mode())
		}
	}
	pem, err := os.ReadFile(a.RootFile())
	if err != nil || string(pem) != string(a.RootPEM()) {
		t.Errorf("the root's file (%v) holds\n%s, want\n%s", err, pem, a.RootPEM())
	}
}

func TestServerCertificates(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir, "iot.example.com", "localhost", "127.0.0.1", "::1")
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(a.RootPEM())
	for _, cert := range []*x509.Certificate{a.RSACertificate().Leaf, a.ECDSACertificate().Leaf} {
		for _, host := range []string{"iot.example.com", "localhost", "127.0.0.1", "::1"} {
			if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); err != nil {
				t.Errorf("%s certificate for %s: %v", cert.PublicKeyAlgorithm, host, err)
			}
		}
	}
	if k, ok := a.RSACertificate().PrivateKey.(*rsa.PrivateKey); !ok || k.N.BitLen() != 2048 {
		t.Errorf("RSA key: %T", a.RSACertificate().PrivateKey)
	}
	if k, ok := a.ECDSACertificate().PrivateKey.(*ecdsa.PrivateKey); !ok || k.Params().BitSize != 256 {
		t.Errorf("ECDSA key: %T", a.ECDSACertificate().PrivateKey)
	}

	other := open(t, dir, "other.example.com")
	if err := other.RSACertificate().Leaf.VerifyHostname("other.example.com"); err != nil {
		t.Errorf("after the endpoint's name changed: %v", err)
	}
	if !cmp.Equal(other.Root().Raw, a.Root().Raw) {
		t.Error("a new name made a new root: devices would lose their trust")
	}
}

func TestServerCertificateByOffer(t *testing.T) {
	a := open(t, t.TempDir(), "localhost")
	for name, tt := range map[string]struct {
		hello tls.ClientHelloInfo
		want  x509.PublicKeyAlgorithm
	}{
		"TLS 1.3": {tls.ClientHelloInfo{
			SupportedVersions: []uint16{tls.VersionTLS13},
			SignatureSchemes:  []tls.SignatureScheme{tls.PSSWithSHA256, tls.ECDSAWithP256AndSHA256},
			ServerName:        "a name that no certificate has",
		}, x509.ECDSA},
		"TLS 1.3, RSA only": {tls.ClientHelloInfo{
			SupportedVersions: []uint16{tls.VersionTLS13},
			SignatureSchemes:  []tls.SignatureScheme{tls.PSSWithSHA256},
		}, x509.RSA},
		"TLS 1.2, RSA suites": {tls.ClientHelloInfo{
			SupportedVersions: []uint16{tls.VersionTLS12},
			SignatureSchemes:  []tls.SignatureScheme{tls.PKCS1WithSHA256, tls.ECDSAWithP256AndSHA256},
			CipherSuites:      []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
			SupportedCurves:   []tls.CurveID{tls.CurveP256},
		}, x509.RSA},
		"TLS 1.2, ECDSA suites": {tls.ClientHelloInfo{
			SupportedVersions: []uint16{tls.VersionTLS12},
			SignatureSchemes:  []tls.SignatureScheme{tls.PKCS1WithSHA256, tls.ECDSAWithP256AndSHA256},
			CipherSuites:      []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
			SupportedCurves:   []tls.CurveID{tls.CurveP256},
			SupportedPoints:   []uint8{0},
		}, x509.ECDSA},
	} {
		cert, err := a.ServerCertificate(&tt.hello)
		if err != nil || cert.Leaf.PublicKeyAlgorithm != tt.want {
			t.Errorf("%s: %v (%v), want %v", name, cert.Leaf.PublicKeyAlgorithm, err, tt.want)
		}
	}
}

func TestRenewWithoutRestart(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, "localhost") // keys made here: making them in the bubble takes long
	synctest.Test(t, func(t *testing.T) {
		// The bubble begins in 2000, before the root: issue for its time.
		for _, file := range []string{"server-rsa.pem", "server-ecdsa.pem", "root-ca.pem", "device-ca.pem"} {
			if err := os.Remove(filepath.Join(dir, file)); err != nil {
				t.Fatal(err)
			}
		}
		a := open(t, dir, "localhost")
		old := a.ECDSACertificate()
		time.Sleep(serverLifetime - renewBefore - time.Minute)
		if a.ECDSACertificate() != old {
			t.Error("renewed too early")
		}
		time.Sleep(2 * time.Minute)
		renewed := a.ECDSACertificate()
		if want := old.Leaf.NotAfter.Add(serverLifetime - 2*renewBefore); renewed == old || renewed.Leaf.NotAfter.Before(want) {
			t.Errorf("renewed certificate ends %v, want after %v", renewed.Leaf.NotAfter, want)
		}
		if a.ECDSACertificate() != renewed {
			t.Error("renewed twice")
		}
		if again := open(t, dir, "localhost"); !cmp.Equal(again.ECDSACertificate().Leaf.Raw, renewed.Leaf.Raw) {
			t.Error("the renewed certificate was not kept")
		}
	})
}

func TestIssueDeviceAsAWS(t *testing.T) {
	a := open(t, t.TempDir(), "localhost")
	key, err := newECKey()
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	der, err := a.IssueDevice(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := cert.CheckSignatureFrom(a.DeviceCA()); err != nil {
		t.Error(err)
	}
	if got, want := cert.Subject.String(), "CN=AWS IoT Certificate"; got != want {
		t.Errorf("subject %q, want %q", got, want)
	}
	if got, want := cert.Issuer.OrganizationalUnit, []string{deviceIssuer}; !cmp.Equal(got, want) {
		t.Errorf("issuer OU %q, want %q", got, want)
	}
	if got, want := cert.NotAfter.Unix(), int64(2524607999); got != want {
		t.Errorf("notAfter %d, want %d", got, want)
	}
	if d := before.Sub(cert.NotBefore); d < 119*time.Second || d > 125*time.Second {
		t.Errorf("notBefore is %v before the request, want 2 minutes", d)
	}
	if cert.IsCA || cert.Version != 3 || cert.SignatureAlgorithm != x509.SHA256WithRSA {
		t.Errorf("CA %v, version %d, signature %v", cert.IsCA, cert.Version, cert.SignatureAlgorithm)
	}
	again, err := a.IssueDevice(key.Public())
	if err != nil || cmp.Equal(again, der) {
		t.Errorf("the same key twice (%v): want two certificates", err)
	}
}

func TestDamagedFilesAreNamed(t *testing.T) {
	for _, file := range []string{"root-ca.pem", "root-ca.key", "device-ca.key", "server-rsa.pem"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, file), []byte("garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Config{Dir: dir, Hosts: []string{"localhost"}}); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("garbage in %s: %v, want an error that names it", file, err)
		}
		if data, _ := os.ReadFile(filepath.Join(dir, file)); string(data) != "garbage" {
			t.Errorf("%s was overwritten", file)
		}
	}
}

// Another key would make a CA that no device trusts.
func TestKeyIsMissing(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, "localhost")
	if err := os.Remove(filepath.Join(dir, "root-ca.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir, Hosts: []string{"localhost"}}); err == nil || !strings.Contains(err.Error(), "root-ca.pem") {
		t.Errorf("the root's key is gone: %v, want an error that names the certificate", err)
	}
	if isFile(filepath.Join(dir, "root-ca.key")) {
		t.Error("a new key was made")
	}
}
