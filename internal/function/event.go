package function

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Bounds of asynchronous invocations. The limits that Lambda has are those of its
// defaults. Source: AWS Lambda developer guide, "How Lambda handles errors and
// retries with asynchronous invocation".
const (
	maxEvents     = 1000          // accepted ones that are not over; ours
	maxEventsAt   = 8             // that run at once; ours
	maxEventAge   = 6 * time.Hour // for those that find no room
	throttleFirst = time.Second   // until one that found no room tries again, doubled each time
	throttleMost  = 5 * time.Minute
)

// eventRetries is how long a failed invocation waits for its next try.
var eventRetries = []time.Duration{time.Minute, 2 * time.Minute}

// An event is an asynchronous invocation. Its row is written before it is
// accepted and removed when it is over, so that a stop or a crash loses none; one
// that was running then runs again.
type event struct {
	id        string
	request   Request
	accepted  time.Time
	due       time.Time
	failures  int           // of the function
	throttled time.Duration // the last wait for room; not kept
}

// events runs the asynchronous invocations.
type events struct {
	s    *Service
	stop context.CancelFunc
	wake chan struct{}
	done chan struct{}

	mu      sync.Mutex // guards what follows
	waiting []*event
	running int
	closed  bool
}

// startEvents goes on with what an earlier run accepted.
func startEvents(ctx context.Context, s *Service) (*events, error) {
	waiting, err := s.rows.events(ctx)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	q := &events{s: s, stop: stop, wake: make(chan struct{}, 1), done: make(chan struct{}), waiting: waiting}
	go q.run(ctx)
	return q, nil
}

// close stops to start invocations and waits for those under way to end: the
// processes are ended with them. What is not over stays in its row.
func (q *events) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.stop()
	<-q.done
}

// InvokeEvent takes an invocation whose answer nobody waits for. It answers
// Succeeded when the invocation is on disk, NotFound, or Throttled when too many
// wait. A function that fails is invoked twice more, one that finds no room is
// tried for six hours.
func (s *Service) InvokeEvent(ctx context.Context, req Request) (Result, error) {
	_, v, _, err := s.lookup(req.FunctionARN, req.Qualifier)
	if err != nil {
		return Result{Outcome: NotFound, Message: err.Error()}, nil
	}
	q := s.events
	q.mu.Lock()
	waiting, closed := len(q.waiting)+q.running, q.closed
	q.mu.Unlock()
	if closed || waiting >= maxEvents {
		return Result{Outcome: Throttled, Message: "Too many asynchronous invocations wait.", Concurrency: Concurrency{Scope: "machine", InUse: waiting, Limit: maxEvents}}, nil
	}
	now := time.Now()
	e := &event{id: uuid.NewString(), request: req, accepted: now, due: now}
	if err := s.rows.putEvent(ctx, e); err != nil {
		return Result{}, err
	}
	q.add(e)
	return Result{Outcome: Succeeded, RequestID: e.id, ExecutedVersion: v.Version}, nil
}

func (q *events) add(e *event) {
	q.mu.Lock()
	q.waiting = append(q.waiting, e)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// run starts what is due, until ctx ends.
func (q *events) run(ctx context.Context) {
	defer close(q.done)
	var wg sync.WaitGroup
	defer wg.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-q.wake:
		}
		for {
			e, next := q.take(time.Now())
			if e == nil {
				timer.Reset(next)
				break
			}
			wg.Go(func() { q.invoke(ctx, e) })
		}
	}
}

// take takes the event that is due first, or tells how long there is none.
func (q *events) take(now time.Time) (*event, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	first := -1
	for i, e := range q.waiting {
		if first < 0 || e.due.Before(q.waiting[first].due) {
			first = i
		}
	}
	switch {
	case first < 0 || q.running >= maxEventsAt:
		return nil, time.Hour // whatever changes that wakes us
	case q.waiting[first].due.After(now):
		return nil, q.waiting[first].due.Sub(now)
	}
	e := q.waiting[first]
	q.waiting = append(q.waiting[:first], q.waiting[first+1:]...)
	q.running++
	return e, 0
}

// invoke runs an event once, and keeps it if it is to run again.
func (q *events) invoke(ctx context.Context, e *event) {
	res, err := q.s.Invoke(ctx, e.request)
	again := ctx.Err() == nil && q.again(e, &res, err)
	var kept error
	switch {
	case ctx.Err() != nil: // its row tells the next run
	case again:
		kept = q.s.rows.putEvent(ctx, e)
	default:
		kept = q.s.rows.removeEvent(ctx, e.id)
	}
	if kept != nil && ctx.Err() == nil {
		q.s.cfg.Slog.LogAttrs(ctx, slog.LevelError, "cannot keep account of an asynchronous invocation: it may run again after a restart",
			slog.String("function", e.request.FunctionARN), slog.Any("error", kept))
	}
	q.mu.Lock()
	q.running--
	q.mu.Unlock()
	if again {
		q.add(e)
		return
	}
	select {
	case q.wake <- struct{}{}: // a place is free
	default:
	}
}

// again tells whether an event has to run again, and sets when.
func (q *events) again(e *event, res *Result, err error) bool {
	now := time.Now()
	switch {
	case err == nil && res.Outcome == Succeeded:
		return false
	case err == nil && res.Outcome == Throttled || err != nil:
		e.throttled = min(max(2*e.throttled, throttleFirst), throttleMost)
		e.due = now.Add(e.throttled)
		if e.due.Sub(e.accepted) <= maxEventAge {
			return true
		}
	case res.Outcome.Ran() && e.failures < len(eventRetries):
		e.due = now.Add(eventRetries[e.failures])
		e.failures++
		return true
	}
	q.s.cfg.Slog.LogAttrs(context.Background(), slog.LevelWarn, "an asynchronous invocation was given up", slog.String("function", e.request.FunctionARN),
		slog.String("outcome", string(res.Outcome)), slog.String("message", res.Message), slog.Any("error", err))
	return false
}
