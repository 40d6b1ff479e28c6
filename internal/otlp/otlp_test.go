package otlp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/goleak"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const traceUUID = "5c0d7a41-93be-4f18-ad60-1e9b44a0c3f2"

func TestFromEnvironment(t *testing.T) {
	for name, tt := range map[string]struct {
		endpoint string
		env      map[string]string
		want     Destination
		fault    string
	}{
		"nothing":             {},
		"flag":                {endpoint: "http://localhost:4318/", want: Destination{"http://localhost:4318", true, true}},
		"variable":            {env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, want: Destination{"", true, true}},
		"traces alone":        {env: map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, want: Destination{"", false, true}},
		"logs turned off":     {endpoint: "https://c", env: map[string]string{"OTEL_LOGS_EXPORTER": "none"}, want: Destination{"https://c", false, true}},
		"all turned off":      {endpoint: "https://c", env: map[string]string{"OTEL_SDK_DISABLED": "TRUE"}},
		"another exporter":    {endpoint: "https://c", env: map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, fault: "OTEL_TRACES_EXPORTER"},
		"gRPC":                {endpoint: "https://c", env: map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, fault: "http/protobuf"},
		"gRPC, but not on":    {env: map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}},
		"host and port alone": {endpoint: "localhost:4318", fault: "give a URL"},
		"not a URL":           {endpoint: "http://a b", fault: "URL"},
		"password in it":      {endpoint: "http://me:secret@c", fault: "OTEL_EXPORTER_OTLP_HEADERS"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := FromEnvironment(tt.endpoint, func(name string) string { return tt.env[name] })
			switch {
			case tt.fault != "":
				if err == nil || !strings.Contains(err.Error(), tt.fault) || strings.Contains(err.Error(), "secret") {
					t.Errorf("error %v, want one about %s", err, tt.fault)
				}
			case err != nil || got != tt.want:
				t.Errorf("%+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

// TestEntry: the members of an entry are attributes, but for those that a log record has fields for.
func TestEntry(t *testing.T) {
	gathered := &logBatch{}
	logger := sdklog.NewLoggerProvider(sdklog.WithProcessor(gathered)).Logger("")
	const line = `{"timestamp":"2026-05-11 08:14:04.500","logLevel":"ERROR","traceId":"` + traceUUID + `","accountId":"111122223333","status":"Failure","eventType":"Subscribe",` +
		`"subscriptions":[{"topicName":"a","reasonCode":1},{"topicName":"b","reasonCode":143}],"sourcePort":52044,"confirmation":true,"ratio":0.5,"gatehouse":{"check":"authz.subscribe"},"none":null}`
	at := time.UnixMilli(1778487244500)
	entry{at, []byte(line)}.emit(logger)
	entry{at, []byte(`no JSON`)}.emit(logger)
	entry{at, []byte(`{"torn":"`)}.emit(logger)
	if len(gathered.records) != 3 {
		t.Fatalf("%d records, want 3", len(gathered.records))
	}
	r := gathered.records[0]
	got := map[string]any{}
	r.WalkAttributes(func(kv attribute.KeyValue) bool { got[string(kv.Key)] = kv.Value.AsInterface(); return true })
	want := map[string]any{
		"accountId": "111122223333", "status": "Failure", "subscriptions.0.topicName": "a", "subscriptions.0.reasonCode": int64(1), "subscriptions.1.topicName": "b",
		"subscriptions.1.reasonCode": int64(143), "sourcePort": int64(52044), "confirmation": true, "ratio": 0.5, "gatehouse.check": "authz.subscribe",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if r.Severity() != log.SeverityError || r.SeverityText() != "ERROR" || r.EventName() != "Subscribe" || !r.Timestamp().Equal(at) || r.Body().AsString() != line {
		t.Errorf("record: %v %s %s %v %s", r.Severity(), r.SeverityText(), r.EventName(), r.Timestamp(), r.Body().AsString())
	}
	if r.TraceID().String() != strings.ReplaceAll(traceUUID, "-", "") || r.SpanID().String() != "ad601e9b44a0c3f2" {
		t.Errorf("trace %s, span %s", r.TraceID(), r.SpanID())
	}
	for _, other := range gathered.records[1:] {
		if other.AttributesLen() != 0 || other.TraceID().IsValid() || other.Body().AsString() == "" {
			t.Errorf("what is no JSON object: %v attributes, body %q", other.AttributesLen(), other.Body().AsString())
		}
	}
}

// TestAttempt: a refused attempt is a trace with a span for each stage and an event for
// each check; what refused it is the status of its stage and of the attempt.
func TestAttempt(t *testing.T) {
	began := time.Date(2026, 5, 11, 8, 14, 2, 0, time.UTC)
	step := func(c *check.Check, o attempt.Outcome, at time.Duration, evidence ...attempt.Field) attempt.Step {
		return attempt.Step{Check: c, Outcome: o, At: at, Last: at, Count: 1, Evidence: evidence}
	}
	rec := attempt.Record{
		ID: traceUUID, Began: began, Last: began.Add(time.Hour), Ended: began.Add(time.Hour), Outcome: attempt.Failed, Code: check.AuthzPublish.Code,
		Door: attempt.DoorMQTT, Source: netip.MustParseAddrPort("192.0.2.31:52044"), Local: netip.MustParseAddrPort("203.0.113.80:8883"),
		SNI: "localhost", TLSVersion: "1.3", Protocol: "MQTT 5", ClientID: "boiler-12", Certificate: []byte("der"), Facts: attempt.Fields{{Key: "domain", Value: "d"}},
		Steps: []attempt.Step{
			step(check.TCPAccepted, attempt.Passed, 0), step(check.TLSHandshake, attempt.Passed, 5*time.Millisecond), step(check.TLSSNI, attempt.Passed, 6*time.Millisecond),
			step(check.SessionOpened, attempt.Passed, 9*time.Millisecond), step(check.AuthzPublish, attempt.Failed, time.Minute, attempt.F("topic", "t")),
		},
	}
	gathered := &spanBatch{}
	provider := sdktrace.NewTracerProvider(sdktrace.WithIDGenerator(generator{}), sdktrace.WithSpanProcessor(gathered))
	report := attempt.Report{Verdict: "REFUSED: no.", Refused: true, Findings: []attempt.Finding{{Code: check.AuthzPublish.Code, Title: "Denied", Cause: "a policy", Fix: "allow it"}}}
	record(provider.Tracer(""), rec, report)
	type seen struct {
		Name, ID, Parent, Events string
		Begin, Took              time.Duration
		Status                   sdktrace.Status
	}
	var got []seen
	for _, s := range gathered.spans {
		if id := s.SpanContext().TraceID().String(); id != strings.ReplaceAll(traceUUID, "-", "") {
			t.Errorf("trace %s", id)
		}
		one := seen{s.Name(), s.SpanContext().SpanID().String(), "", "", s.StartTime().Sub(began), s.EndTime().Sub(s.StartTime()), s.Status()}
		if s.Parent().IsValid() {
			one.Parent = s.Parent().SpanID().String()
		}
		for _, e := range s.Events() {
			one.Events += e.Name + " "
		}
		got = append(got, one)
	}
	const root = "ad601e9b44a0c3f2"
	want := []seen{
		{"tcp", "ad601e9b44a0c3f3", root, "tcp.accepted ", 0, 0, sdktrace.Status{}},
		{"tls", "ad601e9b44a0c3f4", root, "tls.handshake tls.sni ", 0, 6 * time.Millisecond, sdktrace.Status{}},
		{"session", "ad601e9b44a0c3f5", root, "session.opened ", 6 * time.Millisecond, 3 * time.Millisecond, sdktrace.Status{}},
		{"authorization", "ad601e9b44a0c3f6", root, "authz.publish ", time.Minute, 0, sdktrace.Status{Code: codes.Error, Description: "authz.publish: " + check.AuthzPublish.Title}},
		{"MQTT 5 attempt", root, "", "", 0, time.Hour, sdktrace.Status{Code: codes.Error, Description: "REFUSED: no."}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("spans (-want +got):\n%s", diff)
	}
	refusal := map[string]string{}
	for _, kv := range gathered.spans[3].Events()[0].Attributes {
		refusal[string(kv.Key)] = kv.Value.AsString()
	}
	if diff := cmp.Diff(map[string]string{
		"gatehouse.check": "authz.publish", "gatehouse.outcome": "failed", "gatehouse.evidence.topic": "t",
		"gatehouse.title": "Denied", "gatehouse.cause": "a policy", "gatehouse.fix": "allow it",
	}, refusal); diff != "" {
		t.Errorf("the check that refused (-want +got):\n%s", diff)
	}
	facts := map[string]any{}
	for _, kv := range gathered.spans[4].Attributes() {
		facts[string(kv.Key)] = kv.Value.AsInterface()
	}
	if diff := cmp.Diff(map[string]any{
		"gatehouse.outcome": "failed", "gatehouse.check": "authz.publish", "gatehouse.verdict": "REFUSED: no.", "gatehouse.door": "mqtt", "gatehouse.client_id": "boiler-12",
		"gatehouse.fact.domain": "d", "tls.client.server_name": "localhost", "tls.protocol.version": "1.3",
		"client.address": "192.0.2.31", "client.port": int64(52044), "server.address": "203.0.113.80", "server.port": int64(8883),
	}, facts); diff != "" {
		t.Errorf("the attempt (-want +got):\n%s", diff)
	}
}

// TestPipe: what waits is bounded and goes in batches, a collector that does not
// answer holds nobody up, and everything is counted.
func TestPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		answer := error(nil)
		p := newPipe("logs", slog.New(slog.DiscardHandler), func(ctx context.Context, batch []int) error {
			sizes = append(sizes, len(batch))
			if answer != nil && errors.Is(answer, context.Canceled) {
				<-ctx.Done()
			}
			return answer
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); p.run(ctx) }()
		p.add(1, 1)
		time.Sleep(batchEvery)
		synctest.Wait()
		for range batchItems {
			p.add(1, 1)
		}
		synctest.Wait() // a full one goes at once
		if diff := cmp.Diff([]int{1, batchItems}, sizes); diff != "" {
			t.Errorf("batches (-want +got):\n%s", diff)
		}
		answer = context.Canceled // no answer
		for range 10 {
			p.add(1, 1)
		}
		time.Sleep(batchEvery)
		synctest.Wait()
		for range queueItems + 5 {
			p.add(1, 1)
		}
		p.add(1, queueBytes+1)
		if got, want := p.counts(), (Counts{Exported: batchItems + 1, Dropped: 6}); got != want {
			t.Errorf("while the collector does not answer: %+v, want %+v", got, want)
		}
		p.end()
		time.AfterFunc(closeTime, cancel)
		begin := time.Now()
		<-ended
		if took := time.Since(begin); took != closeTime {
			t.Errorf("the end took %v, want %v", took, closeTime)
		}
		if got, want := p.counts(), (Counts{Exported: batchItems + 1, Dropped: 6, Failed: 10 + queueItems}); got != want {
			t.Errorf("at the end: %+v, want %+v", got, want)
		}
	})
}

// TestAway: a collector that restarts misses nothing; one that stays away costs a
// batch a minute, and the end does not wait for it.
func TestAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		back := time.Now().Add(20 * time.Second)
		p := newPipe("traces", slog.New(slog.DiscardHandler), func(context.Context, []int) error {
			if time.Now().Before(back) {
				return fmt.Errorf("traces export: %w", &net.OpError{Op: "dial", Err: errors.New("connection refused")})
			}
			return nil
		})
		ended := make(chan struct{})
		go func() { defer close(ended); p.run(t.Context()) }()
		p.add(1, 1)
		time.Sleep(30 * time.Second)
		if got, want := p.counts(), (Counts{Exported: 1}); got != want {
			t.Errorf("after a restart: %+v, want %+v", got, want)
		}
		back = time.Now().Add(time.Hour)
		p.add(2, 1)
		time.Sleep(2 * awayTime)
		if got, want := p.counts(), (Counts{Exported: 1, Failed: 1}); got != want {
			t.Errorf("while it is away: %+v, want %+v", got, want)
		}
		p.add(3, 1)
		time.Sleep(2 * batchEvery)
		begin := time.Now()
		p.end()
		<-ended
		if took := time.Since(begin); took != 0 {
			t.Errorf("the end took %v", took)
		}
	})
}

// TestEntryCosts: what an entry costs on a device's way is one copy.
func TestEntryCosts(t *testing.T) {
	e := &Exporter{logs: newPipe("logs", slog.New(slog.DiscardHandler), func(context.Context, []entry) error { return nil })}
	line := []byte(strings.Repeat("x", 300))
	if n := testing.AllocsPerRun(1000, func() { e.Entry(1, line) }); n > 2 {
		t.Errorf("%v allocations for an entry", n)
	}
}
