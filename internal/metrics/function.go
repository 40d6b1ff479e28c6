package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-iot/gatehouse/internal/function"
)

// Functions counts invocations of functions for AWS/Lambda and Prometheus. It
// implements [function.Meter]. Source: metrics sheet 2 and 6.
type Functions struct {
	store       *Store
	invocations *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	running     *prometheus.GaugeVec

	mu    sync.Mutex
	names map[string]bool // that have labels of their own; guarded by mu
}

// maxFunctions is how many functions have labels of their own in Prometheus; the
// invocations of others count for the function "other".
const maxFunctions = 500

// NewFunctions returns a meter that counts in store and reg.
func NewFunctions(store *Store, reg prometheus.Registerer) *Functions {
	f := &Functions{
		store: store, names: map[string]bool{},
		invocations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "function_invocations_total", Help: "Invocations of functions, custom authorizers among them: ok, error or throttled.",
		}, []string{"function", "result"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "function_duration_seconds", Help: "How long functions ran; an authorizer must answer in 5 s.",
			Buckets: []float64{.001, .005, .01, .05, .1, .25, .5, 1, 2.5, 5, 10, 60},
		}, []string{"function"}),
		running: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Name: "function_concurrent_executions", Help: "Executions of a function when it was invoked last.",
		}, []string{"function"}),
	}
	reg.MustRegister(f.invocations, f.duration, f.running)
	return f
}

// Observe implements [function.Meter].
func (f *Functions) Observe(o function.Observation) {
	f.expose(&o)
	at := f.store.cfg.Now().Add(-o.Duration) // the invocation's time, not its end's
	byName := Dimension{"FunctionName", o.Function}
	byResource := Dimension{"Resource", o.Resource}
	for _, dims := range [][]Dimension{
		nil, {byName}, {byName, byResource}, {byName, byResource, {"ExecutedVersion", o.Version}},
	} {
		if o.Version == "" && len(dims) == 3 {
			continue
		}
		add := func(name, unit string, v float64) {
			f.store.Add(ID{Namespace: "AWS/Lambda", Name: name, Dimensions: dims}, unit, at, Sample(v, 1))
		}
		if o.Throttled {
			add("Throttles", "Count", 1)
			continue
		}
		add("Invocations", "Count", 1)
		add("Errors", "Count", oneIf(o.Failed))
		add("Throttles", "Count", 0)
		add("Duration", "Milliseconds", float64(o.Duration)/float64(time.Millisecond))
		add("ConcurrentExecutions", "Count", float64(o.Running))
	}
}

func (f *Functions) expose(o *function.Observation) {
	name := o.Function
	f.mu.Lock()
	if !f.names[name] {
		if len(f.names) < maxFunctions {
			f.names[name] = true
		} else {
			name = "other"
		}
	}
	f.mu.Unlock()
	switch {
	case o.Throttled:
		f.invocations.WithLabelValues(name, "throttled").Inc()
		return
	case o.Failed:
		f.invocations.WithLabelValues(name, "error").Inc()
	default:
		f.invocations.WithLabelValues(name, "ok").Inc()
	}
	f.duration.WithLabelValues(name).Observe(o.Duration.Seconds())
	f.running.WithLabelValues(name).Set(float64(o.Running))
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
