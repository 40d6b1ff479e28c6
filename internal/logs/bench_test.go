package logs

import (
	"testing"
)

// BenchmarkAppend is what a device's event costs its connection.
func BenchmarkAppend(b *testing.B) {
	s := open(b, b.TempDir())
	w, err := s.NewWriter("AWSIotLogsV2", "a", 30)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	_, entry := newFleet(1, 10, 0).next()
	b.ReportAllocs()
	for b.Loop() {
		w.Append(1, entry)
	}
	b.ReportMetric(float64(w.Dropped()), "dropped")
}

// BenchmarkIngest is the whole way of an event, into a block on disk.
func BenchmarkIngest(b *testing.B) {
	s := open(b, b.TempDir())
	events := newFleet(1, 2000, 1_800_000_000_000).events(200_000)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Put("g", "a", events[n%200:][:1000]); err != nil {
			b.Fatal(err)
		}
		n += 1000
	}
	sealAll(b, s)
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkSize reports the bytes of disk of an event of a realistic mix.
func BenchmarkSize(b *testing.B) {
	s := open(b, b.TempDir())
	f := newFleet(1, 2000, 1_800_000_000_000)
	n := 0
	raw := 0
	for b.Loop() {
		events := f.events(maxRows)
		for _, e := range events {
			raw += len(e.Message)
		}
		for len(events) > 0 {
			k := min(len(events), 1024)
			if err := s.Put("g", "a", events[:k]); err != nil {
				b.Fatal(err)
			}
			events = events[k:]
		}
		n += maxRows
	}
	sealAll(b, s)
	g, _ := s.Group("g")
	b.ReportMetric(float64(g.StoredBytes)/float64(n), "B/event")
	b.ReportMetric(float64(raw)/float64(n), "raw-B/event")
}
