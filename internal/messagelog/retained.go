package messagelog

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/gatehouse-iot/gatehouse/internal/packed"
)

// decodeRetained reads a retained message. It aliases b.
func decodeRetained(b []byte) (*Retained, error) {
	r := packed.Reader{B: b}
	modified := fromMillis(r.Uvarint())
	if r.Bad {
		return nil, errStored
	}
	m, err := decodeBody(r.B, "")
	return &Retained{Message: m, Modified: modified}, err
}

// PutRetained implements [Log].
func (s *store) PutRetained(m *Message, modified time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.roomLocked(); err != nil {
		return err
	}
	at := seconds(m.Expires)
	s.ix.retained[m.Topic] = at
	if at != 0 {
		s.sweepLocked(at)
	}
	b := make([]byte, 0, uvarintLen(millis(modified))+bodyLen(m))
	s.setLocked(stringKey(keyRetained, m.Topic), appendBody(binary.AppendUvarint(b, millis(modified)), m))
	s.staged += m.size()
	return nil
}

// DeleteRetained implements [Log].
func (s *store) DeleteRetained(topic string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usableLocked(); err != nil {
		return err
	}
	s.dropRetainedLocked(topic)
	return nil
}

func (s *store) dropRetainedLocked(topic string) {
	if _, ok := s.ix.retained[topic]; ok {
		delete(s.ix.retained, topic)
		s.deleteLocked(stringKey(keyRetained, topic))
	}
}

// Retained implements [Log].
func (s *store) Retained(topic string) (*Retained, error) {
	s.mu.Lock()
	_, ok := s.ix.retained[topic]
	err := s.usableLocked()
	s.mu.Unlock()
	if !ok || err != nil {
		return nil, err
	}
	s.apply()
	s.mu.Lock()
	e, err := s.e, s.usableLocked()
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	var r *Retained
	err = e.read(func(db *pebble.DB) error {
		v, closer, err := db.Get(stringKey(keyRetained, topic))
		if errors.Is(err, pebble.ErrNotFound) {
			return nil // removed meanwhile
		} else if err != nil {
			return err
		}
		defer closer.Close()
		r, err = decodeRetained(slices.Clone(v))
		return err
	})
	if err != nil || r == nil || expired(r, time.Now()) {
		return nil, err
	}
	return r, nil
}

func expired(r *Retained, now time.Time) bool {
	return !r.Expires.IsZero() && !r.Expires.After(now)
}

// RetainedPage implements [Log].
func (s *store) RetainedPage(after string, maxTopics int) ([]RetainedSummary, error) {
	var page []RetainedSummary
	now := time.Now()
	for len(page) < maxTopics {
		want := maxTopics - len(page)
		n, last, err := s.scan(keyRetained, after, want, func(_ string, v []byte) error {
			r, err := decodeRetained(v)
			if err == nil && !expired(r, now) {
				page = append(page, RetainedSummary{Topic: r.Topic, PayloadSize: len(r.Payload), QoS: r.QoS, Modified: r.Modified})
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if n < want {
			break
		}
		after = last
	}
	return page, nil
}

// RetainedCount implements [Log].
func (s *store) RetainedCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ix.retained)
}
