//go:build linux

package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	iottypes "github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// nodeAuthorizer does nothing but answer, so that what is measured is what
// stands around a handler. It tells its own time as the one in Go does.
const nodeAuthorizer = `const answer = { isAuthenticated: true, principalId: "Bench", policyDocuments: [{ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "iot:*", Resource: "*" }] }] };
const own = [];
export const handler = async (event) => {
  if (event.own) return { ownMicroseconds: own.sort((a, b) => a - b)[own.length >> 1] };
  const began = performance.now();
  if (event.protocolData.mqtt.clientId.startsWith("slow-")) await new Promise((done) => setTimeout(done, 50));
  own.push((performance.now() - began) * 1000);
  return answer;
};`

const (
	warmConnects   = 200 // before, until the interpreter has compiled what it runs
	rounds         = 10  // in turn, so that what else the machine does hits everyone alike
	roundConnects  = 100 // one after the other, for the latency
	loadClients    = 8   // at once, for the rate: fewer than the function's concurrency of 10
	loadConnects   = 2000
	crowd          = 1000
	mostOverheadMs = 1 // at p50. Issue 6, must show 4
)

// A way is how a client proves itself, and what was measured of it.
type way struct {
	name     string
	by       credentialsOf
	function string // "" for none
	took     []time.Duration
}

func (w *way) at(percent int) time.Duration { return w.took[len(w.took)*percent/100] }

// runAuthorizers is the whole of `bench -authorizers`: what a custom authorizer
// costs a CONNECT, with a warm function.
func (b *bench) runAuthorizers(w io.Writer) (err error) {
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
	ctx := context.Background()
	if err := b.register(ctx); err != nil {
		return err
	}
	keys := credentials.NewStaticCredentialsProvider(b.running.AccessKeyID, b.running.SecretAccessKey, "")
	functions := lambda.New(lambda.Options{Region: b.running.Region, BaseEndpoint: &b.running.APIURL, Credentials: keys})
	if err := b.addAuthorizers(ctx, functions); err != nil {
		return err
	}
	ways := []*way{
		{name: "client certificate", by: credentialsOf{config: b.device(&peer{}, b.ecdsa).config, port: b.running.Ports.MQTT}},
		{name: "authorizer in Go", by: b.byAuthorizer("go"), function: "go"},
		{name: "authorizer in Node", by: b.byAuthorizer("node"), function: "node"},
	}
	for round := range rounds + 1 {
		for _, way := range ways {
			if err := way.connects(round); err != nil {
				return fmt.Errorf("%s: %w\n%s", way.name, err, b.gatehouse.log)
			}
		}
	}
	fmt.Fprintf(w, `%d CPUs, %s, load %s; client, server and functions share them. The handlers do nothing but answer.
p50 and p99 are from CONNECT to CONNACK, one client at a time, %d connects in %d rounds, in turn.
overhead = p50 - p50 of the same CONNECT with a client certificate - the handler's own time, as it measured it (p50).
connects/s is with %d clients, TLS handshake included.

`, runtime.NumCPU(), runtime.Version(), loadAverage(), rounds*roundConnects, rounds, loadClients)
	fmt.Fprintf(w, "%-22s %10s %10s %12s %12s %12s\n", "", "p50", "p99", "handler", "overhead", "connects/s")
	var tooMuch []string
	for _, way := range ways {
		slices.Sort(way.took)
		handler, overhead := "", ""
		if way.function != "" {
			own, err := ownTime(ctx, functions, way.function)
			if err != nil {
				return err
			}
			over := way.at(50) - ways[0].at(50) - own
			handler, overhead = fmt.Sprintf("%.0f us", micro(own)), fmt.Sprintf("%.0f us", micro(over))
			if over >= mostOverheadMs*time.Millisecond {
				tooMuch = append(tooMuch, way.name)
			}
		}
		if _, err := b.rate(way.by, loadConnects/4); err != nil { // until there are as many processes as it takes
			return fmt.Errorf("%s: %w\n%s", way.name, err, b.gatehouse.log)
		}
		rate, err := b.rate(way.by, loadConnects)
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", way.name, err, b.gatehouse.log)
		}
		fmt.Fprintf(w, "%-22s %7.0f us %7.0f us %12s %12s %12.0f\n", way.name, micro(way.at(50)), micro(way.at(99)), handler, overhead, rate)
	}
	if len(tooMuch) > 0 {
		fmt.Fprintf(w, "\nNOT below %d ms: %s\n", mostOverheadMs, strings.Join(tooMuch, ", "))
	}
	return b.crowd(w)
}

func micro(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// loadAverage is that of the last minute, for whoever reads the figures.
func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// ownTime asks a function how long its handler took.
func ownTime(ctx context.Context, functions *lambda.Client, name string) (time.Duration, error) {
	out, err := functions.Invoke(ctx, &lambda.InvokeInput{FunctionName: &name, Payload: []byte(`{"own":true}`)})
	if err != nil {
		return 0, err
	}
	var answer struct{ OwnMicroseconds float64 }
	if err := json.Unmarshal(out.Payload, &answer); err != nil {
		return 0, fmt.Errorf("%s answered %s: %w", name, out.Payload, err)
	}
	return time.Duration(answer.OwnMicroseconds * float64(time.Microsecond)), nil
}

// credentialsOf is how a client proves itself.
type credentialsOf struct {
	config         *tls.Config
	port           int
	user, password string
}

func (b *bench) byAuthorizer(name string) credentialsOf {
	return credentialsOf{
		config: &tls.Config{ServerName: b.running.Endpoint, RootCAs: b.roots, NextProtos: []string{"mqtt"}}, port: b.running.Ports.ALPN,
		user: "bench?x-amz-customauthorizer-name=" + name, password: "secret",
	}
}

// dial connects from an address, up to the end of the handshake.
func (by credentialsOf) dial(from string) (*tls.Conn, error) {
	dialer := net.Dialer{Timeout: 30 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	nc, err := dialer.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(by.port)))
	if err != nil {
		return nil, err
	}
	tc := tls.Client(nc, by.config)
	_ = tc.SetDeadline(time.Now().Add(60 * time.Second))
	if err := tc.Handshake(); err != nil {
		nc.Close()
		return nil, err
	}
	return tc, nil
}

// connect dials from an address, sends a CONNECT and answers how long its
// CONNACK took; refused says that it was no success.
func (by credentialsOf) connect(id, from string) (took time.Duration, refused bool, err error) {
	tc, err := by.dial(from)
	if err != nil {
		return 0, false, err
	}
	return by.hello(tc, id)
}

// hello sends a CONNECT and ends the connection after its CONNACK.
func (by credentialsOf) hello(tc *tls.Conn, id string) (took time.Duration, refused bool, err error) {
	defer tc.Close()
	flags := byte(0x02)
	if by.user != "" {
		flags |= 0xc0
	}
	body := appendString([]byte{0, 4, 'M', 'Q', 'T', 'T', 5, flags, 0, 60, 0}, id)
	if by.user != "" {
		body = appendString(appendString(body, by.user), by.password)
	}
	began := time.Now()
	if _, err := tc.Write(packet(0x10, body)); err != nil {
		return 0, false, err
	}
	c := &client{Conn: tc, in: bufio.NewReaderSize(tc, 512), v5: true}
	header, answer, err := c.packet()
	took = time.Since(began)
	if err != nil || header != 0x20 || len(answer) < 2 {
		return 0, false, fmt.Errorf("CONNACK of %s: %#x % x, %w", id, header, answer, err)
	}
	_, _ = tc.Write([]byte{0xe0, 0})
	return took, answer[1] != 0, nil
}

// connects connects one client after the other; round 0 is for warming up.
func (w *way) connects(round int) error {
	n := roundConnects
	if round == 0 {
		n = warmConnects
	}
	for i := range n {
		took, refused, err := w.by.connect(fmt.Sprintf("bench-l%d-%d", round, i), "127.0.0.1")
		if err != nil || refused {
			return fmt.Errorf("connect %d: refused %t, %w", i, refused, err)
		}
		if round > 0 {
			w.took = append(w.took, took)
		}
	}
	return nil
}

// rate connects as fast as some clients can.
func (b *bench) rate(by credentialsOf, connects int) (perSecond float64, err error) {
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	began := time.Now()
	for i := range loadClients {
		wg.Go(func() {
			for n := range connects / loadClients {
				_, refused, err := by.connect(fmt.Sprintf("bench-r%d-%d-%d", connects, i, n), "127.0.0.1")
				if err == nil && refused {
					err = fmt.Errorf("client %d is refused", i)
				}
				if err != nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(connects) / time.Since(began).Seconds(), nil
}

// crowd has all clients come at once to a function that takes 50 ms, with a
// concurrency of 10. A handshake that fails is repeated: nothing was asked yet.
func (b *bench) crowd(w io.Writer) error {
	by := b.byAuthorizer("node")
	var wg sync.WaitGroup
	var accepted, throttled, lost, repeated atomic.Int64
	began := time.Now()
	for i := range crowd {
		wg.Go(func() {
			from := fmt.Sprintf("127.0.1.%d", i%10+1) // one address may not have so many handshakes
			tc, err := by.dial(from)
			for ; err != nil && time.Since(began) < time.Minute; tc, err = by.dial(from) {
				repeated.Add(1)
				time.Sleep(100 * time.Millisecond)
			}
			refused := false
			if err == nil {
				_, refused, err = by.hello(tc, fmt.Sprintf("slow-%d", i))
			}
			switch {
			case err != nil:
				lost.Add(1)
			case refused:
				throttled.Add(1)
			default:
				accepted.Add(1)
			}
		})
	}
	wg.Wait()
	fmt.Fprintf(w, "\n%d connects at once, a handler of 50 ms with a concurrency of 10: %d accepted, %d refused as throttled, %d without an answer, in %.1f s; %d handshakes repeated\n",
		crowd, accepted.Load(), throttled.Load(), lost.Load(), time.Since(began).Seconds(), repeated.Load())
	return nil
}

// addAuthorizers makes a function and an authorizer in each language.
func (b *bench) addAuthorizers(ctx context.Context, functions *lambda.Client) error {
	_, here, _, _ := runtime.Caller(0)
	binary := filepath.Join(b.dir, "bootstrap")
	build := exec.CommandContext(ctx, "go", "build", "-tags", "lambda.norpc", "-o", binary, "./authorizer")
	build.Dir, build.Env = filepath.Dir(here), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the authorizer: %w\n%s", err, out)
	}
	program, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	keys := credentials.NewStaticCredentialsProvider(b.running.AccessKeyID, b.running.SecretAccessKey, "")
	things := iot.New(iot.Options{Region: b.running.Region, BaseEndpoint: &b.running.APIURL, Credentials: keys})
	for name, f := range map[string]struct {
		runtime             types.Runtime
		handler, file, text string
	}{
		"go": {types.RuntimeProvidedal2023, "bootstrap", "bootstrap", string(program)}, "node": {types.RuntimeNodejs22x, "index.handler", "index.mjs", nodeAuthorizer},
	} {
		code, err := zipped(f.file, f.text)
		if err != nil {
			return err
		}
		made, err := functions.CreateFunction(ctx, &lambda.CreateFunctionInput{
			FunctionName: &name, Runtime: f.runtime, Handler: &f.handler, Role: aws.String("arn:aws:iam::" + b.running.AccountID + ":role/any"), Code: &types.FunctionCode{ZipFile: code},
		})
		if err != nil {
			return err
		}
		if _, err := functions.AddPermission(ctx, &lambda.AddPermissionInput{
			FunctionName: &name, StatementId: aws.String("iot"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("iot.amazonaws.com"),
		}); err != nil {
			return err
		}
		if _, err := things.CreateAuthorizer(ctx, &iot.CreateAuthorizerInput{
			AuthorizerName: &name, AuthorizerFunctionArn: made.FunctionArn, SigningDisabled: aws.Bool(true), Status: iottypes.AuthorizerStatusActive,
		}); err != nil {
			return err
		}
	}
	return nil
}

// zipped packs one executable file.
func zipped(name, text string) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	header := &zip.FileHeader{Name: name, Method: zip.Deflate}
	header.SetMode(0o755)
	w, err := z.CreateHeader(header)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(w, text); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
