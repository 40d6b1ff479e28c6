//go:build linux

package faults

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/thinmqtt"
)

// A conduct is how a subscriber of the kill test uses its connections.
type conduct int

const (
	stays    conduct = iota // until the server dies
	vanishes                // and comes back, several times in a life
	rests                   // is away for two lives of three, and longer only when it has everything
)

// A delivery is one PUBLISH that a session got.
type delivery struct {
	n          int
	life, conn int
}

// A killSession is one subscriber across the server's lives.
type killSession struct {
	k          *killTest
	id, filter string
	version    mqtt.Version
	conduct    conduct
	volatile   bool // its session ends with the connection

	subscribed bool
	conn       int // counts connections
	deliveries atomic.Int64

	mu     sync.Mutex
	got    map[string][]delivery // guarded by mu: of each topic, in the order of arrival
	newest map[string]int        // guarded by mu: of each topic, the greatest number
}

// inGroup tells whether others get a part of the messages.
func (s *killSession) inGroup() bool { return s.filter == "$share/trio/k/+" }

// comes tells whether the session has a connection in a life of the server.
func (s *killSession) comes(life int, last bool) bool {
	return s.conduct != rests || life%3 == 0 || last || s.behind() > mostBehind/2
}

// run connects, subscribes the first time, and takes messages until the server dies.
func (s *killSession) run(ready func()) {
	defer ready()
	for !s.k.dead.Load() && !s.k.t.Failed() {
		o := s.k.options(s.id, s.version)
		o.Keep = !s.volatile
		o.ReceiveMaximum = uint16(5 + rand.IntN(30))
		c := s.k.connect(o)
		if c == nil {
			return
		}
		s.conn++
		if want := s.subscribed && !s.volatile; c.Present != want {
			s.k.fail(s.id, fmt.Errorf("session present: %v, want %v", c.Present, want))
			return
		}
		if !c.Present {
			if err := c.Subscribe(1, nil, s.filter); err != nil {
				s.k.fail(s.id, err)
				return
			}
			s.subscribed = true
		}
		ready()
		if s.conduct == rests && s.conn == 1 {
			_ = c.Leave()
			return
		}
		if !s.receive(c) {
			return
		}
		c.Vanish()
	}
}

// receive takes messages until the connection breaks, or, if it is that kind, is broken.
func (s *killSession) receive(c *thinmqtt.Client) (again bool) {
	most := 1 << 30
	if s.conduct == vanishes {
		most = 1 + rand.IntN(60)
	}
	for taken := 0; taken < most || s.k.last; taken++ {
		got, err := c.Next()
		if err != nil {
			s.k.fail(s.id, err)
			return false
		}
		m, ok := got.(*mqtt.Publish)
		if !ok || m.QoS != 1 || m.Dup {
			s.k.t.Errorf("%s got %+v", s.id, got)
			return false
		}
		s.mu.Lock()
		topic, n := string(m.Topic), numberOf(m.Payload)
		s.got[topic] = append(s.got[topic], delivery{n, s.k.life, s.conn})
		s.newest[topic] = max(s.newest[topic], n)
		s.mu.Unlock()
		if s.inGroup() {
			s.k.groupGot(topic, n)
		}
		s.deliveries.Add(1)
		if err := c.Ack(m.PacketID); err != nil {
			s.k.fail(s.id, err)
			return false
		}
	}
	return true
}

// latest is the greatest number of a topic that came.
func (s *killSession) latest(topic string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest[topic]
}

// behind is how many messages the session has not got of the topic of which it misses most.
func (s *killSession) behind() int {
	most := 0
	for _, p := range s.k.publishers {
		if !p.retain {
			p.mu.Lock()
			sent := p.sent
			p.mu.Unlock()
			most = max(most, sent-s.latest(p.topic))
		}
	}
	return most
}

// verify compares what was acknowledged with what came.
func (k *killTest) verify() {
	lost := 0
	for _, s := range k.sessions {
		for _, p := range k.publishers {
			if p.retain {
				continue
			}
			if !s.inGroup() {
				lost += s.verifyAll(p)
			}
			s.verifyOrder(p)
			s.verifyCopies(p)
		}
	}
	if n := k.missingOfGroup(); n > 0 {
		k.t.Errorf("%d messages came to no member of the group", n)
		lost += n
	}
	k.t.Logf("%d messages lost", lost)
}

// verifyAll counts the messages that were acknowledged and did not come.
func (s *killSession) verifyAll(p *killPublisher) (lost int) {
	came := map[int]bool{}
	for _, d := range s.got[p.topic] {
		came[d.n] = true
	}
	for n := range p.acked {
		if !came[n] {
			lost++
			s.k.t.Errorf("%s: message %d on %s was acknowledged and did not come", s.id, n, p.topic)
		}
	}
	return lost
}

// verifyOrder insists that what comes for the first time is later than all that came before. A member
// of a group may get an older message when it was another's before the server died.
func (s *killSession) verifyOrder(p *killPublisher) {
	seen := map[int]bool{}
	last := delivery{}
	for _, d := range s.got[p.topic] {
		if seen[d.n] {
			continue
		}
		seen[d.n] = true
		if others := s.inGroup() && p.firstLife[d.n] < d.life; d.n < last.n && !others {
			s.k.t.Errorf("%s: on %s %d came first after %d (life %d, connection %d)", s.id, p.topic, d.n, last.n, d.life, d.conn)
		}
		if d.n > last.n {
			last = d
		}
	}
}

// verifyCopies insists that on one connection a message comes as often as it was published, at most. To a
// member of a group it may come once more when the server died meanwhile: a message goes from the queue of the
// group to that of the member's session in two steps, and a kill between them leaves it in both.
func (s *killSession) verifyCopies(p *killPublisher) {
	count := map[delivery]int{}
	for _, d := range s.got[p.topic] {
		most := p.copies[d.n]
		if s.inGroup() && p.firstLife[d.n] < d.life {
			most++
		}
		if count[d]++; count[d] > most {
			s.k.t.Errorf("%s: message %d on %s came %d times on connection %d, and was published %d times", s.id, d.n, p.topic, count[d], d.conn, p.copies[d.n])
		}
	}
}
