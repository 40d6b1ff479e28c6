package logs

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/insights"
	"github.com/gatehouse-iot/gatehouse/internal/logs"
)

// fill writes n entries of 2000 devices, as AWS writes them.
func fill(b *testing.B, n int) *Source {
	b.Helper()
	store, err := logs.Open(logs.Config{Dir: b.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	r := rand.New(rand.NewPCG(1, 2))
	now := time.Now().UnixMilli() - int64(n)
	types := []string{"Publish-In", "Publish-In", "Publish-Out", "Publish-Out", "RuleMatch", "Connect", "Subscribe", "Disconnect"}
	for i := 0; i < n; i += 1000 {
		events := make([]logs.Event, 1000)
		for k := range events {
			ms := now + int64(i+k)
			d := r.IntN(2000)
			level, status, more := "INFO", "Success", ""
			if r.IntN(50) == 0 {
				level, status, more = "ERROR", "Failure", `,"reason":"AUTHORIZATION_FAILURE","details":"Authorization Failure"`
			}
			events[k] = logs.Event{Time: ms, Message: fmt.Sprintf(
				`{"timestamp":"%s","logLevel":"%s","traceId":"%08x-0000-4000-8000-%012x","accountId":"123456789012","status":"%s","eventType":"%s","protocol":"MQTT","topicName":"site/%d/state","clientId":"boiler-%05d","principalId":"%064x","sourceIp":"10.0.%d.%d","sourcePort":%d%s}`,
				time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05.000"), level, r.Uint32(), r.Uint64()>>16, status, types[r.IntN(len(types))], d, d, uint64(d)*0x9E3779B97F4A7C15, d/256, d%256, 32768+d, more)}
		}
		if err := store.Put("g", "s", events); err != nil {
			b.Fatal(err)
		}
	}
	for { // until the store has packed what it has
		if g, _ := store.Group("g"); g.StoredBytes < int64(n)*36 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	v, err := store.View("g")
	if err != nil {
		b.Fatal(err)
	}
	return NewSource("123456789012", []*logs.View{v}, logs.NoStart, logs.NoEnd)
}

// BenchmarkQuery reads events from blocks on disk; ns/event is of one run over all of them.
func BenchmarkQuery(b *testing.B) {
	const n = 500_000
	src := fill(b, n)
	for name, text := range map[string]string{
		"page":   `display clientId, eventType, status, @timestamp | sort @timestamp desc | filter status = "Failure"`,
		"stats":  `stats count(*) by bin(5m), eventType`,
		"needle": `filter clientId = "boiler-99999"`,
		"text":   `filter @message like "boiler-01234"  | stats count(*)`,
	} {
		b.Run(fmt.Sprintf("%s/events=500k", name), func(b *testing.B) {
			q, err := insights.Parse(text)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := q.Run(b.Context(), src, insights.Options{}, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/event")
		})
	}
}
