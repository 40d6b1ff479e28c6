package logs

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Writer takes the events of device traffic for one stream. Its Append copies
// into a bounded buffer and never waits: when the disk can't keep up, events are
// dropped and counted. What kill -9 may take with it are the events of the last
// flushEvery.
type Writer struct {
	store         *Store
	group, stream string
	retention     int

	mu      sync.Mutex // guards the rest
	text    []byte     // of the messages, one after the other
	pending []pending
	closed  bool

	dropped atomic.Uint64
	wake    chan struct{}
	stop    chan struct{}
	done    chan struct{}
}

type pending struct {
	time int64
	end  int // of the message in text
}

const (
	flushEvery   = 100 * time.Millisecond
	writerBytes  = 4 << 20 // of messages that wait
	writerEvents = 32 << 10
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
		text: make([]byte, 0, 64<<10), pending: make([]pending, 0, 256),
	}
	go w.run()
	return w, nil
}

// Append buffers a copy of message, an event of time ms (epoch milliseconds).
// It reports false if the event was dropped. Safe for concurrent use; use one
// Writer (and stream) per shard where that matters.
func (w *Writer) Append(ms int64, message []byte) bool {
	w.mu.Lock()
	if w.closed || len(w.pending) >= writerEvents || len(w.text)+len(message) > writerBytes || len(message) > MaxMessage {
		w.mu.Unlock()
		w.dropped.Add(1)
		return false
	}
	w.text = append(w.text, message...)
	w.pending = append(w.pending, pending{ms, len(w.text)})
	half := len(w.text) > writerBytes/2
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
	var text []byte
	var rows []pending
	var events []Event
	reported := uint64(0)
	for open := true; open; {
		select {
		case <-tick.C:
		case <-w.wake:
		case <-w.stop:
			open = false
		}
		w.mu.Lock()
		text, w.text = w.text, text[:0]
		rows, w.pending = w.pending, rows[:0]
		w.mu.Unlock()
		events = w.flush(text, rows, events[:0])
		if n := w.dropped.Load(); n > reported {
			w.store.dropped.Add(n - reported)
			w.store.cfg.Log.Warn("device log events were dropped: the log store could not keep up", "log_group", w.group, "dropped", n-reported)
			reported = n
		}
	}
}

// flush writes one buffer.
func (w *Writer) flush(text []byte, rows []pending, events []Event) []Event {
	if len(rows) == 0 {
		return events
	}
	all := string(text) // one copy; the events share it
	start := 0
	for _, p := range rows {
		events = append(events, Event{Time: p.time, Message: all[start:p.end]})
		start = p.end
	}
	written := 0
	g, st, err := w.store.ensure(w.group, w.stream, w.retention)
	for rest := events; err == nil && len(rest) > 0; {
		n := min(len(rest), MaxBatch)
		if err = w.store.write(g, st, rest[:n], false); err == nil {
			rest = rest[n:]
			written += n
		}
	}
	if err != nil {
		w.dropped.Add(uint64(len(events) - written))
		w.store.cfg.Log.Error("device log events could not be written", "log_group", w.group, "error", err.Error())
	}
	return events
}
