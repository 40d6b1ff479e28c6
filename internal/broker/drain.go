package broker

import (
	"log/slog"
	"sync"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/messagelog"
)

// What is read from a queue at once: the memory of a session that is behind.
const (
	pageMessages = 32
	pageBytes    = 64 << 10
)

// drainFrames hold the message that is being sent from a page.
var drainFrames = sync.Pool{New: func() any { return new(frame) }}

// Start lets the messages of a session go to c: first those that an earlier connection did not
// acknowledge and those that came meanwhile, in the order of their arrival, then live ones. Call it
// when CONNACK is on its way. It does nothing for a session that ends with its connection.
func (c *Client) Start() {
	s := c.session
	if s == nil {
		return
	}
	s.mu.Lock()
	if s.owner != c {
		s.mu.Unlock()
		return
	}
	now := time.Now()
	s.behind, s.read, s.since = true, 0, now
	s.live.Store(c)
	c.out.mu.Lock()
	s.drainLocked(c, now)
	c.out.mu.Unlock()
	s.mu.Unlock()
	s.sub.pumpShared()
	c.out.flush(byOwner)
}

// restLocked stops sending: the connection is gone, or another one comes.
func (s *Session) restLocked() {
	s.live.Store(nil)
	s.holdLocked(nil)
	s.behind = true
}

// holdLocked replaces the page.
func (s *Session) holdLocked(page []messagelog.Queued) {
	held := 0
	for i := range page {
		held += len(page[i].Topic) + len(page[i].Payload) + len(page[i].Properties)
	}
	s.sub.broker.queued.Add(int64(held - s.held))
	s.page, s.held = page, held
}

// drainLocked sends what waits in the log as far as the client's window, output and rates allow. The
// locks are those of the session and of c's output.
func (s *Session) drainLocked(c *Client, now time.Time) {
	b := s.sub.broker
	if !s.behind || s.live.Load() != c {
		return
	}
	f := drainFrames.Get().(*frame)
	defer drainFrames.Put(f)
	for s.behind && !c.out.closed && c.pending.len() == 0 && !c.fullLocked() {
		if len(s.page) == 0 {
			page, err := b.cfg.Log.Read(s.queue, s.read, pageMessages, b.share(pageBytes))
			if err != nil {
				b.cfg.Machine.Error("session's messages not read", slog.String("client_id", s.id), slog.Any("error", err))
				c.retryLocked(time.Second)
				return
			}
			s.holdLocked(page)
			if len(page) == 0 {
				s.behind = false
				return
			}
		}
		q := &s.page[0]
		if !s.sendQueuedLocked(c, f, q, now) {
			return
		}
		s.read = q.Seq
		if s.page = s.page[1:]; len(s.page) == 0 {
			s.holdLocked(nil)
		}
	}
}

// sendQueuedLocked sends one message of the log, or drops it, and says whether the next one may come.
func (s *Session) sendQueuedLocked(c *Client, f *frame, q *messagelog.Queued, now time.Time) bool {
	if !q.Expires.IsZero() && !now.Before(q.Expires) {
		c.peer.Dropped(DropExpired, q.Topic)
		s.dropLocked(q.Seq)
		return true
	}
	if !c.peer.MayReceive(q.Topic) { // decided when it is delivered, not when it was stored (mqtt sheet 4.2)
		c.peer.Dropped(DropDenied, q.Topic)
		s.dropLocked(q.Seq)
		return true
	}
	m := Message{Payload: q.Payload, QoS: 1, Properties: q.Properties, Expires: q.Expires}
	f.encode(&m, q.Topic, c.v5, q.Flags&flagRetain != 0, 1, now)
	if len(f.data) > c.maxPacket {
		c.peer.Dropped(DropTooLarge, q.Topic)
		s.dropLocked(q.Seq)
		return true
	}
	if rate := s.sub.broker.cfg.DrainRate; q.Published.Before(s.since) && !s.drain.Allow(rate, now, 1) {
		c.retryLocked(rate.Every)
		return false
	}
	return c.passLocked(f, now, q.Seq)
}

// resumeDrain goes on after the output of c ran empty, or after a rate held it back.
func (c *Client) resumeDrain() {
	s := c.session
	s.mu.Lock()
	c.out.mu.Lock()
	now := time.Now()
	c.refillLocked(now)
	s.drainLocked(c, now)
	c.out.mu.Unlock()
	s.mu.Unlock()
	c.out.flush(byItself)
}
