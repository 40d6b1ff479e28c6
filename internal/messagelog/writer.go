package messagelog

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

const (
	removalsAfter = 250 * time.Millisecond // what nobody waits for is synced so much later
	retryAfter    = time.Second            // a broken log tries to come back, at first
	retryMost     = 30 * time.Second       // and in the end
	sweepMost     = 30 * time.Second       // expired messages are swept so much later, at most once in this time
)

// lazyAfter is how long what nobody waits for stays unsynced.
func (s *store) lazyAfter() time.Duration {
	if d := s.o.Durability.Interval; d != 0 {
		return d
	}
	return removalsAfter
}

// write is the writer goroutine.
func (s *store) write() {
	defer close(s.done)
	for {
		lazy, stopping := false, false
		select {
		case <-s.wake:
		case <-s.lazy.C:
			lazy = true
		case <-s.sweep.C:
			s.sweepExpired()
			continue
		case <-s.stop:
			stopping = true
		}
		if err := s.flush(lazy || stopping, lazy); err != nil && !stopping {
			s.recover(err)
			continue
		}
		s.checkSpace()
		if stopping {
			s.shutDown()
			return
		}
	}
}

// flush hands what is staged to Pebble, and syncs it if somebody waits for it or all must be synced.
// It answers why the disk is broken.
func (s *store) flush(all, lazy bool) error {
	s.applying.Lock()
	s.mu.Lock()
	if lazy {
		s.armed = false
	}
	if s.e == nil {
		s.mu.Unlock()
		s.applying.Unlock()
		s.refuseWaiters()
		return nil
	}
	e, waiters := s.e, s.waiters
	s.waiters = s.spare
	sync := all || len(waiters) > 0 && s.o.Durability.Interval == 0
	s.written += s.staged
	b := s.takeLocked()
	next := s.ix.nextSeq
	s.mu.Unlock()
	if b == nil && sync && s.unsynced {
		b = e.db.NewBatch()
		_ = b.LogData(nil, nil)
	}
	switch {
	case b == nil:
		sync = false
	case sync:
		_ = e.db.ApplyNoSyncWait(b, pebble.Sync) // the guard tells whether it failed
		s.unsynced = false
	default:
		_ = e.db.Apply(b, pebble.NoSync)
		s.unsynced = true
	}
	s.appliedTo(next)
	s.applying.Unlock()
	if sync {
		_ = b.SyncWait()
	}
	if b != nil {
		_ = b.Close()
	}
	err := e.guard.err()
	result := err
	if err != nil {
		result = brokenBy(err)
	}
	for _, f := range waiters {
		f(result)
	}
	clear(waiters)
	s.spare = waiters[:0]
	return err
}

func brokenBy(err error) error { return fmt.Errorf("%w: %w", ErrBroken, err) }

// takeLocked returns what is staged, and begins a new batch; nil: nothing is.
func (s *store) takeLocked() *pebble.Batch {
	for _, q := range s.dirty {
		q.dirty = false
		if !q.dropped {
			s.setNumberLocked(seqKey(keyCursor, uint64(q.id)), uint64(q.cursor()))
		}
	}
	s.dirty = s.dirty[:0]
	if s.batch.Empty() {
		return nil
	}
	b := s.batch
	s.batch = s.e.db.NewBatch()
	s.staged = 0
	return b
}

func (s *store) appliedTo(next Seq) {
	s.mu.Lock()
	s.applied = max(s.applied, next)
	s.mu.Unlock()
}

// apply hands what is staged to Pebble, so that it can be read.
func (s *store) apply() {
	s.applying.Lock()
	defer s.applying.Unlock()
	s.mu.Lock()
	if s.usableLocked() != nil {
		s.mu.Unlock()
		return
	}
	e, b, next := s.e, s.takeLocked(), s.ix.nextSeq
	if b != nil {
		s.armLocked()
	}
	s.mu.Unlock()
	if b != nil {
		_ = e.db.Apply(b, pebble.NoSync) // the guard tells the writer whether it failed
		_ = b.Close()
		s.unsynced = true
	}
	s.appliedTo(next)
}

// recover lets go of an engine whose disk is broken, and opens another one as soon as it can.
func (s *store) recover(cause error) {
	s.o.Log.LogAttrs(context.Background(), slog.LevelError, "message log broken: nothing is stored until the disk can be written",
		slog.String("dir", s.o.Dir), slog.Any("error", cause))
	s.applying.Lock()
	s.mu.Lock()
	e, b := s.e, s.batch
	s.e, s.batch, s.broken, s.dirty, s.staged = nil, nil, brokenBy(cause), nil, 0
	s.mu.Unlock()
	s.unsynced = false
	s.applying.Unlock()
	s.refuseWaiters()
	_ = b.Close()
	_ = e.close() // says what broke it
	wait := retryAfter
	retry := time.NewTimer(wait)
	defer retry.Stop()
	for {
		select {
		case <-s.wake:
			s.refuseWaiters()
			continue
		case <-s.stop: // write sees it too, as it is closed
			return
		case <-retry.C:
		}
		err := s.reopen()
		if err == nil {
			return
		}
		wait = min(2*wait, retryMost)
		retry.Reset(wait)
		s.o.Log.LogAttrs(context.Background(), slog.LevelWarn, "message log still broken", slog.String("dir", s.o.Dir), slog.Any("error", err), slog.Duration("retry_after", wait))
	}
}

// refuseWaiters tells those who wait that the log is broken.
func (s *store) refuseWaiters() {
	s.mu.Lock()
	waiters, err := s.waiters, s.broken
	s.waiters = nil
	s.mu.Unlock()
	for _, f := range waiters {
		f(err)
	}
}

// reopen opens what is on disk anew. On a full disk that works once the reserve is given up; then
// messages can be removed, which makes room.
func (s *store) reopen() error {
	if s.noRoom() != nil {
		s.giveReserve()
	}
	e, ix, err := s.openEngine()
	if err != nil {
		return err
	}
	s.looked = time.Time{}
	full := s.noRoom()
	s.mu.Lock()
	ix.nextSeq = max(ix.nextSeq, s.ix.nextSeq) // what was given out is not given out again
	ix.lastQueue = max(ix.lastQueue, s.ix.lastQueue)
	s.adoptLocked(e, ix)
	s.full = full
	s.mu.Unlock()
	s.o.Log.LogAttrs(context.Background(), slog.LevelInfo, "message log works again", slog.String("dir", s.o.Dir))
	return nil
}

// Close implements [Log].
func (s *store) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if first {
		close(s.stop)
	}
	<-s.done
	return s.err
}

// shutDown ends what the writer goroutine wrote to.
func (s *store) shutDown() {
	s.lazy.Stop()
	s.sweep.Stop()
	s.mu.Lock()
	e, b, broken := s.e, s.batch, s.broken
	s.mu.Unlock()
	s.err = broken
	if e != nil {
		_ = b.Close()
		s.err = e.close()
	}
	if err := s.lock.Close(); s.err == nil {
		s.err = err
	}
}
