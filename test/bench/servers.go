//go:build linux

package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iot"

	"github.com/gatehouse-iot/gatehouse/internal/server"
)

// A bench is one run: the servers under test and what devices need to reach them.
type bench struct {
	rounds    int
	scale     float64
	binary    string
	peerNames string
	only      *regexp.Regexp
	goals     int // that were measured
	missed    int // of them

	idle [2]map[*peer]float64 // bytes of a connection, by [idleRest]

	dir       string // temporary folder of the run
	gatehouse *process
	running   server.RunFile
	roots     *x509.CertPool
	ecdsa     tls.Certificate // device certificates, registered
	rsa       tls.Certificate
	servers   []*peer // ours first
}

// A peer is one server under test.
type peer struct {
	name    string
	process *process
	addr    string
	ours    bool
	bare    bool // only completes the handshake
	// webSocket is the address of MQTT over WebSocket, "": it has none.
	webSocket string
}

// open starts Gatehouse, the peers that are here, and the bare server.
func (b *bench) open(w io.Writer) (err error) {
	if err := raiseFileLimit(); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "gatehouse-bench-*"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if err := b.startGatehouse(); err != nil {
		return err
	}
	b.servers = append(b.servers, &peer{
		name: "Gatehouse", process: b.gatehouse, ours: true,
		addr:      net.JoinHostPort("127.0.0.1", strconv.Itoa(b.running.Ports.MQTT)),
		webSocket: net.JoinHostPort("127.0.0.1", strconv.Itoa(b.running.Ports.ALPN)),
	})
	if err := b.register(context.Background()); err != nil {
		return fmt.Errorf("%w\n%s", err, b.gatehouse.log)
	}
	for name := range strings.SplitSeq(b.peerNames, ",") {
		start, ok := map[string]func(*peer) error{"mosquitto": b.startMosquitto, "mochi": b.startMochi}[name]
		if !ok {
			return fmt.Errorf("-peers %q: mosquitto and mochi are known", name)
		}
		p := &peer{name: name}
		if err := start(p); err != nil {
			fmt.Fprintf(w, "SKIPPED: %s as a peer: %v\n", name, err)
			continue
		}
		b.servers = append(b.servers, p)
	}
	bare, addr, err := b.startBare()
	if err != nil {
		return err
	}
	b.servers = append(b.servers, &peer{name: "bare TLS", process: bare, addr: addr, bare: true})
	return nil
}

func (b *bench) close() {
	for _, s := range b.servers {
		s.process.stop()
	}
	os.RemoveAll(b.dir)
}

// build builds this tree, unless there is a binary to measure.
func (b *bench) build() error {
	if b.binary != "" {
		return nil
	}
	b.binary = filepath.Join(b.dir, "gatehouse")
	build := exec.Command("go", "build", "-o", b.binary, "github.com/gatehouse-iot/gatehouse/cmd/gatehouse")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

// startGatehouse builds and starts the server under test.
func (b *bench) startGatehouse() error {
	if err := b.build(); err != nil {
		return err
	}
	data := filepath.Join(b.dir, "data")
	var err error
	b.gatehouse, err = startProcess("gatehouse", b.binary, "up", "--data-dir", data, "--limits", "open",
		"--mqtt-port", "0", "--https-port", "0", "--alpn-port", "0", "--api-port", "0")
	if err != nil {
		return err
	}
	for range 1000 {
		if b.running, err = server.ReadRunFile(data); err == nil {
			b.roots = x509.NewCertPool()
			ca, err := os.ReadFile(b.running.CAFile)
			b.roots.AppendCertsFromPEM(ca)
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("gatehouse is not ready: %w\n%s", err, b.gatehouse.log)
}

// register makes an ECDSA and an RSA device certificate with a policy, by the API.
func (b *bench) register(ctx context.Context) error {
	api := iot.New(iot.Options{
		Region: b.running.Region, BaseEndpoint: &b.running.APIURL,
		Credentials: credentials.NewStaticCredentialsProvider(b.running.AccessKeyID, b.running.SecretAccessKey, ""),
	})
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:%[1]s:%[2]s:client/bench-*"},
		{"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":"arn:aws:iot:%[1]s:%[2]s:topic/bench/*"},
		{"Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:%[1]s:%[2]s:topicfilter/bench/*"}]}`, b.running.Region, b.running.AccountID)
	if _, err := api.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: aws.String("bench"), PolicyDocument: &policy}); err != nil {
		return err
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if b.ecdsa, err = certificate(ctx, api, ec); err != nil {
		return err
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	b.rsa, err = certificate(ctx, api, rs)
	return err
}

func certificate(ctx context.Context, api *iot.Client, key crypto.Signer) (tls.Certificate, error) {
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	out, err := api.CreateCertificateFromCsr(ctx, &iot.CreateCertificateFromCsrInput{
		SetAsActive: true, CertificateSigningRequest: aws.String(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}))),
	})
	if err != nil {
		return tls.Certificate{}, err
	}
	if _, err := api.AttachPolicy(ctx, &iot.AttachPolicyInput{PolicyName: aws.String("bench"), Target: out.CertificateArn}); err != nil {
		return tls.Certificate{}, err
	}
	block, _ := pem.Decode([]byte(*out.CertificatePem))
	return tls.Certificate{Certificate: [][]byte{block.Bytes}, PrivateKey: key}, nil
}

// device is a client with cert against a server.
func (b *bench) device(s *peer, cert tls.Certificate) device {
	return device{addr: s.addr, config: &tls.Config{ServerName: b.running.Endpoint, RootCAs: b.roots, Certificates: []tls.Certificate{cert}}}
}

func (b *bench) pki(name string) string { return filepath.Join(b.dir, "data", "pki", name) }

// startMosquitto starts the peer with the same server key and an ACL for every action. It gets no WebSocket
// listener: Debian's package does not open one everywhere.
func (b *bench) startMosquitto(s *peer) error {
	bin, err := exec.LookPath("mosquitto")
	if err != nil {
		if bin, err = exec.LookPath("/usr/sbin/mosquitto"); err != nil {
			return err
		}
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	acl, conf, cas := filepath.Join(b.dir, "acl"), filepath.Join(b.dir, "mosquitto.conf"), filepath.Join(b.dir, "cas.pem")
	var chain []byte // OpenSSL wants the device CA and the root above it
	for _, name := range []string{"device-ca.pem", "root-ca.pem"} {
		pem, err := os.ReadFile(b.pki(name))
		if err != nil {
			return err
		}
		chain = append(chain, pem...)
	}
	if err := os.WriteFile(cas, chain, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(acl, []byte("pattern readwrite bench/#\n"), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(conf, fmt.Appendf(nil, `per_listener_settings false
persistence false
log_type error
user root
max_queued_messages 0
max_inflight_messages 100
allow_anonymous false
acl_file %s
listener %d 127.0.0.1
cafile %s
certfile %s
keyfile %s
require_certificate true
use_identity_as_username true
`, acl, port, cas, b.pki("server-ecdsa.pem"), b.pki("server-ecdsa.key")), 0o600); err != nil {
		return err
	}
	if s.process, err = startProcess("mosquitto", bin, "-c", conf); err != nil {
		return err
	}
	s.addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	return s.process.listening(s.addr)
}

// startMochi builds the peer, a module of its own, and starts it.
func (b *bench) startMochi(s *peer) error {
	_, here, _, _ := runtime.Caller(0)
	bin := filepath.Join(b.dir, "mochi")
	build := exec.Command("go", "build", "-o", bin, ".")
	build.Dir = filepath.Join(filepath.Dir(here), "mochi")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	for _, addr := range []*string{&s.addr, &s.webSocket} {
		port, err := freePort()
		if err != nil {
			return err
		}
		*addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	var err error
	if s.process, err = startProcess("mochi", bin, "-addr", s.addr, "-websocket", s.webSocket, "-pki", filepath.Dir(b.pki("x"))); err != nil {
		return err
	}
	if err := s.process.listening(s.addr); err != nil {
		return err
	}
	return s.process.listening(s.webSocket)
}

// startBare starts this program again as the bare TLS server.
func (b *bench) startBare() (*process, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	port, err := freePort()
	if err != nil {
		return nil, "", err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if err := os.Setenv("BENCH_BARE_ADDR", addr); err != nil {
		return nil, "", err
	}
	p, err := startProcess("bare TLS", self, "-bare", filepath.Dir(b.pki("x")))
	if err != nil {
		return nil, "", err
	}
	return p, addr, p.listening(addr)
}

// listening waits until addr accepts connections.
func (p *process) listening(addr string) error {
	var err error
	for range 500 {
		var nc net.Conn
		if nc, err = net.Dial("tcp", addr); err == nil {
			return nc.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%s is not ready: %w\n%s", p.name, err, p.log)
}

// serveBare completes handshakes with Gatehouse's own server keys, asks for a
// client certificate without verifying it, and does nothing more.
func serveBare(pki string) error {
	ec, err := tls.LoadX509KeyPair(filepath.Join(pki, "server-ecdsa.pem"), filepath.Join(pki, "server-ecdsa.key"))
	if err != nil {
		return err
	}
	rs, err := tls.LoadX509KeyPair(filepath.Join(pki, "server-rsa.pem"), filepath.Join(pki, "server-rsa.key"))
	if err != nil {
		return err
	}
	ln, err := tls.Listen("tcp", os.Getenv("BENCH_BARE_ADDR"), &tls.Config{
		Certificates: []tls.Certificate{ec, rs}, ClientAuth: tls.RequireAnyClientCert, SessionTicketsDisabled: true,
	})
	if err != nil {
		return err
	}
	for {
		nc, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer nc.Close()
			var one [1]byte
			_, _ = nc.Read(one[:]) // completes the handshake, then waits for the client's goodbye
		}()
	}
}

func freePort() (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}

// raiseFileLimit lifts the soft limit of open files to the hard one.
func raiseFileLimit() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}
