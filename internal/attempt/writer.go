package attempt

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"
)

const (
	writeEvery = 250 * time.Millisecond // gather so long, so that a batch shares one transaction
	writeMost  = 2048                   // records of a batch
	writeLimit = 10 * time.Second       // a store that takes longer loses the batch
	pruneEvery = time.Minute
	pruneAfter = 10_000 // records, or sooner: a flood of large ones must not fill the disk within a minute
)

// write is the writer goroutine: it carries what has ended to the store.
func (r *Recorder) write() {
	defer close(r.done)
	var pruned time.Time
	written := 0 // since then
	for {
		stopping := false
		select {
		case <-r.wake:
			gather := time.NewTimer(writeEvery)
			select {
			case <-gather.C:
			case <-r.stop:
				gather.Stop()
				stopping = true
			}
		case <-r.stop:
			stopping = true
		}
		for n := r.writeBatch(); n > 0; n = r.writeBatch() { // a flood never lets it end
			written += n
			if now := time.Now(); !stopping && (now.Sub(pruned) >= pruneEvery || written >= pruneAfter) {
				pruned, written = now, 0
				r.prune(now)
			}
		}
		if stopping {
			return
		}
	}
}

// writeBatch writes some of what waits, and counts it; 0: nothing waits.
func (r *Recorder) writeBatch() int {
	r.mu.Lock()
	batch := make(map[string]Record, min(len(r.pending), writeMost))
	for id, rec := range r.pending {
		if len(batch) == writeMost {
			break
		}
		batch[id] = rec
		delete(r.pending, id)
	}
	r.writing = batch // queries see it meanwhile
	r.mu.Unlock()
	if len(batch) == 0 {
		return 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	err := r.cfg.Store.Write(ctx, slices.Collect(maps.Values(batch)))
	if err != nil {
		r.metrics.storeErrors.Add(1)
		r.metrics.dropped.Add(uint64(len(batch)))
		r.cfg.Log.LogAttrs(ctx, slog.LevelError, "attempts lost: the store failed", slog.Int("attempts", len(batch)), slog.Any("error", err))
	}
	r.mu.Lock()
	r.writing = nil
	r.mu.Unlock()
	return len(batch)
}

// prune keeps the store within its bounds.
func (r *Recorder) prune(now time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	if err := r.cfg.Store.Prune(ctx, now.Add(-r.cfg.MaxAge), r.cfg.Max); err != nil {
		r.metrics.storeErrors.Add(1)
		r.cfg.Log.LogAttrs(ctx, slog.LevelError, "old attempts not removed", slog.Any("error", err))
	}
}
