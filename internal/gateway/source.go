package gateway

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// sources shares the places for handshakes among source addresses: who opens
// connections and never finishes a handshake blocks himself and nobody else. A
// burst of one source, such as a fleet behind one address after a power cut, is
// spread over time: what finds no place waits for one, as long as few enough do.
type sources struct {
	most  int // handshakes of one source at a time
	queue int // connections that may wait, of all sources together

	mu      sync.Mutex
	waiting int                      // guarded by mu
	by      map[netip.Prefix]*source // guarded by mu: those that have connections in their handshake
}

type source struct {
	places int             // taken
	queue  []chan struct{} // who waits, in order; a closed channel has got a place
}

func newSources(most, queue int) *sources {
	return &sources{most: most, queue: queue, by: map[netip.Prefix]*source{}}
}

// sourceOf is what counts as one source: an IPv4 address, or the /64 of an IPv6
// address, which one site has. A connection that is not TCP is of the zero source.
func sourceOf(nc net.Conn) netip.Prefix {
	addr := remote(nc).Addr()
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// enter takes a place, if one is free and nobody waits for it. If there is none,
// turn is where the connection may wait for it, nil when too many wait already.
func (s *sources) enter(p netip.Prefix) (ok bool, turn chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.by[p]
	if src == nil {
		src = new(source)
		s.by[p] = src
	}
	if src.places < s.most {
		src.places++
		return true, nil
	}
	if s.waiting >= s.queue {
		return false, nil
	}
	s.waiting++
	turn = make(chan struct{})
	src.queue = append(src.queue, turn)
	return false, turn
}

// wait waits for the turn that enter gave, for at most limit, and tells whether
// it came.
func (s *sources) wait(sig conduct, p netip.Prefix, turn chan struct{}, limit time.Duration) bool {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-turn:
		return true
	case <-t.C:
	case <-sig.stop.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.by[p]
	if src == nil {
		return true // it came just now
	}
	i := slices.Index(src.queue, turn)
	if i < 0 {
		return true
	}
	src.queue = slices.Delete(src.queue, i, i+1)
	s.waiting--
	return false
}

// leave gives a place back: to who waits longest, if anybody does.
func (s *sources) leave(p netip.Prefix) {
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.by[p]
	if len(src.queue) > 0 {
		close(src.queue[0])
		src.queue = slices.Delete(src.queue, 0, 1)
		s.waiting--
		return
	}
	if src.places--; src.places == 0 {
		delete(s.by, p)
	}
}
