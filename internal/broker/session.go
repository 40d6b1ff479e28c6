package broker

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/broker/gcra"
	"github.com/gatehouse-iot/gatehouse/internal/messagelog"
)

// SessionOptions are what a CONNECT asks for. The zero value is a session that ends with its
// connection, unless a stored one is resumed.
type SessionOptions struct {
	Clean     bool             // end a stored session first
	Expiry    time.Duration    // how long the session outlives the connection; cut to [Config].SessionExpiry
	Principal string           // who connects
	Will      *messagelog.Will // kept with a session that outlives the connection; nil: none
	Least     int64            // of the numbers that the connection may have: see [Client.Number]
}

// Connected is what came of a [Broker.Connect].
type Connected struct {
	Displaced *Client       // the connection that had the client ID; nil: none
	Present   bool          // a stored session is resumed
	Expiry    time.Duration // granted; 0: the session ends with the connection
	Principal string        // who used the resumed session last
	Queued    int           // messages that wait in it
	Missed    Missed        // messages that it did not get while it was away
	Err       error         // why no session could be stored, although one was asked for
}

// Missed counts the messages that were dropped for a session without connection.
type Missed struct {
	Full      int64 // its queue was full
	Throttled int64 // more than [Config].QueueRate were stored for all together
}

// A Session outlives its connections: it holds subscriptions, and in the log the QoS 1 messages that
// its client has not acknowledged. While a connection keeps up, messages go to it as they are
// stored; else they wait in the log, and are read in pages as its window opens.
//
// Locks are taken in this order: clientShard, Session, output.
type Session struct {
	sub     subscriber
	id      string
	v5      bool
	queue   messagelog.QueueID
	created time.Time

	live atomic.Pointer[Client] // gets messages now; changes under mu

	mu           sync.Mutex
	owner        *Client // guarded by mu, like all below: the connection that has the session; nil: offline
	expiry       time.Duration
	principal    string
	number       int64     // of its latest connection
	disconnected time.Time // zero while it has a connection
	ended        bool
	unsaved      bool // the log did not take the record last time
	missed       Missed
	will         *heldWill // nil: none

	behind bool                // the queue holds messages that were not handed to live
	read   messagelog.Seq      // those up to here were
	page   []messagelog.Queued // read from the log, not handed out yet
	held   int                 // bytes of page, counted in Broker.queued
	since  time.Time           // when live began: what is older is sent at DrainRate
	drain  gcra.Meter

	due  time.Time // guarded by expiries.mu
	slot int       // guarded by expiries.mu: in the heap, from 1; 0: not in it
}

// sessionLocked finds or makes the session of a client that connects. The lock is that of the shard.
func (b *Broker) sessionLocked(sh *clientShard, c *Client, o SessionOptions) Connected {
	s := sh.sessions[c.id]
	if s != nil && (o.Clean || s.v5 != c.v5 || s.over()) { // the other version does not resume it. Source: mqtt sheet 4.1
		b.endLocked(sh, s)
		s = nil
	}
	expiry := min(o.Expiry, b.cfg.SessionExpiry)
	if s == nil && (expiry <= 0 || b.cfg.Log == nil) {
		return Connected{}
	}
	present := s != nil
	if !present {
		s = &Session{id: c.id, v5: c.v5, created: time.Now()}
		s.sub.broker, s.sub.session, s.sub.serial = b, s, b.serial.Add(1)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := Connected{Present: present, Expiry: expiry, Principal: s.principal, Missed: s.missed}
	if present {
		r.Queued = b.cfg.Log.Depth(s.queue).Messages
	}
	s.restLocked()
	s.owner, s.expiry, s.principal, s.number, s.disconnected, s.missed = c, expiry, o.Principal, c.number, time.Time{}, Missed{}
	s.setWillLocked(o.Will) // what was held of the last connection is cancelled
	b.expiries.remove(s)
	if err := s.saveLocked(); err != nil && !present {
		return Connected{Err: err} // the client has a session that ends with its connection, and is told so
	}
	if !present {
		if sh.sessions == nil {
			sh.sessions = make(map[string]*Session)
		}
		sh.sessions[c.id] = s
	}
	c.session = s
	return r
}

// leaveLocked ends the connection of a session, and the session if it does not outlive it. The lock
// is that of the shard.
func (b *Broker) leaveLocked(sh *clientShard, c *Client) {
	s := c.session
	if s == nil {
		return
	}
	s.mu.Lock()
	if s.owner != c {
		s.mu.Unlock()
		return
	}
	s.restLocked()
	s.owner, s.disconnected = nil, time.Now()
	if s.expiry > 0 {
		_ = s.saveLocked() // logged; the session lives on in memory
		b.expiries.add(s, s.disconnected.Add(s.expiry))
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	b.endLocked(sh, s)
}

// endLocked ends a session: its subscriptions and its messages are gone. The lock is that of the shard.
func (b *Broker) endLocked(sh *clientShard, s *Session) {
	if sh.sessions[s.id] == s {
		delete(sh.sessions, s.id)
	}
	b.expiries.remove(s)
	s.mu.Lock()
	s.ended, s.owner = true, nil
	s.restLocked()
	if w := s.takeWillLocked(); w != nil { // the delay ends with the session
		go w.publish()
	}
	if err := b.cfg.Log.DeleteSession(s.id); err != nil {
		b.cfg.Machine.Error("session not deleted", slog.String("client_id", s.id), slog.Any("error", err))
	}
	s.mu.Unlock()
	s.sub.unsubscribeAll()
}

// expire ends a session whose time has come, unless it was resumed meanwhile.
func (b *Broker) expire(s *Session) {
	sh := b.shard(s.id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.sessions[s.id] == s && s.over() {
		b.endLocked(sh, s)
	}
}

// over tells whether the session was without a connection for as long as it is kept.
func (s *Session) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owner == nil && time.Since(s.disconnected) >= s.expiry
}

// EndSession ends the stored session of a client ID, at once, or with its connection if it has one,
// and tells whether there is one.
func (b *Broker) EndSession(id string) bool {
	sh := b.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.sessions[id]
	if s == nil {
		return false
	}
	s.mu.Lock()
	online := s.owner != nil
	if s.expiry = 0; online {
		_ = s.saveLocked() // logged; a restart before the connection has ended drops it then
	}
	s.mu.Unlock()
	if !online {
		b.endLocked(sh, s)
	}
	return true
}

// HasSession tells whether a session is stored for a client ID, with or without a connection.
func (b *Broker) HasSession(id string) bool {
	sh := b.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.sessions[id] != nil
}

// Sessions counts the sessions that outlive their connections.
func (b *Broker) Sessions() int {
	n := 0
	for i := range b.clients {
		sh := &b.clients[i]
		sh.mu.Lock()
		n += len(sh.sessions)
		sh.mu.Unlock()
	}
	return n
}

// Persistent tells whether what the client subscribes to outlives its connection.
func (c *Client) Persistent() bool { return c.session != nil }

// SetExpiry changes how long the session outlives the connection, within [Config].SessionExpiry. It
// does nothing to a session that ends with its connection, or that another connection has.
func (c *Client) SetExpiry(d time.Duration) {
	s := c.session
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner == c {
		s.expiry = min(d, s.sub.broker.cfg.SessionExpiry)
	}
}

// saveLocked stores the record of the session. A failure is logged and comes back.
func (s *Session) saveLocked() error {
	if s.ended {
		return nil
	}
	r := &messagelog.SessionRecord{
		ClientID: s.id, Protocol: 4, Expiry: s.expiry, Created: s.created, Disconnected: s.disconnected, Principal: s.principal, Queue: s.queue,
		Number: s.number,
	}
	if s.v5 {
		r.Protocol = 5
	}
	for filter, o := range s.sub.list() {
		r.Subscriptions = append(r.Subscriptions, messagelog.Subscription{Filter: filter, QoS: o.QoS, NoLocal: o.NoLocal, RetainAsPublished: o.RetainAsPublished})
	}
	if s.will != nil {
		r.Will = &s.will.Will
	}
	slices.SortFunc(r.Subscriptions, func(a, b messagelog.Subscription) int { return strings.Compare(a.Filter, b.Filter) })
	err := s.sub.broker.cfg.Log.PutSession(r)
	if s.unsaved = err != nil; s.unsaved {
		s.sub.broker.cfg.Machine.Error("session not stored", slog.String("client_id", s.id), slog.Any("error", err))
		return err
	}
	s.queue = r.Queue
	return nil
}

// Unsaved tries again to store what the log did not take of the client's session, and says why it
// still does not: nil when all is stored.
func (c *Client) Unsaved() error {
	s := c.session
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.unsaved {
		return nil
	}
	return s.saveLocked()
}

func (s *Session) save() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.saveLocked()
}

// Restore brings back the sessions of the log with their subscriptions. A session that had a
// connection when the log ended counts as disconnected now.
func (b *Broker) Restore() error {
	if b.cfg.Log == nil {
		return nil
	}
	first := b.restoreNumbers()
	var records []*messagelog.SessionRecord
	for r, err := range b.cfg.Log.Sessions() {
		if err != nil {
			return err
		}
		records = append(records, r)
	}
	now := time.Now()
	for _, r := range records {
		s := &Session{
			id: r.ClientID, v5: r.Protocol == 5, queue: r.Queue, created: r.Created,
			expiry: min(r.Expiry, b.cfg.SessionExpiry), principal: r.Principal, disconnected: r.Disconnected,
			number: max(r.Number, first-1), // see number.go
		}
		s.sub.broker, s.sub.session, s.sub.serial = b, s, b.serial.Add(1)
		if s.disconnected.IsZero() {
			s.disconnected = now
		}
		s.restoreWill(r.Will)
		for _, sub := range r.Subscriptions {
			s.sub.subscribe(sub.Filter, Options{QoS: sub.QoS, NoLocal: sub.NoLocal, RetainAsPublished: sub.RetainAsPublished})
		}
		sh := b.shard(s.id)
		sh.mu.Lock()
		if sh.sessions == nil {
			sh.sessions = make(map[string]*Session)
		}
		sh.sessions[s.id] = s
		sh.mu.Unlock()
		if r.Disconnected.IsZero() {
			if err := s.save(); err != nil {
				return err
			}
		}
		b.expiries.add(s, s.disconnected.Add(s.expiry))
	}
	b.restoreShared()
	return nil
}
