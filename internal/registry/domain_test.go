package registry

import (
	"fmt"
	"slices"
	"testing"
)

// TestDomainPairs: which authentication type goes with which application
// protocol. Source: connect sheet 1.3.
func TestDomainPairs(t *testing.T) {
	r := openNew(t)
	cert, err := r.ImportServerCertificate(t.Context(), "", served(t, nil, "iot.example.com"))
	if err != nil {
		t.Fatal(err)
	}
	d := DomainConfiguration{Name: "d", DomainName: "iot.example.com", ServerCertificateARN: cert.ARN}
	if _, err := r.CreateDomainConfiguration(t.Context(), d, nil); err != nil {
		t.Fatal(err)
	}
	taken := []string{
		"DEFAULT DEFAULT", "AWS_X509 SECURE_MQTT", "AWS_X509 HTTPS", "CUSTOM_AUTH_X509 SECURE_MQTT", "CUSTOM_AUTH_X509 HTTPS",
		"AWS_SIGV4 MQTT_WSS", "AWS_SIGV4 HTTPS", "CUSTOM_AUTH SECURE_MQTT", "CUSTOM_AUTH MQTT_WSS", "CUSTOM_AUTH HTTPS",
	}
	for _, authentication := range []string{"DEFAULT", "AWS_X509", "CUSTOM_AUTH_X509", "AWS_SIGV4", "CUSTOM_AUTH"} {
		for _, protocol := range []string{"DEFAULT", "SECURE_MQTT", "MQTT_WSS", "HTTPS"} {
			_, err := r.UpdateDomainConfiguration(t.Context(), "d", DomainUpdate{AuthenticationType: &authentication, ApplicationProtocol: &protocol})
			if want := slices.Contains(taken, authentication+" "+protocol); (err == nil) != want || err != nil && !IsKind(err, InvalidRequest) {
				t.Errorf("%s with %s: %v, want it taken: %v", authentication, protocol, err, want)
			}
		}
	}
}

// TestDomainLimit: ten domain configurations, and one that is deleted makes room. Source: connect sheet 1.2.
func TestDomainLimit(t *testing.T) {
	r := openNew(t)
	cert, err := r.ImportServerCertificate(t.Context(), "", served(t, nil, "*.example.com"))
	if err != nil {
		t.Fatal(err)
	}
	add := func(n int) error {
		name := fmt.Sprintf("d%d", n)
		_, err := r.CreateDomainConfiguration(t.Context(), DomainConfiguration{Name: name, DomainName: name + ".example.com", ServerCertificateARN: cert.ARN}, nil)
		return err
	}
	for n := range maxDomainConfigurations {
		if err := add(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := add(maxDomainConfigurations); !IsKind(err, LimitExceeded) {
		t.Errorf("one too many: %v", err)
	}
	if _, err := r.UpdateDomainConfiguration(t.Context(), "d0", DomainUpdate{Status: new(DomainDisabled)}); err != nil {
		t.Fatal(err)
	}
	if err := r.DeleteDomainConfiguration(t.Context(), "d0"); err != nil {
		t.Fatal(err)
	}
	if err := add(maxDomainConfigurations); err != nil {
		t.Errorf("after one was deleted: %v", err)
	}
}
