package gatehouseproc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
)

// anything allows everything, under every client ID.
const anything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}`

// AddPermissiveDevice is [Process.AddDevice] for one that may do everything, with what it needs to
// connect by TLS.
func (p *Process) AddPermissiveDevice(t testing.TB, name string) (Device, *tls.Config) {
	t.Helper()
	d, config, err := p.NewPermissiveDevice(t.Context(), name, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return d, config
}

// NewPermissiveDevice is [Process.AddPermissiveDevice] with its files in a folder that the caller
// chooses.
func (p *Process) NewPermissiveDevice(ctx context.Context, name, dir string) (d Device, config *tls.Config, err error) {
	out, stderr, err := p.Run(ctx, "", "gatehouse", "-o", "json", "device", "add", name, "--out", dir)
	if err != nil {
		return d, nil, fmt.Errorf("gatehouse device add %s: %w\n%s%s", name, err, out, stderr)
	}
	if err := json.Unmarshal([]byte(out), &d); err != nil {
		return d, nil, err
	}
	policy := name + "-anything"
	api := p.IoT()
	if _, err := api.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: &policy, PolicyDocument: aws.String(anything)}); err != nil {
		return d, nil, err
	}
	if _, err := api.AttachPolicy(ctx, &iot.AttachPolicyInput{PolicyName: &policy, Target: &d.CertificateARN}); err != nil {
		return d, nil, err
	}
	config, err = d.tlsConfig(p.Endpoint)
	return d, config, err
}

// TLSConfig is what the device connects with to the endpoint.
func (d Device) TLSConfig(t testing.TB, endpoint string) *tls.Config {
	t.Helper()
	config, err := d.tlsConfig(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func (d Device) tlsConfig(endpoint string) (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(d.CertificateFile, d.PrivateKeyFile)
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(d.CAFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: roots, ServerName: endpoint}, nil
}
