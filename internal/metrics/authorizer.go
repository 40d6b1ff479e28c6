package metrics

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-iot/gatehouse/internal/function"
)

// An Authorizers is a [function.Invoker] that counts what becomes of the
// invocations of custom authorizers, by the authorizer. Source: metrics sheet 6.
type Authorizers struct {
	next      function.Invoker
	functions *Functions // counts for AWS/Lambda what runs elsewhere; nil: next counts for itself

	invocations *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	inFlight    *prometheus.GaugeVec
	cached      *prometheus.CounterVec

	mu    sync.Mutex
	names map[string]bool // that have labels of their own; guarded by mu
	runs  map[string]int  // at the moment, by function; guarded by mu
}

// maxAuthorizers is how many authorizers have labels of their own; others count as "other".
const maxAuthorizers = 500

// NewAuthorizers returns an Invoker that asks next and counts in reg. Where next is
// another Lambda, elsewhere counts its invocations for AWS/Lambda; nil where next
// does so itself.
func NewAuthorizers(next function.Invoker, elsewhere *Functions, reg prometheus.Registerer) *Authorizers {
	a := &Authorizers{
		next: next, functions: elsewhere, names: map[string]bool{}, runs: map[string]int{},
		invocations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "authorizer_invocations_total", Help: "Invocations of custom authorizers' functions: ok, error, timeout, throttled, or refused before anything ran.",
		}, []string{"authorizer", "result"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "authorizer_duration_seconds", Help: "How long a client waited for its authorizer's function, which must answer in 5 s.",
			Buckets: []float64{.001, .005, .01, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"authorizer"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Name: "authorizer_in_flight", Help: "Invocations of an authorizer's function under way.",
		}, []string{"authorizer"}),
		cached: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "authorizer_cache_total", Help: "Requests over HTTPS for an authorizer with enableCachingForHttp: hit where an earlier answer served, else miss.",
		}, []string{"authorizer", "result"}),
	}
	reg.MustRegister(a.invocations, a.duration, a.inFlight, a.cached)
	return a
}

// Invoke implements [function.Invoker].
func (a *Authorizers) Invoke(ctx context.Context, req function.Request) (function.Result, error) {
	_, name, _ := strings.Cut(req.Caller.SourceARN, ":authorizer/")
	name = a.label(name)
	fn, running := a.begin(req.FunctionARN)
	a.inFlight.WithLabelValues(name).Inc()
	began := time.Now()
	res, err := a.next.Invoke(ctx, req)
	took := time.Since(began)
	a.inFlight.WithLabelValues(name).Dec()
	a.end(fn)
	a.invocations.WithLabelValues(name, resultOf(res.Outcome, err)).Inc()
	a.duration.WithLabelValues(name).Observe(took.Seconds())
	if ran := res.Outcome.Ran(); a.functions != nil && err == nil && (ran || res.Outcome == function.Throttled) {
		a.functions.Observe(function.Observation{
			Function: fn, Resource: fn, Version: res.ExecutedVersion, Duration: took, Running: running,
			Failed: ran && res.Outcome != function.Succeeded, Throttled: !ran,
		})
	}
	return res, err
}

// Cached counts a request that an earlier answer of the authorizer served, or did not.
func (a *Authorizers) Cached(authorizer string, hit bool) {
	result := "miss"
	if hit {
		result = "hit"
	}
	a.cached.WithLabelValues(a.label(authorizer), result).Inc()
}

// label is the name of an authorizer, or "other" when too many have labels.
func (a *Authorizers) label(name string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.names[name] && len(a.names) >= maxAuthorizers {
		return "other"
	}
	a.names[name] = true
	return name
}

// begin counts an execution of the function, whose name is the last part of its ARN.
func (a *Authorizers) begin(arn string) (name string, running int) {
	name = arn
	if _, after, ok := strings.Cut(arn, ":function:"); ok {
		name, _, _ = strings.Cut(after, ":")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.runs[name]++
	return name, a.runs[name]
}

func (a *Authorizers) end(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.runs[name]--; a.runs[name] == 0 {
		delete(a.runs, name)
	}
}

func resultOf(o function.Outcome, err error) string {
	switch {
	case o == function.TimedOut, errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case err != nil:
		return "error"
	case o == function.Succeeded:
		return "ok"
	case o == function.Throttled:
		return "throttled"
	case o.Ran():
		return "error"
	}
	return "refused"
}
