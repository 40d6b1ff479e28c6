package diagnose

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/gatehouse-iot/gatehouse/internal/diagnose"
	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

func itoa(n int) string { return strconv.Itoa(n) }

// A row is one row of the collection of real problems, or a case of it.
type row struct {
	id     string
	change func(*device)
	code   string   // of the first cause
	says   []string // in its words or its evidence: what was offered, what is required; $name filled in
	fix    string   // in its command
	sides  []diagnose.Side
}

var (
	both     = []diagnose.Side{diagnose.SideDevice, diagnose.SideAccount, diagnose.SideGateway}
	byDevice = []diagnose.Side{diagnose.SideDevice}
)

func status(s types.CertificateStatus) func(*device) {
	return func(d *device) {
		_, err := d.gw.IoT().UpdateCertificate(d.t.Context(), &iot.UpdateCertificateInput{CertificateId: &d.CertificateID, NewStatus: s})
		d.must(err)
	}
}

func endpoint(name string) func(*device) { return func(d *device) { d.set("--endpoint", name) } }

func policy(statements ...string) func(*device) {
	return func(d *device) { d.t.Helper(); d.policy(statements...) }
}

// otherCA is a CA that signed nothing here.
func otherCA(d *device) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	d.must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "VeriSign Class 3"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	d.must(err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

var rows = []row{
	{"A-01", endpoint("gw.invalid"), "net.dns.nxdomain", []string{"gw.invalid"}, "", byDevice},
	{"A-02", endpoint(""), "net.endpoint.empty", nil, "aws iot describe-endpoint", byDevice},
	{"A-04", endpoint("https://gw.example.com/things/x/shadow"), "net.endpoint.not_a_hostname", []string{"https://gw.example.com/things/x/shadow"}, "aws iot describe-endpoint", byDevice},
	{"A-05", endpoint("a3qjexampleffp.iot.ats.amazonaws.com"), "net.endpoint.shape", []string{"a3qjexampleffp.iot.ats.amazonaws.com"}, "aws iot describe-endpoint", byDevice},
	{"B-01", func(d *device) { d.set("--ca", d.file("root.pem", otherCA(d))) }, "tls.server_cert.untrusted_by_client", []string{"VeriSign Class 3"}, "openssl s_client", byDevice},
	{"D-01", status(types.CertificateStatusInactive), "cert.inactive", []string{"INACTIVE", "ACTIVE"}, "aws iot update-certificate --certificate-id $cert --new-status ACTIVE", both},
	{"D-02", status(types.CertificateStatusRevoked), "cert.revoked", []string{"REVOKED"}, "aws iot update-certificate --certificate-id $cert", both},
	{"D-05", func(d *device) { d.set("--cert", ""); d.set("--key", "") }, "cert.none_sent", nil, "mosquitto_pub", []diagnose.Side{diagnose.SideDevice, diagnose.SideGateway}},
	{"D-07", func(d *device) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		d.must(err)
		der, err := x509.MarshalPKCS8PrivateKey(key)
		d.must(err)
		d.set("--key", d.file("other.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	}, "cert.key_mismatch", []string{"$cert"}, "openssl", byDevice},
	{"D-08", func(d *device) { d.flags = append(d.flags, "--key-form", "der") }, "file.key.format", nil, "openssl", byDevice},
	{"D-13", func(d *device) { d.set("--key", d.file("cut.key", []byte("-----BEGIN PRIVATE KEY-----\nMIIE"))) }, "file.key.format", nil, "openssl pkey", byDevice},
	{"D-22", (*device).detach, "policy.none_attached", []string{"$cert"}, "", both},
	{"D-23", func(d *device) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		d.must(err)
		template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "AWS IoT Certificate"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		d.must(err)
		private, err := x509.MarshalPKCS8PrivateKey(key)
		d.must(err)
		d.set("--cert", d.file("new.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
		d.set("--key", d.file("new.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	}, "cert.not_registered", []string{"$account", "$region"}, "aws iot register-certificate-without-ca", both},
	{"E-01", policy("iot:* topic/test"), "authz.connect.resource_type", []string{"client/$client", "topic/test"}, "client/$client", both},
	{"E-02", policy("iot:Publish topic/*"), "authz.connect.no_statement", []string{"$policy"}, "client/$client", both},
	{"E-05", (*device).detach, "policy.none_attached", []string{"$cert"}, "", both},
	{"E-11", policy("iot:Connect arn:aws:iot:us-east-1:111122223333:client/*"), "policy.arn.account_mismatch", []string{"111122223333", "$account"}, "aws iot create-policy", both},
	{"E-13", func(d *device) {
		d.policy("iot:Connect client/${iot:Connection.Thing.ThingName}")
		_, err := d.gw.IoT().DetachThingPrincipal(d.t.Context(), &iot.DetachThingPrincipalInput{ThingName: &d.ThingName, Principal: &d.CertificateARN})
		d.must(err)
	}, "policy.var.undefined", []string{"iot:Connection.Thing.ThingName", "not attached"}, "aws iot attach-thing-principal", both},
	{"E-16", func(d *device) { d.set("--client-id", d.ThingName+"#2") }, "authz.connect.client_id", []string{"$client#2", "client/$client"}, "aws iot create-policy", both},
	{"E-17", policy("iot:Connect client/pump-1"), "authz.connect.client_id", []string{"client/pump-1", "$client"}, "client/$client", both},
	{"E-20", func(d *device) { d.policy("iot:Publish topic/*"); d.set("--mqtt-version", "5") }, "authz.connect.no_statement", []string{"0x87"}, "client/$client", both},
	{"G-01", func(d *device) { d.policy("iot:Connect client/CLIENT"); d.set("--publish", "a/b") }, "authz.publish", []string{"topic/a/b"}, "topic/a/b", both},
	{"G-02", func(d *device) {
		d.policy("iot:Connect client/CLIENT", "iot:Subscribe topicfilter/b/*")
		d.set("--subscribe", "a/#")
	}, "authz.subscribe", []string{"a/#"}, "topicfilter/a/#", both},
	{"G-04", func(d *device) {
		d.policy("iot:Connect client/CLIENT", "iot:Subscribe topic/a/*")
		d.set("--subscribe", "a/b")
	}, "authz.subscribe.resource_type", []string{"topicfilter/a/b", "topic/a/*"}, "topicfilter/a/b", both},
	{"G-05", func(d *device) {
		d.policy("iot:Connect client/CLIENT", "iot:Subscribe topicfilter/a/*", "iot:Publish topic/a/*")
		d.set("--subscribe", "a/b")
		d.set("--publish", "a/b")
		d.set("--timeout", "1s")
	}, "authz.receive", []string{"iot:Receive", "topic/a/b"}, "topic/a/b", []diagnose.Side{diagnose.SideDevice, diagnose.SideAccount}},
	{"G-08", func(d *device) {
		d.policy("iot:Connect client/CLIENT", "iot:Subscribe topicfilter/a/*")
		d.set("--subscribe", "#")
	}, "policy.filter_broader_than_grant", []string{"topicfilter/#", "topicfilter/a/*"}, "topicfilter/#", both},
	{"J-01", func(d *device) {
		d.set("--cert", "")
		d.set("--key", "")
		d.set("--port", itoa(d.gw.Ports.ALPN))
		d.set("--alpn", "mqtt")
		d.set("--user-name", "ann")
		d.set("--password", "secret")
	}, "authorizer.not_selected", []string{"default authorizer"}, "aws iot", []diagnose.Side{diagnose.SideAccount}},
}

func TestRows(t *testing.T) {
	gw := gatehouseproc.Start(t, "--limits", "open")
	for _, r := range rows {
		t.Run(r.id, func(t *testing.T) {
			d := newDevice(t, gw, "d-"+strings.ToLower(r.id))
			r.change(d)
			report, exit := d.diagnose()
			r.check(d, report, exit)
		})
	}
}

// check holds a report to its row.
func (r *row) check(d *device, report diagnose.Report, exit int) {
	t := d.t
	t.Helper()
	if exit != 1 || report.Verdict != diagnose.Problem || len(report.Causes) == 0 {
		t.Fatalf("exit %d, verdict %s, %d causes", exit, report.Verdict, len(report.Causes))
	}
	first := report.Causes[0]
	defer func() {
		if t.Failed() {
			raw, _ := json.MarshalIndent(report.Causes, "", "  ")
			t.Logf("causes:\n%s", raw)
		}
	}()
	if first.Code != r.code {
		t.Errorf("the first cause is %s, want %s", first.Code, r.code)
	}
	raw, err := json.Marshal(first)
	d.must(err)
	for _, want := range r.says {
		if !strings.Contains(string(raw), d.fill(want)) {
			t.Errorf("the first cause does not quote %q", d.fill(want))
		}
	}
	if want := d.fill(r.fix); !strings.Contains(first.Fix, want) {
		t.Errorf("the fix is %q, want in it %q", first.Fix, want)
	}
	for _, side := range r.sides {
		if !slices.ContainsFunc(first.Evidence, func(e diagnose.Evidence) bool { return e.Side == side }) {
			t.Errorf("no evidence of the %s", side)
		}
	}
}

// TestCleanRun is a device in order: exit code 0, and quick. The times are those
// of DESIGN and the issue for loopback; a machine under load gets more.
func TestCleanRun(t *testing.T) {
	gw := gatehouseproc.Start(t)
	d := newDevice(t, gw, "clean")
	d.flags = append(d.flags[:slices.Index(d.flags, "--mqtt-version")], "--subscribe", "clean/#", "--publish", "clean/hello")
	for _, tt := range []struct {
		flags []string
		most  time.Duration
	}{{[]string{"--no-inspect"}, 2 * time.Second}, {nil, 4 * time.Second}} {
		began := time.Now()
		report, exit := d.diagnose(tt.flags...)
		took := time.Since(began)
		if exit != 0 || report.Verdict != diagnose.Works || len(report.Causes)+len(report.Contradictions) > 0 {
			raw, _ := json.MarshalIndent(report, "", "  ")
			t.Errorf("%v: exit %d\n%s", tt.flags, exit, raw)
		}
		t.Logf("diagnose %v: %v, of it the run %d ms", tt.flags, took, report.TookMs)
		if took > 5*tt.most {
			t.Errorf("diagnose %v took %v, want less than %v on a quiet machine", tt.flags, took, tt.most)
		}
		time.Sleep(1100 * time.Millisecond) // AWS allows a client ID one CONNECT a second
	}
}

// TestNothingToRun is exit code 2.
func TestNothingToRun(t *testing.T) {
	gw := gatehouseproc.Start(t)
	for _, args := range [][]string{{"diagnose", "--data-dir", t.TempDir()}, {"-o", "junit", "explain", "--last"}, {"diagnose", "--endpoint", "localhost", "--token", "-", "--password", "-"}} {
		_, stderr, err := gw.Run(t.Context(), t.TempDir(), "gatehouse", args...)
		if code := gatehouseproc.ExitCode(err); code != 2 || stderr == "" {
			t.Errorf("gatehouse %v: exit %d, want 2: %s", args, code, stderr)
		}
	}
}

// TestBundleOfTheCommand scans the support archive of a real run for everything
// that is secret: it is unpacked by tar, as whoever gets it does.
func TestBundleOfTheCommand(t *testing.T) {
	gatehouseproc.Need(t, "tar")
	gw := gatehouseproc.Start(t)
	d := newDevice(t, gw, "bundle")
	archive := d.file("support.tar.gz", nil)
	token := "tok-4711-secret"
	d.set("--user-name", "ann-the-user")
	d.set("--password", token)
	d.diagnose("--bundle", archive)
	dir := t.TempDir()
	gw.MustRun(t, "tar", "-xzf", archive, "-C", dir)
	all := gw.MustRun(t, "sh", "-c", "cat $(find "+dir+" -type f)")
	key, err := os.ReadFile(d.PrivateKeyFile)
	d.must(err)
	lines := strings.Split(strings.TrimSpace(string(key)), "\n")
	for _, secret := range []string{token, "ann-the-user", gw.AccessKeyID, gw.SecretAccessKey, lines[1], "PRIVATE KEY"} {
		if strings.Contains(all, secret) {
			t.Errorf("the archive has %q", secret)
		}
	}
	for _, want := range []string{`"sha256"`, d.CertificateID, "BEGIN CERTIFICATE", "WORKS: "} {
		if !strings.Contains(all, want) {
			t.Errorf("the archive lacks %q", want)
		}
	}
}
