package metrics

import (
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// NewRegistry returns a registry that has the Go runtime and the process already.
func NewRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// Handler answers scrapes: Prometheus' text, or OpenMetrics for who asks for it.
func Handler(reg *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{
		EnableOpenMetrics: true, MaxRequestsInFlight: 4, Timeout: 20 * time.Second, ErrorHandling: promhttp.ContinueOnError,
	})
}

// A Reading is one number that is read when it is scraped.
type Reading struct {
	Name    string // without the prefix gatehouse_
	Help    string
	Labels  prometheus.Labels
	Counter bool // it only grows; else a gauge
	Read    func() float64
}

// Expose adds readings to reg.
func Expose(reg prometheus.Registerer, readings ...Reading) {
	for _, r := range readings {
		if r.Counter {
			expose(reg, r.Name, r.Help, r.Labels, r.Read)
			continue
		}
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: r.Name, Help: r.Help, ConstLabels: r.Labels}, r.Read))
	}
}

// attemptsCollector reads what a recorder counts. Its labels are bounded by the
// catalogue of checks.
type attemptsCollector struct {
	recorder *attempt.Recorder

	attempts, live, merged, dropped, storeErrors, checks, opened *prometheus.Desc
}

// ExposeAttempts adds the counts of attempts and checks to reg.
func ExposeAttempts(reg prometheus.Registerer, recorder *attempt.Recorder) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
	}
	reg.MustRegister(&attemptsCollector{
		recorder:    recorder,
		attempts:    desc("attempts_total", "Attempts that ended: a connection or an HTTP request each.", "outcome"),
		live:        desc("attempts_live", "Attempts under way."),
		merged:      desc("attempts_merged_total", "Refused attempts that are counted in the record of an identical one."),
		dropped:     desc("attempts_dropped_total", "Attempts that no record was kept of."),
		storeErrors: desc("attempts_store_errors_total", "Failed writes of records of attempts."),
		checks:      desc("checks_total", "Checks by their code in the catalogue: passed, failed, warned, or also (seen beside another).", "check", "stage", "outcome"),
		opened:      desc("connect_seconds", "Time from the TCP accept to the CONNACK of sessions that were opened."),
	})
}

// Describe implements [prometheus.Collector].
func (c *attemptsCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.attempts, c.live, c.merged, c.dropped, c.storeErrors, c.checks, c.opened} {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *attemptsCollector) Collect(out chan<- prometheus.Metric) {
	n := c.recorder.Metrics().Counts()
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	count(c.attempts, n.Passed, "passed")
	count(c.attempts, n.Failed, "failed")
	out <- prometheus.MustNewConstMetric(c.live, prometheus.GaugeValue, float64(n.Live))
	count(c.merged, n.Merged)
	count(c.dropped, n.Dropped)
	count(c.storeErrors, n.StoreErrors)
	for code, of := range n.Checks {
		entry, ok := check.Lookup(code)
		if !ok {
			continue
		}
		for outcome, v := range map[string]uint64{"passed": of.Passed, "failed": of.Failed, "warned": of.Warned, "also": of.Also} {
			if v > 0 {
				count(c.checks, v, code, entry.Stage.String(), outcome)
			}
		}
	}
	buckets := map[float64]uint64{}
	total := uint64(0)
	for i, in := range n.OpenedIn {
		if total += in; i < len(attempt.OpenedBounds) {
			buckets[attempt.OpenedBounds[i].Seconds()] = total
		}
	}
	out <- prometheus.MustNewConstHistogram(c.opened, total, n.OpenedTotal.Seconds(), buckets)
}

// Requests counts requests of the AWS APIs.
type Requests struct {
	total *prometheus.CounterVec
	took  *prometheus.HistogramVec
}

// NewRequests returns a counter of requests that counts in reg. Its labels are
// bounded by the operations of the API models.
func NewRequests(reg prometheus.Registerer) *Requests {
	r := &Requests{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "api_requests_total", Help: "Requests of the AWS APIs, by operation and class of the HTTP status.",
		}, []string{"service", "operation", "status"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "api_request_seconds", Help: "Time from the header of a request to the end of its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60},
		}, []string{"service"}),
	}
	reg.MustRegister(r.total, r.took)
	return r
}

// Answered counts a request; it is what the API server tells of each.
func (r *Requests) Answered(operation string, status int, took time.Duration) {
	service, op, known := strings.Cut(operation, ":")
	if !known {
		service, op = "none", "none"
	}
	r.total.WithLabelValues(service, op, string(rune('0'+min(max(status/100, 1), 5)))+"xx").Inc()
	r.took.WithLabelValues(service).Observe(took.Seconds())
}
