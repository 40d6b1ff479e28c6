// Package gatehousetest runs a whole Gatehouse inside a Go test: in process, in a
// temporary folder, on loopback ports that the kernel chooses, gone with the test.
//
//	func TestMyDevice(t *testing.T) {
//		gw := gatehousetest.Start(t)
//		device := gw.AddDevice(t, "sensor-1")
//		conn, err := tls.Dial("tcp", gw.MQTTAddr, device.TLSConfig)
//		…
//	}
package gatehousetest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iot"

	"github.com/gatehouse-iot/gatehouse/internal/server"
)

// A Gatehouse is a running server and where to find it. Its zero value is none.
type Gatehouse struct {
	Endpoint  string         // host name that devices send as SNI: "localhost"
	MQTTAddr  string         // host:port, MQTT with client certificate
	HTTPSAddr string         // host:port, HTTPS with client certificate
	ALPNAddr  string         // host:port, what AWS serves on 443
	APIURL    string         // the AWS APIs, plain HTTP on loopback
	Roots     *x509.CertPool // what devices must trust
	CAFile    string         // the same as a PEM file
	Region    string
	AccountID string

	credentials aws.CredentialsProvider
}

// An Option changes how a Gatehouse runs.
type Option func(*server.Config)

// WithOpenLimits lifts AWS's rates and counts (one CONNECT a second for a client
// ID, 100 publishes a second for a connection, …); sizes and shapes stay.
func WithOpenLimits() Option { return func(c *server.Config) { c.Limits = "open" } }

// WithExplainedRefusals answers refused MQTT 3.1.1 packets with CONNACK and SUBACK
// codes, where AWS closes the connection in silence.
func WithExplainedRefusals() Option { return func(c *server.Config) { c.Refusals = "explain" } }

// Start runs a Gatehouse until the test ends. A failure ends the test.
func Start(t testing.TB, options ...Option) *Gatehouse {
	t.Helper()
	cfg := server.DefaultConfig()
	cfg.DataDir = t.TempDir()
	cfg.MQTTPort, cfg.HTTPSPort, cfg.ALPNPort, cfg.APIPort = 0, 0, 0, 0
	for _, o := range options {
		o(&cfg)
	}
	s, err := server.Start(context.Background(), cfg)
	if err != nil {
		t.Fatalf("gatehousetest: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("gatehousetest: stop: %v", err)
		}
	})
	info := s.Info()
	pem, err := os.ReadFile(info.CAFile)
	if err != nil {
		t.Fatalf("gatehousetest: %v", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	addr := func(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
	return &Gatehouse{
		Endpoint: info.Endpoint, MQTTAddr: addr(info.Ports.MQTT), HTTPSAddr: addr(info.Ports.HTTPS), ALPNAddr: addr(info.Ports.ALPN),
		APIURL: info.APIURL, Roots: roots, CAFile: info.CAFile, Region: info.Region, AccountID: info.AccountID,
		credentials: credentials.NewStaticCredentialsProvider(info.AccessKeyID, info.SecretAccessKey, ""),
	}
}

// AWSConfig is the configuration for any client of the AWS SDK for Go: it finds
// this Gatehouse and may do everything.
func (g *Gatehouse) AWSConfig() aws.Config {
	return aws.Config{Region: g.Region, BaseEndpoint: &g.APIURL, Credentials: g.credentials}
}

// A Device is a thing with an active certificate and a policy.
type Device struct {
	Name          string // thing name and client ID
	CertificateID string
	CertificatePEM,
	PrivateKeyPEM string
	PolicyName string
	TLSConfig  *tls.Config // its certificate, the server's root and name
}

// AddDevice makes a device that may connect as name, and publish to, subscribe to
// and receive every topic. For a narrower policy, use [Gatehouse.AddDeviceWithPolicy].
func (g *Gatehouse) AddDevice(t testing.TB, name string) *Device {
	t.Helper()
	arn := fmt.Sprintf("arn:aws:iot:%s:%s:", g.Region, g.AccountID)
	return g.AddDeviceWithPolicy(t, name, fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iot:Connect","Resource":"%[1]sclient/%[2]s"},
		{"Effect":"Allow","Action":["iot:Publish","iot:RetainPublish","iot:Receive"],"Resource":"%[1]stopic/*"},
		{"Effect":"Allow","Action":"iot:Subscribe","Resource":"%[1]stopicfilter/*"}]}`, arn, name))
}

// AddDeviceWithPolicy makes a device whose policy, named NAME-policy, has this document.
func (g *Gatehouse) AddDeviceWithPolicy(t testing.TB, name, document string) *Device {
	t.Helper()
	ctx, api := t.Context(), iot.NewFromConfig(g.AWSConfig())
	must := func(step string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("gatehousetest: add device %s: %s: %v", name, step, err)
		}
	}
	d := &Device{Name: name, PolicyName: name + "-policy"}
	_, err := api.CreateThing(ctx, &iot.CreateThingInput{ThingName: &name})
	must("create thing", err)
	_, err = api.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: &d.PolicyName, PolicyDocument: &document})
	must("create policy", err)
	cert, err := api.CreateKeysAndCertificate(ctx, &iot.CreateKeysAndCertificateInput{SetAsActive: true})
	must("create certificate", err)
	_, err = api.AttachPolicy(ctx, &iot.AttachPolicyInput{PolicyName: &d.PolicyName, Target: cert.CertificateArn})
	must("attach policy", err)
	_, err = api.AttachThingPrincipal(ctx, &iot.AttachThingPrincipalInput{ThingName: &name, Principal: cert.CertificateArn})
	must("attach certificate to thing", err)
	d.CertificateID, d.CertificatePEM, d.PrivateKeyPEM = *cert.CertificateId, *cert.CertificatePem, *cert.KeyPair.PrivateKey
	pair, err := tls.X509KeyPair([]byte(d.CertificatePEM), []byte(d.PrivateKeyPEM))
	must("read certificate", err)
	d.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: g.Roots, ServerName: g.Endpoint}
	return d
}
