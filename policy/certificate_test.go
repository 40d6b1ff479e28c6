package policy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestCertificateFacts reads a real certificate. Policy sheet 7.3.
func TestCertificateFacts(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	atv := func(n int, value string) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, n}, Value: value}
	}
	directory, err := asn1.Marshal(pkix.RDNSequence{{atv(6, "US")}, {atv(10, "IoT, Inc")}, {atv(11, "SmartHome")}, {atv(3, "LightBulbCert")}})
	if err != nil {
		t.Fatal(err)
	}
	general := func(tag int, content []byte, compound bool) asn1.RawValue {
		return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: content, IsCompound: compound}
	}
	issuerAlt, err := asn1.Marshal([]asn1.RawValue{
		general(1, []byte("ca@example.com"), false), general(4, directory, true), general(7, []byte{1, 2, 3}, false), general(0, []byte{5, 0}, true), general(2, []byte("ca.example"), false),
	})
	if err != nil {
		t.Fatal(err)
	}
	subject := pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{
		atv(3, "first"), atv(3, "second"), atv(10, "Amazon.com"), atv(6, "US"), atv(8, "Washington"), atv(7, "Seattle"), atv(5, "S-1"),
		atv(12, "t"), atv(4, "sn"), atv(42, "gn"), atv(43, "i"), atv(65, "p"), atv(44, "gq"), atv(46, "dnq"), atv(11, "ou"),
	}}
	uri, err := url.Parse("https://example.com/x")
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0x0A1B), Subject: subject, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<31, 0),
		DNSNames: []string{"a.example", "b.example"}, EmailAddresses: []string{"d@example.com"}, IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1), net.ParseIP("2001:db8::1")}, URIs: []*url.URL{uri},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 18}, Value: issuerAlt}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string][]string{
		"CommonName": {"first", "second"}, "Organization": {"Amazon.com"}, "Country": {"US"}, "State": {"Washington"}, "SerialNumber": {"S-1"}, "Title": {"t"},
		"Surname": {"sn"}, "GivenName": {"gn"}, "Initials": {"i"}, "Pseudonym": {"p"}, "GenerationQualifier": {"gq"}, "DistinguishedNameQualifier": {"dnq"}, "OrganizationalUnit": {"ou"},
	}
	got := CertificateFacts(cert)
	if len(got.ID) != 64 {
		t.Errorf("ID %q has no 64 digits", got.ID)
	}
	want := &Certificate{
		ID: got.ID, SerialNumber: "2587", Subject: names, Issuer: names,
		SubjectAltName: map[string][]string{"DNSName": {"a.example", "b.example"}, "RFC822Name": {"d@example.com"}, "IPAddress": {"192.0.2.1", "2001:db8::1"}, "UniformResourceIdentifier": {"https://example.com/x"}},
		IssuerAltName:  map[string][]string{"RFC822Name": {"ca@example.com"}, "DirectoryName": {`cn=LightBulbCert,ou=SmartHome,o=IoT\, Inc,c=US`}, "DNSName": {"ca.example"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("CertificateFacts (-want +got):\n%s", diff)
	}
	for _, hostile := range [][]byte{nil, {0x30}, {0x30, 0x84, 0xff, 0xff, 0xff, 0xff}, {0x31, 0}, {0x30, 2, 0x84, 0x7f}} {
		if got := generalNames(hostile); len(got) != 0 {
			t.Errorf("generalNames(%x) = %v", hostile, got)
		}
		nameValues(hostile)
	}
	if facts := CertificateFacts(&x509.Certificate{}); facts.ID != "" || facts.SerialNumber != "" {
		t.Errorf("facts of nothing: %+v", facts)
	}
}
