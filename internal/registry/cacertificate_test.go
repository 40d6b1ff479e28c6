package registry

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// register registers a CA in the mode DEFAULT.
func register(t *testing.T, r *Registry, ca *testCA, active bool) CACertificate {
	t.Helper()
	code := got(r.RegistrationCode(t.Context()))(t)
	return got(r.RegisterCACertificate(t.Context(), CARegistration{PEM: ca.pem(), VerificationPEM: ca.sign(code), Active: active}))(t)
}

func TestRegistrationCode(t *testing.T) {
	r := openNew(t)
	wantRefusal(t, r.DeleteRegistrationCode(t.Context()), ResourceNotFound, "registration code")
	code := got(r.RegistrationCode(t.Context()))(t)
	if len(code) != 64 || strings.Trim(code, "0123456789abcdef") != "" {
		t.Errorf("code %q, want 64 hex digits", code)
	}
	if again := got(r.RegistrationCode(t.Context()))(t); again != code {
		t.Errorf("a second call: %s, want %s", again, code)
	}
	ok(t, r.DeleteRegistrationCode(t.Context()))
	if other := got(r.RegistrationCode(t.Context()))(t); other == code {
		t.Error("the same code after its deletion")
	}
}

func TestRegisterCACertificate(t *testing.T) {
	r := openNew(t)
	ca := newCA(t, "Factory")
	seen := watchAll(t, r)
	code := got(r.RegistrationCode(t.Context()))(t)
	registered := got(r.RegisterCACertificate(t.Context(), CARegistration{
		PEM: ca.pem(), VerificationPEM: ca.sign(code), AutoRegistration: true,
		Registration: RegistrationConfig{TemplateBody: `{"Resources":{}}`, RoleARN: "arn:aws:iam::123456789012:role/jitp"},
		Tags:         []Tag{{"site", "north"}},
	}))(t)
	want := CACertificate{
		ID: ca.id(), ARN: "arn:aws:iot:us-east-1:123456789012:cacert/" + ca.id(), PEM: ca.pem(),
		AutoRegistration: true, Mode: ModeDefault, CustomerVersion: 1,
		Registration: RegistrationConfig{TemplateBody: `{"Resources":{}}`, RoleARN: "arn:aws:iam::123456789012:role/jitp"},
		GenerationID: registered.GenerationID, CreatedAt: registered.CreatedAt, LastModifiedAt: registered.CreatedAt,
		NotBefore: registered.NotBefore, NotAfter: registered.NotAfter,
	}
	if diff := cmp.Diff(want, registered); diff != "" {
		t.Errorf("registered (-want +got):\n%s", diff)
	}
	if !registered.NotAfter.Equal(ca.cert.NotAfter) || !registered.NotBefore.Equal(ca.cert.NotBefore) {
		t.Errorf("validity %v to %v", registered.NotBefore, registered.NotAfter)
	}
	if diff := cmp.Diff(registered, got(r.CACertificate(t.Context(), ca.id()))(t)); diff != "" {
		t.Errorf("stored (-registered +stored):\n%s", diff)
	}
	if tags := got(r.ListTags(t.Context(), registered.ARN, Page{}))(t); !cmp.Equal(tags.Items, []Tag{{"site", "north"}}) {
		t.Errorf("tags %v", tags.Items)
	}
	if diff := cmp.Diff([]Change{{Kind: CACertificateChanged, CertificateID: ca.id(), Status: "INACTIVE"}}, *seen); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	sni := got(r.RegisterCACertificate(t.Context(), CARegistration{PEM: newCA(t, "many").pem(), Mode: ModeSNIOnly, Active: true}))(t)
	if sni.Mode != ModeSNIOnly || !sni.Active {
		t.Errorf("registered in the mode SNI_ONLY: %+v", sni)
	}
}

// The first check that fails decides, in the order of the sheet.
func TestRegisterCACertificateRefusals(t *testing.T) {
	r := openNew(t)
	ca, other := newCA(t, "Factory"), newCA(t, "Other")
	early := CARegistration{PEM: ca.pem(), VerificationPEM: ca.sign("some code")}
	_, err := r.RegisterCACertificate(t.Context(), early)
	wantRefusal(t, err, RegistrationCodeValidation, "no registration code yet")

	code := got(r.RegistrationCode(t.Context()))(t)
	known := newCA(t, "Known")
	register(t, r, known, true)
	for name, tt := range map[string]struct {
		req  CARegistration
		kind Kind
		want string
	}{
		"no PEM":                {CARegistration{PEM: "x"}, CertificateValidation, "caCertificate: it holds no PEM"},
		"no CA":                 {CARegistration{PEM: ca.sign("leaf"), VerificationPEM: "x"}, CertificateValidation, "CA:TRUE"},
		"no verification":       {CARegistration{PEM: ca.pem()}, CertificateValidation, "needs a verificationCertificate"},
		"bad verification":      {CARegistration{PEM: ca.pem(), VerificationPEM: "x"}, CertificateValidation, "verificationCertificate: it holds no PEM"},
		"signed by another":     {CARegistration{PEM: ca.pem(), VerificationPEM: other.sign(code)}, CertificateValidation, "did not sign"},
		"another code":          {CARegistration{PEM: ca.pem(), VerificationPEM: ca.sign(code + "0")}, RegistrationCodeValidation, code + "0"},
		"verification for SNI":  {CARegistration{PEM: ca.pem(), VerificationPEM: ca.sign(code), Mode: ModeSNIOnly}, InvalidRequest, "without verificationCertificate"},
		"mode":                  {CARegistration{PEM: ca.pem(), Mode: "X"}, InvalidRequest, `"X"`},
		"template body":         {CARegistration{PEM: ca.pem(), VerificationPEM: ca.sign(code), Registration: RegistrationConfig{TemplateBody: "{"}}, InvalidRequest, "JSON"},
		"template name":         {CARegistration{PEM: ca.pem(), VerificationPEM: ca.sign(code), Registration: RegistrationConfig{TemplateName: "t"}}, ResourceNotFound, "templateName=t"},
		"two templates":         {CARegistration{PEM: ca.pem(), Mode: ModeSNIOnly, Registration: RegistrationConfig{TemplateName: "t", TemplateBody: "{}"}}, InvalidRequest, "give one"},
		"registered":            {CARegistration{PEM: known.pem(), VerificationPEM: known.sign(code)}, ResourceAlreadyExists, known.id()},
		"registered, as SNI":    {CARegistration{PEM: known.pem(), Mode: ModeSNIOnly}, ResourceAlreadyExists, known.id()},
		"registered, bad proof": {CARegistration{PEM: known.pem(), VerificationPEM: other.sign(code)}, CertificateValidation, "did not sign"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.RegisterCACertificate(t.Context(), tt.req)
			wantRefusal(t, err, tt.kind, tt.want)
		})
	}
	if l := got(r.ListCACertificates(t.Context(), "", Page{}))(t); len(l.Items) != 1 {
		t.Errorf("%d CAs after the refusals, want 1", len(l.Items))
	}
}

func TestCAsOfOneSubject(t *testing.T) {
	r := openNew(t)
	for range MaxCAsOfSubject {
		register(t, r, newCA(t, "Factory"), false)
	}
	_, err := r.RegisterCACertificate(t.Context(), CARegistration{PEM: newCA(t, "Factory").pem(), Mode: ModeSNIOnly})
	wantRefusal(t, err, LimitExceeded, "10 CA certificates")
	register(t, r, newCA(t, "Factory 2"), false)
}

func TestRegisterCertificate(t *testing.T) {
	r := openNew(t)
	ctx := t.Context()
	ca := newCA(t, "Factory")
	register(t, r, ca, true)
	sniCA := newCA(t, "Many")
	_ = got(r.RegisterCACertificate(ctx, CARegistration{PEM: sniCA.pem(), Mode: ModeSNIOnly, Active: true}))(t)

	text := ca.sign("device")
	cert := got(r.RegisterCertificate(ctx, text, "", ""))(t)
	if cert.CAID != ca.id() || cert.Status != StatusInactive || cert.Mode != ModeDefault {
		t.Errorf("registered %+v", cert)
	}
	if c := got(r.RegisterCertificate(ctx, sniCA.sign("device"), sniCA.pem(), StatusActive))(t); c.Mode != ModeSNIOnly || c.Status != StatusActive {
		t.Errorf("under an SNI_ONLY CA: %+v", c)
	}
	_, err := r.RegisterCertificate(ctx, text, ca.pem(), StatusActive)
	wantRefusal(t, err, ResourceAlreadyExists, cert.ID)
	issued := newCert(t, r, "") // no registered CA signed it: that it is here counts first
	_, err = r.RegisterCertificate(ctx, issued.PEM, "", "")
	wantRefusal(t, err, ResourceAlreadyExists, "The certificate is already provisioned or registered")
	wantAbout(t, err, issued.ID, issued.ARN)

	stranger, inactive, impostor := newCA(t, "Stranger"), newCA(t, "Inactive"), newCA(t, "Factory")
	register(t, r, inactive, false)
	for name, tt := range map[string]struct {
		pem, ca string
		status  CertificateStatus
		kind    Kind
		want    string
	}{
		"unknown issuer":     {stranger.sign("d"), "", "", CertificateValidation, `issuer is "CN=Stranger"`},
		"unregistered CA":    {stranger.sign("d"), stranger.pem(), "", CertificateValidation, "not registered"},
		"another CA's name":  {impostor.sign("d"), "", "", CertificateValidation, "No registered CA"},
		"another CA given":   {stranger.sign("d"), ca.pem(), "", CertificateValidation, "did not sign"},
		"bad CA PEM":         {ca.sign("d"), "x", "", CertificateValidation, "caCertificatePem"},
		"bad PEM":            {"x", "", "", CertificateValidation, "certificatePem"},
		"inactive CA":        {inactive.sign("d"), "", "", CertificateState, "INACTIVE"},
		"inactive CA, given": {inactive.sign("d"), inactive.pem(), "", CertificateState, inactive.id()},
		"status":             {ca.sign("d"), "", StatusPendingActivation, InvalidRequest, "PENDING_ACTIVATION"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.RegisterCertificate(ctx, tt.pem, tt.ca, tt.status)
			wantRefusal(t, err, tt.kind, tt.want)
		})
	}

	twin := ca.again("Factory") // the same subject and key
	register(t, r, twin, true)
	_, err = r.RegisterCertificate(ctx, ca.sign("e"), "", "")
	wantRefusal(t, err, CertificateConflict, "caCertificatePem")
	if c := got(r.RegisterCertificate(ctx, ca.sign("e"), twin.pem(), ""))(t); c.CAID != twin.id() {
		t.Errorf("registered under %s, want %s", c.CAID, twin.id())
	}
	listed := all(t, 1, false, func(p Page) (Listing[Certificate], error) { return r.ListCertificatesByCA(ctx, ca.id(), p) })
	if len(listed) != 1 || listed[0].ID != cert.ID {
		t.Errorf("certificates of the CA: %v", listed)
	}
	if l := got(r.ListCertificatesByCA(ctx, stranger.id(), Page{Descending: true}))(t); len(l.Items) != 0 {
		t.Errorf("certificates of an unknown CA: %v", l.Items)
	}
}

func TestUpdateCACertificate(t *testing.T) {
	r := openNew(t)
	ctx := t.Context()
	ca := newCA(t, "Factory")
	before := register(t, r, ca, false)
	device := func() Certificate {
		ok(t, r.UpdateCACertificate(ctx, ca.id(), CAUpdate{Active: new(true)}))
		return got(r.RegisterCertificate(ctx, ca.sign("device"), "", StatusActive))(t)
	}()

	config := RegistrationConfig{TemplateBody: "{}", RoleARN: "arn:aws:iam::123456789012:role/r"}
	for _, step := range []struct {
		u    CAUpdate
		want func(*CACertificate)
	}{
		{CAUpdate{}, func(c *CACertificate) { c.Active = true }},
		{CAUpdate{AutoRegistration: new(true)}, func(c *CACertificate) { c.AutoRegistration = true }},
		{CAUpdate{Registration: &config}, func(c *CACertificate) { c.Registration = config }},
		{CAUpdate{Active: new(false)}, func(c *CACertificate) { c.Active = false }},
		{CAUpdate{RemoveAutoRegistration: true}, func(c *CACertificate) { c.AutoRegistration, c.Registration = false, RegistrationConfig{} }},
	} {
		ok(t, r.UpdateCACertificate(ctx, ca.id(), step.u))
		after := got(r.CACertificate(ctx, ca.id()))(t)
		if after.GenerationID == before.GenerationID || !after.LastModifiedAt.After(before.LastModifiedAt) {
			t.Errorf("%+v: generation and time stay", step.u)
		}
		want := before
		step.want(&want)
		want.GenerationID, want.LastModifiedAt, want.CustomerVersion = after.GenerationID, after.LastModifiedAt, after.CustomerVersion
		if diff := cmp.Diff(want, after); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", step.u, diff)
		}
		before = after
	}
	if c := got(r.Certificate(ctx, device.ID))(t); c.Status != StatusActive {
		t.Errorf("an INACTIVE CA made its device %s", c.Status)
	}
	wantRefusal(t, r.UpdateCACertificate(ctx, strings.Repeat("0", 64), CAUpdate{}), ResourceNotFound, "")
	wantRefusal(t, r.UpdateCACertificate(ctx, ca.id(), CAUpdate{RemoveAutoRegistration: true, AutoRegistration: new(true)}), InvalidRequest, "removeAutoRegistration")
	wantRefusal(t, r.UpdateCACertificate(ctx, ca.id(), CAUpdate{Registration: &RegistrationConfig{TemplateBody: "x"}}), InvalidRequest, "JSON")
}

func TestDeleteCACertificate(t *testing.T) {
	r := openNew(t)
	ctx := t.Context()
	ca := newCA(t, "Factory")
	register(t, r, ca, true)
	device := got(r.RegisterCertificate(ctx, ca.sign("device"), "", StatusActive))(t)
	wantRefusal(t, r.DeleteCACertificate(ctx, ca.id()), CertificateState, "deactivated")
	ok(t, r.UpdateCACertificate(ctx, ca.id(), CAUpdate{Active: new(false)}))
	ok(t, r.DeleteCACertificate(ctx, ca.id()))
	wantRefusal(t, r.DeleteCACertificate(ctx, ca.id()), ResourceNotFound, ca.id())
	_, err := r.CACertificate(ctx, ca.id())
	wantRefusal(t, err, ResourceNotFound, ca.id())
	if c := got(r.Certificate(ctx, device.ID))(t); c.Status != StatusActive || c.CAID != ca.id() {
		t.Errorf("the device of a deleted CA: %+v", c)
	}
}

func TestListCACertificates(t *testing.T) {
	r := openNew(t)
	var names []string
	for i := range 5 {
		names = append(names, register(t, r, newCA(t, fmt.Sprint("CA ", i)), false).ID)
	}
	for _, descending := range []bool{false, true} {
		var listed []string
		for _, c := range all(t, 2, descending, func(p Page) (Listing[CACertificate], error) {
			return r.ListCACertificates(t.Context(), "", p)
		}) {
			listed = append(listed, c.ID)
		}
		want := append([]string(nil), names...)
		if descending {
			for i := range names {
				want[i] = names[len(names)-1-i]
			}
		}
		if diff := cmp.Diff(want, listed); diff != "" {
			t.Errorf("descending %v (-want +got):\n%s", descending, diff)
		}
	}
	if l := got(r.ListCACertificates(t.Context(), "template", Page{}))(t); len(l.Items) != 0 {
		t.Errorf("CAs of a template that none has: %v", l.Items)
	}
}
