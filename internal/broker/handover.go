package broker

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// A shared subscription whose members' sessions all end with their connections has no queue in the
// log. Its QoS 1 messages are kept in memory until the member that got them acknowledges, and go to
// another member when the connection ends before. Source: mqtt sheet 10.

// A groupCopy is a message of such a group. It owns its memory.
type groupCopy struct {
	group   string // with $share/{name}/
	topic   string
	message Message
}

func (g *groupCopy) size() int {
	if g == nil {
		return 0
	}
	return len(g.topic) + len(g.message.Payload) + len(g.message.Properties)
}

// deliverShared is [Batch.deliver] to the member rc of g.
func (bt *Batch) deliverShared(g *groupReceivers, rc *receiver, topic string, m *Message) bool {
	kind := rc.kind(m)
	if kind&kindQoS1 == 0 || g.queue != nil || rc.session != nil {
		return bt.deliver(rc, topic, m)
	}
	f := bt.frame(m, topic, kind)
	f.copy = &groupCopy{group: g.filter, topic: strings.Clone(topic), message: *m}
	f.copy.message.Payload, f.copy.message.Properties = bytes.Clone(m.Payload), bytes.Clone(m.Properties)
	delivered := bt.deliver(rc, topic, m)
	f.copy = nil // the frame may go to other receivers
	return delivered
}

// keepCopyLocked keeps a message that goes out as id, as far as there is memory.
func (c *Client) keepCopyLocked(id uint16, g *groupCopy) {
	w, size := c.window, g.size()
	if w.copied+size > c.broker.share(c.pendingBytes) {
		return
	}
	if w.copies == nil {
		w.copies = new([slots]*groupCopy)
	}
	w.copies[id%slots] = g
	w.copied += size
	c.broker.queued.Add(int64(size))
}

// dropCopyLocked forgets the message that went out as id.
func (c *Client) dropCopyLocked(id uint16) {
	w := c.window
	if g := w.copies[id%slots]; g != nil {
		w.copies[id%slots] = nil
		w.copied -= g.size()
		c.broker.queued.Add(int64(-g.size()))
	}
}

// takeCopiesLocked returns what c has not acknowledged and what waits for it, of groups without a
// queue, in its order.
func (c *Client) takeCopiesLocked() (list []*groupCopy) {
	if w := c.window; w != nil && w.copies != nil {
		ids := slices.Clone(w.ids[:])
		slices.SortFunc(ids, func(a, b uint16) int { return int(a-w.next-1) - int(b-w.next-1) }) // the oldest first
		for _, id := range ids {
			if g := w.copies[id%slots]; id != 0 && g != nil {
				list = append(list, g)
				c.dropCopyLocked(id)
			}
		}
	}
	for i := c.pending.head; i < len(c.pending.list); i++ {
		if g := c.pending.list[i].copy; g != nil {
			list = append(list, g)
		}
	}
	return list
}

// handOver gives messages to other members of their groups. Those of groups without members are lost.
func (b *Broker) handOver(list []*groupCopy) {
	if len(list) == 0 {
		return
	}
	bt := NewBatch(time.Now())
	groups := map[string]*groupReceivers{}
	for _, c := range list {
		m := &c.message
		if !m.Expires.IsZero() && !bt.Now.Before(m.Expires) {
			continue
		}
		g, ok := groups[c.group]
		if !ok {
			b.index.lookup(c.group, func(found *group) {
				now := found.receivers()
				g = &now
			})
			groups[c.group] = g
		}
		bt.reset()
		switch {
		case g == nil:
		case g.queue != nil: // a member with a session came meanwhile
			if err := g.queue.put(bt, c.topic, m); err != nil {
				b.cfg.Machine.Error("message of a shared subscription not handed over", slog.Any("error", err))
			}
		default:
			if rc := g.choose(c.topic); rc != nil {
				bt.deliverShared(g, rc, c.topic, m)
			}
		}
	}
	bt.Flush(nil, nil)
	bt.Release()
}
