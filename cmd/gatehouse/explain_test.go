package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/server"
)

// explainWorld is a data folder whose gatehouse.json names an API with some attempts.
func explainWorld(t *testing.T) (dataDir string, rec *attempt.Recorder) {
	t.Helper()
	rec = attempt.NewRecorder(attempt.Config{Account: "123456789012", Region: "us-east-1", Endpoint: "localhost"})
	t.Cleanup(func() { rec.Close() })
	handler := rec.Handler()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIATEST/") {
			t.Errorf("%s is not signed: %q", r.URL, r.Header.Get("Authorization"))
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(api.Close)
	dataDir = t.TempDir()
	ca := filepath.Join(dataDir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}), 0o600); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(server.RunFile{APIURL: api.URL, CAFile: ca, Region: "us-east-1", AccessKeyID: "AKIATEST", SecretAccessKey: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dataDir, server.RunFileName), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return dataDir, rec
}

func TestExplain(t *testing.T) {
	dataDir, rec := explainWorld(t)
	explain := func(args ...string) (code int, stdout, stderr string) {
		var out, errs bytes.Buffer
		code = run(append([]string{"explain", "--data-dir", dataDir}, args...), strings.NewReader(""), &out, &errs)
		return code, out.String(), errs.String()
	}
	expect := func(want int, wantOut, wantErr string, args ...string) string {
		t.Helper()
		code, stdout, stderr := explain(args...)
		if code != want || !strings.Contains(stdout, wantOut) || !strings.Contains(stderr, wantErr) {
			t.Errorf("explain %v: exit %d, want %d with %q and %q\nstdout: %s\nstderr: %s", args, code, want, wantOut, wantErr, stdout, stderr)
		}
		return stdout
	}

	expect(2, "", "no device has reached this gateway", "--last")

	from := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 17), Port: 51544}
	refused := rec.Begin(attempt.DoorMQTT, from, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8883})
	refused.Pass(check.TCPAccepted)
	refused.SetCertificate("abc", []byte{0x30, 0})
	refused.SetThing("sensor-1")
	refused.Fail(check.CertInactive, attempt.F("status", "INACTIVE"))
	refused.End()

	out := expect(1, "REFUSED: Certificate is registered but not active (cert.inactive)", "", "--last")
	for _, want := range []string{"FAIL", "Device sees", "Why", "aws iot update-certificate --certificate-id abc --new-status ACTIVE"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Error("colours in a buffer")
	}
	for _, args := range [][]string{
		{"--client-id", "sensor-1"},
		{"--principal", "abc"},
		{"--principal", "arn:aws:iot:us-east-1:123456789012:cert/abc"},
		{"--source-ip", "192.0.2.17"},
		{"--trace", refused.ID()},
		{"--last", "--client-id", "sensor-1"},
	} {
		expect(1, "cert.inactive", "", args...)
	}

	if got := expect(0, "-----BEGIN CERTIFICATE-----", "", "--trace", refused.ID(), "--certificate"); strings.Contains(got, "REFUSED") {
		t.Errorf("--certificate prints more than the certificate: %s", got)
	}

	connected := rec.Begin(attempt.DoorMQTT, from, nil)
	connected.SetClientID("sensor-1")
	connected.Pass(check.SessionOpened)
	defer connected.End()
	expect(0, "CONNECTED", "", "--client-id", "sensor-1")
	expect(0, "gatehouse explain --trace "+refused.ID(), "", "--client-id", "sensor-1")

	var e struct {
		Attempt attempt.Record
		Report  attempt.Report
		Earlier []attempt.Summary
	}
	if err := json.Unmarshal([]byte(expect(0, "", "", "--last", "-o", "json")), &e); err != nil {
		t.Fatal(err)
	}
	if e.Attempt.ID != connected.ID() || e.Report.Refused || len(e.Earlier) != 1 || e.Earlier[0].Code != "cert.inactive" {
		t.Errorf("json: %+v", e)
	}

	expect(2, "", "gatehouse explain --last", "--client-id", "nobody")
	expect(2, "", "no longer kept", "--trace", "00000000-0000-4000-8000-000000000000")
	expect(2, "", "UUID", "--trace", "x/../y")
	expect(2, "", "not an IP address", "--source-ip", "here")
	expect(2, "", "say which attempt")
	expect(2, "", "no certificate", "--last", "--certificate")

	var out2, errs bytes.Buffer
	if code := run([]string{"explain", "--last", "--data-dir", t.TempDir()}, nil, &out2, &errs); code != 2 || !strings.Contains(errs.String(), "gatehouse up") {
		t.Errorf("no server: exit %d, %s", code, errs.String())
	}
}

// TestExplainSymptom explains texts with and without a server.
func TestExplainSymptom(t *testing.T) {
	dataDir, rec := explainWorld(t)
	explain := func(stdin string, args ...string) (code int, stdout, stderr string) {
		var out, errs bytes.Buffer
		code = run(append([]string{"explain"}, args...), strings.NewReader(stdin), &out, &errs)
		return code, out.String(), errs.String()
	}
	none := []string{"--data-dir", t.TempDir()}
	for _, tt := range []struct {
		stdin string
		args  []string
		code  int
		want  string
	}{
		{"", []string{"mbedtls_ssl_handshake returned -0x7780"}, 1, "cert.not_registered"},
		{"", []string{"-0x7780"}, 1, "client  mbedTLS"},
		{"", []string{"-30592", "-o", "json"}, 1, `"code": "cert.not_registered"`},
		{"", []string{"mosquitto_pub", "exit", "7"}, 1, "client  mosquitto clients"},
		{"boot\nE (9) esp-tls: couldn't get hostname for :x.example.com:\n", []string{"-"}, 1, "net.dns.nxdomain"},
		{"Error: connect ECONNREFUSED 127.0.0.1:8883\n", nil, 1, "net.tcp.refused"},
		{"", []string{"hello", "world"}, 2, "nothing in this text is known"},
		{"", []string{"hello", "-o", "json"}, 2, `"candidates": []`},
		{"", nil, 2, "say which attempt"},
	} {
		code, stdout, stderr := explain(tt.stdin, append(none, tt.args...)...)
		if code != tt.code || !strings.Contains(stdout+stderr, tt.want) {
			t.Errorf("explain %q < %q: exit %d, want %d with %q\n%s%s", tt.args, tt.stdin, code, tt.code, tt.want, stdout, stderr)
		}
	}

	at := rec.Begin(attempt.DoorMQTT, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 17), Port: 51544}, nil)
	at.SetClientID("sensor-1")
	at.Fail(check.AuthzConnectClientID)
	at.End()
	_, stdout, _ := explain("", "--data-dir", dataDir, "AWS_ERROR_MQTT_UNEXPECTED_HANGUP", "-o", "json")
	var d struct {
		Candidates []struct{ Code, Attempt string }
	}
	if err := json.Unmarshal([]byte(stdout), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Candidates) < 3 || d.Candidates[0].Code != check.AuthzConnectClientID.Code || d.Candidates[0].Attempt != at.ID() {
		t.Errorf("with a server: %+v", d.Candidates)
	}
}

// TestExplainDeadServer: whoever explains a text does not wait for a Gatehouse
// that is gone or hangs, and gets the same answer as with none.
func TestExplainDeadServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close() // takes connections, and never answers
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	explain := func(args ...string) string {
		var out, errs bytes.Buffer
		began := time.Now()
		if code := run(append([]string{"explain", "-o", "json", "AWS_ERROR_MQTT_UNEXPECTED_HANGUP"}, args...), nil, &out, &errs); code != 1 || errs.Len() > 0 {
			t.Errorf("%v: exit %d, %s", args, code, errs.String())
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%v: it took %v", args, took)
		}
		return out.String()
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_REGION", "us-east-1")
	want := explain("--data-dir", t.TempDir())
	for _, addr := range []string{ln.Addr().String(), gone.Addr().String()} {
		if got := explain("--api-url", "http://"+addr); got != want {
			t.Errorf("%s: another answer than without a server:\n%s", addr, got)
		}
	}
}
