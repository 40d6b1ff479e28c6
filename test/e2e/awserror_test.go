package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// wantAWSError checks the exception that an AWS client saw: its code, the HTTP
// status of the model, and what the message says.
func wantAWSError(t *testing.T, err error, code string, status int, texts ...string) {
	t.Helper()
	var api smithy.APIError
	var response *awshttp.ResponseError
	if !errors.As(err, &api) || !errors.As(err, &response) {
		t.Errorf("got %v, want %s %d", err, code, status)
		return
	}
	if api.ErrorCode() != code || response.HTTPStatusCode() != status {
		t.Errorf("got %s %d %q, want %s %d", api.ErrorCode(), response.HTTPStatusCode(), api.ErrorMessage(), code, status)
	}
	for _, text := range texts {
		if !strings.Contains(api.ErrorMessage(), text) {
			t.Errorf("%s says %q, want %q in it", code, api.ErrorMessage(), text)
		}
	}
	if response.ServiceRequestID() == "" {
		t.Errorf("%s has no request ID", code)
	}
}

// ok2 is the answer of a call that has to succeed.
func ok2[T any](out T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// fail keeps only the error of a call.
func fail[T any](_ T, err error) error { return err }

// A pager is a paginator of the SDK.
type pager[T any, O any] interface {
	HasMorePages() bool
	NextPage(ctx context.Context, options ...func(*O)) (T, error)
}

// pages reads every page, each of which has to hold one item, and answers the items.
func pages[T, O, I any](t *testing.T, p pager[T, O], items func(T) []I) []I {
	t.Helper()
	var all []I
	for p.HasMorePages() {
		page := ok2(p.NextPage(t.Context()))(t)
		if n := len(items(page)); n != 1 {
			t.Fatalf("a page of %d items, want 1: %+v", n, page)
		}
		all = append(all, items(page)...)
	}
	return all
}

// A brought CA is one that a user brings.
type broughtCA struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func bringCA(t *testing.T, name string) *broughtCA {
	t.Helper()
	ca := &broughtCA{t: t, key: ok2(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)}
	return ca.again(name)
}

// again makes another CA certificate with the same key.
func (ca *broughtCA) again(name string) *broughtCA {
	ca.t.Helper()
	return &broughtCA{t: ca.t, key: ca.key, cert: ca.make(name, true, nil)}
}

func (ca *broughtCA) make(name string, isCA bool, parent *x509.Certificate) *x509.Certificate {
	ca.t.Helper()
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes([]byte(rand.Text())), Subject: pkix.Name{CommonName: name},
		IsCA: isCA, BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if parent == nil {
		parent = template
	}
	return ok2(x509.ParseCertificate(ok2(x509.CreateCertificate(rand.Reader, template, parent, ca.key.Public(), ca.key))(ca.t)))(ca.t)
}

// pem is the CA's certificate.
func (ca *broughtCA) pem() *string { return pemOf(ca.cert) }

// sign makes a device certificate.
func (ca *broughtCA) sign(name string) *string { return pemOf(ca.make(name, false, ca.cert)) }

func pemOf(cert *x509.Certificate) *string {
	return new(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})))
}

// cliTime reads a time that the AWS CLI printed: version 1 prints the number of
// the wire, version 2 the form of ISO 8601.
func cliTime(t *testing.T, v any) time.Time {
	t.Helper()
	switch v := v.(type) {
	case float64:
		return time.UnixMilli(int64(v * 1000))
	case string:
		return ok2(time.Parse(time.RFC3339Nano, v))(t)
	}
	t.Errorf("%v (%T) is no time", v, v)
	return time.Time{}
}
