package messagelog

import (
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

const sweepBatch = 1024 // messages that are removed under one lock

// sweepLocked has expired messages swept soon after at, in seconds since 1970.
func (s *store) sweepLocked(at uint32) {
	now := now32()
	at = max(at, now+uint32(sweepMost/time.Second))
	if s.sweepAt == 0 || at < s.sweepAt {
		s.sweepAt = at
		s.sweep.Reset(time.Duration(at-now) * time.Second)
	}
}

// sweepExpired removes what has expired.
func (s *store) sweepExpired() {
	s.mu.Lock()
	s.sweepAt = 0
	s.mu.Unlock()
	s.apply() // the references are read from disk
	for s.sweepSome() {
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.usableLocked() != nil {
		return
	}
	now := now32()
	for topic, at := range s.ix.retained {
		switch {
		case at == 0:
		case at <= now:
			s.dropRetainedLocked(topic)
		default:
			s.sweepLocked(at)
		}
	}
	if at := s.ix.pages.nextExpiry(); at != 0 {
		s.sweepLocked(at)
	}
}

// sweepSome removes some expired messages, and tells whether there may be more.
func (s *store) sweepSome() bool {
	s.mu.Lock()
	if s.usableLocked() != nil {
		s.mu.Unlock()
		return false
	}
	e := s.e
	seqs := s.ix.pages.takeExpired(now32(), sweepBatch)
	s.mu.Unlock()
	for _, seq := range seqs {
		var in []QueueID
		err := e.read(func(db *pebble.DB) error {
			v, closer, err := db.Get(seqKey(keyMessage, uint64(seq)))
			if errors.Is(err, pebble.ErrNotFound) {
				return nil // removed meanwhile
			} else if err != nil {
				return err
			}
			defer closer.Close()
			_, err = decodeHead(v, new(head), func(r Reference) { in = append(in, r.Queue) })
			return err
		})
		if err != nil {
			return false // the next sweep tries again
		}
		for _, q := range in {
			s.Remove(q, seq)
		}
	}
	return len(seqs) == sweepBatch
}
