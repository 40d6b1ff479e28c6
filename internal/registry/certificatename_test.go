package registry

import (
	"database/sql"
	"encoding/pem"
	"testing"
)

// rawSubject returns the subject of a registered certificate in DER form.
func rawSubject(t *testing.T, c Certificate) []byte {
	t.Helper()
	return got(parseCertificate("certificate", c.PEM))(t).RawSubject
}

// newest returns the ID of the newest certificate with a subject, or "".
func newest(t *testing.T, r *Registry, subject []byte) string {
	t.Helper()
	c, found, err := r.NewestCertificateOfSubject(t.Context(), subject)
	if err != nil || found != (c.ID != "") {
		t.Fatalf("NewestCertificateOfSubject: %+v, %v, %v", c, found, err)
	}
	return c.ID
}

func TestNewestCertificateOfSubject(t *testing.T) {
	r := openNew(t)
	ca := newCA(t, "any")
	add := func(name string) Certificate {
		return got(r.RegisterCertificateWithoutCA(t.Context(), ca.sign(name), ""))(t)
	}
	first, second := add("meter-7"), add("meter-7")
	for range 20 {
		add("other")
	}
	subject := rawSubject(t, first)
	if id := newest(t, r, subject); id != second.ID {
		t.Errorf("newest %s, want %s", id, second.ID)
	}
	ok(t, r.DeleteCertificate(t.Context(), second.ID, false))
	if id := newest(t, r, subject); id != first.ID {
		t.Errorf("newest after the deletion %s, want %s", id, first.ID)
	}
	ok(t, r.DeleteCertificate(t.Context(), first.ID, false))
	if id := newest(t, r, subject); id != "" {
		t.Errorf("found %s, want none", id)
	}

	register(t, r, ca, true)
	if cas := got(r.CACertificatesOfSubject(t.Context(), ca.cert.RawSubject))(t); len(cas) != 1 || cas[0].ID != ca.id() {
		t.Errorf("CAs of the subject: %+v", cas)
	}
	if cas := got(r.CACertificatesOfSubject(t.Context(), subject))(t); len(cas) != 0 {
		t.Errorf("CAs of another subject: %+v", cas)
	}
}

// A database from before the column gets it filled when it is opened, whatever
// it holds, and only once.
func TestFillCertificateNames(t *testing.T) {
	dir := t.TempDir()
	r := openIn(t, dir)
	cert := newCert(t, r, "")
	broken := []string{
		newCert(t, r, "").ID, newCert(t, r, "").ID,
	}
	notX509 := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}))
	exec := func(query string, args ...any) {
		ok(t, r.db.Write(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.Exec(query, args...)
			return err
		}))
	}
	exec("UPDATE certificates SET subject = '', issuer = ''")
	exec("UPDATE certificates SET pem = 'x' WHERE certificate_id = $1", broken[0])
	exec("UPDATE certificates SET pem = $2 WHERE certificate_id = $1", broken[1], notX509)
	subject := rawSubject(t, cert)
	if id := newest(t, r, subject); id != "" {
		t.Fatalf("found %s although no row has a subject", id)
	}
	ok(t, r.Close())

	r = openIn(t, dir)
	if id := newest(t, r, subject); id != cert.ID {
		t.Errorf("newest %q, want %s", id, cert.ID)
	}
	if row := got(r.read().GetCertificate(t.Context(), cert.ID))(t); row.Subject == "" || row.Issuer == "" || row.Subject == row.Issuer {
		t.Errorf("subject %q, issuer %q", row.Subject, row.Issuer)
	}
	if left := got(r.read().ListCertificatesWithoutNames(t.Context(), 10))(t); len(left) != 0 {
		t.Errorf("%d certificates were left without names", len(left))
	}
}
