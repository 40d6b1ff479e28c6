package iot

import (
	"crypto"
	"errors"
	"fmt"
	"testing"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// noIssuer signs nothing: these tests need no certificate.
type noIssuer struct{}

func (noIssuer) IssueDevice(crypto.PublicKey) ([]byte, error) { return nil, errors.New("no issuer") }

func TestDescribeEndpoint(t *testing.T) {
	reg, err := registry.Open(t.Context(), registry.Config{
		DataDir: t.TempDir(), AccountID: "123456789012", Region: "us-east-1", Endpoint: "iot.example.com", Issuer: noIssuer{},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer reg.Close()
	h := Handlers{Registry: reg}
	for _, kind := range []*string{nil, new("iot:Data"), new("iot:Data-ATS"), new("iot:CredentialProvider"), new("iot:Jobs")} {
		out, err := h.DescribeEndpoint(t.Context(), &DescribeEndpointRequest{EndpointType: kind})
		if err != nil || out.EndpointAddress == nil || *out.EndpointAddress != "iot.example.com" {
			t.Errorf("type %v: %+v, %v", kind, out, err)
		}
	}
	_, err = h.DescribeEndpoint(t.Context(), &DescribeEndpointRequest{EndpointType: new("iot:Nothing")})
	if e := MapError(err); e == nil || e.Code != "InvalidRequestException" || e.Status != 400 {
		t.Errorf("unknown type: %v, want InvalidRequestException", err)
	}
}

// TestMapError holds every kind of the registry to an exception of this model.
func TestMapError(t *testing.T) {
	for kind, status := range map[registry.Kind]int{
		registry.InvalidRequest:             400,
		registry.ResourceNotFound:           404,
		registry.ResourceAlreadyExists:      409,
		registry.DeleteConflict:             409,
		registry.LimitExceeded:              410,
		registry.VersionConflict:            409,
		registry.VersionsLimitExceeded:      409,
		registry.MalformedPolicy:            400,
		registry.CertificateState:           406,
		registry.CertificateConflict:        409,
		registry.CertificateValidation:      400,
		registry.RegistrationCodeValidation: 400,
	} {
		err := fmt.Errorf("wrapped: %w", registry.Errorf(kind, "100%% of %s", "it").About("id", "arn"))
		e := MapError(err)
		if e == nil || e.Code != string(kind) || e.Status != status || e.Message != "100% of it" {
			t.Fatalf("%s: %+v, want status %d", kind, e, status)
		}
		wantID, wantARN := "", ""
		if kind == registry.ResourceAlreadyExists { // the others have no members for it in the model
			wantID, wantARN = "id", "arn"
		}
		if e.ResourceID != wantID || e.ResourceARN != wantARN {
			t.Errorf("%s is about %q, %q; want %q, %q", kind, e.ResourceID, e.ResourceARN, wantID, wantARN)
		}
	}
	if e := MapError(registry.Errorf("StrangeException", "x")); e != nil {
		t.Errorf("a kind that the model lacks: %+v, want none", e)
	}
	if e := MapError(errors.New("disk full")); e != nil {
		t.Errorf("broken machinery: %+v, want none", e)
	}
	if e := api.From(errors.New("disk full")); e.Status != 500 || e.Message != "An unexpected error has occurred." {
		t.Errorf("broken machinery: %+v", e)
	}
}
