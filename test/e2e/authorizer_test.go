package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
	"github.com/gatehouse-iot/gatehouse/test/thinmqtt"
)

// TestAuthorizerTools is what stands around an authorizer: an alias of its
// function, its log, the replay, domains with certificates of their own, client
// certificates beside it, and who may read what was recorded. One Gatehouse, as
// a start of it and of the AWS CLI is what takes time.
func TestAuthorizerTools(t *testing.T) {
	for _, command := range []string{"aws", "node", "openssl", "mosquitto_pub"} {
		gatehouseproc.Need(t, command)
	}
	gw := gatehouseproc.Start(t, "--limits", "open", "--record-authorizer-events")
	arn := addFunction(t, gw, "fleet-auth", "nodejs20.x", "auth.handler", "authorizers/auth.mjs", "auth.mjs")
	t.Run("alias", func(t *testing.T) { authorizerOfAlias(t, gw, arn) })
	t.Run("log", func(t *testing.T) { functionLog(t, gw, "fleet-auth") })
	t.Run("replay", func(t *testing.T) { replayed(t, gw) })
	t.Run("domains", func(t *testing.T) { domainsBySNI(t, gw) })
	t.Run("certificate and authorizer", func(t *testing.T) { certificateAndAuthorizer(t, gw) })
	t.Run("function run", func(t *testing.T) { functionRun(t, gw) })
	t.Run("a thousand at once", func(t *testing.T) { thousandAtOnce(t, gw) })
}

// authorizerOfAlias lets devices in by an alias of version 1, whatever $LATEST does.
func authorizerOfAlias(t *testing.T, gw *gatehouseproc.Process, arn string) {
	var version struct{ Version string }
	gw.JSON(t, &version, "aws", "lambda", "publish-version", "--function-name", "fleet-auth")
	var alias struct{ AliasArn string }
	gw.JSON(t, &alias, "aws", "lambda", "create-alias", "--function-name", "fleet-auth", "--name", "live", "--function-version", version.Version)
	if alias.AliasArn != arn+":live" {
		t.Fatalf("the alias is %s, want %s:live", alias.AliasArn, arn)
	}
	addAuthorizer(t, gw, "aliased", alias.AliasArn, "--signing-disabled")
	if out, err := customPublish(gw, "by-alias", "bob?x-amz-customauthorizer-name=aliased", "secret"); err != nil {
		text, _ := explainText(t, gw, "--client-id", "by-alias")
		t.Fatalf("%v\n%s%s", err, out, text)
	}
}

var report = regexp.MustCompile(`^REPORT RequestId: \S+\tDuration: [0-9.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB`)

// functionLog reads a function's log as its owner would.
func functionLog(t *testing.T, gw *gatehouseproc.Process, name string) {
	var lines []string
	slowly(t, "the REPORT line of the invocation", func() bool {
		gw.JSON(t, &lines, "aws", "logs", "filter-log-events", "--log-group-name", "/aws/lambda/"+name, "--query", "events[].message")
		return len(lines) > 0 && report.MatchString(lines[len(lines)-1])
	})
	if len(lines) < 3 || !strings.HasPrefix(lines[len(lines)-3], "START RequestId: ") || !strings.HasPrefix(lines[len(lines)-2], "END RequestId: ") {
		t.Errorf("the log is %q", lines)
	}
}

// replayed asks the function again, as its owner and as others.
func replayed(t *testing.T, gw *gatehouseproc.Process) {
	var seen struct{ Attempt struct{ ID string } }
	gw.JSON(t, &seen, "gatehouse", "explain", "--client-id", "by-alias", "-o", "json")
	var r struct {
		Authorizer string
		Redacted   bool
		Event      struct {
			ProtocolData struct {
				MQTT struct{ Username, Password string }
			}
		}
		Answer struct{ IsAuthenticated bool }
	}
	gw.JSON(t, &r, "gatehouse", "authorizer", "replay", "-o", "json", seen.Attempt.ID)
	if r.Authorizer != "aliased" || r.Redacted || r.Event.ProtocolData.MQTT.Password != "c2VjcmV0" || !r.Answer.IsAuthenticated {
		t.Errorf("replay: %+v", r)
	}
	for name, tt := range map[string]struct {
		policy string
		read   bool // the event, with its password
		renew  bool // server certificates
	}{
		"reader":   {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["gatehouse:Read","iot:*","lambda:*"],"Resource":"*"}]}`, false, false},
		"operator": {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["gatehouse:ReadAuthorizerEvents","gatehouse:Write"],"Resource":"*"}]}`, true, true},
	} {
		file := filepath.Join(t.TempDir(), "policy.json")
		if err := os.WriteFile(file, []byte(tt.policy), 0o600); err != nil {
			t.Fatal(err)
		}
		var user struct{ AccessKeyID, SecretAccessKey string }
		gw.JSON(t, &user, "gatehouse", "user", "add", "-o", "json", "--policy", file, name)
		as := func(method, path string) int {
			status, _ := signed(t, gw, user.AccessKeyID, user.SecretAccessKey, method, path)
			return status
		}
		if status := as(http.MethodGet, "/gatehouse/v1/authorizer-events/"+seen.Attempt.ID); (status == http.StatusOK) != tt.read || !tt.read && status != http.StatusForbidden {
			t.Errorf("%s reads the event: %d", name, status)
		}
		if status := as(http.MethodPost, "/gatehouse/v1/server-certificates"); (status == http.StatusBadRequest) != tt.renew || !tt.renew && status != http.StatusForbidden {
			t.Errorf("%s imports a certificate: %d", name, status)
		}
	}
}

// serverFiles writes a self-signed certificate for hosts, and answers its serial number.
func serverFiles(t *testing.T, hosts ...string) (cert, key, serial string) {
	t.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: hosts[0]}, DNSNames: hosts,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &priv.PublicKey, priv)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, fmt.Sprintf("%X", template.SerialNumber)
}

// shownSerial is the serial number of the certificate that openssl sees under a name.
func shownSerial(t *testing.T, gw *gatehouseproc.Process, host string) string {
	t.Helper()
	out, err := exec.Command("sh", "-c", fmt.Sprintf("openssl s_client -connect localhost:%d -servername %s </dev/null 2>/dev/null | openssl x509 -noout -serial", gw.Ports.ALPN, host)).Output()
	if err != nil {
		t.Fatalf("openssl s_client -servername %s: %v", host, err)
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "serial=")
}

// addDomain imports a certificate and makes a domain configuration with the AWS CLI.
func addDomain(t *testing.T, gw *gatehouseproc.Process, name, host, kind string, flags ...string) (certificateARN, serial string) {
	t.Helper()
	cert, key, serial := serverFiles(t, host)
	certificateARN = strings.TrimSpace(gw.MustRun(t, "gatehouse", "domain", "import-certificate", "--cert", cert, "--key", key))
	gw.MustRun(t, "aws", append([]string{
		"iot", "create-domain-configuration", "--domain-configuration-name", name, "--domain-name", host,
		"--server-certificate-arns", certificateARN, "--authentication-type", kind, "--application-protocol", "SECURE_MQTT",
	}, flags...)...)
	return certificateARN, serial
}

// domainsBySNI serves several names at once, and a renewed certificate without a restart.
func domainsBySNI(t *testing.T, gw *gatehouseproc.Process) {
	usual := shownSerial(t, gw, "localhost")
	authorizer := "defaultAuthorizerName=aliased,allowAuthorizerOverride=false"
	arn, one := addDomain(t, gw, "one", "one.example.com", "CUSTOM_AUTH", "--authorizer-config", authorizer)
	_, two := addDomain(t, gw, "two", "two.example.com", "AWS_X509")
	for host, want := range map[string]string{"localhost": usual, "one.example.com": one, "two.example.com": two} {
		if got := shownSerial(t, gw, host); got != want {
			t.Errorf("%s shows certificate %s, want %s", host, got, want)
		}
	}
	other, otherKey, _ := serverFiles(t, "other.example.com")
	if _, stderr, err := gw.Run(t.Context(), "", "gatehouse", "domain", "import-certificate", "--certificate-arn", arn, "--cert", other, "--key", otherKey); err == nil || !strings.Contains(stderr, "other.example.com") {
		t.Errorf("a renewal for another name: %v %s", err, stderr)
	}
	cert, key, renewed := serverFiles(t, "one.example.com")
	gw.MustRun(t, "gatehouse", "domain", "import-certificate", "--certificate-arn", arn, "--cert", cert, "--key", key)
	if got := shownSerial(t, gw, "one.example.com"); got != renewed || got == one {
		t.Errorf("after the renewal one.example.com shows %s, want %s", got, renewed)
	}
	// No ALPN and no authorizer's name: the domain says both.
	c, err := thinmqtt.Connect(t.Context(), thinmqtt.Options{
		Addr: alpnAddress(gw), TLS: &tls.Config{ServerName: "one.example.com", RootCAs: rootsOf(t, cert)}, ClientID: "of-domain", UserName: "bob", Password: []byte("secret"),
	})
	if err != nil {
		text, _ := explainText(t, gw, "--client-id", "of-domain")
		t.Fatalf("%v\n%s", err, text)
	}
	c.Close()
}

func alpnAddress(gw *gatehouseproc.Process) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(gw.Ports.ALPN))
}

func rootsOf(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool
}

// both answers for a certificate what the password asks for.
const both = `export const handler = async (event) => {
  const password = Buffer.from(event.protocolData.mqtt.password, "base64").toString(), { principalId, x509CertificatePem } = event.protocolData.tls;
  return {
    isAuthenticated: password !== "no" && x509CertificatePem.startsWith("-----BEGIN CERTIFICATE-----"),
    principalId: password === "other" ? "somebody" : principalId,
    policyDocuments: password === "deny" ? [{ Version: "2012-10-17", Statement: [{ Effect: "Deny", Action: "iot:Connect", Resource: "*" }] }] : [],
  };
};`

// certificateAndAuthorizer is CUSTOM_AUTH_X509: the certificate counts, and its
// authorizer too. Source: custom-auth sheet 12.
func certificateAndAuthorizer(t *testing.T, gw *gatehouseproc.Process) {
	arn := addFunction(t, gw, "both", "nodejs20.x", "index.handler", writeFile(t, "index.mjs", both), "index.mjs")
	addAuthorizer(t, gw, "both", arn, "--signing-disabled")
	addDomain(t, gw, "both", "both.example.com", "CUSTOM_AUTH_X509", "--authorizer-config", "defaultAuthorizerName=both,allowAuthorizerOverride=false")
	_, config := gw.AddPermissiveDevice(t, "both-1")
	config.ServerName, config.InsecureSkipVerify = "both.example.com", true // its certificate is checked above
	connect := func(id, password string, config *tls.Config) error {
		c, err := thinmqtt.Connect(t.Context(), thinmqtt.Options{
			Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(gw.Ports.MQTT)), TLS: config, ClientID: id, Version: mqtt.V5, UserName: "bob", Password: []byte(password),
		})
		if err == nil {
			c.Close()
		}
		return err
	}
	if err := connect("both-ok", "ok", config); err != nil {
		text, _ := explainText(t, gw, "--client-id", "both-ok")
		t.Fatalf("%v\n%s", err, text)
	}
	for password, says := range map[string]string{"no": "authorizer.rejected", "other": "authorizer.principal_mismatch", "deny": "gatehouse authorizer replay"} {
		if err := connect("both-"+password, password, config); err == nil {
			t.Errorf("%s: the device connects", password)
		}
		if text, exit := explainText(t, gw, "--client-id", "both-"+password); exit != 1 || !strings.Contains(text, says) {
			t.Errorf("%s: exit %d, want %s in\n%s", password, exit, says, text)
		}
	}
	without := config.Clone()
	without.Certificates = nil
	if err := connect("both-none", "ok", without); err == nil {
		t.Error("a device without a certificate connects")
	}
	if text, _ := explainText(t, gw, "--last"); !strings.Contains(text, "cert.none_sent") {
		t.Errorf("without a certificate:\n%s", text)
	}
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// functionRun deploys a folder, again when a file changes, and shows the log.
func functionRun(t *testing.T, gw *gatehouseproc.Process) {
	file := writeFile(t, "index.mjs", `export const handler = async () => { console.log("first edition"); return 1 }`)
	run := follow(t, gw, nil, gw.Bin, "function", "run", filepath.Dir(file), "--name", "loop")
	slowly(t, "the function is deployed", func() bool { return run.has("deployed arn:aws:lambda:") })
	client := lambdaOf(gw)
	invoke := func() {
		if _, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("loop")}); err != nil {
			t.Fatal(err)
		}
	}
	invoke()
	slowly(t, "its log is shown", func() bool { return run.has("first edition") && run.has("REPORT RequestId: ") })
	if err := os.WriteFile(file, []byte(`export const handler = async () => { console.log("second edition"); return 2 }`), 0o600); err != nil {
		t.Fatal(err)
	}
	slowly(t, "the change is deployed and shown", func() bool { invoke(); return run.has("second edition") })
}

func lambdaOf(gw *gatehouseproc.Process) *lambda.Client {
	return lambda.NewFromConfig(gw.Config())
}

// slowAuthorizer says whom it was asked about.
const slowAuthorizer = `export const handler = async (event) => {
  console.log("asked about " + event.protocolData.mqtt.clientId);
  await new Promise((done) => setTimeout(done, 50));
  return { isAuthenticated: true, principalId: "Device", policyDocuments: [{ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "iot:*", Resource: "*" }] }] };
};`

// thousandAtOnce lets 1,000 devices come at once to a function with a
// concurrency of 10: each is answered, none is asked about twice, and whoever
// finds no room can read why. Issue 6, must show 4.
func thousandAtOnce(t *testing.T, gw *gatehouseproc.Process) {
	const devices = 1000
	arn := addFunction(t, gw, "slow", "nodejs20.x", "index.handler", writeFile(t, "index.mjs", slowAuthorizer), "index.mjs")
	addAuthorizer(t, gw, "slow", arn, "--signing-disabled")
	if _, err := lambdaOf(gw).PutFunctionConcurrency(t.Context(), &lambda.PutFunctionConcurrencyInput{FunctionName: aws.String("slow"), ReservedConcurrentExecutions: aws.Int32(10)}); err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{ServerName: "localhost", RootCAs: rootsOf(t, gw.CAFile), NextProtos: []string{"mqtt"}}
	var wg sync.WaitGroup
	var accepted, refused atomic.Int64
	for i := range devices {
		wg.Go(func() {
			c, err := thinmqtt.Connect(t.Context(), thinmqtt.Options{
				Dial:     redialing(alpnAddress(gw), fmt.Sprintf("127.0.1.%d", i%10+1), config), // one address may not have so many handshakes
				ClientID: fmt.Sprintf("k-%04d", i), Version: mqtt.V5,
				UserName: "bob?x-amz-customauthorizer-name=slow", Password: []byte("x"), Timeout: 2 * time.Minute,
			})
			switch {
			case err == nil:
				accepted.Add(1)
				c.Close()
			case strings.Contains(err.Error(), "answered"): // CONNACK 0x87
				refused.Add(1)
			default:
				t.Errorf("a device got no answer: %v", err)
			}
		})
	}
	wg.Wait()
	if accepted.Load()+refused.Load() != devices || accepted.Load() == 0 {
		t.Errorf("%d accepted and %d refused of %d", accepted.Load(), refused.Load(), devices)
	}
	asked := map[string]int{}
	slowly(t, "an invocation of each accepted device in the log", func() bool {
		clear(asked)
		reports := 0
		for _, line := range logLines(t, gw, "/aws/lambda/slow") {
			if _, id, ok := strings.Cut(line, "asked about "); ok { // behind time, request ID and level
				asked[strings.TrimSpace(id)]++
			} else if report.MatchString(line) {
				reports++
			}
		}
		return reports >= int(accepted.Load())
	})
	for id, n := range asked {
		if n != 1 {
			t.Errorf("%s was asked about %d times", id, n)
		}
	}
	throttled, late := 0, 0 // on a busy machine some invocations take more than five seconds
	slowly(t, "the reason of each refusal is recorded", func() bool {
		throttled, late = recorded(t, gw, "authorizer.throttled"), recorded(t, gw, "authorizer.timeout")
		return throttled+late == int(refused.Load())
	})
	if n, least := len(asked), int(accepted.Load()); n < least || n > least+late {
		t.Errorf("asked about %d devices; %d were accepted, and %d took too long", n, least, late)
	}
	t.Logf("%d accepted, %d throttled, %d too late", accepted.Load(), throttled, late)
}

// redialing dials until a handshake succeeds: on a busy machine one may take too long, or find no
// place. What comes after it may not fail.
func redialing(addr, from string, config *tls.Config) func(context.Context) (net.Conn, error) {
	dialer := &tls.Dialer{NetDialer: &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}, Config: config}
	return func(ctx context.Context) (net.Conn, error) {
		for {
			nc, err := dialer.DialContext(ctx, "tcp", addr)
			if err == nil || ctx.Err() != nil {
				return nc, err
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond): // so that those that wait are not pushed aside again
			}
		}
	}
}

// logLines reads a whole log group.
func logLines(t *testing.T, gw *gatehouseproc.Process, group string) (lines []string) {
	t.Helper()
	client := cloudwatchlogs.NewFromConfig(gw.Config())
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(client, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &group})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			lines = append(lines, *e.Message)
		}
	}
	return lines
}

// recorded counts the attempts that a check refused.
func recorded(t *testing.T, gw *gatehouseproc.Process, code string) (n int) {
	t.Helper()
	var page attempt.Page
	_, body := signed(t, gw, gw.AccessKeyID, gw.SecretAccessKey, http.MethodGet, attempt.Path+"?maxResults=1000&code="+code)
	if err := json.Unmarshal(body, &page); err != nil {
		t.Fatal(err)
	}
	for _, a := range page.Attempts {
		n += a.Count
	}
	return n
}

// signed sends a request without a body to the Gatehouse API.
func signed(t *testing.T, gw *gatehouseproc.Process, keyID, secret, method, path string) (status int, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, gw.APIURL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	hash := hex.EncodeToString(sha256.New().Sum(nil))
	if err := v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, req, hash, "gatehouse", gw.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}
