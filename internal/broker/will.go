package broker

import (
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/messagelog"
)

// A heldWill is the will of a session that outlives its connection. While the connection lives, it is
// only kept, so that a crash of the server publishes it; afterwards it waits for its delay.
type heldWill struct {
	messagelog.Will
	publish func()      // nil until the connection has ended
	timer   *time.Timer // set when it is due
}

// A LostWill is a will whose connection ended with the last run of the server.
type LostWill struct {
	ClientID  string
	Principal string // whose it is
	Will      messagelog.Will
}

// A WillFate is what becomes of a will when its connection ends.
type WillFate int

// The fates.
const (
	WillNow  WillFate = iota // the caller publishes it
	WillHeld                 // it waits, and is published when its delay or the session is over
	WillGone                 // the session was resumed already, within the delay
)

// HoldWill decides about the will of a connection that ended at now without keeping its client from
// publishing it. Call it before [Broker.Disconnect]. publish is called once, from a goroutine of its
// own, when a will that is held is due. Source: MQTT 5 3.1.3.2.2; mqtt sheet 9.
func (c *Client) HoldWill(now time.Time, delay time.Duration, publish func()) WillFate {
	s := c.session
	if s == nil || delay <= 0 {
		c.DropWill()
		return WillNow
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return WillNow
	case s.owner != c:
		return WillGone
	case s.will == nil || s.expiry <= 0:
		s.will = nil
		return WillNow
	}
	delay = min(delay, s.expiry)
	s.will.Due, s.will.publish = now.Add(delay), publish
	s.will.timer = time.AfterFunc(delay, s.willDue)
	return WillHeld // Disconnect stores it with the session
}

// DropWill forgets the will that is kept with the client's session: it is not published, or was already.
func (c *Client) DropWill() {
	if s := c.session; s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.owner == c {
			s.setWillLocked(nil)
		}
	}
}

// DropWill forgets the will that waits in the session of a client ID without connection.
func (b *Broker) DropWill(id string) {
	sh := b.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if s := sh.sessions[id]; s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.owner == nil && s.will != nil {
			s.setWillLocked(nil)
			_ = s.saveLocked() // logged
		}
	}
}

// setWillLocked replaces the will of the session, whatever it waits for.
func (s *Session) setWillLocked(w *messagelog.Will) {
	if s.will != nil && s.will.timer != nil {
		s.will.timer.Stop()
	}
	s.will = nil
	if w != nil {
		s.will = &heldWill{Will: *w}
	}
}

// takeWillLocked takes a will that waits for its delay out of the session; nil without one.
func (s *Session) takeWillLocked() *heldWill {
	w := s.will
	if w == nil || w.publish == nil {
		return nil
	}
	s.setWillLocked(nil)
	return w
}

// willDue publishes what was held, unless the session was resumed or ended meanwhile.
func (s *Session) willDue() {
	s.mu.Lock()
	w := s.takeWillLocked()
	if w != nil {
		_ = s.saveLocked() // logged
	}
	s.mu.Unlock()
	if w != nil {
		w.publish()
	}
}

// restoreWill brings back the will of a session that has no connection any more; it waits for
// [Broker.PublishLostWills].
func (s *Session) restoreWill(w *messagelog.Will) {
	if w == nil {
		return
	}
	s.will = &heldWill{Will: *w}
	if s.will.Due.IsZero() { // the connection ended with the server
		s.will.Due = s.disconnected.Add(min(w.Delay, s.expiry))
	}
}

// PublishLostWills lets publish have each will that [Broker.Restore] found, when it is due. Call it
// once, when messages can be published.
func (b *Broker) PublishLostWills(publish func(LostWill)) {
	for i := range b.clients {
		sh := &b.clients[i]
		sh.mu.Lock()
		for _, s := range sh.sessions {
			s.mu.Lock()
			if w := s.will; w != nil && s.owner == nil && w.publish == nil {
				lost := LostWill{ClientID: s.id, Principal: s.principal, Will: w.Will}
				w.publish = func() { publish(lost) }
				w.timer = time.AfterFunc(max(0, time.Until(w.Due)), s.willDue)
			}
			s.mu.Unlock()
		}
		sh.mu.Unlock()
	}
}

// stopWills lets no will of a stored session be published any more in this run of the server.
func (b *Broker) stopWills() {
	for i := range b.clients {
		sh := &b.clients[i]
		sh.mu.Lock()
		for _, s := range sh.sessions {
			s.mu.Lock()
			if s.will != nil && s.will.timer != nil {
				s.will.timer.Stop()
			}
			s.mu.Unlock()
		}
		sh.mu.Unlock()
	}
}
