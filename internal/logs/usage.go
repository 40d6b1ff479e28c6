package logs

// Usage is how much a store holds.
type Usage struct {
	Groups    int
	DiskBytes int64
	Dropped   uint64 // events for which a Writer found no room, since the store was opened
}

// Usage counts.
func (s *Store) Usage() Usage {
	u := Usage{Dropped: s.dropped.Load()}
	for _, g := range s.all() {
		g.mu.Lock()
		u.Groups++
		u.DiskBytes += g.bytesLocked()
		g.mu.Unlock()
	}
	return u
}
