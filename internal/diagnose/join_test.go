package diagnose

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/inspect"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/probe"
	"github.com/gatehouse-iot/gatehouse/internal/layout"
)

const someID = "3f2a9c81b2d45e0f7a6b1c8d9e0f3a2b4c5d6e7f8091a2b3c4d5e6f708192a3b"

// saw is a result of a side.
func saw(stage string, c *check.Check, o probe.Outcome, ev ...attempt.Field) probe.Result {
	return probe.Result{Check: c, Outcome: o, Stage: stage, Evidence: ev}
}

func deviceSide(results ...probe.Result) probe.Report {
	return probe.Report{Results: results, Facts: probe.Facts{Endpoint: "gw.example.com", Port: 8883, ClientID: "sensor-1", Fingerprint: someID}}
}

func accountSide(results ...probe.Result) *inspect.Report {
	return &inspect.Report{Results: results, Account: "123456789012", Region: "us-east-1", Partition: "aws", PrincipalARN: "arn:aws:iot:us-east-1:123456789012:cert/" + someID}
}

var (
	refusedCert = probe.Result{
		Check: check.CertRefused, Outcome: probe.Fail, Stage: probe.StageTLS, Evidence: attempt.Fields{attempt.F("alert", "42 bad_certificate"), attempt.F("certificate_id", someID)},
		Causes: []*check.Check{check.CertNotRegistered, check.CertInactive},
	}
	closedConnect = probe.Result{
		Check: check.ConnectClosed, Outcome: probe.Fail, Stage: probe.StageConnect, Evidence: attempt.Fields{attempt.F("client_id", "sensor-1")},
		Causes: []*check.Check{check.AuthzConnectNoStatement, check.PolicyNoneAttached},
	}
)

func connect(c *check.Check, o probe.Outcome) probe.Result {
	return saw(inspect.Stage, c, o, attempt.F("action", "iot:Connect"), attempt.F("resource", "arn:aws:iot:us-east-1:123456789012:client/sensor-1"))
}

func TestJoin(t *testing.T) {
	for name, tt := range map[string]struct {
		device         probe.Report
		account        *inspect.Report
		verdict        Verdict
		causes         []string
		doubts         []string
		contradictions int
		sides          []Side // of the first cause's evidence
	}{
		"all is well":                       {deviceSide(saw(probe.StageConnect, check.ConnectRefused, probe.Pass)), nil, Works, nil, nil, 0, nil},
		"a symptom alone":                   {deviceSide(closedConnect), nil, Problem, []string{"connect.closed"}, nil, 0, []Side{SideDevice}},
		"the account explains a symptom":    {deviceSide(refusedCert), accountSide(saw(inspect.Stage, check.CertInactive, probe.Fail, attempt.F("status", "INACTIVE"))), Problem, []string{"cert.inactive"}, nil, 0, []Side{SideAccount, SideDevice}},
		"an explanation is explained":       {deviceSide(closedConnect), accountSide(connect(check.AuthzConnectClientID, probe.Fail), connect(check.PolicyCase, probe.Fail)), Problem, []string{"policy.case"}, nil, 0, nil},
		"two faults":                        {deviceSide(saw(probe.StageFiles, check.FilePermissions, probe.Fail), closedConnect), accountSide(connect(check.PolicyNoneAttached, probe.Fail)), Problem, []string{"file.permissions", "policy.none_attached"}, nil, 0, []Side{SideDevice}},
		"what it will run into comes last":  {deviceSide(refusedCert), accountSide(connect(check.PolicyNoneAttached, probe.Fail), saw(inspect.Stage, check.CertInactive, probe.Fail)), Problem, []string{"cert.inactive", "policy.none_attached"}, nil, 0, []Side{SideAccount, SideDevice}},
		"refuted":                           {deviceSide(saw(probe.StageConnect, check.ConnectRefused, probe.Pass)), accountSide(connect(check.AuthzConnectNoStatement, probe.Fail)), Works, nil, nil, 1, nil},
		"the account says it is allowed":    {deviceSide(closedConnect), accountSide(connect(check.AuthzConnect, probe.Pass)), Problem, []string{"connect.closed"}, nil, 1, []Side{SideDevice}},
		"the certificate is active":         {deviceSide(refusedCert), accountSide(saw(inspect.Stage, check.CertActive, probe.Pass)), Problem, []string{"cert.refused"}, nil, 1, []Side{SideDevice}},
		"not seen is no verdict":            {deviceSide(saw(probe.StageConnect, check.ConnectRefused, probe.Pass)), accountSide(saw(inspect.Stage, check.AccountNotPermitted, probe.Unknown, attempt.F("action", "iot:GetPolicy"))), Works, nil, nil, 0, nil},
		"a note beside a cause":             {deviceSide(closedConnect), accountSide(saw(inspect.Stage, check.AccountLoggingOff, probe.Warn, attempt.F("status", "DISABLED"))), Problem, []string{"connect.closed"}, []string{"account.logging_off"}, 0, []Side{SideDevice}},
		"a note alone is not worth a word":  {deviceSide(), accountSide(saw(inspect.Stage, check.AccountLoggingOff, probe.Warn, attempt.F("status", "DISABLED"))), Works, nil, nil, 0, nil},
		"TestAuthorization says otherwise":  {deviceSide(), accountSide(saw(inspect.Stage, check.AccountDecisionDiffers, probe.Warn)), Works, nil, nil, 1, nil},
		"both versions of MQTT are refused": {deviceSide(saw(probe.StageConnect, check.ConnectRefused, probe.Fail), closedConnect), nil, Problem, []string{"connect.refused"}, nil, 0, []Side{SideDevice, SideDevice}},
		"another Region":                    {deviceSide(refusedCert), accountSide(saw(inspect.Stage, check.CertNotRegistered, probe.Fail), saw(inspect.Stage, check.CertRegisteredElsewhere, probe.Fail, attempt.F("required", "eu-west-1"))), Problem, []string{"cert.registered_elsewhere"}, nil, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := join(tt.device, tt.account, false)
			codes := func(list []Cause) (out []string) {
				for _, c := range list {
					out = append(out, c.Code)
				}
				return out
			}
			if r.Verdict != tt.verdict || !slices.Equal(codes(r.Causes), tt.causes) || !slices.Equal(codes(r.Doubts), tt.doubts) || len(r.Contradictions) != tt.contradictions {
				t.Fatalf("%s: causes %v, doubts %v, %d contradictions; want %s %v %v %d", r.Verdict, codes(r.Causes), codes(r.Doubts), len(r.Contradictions), tt.verdict, tt.causes, tt.doubts, tt.contradictions)
			}
			for _, c := range r.Contradictions {
				if c.Code != "account.sides_disagree" && c.Code != "account.decision_differs" {
					t.Errorf("contradiction %s", c.Code)
				}
			}
			if tt.sides == nil {
				return
			}
			var sides []Side
			for _, e := range r.Causes[0].Evidence {
				sides = append(sides, e.Side)
			}
			if diff := cmp.Diff(tt.sides, sides); diff != "" {
				t.Errorf("evidence of the first cause (-want +got):\n%s", diff)
			}
		})
	}
}

// What the gateway recorded leads, with its own words and its own fix.
func TestAttemptLeads(t *testing.T) {
	device := deviceSide(closedConnect)
	device.Facts.Connections = []probe.Connection{{Purpose: "MQTT as the device", Local: netip.MustParseAddrPort("127.0.0.1:5000"), Began: time.Now()}, {Purpose: "TLS without a server name", Local: netip.MustParseAddrPort("127.0.0.1:5001"), Began: time.Now()}}
	account := accountSide(connect(check.AuthzConnectNoStatement, probe.Fail))
	detail := func(port uint16, f attempt.Finding) attempt.Detail {
		return attempt.Detail{
			Attempt: attempt.Record{ID: "trace", Count: 1, Source: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)},
			Report:  attempt.Report{Refused: true, Findings: []attempt.Finding{f}},
		}
	}
	account.Attempts = []attempt.Detail{
		detail(5000, attempt.Finding{Code: "policy.none_attached", Cause: "In the gateway's words.", Fix: "the gateway's fix", Outcome: attempt.Failed}),
		detail(5001, attempt.Finding{Code: "tls.sni.missing", Outcome: attempt.Failed}),
	}
	r := join(device, account, false)
	if len(r.Causes) != 1 || r.Causes[0].Code != "policy.none_attached" || r.Causes[0].Cause != "In the gateway's words." || r.Causes[0].Fix != "the gateway's fix" {
		t.Errorf("causes: %+v", r.Causes)
	}
}

// TestAdviceOfAMadeUpClientID tells who forgot the flag.
func TestAdviceOfAMadeUpClientID(t *testing.T) {
	r := join(deviceSide(closedConnect), nil, true)
	if !strings.Contains(r.Causes[0].Advice, "--client-id") {
		t.Errorf("advice %q", r.Causes[0].Advice)
	}
}

func TestInterrupted(t *testing.T) {
	device := deviceSide()
	device.Stopped = context.Canceled
	if r := join(device, nil, false); r.Verdict != Interrupted || !strings.HasPrefix(r.Summary, "INTERRUPTED") {
		t.Errorf("%s %s", r.Verdict, r.Summary)
	}
}

// hostile is what a server may answer: it must not write to the terminal.
const hostile = "\x1b[2Jpwned\r\n\u202e"

func whole() Report {
	long := saw(inspect.Stage, check.AuthzConnectClientID, probe.Fail, attempt.F("action", "iot:Connect"), attempt.F("client_id", "sensor-1"), attempt.F("resource", "arn:aws:iot:us-east-1:123456789012:client/"+strings.Repeat("long", 40)), attempt.F("reason", hostile))
	account := accountSide(long, saw(inspect.Stage, check.AccountNotPermitted, probe.Unknown, attempt.F("action", "iot:GetPolicy"), attempt.F("error", hostile)), saw(inspect.Stage, check.AccountDecisionDiffers, probe.Warn, attempt.F("action", hostile)))
	return join(deviceSide(saw(probe.StageTCP, check.NetTCPRefused, probe.Pass), closedConnect), account, true)
}

// TestTextFitsATerminal holds every line but commands within 80 columns, and
// everything that came from outside harmless.
func TestTextFitsATerminal(t *testing.T) {
	var b strings.Builder
	if err := whole().Text(&b, layout.Paint{}); err != nil {
		t.Fatal(err)
	}
	fix := false
	for line := range strings.SplitSeq(b.String(), "\n") {
		fix = line == "Fix" || fix && strings.HasPrefix(line, "  ")
		if !fix && utf8.RuneCountInString(line) > layout.Width {
			t.Errorf("%d columns: %s", utf8.RuneCountInString(line), line)
		}
	}
	if strings.ContainsAny(b.String(), "\x1b\r\u202e") {
		t.Errorf("control characters in the text:\n%q", b.String())
	}
	for _, want := range []string{"PROBLEM: ", "CONTRADICTION: ", "Not seen", "needs iot:GetPolicy"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, b.String())
		}
	}
}

func TestJUnit(t *testing.T) {
	var b bytes.Buffer
	if err := whole().JUnit(&b); err != nil {
		t.Fatal(err)
	}
	var got junitSuites
	if err := xml.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if got.Failures != 1 || got.Suites[0].Cases[0].Failure == nil || got.Suites[0].Cases[0].Name != "authz.connect.client_id" {
		t.Errorf("junit:\n%s", b.String())
	}
	tests := 0
	for _, s := range got.Suites {
		tests += len(s.Cases)
	}
	if tests != got.Tests {
		t.Errorf("%d cases, and the sum says %d", tests, got.Tests)
	}
}

// TestSchema holds docs/diagnose.md to the JSON form: every member is there.
func TestSchema(t *testing.T) {
	page, err := os.ReadFile("../../docs/diagnose.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-zA-Z\\[\\].]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		documented[m[1]] = true
	}
	members := map[string]bool{}
	var walk func(prefix string, t reflect.Type)
	walk = func(prefix string, t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			if t.Kind() == reflect.Slice {
				prefix += "[]"
			}
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || t.PkgPath() != reflect.TypeFor[Report]().PkgPath() {
			return
		}
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			path := strings.TrimPrefix(prefix+"."+name, ".")
			members[path] = true
			if !strings.HasPrefix(path, "doubts[]") && !strings.HasPrefix(path, "contradictions[]") { // they are causes
				walk(path, f.Type)
			}
		}
	}
	walk("", reflect.TypeFor[Report]())
	for m := range members {
		if strings.HasPrefix(m, "doubts[].") || strings.HasPrefix(m, "contradictions[].") {
			continue
		}
		if !documented[m] {
			t.Errorf("docs/diagnose.md does not have the member %s", m)
		}
	}
	for d := range documented {
		if !members[d] {
			t.Errorf("docs/diagnose.md has %s, the report has not", d)
		}
	}
	if raw, err := json.Marshal(whole()); err != nil || !strings.HasPrefix(string(raw), `{"schema":1,"verdict":"problem"`) {
		t.Errorf("%v %s", err, raw)
	}
}

// TestBundleHasNoSecret unpacks a bundle into which every secret has found its way.
func TestBundleHasNoSecret(t *testing.T) {
	const key = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0w\n-----END PRIVATE KEY-----\n"
	secrets := []string{"tok\"en/1", "c2lnbmF0dXJl", "ann", "pass word", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
	all := strings.Join(secrets, " ") + key + "AKIAIOSFODNN7EXAMPLE"
	r := join(deviceSide(saw(probe.StageConnect, check.ConnectRefused, probe.Fail, attempt.F("reason", all))), nil, false)
	account := accountSide()
	account.Policies = []inspect.Policy{{Name: "p", Version: "1", Document: json.RawMessage(`{"x":"pass word"}`)}}
	account.Attempts = []attempt.Detail{{Attempt: attempt.Record{ID: "t", Facts: attempt.Fields{attempt.F("leak", all)}}}}
	d := Diagnosis{Report: r, device: deviceSide(), account: account, secrets: secrets[:4]}
	var b bytes.Buffer
	if err := d.Bundle(&b, secrets[4]); err != nil {
		t.Fatal(err)
	}
	zr, err := gzip.NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	tr := tar.NewReader(zr)
	names := []string{}
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, strings.TrimPrefix(h.Name, "gatehouse-diagnose/"))
		for _, s := range append(secrets, "tok\\\"en", "MIGHAgEAMBMG", "PRIVATE KEY", "AKIAIOSFODNN7EXAMPLE") {
			if bytes.Contains(content, []byte(s)) {
				t.Errorf("%s has the secret %q:\n%s", h.Name, s, content)
			}
		}
		if strings.HasSuffix(h.Name, "report.json") && !json.Valid(content) {
			t.Errorf("report.json is none any more:\n%s", content)
		}
	}
	if want := []string{"manifest.json", "report.txt", "report.json", "certificates.pem", "attempts/t.json", "policies/01.json"}; !slices.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
}
