package broker

import (
	"slices"

	"github.com/gatehouse-iot/gatehouse/internal/messagelog"
)

// flagRetain marks a queued message that goes out with RETAIN, because the subscription asks for it
// as published.
const flagRetain = 1

// Stored tells whether a message that was published, or a subscription that was made, since the last
// call must reach the disk before it is acknowledged: see [Broker.OnDurable].
func (bt *Batch) Stored() bool {
	stored := bt.stored
	bt.stored = false
	return stored
}

// Refused is why the message published last could not be stored for the sessions that must not lose
// it: an error of [messagelog.Log]. Nobody got it then.
func (bt *Batch) Refused() error { return bt.refused }

// store appends m, once, to the queues of the sessions that want it at QoS 1, and hands it to those
// whose connections keep up. The sessions are locked all the while, in the order of their serial
// numbers: so all messages of a session have the order of the log.
func (b *Broker) store(bt *Batch, from *Client, r *Route, m *Message) error {
	list := bt.storing[:0]
	for i := range r.receivers {
		rc := &r.receivers[i]
		if rc.session != nil && rc.options.QoS > 0 && !rc.isFrom(from) {
			list = append(list, rc) // merge has sorted them
		}
	}
	for i := range r.groups {
		g := &r.groups[i]
		rc := g.choose(r.topic)
		switch {
		case g.queue == nil:
		case rc != nil && !rc.client.busy() && rc.options.QoS == 0:
		case rc != nil && !rc.client.busy() && rc.session != nil && g.queue.takes():
			list = append(list, rc)
		default:
			if g.chosen = nil; bt.refused == nil {
				bt.refused = g.queue.put(bt, r.topic, m)
			}
		}
	}
	slices.SortStableFunc(list, bySerial)
	size := int64(len(r.topic) + len(m.Payload) + len(m.Properties))
	for len(list) > 0 && bt.refused == nil {
		n := 1 // sessions that differ; a copy for a group comes in a round of its own
		for n < len(list) && list[n].session != list[n-1].session {
			n++
		}
		bt.refused = b.storeRound(bt, list[:n], r.topic, m, size)
		list = list[n:]
	}
	clear(bt.storing[:cap(bt.storing)])
	bt.storing = bt.storing[:0]
	return bt.refused
}

func (b *Broker) storeRound(bt *Batch, list []*receiver, topic string, m *Message, size int64) error {
	refs, kept := bt.refs[:0], list[:0]
	for _, rc := range list {
		s := rc.session
		s.mu.Lock()
		if !s.admitLocked(bt, topic, m, size) {
			s.mu.Unlock()
			continue
		}
		ref := messagelog.Reference{Queue: s.queue}
		if m.Retain && rc.options.RetainAsPublished {
			ref.Flags |= flagRetain
		}
		refs, kept = append(refs, ref), append(kept, rc)
	}
	bt.refs = refs[:0]
	if len(kept) == 0 {
		return nil
	}
	seq, err := b.cfg.Log.Append(&messagelog.Message{
		Topic: topic, Payload: m.Payload, Properties: m.Properties, QoS: m.QoS, Retain: m.Retain, Published: bt.Now, Expires: m.Expires,
	}, refs)
	if err == nil {
		bt.stored = true
	}
	for _, rc := range kept {
		switch {
		case err != nil:
			rc.session.tellQueuedLocked(topic, m, QueueFailed)
		default:
			rc.session.tellQueuedLocked(topic, m, QueueStored)
			rc.session.handLocked(bt, rc, topic, m, seq)
		}
		rc.session.mu.Unlock()
	}
	return err
}

// admitLocked decides whether one more message may wait for the session. The newest is dropped at
// each bound. Source: mqtt sheet 4.2, 20.
func (s *Session) admitLocked(bt *Batch, topic string, m *Message, size int64) bool {
	if s.ended {
		return false
	}
	cfg := &s.sub.broker.cfg
	d := cfg.Log.Depth(s.queue)
	if c := s.owner; c != nil {
		if d.Messages >= max(cfg.QueueMessages, c.pendingMessages) || d.Bytes+size > cfg.QueueBytes {
			c.peer.Dropped(DropQueue, topic)
			return false
		}
		return true
	}
	if d.Messages >= cfg.QueueMessages || d.Bytes+size > cfg.QueueBytes {
		s.missed.Full++
		s.tellQueuedLocked(topic, m, QueueFull)
		return false
	}
	if !s.sub.broker.storing.Allow(cfg.QueueRate, bt.Now, 1) {
		s.missed.Throttled++
		s.tellQueuedLocked(topic, m, QueueThrottled)
		return false
	}
	return true
}

// tellQueuedLocked tells what became of a message, if the session has no connection.
func (s *Session) tellQueuedLocked(topic string, m *Message, outcome QueueOutcome) {
	if tell := s.sub.broker.cfg.Queued; tell != nil && s.owner == nil {
		tell(Queued{s.id, s.principal, topic, m.Trace, outcome})
	}
}

// handLocked sends a message that was just stored, if nothing waits before it and the window has
// room. Otherwise it is read from the log when its turn comes.
func (s *Session) handLocked(bt *Batch, rc *receiver, topic string, m *Message, seq messagelog.Seq) {
	c := s.live.Load()
	if c == nil || s.behind {
		return
	}
	s.read = seq
	if !rc.online() || !rc.mayReceive(topic) {
		s.dropLocked(seq)
		return
	}
	kind := kindQoS1
	if c.v5 {
		kind |= kindV5
	}
	if m.Retain && rc.options.RetainAsPublished {
		kind |= kindRetain
	}
	f := bt.frame(m, topic, kind)
	if len(f.data) > c.maxPacket {
		c.peer.Dropped(DropTooLarge, topic)
		s.dropLocked(seq)
		return
	}
	c.out.mu.Lock()
	if c.out.closed || c.pending.len() > 0 || !c.passLocked(f, bt.Now, seq) {
		c.out.mu.Unlock()
		s.behind, s.read = true, seq-1
		return
	}
	bt.touchLocked(c)
}

// dropLocked takes a message that will not be delivered out of the queue.
func (s *Session) dropLocked(seq messagelog.Seq) { s.sub.broker.cfg.Log.Remove(s.queue, seq) }
