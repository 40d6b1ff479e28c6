package logs

import (
	"slices"
	"sync"
	"sync/atomic"
)

// A Watch collects the events of some groups as they come, for a live tail.
type Watch struct {
	groups []string
	all    *watchers

	mu      sync.Mutex // guards the rest
	events  []Seen
	bytes   int
	dropped uint64
}

// A Seen is an event that came while a Watch looked.
type Seen struct {
	Event
	Group, Stream string
	Ingested      int64 // epoch ms
}

// Bounds of what a Watch holds between two calls of Take.
const (
	watchEvents = 20_000
	watchBytes  = 16 << 20
)

type watchers struct {
	mu   sync.Mutex // held by those who change the list
	list atomic.Pointer[[]*Watch]
}

// Watch begins to collect the events of the named groups, which need not exist
// yet. Stop it when done.
func (s *Store) Watch(groups ...string) *Watch {
	w := &Watch{groups: groups, all: &s.watchers}
	w.all.mu.Lock()
	defer w.all.mu.Unlock()
	var list []*Watch
	if old := w.all.list.Load(); old != nil {
		list = slices.Clone(*old)
	}
	list = append(list, w)
	w.all.list.Store(&list)
	return w
}

// Stop ends the collection.
func (w *Watch) Stop() {
	w.all.mu.Lock()
	defer w.all.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(*w.all.list.Load()), func(o *Watch) bool { return o == w })
	w.all.list.Store(&list)
}

// Take returns what came since the last call, and how many events found no room.
func (w *Watch) Take() (events []Seen, dropped uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	events, dropped = w.events, w.dropped
	w.events, w.bytes, w.dropped = nil, 0, 0
	return events, dropped
}

// look reports whether anybody watches the group.
func (ws *watchers) look(group string) bool {
	list := ws.list.Load()
	return list != nil && slices.ContainsFunc(*list, func(w *Watch) bool { return slices.Contains(w.groups, group) })
}

// tell never waits: a Watch that nobody empties drops.
func (ws *watchers) tell(group, stream string, now int64, events []Event) {
	list := ws.list.Load()
	if list == nil {
		return
	}
	for _, w := range *list {
		if !slices.Contains(w.groups, group) {
			continue
		}
		w.mu.Lock()
		for _, e := range events {
			if len(w.events) >= watchEvents || w.bytes >= watchBytes {
				w.dropped++
				continue
			}
			w.events = append(w.events, Seen{e, group, stream, now})
			w.bytes += len(e.Message)
		}
		w.mu.Unlock()
	}
}
