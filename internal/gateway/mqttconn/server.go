// Package mqttconn carries one MQTT connection from its first packet to its close: it reads
// packets, makes the checks of AWS IoT Core in their order, asks the policy, hands messages to the
// broker and records every outcome.
//
// The data path reads from top to bottom: serve (conn.go), connect (connect.go), run and handle
// (conn.go, handle.go), publish, subscribe, and part, which ends a connection. A refusal is an
// ending or a fault with its check and evidence; an error is broken machinery and ends in failed.
//
// What is not built yet: the services behind $aws topics take messages and do nothing (check
// topic.service_not_built).
package mqttconn

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/broker"
	"github.com/gatehouse-iot/gatehouse/internal/broker/gcra"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// An Authorization says what one connection may do. [identity.Authorization] is one.
type Authorization interface {
	// Decide answers from memory; name may be borrowed.
	Decide(action policy.Action, name string) policy.Effect
	// Explain decides like Decide and says why.
	Explain(action policy.Action, name string) policy.Decision
	// Generation changes whenever an answer of Decide may have changed.
	Generation() uint64
	// ThingName is the thing that the connection belongs to, or empty.
	ThingName() string
}

// AuthorizeFunc reads what applies to who connecting as clientID. An error is broken machinery, never a refusal.
type AuthorizeFunc func(ctx context.Context, who identity.Principal, clientID string, facts identity.Facts) (Authorization, error)

// FromIdentity authorizes by the policies that s resolves.
func FromIdentity(s *identity.Service) AuthorizeFunc {
	return func(ctx context.Context, who identity.Principal, clientID string, facts identity.Facts) (Authorization, error) {
		a, err := s.Authorize(ctx, who, clientID, facts)
		if err != nil {
			return nil, err // not a, which would be a non-nil interface
		}
		return a, nil
	}
}

// StatusFunc reads the status that the certificate of who has by now, such as ACTIVE or DELETED. An
// answer must be as fresh as what [Server.Cut] is told. An error is broken machinery.
type StatusFunc func(ctx context.Context, who identity.Principal) (registry.CertificateStatus, error)

// StatusFromIdentity asks s, for a certificate from its memory.
func StatusFromIdentity(s *identity.Service) StatusFunc {
	return func(ctx context.Context, who identity.Principal) (registry.CertificateStatus, error) {
		return s.Status(ctx, who)
	}
}

// Config is what a Server needs. Optional fields default to AWS's behaviour.
type Config struct {
	Broker    *broker.Broker // required
	Authorize AuthorizeFunc  // required
	Log       *slog.Logger   // broken machinery only; default: discarded

	// Status is asked once for a connection, when [Server.Cut] can reach it: a certificate that lost
	// its right between its handshake and then was cut too early for this connection. Default: not asked.
	Status StatusFunc

	// Observe is told what devices do, for metrics and the log; default: nobody listens.
	Observe *observe.Hub

	Limits   Limits   // default [AWSLimits]
	Refusals Refusals // default [AWSRefusals]

	// FirstPacket is how long a device may take to send its CONNECT; default 10 s.
	FirstPacket time.Duration
	// Goodbye bounds how long a closing connection may take to accept what is still to be sent; default 2 s.
	Goodbye time.Duration
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Info is what the gateway knows about a connection when its first packet is awaited.
type Info struct {
	Remote netip.AddrPort
	// Facts for policies: Protocol, DomainName, SourceIP. ConnectAttributes and LastWillTopic are filled in from the CONNECT.
	Facts identity.Facts
	// Lifetime bounds how long the connection may last. Default: not at all.
	Lifetime Lifetime
	// Authenticate says who the client is, by its CONNECT; nil where the handshake or a signature said it.
	Authenticate AuthenticateFunc
}

// A Server carries MQTT connections. It is safe for concurrent use.
type Server struct {
	cfg Config

	accountConnects  gcra.Meter
	accountPublishes gcra.Meter
	accountSubs      gcra.Meter
	accountOut       gcra.Meter
	accountRetains   gcra.Meter
	topicRetains     keyedRates // by topic
	groupChanges     keyedRates // by filter with share name
	listRetained     gcra.Meter
	getRetained      gcra.Meter
	connectRates     keyedRates   // by client ID
	open             atomic.Int64 // connections with a session
	openWebSockets   atomic.Int64 // those of them that are WebSockets
	departed         departed
	hints            chan struct{} // one for each denial whose explanation is looked up
	deadlines        *deadlines
	rests            atomic.Uint64

	mu      sync.Mutex
	conns   map[*conn]struct{}            // guarded by mu: every connection that is served
	byCert  map[string]map[*conn]struct{} // guarded by mu: the same by principal ID
	closing bool                          // guarded by mu
	serving sync.WaitGroup                // counts connections; Add under mu
}

// New checks cfg and builds a Server, which a gateway hands its MQTT connections:
//
//	s, err := mqttconn.New(mqttconn.Config{
//		Broker:    broker.New(broker.Config{}),
//		Authorize: mqttconn.FromIdentity(identityService),
//		Status:    mqttconn.StatusFromIdentity(identityService),
//		Limits:    mqttconn.AWSLimits,   // --limits aws; OpenLimits for open
//		Refusals:  mqttconn.AWSRefusals, // --refusals aws; ExplainRefusals for explain
//	})
//
// It starts nothing before the first connection. End it with [Server.CutAll].
//
// A publisher's goroutine writes to its receivers itself only if their sockets can tell that this
// does not wait: put [github.com/gatehouse-iot/gatehouse/internal/broker/nonblock.New] around the
// accepted connection, under TLS. Without it every delivery is handed to a goroutine.
func New(cfg Config) (*Server, error) {
	if cfg.Broker == nil || cfg.Authorize == nil {
		return nil, errors.New("mqttconn: Broker and Authorize are required")
	}
	if cfg.Limits == (Limits{}) {
		cfg.Limits = AWSLimits
	}
	cfg.FirstPacket = cmp.Or(cfg.FirstPacket, 10*time.Second)
	cfg.Goodbye = cmp.Or(cfg.Goodbye, 2*time.Second)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Observe == nil {
		cfg.Observe = observe.New(nil)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		cfg: cfg, conns: map[*conn]struct{}{}, byCert: map[string]map[*conn]struct{}{},
		hints: make(chan struct{}, maxHints),
	}
	s.deadlines = newDeadlines(cfg.Now)
	return s, nil
}

// Serve carries the connection nc of principal who, whose handshake is complete, until it ends.
// It records every check in at, sends what is still to be sent, and ends the sending side
// (CloseWrite, where nc has it: a TLS connection sends close_notify). Draining and closing nc, and
// ending at, are left to the caller. The end of ctx ends it too.
//
// It returns earlier when what is left of the connection needs less of a stack: see [Rest].
func (s *Server) Serve(ctx context.Context, nc net.Conn, info Info, who identity.Principal, at *attempt.Attempt) Rest {
	return s.serve(ctx, nc, info, who, at)
}

// Cut ends every live connection of the principal with this ID (for certificates: the certificate
// ID) because it lost its right: MQTT 5 clients get DISCONNECT 0x87, disconnectReason is
// AUTH_ERROR. c and its evidence go to the attempt of each. It does not wait, and returns how many
// it told. Source: mqtt sheet 13.
func (s *Server) Cut(certificateID string, c *check.Check, evidence ...attempt.Field) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.byCert[certificateID] {
		k.end(ending{code: mqtt.NotAuthorized, reason: authError, check: c, evidence: evidence})
	}
	return len(s.byCert[certificateID])
}

// CutAll ends every connection for a shutdown (MQTT 5: DISCONNECT 0x8B), refuses new ones, and
// returns when all have ended or ctx has. Wills are published.
func (s *Server) CutAll(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	for k := range s.conns {
		k.end(shutdown)
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.serving.Wait(); close(done) }()
	select {
	case <-done:
		s.deadlines.stop()
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
