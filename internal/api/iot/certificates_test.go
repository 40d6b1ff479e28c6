package iot

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/pki"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

const allowAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}`

// newHandlers opens handlers on a new registry with a real CA.
func newHandlers(t *testing.T) Handlers {
	t.Helper()
	dir := t.TempDir()
	ca, err := pki.Open(pki.Config{Dir: dir, Hosts: []string{"localhost"}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := registry.Open(t.Context(), registry.Config{DataDir: dir, AccountID: "123456789012", Region: "us-east-1", Endpoint: "localhost", Issuer: ca})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return Handlers{Registry: r}
}

// must stops the test on an error, or returns the answer.
func must[T any](out T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// wantException checks that the wire would show that exception, with that status.
func wantException(t *testing.T, err error, code string, status int) {
	t.Helper()
	e := MapError(err)
	if e == nil || e.Code != code || e.Status != status {
		t.Errorf("got %v, want %s %d", err, code, status)
	}
}

// factory is a CA that a user brings.
type factory struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newFactory(t *testing.T) factory {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Factory"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))(t)
	return factory{must(x509.ParseCertificate(der))(t), key}
}

func (f factory) sign(t *testing.T, name string) string {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	return pemOf(must(x509.CreateCertificate(rand.Reader, template, f.cert, key.Public(), f.key))(t))
}

func pemOf(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestCertificateLifeCycle(t *testing.T) {
	h := newHandlers(t)
	ctx := t.Context()
	made := must(h.CreateKeysAndCertificate(ctx, &CreateKeysAndCertificateRequest{SetAsActive: new(true)}))(t)
	if !strings.HasPrefix(*made.KeyPair.PrivateKey, "-----BEGIN RSA PRIVATE KEY-----") || !strings.HasPrefix(*made.KeyPair.PublicKey, "-----BEGIN PUBLIC KEY-----") {
		t.Errorf("key pair %.40q, %.40q", *made.KeyPair.PrivateKey, *made.KeyPair.PublicKey)
	}
	d := must(h.DescribeCertificate(ctx, &DescribeCertificateRequest{CertificateId: *made.CertificateId}))(t).CertificateDescription
	if *d.CertificateArn != *made.CertificateArn || *d.CertificatePem != *made.CertificatePem || *d.Status != CertificateStatusActive ||
		*d.CertificateMode != CertificateModeDefault || *d.OwnedBy != "123456789012" || d.CaCertificateId != nil || d.PreviousOwnedBy != nil ||
		d.Validity.NotAfter.Unix() != 2524607999 || *d.CustomerVersion != 1 || *d.GenerationId == "" {
		t.Errorf("described %+v", d)
	}
	id := *made.CertificateId
	_, err := h.DeleteCertificate(ctx, &DeleteCertificateRequest{CertificateId: id})
	wantException(t, err, "CertificateStateException", 406)
	_, err = h.UpdateCertificate(ctx, &UpdateCertificateRequest{CertificateId: id, NewStatus: CertificateStatusPendingTransfer})
	wantException(t, err, "InvalidRequestException", 400)
	must(h.UpdateCertificate(ctx, &UpdateCertificateRequest{CertificateId: id, NewStatus: CertificateStatusInactive}))(t)
	must(h.CreatePolicy(ctx, &CreatePolicyRequest{PolicyName: "p", PolicyDocument: allowAll}))(t)
	must(h.AttachPolicy(ctx, &AttachPolicyRequest{PolicyName: "p", Target: *made.CertificateArn}))(t)
	_, err = h.DeleteCertificate(ctx, &DeleteCertificateRequest{CertificateId: id})
	wantException(t, err, "DeleteConflictException", 409)
	must(h.DeleteCertificate(ctx, &DeleteCertificateRequest{CertificateId: id, ForceDelete: new(true)}))(t)
	_, err = h.DescribeCertificate(ctx, &DescribeCertificateRequest{CertificateId: id})
	wantException(t, err, "ResourceNotFoundException", 404)
}

func TestCreateCertificateFromCsr(t *testing.T) {
	h := newHandlers(t)
	key := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))(t)
	der := must(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key))(t)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	first := must(h.CreateCertificateFromCsr(t.Context(), &CreateCertificateFromCsrRequest{CertificateSigningRequest: text}))(t)
	second := must(h.CreateCertificateFromCsr(t.Context(), &CreateCertificateFromCsrRequest{CertificateSigningRequest: text}))(t)
	if *first.CertificateId == *second.CertificateId {
		t.Error("a request used twice gives two certificates")
	}
	der[len(der)-1] ^= 1
	text = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	_, err := h.CreateCertificateFromCsr(t.Context(), &CreateCertificateFromCsrRequest{CertificateSigningRequest: text})
	wantException(t, err, "InvalidRequestException", 400)
}

func TestCACertificates(t *testing.T) {
	h := newHandlers(t)
	ctx := t.Context()
	f := newFactory(t)
	code := *must(h.GetRegistrationCode(ctx, nil))(t).RegistrationCode
	_, err := h.RegisterCACertificate(ctx, &RegisterCACertificateRequest{CaCertificate: pemOf(f.cert.Raw), VerificationCertificate: new(f.sign(t, "wrong"))})
	wantException(t, err, "RegistrationCodeValidationException", 400)
	registered := must(h.RegisterCACertificate(ctx, &RegisterCACertificateRequest{
		CaCertificate: pemOf(f.cert.Raw), VerificationCertificate: new(f.sign(t, code)), AllowAutoRegistration: new(true),
		RegistrationConfig: &RegistrationConfig{TemplateBody: new("{}"), RoleArn: new("arn:aws:iam::123456789012:role/r")},
		Tags:               []Tag{{Key: "k", Value: new("v")}},
	}))(t)
	id := *registered.CertificateId
	out := must(h.DescribeCACertificate(ctx, &DescribeCACertificateRequest{CertificateId: id}))(t)
	d := out.CertificateDescription
	if *d.Status != CACertificateStatusInactive || *d.AutoRegistrationStatus != AutoRegistrationStatusEnable || *d.CertificateMode != CertificateModeDefault ||
		*d.CertificatePem != pemOf(f.cert.Raw) || *d.OwnedBy != "123456789012" || *out.RegistrationConfig.TemplateBody != "{}" || out.RegistrationConfig.TemplateName != nil {
		t.Errorf("described %+v %+v", d, out.RegistrationConfig)
	}
	device := f.sign(t, "device")
	_, err = h.RegisterCertificate(ctx, &RegisterCertificateRequest{CertificatePem: device})
	wantException(t, err, "CertificateStateException", 406)
	must(h.UpdateCACertificate(ctx, &UpdateCACertificateRequest{CertificateId: id, NewStatus: new(CACertificateStatusActive), RemoveAutoRegistration: new(true)}))(t)
	must(h.RegisterCertificate(ctx, &RegisterCertificateRequest{CertificatePem: device, SetAsActive: new(true)}))(t)
	out = must(h.DescribeCACertificate(ctx, &DescribeCACertificateRequest{CertificateId: id}))(t)
	if *out.CertificateDescription.AutoRegistrationStatus != AutoRegistrationStatusDisable || out.RegistrationConfig != nil {
		t.Errorf("after removing auto-registration %+v", out)
	}
	byCA := must(h.ListCertificatesByCA(ctx, &ListCertificatesByCARequest{CaCertificateId: id}))(t)
	if len(byCA.Certificates) != 1 || *byCA.Certificates[0].Status != CertificateStatusActive || byCA.NextMarker != nil {
		t.Errorf("certificates of the CA: %+v", byCA)
	}
	if l := must(h.ListCACertificates(ctx, &ListCACertificatesRequest{}))(t); len(l.Certificates) != 1 || *l.Certificates[0].CertificateId != id {
		t.Errorf("CAs: %+v", l)
	}
	_, err = h.DeleteCACertificate(ctx, &DeleteCACertificateRequest{CertificateId: id})
	wantException(t, err, "CertificateStateException", 406)
	must(h.DeleteRegistrationCode(ctx, nil))(t)
	_, err = h.DeleteRegistrationCode(ctx, nil)
	wantException(t, err, "ResourceNotFoundException", 404)
}

func TestListCertificatesPages(t *testing.T) {
	h := newHandlers(t)
	ctx := t.Context()
	f := newFactory(t)
	var ids []string
	for range 5 {
		c := must(h.RegisterCertificateWithoutCA(ctx, &RegisterCertificateWithoutCARequest{CertificatePem: f.sign(t, "d")}))(t)
		ids = append(ids, *c.CertificateId)
	}
	in := &ListCertificatesRequest{AscendingOrder: new(true), PageSize: new(int32(2))}
	var listed []string
	for {
		out := must(h.ListCertificates(ctx, in))(t)
		for _, c := range out.Certificates {
			listed = append(listed, *c.CertificateId)
		}
		if out.NextMarker == nil {
			break
		}
		if strings.Contains(*out.NextMarker, listed[len(listed)-1][:8]) {
			t.Error("the marker is not opaque")
		}
		in.Marker = out.NextMarker
	}
	if diff := cmp.Diff(ids, listed); diff != "" {
		t.Errorf("ascending (-want +got):\n%s", diff)
	}
	in.AscendingOrder = nil
	if _, err := h.ListCertificates(ctx, in); err == nil {
		t.Error("a marker of the other order was taken")
	}
	in.Marker = nil
	if out := must(h.ListCertificates(ctx, in))(t); *out.Certificates[0].CertificateId != ids[4] {
		t.Error("descending begins with the newest")
	}
}
