package logs

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Writer takes the entries of device traffic for one stream. Its Append puts
// them into a bounded buffer and never waits: when the disk can't keep up, entries
// are dropped and counted. What kill -9 may take with it are the entries of the
// last flushEvery.
type Writer struct {
	store         *Store
	group, stream string
	retention     int

	mu      sync.Mutex // guards the rest
	pending []Entry
	bytes   int // of their messages
	closed  bool

	dropped atomic.Uint64
	failed  uint64 // of dropped, those that could not be written; run's own
	wake    chan struct{}
	stop    chan struct{}
	done    chan struct{}
}

const (
	flushEvery    = 100 * time.Millisecond
	writerBytes   = 16 << 20 // of messages that wait, as if nothing were shared
	writerEntries = 32 << 10
)

// NewWriter returns a Writer for a stream; group and stream come into being with
// the first event, the group with a retention of that many days (0: for ever).
// Close it before the store.
func (s *Store) NewWriter(group, stream string, retentionDays int) (*Writer, error) {
	if !validGroup(group) || !validStream(stream) {
		return nil, ErrName
	}
	w := &Writer{
		store: s, group: group, stream: stream, retention: retentionDays,
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go w.run()
	return w, nil
}

// Append takes an entry. It reports false if the entry was dropped. Safe for
// concurrent use; use one Writer (and stream) per shard where that matters.
func (w *Writer) Append(e Entry) bool {
	size := e.size()
	w.mu.Lock()
	if w.closed || len(w.pending) >= writerEntries || w.bytes+size > writerBytes || size > MaxMessage || e.Parts[0] == nil {
		w.mu.Unlock()
		w.dropped.Add(1)
		return false
	}
	w.pending = append(w.pending, e)
	before := w.bytes
	w.bytes += size
	half := len(w.pending) == writerEntries/2 || before <= writerBytes/2 && w.bytes > writerBytes/2
	w.mu.Unlock()
	if half {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// Dropped counts the events that found no room since the Writer was made.
func (w *Writer) Dropped() uint64 { return w.dropped.Load() }

// Close hands what is buffered to the store.
func (w *Writer) Close() error {
	w.mu.Lock()
	was := w.closed
	w.closed = true
	w.mu.Unlock()
	if was {
		return nil
	}
	close(w.stop)
	<-w.done
	return nil
}

// run hands the buffer to the store until Close. Two buffers take turns.
func (w *Writer) run() {
	defer close(w.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	var entries []Entry
	reported, told := uint64(0), uint64(0)
	for open := true; open; {
		select {
		case <-tick.C:
		case <-w.wake:
		case <-w.stop:
			open = false
		}
		w.mu.Lock()
		entries, w.pending, w.bytes = w.pending, entries[:0], 0
		w.mu.Unlock()
		w.flush(entries)
		clear(entries) // lets go of the members
		if n := w.dropped.Load(); n > reported {
			w.store.dropped.Add(n - reported)
			w.store.cfg.Log.Warn("device log events were dropped: the log store could not keep up", "log_group", w.group, "dropped", n-reported)
			if none := n - reported - (w.failed - told); none > 0 {
				w.store.lost(w.group, LostRoom, int(none))
			}
			reported, told = n, w.failed
		}
	}
}

// flush writes one buffer.
func (w *Writer) flush(entries []Entry) {
	if len(entries) == 0 {
		return
	}
	g, st, err := w.store.ensure(w.group, w.stream, w.retention)
	for err == nil && len(entries) > 0 {
		n := min(len(entries), MaxBatch)
		if err = w.store.writeEntries(g, st, entries[:n]); err == nil {
			entries = entries[n:]
		}
	}
	if err != nil {
		w.dropped.Add(uint64(len(entries)))
		w.failed += uint64(len(entries))
		w.store.lost(w.group, lossOf(err), len(entries))
		w.store.cfg.Log.Error("device log events could not be written", "log_group", w.group, "error", err.Error())
	}
}
