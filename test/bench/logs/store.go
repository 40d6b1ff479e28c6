//go:build linux

package main

import (
	"context"
	"fmt"
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
	f := newFleet(b.devices)
	messages := make([][]byte, 0, rate*seconds)
	for _, e := range f.next(rate * seconds) {
		messages = append(messages, []byte(e.Message))
	}
	before := processor(syscall.RUSAGE_SELF)
	began := time.Now()
	accepted := 0
	for len(messages) > 0 {
		n := min(len(messages), rate/int(time.Second/every))
		for _, m := range messages[:n] {
			if w.Append(time.Now().UnixMilli(), m) {
				accepted++
			}
		}
		messages = messages[n:]
		time.Sleep(time.Until(began.Add(time.Duration(rate*seconds-len(messages)) * time.Second / rate)))
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

// ask runs the query twice and measures the second.
func (q question) ask(ctx context.Context, store *logs.Store) (figure, error) {
	parsed, err := insights.Parse(q.text)
	if err != nil {
		return figure{}, err
	}
	var f figure
	for range 2 {
		began, before := time.Now(), processor(syscall.RUSAGE_SELF)
		v, err := store.View(group)
		if err != nil {
			return figure{}, err
		}
		res, err := parsed.Run(ctx, apilogs.NewSource("123456789012", []*logs.View{v}, logs.NoStart, logs.NoEnd), insights.Options{}, nil)
		if err != nil {
			return figure{}, err
		}
		f = figure{Name: q.name, Rows: int64(len(res.Rows)), Wall: time.Since(began), CPU: processor(syscall.RUSAGE_SELF) - before}
	}
	return f, nil
}
