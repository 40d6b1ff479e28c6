package gatehouseproc

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iot"
)

// anything allows everything, under every client ID.
const anything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}`

// IoT speaks the AWS API of p, as its first user and without retries.
func (p *Process) IoT() *iot.Client {
	return iot.New(iot.Options{
		Region: p.Region, BaseEndpoint: &p.APIURL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(p.AccessKeyID, p.SecretAccessKey, ""),
	})
}

// AddPermissiveDevice is [Process.AddDevice] for one that may do everything, with what it needs to
// connect by TLS.
func (p *Process) AddPermissiveDevice(t testing.TB, name string) (Device, *tls.Config) {
	t.Helper()
	d := p.AddDevice(t, name)
	policy := name + "-anything"
	api := p.IoT()
	if _, err := api.CreatePolicy(t.Context(), &iot.CreatePolicyInput{PolicyName: &policy, PolicyDocument: aws.String(anything)}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.AttachPolicy(t.Context(), &iot.AttachPolicyInput{PolicyName: &policy, Target: &d.CertificateARN}); err != nil {
		t.Fatal(err)
	}
	return d, d.TLSConfig(t, p.Endpoint)
}

// TLSConfig is what the device connects with to the endpoint.
func (d Device) TLSConfig(t testing.TB, endpoint string) *tls.Config {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(d.CertificateFile, d.PrivateKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(d.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: roots, ServerName: endpoint}
}
