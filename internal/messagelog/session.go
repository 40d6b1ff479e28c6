package messagelog

import (
	"bytes"
	"fmt"
	"iter"
	"maps"

	"github.com/fxamacker/cbor/v2"
)

const scanPage = 256

var sessionEncoding = func() cbor.EncMode {
	m, err := cbor.EncOptions{Time: cbor.TimeRFC3339NanoUTC}.EncMode()
	if err != nil {
		panic(err) // the options are constant
	}
	return m
}()

func encodeSession(r *SessionRecord) ([]byte, error) {
	b := bytes.NewBuffer([]byte{sessionForm})
	if err := sessionEncoding.NewEncoder(b).Encode(r); err != nil {
		return nil, fmt.Errorf("encode session %q: %w", r.ClientID, err)
	}
	return b.Bytes(), nil
}

// decodeSession reads what encodeSession wrote. Fields that it does not know are passed over, so
// that a version may add some under the same form.
func decodeSession(b []byte) (*SessionRecord, error) {
	if len(b) == 0 || b[0] != sessionForm {
		return nil, errStored
	}
	r := new(SessionRecord)
	if err := cbor.Unmarshal(b[1:], r); err != nil {
		return nil, fmt.Errorf("%w: %w", errStored, err)
	}
	return r, nil
}

// PutSession implements [Log].
func (s *store) PutSession(r *SessionRecord) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	had, known := s.ix.sessions[r.ClientID]
	err := s.usableLocked()
	if !known {
		err = s.roomLocked()
	}
	if err != nil {
		return err
	}
	if r.Queue != 0 && r.Queue != had {
		return fmt.Errorf("session %q: queue %d is not its own", r.ClientID, r.Queue)
	}
	stored := *r
	if r.Queue == 0 {
		stored.Queue = s.ix.lastQueue + 1
	}
	b, err := encodeSession(&stored)
	if err != nil {
		return err
	}
	if r.Queue == 0 {
		s.dropQueueLocked(had)
		r.Queue = s.newQueueLocked()
	}
	s.ix.sessions[r.ClientID] = r.Queue
	s.setLocked(stringKey(keySession, r.ClientID), b)
	return nil
}

// DeleteSession implements [Log].
func (s *store) DeleteSession(clientID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usableLocked(); err != nil {
		return err
	}
	id, ok := s.ix.sessions[clientID]
	if ok {
		delete(s.ix.sessions, clientID)
		s.dropQueueLocked(id)
		s.deleteLocked(stringKey(keySession, clientID))
	}
	return nil
}

// Sessions implements [Log].
func (s *store) Sessions() iter.Seq2[*SessionRecord, error] {
	return func(yield func(*SessionRecord, error) bool) {
		after := ""
		for {
			var page []*SessionRecord
			n, last, err := s.scan(keySession, after, scanPage, func(_ string, v []byte) error {
				r, err := decodeSession(v)
				page = append(page, r)
				return err
			})
			if err != nil {
				yield(nil, err)
				return
			}
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
			}
			if n < scanPage {
				return
			}
			after = last
		}
	}
}

func groupKey(g Group) []byte { return stringKey(keyGroup, g.ShareName+"\x00"+g.Filter) }

// PutGroup implements [Log].
func (s *store) PutGroup(g Group) (QueueID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, ok := s.ix.groups[g]; ok {
		return id, s.usableLocked()
	}
	if err := s.roomLocked(); err != nil {
		return 0, err
	}
	id := s.newQueueLocked()
	s.ix.groups[g] = id
	s.setNumberLocked(groupKey(g), uint64(id))
	return id, nil
}

// DeleteGroup implements [Log].
func (s *store) DeleteGroup(g Group) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usableLocked(); err != nil {
		return err
	}
	if id, ok := s.ix.groups[g]; ok {
		delete(s.ix.groups, g)
		s.dropQueueLocked(id)
		s.deleteLocked(groupKey(g))
	}
	return nil
}

// Groups implements [Log].
func (s *store) Groups() iter.Seq2[Group, QueueID] {
	s.mu.Lock()
	groups := maps.Clone(s.ix.groups)
	s.mu.Unlock()
	return maps.All(groups)
}

// ReserveNumbers implements [Log].
func (s *store) ReserveNumbers(limit int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usableLocked(); err != nil {
		return err
	}
	s.ix.numbers = limit
	s.setNumberLocked(metaNumbers, uint64(limit))
	return nil
}

// ReservedNumbers implements [Log].
func (s *store) ReservedNumbers() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ix.numbers
}
