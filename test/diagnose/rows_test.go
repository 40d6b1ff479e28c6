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
	"path/filepath"
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

	warns    bool     // the device works: code is that of the first doubt
	repaired bool     // the printed command repairs it: after that, all is well
	shows    bool     // the printed command, run in the device's folder, shows the right way: it succeeds
	also     []string // codes of further causes
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
	{id: "A-01", change: endpoint("gw.invalid"), code: "net.dns.nxdomain", says: []string{"gw.invalid"}, sides: byDevice},
	{id: "A-02", change: endpoint(""), code: "net.endpoint.empty", fix: "aws iot describe-endpoint", sides: byDevice},
	{id: "A-04", change: endpoint("https://gw.example.com/things/x/shadow"), code: "net.endpoint.not_a_hostname", says: []string{"https://gw.example.com/things/x/shadow"}, fix: "aws iot describe-endpoint", sides: byDevice},
	{id: "A-05", change: endpoint("a3qjexampleffp.iot.ats.amazonaws.com"), code: "net.endpoint.shape", says: []string{"a3qjexampleffp.iot.ats.amazonaws.com"}, fix: "aws iot describe-endpoint", sides: byDevice},
	{id: "B-01", change: func(d *device) { d.set("--ca", d.file("root.pem", otherCA(d))) }, code: "tls.server_cert.untrusted_by_client", says: []string{"VeriSign Class 3"}, fix: "openssl s_client", sides: byDevice},
	{id: "D-01", change: status(types.CertificateStatusInactive), code: "cert.inactive", says: []string{"INACTIVE", "ACTIVE"}, fix: "aws iot update-certificate --certificate-id $cert --new-status ACTIVE", sides: both},
	{id: "D-02", change: status(types.CertificateStatusRevoked), code: "cert.revoked", says: []string{"REVOKED"}, fix: "aws iot update-certificate --certificate-id $cert", sides: both},
	{id: "D-05", change: func(d *device) { d.set("--cert", ""); d.set("--key", "") }, code: "cert.none_sent", fix: "mosquitto_pub", sides: []diagnose.Side{diagnose.SideDevice, diagnose.SideGateway}},
	{id: "D-07", change: func(d *device) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		d.must(err)
		der, err := x509.MarshalPKCS8PrivateKey(key)
		d.must(err)
		d.set("--key", d.file("other.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	}, code: "cert.key_mismatch", says: []string{"$cert"}, fix: "openssl", sides: byDevice},
	{id: "D-08", change: func(d *device) { d.flags = append(d.flags, "--key-form", "der") }, code: "file.key.format", fix: "openssl", sides: byDevice},
	{id: "D-13", change: func(d *device) { d.set("--key", d.file("cut.key", []byte("-----BEGIN PRIVATE KEY-----\nMIIE"))) }, code: "file.key.format", fix: "openssl pkey", sides: byDevice},
	{id: "D-22", change: (*device).detach, code: "policy.none_attached", says: []string{"$cert"}, sides: both},
	{id: "D-23", change: func(d *device) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		d.must(err)
		template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "AWS IoT Certificate"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		d.must(err)
		private, err := x509.MarshalPKCS8PrivateKey(key)
		d.must(err)
		d.set("--cert", d.file("new.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
		d.set("--key", d.file("new.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	}, code: "cert.not_registered", says: []string{"$account", "$region"}, fix: "aws iot register-certificate-without-ca", sides: both},
	{id: "E-01", change: policy("iot:* topic/test"), code: "authz.connect.resource_type", says: []string{"client/$client", "topic/test"}, fix: "client/$client", sides: both},
	{id: "E-02", change: policy("iot:Publish topic/*"), code: "authz.connect.no_statement", says: []string{"$policy"}, fix: "client/$client", sides: both},
	{id: "E-05", change: (*device).detach, code: "policy.none_attached", says: []string{"$cert"}, sides: both},
	{id: "E-11", change: policy("iot:Connect arn:aws:iot:us-east-1:111122223333:client/*"), code: "policy.arn.account_mismatch", says: []string{"111122223333", "$account"}, fix: "aws iot create-policy", sides: both},
	{id: "E-13", change: func(d *device) {
		d.policy("iot:Connect client/${iot:Connection.Thing.ThingName}")
		_, err := d.gw.IoT().DetachThingPrincipal(d.t.Context(), &iot.DetachThingPrincipalInput{ThingName: &d.ThingName, Principal: &d.CertificateARN})
		d.must(err)
	}, code: "policy.var.undefined", says: []string{"iot:Connection.Thing.ThingName", "not attached"}, fix: "aws iot attach-thing-principal", sides: both},
	{id: "E-16", change: func(d *device) { d.set("--client-id", d.ThingName+"#2") }, code: "authz.connect.client_id", says: []string{"$client#2", "client/$client"}, fix: "aws iot create-policy", sides: both},
	{id: "E-17", change: policy("iot:Connect client/pump-1"), code: "authz.connect.client_id", says: []string{"client/pump-1", "$client"}, fix: "client/$client", sides: both},
	{id: "E-20", change: func(d *device) { d.policy("iot:Publish topic/*"); d.set("--mqtt-version", "5") }, code: "authz.connect.no_statement", says: []string{"0x87"}, fix: "client/$client", sides: both},
	{id: "G-01", change: func(d *device) { d.policy("iot:Connect client/CLIENT"); d.set("--publish", "a/b") }, code: "authz.publish", says: []string{"topic/a/b"}, fix: "topic/a/b", sides: both},
	{id: "G-02", change: func(d *device) {
		d.policy("iot:Connect client/CLIENT", "iot:Subscribe topicfilter/b/*")
		d.set("--subscribe", "a/#")
	}, code: "authz.subscribe", says: []string{"a/#"}, fix: "topicfilter/a/#", sides: both},
	{id: "G-04", change: func(d *device) {
		d.policy("iot:Connect client/CLIENT", "iot:Subscribe topic/a/*")
		d.set("--subscribe", "a/b")
	}, code: "authz.subscribe.resource_type", says: []string{"topicfilter/a/b", "topic/a/*"}, fix: "topicfilter/a/b", sides: both},
	{id: "G-05", change: func(d *device) {
		d.policy("iot:Connect client/CLIENT", "iot:Subscribe topicfilter/a/*", "iot:Publish topic/a/*")
		d.set("--subscribe", "a/b")
		d.set("--publish", "a/b")
		d.set("--timeout", "1s")
	}, code: "authz.receive", says: []string{"iot:Receive", "topic/a/b"}, fix: "topic/a/b", sides: []diagnose.Side{diagnose.SideDevice, diagnose.SideAccount}},
	{id: "G-08", change: func(d *device) {
		d.policy("iot:Connect client/CLIENT", "iot:Subscribe topicfilter/a/*")
		d.set("--subscribe", "#")
	}, code: "policy.filter_broader_than_grant", says: []string{"topicfilter/#", "topicfilter/a/*"}, fix: "topicfilter/#", sides: both},
	{id: "J-01", change: func(d *device) {
		d.set("--cert", "")
		d.set("--key", "")
		d.set("--port", itoa(d.gw.Ports.ALPN))
		d.set("--alpn", "mqtt")
		d.set("--user-name", "ann")
		d.set("--password", "secret")
	}, code: "authorizer.not_selected", says: []string{"default authorizer"}, fix: "aws iot", sides: []diagnose.Side{diagnose.SideAccount}},
}

func TestRows(t *testing.T) { walk(t, gatehouseproc.Start(t, "--limits", "open"), rows) }

// walk lets a device of its own go through each row.
func walk(t *testing.T, gw *gatehouseproc.Process, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.id, func(t *testing.T) {
			d := newDevice(t, gw, "d-"+strings.ToLower(strings.ReplaceAll(r.id, "/", "-")))
			r.change(d)
			report, exit := d.diagnose()
			first := r.check(d, report, exit)
			switch {
			case t.Failed():
			case r.repaired:
				d.repair(first.Fix)
			case r.shows:
				if out, stderr, err := d.gw.Run(t.Context(), filepath.Dir(d.CertificateFile), "sh", "-c", first.Fix); err != nil {
					t.Errorf("the command failed: %v\n%s\n%s%s", err, first.Fix, out, stderr)
				}
			}
		})
	}
}

// connectEvery is how long to wait between two CONNECTs of a client ID: AWS
// takes one a second.
const connectEvery = 1100 * time.Millisecond

// repair runs a printed command as a person does who copies it. After that the
// device works.
func (d *device) repair(fix string) {
	d.t.Helper()
	out, stderr, err := d.gw.Run(d.t.Context(), d.t.TempDir(), "sh", "-c", fix)
	if err != nil {
		d.t.Fatalf("the fix failed: %v\n%s\n%s%s", err, fix, out, stderr)
	}
	time.Sleep(connectEvery)
	if report, exit := d.diagnose(); exit != 0 {
		raw, _ := json.MarshalIndent(report.Causes, "", "  ")
		d.t.Errorf("after the fix: exit %d, %s\n%s\nthe fix was: %s", exit, report.Summary, raw, fix)
	}
}

// check holds a report to its row, and returns its first cause.
func (r *row) check(d *device, report diagnose.Report, exit int) diagnose.Cause {
	t := d.t
	t.Helper()
	list, verdict, code := report.Causes, diagnose.Problem, 1
	if r.warns {
		list, verdict, code = report.Doubts, diagnose.Works, 0
	}
	defer func() {
		if t.Failed() {
			raw, _ := json.MarshalIndent(slices.Concat(report.Causes, report.Doubts, report.Contradictions), "", "  ")
			t.Logf("%s\n%s", report.Summary, raw)
		}
	}()
	if exit != code || report.Verdict != verdict || len(list) == 0 {
		t.Fatalf("exit %d, verdict %s, %d causes, %d doubts", exit, report.Verdict, len(report.Causes), len(report.Doubts))
	}
	first := list[0]
	if first.Code != r.code {
		t.Errorf("the first cause is %s, want %s", first.Code, r.code)
	}
	if strings.Contains(first.Cause, "(unknown ") {
		t.Errorf("the cause lacks evidence: %s", first.Cause)
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
	for _, code := range r.also {
		if !slices.ContainsFunc(report.Causes, func(c diagnose.Cause) bool { return c.Code == code }) {
			t.Errorf("no cause is %s", code)
		}
	}
	for _, side := range r.sides {
		if !slices.ContainsFunc(first.Evidence, func(e diagnose.Evidence) bool { return e.Side == side }) {
			t.Errorf("no evidence of the %s", side)
		}
	}
	return first
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
		time.Sleep(connectEvery)
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
