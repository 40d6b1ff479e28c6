package function

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Bounds of asynchronous invocations, and Lambda's two retries.
const maxEvents = 256

var eventRetries = []time.Duration{time.Minute, 2 * time.Minute}

// eventQueue counts the asynchronous invocations under way. They are kept in
// memory only: a stop of Gatehouse loses those that have not run.
type eventQueue struct {
	stop chan struct{}

	mu      sync.Mutex
	waiting int  // guarded by mu
	closed  bool // guarded by mu
	wg      sync.WaitGroup
}

func (q *eventQueue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	close(q.stop)
	q.wg.Wait()
}

// InvokeEvent takes an invocation whose answer nobody waits for, and retries it
// twice when the function fails. It answers at once: Succeeded that it was
// taken, NotFound, or Throttled when too many wait.
func (s *Service) InvokeEvent(ctx context.Context, req Request) (Result, error) {
	_, v, _, err := s.lookup(req.FunctionARN, req.Qualifier)
	if err != nil {
		return Result{Outcome: NotFound, Message: err.Error()}, nil
	}
	q := &s.events
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.waiting >= maxEvents {
		return Result{Outcome: Throttled, Message: "Too many asynchronous invocations wait.", Concurrency: Concurrency{Scope: "machine", InUse: q.waiting, Limit: maxEvents}}, nil
	}
	q.waiting++
	q.wg.Go(func() {
		defer func() { q.mu.Lock(); q.waiting--; q.mu.Unlock() }()
		ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		go func() {
			select {
			case <-q.stop:
				cancel()
			case <-ctx.Done():
			}
		}()
		s.invokeEvent(ctx, req)
	})
	return Result{Outcome: Succeeded, ExecutedVersion: v.Version}, nil
}

func (s *Service) invokeEvent(ctx context.Context, req Request) {
	for attempt := 0; ; attempt++ {
		res, err := s.Invoke(ctx, req)
		if ctx.Err() != nil || err == nil && res.Outcome == Succeeded || attempt == len(eventRetries) {
			if err != nil || res.Outcome != Succeeded {
				s.cfg.Slog.LogAttrs(ctx, slog.LevelWarn, "an asynchronous invocation was given up", slog.String("function", req.FunctionARN),
					slog.String("outcome", string(res.Outcome)), slog.String("message", res.Message), slog.Any("error", err))
			}
			return
		}
		select {
		case <-time.After(eventRetries[attempt]):
		case <-ctx.Done():
			return
		}
	}
}
