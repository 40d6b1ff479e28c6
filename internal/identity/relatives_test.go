package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// A twin and a signer are found however much was registered since.
func TestRelativesInALargeRegistry(t *testing.T) {
	f := newFixture(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	f.must(err)
	serial := int64(0)
	sign := func(name string, isCA bool, parent *x509.Certificate) (*x509.Certificate, string) {
		serial++
		template := &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, IsCA: isCA, BasicConstraintsValid: isCA,
			NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
		}
		if parent == nil {
			parent = template
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), key)
		f.must(err)
		cert, err := x509.ParseCertificate(der)
		f.must(err)
		return cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	ca, caPEM := sign("Factory", true, nil)
	registered, err := f.reg.RegisterCACertificate(t.Context(), registry.CARegistration{PEM: caPEM, Mode: registry.ModeSNIOnly})
	f.must(err)
	_, oldPEM := sign("meter-7", false, ca)
	old, err := f.reg.RegisterCertificateWithoutCA(t.Context(), oldPEM, registry.StatusActive)
	f.must(err)
	f.policy("meters", "iot:Connect", "client/*")
	f.must(f.reg.AttachPolicy(t.Context(), "meters", registry.Target{Type: registry.TargetCertificate, Name: old.ID}))
	for i := range 260 { // more than one page of a list
		_, text := sign(fmt.Sprintf("meter-%d", 100+i), false, ca)
		_, err := f.reg.RegisterCertificateWithoutCA(t.Context(), text, registry.StatusInactive)
		f.must(err)
	}

	renewed, _ := sign("meter-7", false, ca)
	rel, err := f.s.Relatives(t.Context(), renewed, sha256.Sum256(renewed.Raw))
	f.must(err)
	if rel.Twin == nil || rel.Twin.ID != old.ID || len(rel.TwinPolicies) != 1 || rel.TwinPolicies[0] != "meters" {
		t.Errorf("twin %+v with policies %v, want %s with meters", rel.Twin, rel.TwinPolicies, old.ID)
	}
	if rel.Signer == nil || rel.Signer.ID != registered.ID || rel.IsCA != nil {
		t.Errorf("signer %+v, CA itself %+v; want %s and none", rel.Signer, rel.IsCA, registered.ID)
	}
	rel, err = f.s.Relatives(t.Context(), ca, sha256.Sum256(ca.Raw))
	f.must(err)
	if rel.IsCA == nil || rel.IsCA.ID != registered.ID || rel.Signer != nil || rel.Twin != nil {
		t.Errorf("relatives of the CA itself: %+v", rel)
	}
	impostor, _ := sign("Factory", false, nil) // self-signed under the CA's name, with its key
	if rel, err = f.s.Relatives(t.Context(), impostor, sha256.Sum256(impostor.Raw)); err != nil || rel.IsCA != nil {
		t.Errorf("relatives of one with the CA's name: %+v, %v", rel, err)
	}
}
