//go:build linux

// Command bench measures Gatehouse side by side with its peers, in turn in the
// same run, and prints ratios of CPU time and memory: absolute times of a shared
// machine do not hold from day to day. Linux only; `make bench` runs it.
//
// The peers are mosquitto (Debian's package) with an access control list, and
// for connects a bare crypto/tls server that only completes the handshake, with
// the same keys. CPU time is the server process's own, from the operating system.
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
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iot"

	"github.com/gatehouse-iot/gatehouse/internal/server"
)

func main() {
	var b bench
	bare := flag.String("bare", "", "run as the bare TLS server with the keys of this folder, and nothing else")
	flag.IntVar(&b.rounds, "rounds", 5, "rounds; servers take turns in each, the median counts")
	flag.IntVar(&b.connects, "connects", 1000, "connections a round")
	flag.IntVar(&b.messages, "messages", 20000, "QoS 0 messages of each of 10 pairs a round")
	flag.IntVar(&b.idle, "idle", 5000, "idle connections")
	flag.StringVar(&b.binary, "gatehouse", "", "binary to measure, in place of building this tree")
	start := flag.Int("start", 0, "measure this many first and later starts and the idle memory, and nothing else")
	only := flag.String("only", "", "regular expression of the lines to measure, by their names")
	flag.Parse()
	var err error
	if b.only, err = regexp.Compile(*only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	switch {
	case *bare != "":
		err = serveBare(*bare)
	case *start > 0:
		err = b.runStart(os.Stdout, *start)
	default:
		err = b.run(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	rounds, connects, messages, idle int
	binary                           string
	only                             *regexp.Regexp

	dir       string // temporary folder of the run
	gatehouse *process
	running   server.RunFile
	roots     *x509.CertPool
	ecdsa     tls.Certificate // device certificates, registered
	rsa       tls.Certificate
}

func (b *bench) run(w io.Writer) (err error) {
	if err := raiseFileLimit(); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "gatehouse-bench-*"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.startGatehouse(); err != nil {
		return err
	}
	defer b.gatehouse.stop()
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, b.gatehouse.log)
		}
	}()
	if err := b.register(context.Background()); err != nil {
		return err
	}
	bare, bareAddr, err := b.startBare()
	if err != nil {
		return err
	}
	defer bare.stop()
	mosquitto, mosquittoAddr, err := b.startMosquitto()
	if err != nil {
		fmt.Fprintf(w, "SKIPPED: mosquitto as a peer: %v\n", err)
	} else {
		defer mosquitto.stop()
	}
	gatehouseAddr := net.JoinHostPort("127.0.0.1", strconv.Itoa(b.running.Ports.MQTT))

	fmt.Fprintf(w, "%d CPUs, %s; median of %d rounds, servers in turn in each\n\n", runtime.NumCPU(), runtime.Version(), b.rounds)
	fmt.Fprintf(w, "%-50s %12s %12s %8s\n", "CPU time of the server", "Gatehouse", "peer", "ratio")
	for _, key := range []struct {
		name string
		cert tls.Certificate
	}{{"ECDSA", b.ecdsa}, {"RSA", b.rsa}} {
		ours, theirs := b.device(gatehouseAddr, key.cert), b.device(bareAddr, key.cert)
		err := b.compare(w, "connect up to CONNACK, "+key.name+", / bare TLS",
			func() (time.Duration, error) { return connects(b.gatehouse, b.connects, 4, ours.connectOnly) },
			func() (time.Duration, error) { return connects(bare, b.connects, 4, theirs.handshakeOnly) })
		if err != nil {
			return err
		}
		if mosquitto != nil {
			theirs := b.device(mosquittoAddr, key.cert)
			err := b.compare(w, "connect up to CONNACK, "+key.name+", / mosquitto",
				func() (time.Duration, error) { return connects(b.gatehouse, b.connects, 4, ours.connectOnly) },
				func() (time.Duration, error) { return connects(mosquitto, b.connects, 4, theirs.connectOnly) })
			if err != nil {
				return err
			}
		}
	}
	if mosquitto == nil {
		return errors.New("no mosquitto: the message benchmarks have no peer")
	}
	ours, theirs := b.device(gatehouseAddr, b.ecdsa), b.device(mosquittoAddr, b.ecdsa)
	for _, size := range []int{16, 256, 4096} {
		err := b.compare(w, fmt.Sprintf("QoS 0 one to one, 10 pairs, %d B, / mosquitto", size),
			func() (time.Duration, error) { return pairs(b.gatehouse, ours, 10, b.messages, size, 0) },
			func() (time.Duration, error) { return pairs(mosquitto, theirs, 10, b.messages, size, 0) })
		if err != nil {
			return err
		}
	}
	const seconds, perSecond = 5, 50
	err = b.compare(w, "QoS 0 one to one, 100 pairs, 5,000/s, / mosquitto",
		func() (time.Duration, error) {
			return pairs(b.gatehouse, ours, 100, seconds*perSecond, 256, time.Second/perSecond)
		},
		func() (time.Duration, error) {
			return pairs(mosquitto, theirs, 100, seconds*perSecond, 256, time.Second/perSecond)
		})
	if err != nil {
		return err
	}
	return b.compareIdle(w, mosquitto, ours, theirs)
}

// compare runs both in turn, rounds times, and prints medians and their ratio.
func (b *bench) compare(w io.Writer, name string, ours, theirs func() (time.Duration, error)) error {
	if !b.only.MatchString(name) {
		return nil
	}
	var a, z []time.Duration
	for range b.rounds {
		one, err := ours()
		if err != nil {
			return fmt.Errorf("%s: gatehouse: %w", name, err)
		}
		other, err := theirs()
		if err != nil {
			return fmt.Errorf("%s: peer: %w", name, err)
		}
		a, z = append(a, one), append(z, other)
	}
	slices.Sort(a)
	slices.Sort(z)
	one, other := a[len(a)/2], z[len(z)/2]
	_, err := fmt.Fprintf(w, "%-50s %12s %12s %8.2f\n", name, micros(one), micros(other), float64(one)/float64(other))
	return err
}

func micros(d time.Duration) string { return fmt.Sprintf("%.2f us", float64(d)/1e3) }

func (b *bench) compareIdle(w io.Writer, mosquitto *process, ours, theirs device) error {
	name := fmt.Sprintf("memory of an idle connection, of %d", b.idle)
	if !b.only.MatchString(name) {
		return nil
	}
	one, err := idle(b.gatehouse, ours, b.idle)
	if err != nil {
		return fmt.Errorf("idle: gatehouse: %w", err)
	}
	other, err := idle(mosquitto, theirs, b.idle)
	if err != nil {
		return fmt.Errorf("idle: mosquitto: %w", err)
	}
	_, err = fmt.Fprintf(w, "\n%-44s %8.1f KiB %8.1f KiB %8.2f\n", name,
		float64(one)/1024, float64(other)/1024, float64(one)/float64(other))
	return err
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

// device is a client with cert against the server at addr.
func (b *bench) device(addr string, cert tls.Certificate) device {
	return device{addr: addr, config: &tls.Config{ServerName: b.running.Endpoint, RootCAs: b.roots, Certificates: []tls.Certificate{cert}}}
}

func (b *bench) pki(name string) string { return filepath.Join(b.dir, "data", "pki", name) }

// startMosquitto starts the peer with the same server key and an ACL for every action.
func (b *bench) startMosquitto() (*process, string, error) {
	bin, err := exec.LookPath("mosquitto")
	if err != nil {
		if bin, err = exec.LookPath("/usr/sbin/mosquitto"); err != nil {
			return nil, "", err
		}
	}
	port, err := freePort()
	if err != nil {
		return nil, "", err
	}
	acl, conf, cas := filepath.Join(b.dir, "acl"), filepath.Join(b.dir, "mosquitto.conf"), filepath.Join(b.dir, "cas.pem")
	var chain []byte // OpenSSL wants the device CA and the root above it
	for _, name := range []string{"device-ca.pem", "root-ca.pem"} {
		pem, err := os.ReadFile(b.pki(name))
		if err != nil {
			return nil, "", err
		}
		chain = append(chain, pem...)
	}
	if err := os.WriteFile(cas, chain, 0o600); err != nil {
		return nil, "", err
	}
	if err := os.WriteFile(acl, []byte("pattern readwrite bench/#\n"), 0o600); err != nil {
		return nil, "", err
	}
	if err := os.WriteFile(conf, fmt.Appendf(nil, `per_listener_settings false
persistence false
log_type error
user root
max_queued_messages 0
allow_anonymous false
acl_file %s
listener %d 127.0.0.1
cafile %s
certfile %s
keyfile %s
require_certificate true
use_identity_as_username true
`, acl, port, cas, b.pki("server-ecdsa.pem"), b.pki("server-ecdsa.key")), 0o600); err != nil {
		return nil, "", err
	}
	p, err := startProcess("mosquitto", bin, "-c", conf)
	if err != nil {
		return nil, "", err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	return p, addr, p.listening(addr)
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
