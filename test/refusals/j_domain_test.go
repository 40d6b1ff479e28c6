package refusals

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/gatehouse-iot/gatehouse/test/rawmqtt"
)

// domain makes a domain configuration for a host name of the device.
func (d *device) domain(change func(*iot.CreateDomainConfigurationInput)) {
	d.t.Helper()
	host := d.name + ".example.com"
	d.vars["host"], d.vars["domain"] = host, d.name
	key := otherKey
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	d.must(err)
	dir := d.t.TempDir()
	keyDER, err := x509.MarshalECPrivateKey(key)
	d.must(err)
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		d.must(os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
	}
	out, stderr, err := d.gw.Run(d.ctx(), dir, "gatehouse", "domain", "import-certificate", "--cert", "cert.pem", "--key", "key.pem")
	if err != nil {
		d.t.Fatalf("import-certificate: %v\n%s%s", err, out, stderr)
	}
	in := &iot.CreateDomainConfigurationInput{
		DomainConfigurationName: &d.name, DomainName: &host, ServerCertificateArns: []string{string(bytes.TrimSpace([]byte(out)))},
		AuthenticationType: types.AuthenticationTypeCustomAuth, ApplicationProtocol: types.ApplicationProtocolSecureMqtt,
		AuthorizerConfig: &types.AuthorizerConfig{DefaultAuthorizerName: &d.name, AllowAuthorizerOverride: aws.Bool(false)},
	}
	if change != nil {
		change(in)
	}
	_, err = d.gw.iot.CreateDomainConfiguration(d.ctx(), in)
	d.must(err)
	d.t.Cleanup(func() {
		ctx := context.Background()
		_, err := d.gw.iot.UpdateDomainConfiguration(ctx, &iot.UpdateDomainConfigurationInput{DomainConfigurationName: &d.name, DomainConfigurationStatus: types.DomainConfigurationStatusDisabled})
		d.must(err)
		_, err = d.gw.iot.DeleteDomainConfiguration(ctx, &iot.DeleteDomainConfigurationInput{DomainConfigurationName: &d.name})
		d.must(err)
	})
}

// toDomain connects to the device's domain, without ALPN.
func toDomain(user string) func(*device) rawmqtt.End {
	return func(d *device) rawmqtt.End { return d.connectTo(d.vars["host"], nil, user, "ok") }
}
