package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/iot"

	"github.com/gatehouse-iot/gatehouse/internal/server"
)

// serverFlags say which running Gatehouse a command talks to. DESIGN: by
// --data-dir (its gatehouse.json), or by --api-url and the AWS credential variables.
type serverFlags struct {
	DataDir string `help:"Data folder of the running Gatehouse." default:"./gatehouse-data" env:"GATEHOUSE_DATA_DIR"`
	APIURL  string `name:"api-url" help:"API of a Gatehouse elsewhere, with AWS credentials from the environment, in place of --data-dir." placeholder:"URL" env:"GATEHOUSE_API_URL"`
}

// flags are the flags that lead another command, typed in the same shell, to the same server.
func (f *serverFlags) flags() string {
	switch {
	case f.APIURL == "":
		return dataDirFlag(f.DataDir)
	case f.APIURL == os.Getenv("GATEHOUSE_API_URL"):
		return ""
	}
	return " --api-url " + shellQuote(f.APIURL)
}

// gatehouse is a running Gatehouse as a command sees it.
type gatehouse struct {
	apiURL      string
	region      string
	credentials aws.CredentialsProvider
	http        *http.Client

	endpoint string // host name that devices use
	mqttPort int
	caPEM    []byte
}

// connect finds the server. It fails with a hint when none runs.
func (f *serverFlags) connect(ctx context.Context) (*gatehouse, error) {
	if f.APIURL != "" {
		return f.connectByURL(ctx)
	}
	rf, err := server.FindRunning(ctx, f.DataDir)
	if errors.Is(err, server.ErrNotRunning) {
		return nil, withHint(err, "start it with: gatehouse up%s", dataDirFlag(f.DataDir))
	} else if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(rf.CAFile)
	if err != nil {
		return nil, fmt.Errorf("root CA: %w", err)
	}
	gw := &gatehouse{
		apiURL: rf.APIURL, region: rf.Region, endpoint: rf.Endpoint, mqttPort: rf.Ports.MQTT, caPEM: ca,
		credentials: staticKey{rf.AccessKeyID, rf.SecretAccessKey},
	}
	gw.http = httpClient(ca)
	return gw, nil
}

// connectByURL asks the server itself for what the run file would tell.
func (f *serverFlags) connectByURL(ctx context.Context) (*gatehouse, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("AWS configuration: %w", err)
	}
	gw := &gatehouse{apiURL: strings.TrimRight(f.APIURL, "/"), region: cfg.Region, credentials: cfg.Credentials}
	var bundle []byte
	if path := os.Getenv("AWS_CA_BUNDLE"); path != "" {
		if bundle, err = os.ReadFile(path); err != nil {
			return nil, fmt.Errorf("AWS_CA_BUNDLE: %w", err)
		}
	}
	gw.http = httpClient(bundle)
	raw, err := gw.Get(ctx, "/gatehouse/v1/server")
	if err != nil {
		return nil, err
	}
	var about server.About
	if err := json.Unmarshal(raw, &about); err != nil {
		return nil, fmt.Errorf("%s is no Gatehouse: %w", f.APIURL, err)
	}
	gw.region, gw.endpoint, gw.mqttPort, gw.caPEM = about.Region, about.Endpoint, about.Ports.MQTT, []byte(about.CAPEM)
	return gw, nil
}

// rootCA is the root CA that devices must trust, PEM.
func (g *gatehouse) rootCA() ([]byte, error) {
	if len(g.caPEM) == 0 {
		return nil, errors.New("the server did not tell its root CA")
	}
	return g.caPEM, nil
}

// iot is a client of the AWS IoT control plane of this Gatehouse.
func (g *gatehouse) iot() *iot.Client {
	return iot.New(iot.Options{
		Region: g.region, Credentials: g.credentials, BaseEndpoint: &g.apiURL, HTTPClient: g.http,
	})
}

// hashOf is the SHA-256 of a body in hex, which is signed.
func hashOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// maxAnswer bounds what a command reads of one answer.
const maxAnswer = 64 << 20

// apiError is a refusal of the server, in AWS's shape.
type apiError struct {
	Status  int
	Code    string // X-Amzn-ErrorType
	Message string `json:"message"`
}

func (e *apiError) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Message) }

// Get reads pathAndQuery with a SigV4-signed request. An answer other than 200
// is an *apiError.
func (g *gatehouse) Get(ctx context.Context, pathAndQuery string) ([]byte, error) {
	return g.do(ctx, http.MethodGet, pathAndQuery, nil)
}

// do is Get for any method and body.
func (g *gatehouse) do(ctx context.Context, method, pathAndQuery string, content []byte) ([]byte, error) {
	return g.doAs(ctx, "gatehouse", method, pathAndQuery, content, nil)
}

// doAs is do, signed for the AWS service of that signing name, with more headers.
// Any answer of success will do.
func (g *gatehouse) doAs(ctx context.Context, service, method, pathAndQuery string, content []byte, header http.Header) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, g.apiURL+pathAndQuery, bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, header)
	key, err := g.credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("AWS credentials: %w", err)
	}
	if err := v4.NewSigner().SignHTTP(ctx, key, req, hashOf(content), service, g.region, time.Now()); err != nil {
		return nil, err
	}
	resp, err := g.http.Do(req)
	if err != nil {
		return nil, withHint(err, "is it still running? gatehouse.json in the data folder tells its pid")
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		refused := &apiError{Status: resp.StatusCode, Code: resp.Header.Get("X-Amzn-ErrorType")}
		if json.Unmarshal(body, refused) != nil {
			refused.Code, refused.Message = "not a Gatehouse API", resp.Status
		}
		return nil, refused
	}
	return body, nil
}

// httpClient trusts the system's roots and those of ca.
func httpClient(ca []byte) *http.Client {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	roots.AppendCertsFromPEM(ca)
	return &http.Client{
		Timeout:   30 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, Proxy: http.ProxyFromEnvironment},
	}
}

// staticKey is an access key that does not expire.
type staticKey struct{ id, secret string }

// Retrieve implements [aws.CredentialsProvider].
func (k staticKey) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: k.id, SecretAccessKey: k.secret, Source: server.RunFileName}, nil
}
