//go:build linux

package main

import (
	"log/slog"
	"testing"

	"github.com/gatehouse-iot/gatehouse/internal/logs"
)

// BenchmarkQuestions is for profiles: the questions over 200,000 events.
func BenchmarkQuestions(b *testing.B) {
	store, err := logs.Open(logs.Config{Dir: b.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	run := &bench{events: 200_000, devices: 20_000, client: "meter-007919", trace: "none"}
	if _, err := run.ingest(store, 0); err != nil {
		b.Fatal(err)
	}
	for _, q := range run.questions() {
		b.Run(q.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := q.ask(b.Context(), store); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
