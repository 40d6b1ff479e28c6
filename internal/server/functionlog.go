package server

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/function"
	"github.com/gatehouse-iot/gatehouse/internal/logs"
)

// Bounds of a function's log events that are not on disk yet.
const (
	collectTime  = 20 * time.Millisecond // for one sync to serve several invocations; what kill -9 may take
	mostUnstored = 2 << 20               // bytes of one stream before its function waits
	putBytes     = 1 << 20               // of one call to the store
	putEvents    = 5000
)

// functionLog writes the functions' output to the log store, one stream for each
// process. Nothing is dropped: a function that writes faster than the disk waits.
type functionLog struct {
	store *logs.Store
	slog  *slog.Logger
}

// NewStream implements [function.Log].
func (l functionLog) NewStream(group, stream string) (function.LogStream, error) {
	s := &functionStream{log: l, group: group, name: stream, wake: make(chan struct{}, 1), done: make(chan struct{})}
	s.room = sync.NewCond(&s.mu)
	go s.write()
	return s, nil
}

// functionStream is the log stream of one process.
type functionStream struct {
	log         functionLog
	group, name string
	wake        chan struct{}
	done        chan struct{}

	mu     sync.Mutex // guards what follows
	room   *sync.Cond
	events []logs.Event
	bytes  int // of events, and of those that are being written
	closed bool
}

// Append implements [function.LogStream].
func (s *functionStream) Append(ms int64, message []byte) {
	s.mu.Lock()
	s.events = append(s.events, logs.Event{Time: ms, Message: string(message)})
	s.bytes += len(message)
	s.mu.Unlock()
	s.signal()
}

func (s *functionStream) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Wait implements [function.LogStream].
func (s *functionStream) Wait() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.bytes > mostUnstored && !s.closed {
		s.room.Wait()
	}
}

// Close implements [function.LogStream].
func (s *functionStream) Close() error {
	s.mu.Lock()
	s.closed = true
	s.room.Broadcast()
	s.mu.Unlock()
	s.signal()
	<-s.done
	return nil
}

// write hands events to the store until Close. While the disk works the next
// ones gather.
func (s *functionStream) write() {
	defer close(s.done)
	for open := true; open; {
		<-s.wake
		time.Sleep(collectTime)
		s.mu.Lock()
		events := s.events
		s.events = nil
		open = !s.closed
		s.mu.Unlock()
		s.put(events)
	}
}

// put writes events in their order. What the disk refuses is told and given up:
// a full disk must not stop the functions.
func (s *functionStream) put(events []logs.Event) {
	for len(events) > 0 {
		n, size := 0, 0
		for n < len(events) && n < putEvents && (n == 0 || size+len(events[n].Message) <= putBytes) {
			size += len(events[n].Message)
			n++
		}
		if err := s.log.store.Put(s.group, s.name, events[:n]); err != nil {
			s.log.slog.LogAttrs(context.Background(), slog.LevelError, "a function's log events could not be written",
				slog.String("log_group", s.group), slog.Int("events", n), slog.Any("error", err))
		}
		events = events[n:]
		s.mu.Lock()
		s.bytes -= size
		s.room.Broadcast()
		s.mu.Unlock()
	}
}
