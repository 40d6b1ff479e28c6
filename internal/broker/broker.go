// Package broker routes messages between MQTT sessions: it knows who is connected under which
// client ID, who subscribed to what, and carries each message to its receivers without ever making
// its publisher wait for them. What a persistent session must not lose goes through the message log.
// It knows no policies and no packets but the PUBLISH that it sends.
package broker

import (
	"cmp"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/broker/gcra"
	"github.com/gatehouse-iot/gatehouse/internal/messagelog"
)

// Config is what a Broker needs. The zero Config makes one whose sessions end with their connections.
type Config struct {
	// Log keeps sessions and their messages; nil: none outlives its connection. The caller closes it
	// after the broker.
	Log     messagelog.Log
	Machine *slog.Logger // broken machinery only; default: discarded

	SessionExpiry time.Duration // the longest that a session is kept; default 1 h. Source: mqtt sheet 4.1
	QueueMessages int           // messages in the queue of a session without connection; default 1,000
	QueueBytes    int64         // and their size; default 16 MiB, also while it has a connection
	QueueRate     gcra.Rate     // storing for sessions without connection, of all together
	DrainRate     gcra.Rate     // sending what was stored before the connection, for each session
	SharedRate    gcra.Rate     // sending from the queue of a shared subscription, for each member

	// Queued is told what became of each message for a session without connection: may be nil. It is
	// called under locks: it must neither wait nor call the broker.
	Queued func(Queued)
}

// Queued is a message for a session without connection.
type Queued struct {
	ClientID  string
	Principal string // who used the session last
	Topic     string
	Trace     string // [Message].Trace
	Outcome   QueueOutcome
}

// A QueueOutcome says what became of a message for a session without connection.
type QueueOutcome int

// The outcomes.
const (
	QueueStored    QueueOutcome = iota
	QueueFull                   // the session's queue is full
	QueueThrottled              // above [Config].QueueRate
	QueueFailed                 // the log did not take it
)

// A Broker is the meeting place of one account's clients. Use [New]. It is safe for concurrent use.
type Broker struct {
	cfg    Config
	index  *index
	serial atomic.Uint64
	backlog
	storing   gcra.Meter // of QueueRate
	expiries  expiries
	numbering numbering
	seed      maphash.Seed
	clients   [clientShards]clientShard
}

const clientShards = 32 // power of two

type clientShard struct {
	mu       sync.Mutex
	m        map[string]*Client  // guarded by mu
	sessions map[string]*Session // guarded by mu: those that outlive their connections
}

// New returns a Broker without clients. Call [Broker.Restore] before the first of them if there is a log.
func New(cfg Config) *Broker {
	cfg.SessionExpiry = cmp.Or(cfg.SessionExpiry, time.Hour)
	cfg.QueueMessages = cmp.Or(cfg.QueueMessages, 1000)
	cfg.QueueBytes = cmp.Or(cfg.QueueBytes, 16<<20)
	if cfg.Machine == nil {
		cfg.Machine = slog.New(slog.DiscardHandler)
	}
	b := &Broker{cfg: cfg, index: newIndex(), seed: maphash.MakeSeed()}
	b.expiries.expire = b.expire
	return b
}

// Close stops what the broker does by itself. Call it when all clients are disconnected.
func (b *Broker) Close() {
	b.expiries.stop()
	b.stopWills()
}

func (b *Broker) shard(id string) *clientShard {
	return &b.clients[maphash.String(b.seed, id)%clientShards]
}

// Connect makes c the connection of its client ID and gives it the session that o asks for. The
// connection that had the ID until now gets nothing more, and the caller tells it to go. Call
// Connect only for a client that may connect: a refused CONNECT evicts nobody (mqtt sheet 2.1 #10).
// Messages of a session that outlives the connection come after [Client.Start].
func (b *Broker) Connect(c *Client, o SessionOptions) Connected {
	s := b.shard(c.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	displaced := s.m[c.id]
	if s.m == nil {
		s.m = make(map[string]*Client)
	}
	s.m[c.id] = c
	if displaced != nil {
		displaced.own.unsubscribeAll()
	}
	c.number = b.numberLocked(displaced, s.sessions[c.id], o.Least)
	r := b.sessionLocked(s, c, o)
	r.Displaced = displaced
	return r
}

// Disconnect takes c out of the broker: it gets no further message. Its session, if it outlives the
// connection, is kept for its expiry from now on. It does nothing if c was displaced. Call it before
// publishing the will of c.
func (b *Broker) Disconnect(c *Client) {
	s := b.shard(c.id)
	s.mu.Lock()
	if s.m[c.id] == c {
		delete(s.m, c.id)
	}
	b.leaveLocked(s, c)
	s.mu.Unlock()
	c.own.unsubscribeAll()
	c.returnLoans()
}

// Lookup returns the live connection with the given client ID, or nil.
func (b *Broker) Lookup(id string) *Client {
	s := b.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[id]
}

// Connections counts the live connections.
func (b *Broker) Connections() int {
	n := 0
	for i := range b.clients {
		s := &b.clients[i]
		s.mu.Lock()
		n += len(s.m)
		s.mu.Unlock()
	}
	return n
}

// OnDurable calls f when everything that was published or subscribed before is on disk, with nil, or
// with the error because of which it may not be. f is called from another goroutine and must not block.
func (b *Broker) OnDurable(f func(error)) {
	if b.cfg.Log == nil {
		f(nil)
		return
	}
	b.cfg.Log.OnDurable(f)
}
