package broker

import "time"

const (
	maxWindow = 100 // most QoS 1 messages under way to a client. Source: mqtt sheet 7
	slots     = 128 // more than maxWindow, power of two
)

// A window knows the QoS 1 messages that a client has not acknowledged. A packet identifier lives
// in the slot of its low bits, so that identifiers count up and are not used again at once.
type window struct {
	ids  [slots]uint16 // 0: free
	sent [slots]uint32 // Unix seconds
	n    int
	next uint16
}

// take returns a free packet identifier. The caller made sure that fewer than maxWindow are in use.
func (w *window) take(now time.Time) uint16 {
	for {
		w.next++
		if w.next == 0 {
			w.next = 1
		}
		if i := w.next % slots; w.ids[i] == 0 {
			w.ids[i], w.sent[i] = w.next, uint32(now.Unix())
			w.n++
			return w.next
		}
	}
}

// release frees an identifier and tells whether it was in use.
func (w *window) release(id uint16) bool {
	if i := id % slots; w.ids[i] == id && id != 0 {
		w.ids[i] = 0
		w.n--
		return true
	}
	return false
}

// expire frees the slots of messages sent before t and counts them.
func (w *window) expire(t time.Time) (n int) {
	for i, id := range w.ids {
		if id != 0 && int64(w.sent[i]) < t.Unix() {
			w.ids[i] = 0
			w.n--
			n++
		}
	}
	return n
}

// A queue holds frames in order of arrival. The zero queue is empty and holds no memory.
type queue struct {
	list  []frame
	head  int
	bytes int
}

func (q *queue) len() int { return len(q.list) - q.head }

func (q *queue) push(f frame) {
	if q.head > 0 && len(q.list) == cap(q.list) {
		n := copy(q.list, q.list[q.head:])
		clear(q.list[n:])
		q.list, q.head = q.list[:n], 0
	}
	q.list = append(q.list, f)
	q.bytes += len(f.data)
}

func (q *queue) front() *frame { return &q.list[q.head] }

func (q *queue) pop() {
	q.bytes -= len(q.list[q.head].data)
	q.list[q.head] = frame{}
	q.head++
	if q.head == len(q.list) {
		*q = queue{}
	}
}
