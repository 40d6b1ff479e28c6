package policy

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// A Cache remembers decisions of one Bound. It has a fixed number of places, so
// that a client who tries many topics cannot make it grow; a new decision takes
// the place of an older one. Many goroutines may use it at once, without a lock.
type Cache struct {
	bound  *Bound
	seed   maphash.Seed
	mask   uint64
	places []atomic.Pointer[remembered]
}

// remembered is one decision; it never changes once it is stored.
type remembered struct {
	action int
	name   string
	effect Effect
}

// ways is the number of places that one name may take.
const ways = 2

// NewCache returns a cache for b with room for at least size decisions; 0 means 64.
func NewCache(b *Bound, size int) *Cache {
	if size <= 0 {
		size = 64
	}
	places := ways
	for places < size {
		places *= 2
	}
	return &Cache{bound: b, seed: maphash.MakeSeed(), mask: uint64(places/ways - 1), places: make([]atomic.Pointer[remembered], places)}
}

// Decide answers like [Bound.Decide]. A hit does not allocate; a miss copies
// name, so name may be borrowed memory. Decisions that depend on the clock and
// those on actions that are not listed are not remembered.
func (c *Cache) Decide(action Action, name string) Effect {
	i := action.index()
	if i == unknownAction {
		return c.bound.Decide(action, name)
	}
	at := ((maphash.String(c.seed, name) + uint64(i)*0x9e3779b97f4a7c15) & c.mask) * ways
	set := c.places[at : at+ways : at+ways]
	for w := range set {
		if r := set[w].Load(); r != nil && r.action == i && r.name == name {
			return r.effect
		}
	}
	effect := c.bound.Decide(action, name)
	if c.bound.tables[i].Load().changing == nil {
		set[1].Store(set[0].Load())
		set[0].Store(&remembered{i, strings.Clone(name), effect})
	}
	return effect
}
