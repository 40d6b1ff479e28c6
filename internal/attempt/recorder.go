package attempt

import (
	"cmp"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// Config is what a Recorder needs to know. Everything has a default.
type Config struct {
	Account   string // 12 digits; fills {account} of fixes
	Partition string // AWS partition; fills {partition}; default "aws"
	Region    string // fills {region}
	Endpoint  string // host name of the default endpoint; fills {endpoint}
	CAFile    string // root CA file that devices trust; fills {ca_file}

	Store  Store         // where ended attempts go, closed by Close; default: memory
	MaxAge time.Duration // how long records are kept; default 15 days
	Max    int           // how many records are kept; default 100,000
	Buffer int           // records that wait for the store; default 4,096
	Ended  func(Record)  // is told of each attempt that ended, by itself; must not wait; may be nil
	Log    *slog.Logger  // default: nowhere
}

// Recorder begins attempts and keeps them. It is safe for concurrent use.
type Recorder struct {
	cfg       Config
	metrics   *Metrics
	takeovers takeovers
	ports     atomic.Pointer[map[Door]int]

	mu      sync.Mutex
	live    map[string]*Attempt
	floods  floods
	pending map[string]Record // ended, on their way to the store; at most cfg.Buffer
	writing map[string]Record // those of them that the writer has in its hands
	closed  bool

	wake chan struct{} // capacity 1: there is something to write
	stop chan struct{}
	done chan struct{} // closed when the writer has ended
}

// NewRecorder builds a Recorder. It starts one goroutine, the writer, which ends
// with [Recorder.Close].
func NewRecorder(cfg Config) *Recorder {
	cfg.MaxAge = cmp.Or(cfg.MaxAge, 15*24*time.Hour)
	cfg.Max = cmp.Or(cfg.Max, 100_000)
	cfg.Buffer = cmp.Or(cfg.Buffer, 4096)
	cfg.Partition = cmp.Or(cfg.Partition, "aws")
	if cfg.Store == nil {
		cfg.Store = NewMemoryStore(min(cfg.Max, 10_000))
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &Recorder{
		cfg: cfg, metrics: newMetrics(), takeovers: newTakeovers(),
		live: map[string]*Attempt{}, floods: newFloods(), pending: map[string]Record{},
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	r.ports.Store(&map[Door]int{DoorMQTT: 8883, DoorHTTPS: 8443, DoorALPN: 443})
	go r.write()
	return r
}

// SetPorts says on which ports the doors listen, for commands that name another
// door than the device's. Without it they have AWS's ports.
func (r *Recorder) SetPorts(mqtt, https, alpn int) {
	r.ports.Store(&map[Door]int{DoorMQTT: mqtt, DoorHTTPS: https, DoorALPN: alpn})
}

// Begin starts the attempt of a connection that came in through door. Whoever
// begins it calls End.
func (r *Recorder) Begin(door Door, remote, local net.Addr) *Attempt {
	a := &Attempt{recorder: r, began: time.Now(), budget: maxEvidence}
	a.record = Record{
		ID: uuid.NewString(), Began: a.began, Last: a.began, Outcome: Live, Count: 1,
		Door: door, Source: addrPort(remote), Local: addrPort(local),
	}
	r.metrics.begun.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live[a.record.ID] = a
	return a
}

// Metrics returns the counters of this Recorder.
func (r *Recorder) Metrics() *Metrics { return r.metrics }

// ended takes the record of an attempt that is over, on the goroutine of its
// connection: it only touches memory.
func (r *Recorder) ended(rec Record) {
	r.metrics.ended(rec.Outcome)
	if r.cfg.Ended != nil {
		r.cfg.Ended(rec)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.live, rec.ID)
	if rec.Outcome == Failed && r.floods.merge(&rec) {
		r.metrics.merged.Add(1)
	}
	if _, waits := r.pending[rec.ID]; !waits && len(r.pending) >= r.cfg.Buffer || r.closed {
		r.metrics.dropped.Add(1)
		return
	}
	r.pending[rec.ID] = rec
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Close ends the attempts that are still live, writes what waits and closes the
// store. Nothing is recorded after it.
func (r *Recorder) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		<-r.done
		return nil
	}
	live := make([]*Attempt, 0, len(r.live))
	for _, a := range r.live {
		live = append(live, a)
	}
	r.mu.Unlock()
	for _, a := range live {
		a.End()
	}
	r.mu.Lock()
	first := !r.closed
	r.closed = true
	r.mu.Unlock()
	if !first {
		<-r.done
		return nil
	}
	close(r.stop)
	<-r.done
	return r.cfg.Store.Close()
}

// addrPort reads a network address; the zero value stands for one that is none.
func addrPort(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case nil:
		return netip.AddrPort{}
	case *net.TCPAddr: // always, but in tests
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{} // a pipe, in tests
	}
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}
