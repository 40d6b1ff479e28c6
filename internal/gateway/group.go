package gateway

import (
	"sync"
	"time"
)

// A group counts goroutines and waits for them. Unlike a WaitGroup it can be
// waited for with a limit without leaving a goroutine behind, and members may
// start others while somebody waits.
type group struct {
	mu   sync.Mutex
	n    int           // guarded by mu: members
	idle chan struct{} // guarded by mu: closed when n falls to 0; nil while nobody waits
}

// run runs fn in a goroutine of its own.
func (g *group) run(fn func()) {
	g.mu.Lock()
	g.n++
	g.mu.Unlock()
	go func() {
		defer g.done()
		fn()
	}()
}

func (g *group) done() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n--; g.n == 0 && g.idle != nil {
		close(g.idle)
		g.idle = nil
	}
}

// empty returns a channel that is closed once the group has no members.
func (g *group) empty() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n == 0 {
		done := make(chan struct{})
		close(done)
		return done
	}
	if g.idle == nil {
		g.idle = make(chan struct{})
	}
	return g.idle
}

// wait waits until the group has no members.
func (g *group) wait() { <-g.empty() }

// waitFor is wait for at most d, and tells whether all have ended.
func (g *group) waitFor(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-g.empty():
		return true
	case <-t.C:
		return false
	}
}
