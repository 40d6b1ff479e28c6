// Package metrics keeps CloudWatch's metrics in memory and on disk: a point for
// every minute that has data, for 15 days, with its statistics and percentiles.
// Its counters are those of Prometheus' /metrics too.
package metrics
