package e2e

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	coltraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logsproto "go.opentelemetry.io/proto/otlp/logs/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// collector is a small OpenTelemetry collector.
type collector struct {
	*httptest.Server
	mu     sync.Mutex
	logs   []*logsproto.LogRecord
	spans  []*traces.Span
	about  map[string]string // of the last resource
	header http.Header       // of the last request
	faults []error
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.header = r.Header.Clone()
	if err := c.take(r); err != nil {
		c.faults = append(c.faults, err)
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func (c *collector) take(r *http.Request) error {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return err
		}
		body = z
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	switch {
	case strings.HasSuffix(r.URL.Path, "/v1/logs"):
		var in collogs.ExportLogsServiceRequest
		if err := proto.Unmarshal(raw, &in); err != nil {
			return err
		}
		for _, of := range in.GetResourceLogs() {
			c.about = texts(of.GetResource().GetAttributes())
			for _, s := range of.GetScopeLogs() {
				c.logs = append(c.logs, s.GetLogRecords()...)
			}
		}
	case strings.HasSuffix(r.URL.Path, "/v1/traces"):
		var in coltraces.ExportTraceServiceRequest
		if err := proto.Unmarshal(raw, &in); err != nil {
			return err
		}
		for _, of := range in.GetResourceSpans() {
			c.about = texts(of.GetResource().GetAttributes())
			for _, s := range of.GetScopeSpans() {
				c.spans = append(c.spans, s.GetSpans()...)
			}
		}
	}
	return nil
}

// texts are the attributes that hold a text.
func texts(list []*common.KeyValue) map[string]string {
	m := map[string]string{}
	for _, kv := range list {
		if kv.GetValue().GetStringValue() != "" {
			m[kv.GetKey()] = kv.GetValue().GetStringValue()
		}
	}
	return m
}

// refused returns the log record and the root span of the attempt that check refused.
func (c *collector) refused(check string) (entry *logsproto.LogRecord, root *traces.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if len(s.GetParentSpanId()) == 0 && texts(s.GetAttributes())["gatehouse.check"] == check {
			root = s
		}
	}
	for _, l := range c.logs {
		if texts(l.GetAttributes())["gatehouse.check"] == check && l.GetEventName() == "Publish-In" {
			entry = l
		}
	}
	return entry, root
}

// TestOTLP: the log entry and the trace of a refused publish reach a collector, and
// belong together; what the SDK's variables say is heeded.
func TestOTLP(t *testing.T) {
	gatehouseproc.Need(t, "mosquitto_pub")
	c := newCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=plant-7")
	t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=edge,site=hall-2")
	gw := gatehouseproc.Start(t, "--otlp-endpoint", c.URL+"/base")
	d := gw.AddDevice(t, "sensor-1")
	_, _, _ = gw.Run(t.Context(), "", "mosquitto_pub", mosquittoArgs(gw, d, "-q", "1", "-t", "denied", "-m", "x")...)
	gw.MustRun(t, "gatehouse", "logs", "level", "set", "INFO", "--client-id", "sensor-2")
	gw.MustRun(t, "mosquitto_pub", mosquittoArgs(gw, gw.AddDevice(t, "sensor-2"), "-q", "1", "-t", "sensors/sensor-2/temp", "-m", "x")...)
	eventually(t, "the collector has what went well", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return slices.ContainsFunc(c.logs, func(l *logsproto.LogRecord) bool {
			fields := texts(l.GetAttributes())
			return l.GetEventName() == "Publish-In" && l.GetSeverityText() == "INFO" && fields["topicName"] == "sensors/sensor-2/temp" && fields["clientId"] == "sensor-2" && len(l.GetTraceId()) == 16
		})
	})

	var entry *logsproto.LogRecord
	var root *traces.Span
	eventually(t, "the collector has the entry and the trace", func() bool {
		entry, root = c.refused("authz.publish")
		return entry != nil && root != nil
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, err := range c.faults {
		t.Error(err)
	}
	if c.about["service.name"] != "edge" || c.about["site"] != "hall-2" || c.about["cloud.account.id"] != gw.AccountID || c.header.Get("X-Tenant") != "plant-7" || c.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("resource %v, headers %v", c.about, c.header)
	}
	fields := texts(entry.GetAttributes())
	if fields["clientId"] != "sensor-1" || fields["topicName"] != "denied" || fields["reason"] != "AUTHORIZATION_FAILURE" || entry.GetSeverityText() != "ERROR" {
		t.Errorf("entry %v", entry)
	}
	if hex.EncodeToString(entry.GetTraceId()) != hex.EncodeToString(root.GetTraceId()) || hex.EncodeToString(entry.GetSpanId()) != hex.EncodeToString(root.GetSpanId()) {
		t.Errorf("entry of trace %x, span %x; attempt %x, %x", entry.GetTraceId(), entry.GetSpanId(), root.GetTraceId(), root.GetSpanId())
	}
	if root.GetStatus().GetCode() != traces.Status_STATUS_CODE_ERROR || !strings.HasPrefix(root.GetStatus().GetMessage(), "REFUSED") || texts(root.GetAttributes())["gatehouse.client_id"] != "sensor-1" {
		t.Errorf("root span %v", root)
	}
	stages, refusal := map[string]bool{}, map[string]string{}
	for _, s := range c.spans {
		if string(s.GetParentSpanId()) != string(root.GetSpanId()) {
			continue
		}
		stages[s.GetName()] = true
		for _, e := range s.GetEvents() {
			if e.GetName() == "authz.publish" {
				refusal = texts(e.GetAttributes())
				if s.GetStatus().GetCode() != traces.Status_STATUS_CODE_ERROR {
					t.Errorf("the stage that refused: %v", s)
				}
			}
		}
	}
	for _, stage := range []string{"tcp", "tls", "certificate", "protocol", "authorization", "session"} {
		if !stages[stage] {
			t.Errorf("no span of the stage %s, only %v", stage, stages)
		}
	}
	if !strings.Contains(refusal["gatehouse.cause"], "denied") || !strings.Contains(refusal["gatehouse.fix"], "aws iot") {
		t.Errorf("the check that refused: %v", refusal)
	}
	for _, line := range []string{`gatehouse_otlp_records_total{result="dropped",signal="logs"} 0`, `gatehouse_otlp_records_total{result="failed",signal="traces"} 0`} {
		if m := scrape(t, gw); !strings.Contains(m, line) {
			t.Errorf("/metrics has no line %s", line)
		}
	}
}

// TestOTLPWithoutCollector: one that is away holds up neither devices nor the stop,
// and the operator learns of it. Without the flag nothing is exported.
func TestOTLPWithoutCollector(t *testing.T) {
	gatehouseproc.Need(t, "mosquitto_pub")
	hangs := make(chan struct{})
	away := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hangs:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() { close(hangs); away.Close() })
	gw := gatehouseproc.Start(t, "--otlp-endpoint", away.URL)
	d := gw.AddDevice(t, "sensor-1")
	gw.MustRun(t, "mosquitto_pub", mosquittoArgs(gw, d, "-q", "1", "-t", "sensors/sensor-1/temp", "-m", "x")...)
	begin := time.Now()
	gw.Stop()
	if took := time.Since(begin); took > 20*time.Second { // ten are for a machine that is busy
		t.Errorf("the stop took %v", took)
	}
	if out := gw.Output(); !strings.Contains(out, "OpenTelemetry collector does not take") {
		t.Errorf("nothing tells of the collector: %s", out)
	}

	gw = gatehouseproc.Start(t)
	if m := scrape(t, gw); strings.Contains(m, "gatehouse_otlp_") {
		t.Error("without the flag there is an export")
	}
	_, stderr, err := gw.Run(t.Context(), "", "gatehouse", "up", "--data-dir", t.TempDir(), "--otlp-endpoint", "localhost:4318")
	if gatehouseproc.ExitCode(err) != 2 || !strings.Contains(stderr, "give a URL such as http://localhost:4318") {
		t.Errorf("--otlp-endpoint localhost:4318: %v, %s", err, stderr)
	}
}
