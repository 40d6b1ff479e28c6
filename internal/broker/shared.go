package broker

import (
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/broker/gcra"
	"github.com/gatehouse-iot/gatehouse/internal/messagelog"
)

// flagRetention marks a message of a shared queue whose expiry is the queue's own, not the publisher's.
const flagRetention = 2

// A sharedQueue holds the QoS 1 messages of a shared subscription that has a member with a stored
// session, while no member can take them, or until a member whose session ends with its connection
// has acknowledged them. Source: mqtt sheet 10.
//
// Its lock comes before those of sessions and outputs.
type sharedQueue struct {
	broker *Broker
	key    messagelog.Group
	group  *group
	shard  *shard // guards group.members
	queue  messagelog.QueueID
	ended  atomic.Bool

	mu      sync.Mutex
	waiting bool                    // guarded by mu, like all below: the queue may hold messages that nobody has
	read    messagelog.Seq          // those up to here were handed out, but for
	lent    map[messagelog.Seq]bool // messages that a member has not acknowledged
	page    []messagelog.Queued
	rates   map[*subscriber]*gcra.Meter
	timer   *time.Timer
	missed  int64 // messages that found the queue full since somebody was told
}

// newSharedQueue opens the queue of a group that gets its first member with a stored session; nil
// when the log does not take it. The lock of the shard is held.
func newSharedQueue(b *Broker, g *group, sh *shard, filter string) *sharedQueue {
	q := &sharedQueue{broker: b, key: messagelog.Group{ShareName: g.name, Filter: filter}, group: g, shard: sh, waiting: true, lent: map[messagelog.Seq]bool{}}
	id, err := b.cfg.Log.PutGroup(q.key)
	if err != nil {
		b.cfg.Machine.Error("shared subscription without a queue", slog.String("group", g.name), slog.String("filter", filter), slog.Any("error", err))
		return nil
	}
	q.queue = id
	return q
}

// end drops the queue with its last member. The lock of the shard is held.
func (q *sharedQueue) end() {
	q.ended.Store(true)
	if err := q.broker.cfg.Log.DeleteGroup(q.key); err != nil {
		q.broker.cfg.Machine.Error("shared subscription not deleted", slog.String("group", q.key.ShareName), slog.Any("error", err))
	}
}

// put appends a message. The newest is dropped when the queue is full.
func (q *sharedQueue) put(bt *Batch, topic string, m *Message) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	cfg := &q.broker.cfg
	d := cfg.Log.Depth(q.queue)
	if d.Messages >= cfg.QueueMessages || d.Bytes+int64(len(topic)+len(m.Payload)+len(m.Properties)) > cfg.QueueBytes {
		q.missed++
		return nil
	}
	ref := messagelog.Reference{Queue: q.queue}
	if m.Retain {
		ref.Flags |= flagRetain
	}
	expires := bt.Now.Add(cfg.SessionExpiry)
	if m.Expires.IsZero() || m.Expires.After(expires) {
		ref.Flags |= flagRetention
	} else {
		expires = m.Expires
	}
	_, err := cfg.Log.Append(&messagelog.Message{
		Topic: topic, Payload: m.Payload, Properties: m.Properties, QoS: m.QoS, Retain: m.Retain, Published: bt.Now, Expires: expires,
	}, []messagelog.Reference{ref})
	if err != nil {
		return err
	}
	q.waiting = true
	bt.stored = true
	bt.pump(q)
	return nil
}

// takes tells whether a message may go to a member directly: nothing waits before it.
func (q *sharedQueue) takes() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.waiting
}

// pump remembers to hand out what waits in q at Flush.
func (bt *Batch) pump(q *sharedQueue) {
	if !slices.Contains(bt.shared, q) {
		bt.shared = append(bt.shared, q)
	}
}

// run hands out what waits as far as the members take it.
func (q *sharedQueue) run() {
	bt := NewBatch(time.Now())
	defer bt.Release()
	q.mu.Lock()
	members := q.members()
	for q.waiting && !q.ended.Load() {
		m := q.nextLocked()
		if m == nil {
			break
		}
		if !m.Expires.IsZero() && !bt.Now.Before(m.Expires) {
			q.broker.cfg.Log.Remove(q.queue, m.Seq)
			q.read, q.page = m.Seq, q.page[1:]
			continue
		}
		rc, online, denied := q.pickLocked(members, m, bt.Now)
		switch {
		case rc != nil && q.handLocked(bt, rc, m):
		case online > 0 && denied == online:
			q.broker.cfg.Log.Remove(q.queue, m.Seq)
		default:
			if q.page = nil; online > 0 {
				q.retryLocked()
			}
			q.mu.Unlock()
			bt.Flush(nil, nil)
			return
		}
		q.read, q.page = m.Seq, q.page[1:]
	}
	q.mu.Unlock()
	bt.Flush(nil, nil)
}

func (q *sharedQueue) members() []receiver {
	q.shard.mu.RLock()
	defer q.shard.mu.RUnlock()
	list := make([]receiver, len(q.group.members))
	for i, s := range q.group.members {
		list[i] = receiver{client: s.owner.client, session: s.owner.session, options: s.options}
	}
	return list
}

// nextLocked returns the first message that nobody has; nil without one.
func (q *sharedQueue) nextLocked() *messagelog.Queued {
	for {
		for len(q.page) > 0 && q.lent[q.page[0].Seq] {
			q.read, q.page = q.page[0].Seq, q.page[1:]
		}
		if len(q.page) > 0 {
			return &q.page[0]
		}
		page, err := q.broker.cfg.Log.Read(q.queue, q.read, pageMessages, pageBytes)
		if err != nil {
			q.broker.cfg.Machine.Error("shared queue not read", slog.String("group", q.key.ShareName), slog.Any("error", err))
			q.retryLocked()
			return nil
		}
		if q.page = page; len(page) == 0 {
			q.waiting, q.page = false, nil
			return nil
		}
	}
}

// pickLocked chooses at random a member that takes m now, and counts those that are online and
// those of them that may not receive it.
func (q *sharedQueue) pickLocked(members []receiver, m *messagelog.Queued, now time.Time) (chosen *receiver, online, denied int) {
	n := len(members)
	for i, first := 0, rand.IntN(max(n, 1)); i < n; i++ {
		rc := &members[(first+i)%n]
		if !rc.online() {
			continue
		}
		online++
		if q.missed > 0 {
			rc.client.peer.Dropped(DropShared, m.Topic)
			q.missed = 0
		}
		if !rc.mayReceive(m.Topic) {
			denied++
			continue
		}
		if rc.client.busy() {
			continue
		}
		if r := q.broker.cfg.SharedRate; r.Every > 0 && !q.rateLocked(rc, n).Allow(r, now, 1) {
			continue
		}
		return rc, online, denied
	}
	return nil, online, denied
}

func (q *sharedQueue) rateLocked(rc *receiver, members int) *gcra.Meter {
	if q.rates == nil || len(q.rates) > 2*members {
		q.rates = map[*subscriber]*gcra.Meter{}
	}
	u := rc.client.subscriber()
	if q.rates[u] == nil {
		q.rates[u] = new(gcra.Meter)
	}
	return q.rates[u]
}

// handLocked gives m to a member: into the queue of its session, where it belongs to that member, or
// to its connection, which has it until it acknowledges.
func (q *sharedQueue) handLocked(bt *Batch, rc *receiver, m *messagelog.Queued) bool {
	log := q.broker.cfg.Log
	message := Message{Payload: m.Payload, QoS: 1, Retain: m.Flags&flagRetain != 0, Properties: m.Properties, Expires: m.Expires}
	if m.Flags&flagRetention != 0 {
		message.Expires = time.Time{}
	}
	bt.reset()
	switch {
	case rc.options.QoS == 0:
		bt.deliver(rc, m.Topic, &message)
		log.Remove(q.queue, m.Seq)
	case rc.session != nil:
		if err := q.broker.storeRound(bt, []*receiver{rc}, m.Topic, &message, int64(len(m.Topic)+len(m.Payload)+len(m.Properties))); err != nil {
			return false
		}
		log.Remove(q.queue, m.Seq)
	default:
		return q.lendLocked(bt, rc, m, &message)
	}
	return true
}

func (q *sharedQueue) lendLocked(bt *Batch, rc *receiver, m *messagelog.Queued, message *Message) bool {
	c := rc.client
	kind := kindQoS1
	if c.v5 {
		kind |= kindV5
	}
	if message.Retain && rc.options.RetainAsPublished {
		kind |= kindRetain
	}
	f := bt.frame(message, m.Topic, kind)
	if len(f.data) > c.maxPacket {
		c.peer.Dropped(DropTooLarge, m.Topic)
		q.broker.cfg.Log.Remove(q.queue, m.Seq)
		return true
	}
	c.out.mu.Lock()
	if c.out.closed || !c.passLocked(f, bt.Now, 0) {
		c.out.mu.Unlock()
		return false
	}
	c.window.lend(c.window.next, loan{q, m.Seq})
	q.lent[m.Seq] = true
	bt.touchLocked(c)
	return true
}

// retryLocked tries again soon: a window opens, or a rate has rested. It is asked only while a member
// is online.
func (q *sharedQueue) retryLocked() {
	if q.timer == nil {
		q.timer = time.AfterFunc(soon, q.run)
	} else {
		q.timer.Reset(soon)
	}
}

// A loan is a message of a shared queue that a connection has not acknowledged.
type loan struct {
	queue *sharedQueue
	seq   messagelog.Seq
}

// settle ends a loan: the message was acknowledged, or it goes back for another member.
func (l loan) settle(done bool) {
	q := l.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.lent, l.seq)
	if done {
		q.broker.cfg.Log.Remove(q.queue, l.seq)
		return
	}
	q.waiting, q.page, q.read = true, nil, min(q.read, l.seq-1)
}

// runShared settles the loans that were repaid, and hands out what waits.
func (bt *Batch) runShared() {
	for _, l := range bt.repaid {
		l.settle(true)
		bt.pump(l.queue)
	}
	bt.repaid = bt.repaid[:0]
	for _, q := range bt.shared {
		q.run()
	}
	clear(bt.shared)
	bt.shared = bt.shared[:0]
}

// returnLoans gives what c has not acknowledged to other members of its groups.
func (c *Client) returnLoans() {
	c.out.mu.Lock()
	copies := c.takeCopiesLocked()
	var loans map[uint16]loan
	if c.window != nil {
		loans, c.window.loans = c.window.loans, nil
	}
	c.out.mu.Unlock()
	queues := map[*sharedQueue]bool{}
	for _, l := range loans {
		l.settle(false)
		queues[l.queue] = true
	}
	for q := range queues {
		q.run()
	}
	c.broker.handOver(copies)
}

// pumpShared hands out what waits for the groups of a member that has just come.
func (u *subscriber) pumpShared() {
	u.mu.Lock()
	var queues []*sharedQueue
	for _, s := range u.subs {
		if s.group != nil {
			s.shard.mu.RLock()
			if q := s.group.queue; q != nil {
				queues = append(queues, q)
			}
			s.shard.mu.RUnlock()
		}
	}
	u.mu.Unlock()
	for _, q := range queues {
		q.run()
	}
}

// restoreShared forgets the queues of groups that lost their last member while the broker was away.
func (b *Broker) restoreShared() {
	for g := range b.cfg.Log.Groups() {
		if b.Members("$share/"+g.ShareName+"/"+g.Filter) == 0 {
			if err := b.cfg.Log.DeleteGroup(g); err != nil {
				b.cfg.Machine.Error("shared subscription not deleted", slog.String("group", g.ShareName), slog.Any("error", err))
			}
		}
	}
}
