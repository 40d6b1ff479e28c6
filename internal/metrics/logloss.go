package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-iot/gatehouse/internal/logs"
)

// LogLosses counts the entries of devices that did not reach their log group, for
// AWS/IoT and Prometheus. Source: metrics sheet 1.7 and 6; logs sheet 2.
type LogLosses struct {
	store    *Store
	failures *prometheus.CounterVec
}

// NewLogLosses returns a counter that counts in store and reg.
func NewLogLosses(store *Store, reg prometheus.Registerer) *LogLosses {
	l := &LogLosses{store: store, failures: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "log_write_failures_total", Help: "Failed writes of devices' log entries, by what failed; gatehouse_log_events_dropped_total counts the entries.",
	}, []string{"operation"})}
	reg.MustRegister(l.failures)
	for _, of := range []logs.Loss{logs.LostGroup, logs.LostStream, logs.LostRetention, logs.LostWrite} {
		l.failures.WithLabelValues(string(of))
	}
	return l
}

// Lost counts a batch of entries that was lost, or kept for ever: for [logs.Config].
func (l *LogLosses) Lost(group string, of logs.Loss, entries int) {
	at := l.store.cfg.Now()
	if of == logs.LostRoom {
		l.store.Add(ID{Namespace: "AWS/IoT", Name: "NumLogBatchesFailedToPublishThrottled"}, "Count", at, Sample(1, 1))
		l.store.Add(ID{Namespace: "AWS/IoT", Name: "NumLogEventsFailedToPublishThrottled"}, "Count", at, Sample(1, float64(entries)))
		return
	}
	l.failures.WithLabelValues(string(of)).Inc()
	id := ID{Namespace: "AWS/IoT", Name: "CloudwatchLogs:" + string(of), Dimensions: []Dimension{{"LogGroup", group}}}
	l.store.Add(id, "Count", at, Sample(1, 1))
}
