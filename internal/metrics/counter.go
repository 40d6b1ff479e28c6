package metrics

import "slices"

// A counter is a number of events that only grows, kept elsewhere.
type counter struct {
	id   ID
	read func() uint64
	last uint64
}

// Follow makes a metric of a counter that is kept elsewhere: one sample of 1 for
// each event. read must be cheap and never wait.
func (s *Store) Follow(id ID, read func() uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counters = append(s.counters, &counter{id: id, read: read})
}

// A family is counters that differ in the value of one dimension.
type family struct {
	id        ID
	dimension string
	read      func() map[string]uint64
	last      map[string]uint64
}

// FollowEach is Follow for counters that come into being one by one: read returns those
// that are there, by their value of the dimension. Their number must be bounded.
func (s *Store) FollowEach(id ID, dimension string, read func() map[string]uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.families = append(s.families, &family{id: id, dimension: dimension, read: read})
}

// Collect takes in what the followed counters have counted since the last time.
// It happens at the end of every minute, and before a metric is read.
func (s *Store) Collect() {
	at := s.cfg.Now().Unix() / 60
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.counters {
		n := c.read()
		if n <= c.last {
			continue
		}
		p := Sample(1, float64(n-c.last))
		c.last = n
		s.addLocked(c.id, "Count", at, &p)
	}
	for _, f := range s.families {
		counts := f.read()
		for value, n := range counts {
			if n <= f.last[value] {
				continue
			}
			p, id := Sample(1, float64(n-f.last[value])), f.id
			id.Dimensions = append(slices.Clip(id.Dimensions), Dimension{f.dimension, value})
			s.addLocked(id, "Count", at, &p)
		}
		f.last = counts
	}
}
