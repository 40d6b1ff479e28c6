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

	shards [writerShards]shard

	dropped atomic.Uint64
	failed  uint64 // of dropped, those that could not be written; run's own
	wake    chan struct{}
	stop    chan struct{}
	done    chan struct{}
}

// A shard is a buffer of its own, so that those who append seldom meet.
type shard struct {
	mu      sync.Mutex // guards the rest
	pending []Entry
	bytes   int // of their messages
	closed  bool

	_ [64]byte // its neighbour has a line of the cache of its own
}

const (
	flushEvery   = 100 * time.Millisecond
	flushAt      = 2048 // entries of a shard: what is written soon is still in the processor's cache
	writerShards = 4
	shardBytes   = 4 << 20 // of messages that wait, as if nothing were shared
	shardEntries = 16 << 10
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

// Append takes an entry so many times. It reports false if they were dropped: all, or
// none. Entries with the same key keep their order. Safe for concurrent use.
func (w *Writer) Append(key byte, e Entry, times int) bool {
	if e.Body == nil || e.Body.parts[0] == nil {
		w.dropped.Add(uint64(times))
		return false
	}
	size := e.Body.size * times
	s := &w.shards[key%writerShards]
	s.mu.Lock()
	entries, bytes := len(s.pending), s.bytes
	if s.closed || entries+times > shardEntries || bytes+size > shardBytes || e.Body.size > MaxMessage {
		s.mu.Unlock()
		w.dropped.Add(uint64(times))
		return false
	}
	for range times {
		s.pending = append(s.pending, e)
	}
	s.bytes += size
	much := entries < flushAt && len(s.pending) >= flushAt || bytes <= shardBytes/2 && s.bytes > shardBytes/2
	s.mu.Unlock()
	if much {
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
	was := false
	for i := range w.shards {
		s := &w.shards[i]
		s.mu.Lock()
		was, s.closed = s.closed, true
		s.mu.Unlock()
	}
	if was {
		return nil
	}
	close(w.stop)
	<-w.done
	return nil
}

// run hands the buffers to the store until Close. One more than there are shards
// takes turns with them.
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
		for i := range w.shards {
			s := &w.shards[i]
			s.mu.Lock()
			entries, s.pending, s.bytes = s.pending, entries[:0], 0
			s.mu.Unlock()
			w.flush(entries)
			clear(entries) // lets go of the members
		}
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
