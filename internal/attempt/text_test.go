package attempt

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/layout"
)

const certID = "3f2a9c81b2d45e0f7a6b1c8d9e0f3a2b4c5d6e7f8091a2b3c4d5e6f708192a3b"

func ms(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }

// step of a golden record.
func step(c *check.Check, o Outcome, at float64, ev ...Field) Step {
	return Step{Check: c, Outcome: o, At: ms(at), Last: ms(at), Count: 1, Evidence: ev}
}

// device is a record of one device, up to its certificate.
func device(outcome Outcome, code string, took time.Duration, steps ...Step) Record {
	began := time.Date(2026, 11, 21, 10, 2, 11, 0, time.UTC)
	return Record{
		ID: "0f9d6a52-6a3c-4f0e-9a55-6f2f3c7f7d11", Began: began, Last: began.Add(took), Ended: began.Add(took), Outcome: outcome, Code: code, Count: 1,
		Door: DoorMQTT, Source: netip.MustParseAddrPort("192.0.2.17:51544"), Local: netip.MustParseAddrPort("192.0.2.1:8883"),
		SNI: "gw.example.com", TLSVersion: "1.3", Cipher: "TLS_AES_128_GCM_SHA256", CertificateID: certID,
		Steps: append([]Step{
			step(check.TCPAccepted, Passed, 0), step(check.TLSClientHello, Passed, 0.4, F("versions", "1.3, 1.2")),
			step(check.TLSSNI, Passed, 0.4, F("offered", "gw.example.com")), step(check.TLSHandshake, Passed, 2.1), step(check.CertPresented, Passed, 2.2),
		}, steps...),
	}
}

// mqtt makes rec an MQTT client's.
func mqtt(protocol, clientID string, rec Record) Record {
	rec.Protocol, rec.ClientID, rec.Principal = protocol, clientID, certID
	rec.PrincipalARN = "arn:aws:iot:us-east-1:123456789012:cert/" + certID
	return rec
}

func golden() map[string]Record {
	flood := device(Failed, "cert.inactive", 3*time.Minute, step(check.CertInactive, Failed, 2.4, F("status", "INACTIVE")))
	flood.Count = 42
	tls12 := device(Failed, "cert.not_registered", ms(3),
		step(check.CertNotRegistered, Failed, 2.4, F("subject", "CN=sensor-1"), F("twin", strings.Repeat("ab", 32)), F("twin_policies", "sensor-policy")),
		step(check.PolicyNoneAttached, Also, 2.5, F("principal_arn", "arn:aws:iot:us-east-1:123456789012:cert/"+certID)))
	tls12.TLSVersion = "1.2"
	alpn := device(Failed, "tls.alpn.missing_on_443", ms(9),
		step(check.TLSALPNAbsent, Warned, 0.5),
		step(check.TLSALPNMissingOn443, Failed, 8.8, F("bytes", "10 1c 00 04"), F("required", "x-amzn-mqtt-ca"), F("client_id", "sensor-1")),
		step(check.PolicyNoneAttached, Also, 8.9))
	alpn.Door, alpn.Local, alpn.CertificateID = DoorALPN, netip.MustParseAddrPort("192.0.2.1:443"), ""
	return map[string]Record{
		"connected": mqtt("MQTT 5", "sensor-1", device(Passed, "", 4*time.Minute,
			step(check.CertActive, Passed, 2.4), step(check.MQTTConnect, Passed, 3), step(check.AuthzConnect, Passed, 3.1, F("action", "iot:Connect")),
			step(check.SessionOpened, Passed, 3.2), step(check.SessionClosed, Passed, 240000))),
		"cert_inactive_flood": flood,
		"cert_not_registered": tls12,
		"alpn_missing":        alpn,
		"authz_connect": mqtt("MQTT 3.1.1", "it's; $(rm) \x1b[31m*", device(Failed, "authz.connect.client_id", ms(4),
			step(check.MQTTConnect, Passed, 3),
			step(check.AuthzConnectClientID, Failed, 3.5, F("action", "iot:Connect"), F("resource", "arn:aws:iot:us-east-1:123456789012:client/it's; $(rm) \x1b[31m*"),
				F("offered", "it's; $(rm) \x1b[31m*"), F("policy", "sensor-policy"), F("pattern", "arn:aws:iot:us-east-1:123456789012:client/sensor-1")))),
		"publish_denied_by_deny": mqtt("MQTT 3.1.1", "sensor-1", device(Failed, "authz.will.publish", ms(4),
			step(check.AuthzWillPublish, Failed, 3.5, F("action", "iot:Publish"), F("resource", "arn:aws:iot:us-east-1:123456789012:topic/gone"), F("topic", "gone"),
				F("detector", "policy.explicit_deny"), F("policy", "quarantine"), F("statement", "1")))),
		"receive_missing": mqtt("MQTT 5", "sensor-1", device(Live, "", 4*time.Minute, step(check.SessionOpened, Passed, 3),
			step(check.AuthzReceiveMissing, Warned, 4, F("filter", "cmd/sensor-1"), F("resource", "arn:aws:iot:us-east-1:123456789012:topic/cmd/sensor-1")),
			step(check.AuthzReceive, Warned, 5, F("topic", "cmd/sensor-1"), F("resource", "arn:aws:iot:us-east-1:123456789012:topic/cmd/sensor-1")))),
		"health_check": {
			ID: "0f9d6a52-6a3c-4f0e-9a55-6f2f3c7f7d11", Outcome: Passed, Count: 1, Last: time.Date(2026, 11, 21, 10, 2, 11, 0, time.UTC),
			Steps: []Step{step(check.TCPAccepted, Passed, 0), step(check.TCPClosedBeforeHello, Warned, 1, F("reason", "the device closed the connection"))},
		},
	}
}

// TestText compares what people read with the golden files; -update rewrites them.
func TestText(t *testing.T) {
	r := recorder(t, Config{Account: "123456789012", Region: "us-east-1", Endpoint: "gw.example.com", CAFile: "/var/lib/gatehouse/root.pem"})
	r.SetPorts(8883, 8443, 443)
	for name, rec := range golden() {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := (Detail{Attempt: rec, Report: r.Explain(rec)}).Text(&b, layout.Paint{}); err != nil {
				t.Fatal(err)
			}
			got := b.String()
			path := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
			inFix := false
			for line := range strings.SplitSeq(got, "\n") {
				if strings.ContainsRune(line, '\x1b') {
					t.Errorf("a device's bytes reach the terminal: %q", line)
				}
				if !strings.HasPrefix(line, "  ") {
					inFix = line == "Fix"
				}
				if n := utf8.RuneCountInString(line); n > layout.Width && !inFix {
					t.Errorf("%d columns: %s", n, line)
				}
			}
		})
	}
}

// TestPaintChangesNothingElse: colours off and on give the same text.
func TestPaintChangesNothingElse(t *testing.T) {
	r := recorder(t, Config{})
	mark := func(s string) string { return "\x01" + s + "\x02" }
	unmark := strings.NewReplacer("\x01", "", "\x02", "")
	for name, rec := range golden() {
		d := Detail{Attempt: rec, Report: r.Explain(rec)}
		var plain, painted strings.Builder
		if err := d.Text(&plain, layout.Paint{}); err != nil {
			t.Fatal(err)
		}
		if err := d.Text(&painted, layout.Paint{Good: mark, Bad: mark, Doubt: mark, Strong: mark, Faint: mark}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(plain.String(), unmark.Replace(painted.String())); diff != "" || !strings.Contains(painted.String(), "\x01") {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestEveryRefusalCanBeExplained renders each check of the catalogue as the cause of a refusal.
func TestEveryRefusalCanBeExplained(t *testing.T) {
	r := recorder(t, Config{Account: "123456789012", Region: "us-east-1", Endpoint: "gw.example.com", CAFile: "root.pem"})
	for _, c := range check.All() {
		if c.Severity == check.Step {
			continue
		}
		var ev []Field
		for k, v := range c.Example {
			ev = append(ev, F(k, v))
		}
		rec := mqtt("MQTT 3.1.1", "sensor-1", device(Failed, c.Code, ms(4), step(c, Failed, 3, ev...)))
		report := r.Explain(rec)
		if len(report.Findings) != 1 || report.Findings[0].Code != c.Code || len(report.Findings[0].Missing) > 0 || report.Findings[0].Device == "" {
			t.Errorf("%v: %+v", c, report)
			continue
		}
		if f := report.Findings[0]; strings.Contains(f.Cause+f.Advice, "(unknown") {
			t.Errorf("%v: %s %s", c, f.Cause, f.Advice)
		}
	}
}

func TestHiddenFindings(t *testing.T) {
	r := recorder(t, Config{})
	// A consequence is not shown beside its cause, and the cause leads.
	report := r.Explain(device(Failed, "authz.will.publish", ms(4), step(check.AuthzWillPublish, Failed, 3), step(check.PolicyNoneAttached, Also, 3)))
	if len(report.Findings) != 1 || report.Findings[0].Code != "policy.none_attached" || !strings.Contains(report.Verdict, "policy.none_attached") {
		t.Errorf("report %+v", report)
	}
	// Two faults of their own are both shown, the refusal first: PROBLEMS C-10.
	report = r.Explain(device(Failed, "tls.alpn.missing_on_443", ms(4), step(check.PolicyNoneAttached, Also, 3), step(check.TLSALPNMissingOn443, Failed, 3), step(check.TLSALPNAbsent, Warned, 1)))
	if len(report.Findings) != 2 || report.Findings[0].Code != "tls.alpn.missing_on_443" || report.Findings[1].Code != "policy.none_attached" || len(report.Warnings) != 0 {
		t.Errorf("report %+v", report)
	}
}
