package otlp

import "sync"

// A queue holds what waits for the collector, within bounds. Its push never waits.
type queue[T any] struct {
	maxItems, maxBytes int

	mu    sync.Mutex // guards what follows
	items []sized[T]
	bytes int

	wake chan struct{} // capacity 1: a batch is full
}

type sized[T any] struct {
	item T
	size int // bytes
}

func newQueue[T any](maxItems, maxBytes int) *queue[T] {
	return &queue[T]{maxItems: maxItems, maxBytes: maxBytes, wake: make(chan struct{}, 1)}
}

// push appends an item of size bytes, or reports that there is no room.
func (q *queue[T]) push(item T, size int) bool {
	q.mu.Lock()
	if len(q.items) >= q.maxItems || q.bytes+size > q.maxBytes {
		q.mu.Unlock()
		return false
	}
	q.items = append(q.items, sized[T]{item, size})
	q.bytes += size
	full := len(q.items) >= batchItems
	q.mu.Unlock()
	if full {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// take removes and returns the oldest batch; more says whether another full one waits.
func (q *queue[T]) take() (batch []T, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.items), batchItems)
	batch = make([]T, 0, n)
	for _, s := range q.items[:n] {
		batch = append(batch, s.item)
		q.bytes -= s.size
	}
	rest := copy(q.items, q.items[n:])
	clear(q.items[rest:])
	q.items = q.items[:rest]
	return batch, rest >= batchItems
}
