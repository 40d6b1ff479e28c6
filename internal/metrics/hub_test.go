package metrics

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/function"
	"github.com/gatehouse-iot/gatehouse/internal/logs"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
)

// exposed are the lines of reg that begin so, without help.
func exposed(reg *prometheus.Registry, prefix string) []string {
	w := httptest.NewRecorder()
	Handler(reg).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	var out []string
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, prefix) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

// sums are the metrics of a store: name, dimensions, and the sum of the last hour.
func sums(s *Store) map[string]float64 {
	out := map[string]float64{}
	for _, m := range s.List(func(ID) bool { return true }) {
		key := m.ID.Name
		for _, d := range m.ID.Dimensions {
			key += " " + d.Name + "=" + d.Value
		}
		for _, points := range s.Read(m.ID, "", m.Last.Add(-time.Hour), m.Last.Add(time.Hour), time.Hour) {
			for _, p := range points {
				out[key] += p.Sum
			}
		}
	}
	return out
}

// TestTallies: refusals in authentication by AWS's reason, those of which AWS keeps
// silent by check, and ends by their reason. Source: metrics sheet 6.
func TestTallies(t *testing.T) {
	s := openStore(t, Config{File: filepath.Join(t.TempDir(), "metrics.log")})
	defer closeStore(t, s)
	hub, reg := observe.New(nil), prometheus.NewRegistry()
	s.FollowHub(hub, reg)
	for _, refused := range []struct {
		by   *check.Check
		cert string
		door attempt.Door
	}{
		{check.CertInactive, "c", attempt.DoorMQTT},
		{check.CertInactive, "c", attempt.DoorHTTPS},
		{check.AuthorizerTimeout, "", attempt.DoorMQTT},
		{check.AuthorizerRejected, "c", attempt.DoorMQTT},
		{check.TLSSNIUnknown, "", attempt.DoorMQTT},
		{check.AuthzConnect, "c", attempt.DoorMQTT},
	} {
		hub.Ended(attempt.Record{Outcome: attempt.Failed, Code: refused.by.Code, Door: refused.door, CertificateID: refused.cert})
	}
	hub.Disconnected("DUPLICATE_CLIENTID")
	hub.Pinged(50 * time.Microsecond)
	hub.Pinged(3 * time.Millisecond)
	hub.Pinged(time.Minute)
	for _, line := range []string{
		`gatehouse_ping_seconds_bucket{le="0.0001"} 1`, `gatehouse_ping_seconds_bucket{le="0.005"} 2`, `gatehouse_ping_seconds_bucket{le="2.5"} 2`,
		"gatehouse_ping_seconds_sum 60.00305", "gatehouse_ping_seconds_count 3",
	} {
		if !slices.Contains(exposed(reg, "gatehouse_ping_"), line) {
			t.Errorf("there is no line %s", line)
		}
	}
	hub.Disconnected("DUPLICATE_CLIENTID")
	got := slices.Concat(exposed(reg, "gatehouse_authn_"), exposed(reg, "gatehouse_tls_"), exposed(reg, "gatehouse_disconnects_"))
	zero := func(line string) bool { return strings.HasSuffix(line, " 0") }
	if all := slices.IndexFunc(got, zero); all < 0 {
		t.Error("what did not happen yet is not there")
	}
	got = slices.DeleteFunc(got, zero)
	want := []string{
		`gatehouse_authn_errors_total{authentication_type="AWS_X509",protocol="http",reason="DEVICE_CERTIFICATE_INACTIVE"} 1`,
		`gatehouse_authn_errors_total{authentication_type="AWS_X509",protocol="mqtt",reason="DEVICE_CERTIFICATE_INACTIVE"} 1`,
		`gatehouse_authn_errors_total{authentication_type="CUSTOM_AUTH",protocol="mqtt",reason="CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR"} 1`,
		`gatehouse_authn_errors_total{authentication_type="CUSTOM_AUTH_X509",protocol="mqtt",reason="NOT_AUTHENTICATED"} 1`,
		`gatehouse_tls_rejected_total{cause="tls.sni.unknown",stage="tls"} 1`,
		`gatehouse_disconnects_total{reason="DUPLICATE_CLIENTID"} 2`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]float64{"Connection.AuthNError Protocol=MQTT": 3, "Connection.AuthNError Protocol=HTTP": 1}, sums(s)); diff != "" {
		t.Errorf("CloudWatch (-want +got):\n%s", diff)
	}
}

// TestRuleNotFound: rules that do not exist by their name for CloudWatch, and without it for
// Prometheus; devices that make up names get one metric together. Source: metrics sheet 1.3, 6.
func TestRuleNotFound(t *testing.T) {
	s := openStore(t, Config{File: filepath.Join(t.TempDir(), "metrics.log")})
	defer closeStore(t, s)
	hub, reg := observe.New(nil), prometheus.NewRegistry()
	s.FollowHub(hub, reg)
	line := func() string {
		return strings.Join(exposed(reg, "gatehouse_rule_events_total"), "\n")
	}
	if got := line(); got != `gatehouse_rule_events_total{event="RuleNotFound",rule=""} 0` {
		t.Errorf("before it happened: %s", got)
	}
	by, total := &observe.Request{}, 0
	miss := func(rule string, p observe.Protocol) {
		hub.Seen(by, p, observe.RuleNotFound, observe.ClientError)
		hub.RuleMissed(rule)
		total++
	}
	miss("Archve", observe.MQTT)
	sums(s) // what was counted once is not counted again
	miss("Archve", observe.HTTP)
	for _, odd := range []string{"", "no-rule", "caf\u00e9", strings.Repeat("x", 129)} {
		miss(odd, observe.MQTT)
	}
	got := sums(s)
	if diff := cmp.Diff(map[string]float64{"RuleNotFound RuleName=Archve": 2, "RuleNotFound RuleName=other": 4}, got); diff != "" {
		t.Errorf("CloudWatch (-want +got):\n%s", diff)
	}
	for i := range 1000 {
		miss(fmt.Sprintf("made_up_%d", i), observe.MQTT)
	}
	miss("Archve", observe.MQTT)
	got = sums(s)
	all := 0.0
	for _, n := range got {
		all += n
	}
	if len(got) > 101 || got["RuleNotFound RuleName=Archve"] != 3 || int(all) != total {
		t.Errorf("%d metrics of %v messages, want 101 of %d; %v for a known name, want 3", len(got), all, total, got["RuleNotFound RuleName=Archve"])
	}
	if got := line(); got != fmt.Sprintf(`gatehouse_rule_events_total{event="RuleNotFound",rule=""} %d`, total) {
		t.Errorf("of %d messages: %s", total, got)
	}
}

// invoker answers with outcomes in turn.
type invoker struct {
	outcomes []function.Outcome
	err      error
}

func (i *invoker) Invoke(context.Context, function.Request) (function.Result, error) {
	o := i.outcomes[0]
	i.outcomes = i.outcomes[1:]
	return function.Result{Outcome: o, ExecutedVersion: "$LATEST"}, i.err
}

// TestAuthorizers: invocations by what became of them; those of another Lambda count in AWS/Lambda.
func TestAuthorizers(t *testing.T) {
	s := openStore(t, Config{File: filepath.Join(t.TempDir(), "metrics.log")})
	defer closeStore(t, s)
	reg := prometheus.NewRegistry()
	next := &invoker{outcomes: []function.Outcome{function.Succeeded, function.Exited, function.TimedOut, function.Throttled, function.PermissionDenied}}
	a := NewAuthorizers(next, NewFunctions(s, prometheus.NewRegistry()), reg)
	req := function.Request{FunctionARN: "arn:aws:lambda:us-east-1:123456789012:function:auth", Caller: function.Caller{SourceARN: "arn:aws:iot:us-east-1:123456789012:authorizer/web"}}
	for len(next.outcomes) > 0 {
		if _, err := a.Invoke(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	next.outcomes, next.err = []function.Outcome{""}, errors.New("broken")
	if _, err := a.Invoke(t.Context(), req); !errors.Is(err, next.err) {
		t.Errorf("error %v", err)
	}
	for _, hit := range []bool{true, false, true} {
		a.Cached("web", hit)
	}
	got := slices.Concat(exposed(reg, "gatehouse_authorizer_cache"), exposed(reg, "gatehouse_authorizer_inv"), exposed(reg, "gatehouse_authorizer_in_"), exposed(reg, "gatehouse_authorizer_duration_seconds_count"))
	want := []string{
		`gatehouse_authorizer_cache_total{authorizer="web",result="hit"} 2`, `gatehouse_authorizer_cache_total{authorizer="web",result="miss"} 1`,
		`gatehouse_authorizer_invocations_total{authorizer="web",result="error"} 2`, `gatehouse_authorizer_invocations_total{authorizer="web",result="ok"} 1`,
		`gatehouse_authorizer_invocations_total{authorizer="web",result="refused"} 1`, `gatehouse_authorizer_invocations_total{authorizer="web",result="throttled"} 1`,
		`gatehouse_authorizer_invocations_total{authorizer="web",result="timeout"} 1`, `gatehouse_authorizer_in_flight{authorizer="web"} 0`,
		`gatehouse_authorizer_duration_seconds_count{authorizer="web"} 6`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	all := sums(s)
	for key, want := range map[string]float64{
		"Invocations FunctionName=auth": 3, "Errors FunctionName=auth": 2, "Throttles FunctionName=auth": 1, "Invocations": 3, "Invocations FunctionName=auth Resource=auth": 3,
	} {
		if all[key] != want {
			t.Errorf("AWS/Lambda %s is %v, want %v", key, all[key], want)
		}
	}
}

// TestLogLosses: AWS's metrics of entries that did not reach their log group. Source: metrics sheet 1.7.
func TestLogLosses(t *testing.T) {
	s := openStore(t, Config{File: filepath.Join(t.TempDir(), "metrics.log")})
	defer closeStore(t, s)
	reg := prometheus.NewRegistry()
	l := NewLogLosses(s, reg)
	l.Lost("g", logs.LostWrite, 7)
	l.Lost("g", logs.LostGroup, 1)
	l.Lost("g", logs.LostRoom, 5)
	l.Lost("h", logs.LostRoom, 6)
	if diff := cmp.Diff(map[string]float64{
		"CloudwatchLogs:PutLogEventsFailed LogGroup=g": 1, "CloudwatchLogs:LogGroupCreationFailed LogGroup=g": 1,
		"NumLogBatchesFailedToPublishThrottled": 2, "NumLogEventsFailedToPublishThrottled": 11,
	}, sums(s)); diff != "" {
		t.Errorf("CloudWatch (-want +got):\n%s", diff)
	}
	if got := exposed(reg, `gatehouse_log_write_failures_total{operation="PutLogEventsFailed"}`); len(got) != 1 || !strings.HasSuffix(got[0], " 1") {
		t.Errorf("Prometheus: %v", got)
	}
}
