package broker

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Each connection has a number that is greater than that of every earlier one of its client ID; it
// may skip some, and begins again at 0 when the client ID was away for an hour and its session, if it
// had one, is over. Source: mqtt sheet 17.3.
//
// Not each number that is given reaches the disk before a crash, and those of client IDs without a
// session are not stored at all: the log holds a limit that is above all of them, and the next run
// begins at that limit with every session, and with whoever could have been connected before it.

const (
	// rememberNumbers is how long a client ID without a session is away until its numbers begin again.
	rememberNumbers = time.Hour
	// spareNumbers is by how much the limit is ahead of the greatest number.
	spareNumbers = 100
)

// numbering gives out the numbers of connections.
type numbering struct {
	limit atomic.Int64 // what the log was told

	mu    sync.Mutex
	first int64     // guarded by mu: of client IDs that were known, and are not any more
	until time.Time // guarded by mu: when all of these were away for an hour
}

// restoreNumbers goes on behind the numbers of the run before, and returns the first one after them.
func (b *Broker) restoreNumbers() (first int64) {
	first = b.cfg.Log.ReservedNumbers()
	b.SkipNumbers(first)
	b.reserveNumbers(first)
	b.cfg.Log.OnDurable(func(error) {}) // at once, not when somebody waits for the disk
	return first
}

// SkipNumbers says that client IDs with numbers below first were forgotten before their time: for an
// hour, connections of client IDs that nobody remembers begin at first.
func (b *Broker) SkipNumbers(first int64) {
	n := &b.numbering
	n.mu.Lock()
	defer n.mu.Unlock()
	n.first, n.until = max(n.firstLocked(), first), time.Now().Add(rememberNumbers)
}

func (n *numbering) firstLocked() int64 {
	if time.Now().Before(n.until) {
		return n.first
	}
	return 0
}

// numberLocked chooses the number of a client that connects. The lock is that of the shard.
func (b *Broker) numberLocked(displaced *Client, s *Session, least int64) int64 {
	n := least
	if displaced != nil {
		n = max(n, displaced.number+1)
	}
	if s != nil {
		s.mu.Lock()
		n = max(n, s.number+1)
		s.mu.Unlock()
	}
	if n == 0 {
		b.numbering.mu.Lock()
		n = b.numbering.firstLocked()
		b.numbering.mu.Unlock()
	}
	if n+spareNumbers/2 > b.numbering.limit.Load() && b.cfg.Log != nil {
		b.reserveNumbers(n)
	}
	return n
}

func (b *Broker) reserveNumbers(from int64) {
	if err := b.cfg.Log.ReserveNumbers(from + spareNumbers); err != nil {
		b.cfg.Machine.Error("numbers of connections not stored", slog.Any("error", err))
		return
	}
	b.numbering.limit.Store(from + spareNumbers)
}

// Number is that of the connection among those of its client ID, from 0; [Broker.Connect] gives it.
func (c *Client) Number() int64 { return c.number }
