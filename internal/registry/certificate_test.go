package registry

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCreateKeysAndCertificate(t *testing.T) {
	r := openNew(t)
	seen := watchAll(t, r)
	before := time.Now().Add(-time.Millisecond)
	cert, keys, err := r.CreateKeysAndCertificate(t.Context(), true)
	ok(t, err)
	block, _ := pem.Decode([]byte(cert.PEM))
	parsed := got(x509.ParseCertificate(block.Bytes))(t)
	if cert.ID != CertificateID(parsed.Raw) || cert.ARN != "arn:aws:iot:us-east-1:123456789012:cert/"+cert.ID {
		t.Errorf("ID %s, ARN %s", cert.ID, cert.ARN)
	}
	private, _ := pem.Decode([]byte(keys.PrivatePEM))
	key := got(x509.ParsePKCS1PrivateKey(private.Bytes))(t)
	if key.N.BitLen() != 2048 || !key.PublicKey.Equal(parsed.PublicKey) {
		t.Errorf("an RSA key of %d bits, of the certificate: %v", key.N.BitLen(), key.PublicKey.Equal(parsed.PublicKey))
	}
	public, _ := pem.Decode([]byte(keys.PublicPEM))
	if pub := got(x509.ParsePKIXPublicKey(public.Bytes))(t); !key.PublicKey.Equal(pub) {
		t.Error("the public key is another one")
	}
	if cert.Status != StatusActive || cert.Mode != ModeDefault || cert.CAID != "" || cert.CustomerVersion != 1 || cert.CreatedAt.Before(before) {
		t.Errorf("created %+v", cert)
	}
	if diff := cmp.Diff(cert, got(r.Certificate(t.Context(), cert.ID))(t)); diff != "" {
		t.Errorf("stored (-created +stored):\n%s", diff)
	}
	want := []Change{{Kind: CertificateChanged, CertificateID: cert.ID, Status: "ACTIVE"}}
	if diff := cmp.Diff(want, *seen); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if strings.Contains(keys.LogValue().String(), "PRIVATE") {
		t.Error("a log would show the private key")
	}
	if other, _, err := r.CreateKeysAndCertificate(t.Context(), false); err != nil || other.Status != StatusInactive {
		t.Errorf("without setAsActive: %v (%v)", other.Status, err)
	}
}

func TestCreateCertificateFromCSR(t *testing.T) {
	r := openNew(t)
	key := newKey(t)
	text := csr(t, key)
	first := got(r.CreateCertificateFromCSR(t.Context(), text, true))(t)
	second := got(r.CreateCertificateFromCSR(t.Context(), strings.ReplaceAll(text, "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"), false))(t)
	if first.ID == second.ID || first.Status != StatusActive || second.Status != StatusInactive {
		t.Errorf("first %s %s, second %s %s", first.ID, first.Status, second.ID, second.Status)
	}
	cert := got(parseCertificate("", first.PEM))(t)
	if !key.PublicKey.Equal(cert.PublicKey) || cert.Subject.CommonName != "AWS IoT Certificate" {
		t.Errorf("issued to %s", cert.Subject)
	}

	block, _ := pem.Decode([]byte(text))
	block.Bytes[len(block.Bytes)-1] ^= 1
	badSignature := string(pem.EncodeToMemory(block))
	cases := map[string]struct{ csr, want string }{
		"bad signature": {badSignature, "signature"},
		"no PEM":        {"hello", "no PEM block"},
		"a certificate": {first.PEM, `a "CERTIFICATE"; expected "CERTIFICATE REQUEST"`},
		"broken DER":    {"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "not valid"},
		"two requests":  {text + text, "one block"},
		"too long":      {text + strings.Repeat("\n", 4096), "4096"},
	}
	for name, key := range badKeys(t) {
		cases[name] = struct{ csr, want string }{csr(t, key), "key"}
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := r.CreateCertificateFromCSR(t.Context(), tt.csr, true)
			wantRefusal(t, err, InvalidRequest, tt.want)
		})
	}
	if l := got(r.ListCertificates(t.Context(), Page{}))(t); len(l.Items) != 2 {
		t.Errorf("%d certificates after the refusals, want 2", len(l.Items))
	}
}

func TestRegisterCertificateWithoutCA(t *testing.T) {
	r := openNew(t)
	ca := newCA(t, "unknown")
	text := ca.sign("device")
	cert := got(r.RegisterCertificateWithoutCA(t.Context(), "Subject: CN=device\n"+text, ""))(t)
	if cert.Status != StatusInactive || cert.Mode != ModeSNIOnly || cert.CAID != "" || cert.PEM != text {
		t.Errorf("registered %+v", cert)
	}
	_, err := r.RegisterCertificateWithoutCA(t.Context(), text, StatusActive)
	wantRefusal(t, err, ResourceAlreadyExists, cert.ID)
	wantAbout(t, err, cert.ID, cert.ARN)
	for _, status := range []CertificateStatus{StatusActive, StatusInactive, StatusRevoked} {
		if c := newCert(t, r, status); c.Status != status {
			t.Errorf("registered as %s: %s", status, c.Status)
		}
	}
	for _, status := range []CertificateStatus{StatusPendingActivation, StatusPendingTransfer, "WRONG"} {
		_, err := r.RegisterCertificateWithoutCA(t.Context(), ca.sign("x"), status)
		wantRefusal(t, err, InvalidRequest, string(status))
	}
	cases := map[string]struct{ pem, want string }{
		"no PEM":     {"hello", "no PEM block"},
		"a chain":    {ca.sign("x") + ca.pem(), "no chain"},
		"a CSR":      {csr(t, newKey(t)), `"CERTIFICATE REQUEST"`},
		"broken DER": {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no valid X.509"},
		"SHA-1":      {sha1Certificate(t), "SHA1"},
	}
	for name, key := range badKeys(t) {
		cases[name] = struct{ pem, want string }{encodePEM(ca.signFor("x", key.Public())), "key"}
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := r.RegisterCertificateWithoutCA(t.Context(), tt.pem, "")
			wantRefusal(t, err, CertificateValidation, tt.want)
		})
	}
}

// sha1Certificate rewrites the algorithm of a certificate: crypto/x509 signs none with SHA-1.
func sha1Certificate(t *testing.T) string {
	t.Helper()
	key := got(rsa.GenerateKey(rand.Reader, 2048))(t)
	template := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: "old"}, NotAfter: time.Now().Add(time.Hour)}
	der := string(got(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))(t))
	sha256, sha1 := "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"
	if strings.Count(der, sha256) != 2 {
		t.Fatal("the certificate names its algorithm in another way")
	}
	return encodePEM([]byte(strings.ReplaceAll(der, sha256, sha1)))
}

func TestUpdateCertificate(t *testing.T) {
	r := openNew(t)
	cert := newCert(t, r, StatusActive)
	seen := watchAll(t, r)
	for _, status := range []CertificateStatus{StatusInactive, StatusInactive, StatusRevoked, StatusActive} {
		ok(t, r.UpdateCertificate(t.Context(), cert.ID, status))
		if c := got(r.Certificate(t.Context(), cert.ID))(t); c.Status != status {
			t.Errorf("status %s, want %s", c.Status, status)
		}
	}
	after := got(r.Certificate(t.Context(), cert.ID))(t)
	if after.CustomerVersion != 4 || after.GenerationID == cert.GenerationID || !after.LastModifiedAt.After(cert.LastModifiedAt) {
		t.Errorf("after three changes %+v", after)
	}
	var statuses []string
	for _, c := range *seen {
		statuses = append(statuses, c.Status)
	}
	if diff := cmp.Diff([]string{"INACTIVE", "REVOKED", "ACTIVE"}, statuses); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	var history []CertificateStatus
	for _, h := range got(r.CertificateHistory(t.Context(), cert.ID))(t) {
		history = append(history, h.Previous, h.Status)
		if time.Since(h.At) > time.Minute {
			t.Errorf("%s at %v", h.Status, h.At)
		}
	}
	if diff := cmp.Diff([]CertificateStatus{"", "ACTIVE", "ACTIVE", "INACTIVE", "INACTIVE", "REVOKED", "REVOKED", "ACTIVE"}, history); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}

	wantRefusal(t, r.UpdateCertificate(t.Context(), strings.Repeat("0", 64), StatusActive), ResourceNotFound, strings.Repeat("0", 64))
	for _, status := range []CertificateStatus{StatusPendingActivation, StatusPendingTransfer, "", "DELETED"} {
		wantRefusal(t, r.UpdateCertificate(t.Context(), cert.ID, status), InvalidRequest, string(status))
	}
	ok(t, r.write(t.Context(), func(tx *tx) error {
		return tx.SetCertificateStatus(t.Context(), setStatus(cert.ID, StatusPendingTransfer))
	}))
	wantRefusal(t, r.UpdateCertificate(t.Context(), cert.ID, StatusActive), CertificateState, "transferred")
	wantRefusal(t, r.DeleteCertificate(t.Context(), cert.ID, true), CertificateState, "transferred")
}

func TestHistoryIsBounded(t *testing.T) {
	r := openNew(t)
	cert := newCert(t, r, StatusInactive)
	for range maxHistory {
		ok(t, r.UpdateCertificate(t.Context(), cert.ID, StatusActive))
		ok(t, r.UpdateCertificate(t.Context(), cert.ID, StatusInactive))
	}
	if h := got(r.CertificateHistory(t.Context(), cert.ID))(t); len(h) != maxHistory || h[0].At.After(h[maxHistory-1].At) {
		t.Errorf("%d entries, want %d, oldest first", len(h), maxHistory)
	}
}

func TestDeleteCertificate(t *testing.T) {
	r := openNew(t)
	ctx := t.Context()
	cert := newCert(t, r, StatusActive)
	newPolicy(t, r, "p")
	_ = got(r.CreateThing(ctx, NewThing{Name: "t1"}))(t)
	ok(t, r.AttachPolicy(ctx, "p", certTarget(cert)))
	ok(t, r.AttachThingPrincipal(ctx, "t1", certTarget(cert), NonExclusiveThing))

	wantRefusal(t, r.DeleteCertificate(ctx, strings.Repeat("0", 64), false), ResourceNotFound, "")
	wantRefusal(t, r.DeleteCertificate(ctx, cert.ID, true), CertificateState, "Certificate must be deactivated (not ACTIVE) before deletion.")
	ok(t, r.UpdateCertificate(ctx, cert.ID, StatusInactive))
	wantRefusal(t, r.DeleteCertificate(ctx, cert.ID, true), DeleteConflict, "Things must be detached before deletion (arn: "+cert.ARN+")")
	ok(t, r.DetachThingPrincipal(ctx, "t1", certTarget(cert)))
	wantRefusal(t, r.DeleteCertificate(ctx, cert.ID, false), DeleteConflict, "Certificate policies must be detached before deletion")
	seen := watchAll(t, r)
	ok(t, r.DeleteCertificate(ctx, cert.ID, true))

	_, err := r.Certificate(ctx, cert.ID)
	wantRefusal(t, err, ResourceNotFound, cert.ID)
	want := []Change{
		{Kind: AttachmentChanged, PolicyName: "p", CertificateID: cert.ID, Target: cert.ARN},
		{Kind: CertificateChanged, CertificateID: cert.ID, Status: "DELETED"},
	}
	if diff := cmp.Diff(want, *seen); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	ok(t, r.DeletePolicy(ctx, "p"))
	h := got(r.CertificateHistory(ctx, cert.ID))(t)
	if last := h[len(h)-1]; last.Status != StatusDeleted || last.Previous != StatusInactive {
		t.Errorf("the history ends with %+v", last)
	}
	_ = got(r.RegisterCertificateWithoutCA(ctx, cert.PEM, StatusActive))(t) // may come back
}

func TestListCertificates(t *testing.T) {
	r := openNew(t)
	var ids []string
	for range 7 {
		ids = append(ids, newCert(t, r, "").ID)
	}
	for _, descending := range []bool{false, true} {
		var listed []string
		for _, c := range all(t, 3, descending, func(p Page) (Listing[Certificate], error) { return r.ListCertificates(t.Context(), p) }) {
			listed = append(listed, c.ID)
		}
		want := append([]string(nil), ids...)
		if descending {
			for i, id := range ids {
				want[len(ids)-1-i] = id
			}
		}
		if diff := cmp.Diff(want, listed); diff != "" {
			t.Errorf("descending %v (-want +got):\n%s", descending, diff)
		}
	}
	first := got(r.ListCertificates(t.Context(), Page{Size: 3}))(t)
	ok(t, r.DeleteCertificate(t.Context(), first.Items[2].ID, false)) // the row that the marker names
	if next := got(r.ListCertificates(t.Context(), Page{Size: 3, After: first.Next}))(t); next.Items[0].ID != ids[3] {
		t.Error("a page skipped or repeated an item after a deletion")
	}
	for _, bad := range []string{"x", "!.x", "7"} {
		_, err := r.ListCertificates(t.Context(), Page{After: bad})
		wantRefusal(t, err, InvalidRequest, "marker")
	}
}

// Of many that register one certificate at once, exactly one succeeds.
func TestRegisterSameCertificateConcurrently(t *testing.T) {
	r := openNew(t)
	text := newCA(t, "any").sign("device")
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { _, errs[i] = r.RegisterCertificateWithoutCA(t.Context(), text, "") })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			wantRefusal(t, err, ResourceAlreadyExists, "")
		}
	}
	if won != 1 {
		t.Errorf("%d registrations succeeded, want 1", won)
	}
}

func TestRestartKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	r := openIn(t, dir)
	cert := newCert(t, r, StatusActive)
	p := newPolicy(t, r, "p")
	ok(t, r.AttachPolicy(t.Context(), "p", certTarget(cert)))
	code := got(r.RegistrationCode(t.Context()))(t)
	ok(t, r.Close())
	r = openIn(t, dir)
	if diff := cmp.Diff(cert, got(r.Certificate(t.Context(), cert.ID))(t)); diff != "" {
		t.Errorf("certificate (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(p, got(r.Policy(t.Context(), "p"))(t)); diff != "" {
		t.Errorf("policy (-before +after):\n%s", diff)
	}
	if again := got(r.RegistrationCode(t.Context()))(t); again != code {
		t.Errorf("registration code %s, want %s", again, code)
	}
	if e := got(r.EffectivePolicies(t.Context(), certTarget(cert), "x"))(t); len(e.Policies) != 1 {
		t.Errorf("effective policies after a restart: %v", e.Policies)
	}
}
