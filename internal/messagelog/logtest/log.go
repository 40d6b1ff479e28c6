// Package logtest has a message log in memory for the tests of what stands on one: slow, obviously
// right, and able to refuse, to hold back the disk and to lose what it did not have yet.
package logtest

import (
	"bytes"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/messagelog"
)

// A Log keeps everything in memory. The zero Log is empty. It is safe for concurrent use.
type Log struct {
	mu       sync.Mutex
	state    state
	synced   *state // what a crash leaves; nil: everything is on disk at once
	waiting  []func(error)
	refusing error
	Reads    int // calls of Read, guarded by mu
	Appends  int // calls of Append that stored, guarded by mu
}

// state is what is stored.
type state struct {
	seq      messagelog.Seq
	queue    messagelog.QueueID
	queues   map[messagelog.QueueID][]messagelog.Queued
	sessions map[string]*messagelog.SessionRecord
	groups   map[messagelog.Group]messagelog.QueueID
	retained map[string]*messagelog.Retained
	numbers  int64
}

func (s *state) init() {
	if s.queues == nil {
		s.queues = map[messagelog.QueueID][]messagelog.Queued{}
		s.sessions = map[string]*messagelog.SessionRecord{}
		s.groups = map[messagelog.Group]messagelog.QueueID{}
		s.retained = map[string]*messagelog.Retained{}
	}
}

func (s *state) clone() *state {
	c := *s
	c.init()
	c.queues = map[messagelog.QueueID][]messagelog.Queued{}
	for q, list := range s.queues {
		c.queues[q] = slices.Clone(list)
	}
	c.sessions, c.groups, c.retained = maps.Clone(s.sessions), maps.Clone(s.groups), maps.Clone(s.retained)
	return &c
}

// Refuse makes every method that stores answer err, until it is called with nil.
func (l *Log) Refuse(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refusing = err
}

// Hold keeps what comes from the disk until [Log.Sync].
func (l *Log) Hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.synced = l.state.clone()
}

// Sync brings everything to the disk and tells who waits for it; with an error nothing reaches it.
func (l *Log) Sync(err error) {
	l.mu.Lock()
	if l.synced != nil && err == nil {
		l.synced = l.state.clone()
	}
	waiting := l.waiting
	l.waiting = nil
	l.mu.Unlock()
	for _, f := range waiting {
		f(err)
	}
}

// Crash forgets what is not on the disk, and who waited for it.
func (l *Log) Crash() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.synced != nil {
		l.state, l.synced = *l.synced, nil
	}
	l.waiting = nil
}

func (l *Log) lock() func() {
	l.mu.Lock()
	l.state.init()
	return l.mu.Unlock
}

// Append implements [messagelog.Log].
func (l *Log) Append(m *messagelog.Message, to []messagelog.Reference) (messagelog.Seq, error) {
	defer l.lock()()
	if l.refusing != nil {
		return 0, l.refusing
	}
	c := *m
	c.Payload, c.Properties = bytes.Clone(m.Payload), bytes.Clone(m.Properties)
	stored := messagelog.Seq(0)
	for _, ref := range to {
		if _, ok := l.state.queues[ref.Queue]; ok {
			stored = l.state.seq + 1
			l.state.queues[ref.Queue] = append(l.state.queues[ref.Queue], messagelog.Queued{Seq: stored, Flags: ref.Flags, Message: c})
		}
	}
	if stored > 0 {
		l.state.seq = stored
		l.Appends++
	}
	return stored, nil
}

// OnDurable implements [messagelog.Log].
func (l *Log) OnDurable(f func(error)) {
	l.mu.Lock()
	if l.synced != nil {
		l.waiting = append(l.waiting, f)
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	f(nil)
}

// Remove implements [messagelog.Log].
func (l *Log) Remove(q messagelog.QueueID, seqs ...messagelog.Seq) {
	defer l.lock()()
	if list, ok := l.state.queues[q]; ok {
		l.state.queues[q] = slices.DeleteFunc(slices.Clone(list), func(m messagelog.Queued) bool { return slices.Contains(seqs, m.Seq) })
	}
}

// Read implements [messagelog.Log].
func (l *Log) Read(q messagelog.QueueID, after messagelog.Seq, maxMessages, maxBytes int) (page []messagelog.Queued, err error) {
	defer l.lock()()
	l.Reads++
	size := 0
	for _, m := range l.state.queues[q] {
		if m.Seq <= after || !m.Expires.IsZero() && !time.Now().Before(m.Expires) {
			continue
		}
		if size += len(m.Topic) + len(m.Payload) + len(m.Properties); len(page) > 0 && size > maxBytes || len(page) == maxMessages {
			break
		}
		page = append(page, m)
	}
	return page, nil
}

// Depth implements [messagelog.Log].
func (l *Log) Depth(q messagelog.QueueID) (d messagelog.Depth) {
	defer l.lock()()
	for _, m := range l.state.queues[q] {
		d.Messages++
		d.Bytes += int64(len(m.Topic) + len(m.Payload) + len(m.Properties))
	}
	return d
}

// PutSession implements [messagelog.Log].
func (l *Log) PutSession(s *messagelog.SessionRecord) error {
	defer l.lock()()
	if l.refusing != nil {
		return l.refusing
	}
	old := l.state.sessions[s.ClientID]
	if s.Queue == 0 {
		if old != nil {
			delete(l.state.queues, old.Queue)
		}
		l.state.queue++
		s.Queue = l.state.queue
		l.state.queues[s.Queue] = nil
	}
	c := *s
	c.Subscriptions = slices.Clone(s.Subscriptions)
	l.state.sessions[s.ClientID] = &c
	return nil
}

// DeleteSession implements [messagelog.Log].
func (l *Log) DeleteSession(clientID string) error {
	defer l.lock()()
	if s := l.state.sessions[clientID]; s != nil {
		delete(l.state.queues, s.Queue)
		delete(l.state.sessions, clientID)
	}
	return nil
}

// Sessions implements [messagelog.Log].
func (l *Log) Sessions() iter.Seq2[*messagelog.SessionRecord, error] {
	unlock := l.lock()
	sessions := maps.Clone(l.state.sessions)
	unlock()
	return func(yield func(*messagelog.SessionRecord, error) bool) {
		for _, id := range slices.Sorted(maps.Keys(sessions)) {
			c := *sessions[id]
			if !yield(&c, nil) {
				return
			}
		}
	}
}

// PutGroup implements [messagelog.Log].
func (l *Log) PutGroup(g messagelog.Group) (messagelog.QueueID, error) {
	defer l.lock()()
	if q, ok := l.state.groups[g]; ok {
		return q, nil
	}
	if l.refusing != nil {
		return 0, l.refusing
	}
	l.state.queue++
	l.state.groups[g] = l.state.queue
	l.state.queues[l.state.queue] = nil
	return l.state.queue, nil
}

// DeleteGroup implements [messagelog.Log].
func (l *Log) DeleteGroup(g messagelog.Group) error {
	defer l.lock()()
	delete(l.state.queues, l.state.groups[g])
	delete(l.state.groups, g)
	return nil
}

// Groups implements [messagelog.Log].
func (l *Log) Groups() iter.Seq2[messagelog.Group, messagelog.QueueID] {
	defer l.lock()()
	return maps.All(maps.Clone(l.state.groups))
}

// PutRetained implements [messagelog.Log].
func (l *Log) PutRetained(m *messagelog.Message, modified time.Time) error {
	defer l.lock()()
	if l.refusing != nil {
		return l.refusing
	}
	c := *m
	c.Payload, c.Properties = bytes.Clone(m.Payload), bytes.Clone(m.Properties)
	l.state.retained[m.Topic] = &messagelog.Retained{Message: c, Modified: modified}
	return nil
}

// DeleteRetained implements [messagelog.Log].
func (l *Log) DeleteRetained(topic string) error {
	defer l.lock()()
	delete(l.state.retained, topic)
	return nil
}

// Retained implements [messagelog.Log].
func (l *Log) Retained(topic string) (*messagelog.Retained, error) {
	defer l.lock()()
	r := l.state.retained[topic]
	if r == nil || !r.Expires.IsZero() && !time.Now().Before(r.Expires) {
		return nil, nil //nolint:nilnil // the interface's answer for none
	}
	c := *r
	return &c, nil
}

// RetainedPage implements [messagelog.Log].
func (l *Log) RetainedPage(after string, maxTopics int) (page []messagelog.RetainedSummary, err error) {
	defer l.lock()()
	for _, topic := range slices.Sorted(maps.Keys(l.state.retained)) {
		if r := l.state.retained[topic]; topic > after && len(page) < maxTopics {
			page = append(page, messagelog.RetainedSummary{Topic: topic, PayloadSize: len(r.Payload), QoS: r.QoS, Modified: r.Modified})
		}
	}
	return page, nil
}

// RetainedCount implements [messagelog.Log].
func (l *Log) RetainedCount() int {
	defer l.lock()()
	return len(l.state.retained)
}

// ReserveNumbers implements [messagelog.Log].
func (l *Log) ReserveNumbers(limit int64) error {
	defer l.lock()()
	if l.refusing != nil {
		return l.refusing
	}
	l.state.numbers = limit
	return nil
}

// ReservedNumbers implements [messagelog.Log].
func (l *Log) ReservedNumbers() int64 {
	defer l.lock()()
	return l.state.numbers
}

// Usage implements [messagelog.Log].
func (l *Log) Usage() messagelog.Usage {
	defer l.lock()()
	u := messagelog.Usage{Sessions: len(l.state.sessions), Retained: len(l.state.retained)}
	for _, list := range l.state.queues {
		u.References += len(list)
	}
	return u
}

// Close implements [messagelog.Log].
func (l *Log) Close() error { l.Sync(nil); return nil }
