//go:build linux

package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/metrics"
	"strings"
	"syscall"
	"time"

	"github.com/gatehouse-iot/gatehouse/insights"
	apilogs "github.com/gatehouse-iot/gatehouse/internal/api/logs"
	"github.com/gatehouse-iot/gatehouse/internal/logs"
)

const (
	group = "AWSIotLogsV2"
	batch = 5_000 // events of one Put
)

// ingest puts all events, synced as PutLogEvents does, and waits until they are
// packed. generating is the processor time of making the events, which does not count.
func (b *bench) ingest(store *logs.Store, generating time.Duration) (figure, error) {
	began, before := time.Now(), processor(syscall.RUSAGE_SELF)
	f := newFleet(b.devices)
	for n := 0; n < b.events; n += batch {
		if err := store.Put(group, "s", f.next(min(batch, b.events-n))); err != nil {
			return figure{}, err
		}
	}
	if err := store.Pack(); err != nil {
		return figure{}, err
	}
	g, _ := store.Group(group)
	return figure{Bytes: g.StoredBytes, Wall: time.Since(began), CPU: processor(syscall.RUSAGE_SELF) - before - generating}, nil
}

// steady appends as device traffic does, 20,000 events a second for five seconds.
func (b *bench) steady(store *logs.Store) error {
	const rate, seconds, every = 20_000, 5, 10 * time.Millisecond
	w, err := store.NewWriter("steady", "s", 0)
	if err != nil {
		return err
	}
	f, known := newFleet(b.devices), map[string]*logs.Members{}
	entries := make([]logs.Entry, 0, rate*seconds)
	for _, e := range f.next(rate * seconds) {
		entries = append(entries, entry(e.Message, known))
	}
	before := processor(syscall.RUSAGE_SELF)
	began := time.Now()
	accepted := 0
	for len(entries) > 0 {
		n := min(len(entries), rate/int(time.Second/every))
		for _, e := range entries[:n] {
			e.Time = time.Now().UnixMilli()
			if w.Append(byte(accepted), e, 1) {
				accepted++
			}
		}
		entries = entries[n:]
		time.Sleep(time.Until(began.Add(time.Duration(rate*seconds-len(entries)) * time.Second / rate)))
	}
	took := time.Since(began)
	if err := w.Close(); err != nil {
		return err
	}
	if err := store.Pack(); err != nil {
		return err
	}
	spent := processor(syscall.RUSAGE_SELF) - before
	fmt.Fprintf(b.out, "device traffic, %.0f events a second for %v: %d accepted, %d dropped, %.1f %% of one processor with packing\n",
		float64(rate*seconds)/took.Seconds(), took.Round(time.Millisecond), accepted, w.Dropped(), 100*spent.Seconds()/took.Seconds())
	return store.DeleteGroup("steady")
}

// entry is the message as device traffic gives it: what it shares with others
// (level, trace, kind, topic, device) is known.
func entry(message string, known map[string]*logs.Members) logs.Entry {
	_, rest, _ := strings.Cut(strings.TrimSuffix(message, "}"), ",")
	var members [logs.MaxParts]*logs.Members
	n := 0
	share := func(text string) {
		if text = strings.Trim(text, ","); text == "" {
			return
		}
		if known[text] == nil {
			known[text] = logs.NewMembers(text)
		}
		members[n] = known[text]
		n++
	}
	for _, key := range []string{`,"traceId":`, `,"accountId":`, `,"topicName":`, `,"clientId":`} {
		if i := strings.Index(rest, key); i >= 0 {
			share(rest[:i])
			rest = rest[i:]
		}
	}
	end := strings.Index(rest, `"sourcePort":`) + len(`"sourcePort":`)
	for end < len(rest) && rest[end] != ',' {
		end++
	}
	share(rest[:end])
	share(rest[end:])
	return logs.Entry{Body: logs.NewBody(members)}
}

// question is a query that DuckDB is asked too, by the same name.
type question struct{ name, text string }

func (b *bench) questions() []question {
	return []question{
		{"page", `display clientId, eventType, status, @timestamp | sort @timestamp desc | filter status = "Failure"`},
		{"stats", `stats count(*) by bin(5m), eventType`},
		{"client", `fields @timestamp, eventType, topicName | filter clientId = "` + b.client + `"`},
		{"trace", `fields @timestamp, eventType, topicName | filter traceId = "` + b.trace + `"`},
	}
}

// ask runs the query twice: of the first it tells the memory, of the second the time.
func (q question) ask(ctx context.Context, store *logs.Store) (figure, error) {
	parsed, err := insights.Parse(q.text)
	if err != nil {
		return figure{}, err
	}
	var f figure
	for round := range 2 {
		watched := func() int64 { return 0 }
		if round == 0 {
			watched = heapPeak()
		}
		began, before := time.Now(), processor(syscall.RUSAGE_SELF)
		v, err := store.View(group)
		if err != nil {
			return figure{}, err
		}
		res, err := parsed.Run(ctx, apilogs.NewSource("123456789012", []*logs.View{v}, logs.NoStart, logs.NoEnd), insights.Options{}, nil)
		if err != nil {
			return figure{}, err
		}
		f = figure{Name: q.name, Rows: int64(len(res.Rows)), Wall: time.Since(began), CPU: processor(syscall.RUSAGE_SELF) - before, Memory: max(f.Memory, watched())}
	}
	return f, nil
}

// heapPeak looks at the heap every few milliseconds until the function that it
// returns is called, which answers by how much it grew at most, garbage included.
func heapPeak() func() int64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	before, most := sample[0].Value.Uint64(), uint64(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			metrics.Read(sample)
			most = max(most, sample[0].Value.Uint64())
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	return func() int64 {
		close(stop)
		<-done
		return int64(most) - int64(before)
	}
}
