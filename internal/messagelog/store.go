package messagelog

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// maxStaged bounds what waits in memory for a slow disk, in bytes.
const maxStaged = 32 << 20

// A store is a Log in Pebble. What changes is staged in a batch in memory; the writer hands one
// batch after the other to Pebble, and all that is in it shares a sync.
type store struct {
	o    Options
	lock *pebble.Lock

	// applying is held while a batch goes to Pebble, so that they go in order. It is taken before mu.
	applying sync.Mutex
	unsynced bool // Pebble has what was not synced; guarded by applying

	mu sync.Mutex
	// all below is guarded by mu
	e       *engine // nil while broken
	ix      *index
	batch   *pebble.Batch // staged
	staged  int           // bytes of messages in it
	applied Seq           // all messages before this one have left the batch
	waiters []func(error) // of OnDurable, for all that is staged and before
	spare   []func(error) // the writer's, for waiters
	dirty   []*queue      // whose cursor must be written
	refs    []byte        // scratch
	broken  error
	full    error
	closed  bool
	armed   bool   // the lazy timer runs
	sweepAt uint32 // when the sweep timer fires, in seconds since 1970; 0: it does not run

	wake  chan struct{}
	lazy  *time.Timer // fires when what nobody waits for must be synced
	sweep *time.Timer // fires when messages may have expired
	stop  chan struct{}
	done  chan struct{}
	err   error // of the end; read after done

	// all below is the writer's
	looked, compacted time.Time // when it last looked for room, and made some
	written           int       // bytes of messages since it looked
	reserved          bool      // the reserve is there
}

func newStore(o Options, lock *pebble.Lock) *store {
	s := &store{o: o, lock: lock, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	s.lazy, s.sweep = time.NewTimer(time.Hour), time.NewTimer(time.Hour)
	s.lazy.Stop()
	s.sweep.Stop()
	return s
}

func (s *store) start(e *engine, ix *index) {
	s.mu.Lock()
	s.adoptLocked(e, ix)
	s.mu.Unlock()
	go s.write()
}

// adoptLocked makes e what the store writes to.
func (s *store) adoptLocked(e *engine, ix *index) {
	s.e, s.ix, s.batch, s.broken, s.full = e, ix, e.db.NewBatch(), nil, nil
	s.staged, s.applied, s.dirty = 0, ix.nextSeq, nil
	for _, k := range ix.stale {
		s.deleteLocked(k)
	}
	ix.stale = nil
	if at := ix.pages.nextExpiry(); at != 0 {
		s.sweepLocked(at)
	}
	for _, at := range ix.retained {
		if at != 0 {
			s.sweepLocked(at)
		}
	}
}

func (s *store) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// usableLocked tells why nothing can be stored, whether there is room or not.
func (s *store) usableLocked() error {
	if s.closed {
		return ErrClosed
	}
	return s.broken
}

// roomLocked tells why nothing can be added.
func (s *store) roomLocked() error {
	if err := s.usableLocked(); err != nil {
		return err
	}
	if s.full != nil {
		s.armLocked() // so that the writer looks again
		return s.full
	}
	if s.staged >= maxStaged {
		return fmt.Errorf("%w: %d bytes wait for the disk", ErrFull, s.staged)
	}
	return nil
}

// armLocked sees to it that what is staged is synced soon, if nobody waits for it.
func (s *store) armLocked() {
	if !s.armed {
		s.armed = true
		s.lazy.Reset(s.lazyAfter())
	}
}

// Staging: batches in memory do not fail.

func (s *store) setLocked(k, v []byte) {
	_ = s.batch.Set(k, v, nil)
	s.armLocked()
}

func (s *store) deleteLocked(k []byte) {
	_ = s.batch.Delete(k, nil)
	s.armLocked()
}

func (s *store) deleteSeqLocked(kind byte, n uint64) {
	op := s.batch.DeleteDeferred(9)
	putSeqKey(op.Key, kind, n)
	_ = op.Finish()
	s.armLocked()
}

func (s *store) setNumberLocked(k []byte, n uint64) {
	s.setLocked(k, binary.BigEndian.AppendUint64(nil, n))
}

// Append implements [Log].
func (s *store) Append(m *Message, to []Reference) (Seq, error) {
	size, expires := uint32(m.size()), seconds(m.Expires)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.roomLocked(); err != nil {
		return 0, err
	}
	ix := s.ix
	seq := ix.nextSeq
	h := head{size: size, expires: expires, refs: s.refs[:0]}
	for _, r := range to {
		q := ix.queues[r.Queue]
		if q == nil || !q.push(seq, uint32(r.Flags&MaxFlags)) {
			continue
		}
		q.messages++
		q.bytes += int64(size)
		h.refs = appendRef(h.refs, r)
		h.queues++
	}
	s.refs = h.refs
	if h.queues == 0 {
		return 0, nil
	}
	ix.nextSeq++
	ix.pages.add(seq, h.queues, size, expires)
	ix.messages++
	ix.references += int(h.queues)
	ix.bytes += int64(size)
	if size <= inlineBytes {
		op := s.batch.SetDeferred(9, h.len()+bodyLen(m))
		putSeqKey(op.Key, keyMessage, uint64(seq))
		appendBody(appendHead(op.Value[:0], &h), m)
		_ = op.Finish()
	} else {
		op := s.batch.SetDeferred(9, h.len())
		putSeqKey(op.Key, keyMessage, uint64(seq))
		appendHead(op.Value[:0], &h)
		_ = op.Finish()
		op = s.batch.SetDeferred(9, bodyLen(m))
		putSeqKey(op.Key, keyBody, uint64(seq))
		appendBody(op.Value[:0], m)
		_ = op.Finish()
	}
	s.staged += int(size)
	s.armLocked()
	if expires != 0 {
		s.sweepLocked(expires)
	}
	return seq, nil
}

// OnDurable implements [Log].
func (s *store) OnDurable(f func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		go f(ErrClosed)
		return
	}
	s.waiters = append(s.waiters, f)
	if len(s.waiters) == 1 {
		s.wakeUp()
	}
}

// Remove implements [Log].
func (s *store) Remove(id QueueID, seqs ...Seq) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.usableLocked() != nil {
		return
	}
	if q := s.ix.queues[id]; q != nil {
		for _, seq := range seqs {
			s.removeLocked(q, seq)
		}
	}
}

func (s *store) removeLocked(q *queue, seq Seq) {
	entry := q.find(seq)
	if entry == nil {
		return
	}
	*entry |= entryRemoved
	q.messages--
	q.bytes -= int64(s.ix.pages.size(seq))
	if !s.dropLocked(seq) {
		if q.front(seq) {
			s.dirtyLocked(q)
		} else {
			*entry |= entryNoted
			s.setLocked(removedKey(q.id, seq), nil)
		}
	}
	q.trim(func(noted Seq) {
		s.deleteLocked(removedKey(q.id, noted))
		s.dirtyLocked(q)
	})
}

// dirtyLocked has the cursor of q written with the batch.
func (s *store) dirtyLocked(q *queue) {
	if !q.dirty {
		q.dirty = true
		s.dirty = append(s.dirty, q)
	}
	s.armLocked()
}

// dropLocked takes a reference to a message away, and the message with the last one: then it
// answers true.
func (s *store) dropLocked(seq Seq) bool {
	size := s.ix.pages.size(seq)
	s.ix.references--
	if !s.ix.pages.drop(seq) {
		return false
	}
	s.ix.messages--
	s.ix.bytes -= int64(size)
	s.deleteSeqLocked(keyMessage, uint64(seq))
	if size > inlineBytes {
		s.deleteSeqLocked(keyBody, uint64(seq))
	}
	return true
}

// newQueueLocked makes a queue.
func (s *store) newQueueLocked() QueueID {
	s.ix.lastQueue++
	s.setNumberLocked(metaQueue, uint64(s.ix.lastQueue))
	s.ix.queue(s.ix.lastQueue)
	return s.ix.lastQueue
}

// dropQueueLocked removes a queue with all in it.
func (s *store) dropQueueLocked(id QueueID) {
	q := s.ix.queues[id]
	if q == nil {
		return
	}
	delete(s.ix.queues, id)
	for i := range q.blocks {
		b := &q.blocks[i]
		for j, e := range b.entries {
			switch {
			case i == 0 && j < q.first:
			case e&entryRemoved == 0:
				s.dropLocked(b.seq(j))
			case e&entryNoted != 0:
				s.deleteLocked(removedKey(id, b.seq(j)))
			}
		}
	}
	s.deleteSeqLocked(keyCursor, uint64(id))
	q.blocks, q.dropped = nil, true
}

// Depth implements [Log].
func (s *store) Depth(id QueueID) Depth {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.ix.queues[id]; q != nil {
		return Depth{Messages: q.messages, Bytes: q.bytes}
	}
	return Depth{}
}
