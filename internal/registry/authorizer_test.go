package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"
)

const testFunction = "arn:aws:lambda:us-east-1:123456789012:function:f"

func rsaPublicPEM(t *testing.T, bits int) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// TestCreateAuthorizer: custom-auth sheet 2.
func TestCreateAuthorizer(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0") // to make a key that is too short
	r := openNew(t)
	good := map[string]string{"k": rsaPublicPEM(t, 2048)}
	for name, tt := range map[string]struct {
		a    Authorizer
		want Kind
		says string
	}{
		"signed":         {Authorizer{FunctionARN: testFunction + ":live", TokenKeyName: "T", SigningKeys: good}, "", ""},
		"unsigned":       {Authorizer{FunctionARN: testFunction, SigningDisabled: true}, "", ""},
		"no key name":    {Authorizer{FunctionARN: testFunction, SigningKeys: good}, InvalidRequest, "tokenKeyName"},
		"no keys":        {Authorizer{FunctionARN: testFunction, TokenKeyName: "T"}, InvalidRequest, "tokenSigningPublicKeys"},
		"short key":      {Authorizer{FunctionARN: testFunction, TokenKeyName: "T", SigningKeys: map[string]string{"k": rsaPublicPEM(t, 1024)}}, InvalidRequest, "1024 bits"},
		"no PEM":         {Authorizer{FunctionARN: testFunction, TokenKeyName: "T", SigningKeys: map[string]string{"k": "x"}}, InvalidRequest, "no PEM block"},
		"no function":    {Authorizer{FunctionARN: "arn:aws:sns:us-east-1:123456789012:t", SigningDisabled: true}, InvalidRequest, "not the ARN of a function"},
		"another Region": {Authorizer{FunctionARN: strings.Replace(testFunction, "us-east-1", "eu-west-1", 1), SigningDisabled: true}, InvalidRequest, "Region"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.a.Name = strings.ReplaceAll(name, " ", "-")
			got, err := r.CreateAuthorizer(t.Context(), tt.a, nil)
			if tt.want == "" {
				if err != nil || got.Status != AuthorizerActive || got.ARN != "arn:aws:iot:us-east-1:123456789012:authorizer/"+tt.a.Name {
					t.Errorf("%+v, %v", got, err)
				}
				return
			}
			if !IsKind(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want %s with %q", err, tt.want, tt.says)
			}
		})
	}
}

// TestAuthorizerLimits: 32 active ones, 100 in all.
func TestAuthorizerLimits(t *testing.T) {
	r := openNew(t)
	for i := range 100 {
		a := Authorizer{Name: fmt.Sprintf("a%d", i), FunctionARN: testFunction, SigningDisabled: true, Status: AuthorizerInactive}
		if i < 32 {
			a.Status = AuthorizerActive
		}
		if _, err := r.CreateAuthorizer(t.Context(), a, nil); err != nil {
			t.Fatal(err)
		}
		if i == 32 {
			a.Name, a.Status = "b", AuthorizerActive
			if _, err := r.CreateAuthorizer(t.Context(), a, nil); !IsKind(err, LimitExceeded) {
				t.Errorf("33 active authorizers: %v", err)
			}
		}
	}
	if _, err := r.CreateAuthorizer(t.Context(), Authorizer{Name: "c", FunctionARN: testFunction, SigningDisabled: true, Status: AuthorizerInactive}, nil); !IsKind(err, LimitExceeded) {
		t.Errorf("101 authorizers: %v", err)
	}
	if _, err := r.UpdateAuthorizer(t.Context(), "a50", AuthorizerUpdate{Status: new(AuthorizerActive)}); !IsKind(err, LimitExceeded) {
		t.Errorf("33 active authorizers by an update: %v", err)
	}
	names := all(t, 7, false, func(p Page) (Listing[string], error) { return r.ListAuthorizers(t.Context(), AuthorizerActive, p) })
	if len(names) != 32 || names[0] != "a0" {
		t.Errorf("active: %v", names)
	}
	down := all(t, 9, true, func(p Page) (Listing[string], error) { return r.ListAuthorizers(t.Context(), "", p) })
	if len(down) != 100 || down[0] != "a99" {
		t.Errorf("all, newest first: %v", down)
	}
}

func TestDefaultAuthorizerAndDeletion(t *testing.T) {
	r := openNew(t)
	make := func(name string) {
		if _, err := r.CreateAuthorizer(t.Context(), Authorizer{Name: name, FunctionARN: testFunction, SigningDisabled: true}, []Tag{{"k", "v"}}); err != nil {
			t.Fatal(err)
		}
	}
	make("a")
	make("b")
	if _, err := r.SetDefaultAuthorizer(t.Context(), "nobody"); !IsKind(err, ResourceNotFound) {
		t.Error(err)
	}
	if _, err := r.DefaultAuthorizer(t.Context()); !IsKind(err, ResourceNotFound) {
		t.Error(err)
	}
	if _, err := r.SetDefaultAuthorizer(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	if _, err := r.SetDefaultAuthorizer(t.Context(), "b"); !IsKind(err, ResourceAlreadyExists) {
		t.Error(err)
	}
	if err := r.DeleteAuthorizer(t.Context(), "a"); !IsKind(err, DeleteConflict) {
		t.Errorf("an active one is deleted: %v", err)
	}
	if _, err := r.UpdateAuthorizer(t.Context(), "a", AuthorizerUpdate{Status: new(AuthorizerInactive)}); err != nil {
		t.Error(err)
	}
	if err := r.DeleteAuthorizer(t.Context(), "a"); !IsKind(err, DeleteConflict) {
		t.Errorf("the default one is deleted: %v", err)
	}
	if err := r.ClearDefaultAuthorizer(t.Context()); err != nil {
		t.Error(err)
	}
	if err := r.ClearDefaultAuthorizer(t.Context()); !IsKind(err, ResourceNotFound) {
		t.Error(err)
	}
	if err := r.DeleteAuthorizer(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	if _, err := r.ListTags(t.Context(), r.ARN("authorizer", "b"), Page{}); err != nil {
		t.Error(err)
	}
}

// served makes a server certificate for names.
func served(t *testing.T, change func(*x509.Certificate), names ...string) ServerCertificatePEM {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return ServerCertificatePEM{
		Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		PrivateKey:  string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})),
	}
}

// TestImportServerCertificate: connect sheet 1.2.
func TestImportServerCertificate(t *testing.T) {
	r := openNew(t)
	other := served(t, nil, "b.example.com")
	for name, tt := range map[string]struct {
		in   ServerCertificatePEM
		says string // "" is taken
	}{
		"four names": {served(t, nil, "a.example.com", "b.example.com", "c.example.com", "d.example.com"), ""},
		"five names": {served(t, nil, "a.example.com", "b.example.com", "c.example.com", "d.example.com", "e.example.com"), "5 names"},
		"expired":    {served(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, "a.example.com"), "expired"},
		"usage":      {served(t, func(c *x509.Certificate) { c.ExtKeyUsage = nil }, "a.example.com"), "serverAuth"},
		"key":        {ServerCertificatePEM{Certificate: served(t, nil, "a.example.com").Certificate, PrivateKey: other.PrivateKey}, "does not belong"},
		"chain":      {ServerCertificatePEM{Certificate: other.Certificate, PrivateKey: other.PrivateKey, Chain: served(t, nil, "c.example.com").Certificate}, "did not issue"},
		"no PEM":     {ServerCertificatePEM{Certificate: "x", PrivateKey: "y"}, "not in PEM form"},
		"empty":      {ServerCertificatePEM{}, "empty"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := r.ImportServerCertificate(t.Context(), "", tt.in)
			if tt.says == "" {
				if err != nil || !strings.HasPrefix(c.ARN, "arn:aws:acm:us-east-1:123456789012:certificate/") {
					t.Errorf("%+v %v", c, err)
				}
				return
			}
			if !IsKind(err, CertificateValidation) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want one with %q", err, tt.says)
			}
		})
	}
}

// TestDomainConfigurations: connect sheet 1.2, 1.3.
func TestDomainConfigurations(t *testing.T) {
	r := openNew(t)
	ctx := t.Context()
	cert, err := r.ImportServerCertificate(ctx, "", served(t, nil, "iot.example.com", "*.fleet.example.com"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.CreateAuthorizer(ctx, Authorizer{Name: "a", FunctionARN: testFunction, SigningDisabled: true}, nil); err != nil {
		t.Fatal(err)
	}
	d := DomainConfiguration{Name: "d", DomainName: "IoT.example.com", ServerCertificateARN: cert.ARN, Authorizer: AuthorizerConfig{"a", true}}
	made, err := r.CreateDomainConfiguration(ctx, d, []Tag{{"k", "v"}})
	if err != nil || made.DomainName != "iot.example.com" || made.Type != DomainTypeCustomerManaged || made.Status != DomainEnabled {
		t.Fatalf("%+v %v", made, err)
	}
	if tags, err := r.ListTags(ctx, made.ARN, Page{}); err != nil || len(tags.Items) != 1 {
		t.Errorf("tags %v %v", tags, err)
	}
	for name, tt := range map[string]struct {
		change func(*DomainConfiguration)
		want   Kind
	}{
		"same name":  {func(*DomainConfiguration) {}, ResourceAlreadyExists},
		"same host":  {func(d *DomainConfiguration) { d.Name = "e" }, ResourceAlreadyExists},
		"reserved":   {func(d *DomainConfiguration) { d.Name = "IoT:x" }, InvalidRequest},
		"no host":    {func(d *DomainConfiguration) { d.Name, d.DomainName = "e", "" }, InvalidRequest},
		"no FQDN":    {func(d *DomainConfiguration) { d.Name, d.DomainName = "e", "localhost" }, InvalidRequest},
		"not served": {func(d *DomainConfiguration) { d.Name, d.DomainName = "e", "x.example.com" }, CertificateValidation},
		"no certificate": {func(d *DomainConfiguration) {
			d.Name, d.DomainName, d.ServerCertificateARN = "e", "x.fleet.example.com", ""
		}, InvalidRequest},
		"bad pair": {func(d *DomainConfiguration) {
			d.Name, d.DomainName, d.AuthenticationType = "e", "x.fleet.example.com", "AWS_X509"
		}, InvalidRequest},
		"no authorizer": {func(d *DomainConfiguration) {
			d.Name, d.DomainName, d.Authorizer.DefaultName = "e", "x.fleet.example.com", "x"
		}, InvalidRequest},
		"wildcard is fine": {func(d *DomainConfiguration) { d.Name, d.DomainName = "f", "x.fleet.example.com" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			next := d
			tt.change(&next)
			_, err := r.CreateDomainConfiguration(ctx, next, nil)
			if tt.want == "" && err != nil || tt.want != "" && !IsKind(err, tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
	if err := r.DeleteDomainConfiguration(ctx, "d"); !IsKind(err, InvalidRequest) {
		t.Errorf("an enabled one is deleted: %v", err)
	}
	if _, err := r.UpdateDomainConfiguration(ctx, "iot:Data-ATS", DomainUpdate{}); !IsKind(err, InvalidRequest) {
		t.Errorf("the account's own endpoint is changed: %v", err)
	}
	off, err := r.UpdateDomainConfiguration(ctx, "d", DomainUpdate{Status: new(DomainDisabled), RemoveAuthorizer: true})
	if err != nil || off.Status != DomainDisabled || off.Authorizer.DefaultName != "" || !off.StatusChangedAt.After(made.StatusChangedAt) {
		t.Errorf("%+v %v", off, err)
	}
	names := all(t, 2, false, func(p Page) (Listing[DomainConfiguration], error) { return r.ListDomainConfigurations(ctx, "", p) })
	if len(names) != 6 || names[0].Name != "iot:Data-ATS" || names[4].Name != "d" {
		t.Errorf("list %+v", names)
	}
	if err := r.DeleteDomainConfiguration(ctx, "d"); err != nil {
		t.Error(err)
	}
	renewed, err := r.ImportServerCertificate(ctx, cert.ARN, served(t, nil, "iot.example.com", "*.fleet.example.com"))
	if err != nil || renewed.ARN != cert.ARN {
		t.Errorf("renewal: %+v %v", renewed, err)
	}
	if _, err := r.ImportServerCertificate(ctx, cert.ARN, served(t, nil, "iot.example.com")); !IsKind(err, CertificateValidation) {
		t.Errorf("a renewal for other names: %v", err)
	}
}
