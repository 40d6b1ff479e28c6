package otlp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
)

// Bounds of what waits for the collector, of each signal.
const (
	batchItems = 512
	batchEvery = time.Second // a batch that is not full goes after it
	queueItems = 8192
	queueBytes = 8 << 20
	awayTime   = time.Minute     // how long a batch waits for a collector that is away
	closeTime  = 3 * time.Second // how long a stop waits for the collector
)

// Config is what an Exporter needs.
type Config struct {
	Destination
	Account, Region string
	Version         string                              // of Gatehouse
	Explain         func(attempt.Record) attempt.Report // required with Traces: puts an attempt into words
	Log             *slog.Logger                        // required: says that the collector can't be reached, at most once a minute
}

// An Exporter sends to a collector. Make it with [Open]; safe for concurrent use.
type Exporter struct {
	cfg     Config
	logs    *pipe[entry]
	traces  *pipe[attempt.Record]
	cancel  context.CancelFunc
	workers sync.WaitGroup
	close   sync.Once
	closers []func(context.Context) error
}

// Open starts exporting. It does not wait for the collector: it may come later.
// Errors are those of the variables that the SDK reads.
func Open(cfg Config) (*Exporter, error) {
	ctx, cancel := context.WithCancel(context.Background())
	e := &Exporter{cfg: cfg, cancel: cancel}
	about, err := resource.New(
		ctx, resource.WithAttributes(
			attribute.String("service.name", "gatehouse"), attribute.String("service.version", cfg.Version),
			attribute.String("cloud.account.id", cfg.Account), attribute.String("cloud.region", cfg.Region),
		), resource.WithHost(), resource.WithTelemetrySDK(), resource.WithFromEnv(), // the last one wins
	)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	if cfg.Logs {
		err = e.openLogs(ctx, about)
	}
	if err == nil && cfg.Traces {
		err = e.openTraces(ctx, about)
	}
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (e *Exporter) openLogs(ctx context.Context, about *resource.Resource) error {
	var options []otlploghttp.Option
	if e.cfg.Endpoint != "" {
		options = append(options, otlploghttp.WithEndpointURL(e.cfg.Endpoint+"/v1/logs"))
	}
	exporter, err := otlploghttp.New(ctx, options...)
	if err != nil {
		return fmt.Errorf("OTLP export of logs: %w", err)
	}
	gathered := &logBatch{}
	provider := sdklog.NewLoggerProvider(sdklog.WithResource(about), sdklog.WithProcessor(gathered))
	logger := provider.Logger("github.com/gatehouse-iot/gatehouse/devicelog")
	e.closers = append(e.closers, exporter.Shutdown)
	e.logs = newPipe("logs", e.cfg.Log, func(ctx context.Context, entries []entry) error {
		gathered.records = gathered.records[:0]
		for _, one := range entries {
			one.emit(logger)
		}
		return exporter.Export(ctx, gathered.records)
	})
	e.workers.Go(func() { e.logs.run(ctx) })
	return nil
}

func (e *Exporter) openTraces(ctx context.Context, about *resource.Resource) error {
	var options []otlptracehttp.Option
	if e.cfg.Endpoint != "" {
		options = append(options, otlptracehttp.WithEndpointURL(e.cfg.Endpoint+"/v1/traces"))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return fmt.Errorf("OTLP export of traces: %w", err)
	}
	gathered := &spanBatch{}
	provider := sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithIDGenerator(generator{}), sdktrace.WithSpanProcessor(gathered))
	tracer := provider.Tracer("github.com/gatehouse-iot/gatehouse/attempt")
	e.closers = append(e.closers, exporter.Shutdown)
	e.traces = newPipe("traces", e.cfg.Log, func(ctx context.Context, records []attempt.Record) error {
		gathered.spans = gathered.spans[:0]
		for _, rec := range records {
			record(tracer, rec, e.cfg.Explain(rec))
		}
		if len(gathered.spans) == 0 {
			return nil // the sampler left all of them out
		}
		return exporter.ExportSpans(ctx, gathered.spans)
	})
	e.workers.Go(func() { e.traces.run(ctx) })
	return nil
}

// Entry exports one line of the devices' log, of time ms (epoch milliseconds). It
// copies message and never waits.
func (e *Exporter) Entry(ms int64, message []byte) {
	if e.logs != nil {
		e.logs.add(entry{time.UnixMilli(ms), append([]byte(nil), message...)}, 64+len(message))
	}
}

// Attempt exports an attempt that ended. It never waits.
func (e *Exporter) Attempt(rec attempt.Record) {
	if e.traces != nil {
		rec.Certificate = nil // not exported
		e.traces.add(rec, recordSize(&rec))
	}
}

// Counts says what became of the records of one signal.
type Counts struct {
	Exported uint64 // the collector took them
	Dropped  uint64 // there was no room for them
	Failed   uint64 // the collector did not take them
}

// Logs counts entries.
func (e *Exporter) Logs() Counts { return e.logs.counts() }

// Traces counts attempts.
func (e *Exporter) Traces() Counts { return e.traces.counts() }

// Close sends what waits, for three seconds at most, and counts the rest as failed.
func (e *Exporter) Close() error {
	var err error
	e.close.Do(func() {
		late := time.AfterFunc(closeTime, e.cancel)
		defer late.Stop()
		e.logs.end()
		e.traces.end()
		e.workers.Wait()
		e.cancel()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		for _, shutdown := range e.closers {
			err = errors.Join(err, shutdown(ctx))
		}
	})
	return err
}

// A pipe takes the records of one signal to the collector.
type pipe[T any] struct {
	signal  string
	machine *slog.Logger
	queue   *queue[T]
	send    func(context.Context, []T) error
	stop    chan struct{}

	exported, dropped, failed atomic.Uint64
	reported                  time.Time // when a failure was last told
}

func newPipe[T any](signal string, machine *slog.Logger, send func(context.Context, []T) error) *pipe[T] {
	return &pipe[T]{signal: signal, machine: machine, queue: newQueue[T](queueItems, queueBytes), send: send, stop: make(chan struct{})}
}

func (p *pipe[T]) add(item T, size int) {
	if !p.queue.push(item, size) {
		p.dropped.Add(1)
	}
}

func (p *pipe[T]) end() {
	if p != nil {
		close(p.stop)
	}
}

func (p *pipe[T]) counts() Counts {
	if p == nil {
		return Counts{}
	}
	return Counts{p.exported.Load(), p.dropped.Load(), p.failed.Load()}
}

// run sends batches until the pipe ends and is empty. When ctx ends, what is left fails.
func (p *pipe[T]) run(ctx context.Context) {
	tick := time.NewTicker(batchEvery)
	defer tick.Stop()
	for open := true; open; {
		select {
		case <-tick.C:
		case <-p.queue.wake:
		case <-p.stop:
			open = false
		}
		for more := true; more; {
			var batch []T
			if batch, more = p.queue.take(); len(batch) > 0 {
				p.sendBatch(ctx, batch)
			}
			more = more || !open && len(batch) > 0
		}
	}
}

// sendBatch sends one batch. The SDK tries again where an answer says that this may
// help; here is for a collector that is not there, perhaps because it restarts.
func (p *pipe[T]) sendBatch(ctx context.Context, batch []T) {
	err := p.send(ctx, batch)
	for since := time.Now(); unreachable(err) && time.Since(since) < awayTime && p.pause(ctx); {
		err = p.send(ctx, batch)
	}
	if err == nil {
		p.exported.Add(uint64(len(batch)))
		return
	}
	p.failed.Add(uint64(len(batch)))
	if now := time.Now(); now.Sub(p.reported) >= time.Minute {
		p.reported = now
		p.machine.Error("the OpenTelemetry collector does not take what is exported", "signal", p.signal, "error", err, "failed", p.failed.Load(), "dropped", p.dropped.Load())
	}
}

// pause waits before another try, and reports whether there is to be one.
func (p *pipe[T]) pause(ctx context.Context) bool {
	t := time.NewTimer(batchEvery)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.stop:
	case <-ctx.Done():
	}
	return false
}

// unreachable says whether err is that nobody took the connection.
func unreachable(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "dial"
}

// logBatch gathers the records of a batch. One goroutine uses it.
type logBatch struct{ records []sdklog.Record }

func (b *logBatch) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

func (b *logBatch) OnEmit(_ context.Context, r *sdklog.Record) error {
	b.records = append(b.records, r.Clone())
	return nil
}

func (b *logBatch) Shutdown(context.Context) error   { return nil }
func (b *logBatch) ForceFlush(context.Context) error { return nil }

// spanBatch gathers the spans of a batch. One goroutine uses it.
type spanBatch struct{ spans []sdktrace.ReadOnlySpan }

func (b *spanBatch) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (b *spanBatch) OnEnd(s sdktrace.ReadOnlySpan)                   { b.spans = append(b.spans, s) }
func (b *spanBatch) Shutdown(context.Context) error                  { return nil }
func (b *spanBatch) ForceFlush(context.Context) error                { return nil }
