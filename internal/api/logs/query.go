package logs

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-iot/gatehouse/insights"
)

// Bounds of queries. Source: logs sheet 6.7; the rest is ours.
const (
	maxQueries     = 100 // that run or wait
	queriesAtOnce  = 2   // that run
	queryTime      = 60 * time.Minute
	resultTime     = 7 * 24 * time.Hour
	maxKept        = 1000 // queries whose results are kept
	maxKeptBytes   = 256 << 20
	maxQueryGroups = 50

	maxSourceGroups = 10_000
	rowsOfPage      = 10_000
)

// query is one query, from its start until its result is forgotten.
type query struct {
	id, text string
	groups   []string
	created  time.Time
	progress insights.Progress
	cancel   context.CancelCauseFunc

	// Guarded by queries.mu.
	status QueryStatus
	ended  time.Time
	result *insights.Result
	bytes  int64 // of the result, roughly
}

// queries are the queries of the account.
type queries struct {
	h      *Handlers
	ctx    context.Context // ends with the handlers
	stop   context.CancelFunc
	places chan struct{} // one for each query that runs
	done   sync.WaitGroup

	mu   sync.Mutex // guards the rest
	list []*query   // the oldest first
	byID map[string]*query
	live int // that run or wait
}

func newQueries(h *Handlers) *queries {
	q := &queries{h: h, places: make(chan struct{}, queriesAtOnce), byID: map[string]*query{}}
	q.ctx, q.stop = context.WithCancel(context.Background())
	return q
}

func (qs *queries) close() {
	qs.stop()
	qs.done.Wait()
}

var errStopped = errors.New("the query was stopped")

// start runs a query in the background.
func (qs *queries) start(q *query, parsed *insights.Query, src insights.Source, opt insights.Options) error {
	ctx, cancel := context.WithCancelCause(qs.ctx)
	q.cancel, q.status = cancel, QueryStatusScheduled
	qs.mu.Lock()
	defer qs.mu.Unlock()
	qs.forgetLocked(q.created)
	if qs.live >= maxQueries {
		cancel(nil)
		return LimitExceededException("At most %d queries run at once; wait for one to end, or stop one.", maxQueries)
	}
	qs.live++
	qs.list = append(qs.list, q)
	qs.byID[q.id] = q
	qs.done.Go(func() { qs.run(ctx, q, parsed, src, opt) })
	return nil
}

func (qs *queries) run(ctx context.Context, q *query, parsed *insights.Query, src insights.Source, opt insights.Options) {
	defer q.cancel(nil)
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	var result *insights.Result
	var err error
	select {
	case qs.places <- struct{}{}:
		qs.mu.Lock()
		q.status = QueryStatusRunning
		qs.mu.Unlock()
		result, err = parsed.Run(ctx, src, opt, &q.progress)
		<-qs.places
	case <-ctx.Done():
		err = ctx.Err()
	}
	qs.mu.Lock()
	defer qs.mu.Unlock()
	qs.live--
	q.ended = time.Now()
	switch {
	case err == nil:
		q.status, q.result = QueryStatusComplete, result
		for _, row := range result.Rows {
			q.bytes += 48
			for _, c := range row {
				q.bytes += int64(32 + len(c.Value))
			}
		}
	case errors.Is(context.Cause(ctx), errStopped):
		q.status = QueryStatusCancelled
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		q.status = QueryStatusTimeout
	default:
		q.status = QueryStatusFailed
		if qs.ctx.Err() == nil {
			qs.h.cfg.Log.Error("a Logs Insights query failed", "query_id", q.id, "error", err.Error())
		}
	}
	qs.forgetLocked(q.ended)
}

// forgetLocked lets go of the oldest results that are too old or too many.
func (qs *queries) forgetLocked(now time.Time) {
	var bytes int64
	for _, q := range qs.list {
		bytes += q.bytes
	}
	kept := qs.list[:0]
	n := len(qs.list)
	for _, q := range qs.list {
		if !q.ended.IsZero() && (now.Sub(q.ended) > resultTime || n > maxKept || bytes > maxKeptBytes) && q.ended != now {
			delete(qs.byID, q.id)
			bytes -= q.bytes
			n--
			continue
		}
		kept = append(kept, q)
	}
	clear(qs.list[len(kept):])
	qs.list = kept
}

// newQuery returns a query with an ID.
func newQuery(text string, groups []string) *query {
	return &query{id: uuid.NewString(), text: text, groups: groups, created: time.Now()}
}
