package gatehouseproc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iot"
)

// Credentials are the keys of p's first user.
func (p *Process) Credentials() aws.Credentials {
	return aws.Credentials{AccessKeyID: p.AccessKeyID, SecretAccessKey: p.SecretAccessKey}
}

// Config is how AWS's SDK speaks to p: as its first user and without retries.
func (p *Process) Config() aws.Config {
	return aws.Config{
		Region: p.Region, BaseEndpoint: &p.APIURL, RetryMaxAttempts: 1,
		Credentials: credentials.StaticCredentialsProvider{Value: p.Credentials()},
	}
}

// IoT speaks the AWS API of p with [Process.Config].
func (p *Process) IoT() *iot.Client { return iot.NewFromConfig(p.Config()) }

// PresignWebSocket is the address of MQTT over WebSocket, signed with key for a minute.
func (p *Process) PresignWebSocket(ctx context.Context, key aws.Credentials) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://localhost:"+strconv.Itoa(p.Ports.ALPN)+"/mqtt?X-Amz-Expires=60", nil)
	if err != nil {
		return "", err
	}
	empty := sha256.Sum256(nil)
	url, _, err := v4.NewSigner().PresignHTTP(ctx, key, req, hex.EncodeToString(empty[:]), "iotdevicegateway", p.Region, time.Now())
	return strings.Replace(url, "https:", "wss:", 1), err
}

// MustPresignWebSocket is [Process.PresignWebSocket] for a test.
func (p *Process) MustPresignWebSocket(t testing.TB, key aws.Credentials) string {
	t.Helper()
	url, err := p.PresignWebSocket(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return url
}
