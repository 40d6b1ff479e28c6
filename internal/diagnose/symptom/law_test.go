package symptom

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/layout"
)

// TestUnknown: a text that says nothing of a fault gets no cause.
func TestUnknown(t *testing.T) {
	for _, s := range []string{
		"", " ", "hello world", "The quick brown fox jumps over the lazy dog", "lorem ipsum dolor sit amet", "42", "7 apples and 135 pears", "2026-11-21 10:00:00 INFO started in 5134 ms",
		"temperature: 21.5", "{\"temperature\": 21, \"unit\": \"C\"}", "SELECT * FROM users", "package main\nfunc main() {}", "Good morning, please find the report attached.", "how do I cook rice?", "123456", "true", "null",
		"void setup() { Serial.begin(115200); }", "git status\nOn branch main\nnothing to commit, working tree clean", "version 1.2.3", "127.0.0.1",
		"I (312) cpu_start: Starting scheduler on PRO CPU.\nI (500) main: Hello",
		"Subscribing to topic a/b", "publish 5 messages", "Everything is fine.",
		// Logs of clients that got through.
		"I (3964) MQTT_CLIENT: Sending MQTT CONNECT message, type: 1, id: 0000\nI (4164) MQTTS_EXAMPLE: MQTT_EVENT_CONNECTED\nI (4174) MQTTS_EXAMPLE: sent publish successful, msg_id=41464\nI (4484) MQTTS_EXAMPLE: MQTT_EVENT_SUBSCRIBED, msg_id=17886",
		"mbedtls: ssl_tls.c:6674 => handshake\nmbedtls: ssl_cli.c:730 => write client hello\nmbedtls: ssl_tls.c:5655 => parse certificate\nssl->f_recv(_timeout)() returned 5 (-0xfffffffb)\nmbedtls: ssl_tls.c: <= handshake",
		"Client mosq-x sending CONNECT\nClient mosq-x received CONNACK (0)\nClient mosq-x sending PUBLISH (d0, q1, r0, m1, 'a/b', ... (5 bytes))\nClient mosq-x received PUBACK (Mid: 1, RC:0)\nClient mosq-x sending DISCONNECT",
		"CONNECTED(00000003)\ndepth=2 C = US, O = Amazon, CN = Amazon Root CA 1\nverify return:1\n---\nNo client certificate CA names sent\nSSL handshake has read 2393 bytes and written 1618 bytes\nVerification: OK\nNo ALPN negotiated\n   v:NotBefore: Nov 21 18:39:33 2026 GMT; NotAfter: Dec 21 19:39:33 2026 GMT\nVerify return code: 0 (ok)",
		"Connecting to x-ats.iot.us-east-1.amazonaws.com with client ID 'test'...\nConnected!\nSubscribing to topic 'a/b'...\nSubscribed with QoS.AT_LEAST_ONCE\nPublishing message to topic 'a/b': Hello [1]\n1 message(s) received.\nDisconnecting...\nDisconnected!",
		"[INFO] TLS handshake done in 231 ms, cipher TLS_AES_128_GCM_SHA256", "2026-11-21 10:00:05 INFO published 17 messages, 0 errors",
	} {
		if d := Explain(s); d.Known || len(d.Candidates) > 0 {
			t.Errorf("%q: %s: %v", s, d.Summary, d.Candidates[0].Code)
		}
	}
}

// TestClientAndLayer are named from the text.
func TestClientAndLayer(t *testing.T) {
	for _, tt := range []struct {
		text   string
		client client
		layer  check.Stage
	}{
		{"getaddrinfo ENOTFOUND x", nodeJS, check.StageDNS},
		{"E (5843) esp-tls: couldn't get hostname for :x: getaddrinfo() returns 202", espIDF, check.StageDNS},
		{"curl: (7) Failed to connect to x port 8883: Connection refused", curl, check.StageTCP},
		{"mbedtls_ssl_handshake returned -0x2700", mbedTLS, check.StageTLS},
		{"javax.net.ssl.SSLHandshakeException: PKIX path building failed", java, check.StageTLS},
		{"remote error: tls: bad certificate", goLang, check.StageCertificate},
		{"5134", awsCRT, check.StageAuthorization},
		{"mosquitto_pub exit 7", mosquitto, check.StageSession},
		{"-28", embeddedC, check.StageDelivery},
		{"MQTT connection failed with status = MQTTRecvFailed.", coreMQTT, check.StageAuthorization},
		{"AMQJS0008I Socket closed.", pahoJS, check.StageAuthorization},
		{`{"eventType":"Subscribe","status":"Failure","reason":"AUTHORIZATION_FAILURE"}`, cloudWatch, check.StageAuthorization},
	} {
		if d := Explain(tt.text); d.Client != string(tt.client) || d.Layer != tt.layer.String() {
			t.Errorf("%q: client %q, layer %s; want %q, %v", tt.text, d.Client, d.Layer, tt.client, tt.layer)
		}
	}
}

// TestEvidence is what a text says beside its fault, and it fills the fixes.
func TestEvidence(t *testing.T) {
	d := Explain("Connecting to gw.example.com:8883 with client ID: 'sensor-1'\nPublishing to topic 'dt/sensor-1/t'\nAwsCrtError: AWS_ERROR_MQTT_UNEXPECTED_HANGUP (code 5134) in eu-west-1")
	want := Evidence{Host: "gw.example.com", Port: "8883", ClientID: "sensor-1", Topic: "dt/sensor-1/t", Code: "code 5134", Region: "eu-west-1"}
	want.Code = "5134"
	if d.Evidence != want {
		t.Errorf("got  %+v\nwant %+v", d.Evidence, want)
	}
	if d.Candidates[0].Code != check.AuthzPublish.Code || !strings.Contains(d.Candidates[0].Fix, "dt/sensor-1/t") {
		t.Errorf("first candidate: %+v", d.Candidates[0])
	}
}

// TestNarrow: what a gateway recorded goes first, with its trace.
func TestNarrow(t *testing.T) {
	d := Explain("AWS_ERROR_MQTT_UNEXPECTED_HANGUP, client ID: sensor-1")
	last := d.Candidates[len(d.Candidates)-1].Code
	var other, ours attempt.Summary
	other.ID, other.Code = "a", check.TLSCipherNoneShared.Code
	ours.ID, ours.Code = "b", last
	d = d.Narrow([]attempt.Summary{other, ours})
	if c := d.Candidates[0]; c.Code != last || c.Attempt != "b" || c.Score != 99 {
		t.Errorf("first: %+v", c)
	}
	other.ClientID = "sensor-1" // the same device: its failure counts, whatever the text says
	d = d.Narrow([]attempt.Summary{other})
	if c := d.Candidates[0]; c.Code != other.Code || c.Attempt != "a" {
		t.Errorf("first: %+v", c)
	}
}

// TestText fits a terminal and shows nothing that acts on it.
func TestText(t *testing.T) {
	var b bytes.Buffer
	d := Explain("\x1b[31mE (12) esp-tls: mbedtls_ssl_handshake returned -0x7780 \x07 for device\x1b[0m " + strings.Repeat("x", 300))
	if err := d.Text(&b, layout.Paint{}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if !strings.HasPrefix(line, "      ") && utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > layout.Width {
			t.Errorf("wider than %d columns: %q", layout.Width, line)
		}
		if strings.ContainsAny(line, "\x1b\x07") {
			t.Errorf("control characters in %q", line)
		}
	}
	if !strings.Contains(b.String(), "cert.not_registered") {
		t.Error(b.String())
	}
}

// longTexts are as large as they may be and unpleasant in several ways.
var longTexts = map[string]string{
	"words": strings.Repeat("the connection was fine 5134 ", MaxText/29), "one line": strings.Repeat("a", MaxText), "lines": strings.Repeat("x\n", MaxText/2),
	"numbers": strings.Repeat("-0x7780 ", MaxText/8), "blanks": strings.Repeat(" ", MaxText), "hosts": strings.Repeat("a.", MaxText/2) + "com",
}

// TestLongText: of a text that is too long the end counts.
func TestLongText(t *testing.T) {
	for name, s := range longTexts {
		if d := Explain(s + s + "\nAWS_ERROR_MQTT_UNEXPECTED_HANGUP"); !d.Known || len(d.Candidates) < 3 {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func BenchmarkExplain(b *testing.B) {
	for name, s := range longTexts {
		b.Run(name+"=1MiB", func(b *testing.B) {
			for b.Loop() {
				Explain(s)
			}
		})
	}
	b.Run("line", func(b *testing.B) {
		for b.Loop() {
			Explain("AwsCrtError: AWS_ERROR_MQTT_UNEXPECTED_HANGUP (code 5134)")
		}
	})
}

// FuzzExplain: no text breaks it; its answer has the form that it promises.
func FuzzExplain(f *testing.F) {
	for _, s := range []string{"-0x7780", "mosquitto_pub exit 7", "AWS_ERROR_MQTT_UNEXPECTED_HANGUP", "Error(-28) connecting to :443", "flags 0x8", "\xff\x00", "error:0A000416", "{\"eventType\":\"Connect\"}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d := Explain(s)
		if d.Known != (len(d.Candidates) > 0) {
			t.Errorf("known %v with %d candidates", d.Known, len(d.Candidates))
		}
		for i, c := range d.Candidates {
			if _, ok := check.Lookup(c.Code); !ok || c.Score < 1 || c.Score > 99 || i > 0 && c.Score > d.Candidates[i-1].Score {
				t.Errorf("candidate %d: %+v", i, c)
			}
		}
		if _, err := json.Marshal(d); err != nil {
			t.Error(err)
		}
		if d.Known {
			var b bytes.Buffer
			if err := d.Text(&b, layout.Paint{}); err != nil || strings.ContainsAny(b.String(), "\x1b\r") {
				t.Errorf("text: %v", err)
			}
		}
	})
}
