package probe

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"
)

var update = flag.Bool("update", false, "rewrite testdata")

// A row is a row of PROBLEMS, or a fault that issue 5 names, in front of the
// probe. want is the first failure, or the first warning where nothing fails.
type row struct {
	id      string
	what    string
	fault   string // server; empty: a Gatehouse for rows that change its device, none for files
	want    string
	outcome Outcome
	change  func(t *testing.T, d *device)
}

// endpointIs is a row about the name alone.
func endpointIs(name string) func(*testing.T, *device) {
	return func(_ *testing.T, d *device) { d.opts.Endpoint = name }
}

// keyIs replaces the key file.
func keyIs(content func(t *testing.T, d *device) []byte) func(*testing.T, *device) {
	return func(t *testing.T, d *device) { d.opts.KeyFile = d.write(t, "private.pem.key", content(t, d)) }
}

// utf16le is what PowerShell's > writes.
func utf16le(text []byte) []byte {
	out := []byte{0xFF, 0xFE}
	for _, u := range utf16.Encode([]rune(string(text))) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}

func sec1(t *testing.T, d *device) []byte {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(d.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// explicitKey is an EC key whose curve is written out in place of its name.
func explicitKey(t *testing.T, d *device) []byte {
	t.Helper()
	der, err := asn1.Marshal(struct {
		Version int
		Key     []byte
		Curve   struct {
			Version int
			Field   struct {
				ID    asn1.ObjectIdentifier
				Prime []byte
			}
		} `asn1:"explicit,tag:0"`
	}{Version: 1, Key: bytes.Repeat([]byte{7}, 32), Curve: struct {
		Version int
		Field   struct {
			ID    asn1.ObjectIdentifier
			Prime []byte
		}
	}{1, struct {
		ID    asn1.ObjectIdentifier
		Prime []byte
	}{primeField, d.key.Params().P.Bytes()}}})
	if err != nil {
		t.Fatal(err)
	}
	return pemOf("EC PRIVATE KEY", der)
}

// otherRoot is the trust store with a CA that signed nothing here.
func otherRoot(t *testing.T, d *device) {
	t.Helper()
	key := newKey(t)
	ca := issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "VeriSign Class 3 Public Primary"}, IsCA: true, BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}, &key.PublicKey, nil, key)
	d.opts.CAFile = d.write(t, "root.pem", pemOf("CERTIFICATE", ca.Raw))
}

// ownCA lets a CA of the device's owner sign its certificate and stand in its trust store.
func ownCA(t *testing.T, d *device) {
	t.Helper()
	key := newKey(t)
	ca := issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "My device CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}, &key.PublicKey, nil, key)
	cert := issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "sensor-1"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}, &d.key.PublicKey, ca, key)
	d.write(t, "device.pem.crt", pemOf("CERTIFICATE", cert.Raw))
	d.opts.CAFile = d.write(t, "root.pem", pemOf("CERTIFICATE", ca.Raw))
}

// clock sets the device's clock.
func clock(at string) func(*testing.T, *device) {
	return func(t *testing.T, d *device) {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		d.opts.Now = func() time.Time { return now }
	}
}

// certificateIs replaces the certificate by one with these dates.
func certificateIs(from, to time.Duration) func(*testing.T, *device) {
	return func(t *testing.T, d *device) {
		cert := issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "AWS IoT Certificate"}, NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to)}, &d.key.PublicKey, nil, d.key)
		d.write(t, "device.pem.crt", pemOf("CERTIFICATE", cert.Raw))
	}
}

// proxies starts an HTTP proxy that answers so, and sets it in the environment.
func proxyAnswers(answer string) func(*testing.T, *device) {
	return func(t *testing.T, d *device) {
		addr := answering(t, answer)
		d.opts.Endpoint = "gw.elsewhere.test"
		d.opts.Env = func(key string) string {
			if key == "HTTPS_PROXY" {
				return "http://" + addr
			}
			return ""
		}
	}
}

var rowsOfProblems = []row{
	{"A-01", "host misspelt", "none", "net.dns.nxdomain", Fail, endpointIs("gw.tset")},
	{"A-02", "host empty", "none", "net.endpoint.empty", Fail, endpointIs("")},
	{"A-04", "URL pasted", "none", "net.endpoint.not_a_hostname", Fail, endpointIs("https://" + host + "/things/x/shadow")},
	{"A-05", "endpoint of the wrong shape", "none", "net.endpoint.shape", Fail, endpointIs("a3qjexampleffp.iot.ats.amazonaws.com")},
	{"A-07", "DNS fails, a proxy is set and works", "none", "net.proxy.required", Fail, proxyAnswers("HTTP/1.1 200 Connection established\r\n\r\n")},
	{"A-08", "the proxy wants credentials", "none", "net.proxy.auth", Fail, proxyAnswers("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")},
	{"B-01", "root of the other endpoint generation", "none", "tls.server_cert.untrusted_by_client", Fail, otherRoot},
	{"B-02", "the same, after switching", "none", "tls.server_cert.untrusted_by_client", Fail, otherRoot},
	{"B-04", "one root of four, and not the right one", "none", "tls.server_cert.untrusted_by_client", Fail, otherRoot},
	{"B-05", "cross-signed chain", "cert-cross-signed", "tls.server_cert.cross_sign", Warn, nil},
	{"B-07", "own device CA as trust root", "none", "tls.trust_store.is_device_ca", Fail, ownCA},
	{"B-08", "connects by address", "none", "tls.server_cert.name_mismatch", Fail, endpointIs("127.0.0.1")},
	{"B-10", "clock some months behind", "none", "device.clock.behind", Fail, clock("2026-01-02T03:04:05Z")},
	{"B-11", "clock in 1970", "none", "device.clock.behind", Fail, clock("1970-01-01T00:00:12Z")},
	{"B-16", "slow link", "slow", "net.slow_handshake", Warn, func(_ *testing.T, d *device) { d.opts.Timeout = 2 * time.Second }},
	{"B-17", "reset after the ClientHello", "hello-reset", "net.reset_after_clienthello", Fail, nil},
	{"B-19", "private CA not trusted", "cert-unknown-ca", "tls.server_cert.untrusted_by_client", Fail, nil},
	{"B-20", "self-signed server", "cert-self-signed", "tls.server_cert.untrusted_by_client", Fail, nil},
	{"C-01", "the server's policy is TLS 1.3, the client's library 1.2", "tls13-only", "tls.version.below_policy", Warn, func(_ *testing.T, d *device) { d.opts.Version = 0 }},
	{"A-14", "no way over IPv6, and IPv4 works", "none", "net.ipv6.unreachable", Warn, func(_ *testing.T, d *device) { d.opts.Endpoint, d.opts.SNI = dualHost, host }},
	{"C-02", "TLS 1.2 alone, where 1.3 is required", "tls13-only", "tls.version.below_policy", Fail, func(_ *testing.T, d *device) { d.opts.TLS = tls.VersionTLS12 }},
	{"D-07", "key of another pair", "none", "cert.key_mismatch", Fail, keyIs(func(t *testing.T, _ *device) []byte { return pemOf("PRIVATE KEY", pkcs8(t, newKey(t))) })},
	{"D-08", "PEM where DER is needed", "none", "file.key.format", Fail, func(_ *testing.T, d *device) { d.opts.KeyForm = "der" }},
	{"D-10", "PKCS#8 where the platform wants PKCS#1", "none", "file.key.encoding", Fail, func(_ *testing.T, d *device) { d.opts.KeyForm = "pkcs1" }},
	{"D-11", "explicit curve parameters", "none", "file.key.encoding", Fail, keyIs(explicitKey)},
	{"D-11b", "SEC1 where PKCS#8 is wanted", "none", "file.key.encoding", Fail, func(t *testing.T, d *device) {
		d.opts.KeyFile, d.opts.KeyForm = d.write(t, "private.pem.key", pemOf("EC PRIVATE KEY", sec1(t, d))), "pkcs8"
	}},
	{"D-16", "others may read the key", "none", "file.permissions", Warn, func(t *testing.T, d *device) {
		if err := os.Chmod(d.opts.KeyFile, 0o644); err != nil {
			t.Fatal(err)
		}
	}},

	{"H-14", "the acknowledgement takes 7 seconds", "publish-late", "client.timeout_short", Warn, func(_ *testing.T, d *device) {
		d.opts.Timeout, d.opts.Publish = 4*time.Second, "a/b"
	}},
	{"connect-rate", "connected twice within a second", "connack-0x97", "limit.connect_rate.client_id", Fail, nil},

	{"file-missing", "path leads nowhere", "none", "file.missing", Fail, func(_ *testing.T, d *device) { d.opts.KeyFile += ".pem" }},
	{"file-utf16", "key saved as UTF-16", "none", "file.encoding", Fail, keyIs(func(t *testing.T, d *device) []byte { return utf16le(pemOf("PRIVATE KEY", pkcs8(t, d.key))) })},
	{"file-bom", "key with a byte order mark", "none", "file.encoding", Fail, keyIs(func(t *testing.T, d *device) []byte {
		return append([]byte("\xef\xbb\xbf"), pemOf("PRIVATE KEY", pkcs8(t, d.key))...)
	})},
	{"file-one-line", "line breaks lost", "none", "file.encoding", Fail, keyIs(func(t *testing.T, d *device) []byte {
		return bytes.ReplaceAll(pemOf("PRIVATE KEY", pkcs8(t, d.key)), []byte("\n"), nil)
	})},
	{"file-escaped", `line breaks as \n`, "none", "file.encoding", Fail, keyIs(func(t *testing.T, d *device) []byte {
		return bytes.ReplaceAll(pemOf("PRIVATE KEY", pkcs8(t, d.key)), []byte("\n"), []byte(`\n`))
	})},
	{"file-crlf", "Windows line ends, which do no harm", "none", "", Pass, keyIs(func(t *testing.T, d *device) []byte {
		return bytes.ReplaceAll(pemOf("PRIVATE KEY", pkcs8(t, d.key)), []byte("\n"), []byte("\r\n"))
	})},
	{"file-der", "DER certificate and key", "none", "", Pass, func(t *testing.T, d *device) {
		d.opts.CertFile, d.opts.KeyFile = d.write(t, "device.der", d.cert.Raw), d.write(t, "key.der", pkcs8(t, d.key))
	}},
	{"file-swapped", "certificate and key swapped", "none", "file.swapped", Fail, func(_ *testing.T, d *device) {
		d.opts.CertFile, d.opts.KeyFile = d.opts.KeyFile, d.opts.CertFile
	}},
	{"file-ca-is-device", "device certificate as root CA", "none", "file.swapped", Fail, func(_ *testing.T, d *device) { d.opts.CAFile = d.opts.CertFile }},
	{"file-html", "web page in place of the CA", "none", "file.cert.format", Fail, func(t *testing.T, d *device) {
		d.opts.CAFile = d.write(t, "root.pem", []byte("<!DOCTYPE html><html>Access denied</html>"))
	}},
	{"file-cut", "key cut off", "none", "file.key.format", Fail, keyIs(func(t *testing.T, d *device) []byte { return pemOf("PRIVATE KEY", pkcs8(t, d.key))[:120] })},
	{"file-encrypted", "key with a passphrase", "none", "file.key.encoding", Fail, keyIs(func(*testing.T, *device) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1, 2, 3}})
	})},
	{"file-no-ca", "empty trust store", "none", "tls.trust_store.missing", Fail, func(t *testing.T, d *device) { d.opts.CAFile = d.write(t, "root.pem", nil) }},
	{"file-not-a-ca", "server certificate as root CA", "none", "tls.trust_store.not_a_ca", Fail, func(t *testing.T, d *device) {
		key := newKey(t)
		leaf := issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}, &key.PublicKey, d.cert, d.key)
		d.opts.CAFile = d.write(t, "root.pem", pemOf("CERTIFICATE", leaf.Raw))
	}},
	{"cert-is-ca", "CA certificate as the device's", "none", "cert.registered_ca.presented", Fail, func(t *testing.T, d *device) {
		ca := issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "My device CA"}, IsCA: true, BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}, &d.key.PublicKey, nil, d.key)
		d.write(t, "device.pem.crt", pemOf("CERTIFICATE", ca.Raw))
	}},
	{"cert-expired", "device certificate expired", "none", "cert.expired", Fail, certificateIs(-48*time.Hour, -24*time.Hour)},
	{"cert-future", "device certificate of tomorrow", "none", "cert.not_yet_valid", Warn, certificateIs(24*time.Hour, 48*time.Hour)},
	{"host-port", "port in the host name", "none", "net.endpoint.not_a_hostname", Fail, endpointIs(host + ":8883")},
	{"host-blank", "newline behind the host name", "none", "net.endpoint.not_a_hostname", Fail, endpointIs(host + "\n")},
	{"host-control-plane", "host of the API", "none", "net.endpoint.shape", Fail, endpointIs("iot.eu-west-1.amazonaws.com")},
	{"host-credentials", "host of the credential provider", "none", "net.endpoint.shape", Fail, endpointIs("c2sakl5huz0afv.credentials.iot.eu-west-1.amazonaws.com")},
	{"tcp-refused", "nothing listens", "none", "net.tcp.refused", Fail, func(t *testing.T, d *device) { d.opts.Port = freePort(t) }},
	{"websocket", "WebSocket where the server refuses it", "none", "websocket.refused", Fail, func(_ *testing.T, d *device) { d.opts.WebSocket = true }},
	{"clock-ahead", "clock far ahead, and the server tells its own", "none", "device.clock.behind", Fail, clock("2031-01-01T00:00:00Z")},
}

// TestRows holds every row to its code, with the evidence that quotes what was
// offered and what is required, and pins the table.
func TestRows(t *testing.T) {
	s := faults(t)
	var mu sync.Mutex
	lines := map[string]string{}
	t.Run("rows", func(t *testing.T) {
		for _, r := range rowsOfProblems {
			t.Run(r.id, func(t *testing.T) {
				t.Parallel()
				d := newDevice(t)
				d.at(t, s, r.fault)
				d.opts.ClientID = "sensor-1"
				if r.change != nil {
					r.change(t, d)
				}
				got := d.judge(t, r)
				mu.Lock()
				defer mu.Unlock()
				lines[r.id] = got
			})
		}
	})
	golden(t, "rows.txt", rowsOfProblems, lines)
}

// judge runs the probe and returns the line of the table.
func (d *device) judge(t *testing.T, r row) string {
	t.Helper()
	report := probe(t, d.opts)
	checkConnections(t, report)
	first := report.First()
	if first == nil {
		first = find(report, Warn, nil)
	}
	if first == nil {
		if r.want != "" {
			t.Fatalf("nothing failed, want %s", r.want)
		}
		return fmt.Sprintf("%s | %s | pass", r.id, r.what)
	}
	if first.Check.Code != r.want || first.Outcome != r.outcome {
		t.Fatalf("%s %s first, want %s %s", first.Check.Code, first.Outcome, r.want, r.outcome)
	}
	values := report.Values()
	for _, e := range first.Evidence {
		values[e.Key] = e.Value
	}
	cause := first.Check.CauseWith(func(name string) (string, bool) { v := values[name]; return v, v != "" })
	if strings.Contains(cause, "{") {
		t.Errorf("the cause asks for evidence that is not there: %s", cause)
	}
	return d.mask(fmt.Sprintf("%s | %s | %s %s | %s", r.id, r.what, first.Outcome, first.Check.Code, cause))
}

// Masks of what differs from run to run.
var (
	maskTime = regexp.MustCompile(`20[23]\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	maskID   = regexp.MustCompile(`[0-9a-f]{64}`)
	maskTook = regexp.MustCompile(`\b[0-9.]+m?s\b`)
	maskPort = regexp.MustCompile(`\b(port|:)(\s?)[0-9]{5}\b`)
)

func (d *device) mask(s string) string {
	s = strings.ReplaceAll(s, d.dir+string(filepath.Separator), "")
	s = maskTime.ReplaceAllString(s, "TIME")
	s = maskID.ReplaceAllString(s, "CERTIFICATE-ID")
	s = maskTook.ReplaceAllString(s, "SOON")
	return maskPort.ReplaceAllString(s, "${1}${2}PORT")
}

// golden compares the table with testdata, or writes it.
func golden(t *testing.T, name string, rows []row, lines map[string]string) {
	t.Helper()
	if len(lines) < len(rows) {
		return // a row failed, or -run chose some
	}
	var b strings.Builder
	for _, r := range rows {
		b.WriteString(lines[r.id] + "\n")
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != b.String() {
		t.Errorf("the table changed; run with -update and read the difference\ngot:\n%s\nwant:\n%s", b.String(), want)
	}
}
