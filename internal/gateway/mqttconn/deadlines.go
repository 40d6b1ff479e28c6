package mqttconn

import (
	"sync"
	"time"
)

// deadlines is a timer wheel for keep-alive: one goroutine and one tick a second for all
// connections. A packet that arrives only stores the time; the wheel looks at a connection when it
// could be due at the earliest, and then either ends it or puts it where it can be due next.
type deadlines struct {
	now  func() time.Time
	tick time.Duration

	mu      sync.Mutex
	slots   map[int64]map[*conn]struct{} // guarded by mu: by Unix seconds
	done    int64                        // guarded by mu: slots up to here are empty
	running bool                         // guarded by mu
	quit    chan struct{}                // guarded by mu: ends the goroutine
	ended   chan struct{}                // guarded by mu: closed by the goroutine
}

func newDeadlines(now func() time.Time) *deadlines {
	return &deadlines{now: now, tick: time.Second, slots: map[int64]map[*conn]struct{}{}}
}

// add puts k on the wheel, due at t at the earliest. The goroutine runs while there are connections.
func (d *deadlines) add(k *conn, t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.running {
		d.running, d.done = true, d.now().Unix()-1
		d.quit, d.ended = make(chan struct{}), make(chan struct{})
		go d.run(d.quit, d.ended)
	}
	d.putLocked(k, t)
}

func (d *deadlines) putLocked(k *conn, t time.Time) {
	at := max(t.Unix()+1, d.done+1) // not before its time
	k.slot = at
	if d.slots[at] == nil {
		d.slots[at] = map[*conn]struct{}{}
	}
	d.slots[at][k] = struct{}{}
}

// advance looks at k at t already.
func (d *deadlines) advance(k *conn, t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t.Unix() < k.slot {
		d.removeLocked(k)
		d.putLocked(k, t)
	}
}

// remove takes k off the wheel.
func (d *deadlines) remove(k *conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.removeLocked(k)
}

func (d *deadlines) removeLocked(k *conn) {
	if s := d.slots[k.slot]; s != nil {
		if delete(s, k); len(s) == 0 {
			delete(d.slots, k.slot)
		}
	}
}

func (d *deadlines) run(quit, ended chan struct{}) {
	defer close(ended)
	t := time.NewTicker(d.tick)
	defer t.Stop()
	for {
		select {
		case <-quit:
			return
		case <-t.C:
		}
		now := d.now()
		d.mu.Lock()
		for ; d.done < now.Unix(); d.done++ {
			slot := d.slots[d.done+1]
			delete(d.slots, d.done+1)
			for k := range slot {
				if next := k.due(now); next.IsZero() {
					k.slot = 0
				} else {
					d.putLocked(k, next)
				}
			}
		}
		d.mu.Unlock()
	}
}

// stop ends the goroutine and waits for it.
func (d *deadlines) stop() {
	d.mu.Lock()
	if !d.running {
		d.mu.Unlock()
		return
	}
	d.running = false
	close(d.quit)
	ended := d.ended
	d.mu.Unlock()
	<-ended
}
