// Package observe is the one place where what devices did is told: the gateway,
// live connections and the data plane call a [Hub] once for each connect,
// publish, delivery and the like. It counts, for metrics, and hands what the
// account's log levels ask for to the log.
package observe

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// A Kind says what was done. Source: logs sheet 3.2.
type Kind uint8

// The kinds that Gatehouse tells. Each is an eventType of AWS's log.
const (
	Connect Kind = iota
	Disconnect
	Ping
	AuthNError // a connection that was refused before authorization
	PublishIn
	PublishOut // one delivery to one subscriber
	Queued     // one message stored for one session without connection
	Subscribe
	Unsubscribe
	GetRetainedMessage
	ListRetainedMessages
	DeleteConnection
	GetConnection
	ListSubscriptions
	SendDirectMessage
	RuleNotFound     // a message by Basic Ingest to a rule that does not exist
	HandshakeRefused // Gatehouse's own: refused where AWS keeps silent, such as an unknown SNI
	PublishRetained  // counted beside PublishIn, never logged
	PacketThrottle   // a limit of one connection was met: counted, never logged
	Kinds            // how many there are
)

// An Outcome says how it came out. Each is the end of a metric's name, such as
// PublishIn.AuthError. Source: metrics sheet 1.
type Outcome uint8

// The outcomes.
const (
	Success          Outcome = iota
	AuthError                // the policies do not allow it
	ClientError              // it breaks a rule or a documented limit
	ServerError              // broken machinery
	Throttle                 // above a rate
	ClientIDThrottle         // connects of one client ID above their rate
	Outcomes                 // how many there are
)

// A Protocol is how the device speaks, in AWS's words.
type Protocol uint8

// The protocols.
const (
	MQTT Protocol = iota
	HTTP
	Protocols // how many there are
)

func (p Protocol) String() string {
	if p == HTTP {
		return "HTTP"
	}
	return "MQTT"
}

// Who did it. Empty members are unknown.
type Who struct {
	Protocol    Protocol
	TraceID     string // of the attempt
	ClientID    string
	PrincipalID string
	Thing       string         // the thing that the connection belongs to
	Source      netip.AddrPort // the device's address
}

// A Source does what is observed: a live connection, or a request.
type Source interface {
	// Observed returns the state that a Hub keeps with the source.
	Observed() *Cell
	// Who describes the source. It is called for what is logged only.
	Who() Who
}

// A Cell is what a [Hub] keeps with a [Source]: the log level that applies to it,
// as long as no level changes, and which counters it uses. The zero Cell is ready.
type Cell struct {
	Level atomic.Uint64       // the Logger's own
	Memo  atomic.Pointer[any] // the Logger's own: what it made of the Source
	shard atomic.Uint32       // 1 + index; 0: none yet
}

// A Request is the Source of one request.
type Request struct {
	Is   Who
	cell Cell
}

// Observed implements [Source].
func (r *Request) Observed() *Cell { return &r.cell }

// Reset makes r the source of another request. Nobody else may use r meanwhile.
func (r *Request) Reset(by Who) {
	r.Is = by
	r.cell.Level.Store(0)
	r.cell.Memo.Store(nil)
}

// Who implements [Source].
func (r *Request) Who() Who { return r.Is }

// An Event is what happened, for the log. Only what its kind has is set; texts
// are borrowed for the call.
type Event struct {
	Kind    Kind
	Outcome Outcome
	Time    time.Time // zero: now

	Topic   string
	Filters []Filter // of a Subscribe
	V5      bool     // the client speaks MQTT 5
	Retain  bool
	QoS     byte
	TraceID string // of the attempt that caused it, where it is another's; "" the source's

	Check            *check.Check    // why it failed; nil on success
	Evidence         []attempt.Field // of the check
	Reason, Details  string          // AWS's, where they do not follow from the check
	DisconnectReason string

	Requested    time.Time // of a Ping: when it was read
	MaxResults   int       // of a ListSubscriptions; 0: not given
	LastModified time.Time // of a GetRetainedMessage
	Rule         string    // of a RuleNotFound: its name
	Confirmation bool      // of a SendDirectMessage
	Timeout      int       // of a SendDirectMessage with Confirmation, seconds

	Attempt *attempt.Record // of an AuthNError or HandshakeRefused: the attempt that ended
}

// A Passage is an [Event] of the kinds that come with every message: a [PublishIn]
// where all went well, and a [PublishOut], also of a message that was dropped.
// Texts are borrowed for the call.
type Passage struct {
	Kind    Kind
	Outcome Outcome
	Retain  bool         // of a success
	Check   *check.Check // why it failed; nil on success
	Time    time.Time
	Topic   string
	TraceID string // of the attempt that caused it, where it is another's; "" the source's
	Times   int    // how often it happened, one after the other; 0: once
}

// A Filter is one filter of a SUBSCRIBE with the reason code that answers it.
type Filter struct {
	Topic string
	Code  byte
}

// A Logger writes events to the account's log.
type Logger interface {
	// Wants tells whether such an event of the source is to be logged. It takes
	// nanoseconds and no memory, and never waits.
	Wants(by Source, kind Kind, outcome Outcome) bool
	// Log writes an event that is wanted. It never waits.
	Log(by Source, e *Event)
	// Passed is Log for a [Passage]. It takes no memory that lasts,
	// and what it knows of by it keeps: a Source does not change after its first one.
	Passed(by Source, p Passage)
}

const shards = 8 // of the counters: publishers on different processors share no line of the cache

// counts are one shard. Its size is a multiple of a cache line.
type counts [Kinds][Protocols][Outcomes]atomic.Uint64

// A Hub takes what is observed. Make it with [New]; safe for concurrent use.
type Hub struct {
	logger  Logger // nil: nothing is logged
	tallies *tallies
	pings   pings
	next    atomic.Uint32
	counts  [shards]struct {
		n counts
		_ [64]byte
	}
}

// New returns a Hub whose events go to logger; nil logs nothing.
func New(logger Logger) *Hub { return &Hub{logger: logger, tallies: newTallies()} }

// Seen counts one event and tells whether the log wants it: if so, call [Hub.Log].
// It allocates nothing.
func (h *Hub) Seen(by Source, p Protocol, kind Kind, outcome Outcome) bool {
	return h.SeenTimes(by, p, kind, outcome, 1)
}

// SeenTimes is [Hub.Seen] for as many events as happened one after the other.
func (h *Hub) SeenTimes(by Source, p Protocol, kind Kind, outcome Outcome, times int) bool {
	c := by.Observed()
	shard := c.shard.Load()
	if shard == 0 {
		shard = h.next.Add(1)%shards + 1
		c.shard.Store(shard)
	}
	h.counts[shard-1].n[kind][p][outcome].Add(uint64(times))
	return h.logger != nil && h.logger.Wants(by, kind, outcome)
}

// Log logs an event that [Hub.Seen] found wanted.
func (h *Hub) Log(by Source, e *Event) { h.logger.Log(by, e) }

// Passed logs a passage that [Hub.Seen] found wanted.
func (h *Hub) Passed(by Source, p Passage) { h.logger.Passed(by, p) }

// Count tells how often a kind of event came out so since the start.
func (h *Hub) Count(p Protocol, kind Kind, outcome Outcome) (n uint64) {
	for i := range h.counts {
		n += h.counts[i].n[kind][p][outcome].Load()
	}
	return n
}
