package messagelog

import (
	"bytes"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Read implements [Log].
func (s *store) Read(id QueueID, after Seq, maxMessages, maxBytes int) ([]Queued, error) {
	s.mu.Lock()
	if err := s.usableLocked(); err != nil {
		s.mu.Unlock()
		return nil, err
	}
	q := s.ix.queues[id]
	if q == nil || maxMessages <= 0 {
		s.mu.Unlock()
		return nil, nil
	}
	found := make([]Queued, 0, min(maxMessages, q.messages))
	total, now := 0, now32()
	q.after(after, func(seq Seq, flags byte) bool {
		if s.ix.pages.expired(seq, now) {
			return true
		}
		size := int(s.ix.pages.size(seq))
		if len(found) > 0 && total+size > maxBytes {
			return false
		}
		total += size
		found = append(found, Queued{Seq: seq, Flags: flags})
		return len(found) < maxMessages
	})
	e := s.e
	staged := len(found) > 0 && found[len(found)-1].Seq >= s.applied
	s.mu.Unlock()
	if len(found) == 0 {
		return nil, nil
	}
	if staged {
		s.apply()
	}
	err := e.read(func(db *pebble.DB) error { return fill(db, found, total) })
	if err != nil {
		return nil, err
	}
	kept := found[:0]
	clock := time.Now()
	for _, m := range found {
		if m.Topic == "" { // removed meanwhile
			continue
		}
		if m.Expires.IsZero() || m.Expires.After(clock) {
			kept = append(kept, m)
		}
	}
	return kept, nil
}

// A filler reads bodies into as few pieces of memory as it can.
type filler struct {
	db    *pebble.DB
	room  []byte
	topic string // of the message before
	key   [9]byte
}

// fill reads the bodies of found, which are in order and have about total bytes. It leaves alone
// what was removed meanwhile.
func fill(db *pebble.DB, found []Queued, total int) error {
	it, err := db.NewIter(&pebble.IterOptions{
		LowerBound: seqKey(keyMessage, uint64(found[0].Seq)),
		UpperBound: seqKey(keyMessage, uint64(found[len(found)-1].Seq)+1),
	})
	if err != nil {
		return err
	}
	f := filler{db: db, room: make([]byte, 0, total+len(found)*20)}
	ok := it.First()
	for i := range found {
		m := &found[i]
		putSeqKey(f.key[:], keyMessage, uint64(m.Seq))
		if ok && bytes.Compare(it.Key(), f.key[:]) < 0 {
			if ok = it.Next(); ok && bytes.Compare(it.Key(), f.key[:]) < 0 {
				ok = it.SeekGE(f.key[:])
			}
		}
		if !ok {
			break
		}
		if !bytes.Equal(it.Key(), f.key[:]) {
			continue
		}
		v, err := it.ValueAndErr()
		if err == nil {
			err = f.read(m, v)
		}
		if err != nil {
			it.Close()
			return err
		}
	}
	return it.Close() // tells what ended the loop
}

// read fills m from its stored value.
func (f *filler) read(m *Queued, v []byte) error {
	var h head
	body, err := decodeHead(v, &h, func(Reference) {})
	if err != nil {
		return err
	}
	if h.size > inlineBytes {
		putSeqKey(f.key[:], keyBody, uint64(m.Seq))
		b, closer, err := f.db.Get(f.key[:])
		if errors.Is(err, pebble.ErrNotFound) {
			return nil // removed since the iterator was made
		} else if err != nil {
			return err
		}
		defer closer.Close()
		body = b
	}
	if cap(f.room)-len(f.room) < len(body) {
		f.room = make([]byte, 0, len(body))
	}
	n := len(f.room)
	f.room = append(f.room, body...)
	m.Message, err = decodeBody(f.room[n:len(f.room):len(f.room)], f.topic)
	f.topic = m.Topic
	return err
}

// scan returns at most limit pairs of the keys that begin with kind, behind after.
func (s *store) scan(kind byte, after string, limit int, take func(key string, value []byte) error) (n int, last string, err error) {
	s.apply()
	s.mu.Lock()
	e, err := s.e, s.usableLocked()
	s.mu.Unlock()
	if err != nil {
		return 0, "", err
	}
	from := []byte{kind}
	if after != "" {
		from = append(stringKey(kind, after), 0)
	}
	err = e.read(func(db *pebble.DB) error {
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: []byte{kind + 1}})
		if err != nil {
			return err
		}
		for ok := it.First(); ok && n < limit; ok = it.Next() {
			v, err := it.ValueAndErr()
			if err == nil {
				last = string(it.Key()[1:])
				n++
				err = take(last, v)
			}
			if err != nil {
				it.Close()
				return err
			}
		}
		return it.Close()
	})
	return n, last, err
}
