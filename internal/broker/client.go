package broker

import (
	"cmp"
	"net"
	"strings"
	"time"
)

// A Peer is what the broker needs of the connection behind a client. Its methods are called from
// the goroutines of publishers: they must not block, and not call back into the broker.
type Peer interface {
	// Generation numbers the client's current authorization; it is never 0 and changes whenever
	// the answer of MayReceive may have changed.
	Generation() uint64
	// MayReceive decides whether the client may receive messages on topic (iot:Receive).
	MayReceive(topic string) bool
	// MaySend takes n messages out of the client's publish rate at now, and says whether they fit.
	MaySend(now time.Time) bool
	// Sent tells that so many messages on topic, one after the other, go out to the client at now; trace
	// is [Message].Trace. It is called under locks: it must neither wait nor call the broker.
	Sent(topic, trace string, now time.Time, times int)
	// Dropped tells that a message on topic was not delivered, and why.
	Dropped(why Drop, topic string)
	// PassedOver tells that the client acknowledged later messages, and not this one on topic, whose
	// packet of size bytes is larger than all that it ever acknowledged. It is told once.
	PassedOver(topic string, size int)
}

// A Drop is a reason for which a message does not reach a client that subscribed to it.
type Drop int

// The reasons.
const (
	DropDenied   Drop = iota // iot:Receive is not allowed
	DropSlow                 // QoS 0, and the client does not read what waits for it
	DropQueue                // QoS 1, and the bounded queue behind the window is full
	DropTooLarge             // above the Maximum Packet Size that the client announced
	DropExpired              // message expiry passed while it waited
	DropRate                 // QoS 0 above the client's publish rate
	DropNotAcked             // sent, not acknowledged within the retry duration
	DropShared               // the queue of its shared subscription was full while no member could take messages
)

// ClientConfig describes a client to [Broker.NewClient].
type ClientConfig struct {
	ID   string
	V5   bool
	Conn net.Conn // written to by the broker until [Client.Finish]
	Peer Peer

	ReceiveMaximum int // most QoS 1 messages without acknowledgement, 1 to 100; default 100
	MaxPacket      int // largest packet that the client takes, in bytes; default unlimited

	OutputBytes     int // what may wait for the socket; default 16 MiB, less while all clients together need much
	PendingMessages int // QoS 1 messages that may wait for the window; default 10,000
	PendingBytes    int // and their size; default 8 MiB

	// Pace takes n bytes out of the connection's throughput and tells how long to rest; with 0 it
	// only asks. nil: no limit.
	Pace func(n int) time.Duration
}

// A Client is one live connection as the broker sees it. It is safe for concurrent use.
type Client struct {
	broker *Broker
	id     string
	v5     bool
	peer   Peer

	receiveMax      int
	maxPacket       int
	pendingMessages int
	pendingBytes    int

	// out carries the packets; its lock guards the window and the queue behind it too.
	out     output
	window  *window // guarded by out.mu; nil until the first QoS 1 delivery
	pending queue   // guarded by out.mu
	resume  *time.Timer
	starved bool // guarded by out.mu: a session's message waits for the output to run empty

	own     subscriber // the subscriptions, unless a session has them
	session *Session   // set by Connect: outlives the connection; nil without one
	number  int64      // likewise
}

// NewClient makes a client that nobody can reach before [Broker.Connect].
func (b *Broker) NewClient(cfg ClientConfig) *Client {
	c := &Client{
		broker:          b,
		id:              cfg.ID,
		v5:              cfg.V5,
		peer:            cfg.Peer,
		receiveMax:      min(cmp.Or(cfg.ReceiveMaximum, maxWindow), maxWindow),
		maxPacket:       cmp.Or(cfg.MaxPacket, 1<<30),
		pendingMessages: cmp.Or(cfg.PendingMessages, 10_000),
		pendingBytes:    cmp.Or(cfg.PendingBytes, 8<<20),
	}
	c.own.broker, c.own.client, c.own.serial = b, c, b.serial.Add(1)
	c.out.init(cfg.Conn, cmp.Or(cfg.OutputBytes, 16<<20), cfg.Pace, c, &b.backlog)
	return c
}

// ID returns the client ID.
func (c *Client) ID() string { return c.id }

// Peer returns the connection behind the client.
func (c *Client) Peer() Peer { return c.peer }

// subscriber returns who holds the client's subscriptions.
func (c *Client) subscriber() *subscriber {
	if c.session != nil {
		return &c.session.sub
	}
	return &c.own
}

// Subscribe adds a subscription to a valid filter, or replaces its options, and tells whether it
// is new. It does nothing for a client that was disconnected or displaced.
func (c *Client) Subscribe(filter string, o Options) (added bool) {
	added, changed := c.subscriber().subscribe(filter, o)
	if changed && c.session != nil {
		_ = c.session.save() // logged
	}
	if added && strings.HasPrefix(filter, "$share/") {
		c.subscriber().pumpShared()
	}
	return added
}

// Unsubscribe removes a subscription and tells whether there was one.
func (c *Client) Unsubscribe(filter string) bool {
	had := c.subscriber().unsubscribe(filter)
	if had && c.session != nil {
		_ = c.session.save() // logged
	}
	return had
}

// Subscriptions counts the client's subscriptions.
func (c *Client) Subscriptions() int { return c.subscriber().count() }

// Subscribed tells whether the client has a subscription to exactly this filter.
func (c *Client) Subscribed(filter string) bool { return c.subscriber().has(filter) }

// Answer sends packets that answer the client, and does not wait. The caller bounds how many: see
// [Client.AwaitRoom].
func (c *Client) Answer(p []byte) {
	c.out.mu.Lock()
	if !c.out.closed {
		c.out.appendLocked(p)
	}
	c.out.mu.Unlock()
	c.out.flush(byItself)
}

// AwaitRoom waits until less waits for the client than its output may hold. Only the connection's
// own goroutine calls it, so that a client that sends and never reads stops itself and nobody else.
func (c *Client) AwaitRoom() { c.out.control(nil) }

// Finish sends last after all that waits, and returns when it is written or when the write deadline
// that the caller set on the connection has passed. Nothing is sent afterwards.
func (c *Client) Finish(last []byte) {
	c.out.finish(last)
	c.out.mu.Lock()
	if c.resume != nil {
		c.resume.Stop()
	}
	c.broker.queued.Add(int64(-c.pending.bytes))
	if c.window != nil {
		c.broker.queued.Add(int64(-c.window.copied))
	}
	c.window, c.pending = nil, queue{}
	c.out.mu.Unlock()
}

// Broken tells whether a write to the connection has failed: nothing reaches it any more.
func (c *Client) Broken() bool {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.err != nil
}

// Sent counts the bytes written to the connection.
func (c *Client) Sent() int64 {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.sent
}
