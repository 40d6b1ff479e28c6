package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/metrics"
	"github.com/gatehouse-iot/gatehouse/internal/otlp"
)

// openExport begins to export by OTLP, if that is asked for.
func (s *Server) openExport() (err error) {
	if !s.cfg.OTLP.On() {
		return nil
	}
	if s.otlp, err = otlp.Open(otlp.Config{
		Destination: s.cfg.OTLP, Account: s.cfg.AccountID, Region: s.cfg.Region, Version: buildVersion(), Log: s.cfg.Log,
		Explain: func(rec attempt.Record) attempt.Report { return s.attempts.Explain(rec) }, // made before the first attempt ends
	}); err != nil {
		return err
	}
	s.opened = append(s.opened, s.otlp.Close)
	return nil
}

// exportEntry is what the devices' log gives its entries to; nil: nothing.
func (s *Server) exportEntry() func(ms int64, entry []byte) {
	if s.otlp == nil {
		return nil
	}
	return s.otlp.Entry
}

// attemptEnded tells those who want to know of an attempt that ended.
func (s *Server) attemptEnded(rec attempt.Record) {
	s.observe.Ended(rec)
	if s.otlp != nil {
		s.otlp.Attempt(rec)
	}
}

// exposeExport counts what is exported, and what is not.
func (s *Server) exposeExport() {
	if s.otlp == nil {
		return
	}
	for signal, counts := range map[string]func() otlp.Counts{"logs": s.otlp.Logs, "traces": s.otlp.Traces} {
		for result, of := range map[string]func(otlp.Counts) uint64{
			"exported": func(c otlp.Counts) uint64 { return c.Exported },
			"dropped":  func(c otlp.Counts) uint64 { return c.Dropped },
			"failed":   func(c otlp.Counts) uint64 { return c.Failed },
		} {
			metrics.Expose(s.prometheus, metrics.Reading{
				Name: "otlp_records_total", Help: "Log entries and attempts for the OpenTelemetry collector: exported, dropped for lack of room, or not taken by it.",
				Labels: prometheus.Labels{"signal": signal, "result": result}, Counter: true,
				Read: func() float64 { return float64(of(counts())) },
			})
		}
	}
}
