package messagelog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// An index is what memory holds of the log's content. It is guarded by the store's mutex.
type index struct {
	queues    map[QueueID]*queue
	pages     pages
	sessions  map[string]QueueID
	groups    map[Group]QueueID
	retained  map[string]uint32 // topic -> expiry in seconds since 1970, 0 never
	nextSeq   Seq
	lastQueue QueueID
	numbers   int64 // what ReserveNumbers was told

	messages, references int
	bytes                int64

	// stale are keys that nothing refers to any longer: a session went before its messages' other
	// queues did, or the like. They are deleted with the first batch.
	stale [][]byte
}

func (ix *index) queue(id QueueID) *queue {
	q := &queue{id: id}
	ix.queues[id] = q
	return q
}

// load reads an index from disk.
func load(db *pebble.DB) (*index, error) {
	ix := &index{
		queues: make(map[QueueID]*queue), sessions: make(map[string]QueueID), groups: make(map[Group]QueueID),
		retained: make(map[string]uint32), nextSeq: 1,
	}
	if err := ix.loadNames(db); err != nil {
		return nil, err
	}
	removed, err := ix.loadRemovals(db)
	if err != nil {
		return nil, err
	}
	if err := ix.loadMessages(db, removed); err != nil {
		return nil, err
	}
	for q, seqs := range removed { // of messages that are gone
		for s := range seqs {
			ix.stale = append(ix.stale, removedKey(q, s))
		}
	}
	return ix, nil
}

// each calls f for all keys that begin with kind. Key and value are lent.
func each(db *pebble.DB, kind byte, f func(key, value []byte) error) error {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{kind}, UpperBound: []byte{kind + 1}})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err == nil {
			err = f(it.Key(), v)
		}
		if err != nil {
			it.Close()
			return fmt.Errorf("key %x: %w", it.Key(), err)
		}
	}
	return it.Close() // tells what ended the loop
}

// loadNames reads sessions, groups and topics.
func (ix *index) loadNames(db *pebble.DB) error {
	err := each(db, keyMeta, func(k, v []byte) error {
		switch {
		case len(v) != 8:
		case bytes.Equal(k, metaQueue):
			ix.lastQueue = QueueID(binary.BigEndian.Uint64(v))
		case bytes.Equal(k, metaNumbers):
			ix.numbers = int64(binary.BigEndian.Uint64(v))
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = each(db, keySession, func(k, v []byte) error {
		r, err := decodeSession(v)
		if err == nil {
			ix.sessions[r.ClientID] = r.Queue
			ix.queue(r.Queue)
		}
		return err
	})
	if err != nil {
		return err
	}
	err = each(db, keyGroup, func(k, v []byte) error {
		name, filter, ok := bytes.Cut(k[1:], []byte{0})
		if !ok || len(v) != 8 {
			return errStored
		}
		id := QueueID(binary.BigEndian.Uint64(v))
		ix.groups[Group{string(name), string(filter)}] = id
		ix.queue(id)
		return nil
	})
	if err != nil {
		return err
	}
	return each(db, keyRetained, func(k, v []byte) error {
		r, err := decodeRetained(v)
		if err == nil {
			ix.retained[string(k[1:])] = seconds(r.Expires)
		}
		return err
	})
}

// loadRemovals reads what was removed from queues while others hold the message.
func (ix *index) loadRemovals(db *pebble.DB) (map[QueueID]map[Seq]struct{}, error) {
	err := each(db, keyCursor, func(k, v []byte) error {
		if len(k) != 9 || len(v) != 8 {
			return errStored
		}
		s := Seq(binary.BigEndian.Uint64(v))
		ix.nextSeq = max(ix.nextSeq, s+1)
		if q := ix.queues[QueueID(number(k))]; q != nil {
			q.last = s
		} else {
			ix.stale = append(ix.stale, bytes.Clone(k))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	removed := make(map[QueueID]map[Seq]struct{})
	return removed, each(db, keyRemoved, func(k, _ []byte) error {
		if len(k) != 17 {
			return errStored
		}
		q, s := QueueID(number(k)), Seq(binary.BigEndian.Uint64(k[9:]))
		ix.nextSeq = max(ix.nextSeq, s+1)
		if removed[q] == nil {
			removed[q] = make(map[Seq]struct{})
		}
		removed[q][s] = struct{}{}
		return nil
	})
}

// loadMessages puts the messages into their queues. It takes from removed what it finds.
func (ix *index) loadMessages(db *pebble.DB, removed map[QueueID]map[Seq]struct{}) error {
	return each(db, keyMessage, func(k, v []byte) error {
		if len(k) != 9 {
			return errStored
		}
		s := Seq(number(k))
		ix.nextSeq = max(ix.nextSeq, s+1)
		var h head
		var refs uint32
		_, err := decodeHead(v, &h, func(r Reference) {
			q := ix.queues[r.Queue]
			if q == nil {
				return
			}
			if _, gone := removed[r.Queue][s]; gone {
				if q.push(s, entryRemoved|entryNoted) {
					delete(removed[r.Queue], s)
				}
				return
			}
			if q.push(s, uint32(r.Flags)) {
				q.messages++
				q.bytes += int64(h.size)
				refs++
			}
		})
		if err != nil {
			return err
		}
		if refs == 0 {
			ix.stale = append(ix.stale, bytes.Clone(k))
			if h.size > inlineBytes {
				ix.stale = append(ix.stale, seqKey(keyBody, uint64(s)))
			}
			return nil
		}
		ix.pages.add(s, refs, h.size, h.expires)
		ix.messages++
		ix.references += int(refs)
		ix.bytes += int64(h.size)
		return nil
	})
}

// now32 is the clock in the unit of expiries in memory, rounded down.
func now32() uint32 { return uint32(time.Now().Unix()) }
