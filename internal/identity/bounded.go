package identity

import "sync"

// A bounded is a map with room for about limit entries. It keeps two
// generations: when the young one is full it becomes the old one, and what was
// not asked for since then is forgotten. It is safe for concurrent use.
type bounded[K comparable, V any] struct {
	limit int

	mu         sync.Mutex // guards what follows
	young, old map[K]V
}

func newBounded[K comparable, V any](limit int) *bounded[K, V] {
	return &bounded[K, V]{limit: max(limit/2, 1), young: map[K]V{}}
}

// get returns the value of k.
func (b *bounded[K, V]) get(k K) (v V, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if v, ok = b.young[k]; ok {
		return v, true
	}
	if v, ok = b.old[k]; ok {
		b.putLocked(k, v)
	}
	return v, ok
}

// put stores v, unless allowed says no. allowed runs under the lock.
func (b *bounded[K, V]) put(k K, v V, allowed func() bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if allowed == nil || allowed() {
		b.putLocked(k, v)
	}
}

func (b *bounded[K, V]) putLocked(k K, v V) {
	if len(b.young) >= b.limit {
		b.old, b.young = b.young, make(map[K]V, b.limit/4)
	}
	b.young[k] = v
}

// forget removes k.
func (b *bounded[K, V]) forget(k K) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.young, k)
	delete(b.old, k)
}
