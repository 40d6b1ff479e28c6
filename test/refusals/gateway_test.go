package refusals

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iot"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// A gateway is one running gatehouse and a client of its AWS API.
type gateway struct {
	*gatehouseproc.Process
	iot  *iot.Client
	keys aws.CredentialsProvider
}

// The gateways of the whole package. Each starts when the first test asks for it.
var (
	likeAWS = lazily("aws", "--limits", "aws")
	// helpful answers where AWS closes in silence, refuses certificates only after
	// the CONNECT, and lifts the rates.
	helpful = lazily("helpful", "--refusals", "explain", "--certificate-rejection", "afterConnect", "--limits", "open")
	// strict takes TLS 1.3 only.
	strict = lazily("strict", "--security-policy", "IoTSecurityPolicy_TLS13_1_3_2022_10")
)

// A mode is a gateway and how the table in the documentation names it.
type mode struct {
	name  string
	start func() *gateway
}

var owner = &packageTB{}

func lazily(name string, flags ...string) mode {
	return mode{name, sync.OnceValue(func() *gateway {
		dir, err := os.MkdirTemp("", "gatehouse-refusals-*")
		if err != nil {
			owner.Fatal(err)
		}
		owner.Cleanup(func() { os.RemoveAll(dir) })
		p := gatehouseproc.StartIn(owner, dir, flags...)
		keys := credentials.NewStaticCredentialsProvider(p.AccessKeyID, p.SecretAccessKey, "")
		return &gateway{p, iot.New(iot.Options{
			Region: p.Region, Credentials: keys, BaseEndpoint: &p.APIURL, RetryMaxAttempts: 1,
		}), keys}
	})}
}

// A packageTB lets the processes outlive the test that started them.
type packageTB struct {
	testing.TB // nil: only the methods below may be called
	mu         sync.Mutex
	cleanups   []func()
	failed     bool
}

func (p *packageTB) Helper()                      {}
func (p *packageTB) Logf(format string, a ...any) { fmt.Fprintf(os.Stderr, format+"\n", a...) }
func (p *packageTB) Fatal(a ...any)               { panic(fmt.Sprint(a...)) }
func (p *packageTB) Fatalf(f string, a ...any)    { panic(fmt.Sprintf(f, a...)) }
func (p *packageTB) Failed() bool                 { return p.failed }
func (p *packageTB) Cleanup(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cleanups = append(p.cleanups, f)
}

func (p *packageTB) close() {
	for _, f := range slices.Backward(p.cleanups) {
		f()
	}
}

func TestMain(m *testing.M) {
	code := m.Run()
	owner.failed = code != 0
	owner.close()
	os.Exit(code)
}

var emptyHash = func() string { sum := sha256.Sum256(nil); return hex.EncodeToString(sum[:]) }()

// get reads a path of the Gatehouse API, signed, into into.
func (g *gateway) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.APIURL+path, nil)
	if err != nil {
		return err
	}
	key, err := g.keys.Retrieve(ctx)
	if err != nil {
		return err
	}
	if err := v4.NewSigner().SignHTTP(ctx, key, req, emptyHash, "gatehouse", g.Region, time.Now()); err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s\n%s", path, resp.Status, body)
	}
	return json.Unmarshal(body, into)
}

// attempts lists the attempts that a filter of docs/attempts.md chooses, the latest first.
func (g *gateway) attempts(ctx context.Context, filter url.Values) ([]attempt.Summary, error) {
	var page attempt.Page
	err := g.get(ctx, attempt.Path+"?"+filter.Encode(), &page)
	return page.Attempts, err
}

// explained reads one attempt with its explanation.
func (g *gateway) explained(ctx context.Context, id string) (attempt.Detail, error) {
	var d attempt.Detail
	err := g.get(ctx, attempt.Path+"/"+url.PathEscape(id), &d)
	return d, err
}
