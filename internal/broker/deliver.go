package broker

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/messagelog"
)

const (
	inlineReceivers = 4        // up to so many are written to by the publisher's goroutine
	flushAt         = 64 << 10 // bytes that may pile up for a client before the end of a batch
	retryDuration   = time.Hour
)

// A Batch is the work of one connection between two waits for its socket: the messages that it
// publishes are encoded in the batch's memory, and the clients that they go to are written to once,
// at [Batch.Flush]. Take it from [NewBatch] when there is something to do and give it back with
// [Batch.Release]. It is not safe for concurrent use.
type Batch struct {
	Now    time.Time // the clock, read once for the whole batch
	frames [kinds]frame
	built  uint8 // bits: which frames hold the current message
	kept   uint8 // bits: which frames wait in a queue, their memory is not ours any more
	dirty  []*Client
	run    run // of messages of which the receiver's peer is told together

	storing []*receiver            // sessions that a message is being stored for
	refs    []messagelog.Reference // and their queues
	stored  bool                   // something was stored since Stored was asked
	refused error                  // why the last message could not be stored

	ackedIn *Session         // whose
	acked   []messagelog.Seq // messages were acknowledged, and leave the log at Flush
	repaid  []loan           // likewise, of shared queues
	shared  []*sharedQueue   // that hand out what waits at Flush
}

var batches = sync.Pool{New: func() any { return new(Batch) }}

// NewBatch returns an empty batch at now.
func NewBatch(now time.Time) *Batch {
	bt := batches.Get().(*Batch)
	bt.Now = now
	return bt
}

// Release gives the batch back. It must have been flushed.
func (bt *Batch) Release() {
	bt.reset()
	bt.stored, bt.refused = false, nil
	for i := range bt.frames {
		if cap(bt.frames[i].data) > 4*chunkSize {
			bt.frames[i].data = nil
		}
	}
	batches.Put(bt)
}

func (bt *Batch) reset() {
	for i := range bt.frames {
		if bt.kept&(1<<i) != 0 {
			bt.frames[i] = frame{}
		}
		bt.frames[i].topic = ""
	}
	bt.built, bt.kept = 0, 0
}

// frame returns the message encoded for one kind of receiver.
func (bt *Batch) frame(m *Message, topic string, kind int) *frame {
	f := &bt.frames[kind]
	if bt.built&(1<<kind) == 0 {
		f.encode(m, topic, kind&kindV5 != 0, kind&kindRetain != 0, byte(kind&kindQoS1/kindQoS1), bt.Now)
		bt.built |= 1 << kind
	}
	return f
}

// Publish delivers m to everybody who subscribed to the topic of r, and counts the copies to
// connections. from is the publishing client, or nil. It never waits for a receiver: see [Drop]. Nor
// does it wait for the disk: see [Batch.Stored], and [Batch.Refused] for a message that went to nobody.
func (b *Broker) Publish(bt *Batch, from *Client, r *Route, m *Message) (copies int) {
	r.refresh(b)
	if bt.built|bt.kept != 0 {
		bt.reset()
	}
	bt.refused = nil
	if r.stored && m.QoS > 0 && b.store(bt, from, r, m) != nil {
		return 0
	}
	for i := range r.receivers {
		rc := &r.receivers[i]
		if rc.isFrom(from) || rc.session != nil && (m.QoS > 0 && rc.options.QoS > 0 || !rc.online()) {
			continue
		}
		if rc.mayReceive(r.topic) && bt.deliver(rc, r.topic, m) {
			copies++
		}
	}
	for i := range r.groups {
		rc := r.groups[i].chosen
		if !r.stored || m.QoS == 0 {
			rc = r.groups[i].choose(r.topic)
		} else if rc != nil && rc.storedFor() {
			continue
		}
		if rc != nil && bt.deliverShared(&r.groups[i], rc, r.topic, m) {
			copies++
		}
	}
	return copies
}

// mayReceive decides iot:Receive once for each client, topic and authorization.
func (rc *receiver) mayReceive(topic string) bool {
	if gen := rc.client.peer.Generation(); rc.decided != gen {
		rc.decided, rc.received = gen, rc.client.peer.MayReceive(topic)
	}
	if !rc.received {
		rc.client.peer.Dropped(DropDenied, topic)
	}
	return rc.received
}

// choose picks a random member of a shared subscription that may receive and whose window has
// room, or else any that may receive. Source: mqtt sheet 10.
func (g *groupReceivers) choose(topic string) *receiver {
	g.chosen = nil
	n := len(g.members)
	if n == 0 {
		return nil
	}
	for i, first := 0, rand.IntN(n); i < n; i++ {
		rc := &g.members[(first+i)%n]
		if !rc.online() || !rc.mayReceive(topic) {
			continue
		}
		if !rc.client.busy() {
			g.chosen = rc
			return rc
		}
		if g.chosen == nil {
			g.chosen = rc
		}
	}
	return g.chosen
}

// busy tells whether QoS 1 messages already wait for the client.
func (c *Client) busy() bool {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.closed || c.pending.len() > 0 || c.window != nil && c.window.n >= c.receiveMax
}

// kind is that of the frame that a receiver gets of m.
func (rc *receiver) kind(m *Message) (kind int) {
	if rc.client.v5 {
		kind |= kindV5
	}
	if m.QoS > 0 && rc.options.QoS > 0 {
		kind |= kindQoS1
	}
	if m.Retain && rc.options.RetainAsPublished {
		kind |= kindRetain
	}
	return kind
}

// deliver adds one copy to the output of a receiver and remembers to write it.
func (bt *Batch) deliver(rc *receiver, topic string, m *Message) bool {
	c, kind := rc.client, rc.kind(m)
	f := bt.frame(m, topic, kind)
	if len(f.data) > c.maxPacket {
		c.peer.Dropped(DropTooLarge, topic)
		return false
	}
	o := &c.out
	if f.id == 0 {
		if !c.peer.MaySend(bt.Now) {
			c.peer.Dropped(DropRate, topic)
			return false
		}
		o.mu.Lock()
		if !o.hasRoomLocked(len(f.data)) {
			closed := o.closed
			o.mu.Unlock()
			if !closed {
				c.peer.Dropped(DropSlow, topic)
			}
			return false
		}
		o.appendLocked(f.data)
		bt.sent(c, topic, f.trace)
	} else {
		bt.tell() // what goes out before it
		o.mu.Lock()
		if o.closed {
			o.mu.Unlock()
			return false
		}
		if !c.sendLocked(f, bt.Now) {
			if c.pending.len() >= c.pendingMessages || c.pending.bytes+len(f.data) > c.broker.share(c.pendingBytes) {
				o.mu.Unlock()
				c.peer.Dropped(DropQueue, topic)
				return false
			}
			c.broker.queued.Add(int64(c.pending.push(*f)))
			bt.kept |= 1 << kind
			o.mu.Unlock()
			return true
		}
	}
	bt.touchLocked(c)
	return true
}

// A run is messages of QoS 0 to one client that are alike.
type run struct {
	client       *Client
	topic, trace string
	times        int
}

// sent tells of a message to a client: of those that are alike together, before they are written
// unless somebody else writes what waits for the client.
func (bt *Batch) sent(c *Client, topic, trace string) {
	if r := &bt.run; r.client == c && r.topic == topic && r.trace == trace {
		r.times++
		return
	}
	bt.tell()
	bt.run = run{c, topic, trace, 1}
}

// tell tells of the messages that were sent last.
func (bt *Batch) tell() {
	if r := bt.run; r.client != nil {
		bt.run = run{}
		r.client.peer.Sent(r.topic, r.trace, bt.Now, r.times)
	}
}

// touchLocked makes sure that what was added to c gets written at the end of the batch, or at once
// when it has become much. It unlocks.
func (bt *Batch) touchLocked(c *Client) {
	o := &c.out
	switch {
	case o.writing:
	case o.bytes >= flushAt:
		bt.tell()
		o.startLocked(byItself)
		return
	case !o.promised:
		o.promised = true
		bt.dirty = append(bt.dirty, c)
	}
	o.mu.Unlock()
}

// sendLocked sends a QoS 1 frame if the order, the window, the output and the rate allow it.
func (c *Client) sendLocked(f *frame, now time.Time) bool {
	if c.pending.len() > 0 {
		return false
	}
	return c.passLocked(f, now, 0)
}

// passLocked sends a QoS 1 frame if the window, the output and the rate allow it. seq is its place in
// the queue of the client's session; 0: it is in none.
func (c *Client) passLocked(f *frame, now time.Time, seq messagelog.Seq) bool {
	if c.window == nil {
		c.window = new(window)
	}
	if c.fullLocked() {
		return false
	}
	if !c.out.hasRoomLocked(len(f.data)) {
		c.starved = true
		return false
	}
	if !c.peer.MaySend(now) {
		c.retryLocked(soon)
		return false
	}
	id := c.window.take(now, len(f.data), f.topic)
	if seq > 0 {
		c.window.keep(id, seq)
	}
	if f.copy != nil {
		c.keepCopyLocked(id, f.copy)
	}
	c.out.appendPatchedLocked(f.data, f.id, id)
	c.peer.Sent(f.topic, f.trace, now, 1)
	return true
}

// fullLocked tells whether the window has no room.
func (c *Client) fullLocked() bool { return c.window != nil && c.window.n >= c.receiveMax }

// soon is when what a rate held back is tried again. Excess QoS 1 is delayed, not dropped (mqtt sheet 7).
const soon = 20 * time.Millisecond

// retryLocked tries again after d.
func (c *Client) retryLocked(d time.Duration) {
	if c.resume == nil {
		c.resume = time.AfterFunc(d, c.retry)
	} else {
		c.resume.Reset(d)
	}
}

func (c *Client) retry() {
	if c.session != nil {
		c.resumeDrain()
		return
	}
	c.out.mu.Lock()
	c.refillLocked(time.Now())
	c.out.mu.Unlock()
	c.out.flush(byItself)
}

// refillLocked moves frames from the queue to the output as far as the window allows.
func (c *Client) refillLocked(now time.Time) {
	for c.pending.len() > 0 && !c.out.closed {
		f := c.pending.front()
		if !f.expires.IsZero() && !now.Before(f.expires) {
			topic := f.topic
			c.popLocked()
			c.peer.Dropped(DropExpired, topic)
			continue
		}
		if f.expiry > 0 { // the frame may be shared with other clients: change a copy
			data := slices.Clone(f.data)
			binary.BigEndian.PutUint32(data[f.expiry:], remaining(f.expires, now))
			f.data = data
		}
		if !c.passLocked(f, now, 0) {
			return
		}
		c.popLocked()
	}
}

// popLocked takes the first frame out of the queue.
func (c *Client) popLocked() {
	before := c.pending.bytes
	c.pending.pop()
	c.broker.queued.Add(int64(c.pending.bytes - before))
}

// wroteLocked goes on after the output ran empty.
func (c *Client) wroteLocked() {
	if c.pending.len() > 0 {
		c.refillLocked(time.Now())
	}
	if c.starved {
		if c.starved = false; c.session != nil {
			go c.resumeDrain() // takes the lock of the session, which comes before ours
		}
	}
}

// Ack takes the client's acknowledgement of a QoS 1 message and sends what waited for its slot.
// An unknown identifier is ignored (mqtt sheet 7). Only the connection's own goroutine calls it.
func (bt *Batch) Ack(c *Client, id uint16) (known bool) {
	s := c.session
	if s != nil {
		s.mu.Lock()
	}
	c.out.mu.Lock()
	topic, size, over := "", 0, false
	seq := messagelog.Seq(0)
	if known = c.window != nil && c.window.release(id); known {
		topic, size, over = c.window.passedOver(id, bt.Now)
		if c.window.seqs != nil {
			seq = c.window.forget(id)
		}
		if c.window.loans != nil {
			if l, ok := c.window.repay(id); ok {
				bt.repaid = append(bt.repaid, l)
			}
		}
		if c.window.copies != nil {
			c.dropCopyLocked(id)
		}
		if c.pending.len() > 0 {
			c.refillLocked(bt.Now)
		}
	}
	if s != nil && s.live.Load() == c { // else another connection sends it again
		if seq > 0 {
			bt.acknowledge(s, seq)
		}
		s.drainLocked(c, bt.Now)
	}
	bt.touchLocked(c)
	if s != nil {
		s.mu.Unlock()
	}
	if over {
		c.peer.PassedOver(topic, size)
	}
	return known
}

// acknowledge remembers to take a message out of the log.
func (bt *Batch) acknowledge(s *Session, seq messagelog.Seq) {
	if bt.ackedIn != s {
		bt.forgetAcked()
		bt.ackedIn = s
	}
	bt.acked = append(bt.acked, seq)
}

func (bt *Batch) forgetAcked() {
	if len(bt.repaid)+len(bt.shared) > 0 {
		bt.runShared()
	}
	if len(bt.acked) > 0 {
		bt.ackedIn.sub.broker.cfg.Log.Remove(bt.ackedIn.queue, bt.acked...)
		bt.acked = bt.acked[:0]
	}
	bt.ackedIn = nil
}

// Sweep frees the slots of messages that the client did not acknowledge for an hour (mqtt sheet 7).
func (c *Client) Sweep(now time.Time) {
	s := c.session
	if s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	c.out.mu.Lock()
	n := 0
	var loans []loan
	if c.window != nil {
		var seqs []messagelog.Seq
		copied := c.window.copied
		n, seqs, loans = c.window.expire(now.Add(-retryDuration))
		c.broker.queued.Add(int64(c.window.copied - copied))
		if n > 0 {
			c.refillLocked(now)
		}
		if s != nil && s.live.Load() == c && n > 0 {
			s.sub.broker.cfg.Log.Remove(s.queue, seqs...)
			s.drainLocked(c, now)
		}
	}
	c.out.mu.Unlock()
	for _, l := range loans { // a client with a session has none
		l.settle(true)
	}
	for range n {
		c.peer.Dropped(DropNotAcked, "")
	}
	if n > 0 {
		c.out.flush(byItself)
	}
}

// Flush writes to every client that got something: from this goroutine if they are few, not busy,
// and their sockets take it, else from others. own is the connection whose goroutine this is, or nil; its
// turn comes last, because it may have to wait for its own socket. control are encoded packets that
// answer own: they are copied.
func (bt *Batch) Flush(own *Client, control []byte) {
	bt.tell()
	bt.forgetAcked()
	now := bt.Now.UnixNano()
	if len(bt.dirty) <= inlineReceivers {
		for _, c := range bt.dirty {
			if c != own {
				c.out.deliver(now)
			}
		}
	} else {
		fanOut(bt.dirty, own)
	}
	clear(bt.dirty)
	bt.dirty = bt.dirty[:0]
	if cap(bt.dirty) > 1024 {
		bt.dirty = nil
	}
	if own == nil {
		return
	}
	if len(control) > 0 {
		own.out.control(control)
	}
	own.out.flush(byOwner)
}

// fanOut writes to many clients from as many goroutines as there are processors. One whose socket
// would wait gets a goroutine of its own, see output.flush.
func fanOut(list []*Client, own *Client) {
	const least = 16 // clients for a goroutine
	parts := min(runtime.GOMAXPROCS(0), (len(list)+least-1)/least)
	size := (len(list) + parts - 1) / parts
	for part := range slices.Chunk(slices.Clone(list), size) {
		go func() {
			for _, c := range part {
				if c != own {
					c.out.flush(byOther)
				}
			}
		}()
	}
}
