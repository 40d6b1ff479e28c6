package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/coder/websocket"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// addUser makes a user with a policy by the command line.
func addUser(t *testing.T, gw *gatehouseproc.Process, name, policy string) aws.Credentials {
	t.Helper()
	cmd := exec.Command(gw.Bin, "user", "add", name, "--policy", policy, "--data-dir", gw.DataDir, "-o", "json")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("gatehouse user add: %v", err)
	}
	var u struct{ AccessKeyID, SecretAccessKey string }
	if err := json.Unmarshal(out, &u); err != nil {
		t.Fatal(err)
	}
	return aws.Credentials{AccessKeyID: u.AccessKeyID, SecretAccessKey: u.SecretAccessKey}
}

// policyFile writes an IAM policy that allows actions on resources.
func policyFile(t *testing.T, document string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(path, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestWebSocketClients is MQTT over WebSocket with SigV4 by clients that are in use.
func TestWebSocketClients(t *testing.T) {
	gatehouseproc.Need(t, "node")
	if _, err := os.Stat("js/node_modules/mqtt"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("the npm packages of test/e2e/js are missing: make test-deps installs them")
		}
		t.Skip("SKIPPED: the npm packages of test/e2e/js are missing; make test-deps installs them")
	}
	gw := gatehouseproc.Start(t)
	key := addUser(t, gw, "web", policyFile(t, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:us-east-1:123456789012:client/ws-*"},
		{"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":"arn:aws:iot:us-east-1:123456789012:topic/ws/${iot:ClientId}*"},
		{"Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:us-east-1:123456789012:topicfilter/ws/${iot:ClientId}"}]}`))
	run := func(t *testing.T, client, clientID string, key aws.Credentials) (string, error) {
		t.Helper()
		want, err := json.Marshal(map[string]any{
			"client": client, "host": "localhost", "port": gw.Ports.ALPN, "ca": gw.CAFile, "region": gw.Region,
			"accessKeyId": key.AccessKeyID, "secretAccessKey": key.SecretAccessKey,
			"url": gw.MustPresignWebSocket(t, key), "clientId": clientID, "topic": "ws/" + clientID, "timeoutMs": 90_000,
		})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("node", "websocket.mjs", string(want))
		cmd.Dir = "js"
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, client := range []string{"sdk3", "sdk5", "mqttjs3", "mqttjs5"} {
		t.Run(client, func(t *testing.T) {
			if out, err := run(t, client, "ws-"+client, key); err != nil || !strings.Contains(out, `"received","payloads":["with qos 0","with qos 1"]`) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		wrong := key
		wrong.SecretAccessKey = strings.Repeat("x", 40)
		if out, err := run(t, "sdk5", "ws-wrong", wrong); err == nil || !strings.Contains(out, "2065") {
			t.Errorf("a wrong secret: %v\n%s", err, out)
		}
		if out, err := run(t, "mqttjs5", "not-allowed", key); err == nil || !strings.Contains(out, "135") {
			t.Errorf("a client ID that the policy does not allow: %v\n%s", err, out)
		}
	})
}

// TestUsers: the first key may do all, a user what its policy says, from one
// request to the next.
func TestUsers(t *testing.T) {
	gatehouseproc.Need(t, "aws")
	gw := gatehouseproc.Start(t)
	key := addUser(t, gw, "ci", policyFile(t, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["iot:DescribeThing","iot:Publish"],"Resource":["arn:aws:iot:us-east-1:123456789012:thing/mine","arn:aws:iot:us-east-1:123456789012:topic/ok/*"]}]}`))
	env := append(gw.Environ(), "AWS_ACCESS_KEY_ID="+key.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+key.SecretAccessKey)
	door := []string{"--endpoint-url", "https://localhost:" + strconv.Itoa(gw.Ports.ALPN), "--ca-bundle", gw.CAFile}
	call := func(args ...string) (string, error) {
		cmd := exec.Command("aws", args...)
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	gatehouse := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(gw.Bin, append(append([]string{"user"}, args...), "--data-dir", gw.DataDir)...).CombinedOutput(); err != nil {
			t.Fatalf("gatehouse user %v: %v\n%s", args, err, out)
		}
	}
	for _, tt := range []struct {
		name string
		args []string
		want string // contained; an error where it names an exception
	}{
		{"who am I", []string{"sts", "get-caller-identity"}, "arn:aws:iam::123456789012:user/ci"},
		{"allowed, absent", []string{"iot", "describe-thing", "--thing-name", "mine"}, "ResourceNotFoundException"},
		{"another resource", []string{"iot", "describe-thing", "--thing-name", "other"}, "AccessDeniedException) when calling the DescribeThing operation: User: arn:aws:iam::123456789012:user/ci is not authorized to perform: iot:DescribeThing on resource: arn:aws:iot:us-east-1:123456789012:thing/other"},
		{"a list", []string{"iot", "list-things"}, "is not authorized to perform: iot:ListThings on resource: *"},
		{"publish", []string{"iot-data", "publish", "--topic", "ok/1", "--qos", "1", "--payload", "x"}, ""},
		{"publish on another topic", []string{"iot-data", "publish", "--topic", "no/1", "--payload", "x"}, "ForbiddenException"},
		{"publish through the door", append([]string{"iot-data", "publish", "--topic", "ok/a b", "--payload", "x", "--content-type", "text/plain", "--user-properties", `[{"a":"b"}]`}, door...), ""},
		{"a bad topic through the door", append([]string{"iot-data", "publish", "--topic", "ok/+", "--payload", "x"}, door...), "InvalidRequestException"},
		{"another topic through the door", append([]string{"iot-data", "publish", "--topic", "no/1", "--payload", "x"}, door...), "ForbiddenException"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := call(tt.args...)
			if refused := strings.Contains(tt.want, "Exception") || strings.Contains(tt.want, "not authorized"); refused == (err == nil) || !strings.Contains(out, tt.want) {
				t.Errorf("aws %v: %v\n%s\nwant %q", tt.args, err, out, tt.want)
			}
		})
	}
	gatehouse("policy", "ci", "--policy", "AWSIoTFullAccess")
	if out, err := call("iot", "list-things"); err != nil {
		t.Errorf("after the policy changed: %v\n%s", err, out)
	}
	gatehouse("remove", "ci")
	if out, err := call("iot", "list-things"); err == nil || !strings.Contains(out, "UnrecognizedClientException") {
		t.Errorf("after the user was removed: %v\n%s", err, out)
	}
}

// TestWebSocketEnds: how a WebSocket ends decides about the will, and the record says why.
func TestWebSocketEnds(t *testing.T) {
	gw := gatehouseproc.Start(t)
	pem, err := os.ReadFile(gw.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"}}
	defer transport.CloseIdleConnections()
	connect := func(key aws.Credentials, clientID string) *websocket.Conn {
		t.Helper()
		ws, _, err := websocket.Dial(t.Context(), gw.MustPresignWebSocket(t, key), &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}, Subprotocols: []string{"mqtt"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ws.CloseNow() })
		packet := []byte{0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', 4, 0x06, 0x04, 0xB0} // clean session, a will of QoS 0, 20 minutes
		for _, text := range []string{clientID, "will/" + clientID, "gone"} {
			packet = append(append(packet, 0, byte(len(text))), text...)
		}
		packet[1] = byte(len(packet) - 2)
		if err := ws.Write(t.Context(), websocket.MessageBinary, packet); err != nil {
			t.Fatal(err)
		}
		if _, answer, err := ws.Read(t.Context()); err != nil || string(answer) != "\x20\x02\x00\x00" {
			t.Fatalf("CONNACK %x, %v", answer, err)
		}
		return ws
	}
	root := gw.Credentials()
	watcher := connect(root, "watcher")
	if err := watcher.Write(t.Context(), websocket.MessageBinary, []byte("\x82\x0b\x00\x01\x00\x06will/#\x00")); err != nil {
		t.Fatal(err)
	}
	if _, answer, err := watcher.Read(t.Context()); err != nil || string(answer) != "\x90\x03\x00\x01\x00" {
		t.Fatalf("SUBACK %x, %v", answer, err)
	}
	for _, tt := range []struct {
		clientID string
		end      func(*websocket.Conn)
		will     bool
		code     string
	}{
		{"closes", func(ws *websocket.Conn) { _ = ws.Close(websocket.StatusNormalClosure, "") }, false, check.SessionClosed.Code},
		{"sends-text", func(ws *websocket.Conn) { ws.Write(t.Context(), websocket.MessageText, []byte("hello")) }, true, check.WebSocketFrame.Code},
		{"vanishes", func(ws *websocket.Conn) { _ = ws.CloseNow() }, true, check.SessionLost.Code},
		{"removed", func(*websocket.Conn) {
			if out, err := exec.Command(gw.Bin, "user", "remove", "removed", "--data-dir", gw.DataDir).CombinedOutput(); err != nil {
				t.Errorf("gatehouse user remove: %v\n%s", err, out)
			}
		}, false, check.UserRemoved.Code}, // nothing allows its will any more
	} {
		key := addUser(t, gw, tt.clientID, "AWSIoTDataAccess")
		ws := connect(key, tt.clientID)
		tt.end(ws)
		ws.CloseRead(t.Context())
		deadline := time.Now().Add(30 * time.Second)
		for {
			out, _ := exec.Command(gw.Bin, "explain", "--client-id", tt.clientID, "--data-dir", gw.DataDir, "-o", "json").Output()
			if strings.Contains(string(out), tt.code) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %s is not recorded:\n%s", tt.clientID, tt.code, out)
			}
			time.Sleep(100 * time.Millisecond) // polls another process
		}
		if !tt.will {
			continue // the next will is of the next client: see below
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		_, message, err := watcher.Read(ctx)
		cancel()
		if err != nil || !strings.Contains(string(message), "will/"+tt.clientID) {
			t.Errorf("%s: the next will is %q, %v", tt.clientID, message, err)
		}
	}
}
