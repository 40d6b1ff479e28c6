package gateway

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/api/iotdata"
	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/function"
	"github.com/gatehouse-iot/gatehouse/internal/gateway/mqttconn"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/internal/pki"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
	"github.com/gatehouse-iot/gatehouse/policy"
)

const endpointHost = "a1b2c3d4e5f6g7-ats.iot.us-east-1.gatehouse.test"

// world is what all tests share: a CA and a registry on disk. Making RSA keys
// for every test would take longer than the tests.
var world struct {
	authority *pki.Authority
	registry  *statusRegistry
}

// statusRegistry is a registry some of whose certificates have a status that no
// API call sets.
type statusRegistry struct {
	*registry.Registry
	mu     sync.Mutex
	status map[string]registry.CertificateStatus // guarded by mu
	err    error                                 // guarded by mu: what Certificate fails with
}

func (r *statusRegistry) Certificate(ctx context.Context, id string) (registry.Certificate, error) {
	c, err := r.Registry.Certificate(ctx, id)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return c, r.err
	}
	if s, ok := r.status[id]; ok {
		c.Status = s
	}
	return c, err
}

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "gateway")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		if world.authority, err = pki.Open(pki.Config{Dir: dir + "/pki", Hosts: []string{endpointHost, "custom.gatehouse.test", "localhost", "127.0.0.1"}}); err != nil {
			panic(err)
		}
		reg, err := registry.Open(context.Background(), registry.Config{
			DataDir: dir, AccountID: "123456789012", Region: "us-east-1", Endpoint: endpointHost, Issuer: world.authority,
		})
		if err != nil {
			panic(err)
		}
		world.registry = &statusRegistry{Registry: reg, status: map[string]registry.CertificateStatus{}}
		code := m.Run()
		if err := reg.Close(); err != nil {
			panic(err)
		}
		if code == 0 {
			if err := goleak.Find(); err != nil {
				println(err.Error())
				code = 1
			}
		}
		return code
	}())
}

// miniMQTT is a small MQTT server: it acknowledges CONNECT and then reads until
// the end, as mqttconn does in the eyes of the gateway.
type miniMQTT struct {
	served chan mqttconn.Info
	who    chan identity.Principal
}

func (m *miniMQTT) Serve(ctx context.Context, nc net.Conn, info mqttconn.Info, who identity.Principal, at *attempt.Attempt) mqttconn.Rest {
	stop := context.AfterFunc(ctx, func() { nc.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if c, ok := nc.(interface{ CloseWrite() error }); ok {
		defer c.CloseWrite()
	}
	select {
	case m.served <- info:
		m.who <- who
	default:
	}
	buf := make([]byte, 1024)
	n, err := nc.Read(buf)
	if info.Authenticate != nil {
		login, err := info.Authenticate(ctx, &identity.MQTTCredentials{})
		if err != nil {
			panic(err)
		}
		login.Record(at)
		if rung := login.Refusal(); rung != nil {
			at.Fail(rung.Check, rung.Evidence...)
			return nil
		}
	}
	if err == nil && n > 0 && buf[0] == 0x10 {
		at.Pass(check.MQTTConnect)
		nc.Write([]byte{0x20, 0x02, 0x00, 0x00})
		io.Copy(io.Discard, nc)
	}
	return nil
}

// noFunctions has no function.
type noFunctions struct{}

func (noFunctions) Invoke(context.Context, function.Request) (function.Result, error) {
	return function.Result{Outcome: function.NotFound}, nil
}

// PublishHTTP decides like mqttconn, and drops the message.
func (m *miniMQTT) PublishHTTP(_ context.Context, msg *mqttconn.HTTPMessage, auth mqttconn.Authorization, at *attempt.Attempt) error {
	if auth.Decide(policy.Publish, msg.Topic) != policy.Allow {
		at.Fail(check.AuthzPublish, attempt.F("topic", msg.Topic))
		return mqttconn.ErrForbidden
	}
	at.Pass(check.PublishAccepted, attempt.F("topic", msg.Topic))
	return nil
}

// nobody has an access key of the API's port.
type nobody struct{}

func (nobody) Lookup(context.Context, string) (api.Credential, bool, error) {
	return api.Credential{}, false, nil
}

// A rig is a running gateway with its own record of attempts.
type rig struct {
	t        testing.TB
	server   *Server
	attempts *attempt.Recorder
	identity *identity.Service
	mqtt     *miniMQTT
	addr     map[Door]string
	stop     func()
}

// newRig starts a gateway on three ports of the kernel's choice.
func newRig(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	endpoints, err := NewEndpoints(Endpoint{Name: "iot:Data-ATS", Host: endpointHost}, Endpoint{Name: "local", Host: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, addr: map[Door]string{}, mqtt: &miniMQTT{served: make(chan mqttconn.Info, 1), who: make(chan identity.Principal, 1)}}
	r.attempts = attempt.NewRecorder(attempt.Config{Account: "123456789012", Region: "us-east-1", Endpoint: endpointHost})
	r.identity, err = identity.New(identity.Config{Registry: world.registry, AccountID: "123456789012", Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	authorizers, err := identity.NewAuthorizers(identity.CustomConfig{Registry: world.registry, Identity: r.identity, Functions: noFunctions{}})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Attempts: r.attempts, Identity: r.identity, MQTT: r.mqtt, Endpoints: endpoints, Authorizers: authorizers,
		ServerCertificate: world.authority.ServerCertificate,
	}
	data, err := api.NewServer(api.Config{
		Services: []*api.Service{iotdata.New(iotdata.Handlers{Publisher: r.mqtt})}, Credentials: nobody{}, Region: "us-east-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Data = data
	if change != nil {
		change(&cfg)
	}
	if r.server, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	open := func(door Door) net.Listener {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		r.addr[door] = ln.Addr().String()
		return ln
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	ln := Listeners{MQTT: open(DoorMQTT), HTTPS: open(DoorHTTPS), ALPN: open(DoorALPN)}
	go func() { done <- r.server.Run(ctx, ln) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		r.identity.Close()
		if err := r.attempts.Close(); err != nil {
			t.Errorf("close attempts: %v", err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

// hole is a place in a text that no evidence filled.
var hole = regexp.MustCompile(`\{[a-z_]+\}`)

// record waits for the end of the only attempt of the rig, and returns it.
func (r *rig) record() attempt.Record {
	r.t.Helper()
	list := r.records(1)
	report := r.attempts.Explain(list[0])
	for _, f := range append(report.Findings, report.Warnings...) {
		for _, text := range []string{f.Cause, f.Device, f.Advice, f.Fix} {
			if hole.MatchString(text) {
				r.t.Errorf("%s is explained with a hole in it: %s", f.Code, text)
			}
		}
	}
	return list[0]
}

// records waits until n attempts have ended, and returns them, the latest first.
func (r *rig) records(n int) []attempt.Record {
	r.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		list, _, err := r.attempts.List(context.Background(), attempt.Filter{}, attempt.Cursor{}, 100)
		if err != nil {
			r.t.Fatal(err)
		}
		ended := slices.DeleteFunc(slices.Clone(list), func(rec attempt.Record) bool { return rec.Ended.IsZero() })
		total := 0
		for _, rec := range ended {
			total += rec.Count // equal refusals share a record
		}
		if total >= n {
			return ended
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%d of %d attempts have ended: %+v", total, n, list)
		}
		time.Sleep(time.Millisecond) // polls another goroutine's progress over real sockets
	}
}

// codesOf returns the codes of an outcome, in order.
func codesOf(rec attempt.Record, outcome attempt.Outcome) []string {
	var codes []string
	for _, s := range rec.Steps {
		if s.Outcome == outcome {
			codes = append(codes, s.Check.Code)
		}
	}
	return codes
}

// evidenceOf returns the evidence of a check.
func evidenceOf(rec attempt.Record, c *check.Check) map[string]string {
	for _, s := range rec.Steps {
		if s.Check == c {
			m := map[string]string{}
			for _, f := range s.Evidence {
				m[f.Key] = f.Value
			}
			return m
		}
	}
	return nil
}

// A device is a client certificate with its key.
type device struct {
	id   string
	cert tls.Certificate
	pem  string
}

// newKey makes the key of a device.
func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issued returns a device whose certificate Gatehouse issued: mode DEFAULT.
func issued(t testing.TB, status registry.CertificateStatus) device {
	t.Helper()
	key := newKey(t)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := world.registry.CreateCertificateFromCSR(t.Context(), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})), true)
	if err != nil {
		t.Fatal(err)
	}
	switch status {
	case registry.StatusActive:
	case registry.StatusInactive, registry.StatusRevoked:
		if err := world.registry.UpdateCertificate(t.Context(), c.ID, status); err != nil {
			t.Fatal(err)
		}
	default:
		world.registry.mu.Lock()
		world.registry.status[c.ID] = status
		world.registry.mu.Unlock()
	}
	block, _ := pem.Decode([]byte(c.PEM))
	return device{id: c.ID, cert: tls.Certificate{Certificate: [][]byte{block.Bytes}, PrivateKey: key}, pem: c.PEM}
}

// selfSigned returns a device with a certificate of its own making, that is not registered.
func selfSigned(t testing.TB, key crypto.Signer, change func(*x509.Certificate)) device {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "own-" + t.Name()},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	fp := identity.Fingerprint(sha256Of(der))
	return device{
		id: fp.String(), cert: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
	}
}

// registered registers a device's certificate without a CA: mode SNI_ONLY.
func (d device) registered(t testing.TB) device {
	t.Helper()
	if _, err := world.registry.RegisterCertificateWithoutCA(t.Context(), d.pem, registry.StatusActive); err != nil {
		t.Fatal(err)
	}
	return d
}

// connect is an MQTT 3.1.1 CONNECT of client ID "dev".
var connect = mustHex("100f00044d5154540402003c0003646576")

func mustHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// clientConfig returns the TLS settings of a client.
func clientConfig(version uint16, serverName string, certs ...tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(world.authority.Root())
	cfg := &tls.Config{
		MinVersion: version, MaxVersion: version, RootCAs: roots, ServerName: serverName,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if len(certs) == 0 {
				return &tls.Certificate{}, nil
			}
			return &certs[0], nil
		},
	}
	if serverName == "" { // sends no SNI
		cfg.InsecureSkipVerify = true
	}
	return cfg
}

// An outcome is what a client saw.
type outcome struct {
	handshake error  // of the handshake
	alert     int    // alert number received, -1 for none
	answer    []byte // what came after CONNECT
	clean     bool   // the connection was ended by close_notify
	alpn      string
}

// talk connects, sends what it is given, and reads until the connection ends
// or something came.
func (r *rig) talk(door Door, cfg *tls.Config, send []byte) (got outcome) {
	r.t.Helper()
	got.alert = -1
	nc, err := net.Dial("tcp", r.addr[door])
	if err != nil {
		r.t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	tc := tls.Client(nc, cfg)
	got.handshake = tc.Handshake()
	note := func(err error) {
		if n, ok := remoteAlert(err); ok && got.alert < 0 {
			got.alert = int(n)
		}
	}
	if got.handshake != nil {
		note(got.handshake)
		return got
	}
	got.alpn = tc.ConnectionState().NegotiatedProtocol
	if len(send) > 0 {
		if _, err := tc.Write(send); err != nil {
			note(err)
		}
	}
	buf := make([]byte, 4096)
	n, err := tc.Read(buf)
	got.answer = buf[:n]
	if err != nil {
		note(err)
		got.clean = errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF)
	}
	return got
}
