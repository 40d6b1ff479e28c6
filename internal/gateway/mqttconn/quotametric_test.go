package mqttconn

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/broker"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/metrics"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
)

// What the metrics of AWS/IoT are called, for those that quotas name.
var (
	kindNames = map[string]observe.Kind{
		"Connect": observe.Connect, "PublishIn": observe.PublishIn, "PublishOut": observe.PublishOut, "PublishRetained": observe.PublishRetained,
		"Queued": observe.Queued, "Subscribe": observe.Subscribe, "Throttle": observe.PacketThrottle,
	}
	outcomeNames = map[string]observe.Outcome{
		"ClientError": observe.ClientError, "Throttle": observe.Throttle, "ClientIDThrottle": observe.ClientIDThrottle, "Exceeded": observe.Throttle,
	}
)

// metricsMet are the rows of quotas whose limit some test ran into, and whose metric counted it.
var metricsMet = struct {
	sync.Mutex
	rows map[int]bool
}{rows: map[int]bool{}}

// metElsewhere are limits that no world of this package runs into, with where their metric is held.
var metElsewhere = map[int]string{
	quotaSessionQueue: "TestQueuedMetrics, by what the broker tells",
	quotaSessionBytes: "TestQueuedMetrics, by what the broker tells",
	quotaQueued:       "TestQueuedMetrics, by what the broker tells",
}

// holdQuotaMetrics checks, at the end of a world, that a limit which was met is counted: in
// the metric that its row names, or in that of the packet that met it, with the same result.
func holdQuotaMetrics(t *testing.T, recorded map[string]attempt.CheckCounts, hub *observe.Hub) {
	t.Helper()
	subscribes := hub.Count(observe.MQTT, observe.Subscribe, observe.Success)
	for row, q := range quotas {
		if q.metric == "" || q.check == nil {
			continue
		}
		if n := recorded[q.check.Code]; n.Failed+n.Warned == 0 {
			continue
		}
		kind, result, _ := strings.Cut(q.metric, ".")
		if hub.Count(observe.MQTT, kindNames[kind], outcomeNames[result]) > 0 {
			metricsMet.Lock()
			metricsMet.rows[row] = true
			metricsMet.Unlock()
			continue
		}
		other := slices.ContainsFunc([]observe.Kind{observe.Connect, observe.PublishIn, observe.PublishOut, observe.Subscribe, observe.Unsubscribe, observe.Queued}, func(k observe.Kind) bool {
			return hub.Count(observe.MQTT, k, outcomeNames[result]) > 0
		})
		switch {
		case kind == "Queued": // the broker's own world: see metElsewhere
		case kind == "Subscribe" && subscribes > 0: // some of its filters were granted: it counts as a success
		case !other:
			t.Errorf("%s was met (%s), but neither %s nor another metric of that result counted it", q.name, q.check.Code, q.metric)
		}
	}
}

// holdTold checks, when a world has ended, that every refused CONNECT was told once: where it
// happened, or with the end of its attempt.
func holdTold(t *testing.T, attempts *attempt.Recorder, hub *observe.Hub) {
	t.Helper()
	records, more, err := attempts.List(t.Context(), attempt.Filter{}, attempt.Cursor{}, 10_000)
	if err != nil || more {
		t.Fatal(more, err)
	}
	var want, got uint64
	var codes []string
	for _, rec := range records {
		c, known := check.Lookup(rec.Code)
		if rec.Outcome != attempt.Failed || rec.Has(check.SessionOpened) || !known {
			continue
		}
		if _, atEnd := observe.AtEnd(c); !atEnd {
			want += uint64(rec.Count)
			codes = append(codes, rec.Code)
		}
	}
	for outcome := observe.Success + 1; outcome < observe.Outcomes; outcome++ {
		got += hub.Count(observe.MQTT, observe.Connect, outcome)
	}
	if got != want {
		t.Errorf("%d refused CONNECTs were told, want %d: %v", got, want, codes)
	}
}

// TestQueuedMetrics: what the broker tells of sessions without connection. Source: mqtt sheet 19; metrics sheet 1.2.
func TestQueuedMetrics(t *testing.T) {
	hub := observe.New(nil)
	tell := ObserveQueued(hub)
	for _, outcome := range []broker.QueueOutcome{broker.QueueStored, broker.QueueFull, broker.QueueThrottled, broker.QueueThrottled, broker.QueueFailed} {
		tell(broker.Queued{ClientID: "c", Topic: "t", Outcome: outcome})
	}
	for outcome, want := range map[observe.Outcome]uint64{observe.Success: 1, observe.Throttle: 3, observe.ServerError: 1} {
		if got := hub.Count(observe.MQTT, observe.Queued, outcome); got != want {
			t.Errorf("outcome %d counted %d times, want %d", outcome, got, want)
		}
	}
}

// TestQuotaMetricsExist: every metric that the table names is one of CloudWatch, with the
// dimension Protocol, once something counts in it.
func TestQuotaMetricsExist(t *testing.T) {
	store, err := metrics.Open(metrics.Config{File: filepath.Join(t.TempDir(), "metrics.log")})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	hub := observe.New(nil)
	store.FollowHub(hub, prometheus.NewRegistry())
	for kind := range observe.Kinds {
		for outcome := range observe.Outcomes {
			hub.Seen(&observe.Request{}, observe.MQTT, kind, outcome)
		}
	}
	for _, q := range quotas {
		if q.metric == "" {
			continue
		}
		want := metrics.ID{Namespace: "AWS/IoT", Name: q.metric, Dimensions: []metrics.Dimension{{Name: "Protocol", Value: "MQTT"}}}
		if n := len(store.List(func(id metrics.ID) bool { return id.Key() == want.Key() })); n != 1 {
			t.Errorf("%s: %d metrics %s", q.name, n, q.metric)
		}
	}
}

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if code == 0 && flag.Lookup("test.run").Value.String() == "" { // all tests ran
		for row, q := range quotas {
			if q.metric != "" && !metricsMet.rows[row] && metElsewhere[row] == "" {
				fmt.Fprintf(os.Stderr, "no test saw the limit %q count in %s\n", q.name, q.metric)
				code = 1
			}
		}
	}
	os.Exit(code)
}
