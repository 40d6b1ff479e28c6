package diagnose

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/gatehouse-iot/gatehouse/internal/diagnose"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/symptom"
	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// TestNeverArrived is A-10: the device never reached the gateway, which is the finding.
func TestNeverArrived(t *testing.T) {
	gw := gatehouseproc.Start(t)
	d := newDevice(t, gw, "never")
	_, stderr, err := gw.Run(t.Context(), "", "gatehouse", "explain", "--source-ip", "127.0.9.9")
	if code := gatehouseproc.ExitCode(err); code != 2 || !strings.Contains(stderr, "net.never_arrived") || !strings.Contains(stderr, "127.0.9.9") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	var told symptom.Diagnosis
	if exit := d.explain(&told, textOf(t, "A-10")); exit != 1 || len(told.Candidates) == 0 || told.Candidates[0].Code != "net.never_arrived" || told.Candidates[0].Fix == "" {
		t.Errorf("exit %d: %+v", exit, told.Candidates)
	}
}

// TestSelfMatchingClientID is E-23: it works, and the policy keeps nobody out.
func TestSelfMatchingClientID(t *testing.T) {
	gw := gatehouseproc.Start(t)
	d := newDevice(t, gw, "lint")
	file := d.file("policy.json", []byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:us-east-1:123456789012:client/${iot:ClientId}"}]}`))
	out, stderr, err := gw.Run(t.Context(), "", "gatehouse", "policy", "check", file)
	if code := gatehouseproc.ExitCode(err); code != 1 || !strings.Contains(out+stderr, "policy.lint.self_matching_client_id") || !strings.Contains(out+stderr, "${iot:ClientId}") {
		t.Errorf("exit %d\n%s%s", code, out, stderr)
	}
}

// TestCallerDenied is K-14: what the AWS CLI prints for a caller whose IAM policy
// lacks the action is explained.
func TestCallerDenied(t *testing.T) {
	gatehouseproc.Need(t, "aws")
	gw := gatehouseproc.Start(t)
	d := newDevice(t, gw, "caller")
	key, secret := d.user([2]string{"iot:DescribeEndpoint", "*"})
	_, stderr, _ := gw.Run(t.Context(), "", "env", "AWS_ACCESS_KEY_ID="+key, "AWS_SECRET_ACCESS_KEY="+secret, "aws", "iot", "register-certificate-without-ca", "--certificate-pem", "file://"+d.CertificateFile)
	if !strings.Contains(stderr, "iot:RegisterCertificateWithoutCA") || !strings.Contains(stderr, "no identity-based policy allows") {
		t.Fatalf("the CLI printed %s", stderr)
	}
	var told symptom.Diagnosis
	if exit := d.explain(&told, stderr); exit != 1 || len(told.Candidates) == 0 || told.Candidates[0].Code != "iam.action_denied" || told.Candidates[0].Fix == "" {
		t.Errorf("exit %d: %+v", exit, told.Candidates)
	}
}

// TestBridgeID is F-07: a bridge of mosquitto under the ID of a client that is there already.
func TestBridgeID(t *testing.T) {
	gatehouseproc.Need(t, "mosquitto")
	gatehouseproc.Need(t, "mosquitto_sub")
	gw := gatehouseproc.Start(t, "--limits", "open")
	d := newDevice(t, gw, "bridge")
	port := freePort(t)
	config := fmt.Sprintf(`user root
listener %d 127.0.0.1
allow_anonymous true
connection gatehouse
address %s:%d
bridge_cafile %s
bridge_certfile %s
bridge_keyfile %s
bridge_protocol_version mqttv311
bridge_bind_address 127.0.8.3
remote_clientid %s
try_private false
notifications false
restart_timeout 1
topic # out 1 "" %s/
`, port, gw.Endpoint, gw.Ports.MQTT, d.CAFile, d.CertificateFile, d.PrivateKeyFile, d.ThingName, d.ThingName)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{}, 2)
	for _, args := range [][]string{
		{"mosquitto", "-c", d.file("bridge.conf", []byte(config))},
		{"mosquitto_sub", "-A", "127.0.8.4", "-h", gw.Endpoint, "-p", itoa(gw.Ports.MQTT), "--cafile", d.CAFile, "--cert", d.CertificateFile, "--key", d.PrivateKeyFile, "-i", d.ThingName, "-t", d.ThingName + "/a"},
	} {
		go func() {
			cmd := exec.CommandContext(ctx, args[0], args[1:]...)
			_ = cmd.Run() // the test ends it
			done <- struct{}{}
		}()
	}
	t.Cleanup(func() { cancel(); <-done; <-done })
	d.vars["from"] = "127.0.8.3"
	r := seen{id: "F-07", code: "session.takeover_loop", says: []string{d.ThingName, "127.0.8."}, fix: "gatehouse explain --client-id " + d.ThingName}
	r.check(d)
}

func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// TestOtherRegion is D-04: the certificate was made in another Region. Two
// Gatehouses are the Regions; in front of them stands what leads a call to the
// Region that its signature names, as AWS's host names do.
func TestOtherRegion(t *testing.T) {
	here, there := gatehouseproc.Start(t), gatehouseproc.Start(t, "--region", "eu-west-1")
	elsewhere := there.AddDevice(t, "java-1")
	d := newDevice(t, here, "java-1")
	d.set("--cert", elsewhere.CertificateFile)
	d.set("--key", elsewhere.PrivateKeyFile)
	aws := httptest.NewServer(regional(t, here, there))
	t.Cleanup(aws.Close)
	report, exit := d.diagnose("--endpoint-url", aws.URL, "--regions", "eu-west-1")
	r := row{id: "D-04", code: "cert.registered_elsewhere", says: []string{"eu-west-1", "us-east-1", elsewhere.CertificateID}, sides: []diagnose.Side{diagnose.SideDevice, diagnose.SideAccount}}
	r.check(d, report, exit)
}

// regional leads each call to the Gatehouse of the Region in its credential scope,
// and signs it with a key of that one.
func regional(t *testing.T, list ...*gatehouseproc.Process) http.Handler {
	t.Helper()
	proxies := map[string]*httputil.ReverseProxy{}
	for _, gw := range list {
		to, err := url.Parse(gw.APIURL)
		if err != nil {
			t.Fatal(err)
		}
		proxies[gw.Region] = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			scope := strings.Split(r.In.Header.Get("Authorization"), "/") // ...Credential=KEY/DATE/REGION/SERVICE/aws4_request
			body, err := io.ReadAll(r.In.Body)
			if err != nil || len(scope) < 5 {
				return
			}
			r.Out.Body, r.Out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256"} {
				r.Out.Header.Del(name)
			}
			sum := sha256.Sum256(body)
			_ = v4.NewSigner().SignHTTP(r.In.Context(), aws.Credentials{AccessKeyID: gw.AccessKeyID, SecretAccessKey: gw.SecretAccessKey}, r.Out, hex.EncodeToString(sum[:]), scope[3], gw.Region, time.Now())
		}}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for region, proxy := range proxies {
			if strings.Contains(r.Header.Get("Authorization"), "/"+region+"/") {
				proxy.ServeHTTP(w, r)
				return
			}
		}
		http.Error(w, "no such Region", http.StatusBadGateway)
	})
}

// notBuilt are the operations without which rows can't be reproduced: a row that
// says so has to be reproduced once they answer.
var notBuilt = map[string][]string{
	"D-19": {"iot", "create-provisioning-template", "--template-name", "a", "--provisioning-role-arn", "arn:aws:iam::123456789012:role/a", "--template-body", "{}"},
	"I-11": {"sts", "assume-role", "--role-arn", "arn:aws:iam::123456789012:role/a", "--role-session-name", "session"},
	"I-13": {"sts", "assume-role", "--role-arn", "arn:aws:iam::123456789012:role/a", "--role-session-name", "session"},
	"I-14": {"iot", "create-role-alias", "--role-alias", "a", "--role-arn", "arn:aws:iam::123456789012:role/a"},
	"K-04": {"iot", "create-provisioning-claim", "--template-name", "a"},
	"K-05": {"iot", "create-provisioning-claim", "--template-name", "a"},
	"K-07": {"iot", "create-provisioning-template", "--template-name", "a", "--provisioning-role-arn", "arn:aws:iam::123456789012:role/a", "--template-body", "{}"},
	"K-08": {"iot", "create-role-alias", "--role-alias", "a", "--role-arn", "arn:aws:iam::123456789012:role/a"},
	"K-13": {"iot-data", "update-thing-shadow", "--thing-name", "a", "--payload", "{}", "/dev/null"},
}

func TestNotBuilt(t *testing.T) {
	gatehouseproc.Need(t, "aws")
	gw := gatehouseproc.Start(t)
	answers := map[string]string{}
	for id, args := range notBuilt {
		if notReproduced[id] == "" {
			t.Errorf("%s gives no reason", id)
		}
		key := strings.Join(args, " ")
		if answers[key] == "" {
			out, stderr, err := gw.Run(t.Context(), "", "aws", args...)
			answers[key] = fmt.Sprint(err, out, stderr)
		}
		if !strings.Contains(answers[key], "NotImplemented") && !strings.Contains(answers[key], "not implemented") && !strings.Contains(answers[key], "InvalidAction") {
			t.Errorf("%s: aws %s is built, it answers %s", id, key, answers[key])
		}
	}
}

// TestDenied denies one operation after the other to the caller, by its IAM
// policy: each time that is said, and nothing is concluded from what was not seen.
func TestDenied(t *testing.T) {
	gatehouseproc.Need(t, "node")
	gw := gatehouseproc.Start(t, "--limits", "open")
	d := newDevice(t, gw, "looked-at")
	group := "pumps"
	_, err := gw.IoT().CreateThingGroup(t.Context(), &iot.CreateThingGroupInput{ThingGroupName: &group})
	d.must(err)
	_, err = gw.IoT().AddThingToThingGroup(t.Context(), &iot.AddThingToThingGroupInput{ThingGroupName: &group, ThingName: &d.ThingName})
	d.must(err)
	_, err = gw.IoT().SetV2LoggingOptions(t.Context(), &iot.SetV2LoggingOptionsInput{RoleArn: aws.String("arn:aws:iam::" + gw.AccountID + ":role/logs"), DefaultLogLevel: types.LogLevelError})
	d.must(err)
	authorized(d)
	_, err = gw.IoT().SetDefaultAuthorizer(t.Context(), &iot.SetDefaultAuthorizerInput{AuthorizerName: &d.ThingName})
	d.must(err)

	certificate := slices.Clone(d.flags)
	custom("--authorizer", "$authorizer", "--user-name", "bob", "--password", "ok")(d)
	authorizer := slices.Clone(d.flags)
	byDefault := func() []string {
		d.flags = slices.Clone(certificate)
		custom("--alpn", "mqtt", "--user-name", "bob", "--password", "ok")(d)
		return d.flags
	}()
	alias := append(slices.Clone(certificate), "--sni", gw.Endpoint) // reached by another name
	alias[1] = "127.0.0.1"
	stranger := func() []string {
		d.flags = slices.Clone(certificate)
		key, cert := d.selfSigned()
		d.set("--cert", cert)
		d.set("--key", key)
		return d.flags
	}

	key, secret := d.user([2]string{"*", "*"})
	cases := map[string][]string{
		"iot:DescribeEndpoint":            certificate,
		"iot:ListDomainConfigurations":    alias,
		"iot:DescribeCertificate":         certificate,
		"iot:ListCACertificates":          stranger(),
		"iot:ListAttachedPolicies":        certificate,
		"iot:GetPolicy":                   certificate,
		"iot:ListPrincipalThingsV2":       certificate,
		"iot:DescribeThing":               certificate,
		"iot:ListThingGroupsForThing":     certificate,
		"iot:TestAuthorization":           certificate,
		"iot:GetV2LoggingOptions":         certificate,
		"logs:StartQuery":                 certificate,
		"iot:DescribeAuthorizer":          authorizer,
		"iot:DescribeDefaultAuthorizer":   byDefault,
		"lambda:GetFunctionConfiguration": authorizer,
		"lambda:GetPolicy":                authorizer,
		"cloudwatch:GetMetricData":        authorizer,
		"iot:TestInvokeAuthorizer":        authorizer,
	}
	for action, flags := range cases {
		t.Run(action, func(t *testing.T) {
			d.t = t
			doc, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []map[string]string{{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": action, "Resource": "*"}}})
			d.must(err)
			d.gw.MustRun(t, "gatehouse", "user", "policy", d.ThingName, "--policy", d.file("deny.json", doc))
			d.flags = flags
			report, exit := d.diagnoseAs(key, secret, "--endpoint-url", gw.APIURL)
			want := "needs " + action
			found := false
			for _, text := range report.NotSeen {
				found = found || strings.Contains(text, want)
			}
			raw, _ := json.MarshalIndent(report, "", "  ")
			if !found {
				t.Errorf("it is not said that the report %s\n%s", want, raw)
			}
			works := action != "iot:ListCACertificates" // there the device's certificate is wrong
			if works && (exit != 0 || report.Verdict != diagnose.Works) {
				t.Errorf("exit %d: %s\n%s", exit, report.Summary, raw)
			} else if !works && (len(report.Causes) == 0 || report.Causes[0].Code != "cert.not_registered") {
				t.Errorf("exit %d: %s\n%s", exit, report.Summary, raw)
			}
		})
	}
}

// diagnoseAs runs the command with the credentials of a user.
func (d *device) diagnoseAs(key, secret string, more ...string) (report diagnose.Report, exit int) {
	d.t.Helper()
	args := append([]string{"AWS_ACCESS_KEY_ID=" + key, "AWS_SECRET_ACCESS_KEY=" + secret, d.gw.Bin, "-o", "json", "diagnose"}, append(d.flags, more...)...)
	out, stderr, err := d.gw.Run(d.t.Context(), d.t.TempDir(), "env", args...)
	exit = gatehouseproc.ExitCode(err)
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		d.t.Fatalf("exit %d: %v\n%s%s", exit, err, out, stderr)
	}
	return report, exit
}

// selfSigned makes a certificate that nobody registered, and its key.
func (d *device) selfSigned() (key, cert string) {
	dir := d.t.TempDir()
	key, cert = filepath.Join(dir, "key.pem"), filepath.Join(dir, "cert.pem")
	out, err := exec.CommandContext(d.t.Context(), "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert, "-subj", "/CN=stranger", "-addext", "basicConstraints=critical,CA:FALSE", "-days", "2").CombinedOutput()
	if err != nil {
		d.t.Fatalf("openssl: %v\n%s", err, out)
	}
	d.must(os.Chmod(key, 0o600))
	return key, cert
}
