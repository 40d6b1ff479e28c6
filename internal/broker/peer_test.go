package broker

import (
	"bytes"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// device is a small working peer and connection: it keeps what is written to it.
type device struct {
	net.Conn // nil: only what is overridden is used
	gen      atomic.Uint64
	deny     atomic.Bool
	slow     atomic.Bool   // MaySend says no
	gate     chan struct{} // when not nil, each write waits for a value
	ready    bool          // what Congested denies

	mu      sync.Mutex
	got     bytes.Buffer
	writes  int
	drops   []Drop
	passed  []string // "topic size"
	sent    int      // messages that went out
	trace   string   // of the latest of them
	decided int
}

func newDevice() *device {
	d := &device{}
	d.gen.Store(1)
	return d
}

func (d *device) Write(p []byte) (int, error) {
	if d.gate != nil {
		if _, ok := <-d.gate; !ok {
			return 0, net.ErrClosed
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes++
	return d.got.Write(p)
}

func (d *device) Congested() bool                  { return !d.ready }
func (d *device) Settle()                          {}
func (d *device) Generation() uint64               { return d.gen.Load() }
func (d *device) MaySend(time.Time) bool           { return !d.slow.Load() }
func (d *device) SetWriteDeadline(time.Time) error { return nil }

func (d *device) MayReceive(string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.decided++
	return !d.deny.Load()
}

func (d *device) Dropped(why Drop, _ string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drops = append(d.drops, why)
}

func (d *device) Sent(_, trace string, _ time.Time, times int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sent, d.trace = d.sent+times, trace
}

func (d *device) PassedOver(topic string, size int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.passed = append(d.passed, fmt.Sprintf("%s %d", topic, size))
}

func (d *device) received() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return bytes.Clone(d.got.Bytes())
}

func (d *device) dropped() []Drop {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Drop(nil), d.drops...)
}
