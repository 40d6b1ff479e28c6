package broker

import (
	"container/heap"
	"sync"
	"time"
)

// expiries ends sessions on time. One timer is set for the earliest; no goroutine waits.
type expiries struct {
	expire func(*Session)

	mu      sync.Mutex
	list    dueList     // guarded by mu: the earliest first
	timer   *time.Timer // guarded by mu; nil until the first session
	stopped bool        // guarded by mu
}

// add puts s in, due at t, or moves it there.
func (e *expiries) add(s *Session, t time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s.due = t
	if s.slot > 0 {
		heap.Fix(&e.list, s.slot-1)
	} else {
		heap.Push(&e.list, s)
	}
	if s.slot == 1 {
		e.setLocked()
	}
}

// remove takes s out, if it is in.
func (e *expiries) remove(s *Session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s.slot > 0 {
		heap.Remove(&e.list, s.slot-1) // a timer that comes too early finds nothing to do
	}
}

func (e *expiries) setLocked() {
	if e.stopped || len(e.list) == 0 {
		return
	}
	d := max(0, time.Until(e.list[0].due))
	if e.timer == nil {
		e.timer = time.AfterFunc(d, e.run)
	} else {
		e.timer.Reset(d)
	}
}

func (e *expiries) run() {
	for {
		e.mu.Lock()
		if e.stopped || len(e.list) == 0 || time.Until(e.list[0].due) > 0 {
			e.setLocked()
			e.mu.Unlock()
			return
		}
		s := heap.Pop(&e.list).(*Session)
		e.mu.Unlock()
		e.expire(s)
	}
}

func (e *expiries) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopped = true
	if e.timer != nil {
		e.timer.Stop()
	}
}

// dueList implements [heap.Interface].
type dueList []*Session

func (l *dueList) Len() int           { return len(*l) }
func (l *dueList) Less(i, j int) bool { return (*l)[i].due.Before((*l)[j].due) }

func (l *dueList) Swap(i, j int) {
	list := *l
	list[i], list[j] = list[j], list[i]
	list[i].slot, list[j].slot = i+1, j+1
}

func (l *dueList) Push(x any) {
	s := x.(*Session)
	*l = append(*l, s)
	s.slot = len(*l)
}

func (l *dueList) Pop() any {
	old := *l
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*l = old[:len(old)-1]
	s.slot = 0
	return s
}
