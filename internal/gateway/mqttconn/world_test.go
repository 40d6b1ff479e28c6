package mqttconn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/broker"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/policy"
)

const allowAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}`

// world is a server with devices, inside a bubble of bent time.
type world struct {
	t         *testing.T
	server    *Server
	attempts  *attempt.Recorder
	policies  atomic.Pointer[policy.Set]
	changes   atomic.Uint64
	broken    atomic.Bool // Authorize fails
	exclusive string      // the thing that every principal is attached to exclusively
	serving   sync.WaitGroup
	ctx       context.Context // of Serve
}

// inWorld runs test against a server with the given configuration and a policy that allows all.
func inWorld(t *testing.T, cfg Config, test func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, ctx: t.Context(), attempts: attempt.NewRecorder(attempt.Config{Account: "123456789012", Region: "us-east-1"})}
		w.policy(allowAll)
		if cfg.Broker == nil {
			cfg.Broker = broker.New(broker.Config{})
		}
		cfg.Authorize = w.authorize
		if cfg.Observe == nil {
			cfg.Observe = observe.New(nil)
		}
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		w.server = s
		test(w)
		synctest.Wait()
		holdQuotaMetrics(t, w.attempts.Metrics().Counts().Checks, cfg.Observe)
		if err := s.CutAll(t.Context()); err != nil {
			t.Errorf("CutAll: %v", err)
		}
		w.serving.Wait()
		if n := cfg.Broker.Connections(); n != 0 {
			t.Errorf("the broker still has %d connections", n)
		}
		if len(s.conns)+len(s.byCert) != 0 {
			t.Errorf("the server remembers %d connections of %d principals", len(s.conns), len(s.byCert))
		}
		holdTold(t, w.attempts, cfg.Observe)
		if err := w.attempts.Close(); err != nil {
			t.Error(err)
		}
	})
}

// policy replaces the documents that every principal has.
func (w *world) policy(documents ...string) {
	w.t.Helper()
	var named []policy.Named
	for i, text := range documents {
		doc, err := policy.Parse([]byte(text))
		if err != nil {
			w.t.Fatalf("policy %s: %v", text, err)
		}
		named = append(named, policy.Named{Name: fmt.Sprintf("p%d", i), Version: "1", Source: policy.SourceCertificate, Doc: doc})
	}
	w.policies.Store(policy.Compile(named...))
	w.changes.Add(1)
}

func (w *world) authorize(_ context.Context, who identity.Principal, clientID string, facts identity.Facts) (Authorization, error) {
	if w.broken.Load() {
		return nil, errors.New("the registry is on fire")
	}
	return &grants{w: w, ctx: &policy.Context{
		Region: "us-east-1", Account: "123456789012", ClientID: clientID,
		ConnectAttributes: facts.ConnectAttributes, LastWillTopic: facts.LastWillTopic, SourceIP: facts.SourceIP,
	}}, nil
}

// grants answers from the policies that the world has at the moment.
type grants struct {
	w     *world
	ctx   *policy.Context
	mu    sync.Mutex
	of    uint64
	bound *policy.Bound
}

func (g *grants) now() *policy.Bound {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := g.w.changes.Load(); g.of != n {
		g.of, g.bound = n, g.w.policies.Load().Bind(g.ctx)
	}
	return g.bound
}

func (g *grants) Decide(a policy.Action, name string) policy.Effect { return g.now().Decide(a, name) }

func (g *grants) Explain(a policy.Action, name string) policy.Decision {
	return g.now().Explain(a, name)
}
func (g *grants) Generation() uint64 { return g.w.changes.Load() }
func (g *grants) ThingName() string  { return "" }

// device is one connection as the device sees it. Everything that arrives is kept.
type device struct {
	w       *world
	nc      net.Conn
	at      *attempt.Attempt
	version mqtt.Version
	done    chan struct{} // closed when Serve has returned

	mu       sync.Mutex
	got      bytes.Buffer
	read     int           // bytes of got that were looked at
	notified bool          // the server ended its side with CloseWrite
	closed   bool          // nothing more will come
	stalled  chan struct{} // not nil: the device reads nothing before it is closed
}

// serverSide is the server's end of the pipe; it notes the half-close.
type serverSide struct {
	net.Conn
	d *device
}

func (s serverSide) CloseWrite() error {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.d.notified = true
	return nil
}

type dialOptions struct {
	ip, principal string
	noReading     bool
	lifetime      Lifetime
	wrap          func(net.Conn) net.Conn // around the server's end; nil: nothing
}

func (w *world) dial(v mqtt.Version, o ...dialOptions) *device {
	opt := dialOptions{ip: "203.0.113.20", principal: strings.Repeat("ab", 32)}
	if len(o) > 0 {
		opt = o[0]
	}
	client, server := net.Pipe()
	if opt.wrap != nil {
		server = opt.wrap(server)
	}
	remote := netip.AddrPortFrom(netip.MustParseAddr(opt.ip), 50000)
	d := &device{w: w, nc: client, version: v, done: make(chan struct{})}
	d.at = w.attempts.Begin(attempt.DoorMQTT, net.TCPAddrFromAddrPort(remote), nil)
	w.serving.Go(func() {
		defer close(d.done)
		rest := w.server.Serve(w.ctx, serverSide{server, d}, Info{Remote: remote, Lifetime: opt.lifetime, Facts: identity.Facts{SourceIP: remote.Addr()}}, identity.Principal{Kind: identity.KindCertificate, ID: opt.principal}, d.at)
		for rest != nil {
			rest = rest()
		}
		d.at.End()
		server.Close()
	})
	if !opt.noReading {
		w.serving.Go(func() {
			buf := make([]byte, 4096)
			for {
				d.mu.Lock()
				stalled := d.stalled
				d.mu.Unlock()
				if stalled != nil {
					<-stalled
				}
				n, err := client.Read(buf)
				d.mu.Lock()
				d.got.Write(buf[:n])
				d.closed = err != nil
				d.mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	return d
}

// send sends raw bytes and packets, and waits until the server has nothing more to do.
func (d *device) send(list ...any) *device {
	d.w.t.Helper()
	var b []byte
	for _, p := range list {
		switch p := p.(type) {
		case []byte:
			b = append(b, p...)
		case mqtt.Packet:
			var err error
			if b, err = p.Append(b, d.version); err != nil {
				d.w.t.Fatalf("encode %T: %v", p, err)
			}
		}
	}
	d.nc.SetWriteDeadline(time.Now().Add(time.Minute))
	d.nc.Write(b) // a refusing server may have closed already
	synctest.Wait()
	return d
}

// connect sends a CONNECT and checks that it succeeds.
func (d *device) connect(id string, change ...func(*mqtt.Connect)) *device {
	d.w.t.Helper()
	p := &mqtt.Connect{Version: d.version, CleanStart: true, KeepAlive: 60, ClientID: []byte(id)}
	for _, f := range change {
		f(p)
	}
	d.send(p)
	if a, ok := d.next().(*mqtt.Connack); !ok || a.Reason != mqtt.Success {
		d.w.t.Fatalf("CONNECT as %q: %+v; %s", id, a, d.codes())
	}
	return d
}

// next returns the next packet that arrived, or nil.
func (d *device) next() mqtt.Packet {
	d.w.t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	header, body, n, err := mqtt.NextPacket(d.got.Bytes()[d.read:], 0)
	if err != nil {
		d.w.t.Fatalf("the server sent no packet: %v", err)
	} else if n < 0 {
		return nil
	}
	d.read += n
	p, err := mqtt.Decode(d.version, header, bytes.Clone(body))
	if err != nil {
		d.w.t.Fatalf("the server sent a broken packet: %v", err)
	}
	return p
}

// raw returns what arrived and was not looked at yet, in hex.
func (d *device) raw() string {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	b := d.got.Bytes()[d.read:]
	d.read = d.got.Len()
	return fmt.Sprintf("% X", b)
}

// ended tells whether the server ended the connection, with close_notify first.
func (d *device) ended() bool {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed && d.notified
}

func (d *device) record() attempt.Record {
	d.w.t.Helper()
	rec, found, err := d.w.attempts.Get(context.Background(), d.at.ID())
	if err != nil || !found {
		d.w.t.Fatalf("attempt: found %v, %v", found, err)
	}
	return rec
}

// codes renders what the record says beside steps that passed: "FAIL mqtt.qos2", and the reason.
func (d *device) codes() string {
	synctest.Wait()
	rec := d.record()
	d.explained(rec.Steps)
	var list []string
	for _, s := range rec.Steps {
		if s.Outcome != attempt.Passed {
			list = append(list, string(s.Outcome)+" "+s.Check.Code)
		}
	}
	for _, f := range rec.Facts {
		if f.Key == "disconnect_reason" {
			list = append(list, f.Value)
		}
	}
	return strings.Join(list, ", ")
}

// explained makes sure that the evidence fills every text that a person will read.
func (d *device) explained(steps []attempt.Step) {
	d.w.t.Helper()
	const ofAttempt = " trace source_ip source_port port door client_id account partition region endpoint ca_file mqtt_port https_port alpn_port api_port certificate_id principal principal_arn thing sdk protocol sni tls_version "
	for _, s := range steps {
		if s.Outcome == attempt.Passed {
			continue
		}
		values := func(name string) (string, bool) {
			if strings.Contains(ofAttempt, " "+name+" ") {
				return "x", true
			}
			for _, f := range s.Evidence {
				if f.Key == name {
					return f.Value, f.Value != ""
				}
			}
			return "", false
		}
		_, missing := s.Check.FixWith(values)
		if text := s.Check.CauseWith(values) + s.Check.AdviceWith(values); strings.Contains(text, "(unknown ") || len(missing) > 0 {
			d.w.t.Errorf("%s lacks evidence: %s; fix lacks %q; has %v", s.Check.Code, text, missing, s.Evidence)
		}
	}
}

// evidence returns a field of the first step with the given code.
func (d *device) evidence(code, key string) string {
	d.w.t.Helper()
	for _, s := range d.record().Steps {
		if s.Check.Code != code {
			continue
		}
		for _, f := range s.Evidence {
			if f.Key == key {
				return f.Value
			}
		}
	}
	return ""
}

// stall makes the device stop reading, after what it may be reading already.
func (d *device) stall() (resume func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	stalled := make(chan struct{})
	d.stalled = stalled
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.stalled = nil
		close(stalled)
	}
}

// hangUp ends the connection from the device's side.
func (d *device) hangUp() {
	d.nc.Close()
	synctest.Wait()
}

// messages returns the PUBLISH packets that arrived, as "topic payload qos".
func (d *device) messages() (list []string) {
	d.w.t.Helper()
	for p := d.next(); p != nil; p = d.next() {
		if m, ok := p.(*mqtt.Publish); ok {
			list = append(list, fmt.Sprintf("%s %s %d", m.Topic, m.Payload, m.QoS))
		}
	}
	return list
}

func publishOf(topic, payload string, qos mqtt.QoS) *mqtt.Publish {
	p := &mqtt.Publish{Topic: []byte(topic), Payload: []byte(payload), QoS: qos}
	if qos > 0 {
		p.PacketID = 7
	}
	return p
}

func subscribeTo(qos mqtt.QoS, filters ...string) *mqtt.Subscribe {
	p := &mqtt.Subscribe{PacketID: 9}
	for _, f := range filters {
		p.Filters = append(p.Filters, mqtt.Subscription{Filter: []byte(f), QoS: qos})
	}
	return p
}
