package broker

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/broker/nonblock"
)

const (
	chunkSize = 16 << 10 // what one TLS record holds
	maxBatch  = 8        // chunks that a writer takes at a time
)

// A backlog counts what waits for all clients of a broker.
type backlog struct {
	held   atomic.Int64 // chunks of output that wait for sockets
	queued atomic.Int64 // bytes that wait for acknowledgements; a message counts once for each receiver
}

// sharedBytes is how much may wait for all clients together before each may have less than its limit.
const sharedBytes = 128 << 20

// share is what one client may have waiting of its limit: one slow receiver may have much, many may not.
func (b *backlog) share(limit int) int {
	switch all := b.held.Load()*chunkSize + b.queued.Load(); {
	case all > 3*sharedBytes:
		return limit / 1024
	case all > 2*sharedBytes:
		return limit / 256
	case all > sharedBytes:
		return limit / 16
	}
	return limit
}

// A chunk is a piece of output. Chunks come from a pool; an idle connection holds none.
type chunk struct {
	n    int
	data [chunkSize]byte
}

var chunks = sync.Pool{New: func() any { return new(chunk) }}

// An output carries everything that is sent to one connection. Anybody may add to it; one goroutine
// at a time writes, and takes along whatever has piled up meanwhile, so that a busy connection costs
// one TLS record and one system call for many packets. It is bounded in bytes: who delivers a
// message is told that there is no room and never waits.
type output struct {
	nc     net.Conn
	limit  int                       // bytes that may wait
	pace   func(n int) time.Duration // how long the writer rests after n bytes; nil: not at all
	ready  socket                    // the one below, if it can tell
	source refiller
	all    *backlog // of the broker

	mu       sync.Mutex
	room     sync.Cond // signalled when bytes went out, and at the end
	list     []*chunk  // guarded by mu, like all below
	bytes    int
	writing  bool // a goroutine is in write
	promised bool // somebody will call flush
	closed   bool // nothing is accepted any more
	err      error
	sent     int64 // bytes written since the connection began
	given    int64 // when somebody else last gave something, in Unix nanoseconds
}

// A socket tells whether a write would wait, and waits until it would not: with nothing in its hands.
type socket interface {
	Congested() bool
	Settle()
}

// A refiller adds to the output when there is room again. It is called with the lock held.
type refiller interface{ wroteLocked() }

func (o *output) init(nc net.Conn, limit int, pace func(int) time.Duration, source refiller, all *backlog) {
	o.nc, o.limit, o.pace, o.source, o.all = nc, limit, pace, source, all
	o.room.L = &o.mu
	o.ready, _ = nonblock.Find[socket](nc)
}

// hasRoomLocked tells whether n more bytes may wait. A single packet above the whole limit fits when nothing waits.
func (o *output) hasRoomLocked(n int) bool {
	limit := o.all.share(o.limit)
	return !o.closed && (o.bytes == 0 || o.bytes+n <= limit)
}

// appendLocked copies p to the end of the output.
func (o *output) appendLocked(p []byte) {
	o.bytes += len(p)
	for len(p) > 0 {
		c := o.tailLocked()
		n := copy(c.data[c.n:], p)
		c.n += n
		p = p[n:]
	}
}

// appendPatchedLocked is appendLocked with the two bytes at offset at replaced by id.
func (o *output) appendPatchedLocked(p []byte, at int, id uint16) {
	o.appendLocked(p[:at])
	o.appendLocked([]byte{byte(id >> 8), byte(id)})
	o.appendLocked(p[at+2:])
}

func (o *output) tailLocked() *chunk {
	if n := len(o.list); n > 0 && o.list[n-1].n < chunkSize {
		return o.list[n-1]
	}
	c := chunks.Get().(*chunk)
	c.n = 0
	o.all.held.Add(1)
	o.list = append(o.list, c)
	return c
}

// control adds a packet that answers the client. Only the connection's own goroutine calls it: it
// waits for room, so that a client that sends and never reads stops itself and nobody else.
func (o *output) control(p []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.closed && o.bytes > 0 && o.bytes+len(p) > o.limit {
		if !o.writing {
			o.writing = true
			o.mu.Unlock()
			o.write(byOwner)
			o.mu.Lock()
			continue
		}
		o.room.Wait()
	}
	if !o.closed {
		o.appendLocked(p)
	}
}

// A writer says who writes, and so when, and how long it may take.
type writer int

const (
	byItself writer = iota // a goroutine of the output: may wait for the socket and rest
	byOwner                // the connection's own goroutine: may wait for the socket
	byOther                // somebody else's goroutine: may not wait at all
)

// flush makes sure that somebody writes what waits: w, if it may do that now without waiting longer
// than it is allowed to, else a goroutine.
func (o *output) flush(w writer) {
	o.mu.Lock()
	o.promised = false
	o.startLocked(w)
}

// startLocked is flush for who holds the lock. It unlocks. Nothing stays unsent: who finds a writer at work
// has added to the list before, under the lock, and the writer ends only when it finds the list empty
// under the same lock.
func (o *output) startLocked(w writer) {
	if o.writing || len(o.list) == 0 {
		o.mu.Unlock()
		return
	}
	o.writing = true
	o.mu.Unlock()
	if w != byItself && o.mayWrite(w) {
		o.write(w)
	} else {
		go o.write(byItself)
	}
}

// stormPeriod is how soon after the last delivery another one tells that a client gets more than can be
// written one by one.
const stormPeriod = 50 * time.Microsecond

// deliver makes sure that somebody writes what another connection gave at now. Writing it at once
// is the cheapest for a client that gets up to some thousand messages a second: nobody has to be woken,
// and nothing waits. One that gets more is better served by a goroutine, which takes along what comes
// until it runs: one TLS record and one system call for many messages.
func (o *output) deliver(now int64) {
	o.mu.Lock()
	o.promised = false
	w := byOther
	if now-o.given < int64(stormPeriod) {
		w = byItself
	}
	o.given = now
	o.startLocked(w)
}

func (o *output) mayWrite(w writer) bool {
	if w == byItself {
		return true
	}
	if o.pace != nil && o.pace(0) > 0 {
		return false
	}
	return w == byOwner || o.ready != nil && !o.ready.Congested()
}

// write sends until nothing waits, or hands over to a goroutine when w may not go on. The caller
// has set writing.
func (o *output) write(w writer) {
	var batch [maxBatch]*chunk
	for {
		o.mu.Lock()
		n := copy(batch[:], o.list)
		if n == 0 || o.err != nil {
			o.dropLocked()
			o.writing = false
			o.room.Broadcast()
			o.mu.Unlock()
			return
		}
		if w == byOther {
			n = 1 // asked again before the next: see mayWrite
		}
		o.list = append(o.list[:0], o.list[n:]...)
		clear(o.list[len(o.list):cap(o.list)])
		o.mu.Unlock()

		total, err := 0, error(nil)
		for _, c := range batch[:n] {
			if err == nil {
				if w != byOther && o.ready != nil {
					o.ready.Settle()
				}
				_, err = o.nc.Write(c.data[:c.n])
			}
			total += c.n
			chunks.Put(c)
		}
		o.all.held.Add(int64(-n))

		o.mu.Lock()
		o.bytes -= total
		o.sent += int64(total)
		if err != nil {
			o.err, o.closed = err, true
		}
		if len(o.list) == 0 {
			o.source.wroteLocked()
		}
		o.room.Broadcast()
		more := len(o.list) > 0
		o.mu.Unlock()
		if o.pace != nil && err == nil {
			if d := o.pace(total); d > 0 && w == byItself {
				time.Sleep(d)
			}
		}
		if more && !o.mayWrite(w) {
			go o.write(byItself)
			return
		}
	}
}

// dropLocked gives back what will never be sent.
func (o *output) dropLocked() {
	for _, c := range o.list {
		chunks.Put(c)
	}
	o.all.held.Add(int64(-len(o.list)))
	clear(o.list)
	o.list, o.bytes = o.list[:0], 0
}

// finish accepts nothing more, adds last, and waits until all is written or the deadline of the
// connection has passed.
func (o *output) finish(last []byte) {
	o.mu.Lock()
	if !o.closed {
		o.closed = true
		o.appendLocked(last)
	}
	for o.err == nil && (len(o.list) > 0 || o.writing) {
		if o.writing {
			o.room.Wait()
			continue
		}
		o.writing = true
		o.mu.Unlock()
		o.write(byOwner)
		o.mu.Lock()
	}
	o.dropLocked()
	o.mu.Unlock()
}
