package gateway

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/gateway/mqttconn"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
)

// mqttServer carries an MQTT connection whose handshake is complete, until it
// ends or rests: [mqttconn.Server]. Draining and closing nc and ending at stay here.
type mqttServer interface {
	Serve(ctx context.Context, nc net.Conn, info mqttconn.Info, who identity.Principal, at *attempt.Attempt) mqttconn.Rest
}

// Config is what a Server needs. Optional fields default to AWS's behaviour.
type Config struct {
	Attempts  *attempt.Recorder // required
	Identity  *identity.Service // required
	MQTT      mqttServer        // required
	Endpoints *Endpoints        // required

	// Authorizers decides about clients without certificate and signature. Required.
	Authorizers *identity.Authorizers

	// Data answers the HTTPS requests of devices. Default: none is built.
	Data dataPlane
	// Explain tells a refused HTTPS client which check refused it, in the header
	// x-gatehouse-diagnosis.
	Explain bool

	// ServerCertificate chooses the certificate for a client, as
	// tls.Config.GetCertificate does. Required. The endpoint of the server name
	// was found before it is asked.
	ServerCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)

	Log *slog.Logger     // broken machinery only; default: none
	Now func() time.Time // clock for validity dates; default time.Now

	HandshakeTimeout time.Duration // from the accept to the end of the handshake; default 10 s
	HeaderTimeout    time.Duration // for the first bytes and the header of an HTTP request; default 10 s
	MaxHandshakes    int           // connections between accept and the end of their handshake; default 1024

	// MaxHandshakesPerSource bounds the connections of one source address (IPv6:
	// of its /64) in their handshake; default a quarter of MaxHandshakes. As many
	// as MaxHandshakes more wait for half of HandshakeTimeout, all sources together.
	MaxHandshakesPerSource int

	MaxConnections  int           // all connections; default 500,000
	MaxDraining     int           // closing connections that wait for the peer; default 1024
	ShutdownTimeout time.Duration // how long connections may take to end after Run's context did; default 5 s
}

// Defaults. Source: connect sheet 3.3, PROBLEMS 1.2.
const (
	defaultHandshakeTimeout = 10 * time.Second
	defaultHeaderTimeout    = 10 * time.Second
	defaultMaxHandshakes    = 1024
	defaultMaxConnections   = 500_000
	defaultMaxDraining      = 1024
	defaultShutdownTimeout  = 5 * time.Second
)

// A Server is the device's door. See [New] and [Server.Run].
type Server struct {
	cfg        Config
	handshakes chan struct{} // a token for each connection in its handshake
	sources    *sources      // shares those places among source addresses
	draining   chan struct{} // a token for each connection that drains
	inspects   chan struct{} // a token for each inspection of a refusal
	serving    group         // goroutines of connections

	open     atomic.Int64 // connections
	accepted atomic.Uint64
	refused  atomic.Uint64
	skipped  atomic.Uint64 // drains that found no place
}

// Stats are counters of a Server, for metrics.
type Stats struct {
	Open       int    // connections: waiting for a place, in their handshake or live
	Handshakes int    // of those, in their handshake
	Draining   int    // closed by us, waiting for the peer to read its answer
	Accepted   uint64 // connections since the start
	Refused    uint64 // of those, turned away because too many were there
	Skipped    uint64 // closes without drain, because too many were draining
}

// New checks cfg and builds a Server. It opens and starts nothing: see [Server.Run].
func New(cfg Config) (*Server, error) {
	if cfg.Attempts == nil || cfg.Identity == nil || cfg.MQTT == nil || cfg.Endpoints == nil || cfg.Authorizers == nil || cfg.ServerCertificate == nil {
		return nil, errors.New("gateway: Attempts, Identity, MQTT, Endpoints, Authorizers and ServerCertificate are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.HandshakeTimeout = cmp.Or(cfg.HandshakeTimeout, defaultHandshakeTimeout)
	cfg.HeaderTimeout = cmp.Or(cfg.HeaderTimeout, defaultHeaderTimeout)
	cfg.MaxHandshakes = cmp.Or(cfg.MaxHandshakes, defaultMaxHandshakes)
	cfg.MaxHandshakesPerSource = cmp.Or(cfg.MaxHandshakesPerSource, max(1, cfg.MaxHandshakes/4))
	cfg.MaxConnections = cmp.Or(cfg.MaxConnections, defaultMaxConnections)
	cfg.MaxDraining = cmp.Or(cfg.MaxDraining, defaultMaxDraining)
	cfg.ShutdownTimeout = cmp.Or(cfg.ShutdownTimeout, defaultShutdownTimeout)
	return &Server{
		cfg:        cfg,
		handshakes: make(chan struct{}, cfg.MaxHandshakes),
		sources:    newSources(cfg.MaxHandshakesPerSource, cfg.MaxHandshakes),
		draining:   make(chan struct{}, cfg.MaxDraining),
		inspects:   make(chan struct{}, maxInspects),
	}, nil
}

// Run serves devices on ln until ctx ends or a listener breaks. Then it closes
// the listeners, tells live connections, and waits for them for at most
// Config.ShutdownTimeout before it cuts what is left. When it returns, every
// goroutine that it started has ended. A Server runs once.
func (s *Server) Run(ctx context.Context, ln Listeners) error {
	// Connections learn of the end by stop; those that do not heed it lose
	// their sockets by cut.
	stop, stopAll := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAll()
	cut, cutAll := context.WithCancel(context.WithoutCancel(ctx))
	defer cutAll()

	g, ctx := errgroup.WithContext(ctx)
	for _, d := range []struct {
		door Door
		ln   net.Listener
	}{{DoorMQTT, ln.MQTT}, {DoorHTTPS, ln.HTTPS}, {DoorALPN, ln.ALPN}} {
		if d.ln == nil {
			continue
		}
		g.Go(func() error { <-ctx.Done(); return ignoreClosed(d.ln.Close()) }) // unblocks Accept
		g.Go(func() error { return s.accept(ctx, conduct{stop, cut}, d.door, d.ln) })
	}
	err := g.Wait()
	if context.Cause(ctx) != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	stopAll()
	if !s.serving.waitFor(s.cfg.ShutdownTimeout) {
		cutAll()
		s.serving.wait()
	}
	return err
}

// conduct are the two signals that a connection obeys.
type conduct struct {
	stop context.Context // end in good order
	cut  context.Context // the socket is about to be closed
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	return Stats{
		Open: int(s.open.Load()), Handshakes: len(s.handshakes), Draining: len(s.draining),
		Accepted: s.accepted.Load(), Refused: s.refused.Load(), Skipped: s.skipped.Load(),
	}
}

func ignoreClosed(err error) error {
	if err == nil || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("close listener: %w", err)
}
