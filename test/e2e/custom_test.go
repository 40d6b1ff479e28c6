package e2e

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// addFunction makes a function of one file with the AWS CLI, and returns its ARN.
func addFunction(t *testing.T, gw *gatehouseproc.Process, name, runtime, handler, file, as string) string {
	t.Helper()
	archive := filepath.Join(t.TempDir(), "code.zip")
	out, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(out)
	code, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	header := &zip.FileHeader{Name: as, Method: zip.Deflate}
	header.SetMode(0o755)
	entry, err := z.CreateHeader(header)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := entry.Write(code); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	var made struct{ FunctionArn string }
	gw.JSON(t, &made, "aws", "lambda", "create-function", "--function-name", name, "--runtime", runtime, "--handler", handler,
		"--role", "arn:aws:iam::123456789012:role/any", "--zip-file", "fileb://"+archive)
	return made.FunctionArn
}

// addAuthorizer makes an authorizer of a function, and lets it invoke it.
func addAuthorizer(t *testing.T, gw *gatehouseproc.Process, name, functionARN string, flags ...string) {
	t.Helper()
	var made struct{ AuthorizerArn string }
	gw.JSON(t, &made, "aws", append([]string{"iot", "create-authorizer", "--authorizer-name", name, "--authorizer-function-arn", functionARN, "--status", "ACTIVE"}, flags...)...)
	gw.MustRun(t, "aws", "lambda", "add-permission", "--function-name", functionARN, "--statement-id", "iot-"+name, "--action", "lambda:InvokeFunction",
		"--principal", "iot.amazonaws.com", "--source-arn", made.AuthorizerArn, "--source-account", gw.AccountID)
}

// customPublish publishes with mosquitto's client and a custom authorizer.
func customPublish(gw *gatehouseproc.Process, clientID, user, password string, more ...string) ([]byte, error) {
	args := []string{
		"-h", "localhost", "-p", strconv.Itoa(gw.Ports.ALPN), "--cafile", gw.CAFile, "--tls-alpn", "mqtt", "-i", clientID,
		"-u", user, "-P", password, "-t", "sdk/" + clientID, "-m", "hello", "-q", "1",
	}
	return exec.Command("mosquitto_pub", append(args, more...)...).CombinedOutput()
}

// TestCustomAuthorizers: authorizers written in Node, Python and Go, asked by
// mosquitto's client, curl and the AWS IoT device SDK, set up with the AWS CLI.
func TestCustomAuthorizers(t *testing.T) {
	for _, command := range []string{"aws", "node", "python3", "mosquitto_pub", "curl"} {
		gatehouseproc.Need(t, command)
	}
	gw := gatehouseproc.Start(t, "--limits", "open")
	binary := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", binary, "./authorizers/go")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	node := addFunction(t, gw, "node-auth", "nodejs20.x", "auth.handler", "authorizers/auth.mjs", "auth.mjs")
	functions := map[string]string{
		"node": node, "python": addFunction(t, gw, "python-auth", "python3.12", "auth.handler", "authorizers/auth.py", "auth.py"),
		"go": addFunction(t, gw, "go-auth", "provided.al2023", "bootstrap", binary, "bootstrap"),
	}
	for language, arn := range functions {
		addAuthorizer(t, gw, language, arn, "--signing-disabled")
		for _, version := range []string{"mqttv311", "mqttv5"} {
			user := "bob?x-amz-customauthorizer-name=" + language
			if out, err := customPublish(gw, language, user, "secret", "-V", version); err != nil {
				text, _ := explainText(t, gw, "--client-id", language)
				t.Fatalf("%s, %s: %v\n%s%s", language, version, err, out, text)
			}
			if out, err := customPublish(gw, language, user, "guess", "-V", version); err == nil {
				t.Errorf("%s, %s: a wrong password is accepted\n%s", language, version, out)
			}
			if text, code := explainText(t, gw, "--client-id", language); code != 1 || !strings.Contains(text, "authorizer.rejected") || strings.Contains(text, "guess") {
				t.Errorf("%s: exit %d:\n%s", language, code, text)
			}
		}
	}

	token := filepath.Join(t.TempDir(), "token")
	gw.MustRun(t, "gatehouse", "authorizer", "keygen", "--out", token)
	public, err := os.ReadFile(token + ".public.pem")
	if err != nil {
		t.Fatal(err)
	}
	addAuthorizer(t, gw, "signed", node, "--token-key-name", "Token", "--token-signing-public-keys", "key1="+string(public))
	var signed struct{ Signature, UserName, Query string }
	gw.JSON(t, &signed, "gatehouse", "authorizer", "sign", "-o", "json", "--key", token+".private.pem", "--authorizer", "signed", "--token-key-name", "Token", "tok en+1")

	t.Run("mosquitto signed", func(t *testing.T) {
		if out, err := customPublish(gw, "m-signed", signed.UserName, ""); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("curl", func(t *testing.T) {
		url := fmt.Sprintf("https://localhost:%d/topics/sdk/curl?qos=1", gw.Ports.ALPN)
		for name, args := range map[string][]string{
			"query":   {url + "&" + signed.Query},
			"headers": {url, "-H", "x-amz-customauthorizer-name: signed", "-H", "x-amz-customauthorizer-signature: " + signed.Signature, "-H", "Token: tok en+1"},
		} {
			out, err := exec.Command("curl", append([]string{"-s", "--cacert", gw.CAFile, "-d", "hello", "-w", " %{http_code}"}, args...)...).CombinedOutput()
			if err != nil || !strings.HasSuffix(string(out), " 200") || !strings.Contains(string(out), `"message":"OK"`) {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
		}
		out, _ := exec.Command("curl", "-s", "--cacert", gw.CAFile, "-d", "hello", "-i", url, "-H", "x-amz-customauthorizer-name: signed",
			"-H", "x-amz-customauthorizer-signature: "+signed.Signature, "-H", "Token: other").CombinedOutput()
		if text := string(out); !strings.Contains(text, " 403 ") || !strings.Contains(text, `{"message":"Forbidden","traceId":"`) || !strings.Contains(text, "x-amzn-ErrorType: ForbiddenException:") {
			t.Errorf("a wrong signature is answered\n%s", text)
		}
	})
	for _, way := range []string{"direct", "websocket"} {
		for _, version := range []int{3, 5} {
			for _, authorizer := range []string{"node", "signed"} {
				t.Run(fmt.Sprintf("SDK %s %d %s", way, version, authorizer), func(t *testing.T) {
					if _, err := os.Stat("js/node_modules/aws-iot-device-sdk-v2"); err != nil {
						gatehouseproc.Need(t, "js/node_modules/aws-iot-device-sdk-v2")
					}
					id := fmt.Sprintf("sdk-%s-%d-%s", way, version, authorizer)
					want := map[string]any{
						"version": version, "host": "localhost", "port": gw.Ports.ALPN, "ca": gw.CAFile, "clientId": id, "topic": "sdk/" + id,
						"way": way, "authorizer": authorizer, "userName": "bob", "password": "secret",
					}
					if authorizer == "signed" {
						want["tokenKeyName"], want["token"], want["signature"] = "Token", "tok%20en+1", signed.Signature
						want["password"] = ""
					}
					arg, err := json.Marshal(want)
					if err != nil {
						t.Fatal(err)
					}
					cmd := exec.Command("node", "device.mjs", string(arg))
					cmd.Dir = "js"
					if out, err := cmd.CombinedOutput(); err != nil {
						text, _ := explainText(t, gw, "--last")
						t.Errorf("%v\n%s%s", err, out, text)
					}
				})
			}
		}
	}
}
