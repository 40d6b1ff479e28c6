package broker

import (
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/messagelog"
)

const (
	maxWindow = 100 // most QoS 1 messages under way to a client. Source: mqtt sheet 7
	slots     = 128 // more than maxWindow, power of two
)

// A window knows the QoS 1 messages that a client has not acknowledged. A packet identifier lives
// in the slot of its low bits, so that identifiers count up and are not used again at once.
type window struct {
	ids   [slots]uint16          // 0: free
	sent  [slots]uint32          // Unix seconds
	sizes [slots]uint32          // of the packet, in bytes
	seqs  *[slots]messagelog.Seq // places in the session's queue; nil until there is one
	loans map[uint16]loan        // messages of shared queues; nil until there is one
	n     int
	next  uint16

	copies *[slots]*groupCopy // messages of shared subscriptions without a queue; nil until there is one
	copied int                // bytes of copies, counted in Broker.queued

	acked  uint32 // size of the largest packet that was acknowledged
	passed passed // what the client may have passed over; its id is 0 without one
	told   bool   // it was reported: once for a connection

	confirm map[uint16]chan struct{} // closed when the message is acknowledged; see Client.SendDirect
}

// passed is the largest of the messages that are larger than every one that was acknowledged.
type passed struct {
	id    uint16
	topic string
}

// patience is how long a message may be under way before an acknowledgement of
// a later one says that the client has passed it over.
const patience = 10 * time.Second

// take returns a free packet identifier for a packet of so many bytes. The caller made sure that
// fewer than maxWindow are in use.
func (w *window) take(now time.Time, size int, topic string) uint16 {
	for {
		w.next++
		if w.next == 0 {
			w.next = 1
		}
		if i := w.next % slots; w.ids[i] == 0 {
			w.ids[i], w.sent[i], w.sizes[i] = w.next, uint32(now.Unix()), uint32(size)
			w.n++
			if uint32(size) > w.acked && !w.told && (w.passed.id == 0 || uint32(size) > w.sizes[w.passed.id%slots]) {
				w.passed = passed{w.next, topic}
			}
			return w.next
		}
	}
}

// release frees an identifier and tells whether it was in use.
func (w *window) release(id uint16) bool {
	if i := id % slots; w.ids[i] == id && id != 0 {
		w.ids[i] = 0
		w.n--
		w.acked = max(w.acked, w.sizes[i])
		if id == w.passed.id {
			w.passed = passed{}
		}
		if w.confirm != nil {
			w.confirmed(id)
		}
		return true
	}
	return false
}

// passedOver tells whether a client that has just acknowledged id passed over an earlier message that
// is larger than all that it ever acknowledged, and its topic and size. MQTT has clients acknowledge
// in order (MQTT-4.6.0-2), so that an answer to a later one says that this one did not arrive in the
// device's program. It tells so once.
func (w *window) passedOver(id uint16, now time.Time) (topic string, size int, ok bool) {
	p := w.passed
	if p.id == 0 || int16(id-p.id) < 0 {
		return "", 0, false
	}
	i := p.id % slots
	if w.sizes[i] <= w.acked {
		w.passed = passed{} // its size is not what keeps it
		return "", 0, false
	}
	if now.Unix()-int64(w.sent[i]) < int64(patience/time.Second) {
		return "", 0, false
	}
	w.passed, w.told = passed{}, true
	return p.topic, int(w.sizes[i]), true
}

// keep remembers the place of a message in the session's queue.
func (w *window) keep(id uint16, seq messagelog.Seq) {
	if w.seqs == nil {
		w.seqs = new([slots]messagelog.Seq)
	}
	w.seqs[id%slots] = seq
}

// forget returns the place of a message that was released; 0: it is in no queue.
func (w *window) forget(id uint16) (seq messagelog.Seq) {
	if w.seqs != nil {
		i := id % slots
		seq, w.seqs[i] = w.seqs[i], 0
	}
	return seq
}

// lend remembers that a message is one of a shared queue.
func (w *window) lend(id uint16, l loan) {
	if w.loans == nil {
		w.loans = map[uint16]loan{}
	}
	w.loans[id] = l
}

// repay returns the loan that a released message was.
func (w *window) repay(id uint16) (l loan, ok bool) {
	if l, ok = w.loans[id]; ok {
		delete(w.loans, id)
	}
	return l, ok
}

// expire frees the slots of messages sent before t, counts them, and returns their places in the
// session's queue, and in shared ones.
func (w *window) expire(t time.Time) (n int, seqs []messagelog.Seq, loans []loan) {
	for i, id := range w.ids {
		if id != 0 && int64(w.sent[i]) < t.Unix() {
			if id == w.passed.id {
				w.passed = passed{}
			}
			w.ids[i] = 0
			w.n--
			n++
			if seq := w.forget(id); seq > 0 {
				seqs = append(seqs, seq)
			}
			if l, ok := w.repay(id); ok {
				loans = append(loans, l)
			}
			if w.copies != nil {
				w.copied -= w.copies[i].size()
				w.copies[i] = nil
			}
		}
	}
	return n, seqs, loans
}

// A queue holds frames in order of arrival. The zero queue is empty and holds no memory.
type queue struct {
	list  []frame
	head  int
	bytes int
}

func (q *queue) len() int { return len(q.list) - q.head }

// push adds f and returns how many bytes it counts for.
func (q *queue) push(f frame) int {
	if q.head > 0 && len(q.list) == cap(q.list) {
		n := copy(q.list, q.list[q.head:])
		clear(q.list[n:])
		q.list, q.head = q.list[:n], 0
	}
	q.list = append(q.list, f)
	q.bytes += f.held()
	return f.held()
}

func (q *queue) front() *frame { return &q.list[q.head] }

func (q *queue) pop() {
	f := &q.list[q.head]
	q.bytes -= f.held()
	*f = frame{}
	q.head++
	if q.head == len(q.list) {
		*q = queue{}
	}
}
