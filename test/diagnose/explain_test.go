package diagnose

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/coder/websocket"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/symptom"
	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// A seen is a row whose user has a client that fails, what it prints, and the
// gateway: a real client does it, and `gatehouse explain` says why.
type seen struct {
	id      string
	do      func(d *device) // from the address d.vars["from"], where the client can choose it
	choose  []string        // flags of explain, $name filled in; nil: the row's own text, which leads to the attempt
	code    string          // of the first finding
	warning bool            // or of a warning: the device lives on
	says    []string        // in its words or its evidence, $name filled in
	fix     string          // in its command
}

// client runs a client in the device's folder for at most 10 seconds. What it
// prints and how it ends is the user's to see.
func (d *device) client(name string, args ...string) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 10*time.Second)
	defer cancel()
	out, stderr, err := d.gw.Run(ctx, filepath.Dir(d.CertificateFile), name, args...)
	d.t.Logf("%s: %v\n%s%s", name, err, out, stderr)
}

// mosquitto publishes with the device's files, by MQTT 3.1.1 unless args say otherwise.
func mosquitto(args ...string) func(*device) {
	return func(d *device) {
		all := []string{
			"-h", d.gw.Endpoint, "-p", itoa(d.gw.Ports.MQTT), "-A", d.vars["from"], "--cafile", d.CAFile, "--cert", d.CertificateFile, "--key", d.PrivateKeyFile,
			"-i", d.ThingName, "-t", d.ThingName + "/a", "-m", "hello", "-q", "1",
		}
		for i, a := range args {
			if k := slices.Index(all, a); k >= 0 && i%2 == 0 { // in place of ours
				all = slices.Delete(all, k, k+2)
			}
			all = append(all, d.fill(a))
		}
		d.client("mosquitto_pub", all...)
	}
}

// openssl shakes hands by OpenSSL.
func openssl(args ...string) func(*device) {
	return func(d *device) {
		d.client("openssl", append([]string{
			"s_client", "-connect", net.JoinHostPort("127.0.0.1", itoa(d.gw.Ports.MQTT)), "-bind", d.vars["from"], "-servername", d.gw.Endpoint,
			"-CAfile", d.CAFile, "-cert", d.CertificateFile, "-key", d.PrivateKeyFile, "-brief", "-quiet", "-no_ign_eof",
		}, args...)...)
	}
}

// curl asks one of the ports that speak HTTPS.
func curl(port func(*device) int, path string, args ...string) func(*device) {
	return func(d *device) {
		all := []string{"-sS", "-i", "--http1.1", "--max-time", "5", "--interface", d.vars["from"], "--cacert", d.CAFile}
		for _, a := range args {
			all = append(all, d.fill(a))
		}
		d.client("curl", append(all, "https://"+net.JoinHostPort(d.gw.Endpoint, itoa(port(d)))+path)...)
	}
}

var (
	upgrade   = []string{"--no-alpn", "-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13", "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "-H", "Sec-WebSocket-Protocol: mqtt"}
	ofALPN    = func(d *device) int { return d.gw.Ports.ALPN }
	ofHTTPS   = func(d *device) int { return d.gw.Ports.HTTPS }
	publishes = []string{"--no-alpn", "--cert", "$certfile", "--key", "$keyfile", "--data", "x"}
)

// smallBuffer is a TLS client whose input buffer takes 4 KiB: it closes at the
// first record that is larger, as embedded libraries do.
func smallBuffer(d *device) {
	nc, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(d.vars["from"])}}).DialContext(d.t.Context(), "tcp", net.JoinHostPort("127.0.0.1", itoa(d.gw.Ports.MQTT)))
	d.must(err)
	defer nc.Close()
	_ = tls.Client(&impatient{Conn: nc, room: 4096}, &tls.Config{ServerName: d.vars["host"], MaxVersion: tls.VersionTLS12, MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}).HandshakeContext(d.t.Context()) //nolint:gosec // it never comes so far
}

// impatient closes when it was sent more than it has room for.
type impatient struct {
	net.Conn
	room int
}

func (c *impatient) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.room -= n; c.room < 0 {
		c.Conn.Close()
		return 0, io.ErrShortBuffer
	}
	return n, err
}

// user makes an IAM user whose policy has these statements, action and resource.
func (d *device) user(statements ...[2]string) (key, secret string) {
	d.t.Helper()
	type statement struct{ Effect, Action, Resource string }
	doc := map[string]any{"Version": "2012-10-17"}
	var list []statement
	for _, s := range statements {
		list = append(list, statement{"Allow", s[0], s[1]})
	}
	doc["Statement"] = list
	raw, err := json.Marshal(doc)
	d.must(err)
	var made struct{ AccessKeyID, SecretAccessKey string }
	d.gw.JSON(d.t, &made, "gatehouse", "-o", "json", "user", "add", d.ThingName, "--policy", d.file("user.json", raw))
	return made.AccessKeyID, made.SecretAccessKey
}

// webSocket connects as the user of that key, and publishes a payload of that size.
func (d *device) webSocket(key, secret string, size int) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 15*time.Second)
	defer cancel()
	host := net.JoinHostPort(d.gw.Endpoint, itoa(d.gw.Ports.ALPN))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/mqtt", nil)
	d.must(err)
	empty := sha256.Sum256(nil)
	signed, _, err := v4.NewSigner().PresignHTTP(ctx, aws.Credentials{AccessKeyID: key, SecretAccessKey: secret}, req, hex.EncodeToString(empty[:]), "iotdevicegateway", d.gw.Region, time.Now())
	d.must(err)
	u, err := url.Parse(signed)
	d.must(err)
	u.Scheme = "wss"
	config := d.TLSConfig(d.t, d.gw.Endpoint)
	config.Certificates = nil
	ws, _, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{Subprotocols: []string{"mqtt"}, HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: config}}})
	d.must(err)
	defer ws.CloseNow() //nolint:errcheck // the test is over
	nc := websocket.NetConn(ctx, ws, websocket.MessageBinary)
	d.must(mqtt.WritePacket(nc, mqtt.V311, &mqtt.Connect{CleanStart: true, KeepAlive: 60, ClientID: []byte(d.ThingName)}))
	r := mqtt.NewReader(nc, mqtt.V311, 1<<20)
	if _, err := r.ReadPacket(); err != nil || size == 0 {
		return
	}
	_ = mqtt.WritePacket(nc, mqtt.V311, &mqtt.Publish{QoS: 1, PacketID: 1, Topic: []byte("a/b"), Payload: make([]byte, size)})
	p, err := r.ReadPacket()
	d.vars["answer"] = fmt.Sprintf("%T %v", p, err)
}

var seenRows = []seen{
	{
		id: "B-13", do: func(d *device) { d.largeChain(); smallBuffer(d) }, choose: []string{"--source-ip", "$from"}, code: "client.tls.buffer_small",
		says: []string{"16384", "bytes"}, fix: "openssl s_client",
	},
	{id: "C-10", do: then((*device).detach, mosquitto("-p", "$alpnport")), choose: []string{"--source-ip", "$from"}, code: "tls.alpn.missing_on_443", says: []string{"x-amzn-mqtt-ca"}, fix: "--tls-alpn x-amzn-mqtt-ca"},
	{id: "E-04", do: then(policy("iot:* topic/test/*"), mosquitto()), code: "authz.connect.resource_type", says: []string{"client/$client", "topic/test/*"}, fix: "client/$client"},
	{id: "E-07", do: then(policy("iot:Publish topic/*"), mosquitto()), code: "authz.connect.no_statement", says: []string{"iot:Connect"}, fix: "client/$client"},
	{id: "E-08", do: then(policy("iot:Connect client/sdk-tutorial"), mosquitto()), code: "authz.connect.client_id", says: []string{"client/sdk-tutorial", "$client"}, fix: "client/$client"},
	{id: "E-10", do: then((*device).detach, mosquitto()), code: "policy.none_attached", says: []string{"$cert"}},
	{
		id: "E-14", do: func(d *device) {
			key, secret := d.user([2]string{"iot:Connect", "arn:aws:iot:us-east-1:123456789012:client/${iot:Connection.Thing.ThingName}"})
			d.webSocket(key, secret, 0)
		}, choose: []string{"--client-id", "$client"}, code: "policy.var.not_in_iam", says: []string{"iot:Connection.Thing.ThingName"}, fix: "gatehouse user policy",
	},
	{id: "F-02", do: twice, code: "session.takeover_loop", says: []string{"$client", "127.0.8."}, fix: "gatehouse explain --client-id $client"},
	{id: "G-13", do: then(policy("iot:Connect client/CLIENT", "iot:Publish topic/*"), mosquitto("-r")), choose: []string{"--client-id", "$client"}, code: "authz.retain_publish", says: []string{"iot:RetainPublish", "topic/$client/a"}, fix: "iot:RetainPublish"},
	{id: "H-16", do: deaf, choose: []string{"--client-id", "$client"}, code: "client.rx_buffer", warning: true, says: []string{"615 bytes", "$client/a"}},
	{
		id: "H-17", do: func(d *device) {
			key, secret := d.user([2]string{"iot:*", "*"})
			d.webSocket(key, secret, 70_000)
			if !strings.HasPrefix(d.vars["answer"], "*mqtt.Puback") {
				d.t.Errorf("70 kB over WebSocket: %s", d.vars["answer"])
			}
			time.Sleep(connectEvery)
			d.webSocket(key, secret, 130<<10)
		}, choose: []string{"--client-id", "$client"}, code: "limit.payload", says: []string{"133120", "131072"},
	},
	{id: "I-01", do: curl(ofALPN, "/mqtt", append([]string{"--aws-sigv4", "aws:amz:eu-west-2:iotdevicegateway", "--user", "$key:$secret"}, upgrade...)...), choose: []string{"--source-ip", "$from"}, code: "sigv4.scope.region", says: []string{"eu-west-2", "$region"}},
	{id: "I-07", do: curl(ofALPN, "/mqtt", append([]string{"--aws-sigv4", "aws:amz:$region:iotdevicegateway", "--user", ":"}, upgrade...)...), choose: []string{"--source-ip", "$from"}, code: "sigv4.credential.empty", says: []string{"/$region/iotdevicegateway/aws4_request"}, fix: "aws sts get-caller-identity"},
	{id: "I-08", do: curl(ofALPN, "/mqtt", append([]string{"--aws-sigv4", "aws:amz:$region:iot", "--user", "$key:$secret"}, upgrade...)...), choose: []string{"--source-ip", "$from"}, code: "sigv4.scope.service", says: []string{"iotdevicegateway"}},
	{id: "K-01", do: curl(ofALPN, "/topics/a?qos=1", publishes...), choose: []string{"--source-ip", "$from"}, code: "http.port_for_cert_auth", says: []string{"8443", "x-amzn-http-ca"}},
	{id: "K-02", do: then(policy("iot:Publish topic/${iot:Connection.Thing.ThingName}"), curl(ofHTTPS, "/topics/a?qos=1", publishes...)), choose: []string{"--source-ip", "$from"}, code: "policy.var.undefined", says: []string{"iot:Connection.Thing.ThingName", "HTTP"}},
}

// largeChain has the gateway serve a certificate chain that is larger than 4 KiB
// under a host name of the device.
func (d *device) largeChain() {
	d.t.Helper()
	dir := d.t.TempDir()
	d.vars["host"] = d.ThingName + ".example.com"
	key, chain := bulkyChain(d, d.vars["host"])
	d.must(os.WriteFile(filepath.Join(dir, "key.pem"), key, 0o600))
	d.must(os.WriteFile(filepath.Join(dir, "cert.pem"), chain, 0o600))
	out, stderr, err := d.gw.Run(d.t.Context(), dir, "gatehouse", "domain", "import-certificate", "--cert", "cert.pem", "--key", "key.pem")
	if err != nil {
		d.t.Fatalf("import-certificate: %v\n%s%s", err, out, stderr)
	}
	d.gw.MustRun(d.t, "aws", "iot", "create-domain-configuration", "--domain-configuration-name", d.ThingName, "--domain-name", d.vars["host"], "--server-certificate-arns", strings.TrimSpace(out))
}

// twice is one configuration on two devices: both come again whenever they are cut off.
func twice(d *device) {
	ctx, cancel := context.WithCancel(d.t.Context())
	done := make(chan struct{}, 2)
	for _, from := range []string{"127.0.8.1", "127.0.8.2"} {
		go func() {
			_, _, _ = d.gw.Run(ctx, "", "mosquitto_sub", "-A", from, "-h", d.gw.Endpoint, "-p", itoa(d.gw.Ports.MQTT), "--cafile", d.CAFile, "--cert", d.CertificateFile, "--key", d.PrivateKeyFile, "-i", d.ThingName, "-t", d.ThingName+"/a")
			done <- struct{}{}
		}()
	}
	d.t.Cleanup(func() { cancel(); <-done; <-done })
}

// deaf is a client whose receive buffer is too small for a message: it drops it,
// and takes the smaller ones that follow.
func deaf(d *device) {
	config := &tls.Dialer{Config: d.TLSConfig(d.t, d.gw.Endpoint)}
	nc, err := config.DialContext(d.t.Context(), "tcp", net.JoinHostPort("127.0.0.1", itoa(d.gw.Ports.MQTT)))
	d.must(err)
	topic := []byte(d.ThingName + "/a")
	for _, p := range []mqtt.Packet{
		&mqtt.Connect{CleanStart: true, KeepAlive: 60, ClientID: []byte(d.ThingName)},
		&mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: topic, QoS: 1}}},
		&mqtt.Publish{QoS: 1, PacketID: 2, Topic: topic, Payload: make([]byte, 600)},
	} {
		d.must(mqtt.WritePacket(nc, mqtt.V311, p))
	}
	done := make(chan struct{})
	go func() { // until the test is over: the gateway waits before it suspects anything
		defer close(done)
		r := mqtt.NewReader(nc, mqtt.V311, 1<<20)
		for {
			nc.SetReadDeadline(time.Now().Add(2 * time.Second))
			p, err := r.ReadPacket()
			switch m, ok := p.(*mqtt.Publish); {
			case errors.Is(err, os.ErrDeadlineExceeded):
				err = mqtt.WritePacket(nc, mqtt.V311, &mqtt.Publish{QoS: 1, PacketID: 3, Topic: topic, Payload: []byte("small")})
			case ok && len(m.Payload) < 512:
				err = mqtt.WritePacket(nc, mqtt.V311, &mqtt.Puback{PacketID: m.PacketID})
			}
			if err != nil {
				return
			}
		}
	}()
	d.t.Cleanup(func() { nc.Close(); <-done })
}

// textOf is what the row's user saw printed.
func textOf(t *testing.T, id string) string {
	t.Helper()
	for line := range strings.Lines(read(t, "../../internal/diagnose/symptom/testdata/problems.txt")) {
		if parts := strings.SplitN(strings.TrimSpace(line), "\t", 3); len(parts) == 3 && parts[0] == id {
			return parts[2]
		}
	}
	t.Fatalf("the collection has no %s", id)
	return ""
}

// explain runs `gatehouse explain -o json` and reads what it prints.
func (d *device) explain(into any, args ...string) (exit int) {
	d.t.Helper()
	out, _, err := d.gw.Run(d.t.Context(), "", "gatehouse", append([]string{"-o", "json", "explain"}, args...)...)
	if out != "" {
		d.must(json.Unmarshal([]byte(out), into))
	}
	return gatehouseproc.ExitCode(err)
}

// found waits for the attempt and returns the finding with the row's code.
func (r *seen) found(d *device) (f attempt.Finding, evidence string) {
	t := d.t
	t.Helper()
	args := make([]string, len(r.choose))
	for i, a := range r.choose {
		args[i] = d.fill(a)
	}
	var got attempt.Detail
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if r.choose == nil {
			var told symptom.Diagnosis
			d.explain(&told, textOf(t, r.id))
			if len(told.Candidates) > 0 && told.Candidates[0].Code == r.code && told.Candidates[0].Attempt != "" {
				args = []string{"--trace", told.Candidates[0].Attempt}
			}
		}
		got = attempt.Detail{}
		if len(args) > 0 {
			d.explain(&got, args...)
		}
		list := got.Report.Findings
		if r.warning {
			list = slices.Concat(list, got.Report.Warnings)
		} else {
			list = list[:min(len(list), 1)]
		}
		if i := slices.IndexFunc(list, func(f attempt.Finding) bool { return f.Code == r.code }); i >= 0 {
			raw, err := json.Marshal(got)
			d.must(err)
			return list[i], string(raw)
		}
		if time.Now().After(deadline) {
			raw, _ := json.MarshalIndent(got, "", "  ")
			t.Fatalf("explain %v does not name %s:\n%s", args, r.code, raw)
		}
	}
}

func TestSeen(t *testing.T) {
	for _, name := range []string{"mosquitto_pub", "mosquitto_sub", "openssl", "curl", "aws"} {
		gatehouseproc.Need(t, name)
	}
	gw := gatehouseproc.Start(t, "--limits", "open")
	for n, r := range seenRows {
		t.Run(r.id, func(t *testing.T) {
			d := newDevice(t, gw, "s-"+strings.ToLower(r.id))
			d.vars["from"], d.vars["alpnport"], d.vars["key"], d.vars["secret"] = fmt.Sprintf("127.0.9.%d", n+1), itoa(gw.Ports.ALPN), gw.AccessKeyID, gw.SecretAccessKey
			r.do(d)
			r.check(d)
		})
	}
}

// TestSeenVersion is C-02 and C-04: other clients that speak TLS 1.2 alone.
func TestSeenVersion(t *testing.T) {
	gatehouseproc.Need(t, "curl")
	gatehouseproc.Need(t, "openssl")
	gw := gatehouseproc.Start(t, "--limits", "open", "--security-policy", "IoTSecurityPolicy_TLS13_1_3_2022_10")
	for n, r := range versionsSeen {
		t.Run(r.id, func(t *testing.T) {
			d := newDevice(t, gw, "v-"+strings.ToLower(r.id))
			d.vars["from"] = fmt.Sprintf("127.0.9.%d", n+1)
			r.do(d)
			r.check(d)
		})
	}
}

var versionsSeen = []seen{
	{id: "C-02", do: curl(func(d *device) int { return d.gw.Ports.MQTT }, "/", "--tls-max", "1.2"), choose: []string{"--source-ip", "$from"}, code: "tls.version.below_policy", says: []string{"1.2", "TLS 1.3", "IoTSecurityPolicy_TLS13_1_3_2022_10"}},
	{id: "C-04", do: openssl("-tls1_2"), choose: []string{"--source-ip", "$from"}, code: "tls.version.below_policy", says: []string{"1.2", "TLS 1.3", "IoTSecurityPolicy_TLS13_1_3_2022_10"}},
}

// check holds the explanation to the row.
func (r *seen) check(d *device) {
	t := d.t
	t.Helper()
	f, evidence := r.found(d)
	for _, want := range r.says {
		if want = d.fill(want); !strings.Contains(f.Cause+f.Advice+evidence, want) {
			t.Errorf("the explanation does not quote %q: %s", want, f.Cause)
		}
	}
	if f.Fix == "" || !strings.Contains(f.Fix, d.fill(r.fix)) {
		t.Errorf("the fix is %q, want in it %q", f.Fix, d.fill(r.fix))
	}
}
