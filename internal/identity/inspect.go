package identity

import (
	"context"
	"crypto/x509"
	"fmt"

	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// directory is the part of the registry that explanations look into.
type directory interface {
	CertificateHistory(ctx context.Context, certificateID string) ([]registry.StatusChange, error)
	ListPolicyVersions(ctx context.Context, name string) ([]registry.PolicyVersion, error)
	ListThingPrincipals(ctx context.Context, thing string, only registry.ThingPrincipalType, p registry.Page) (registry.Listing[registry.ThingPrincipal], error)
	ListPrincipalThings(ctx context.Context, principal registry.Target, only registry.ThingPrincipalType, p registry.Page) (registry.Listing[registry.ThingPrincipal], error)
	CACertificate(ctx context.Context, caID string) (registry.CACertificate, error)
	CACertificatesOfSubject(ctx context.Context, rawSubject []byte) ([]registry.CACertificate, error)
	NewestCertificateOfSubject(ctx context.Context, rawSubject []byte) (c registry.Certificate, ok bool, err error)
}

// maxThings bounds what an explanation reads of things: a refused device must cost little.
const maxThings = 10

// CertificateARN returns the ARN of a certificate of this account.
func (s *Service) CertificateARN(certificateID string) string {
	return "arn:" + s.partition + ":iot:" + s.region + ":" + s.account + ":cert/" + certificateID
}

// HasPolicies tells whether any policy applies to a certificate, its own or one
// of a group of its thing, when it connects as clientID. With an empty clientID
// the groups of any of its things count.
func (s *Service) HasPolicies(ctx context.Context, certificateID, clientID string) (bool, error) {
	target := registry.Target{Type: registry.TargetCertificate, Name: certificateID}
	names := []string{clientID}
	if clientID == "" {
		things, err := s.ThingsOfCertificate(ctx, certificateID)
		if err != nil {
			return false, err
		}
		names = append(names, things...)
	}
	for _, name := range names {
		e, err := s.registry.EffectivePolicies(ctx, target, name)
		if err != nil {
			return false, err
		}
		if len(e.Policies) > 0 {
			return true, nil
		}
	}
	return false, nil
}

// ThingsOfCertificate returns the names of some things that a registered
// certificate is attached to.
func (s *Service) ThingsOfCertificate(ctx context.Context, certificateID string) ([]string, error) {
	target := registry.Target{Type: registry.TargetCertificate, Name: certificateID}
	list, err := s.registry.ListPrincipalThings(ctx, target, "", registry.Page{Size: maxThings})
	if err != nil {
		return nil, fmt.Errorf("list things of certificate %s: %w", certificateID, err)
	}
	names := make([]string, len(list.Items))
	for i, t := range list.Items {
		names[i] = t.Thing
	}
	return names, nil
}

// CertificatesOfThing returns the IDs of some certificates that are attached to
// a thing, none when there is no such thing.
func (s *Service) CertificatesOfThing(ctx context.Context, thing string) ([]string, error) {
	list, err := s.registry.ListThingPrincipals(ctx, thing, "", registry.Page{Size: maxThings})
	if registry.IsKind(err, registry.ResourceNotFound) || registry.IsKind(err, registry.InvalidRequest) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("list principals of thing %s: %w", thing, err)
	}
	var ids []string
	for _, p := range list.Items {
		if p.Principal.Type == registry.TargetCertificate {
			ids = append(ids, p.Principal.Name)
		}
	}
	return ids, nil
}

// Relatives are what the registry knows about a certificate that is not in it.
// Zero fields are unknown.
type Relatives struct {
	Deleted registry.StatusChange   // how its registration ended, when it was registered once
	IsCA    *registry.CACertificate // the certificate itself is a registered CA
	Signer  *registry.CACertificate // the registered CA that signed it
	Twin    *registry.Certificate   // a registered certificate with the same subject

	TwinPolicies []string // names of the policies that the twin has itself
}

// Relatives looks for relatives of a certificate that is not registered.
// Source: PROBLEMS D-17, D-23.
func (s *Service) Relatives(ctx context.Context, leaf *x509.Certificate, fp Fingerprint) (Relatives, error) {
	var rel Relatives
	history, err := s.registry.CertificateHistory(ctx, fp.String())
	if err != nil {
		return rel, fmt.Errorf("read history of certificate %s: %w", fp, err)
	}
	if n := len(history); n > 0 {
		rel.Deleted = history[n-1]
	}
	switch ca, err := s.registry.CACertificate(ctx, fp.String()); {
	case err == nil:
		rel.IsCA = &ca
	case !registry.IsKind(err, registry.ResourceNotFound):
		return rel, fmt.Errorf("look up CA certificate %s: %w", fp, err)
	}
	cas, err := s.registry.CACertificatesOfSubject(ctx, leaf.RawIssuer)
	if err != nil {
		return rel, fmt.Errorf("list CA certificates of %s: %w", leaf.Issuer, err)
	}
	for _, ca := range cas {
		cert, err := registry.FirstCertificate(ca.PEM)
		if ca.ID != fp.String() && err == nil && cert.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil {
			rel.Signer = &ca
		}
	}
	if leaf.Subject.CommonName == issuedName || len(leaf.Subject.Names) == 0 {
		return rel, nil // AWS gives all that it issues one name
	}
	twin, found, err := s.registry.NewestCertificateOfSubject(ctx, leaf.RawSubject)
	if err != nil {
		return rel, fmt.Errorf("look for certificates of %s: %w", leaf.Subject, err)
	}
	if found {
		rel.Twin = &twin
		e, err := s.registry.EffectivePolicies(ctx, registry.Target{Type: registry.TargetCertificate, Name: rel.Twin.ID}, "")
		if err != nil {
			return rel, err
		}
		for _, p := range e.Policies {
			if p.AttachedTo.Type == registry.TargetCertificate {
				rel.TwinPolicies = append(rel.TwinPolicies, p.Name)
			}
		}
	}
	return rel, nil
}

// issuedName is the common name of every certificate that AWS IoT issues.
// Source: connect sheet 4.2.
const issuedName = "AWS IoT Certificate"
