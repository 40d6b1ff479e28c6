package server

import (
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-iot/gatehouse/internal/function"
	"github.com/gatehouse-iot/gatehouse/internal/metrics"
	"github.com/gatehouse-iot/gatehouse/internal/otlp"
)

// running starts a server on ports of the kernel's choice.
func running(t *testing.T, change ...func(*Config)) *Server {
	t.Helper()
	cfg := DefaultConfig()
	cfg.DataDir, cfg.MQTTPort, cfg.HTTPSPort, cfg.ALPNPort, cfg.APIPort = filepath.Join(t.TempDir(), "data"), 0, 0, 0, 0
	cfg.Log = slog.New(slog.DiscardHandler)
	for _, c := range change {
		c(&cfg)
	}
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil && !strings.Contains(err.Error(), "database is closed") { // as TestReady does
			t.Error(err)
		}
	})
	return s
}

func get(t *testing.T, url string, change ...func(*http.Request)) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

var metricName = regexp.MustCompile(`\b(gatehouse|go|process)_[a-z0-9_]+`)

// TestDeployedNames: every metric that the dashboard and the alert rules name is
// one that /metrics has, with the labels that they select by.
func TestDeployedNames(t *testing.T) {
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(collector.Close) // after the server, which exports until it stops
	s := running(t, func(cfg *Config) { cfg.OTLP = otlp.Destination{Endpoint: collector.URL, Logs: true, Traces: true} })
	s.functionMeter.Observe(function.Observation{Function: "f", Resource: "f", Version: "$LATEST", Duration: time.Millisecond, Running: 1})
	if status, _ := get(t, s.Info().APIURL+"/things"); status != http.StatusForbidden { // a request that counts
		t.Fatalf("an unsigned request: %d", status)
	}
	stranger, err := net.Dial("tcp", s.doors.mqtt.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if _, err := stranger.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil { // a check fails
		t.Fatal(err)
	}
	_, _ = io.ReadAll(stranger) // until it is refused
	scraped := ""
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(scraped, "gatehouse_checks_total{") && time.Now().Before(deadline); {
		var status int
		if status, scraped = get(t, s.Info().APIURL+MetricsPath); status != http.StatusOK {
			t.Fatalf("scrape: %d %s", status, scraped)
		}
	}
	scraped += ofAuthorizers(t, s)
	there := map[string]bool{}
	for line := range strings.Lines(scraped) {
		there[metricName.FindString(line)] = !strings.HasPrefix(line, "#") || there[metricName.FindString(line)]
	}
	deploy := filepath.Join("..", "..", "deploy")
	rules, err := os.ReadFile(filepath.Join(deploy, "prometheus", "gatehouse.rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	dashboard, err := os.ReadFile(filepath.Join(deploy, "grafana", "gatehouse.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(dashboard) {
		t.Fatal("the dashboard is not JSON")
	}
	named := metricName.FindAllString(string(rules)+string(dashboard), -1)
	if len(named) < 60 {
		t.Fatalf("only %d names found", len(named))
	}
	for _, name := range named {
		if !there[name] {
			t.Errorf("/metrics has no %s", name)
		}
	}
	selectors := regexp.MustCompile(`(gatehouse_[a-z_]+)\{([^}]*)\}`)
	labels := map[string]bool{} // name and label
	for _, m := range selectors.FindAllStringSubmatch(scraped, -1) {
		for _, l := range labelName.FindAllStringSubmatch(m[2], -1) {
			labels[m[1]+" "+l[1]] = true
		}
	}
	for _, m := range selectors.FindAllStringSubmatch(strings.ReplaceAll(string(rules)+string(dashboard), `\"`, `"`), -1) {
		for _, l := range labelName.FindAllStringSubmatch(m[2], -1) {
			if l[1] != "instance" && !labels[m[1]+" "+l[1]] {
				t.Errorf("%s has no label %s", m[1], l[1])
			}
		}
	}
}

// ofAuthorizers is what /metrics has once an authorizer was asked.
func ofAuthorizers(t *testing.T, s *Server) string {
	t.Helper()
	reg := prometheus.NewRegistry()
	a := metrics.NewAuthorizers(s.functions, nil, reg)
	a.Cached("web", false)
	_, _ = a.Invoke(t.Context(), function.Request{FunctionARN: "arn:aws:lambda:us-east-1:123456789012:function:missing", Caller: function.Caller{SourceARN: "arn:aws:iot:us-east-1:123456789012:authorizer/web"}})
	w := httptest.NewRecorder()
	metrics.Handler(reg).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, MetricsPath, nil))
	return w.Body.String()
}

var labelName = regexp.MustCompile(`([a-z_]+)[!=]=?~?"`)

// TestScrapeFromElsewhere: who is not on this machine needs an access key.
func TestScrapeFromElsewhere(t *testing.T) {
	s := running(t)
	url := s.Info().APIURL + MetricsPath
	proxied := func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.1") }
	if status, body := get(t, url, proxied); status != http.StatusForbidden || strings.Contains(body, "gatehouse_") {
		t.Errorf("without a key: %d %s", status, body)
	}
	if status, _ := get(t, url, proxied, func(r *http.Request) { r.SetBasicAuth(s.Info().AccessKeyID, s.Info().SecretAccessKey) }); status != http.StatusForbidden {
		t.Errorf("a password without TLS: %d", status)
	}
	for secret, want := range map[string]int{s.Info().SecretAccessKey: http.StatusOK, "guess": http.StatusUnauthorized, "": http.StatusUnauthorized} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://gatehouse.example/metrics", nil)
		r.RemoteAddr = "192.0.2.1:1234"
		r.SetBasicAuth(s.Info().AccessKeyID, secret)
		w := httptest.NewRecorder()
		s.metricsHandler(s.api.aws).ServeHTTP(w, r)
		if w.Code != want || strings.Contains(w.Body.String(), "gatehouse_ready 1") != (want == http.StatusOK) {
			t.Errorf("with the secret %q over TLS: %d %.200s, want %d", secret[:min(len(secret), 5)], w.Code, w.Body, want)
		}
	}
}

// TestReady: /readyz says when a part does not work, /healthz that the process answers.
func TestReady(t *testing.T) {
	s := running(t)
	if status, body := get(t, s.Info().APIURL+"/readyz"); status != http.StatusOK || !strings.Contains(body, `"ok"`) {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if err := s.registry.Close(); err != nil {
		t.Fatal(err)
	}
	if status, body := get(t, s.Info().APIURL+"/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, `"registry":"`) {
		t.Errorf("/readyz without the registry: %d %s", status, body)
	}
	if status, body := get(t, s.Info().APIURL+"/readyz", func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.1") }); status != http.StatusServiceUnavailable || !strings.Contains(body, `"registry":"not working"`) {
		t.Errorf("/readyz for others: %d %s", status, body)
	}
	if status, _ := get(t, s.Info().APIURL+"/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: %d", status)
	}
	if _, body := get(t, s.Info().APIURL+MetricsPath); !strings.Contains(body, "\ngatehouse_ready 0\n") {
		t.Error("gatehouse_ready is not 0")
	}
}
