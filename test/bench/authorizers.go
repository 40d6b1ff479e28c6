//go:build linux

package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
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
// stands around a handler.
const nodeAuthorizer = `const answer = { isAuthenticated: true, principalId: "Bench", policyDocuments: [{ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "iot:*", Resource: "*" }] }] };
export const handler = async (event) => {
  if (event.protocolData.mqtt.clientId.startsWith("slow-")) await new Promise((done) => setTimeout(done, 50));
  return answer;
};`

const (
	singleConnects = 500 // one after the other, for the latency
	warmConnects   = 100 // before, until the interpreter has compiled what it runs
	loadClients    = 8   // at once, for the rate: fewer than the function's concurrency of 10
	loadConnects   = 2000
	crowd          = 1000
)

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
	if err := b.addAuthorizers(ctx); err != nil {
		return err
	}
	fmt.Fprintf(w, "%d CPUs, %s; client, server and functions share them. Handlers do nothing but answer.\n", runtime.NumCPU(), runtime.Version())
	fmt.Fprintf(w, "p50 and p99 from CONNECT to CONNACK, one client at a time; connects/s with %d clients, TLS handshake included.\n\n", loadClients)
	fmt.Fprintf(w, "%-28s %10s %10s %14s %12s\n", "", "p50", "p99", "p50 over cert", "connects/s")
	certificate := credentialsOf{config: b.device(&peer{}, b.ecdsa).config, port: b.running.Ports.MQTT}
	base := time.Duration(0)
	for _, who := range []struct {
		name string
		by   credentialsOf
	}{{"client certificate", certificate}, {"authorizer in Go", b.byAuthorizer("go")}, {"authorizer in Node", b.byAuthorizer("node")}} {
		p50, p99, err := b.latency(who.by)
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", who.name, err, b.gatehouse.log)
		}
		rate, err := b.rate(who.by)
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", who.name, err, b.gatehouse.log)
		}
		if base == 0 {
			base = p50
		}
		fmt.Fprintf(w, "%-28s %7.0f us %7.0f us %11.0f us %12.0f\n", who.name, micro(p50), micro(p99), micro(p50-base), rate)
	}
	return b.crowd(w)
}

func micro(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

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

// connect dials from an address, sends a CONNECT and answers how long its
// CONNACK took; refused says that it was no success.
func (by credentialsOf) connect(id, from string) (took time.Duration, refused bool, err error) {
	dialer := net.Dialer{Timeout: 30 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	nc, err := dialer.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(by.port)))
	if err != nil {
		return 0, false, err
	}
	defer nc.Close()
	tc := tls.Client(nc, by.config)
	_ = tc.SetDeadline(time.Now().Add(60 * time.Second))
	if err := tc.Handshake(); err != nil {
		return 0, false, err
	}
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

// latency connects one client after the other.
func (b *bench) latency(by credentialsOf) (p50, p99 time.Duration, err error) {
	var all []time.Duration
	for i := range warmConnects + singleConnects {
		took, refused, err := by.connect(fmt.Sprintf("bench-l%d", i), "127.0.0.1")
		if err != nil || refused {
			return 0, 0, fmt.Errorf("connect %d: refused %t, %w", i, refused, err)
		}
		if i >= warmConnects {
			all = append(all, took)
		}
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)*99/100], nil
}

// rate connects as fast as some clients can.
func (b *bench) rate(by credentialsOf) (perSecond float64, err error) {
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	began := time.Now()
	for i := range loadClients {
		wg.Go(func() {
			for n := range loadConnects / loadClients {
				_, refused, err := by.connect(fmt.Sprintf("bench-r%d-%d", i, n), "127.0.0.1")
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
	return loadConnects / time.Since(began).Seconds(), nil
}

// crowd has all clients come at once to a function that takes 50 ms, with a concurrency of 10.
func (b *bench) crowd(w io.Writer) error {
	by := b.byAuthorizer("node")
	var wg sync.WaitGroup
	var accepted, throttled, lost atomic.Int64
	began := time.Now()
	for i := range crowd {
		wg.Go(func() { // from several addresses: one may not have so many handshakes
			_, refused, err := by.connect(fmt.Sprintf("slow-%d", i), fmt.Sprintf("127.0.1.%d", i%10+1))
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
	fmt.Fprintf(w, "\n%d connects at once, a handler of 50 ms with a concurrency of 10: %d accepted, %d refused as throttled, %d without an answer, in %.1f s\n",
		crowd, accepted.Load(), throttled.Load(), lost.Load(), time.Since(began).Seconds())
	return nil
}

// addAuthorizers makes a function and an authorizer in each language.
func (b *bench) addAuthorizers(ctx context.Context) error {
	_, here, _, _ := runtime.Caller(0)
	binary := filepath.Join(b.dir, "bootstrap")
	build := exec.CommandContext(ctx, "go", "build", "-tags", "lambda.norpc", "-o", binary, "./authorizers/go")
	build.Dir, build.Env = filepath.Join(filepath.Dir(here), "..", "e2e"), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the authorizer: %w\n%s", err, out)
	}
	program, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	keys := credentials.NewStaticCredentialsProvider(b.running.AccessKeyID, b.running.SecretAccessKey, "")
	functions := lambda.New(lambda.Options{Region: b.running.Region, BaseEndpoint: &b.running.APIURL, Credentials: keys})
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
