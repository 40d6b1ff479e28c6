package server

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/gateway"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// reloadTime bounds how long a change of a domain waits for the database.
const reloadTime = 10 * time.Second

// followDomains serves the domain configurations of the registry, now and after
// every change, without a restart. Connections that are there stay.
func (s *Server) followDomains(ctx context.Context, endpoints *gateway.Endpoints) error {
	if err := s.loadDomains(ctx, endpoints); err != nil {
		return fmt.Errorf("read the domain configurations: %w", err)
	}
	unwatch := s.registry.Watch(func(c registry.Change) {
		if c.Kind != registry.DomainChanged {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), reloadTime)
		defer cancel()
		if err := s.loadDomains(ctx, endpoints); err != nil { // what was served before is served on
			s.cfg.Log.LogAttrs(ctx, slog.LevelError, "cannot read the domain configurations", slog.Any("error", err))
		}
	})
	s.opened = append(s.opened, func() error { unwatch(); return nil })
	return nil
}

// loadDomains reads all domain configurations with their certificates.
func (s *Server) loadDomains(ctx context.Context, endpoints *gateway.Endpoints) error {
	domains, err := s.registry.CustomDomains(ctx)
	if err != nil {
		return err
	}
	served := make([]gateway.Endpoint, len(domains))
	for i, d := range domains {
		cert, err := s.registry.TLSCertificate(ctx, d.ServerCertificateARN)
		if err != nil {
			return fmt.Errorf("server certificate of %s: %w", d.Name, err)
		}
		served[i] = gateway.Endpoint{
			Name: d.Name, Host: d.DomainName, Disabled: d.Status == registry.DomainDisabled, SecurityPolicy: d.SecurityPolicy,
			AuthenticationType: d.AuthenticationType, ApplicationProtocol: d.ApplicationProtocol,
			CertificateRejection: gateway.Rejection(s.cfg.CertificateRejection), Certificate: cert,
			Authorizer: identity.AuthorizerChoice{Configuration: d.Name, Authorizer: d.Authorizer.DefaultName, AllowOverride: d.Authorizer.AllowOverride},
		}
	}
	return endpoints.Replace(served...)
}

// ServerCertificatesPath takes server certificates for domain configurations.
// AWS has another service for that (Certificate Manager), of which Gatehouse has
// nothing but this.
const ServerCertificatesPath = "/gatehouse/v1/server-certificates"

// A CertificateImport is the body of a POST to [ServerCertificatesPath], all in PEM form.
type CertificateImport struct {
	CertificateARN string `json:"certificateArn,omitempty"` // of the one to renew; empty: a new one
	Certificate    string `json:"certificate"`
	Chain          string `json:"chain,omitempty"`
	PrivateKey     string `json:"privateKey"`
}

// ImportedCertificate is the answer to it.
type ImportedCertificate struct {
	CertificateARN string    `json:"certificateArn"`
	Names          []string  `json:"names"`
	NotAfter       time.Time `json:"notAfter"`
}

// maxImport bounds the body of an import.
const maxImport = 64 << 10

// importCertificate answers POST on [ServerCertificatesPath].
func (s *Server) importCertificate(r *http.Request) (any, error) {
	var in CertificateImport
	if r.Method != http.MethodPost {
		return nil, methodNotAllowed("Use POST.")
	}
	if err := readJSON(r, maxImport, &in); err != nil {
		return nil, registry.Errorf(registry.InvalidRequest, "The body is not the JSON of a server certificate.")
	}
	c, err := s.registry.ImportServerCertificate(r.Context(), in.CertificateARN, registry.ServerCertificatePEM{
		Certificate: in.Certificate, Chain: in.Chain, PrivateKey: in.PrivateKey,
	})
	return ImportedCertificate{CertificateARN: c.ARN, Names: c.Names, NotAfter: c.NotAfter}, err
}

// AuthorizerEventsPath is followed by the trace ID of an attempt, and answers what
// the function of its authorizer was invoked with.
const AuthorizerEventsPath = "/gatehouse/v1/authorizer-events/"

// readAuthorizerEvents is the action that they need: with
// --record-authorizer-events they hold tokens and passwords of devices, which
// gatehouse:Read on everything must not give away.
const readAuthorizerEvents = "gatehouse:ReadAuthorizerEvents"

// An AuthorizerEvent is that answer.
type AuthorizerEvent struct {
	Authorizer  string          `json:"authorizer"`
	FunctionARN string          `json:"functionArn"`
	Redacted    bool            `json:"redacted"` // credentials were taken out: --record-authorizer-events is off
	Event       json.RawMessage `json:"event"`
}

// authorizerEvent answers GET below [AuthorizerEventsPath].
func (s *Server) authorizerEvent(r *http.Request) (any, error) {
	e, ok := s.authorizers.Event(r.URL.Path[len(AuthorizerEventsPath):])
	if !ok {
		return nil, registry.Errorf(registry.ResourceNotFound, "No invocation of an authorizer is known for that attempt; the latest ones are, until a restart.")
	}
	return AuthorizerEvent{Authorizer: e.Authorizer, FunctionARN: e.FunctionARN, Redacted: e.Redacted, Event: e.Event}, nil
}
