// Package broker routes messages between live MQTT sessions: it knows who is connected under which
// client ID, who subscribed to what, and carries each message to its receivers without ever making
// its publisher wait for them. It knows no policies and no packets but the PUBLISH that it sends.
package broker

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// A Broker is the meeting place of one account's clients. Use [New]. It is safe for concurrent use.
type Broker struct {
	index   *index
	serial  atomic.Uint64
	held    atomic.Int64 // chunks of output that wait for sockets
	queued  atomic.Int64 // bytes that wait for acknowledgements; a message counts once for each receiver
	seed    maphash.Seed
	clients [clientShards]clientShard
}

const clientShards = 32 // power of two

type clientShard struct {
	mu sync.Mutex
	m  map[string]*Client // guarded by mu
}

// New returns a Broker without clients.
func New() *Broker {
	return &Broker{index: newIndex(), seed: maphash.MakeSeed()}
}

func (b *Broker) shard(id string) *clientShard {
	return &b.clients[maphash.String(b.seed, id)%clientShards]
}

// Connect makes c the connection of its client ID. It returns the connection that had the ID until
// now, or nil: that one has lost its subscriptions already, and the caller tells it to go. Call
// Connect only for a client that may connect: a refused CONNECT evicts nobody (mqtt sheet 2.1 #10).
func (b *Broker) Connect(c *Client) (displaced *Client) {
	s := b.shard(c.id)
	s.mu.Lock()
	displaced = s.m[c.id]
	if s.m == nil {
		s.m = make(map[string]*Client)
	}
	s.m[c.id] = c
	s.mu.Unlock()
	if displaced != nil {
		displaced.unsubscribeAll()
	}
	return displaced
}

// Disconnect takes c out of the broker: it gets no further message. It does nothing if c was
// displaced. Call it before publishing the will of c.
func (b *Broker) Disconnect(c *Client) {
	s := b.shard(c.id)
	s.mu.Lock()
	if s.m[c.id] == c {
		delete(s.m, c.id)
	}
	s.mu.Unlock()
	c.unsubscribeAll()
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
