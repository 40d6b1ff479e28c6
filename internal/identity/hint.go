package identity

import (
	"context"
	"fmt"

	"github.com/gatehouse-iot/gatehouse/internal/registry"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// A Hint is what explains a refusal and stands in no policy that applies. Zero
// fields are unknown.
type Hint struct {
	// Predecessor is the ID of another certificate of the thing, and
	// PredecessorPolicy a policy attached to it: certificates were rotated, and
	// the policies stayed behind. Source: PROBLEMS D-22.
	Predecessor, PredecessorPolicy string
	// Policy has a Version that is not the default and would allow it.
	// Source: policy sheet 16 NOT_DEFAULT_VERSION.
	Policy, Version string
}

// Hint looks for what explains the decision d about name. It reads the registry
// and compiles policies: for refusals only, and not for all of a flood.
func (a *Authorization) Hint(ctx context.Context, d *policy.Decision, name string) (Hint, error) {
	r := a.fresh()
	switch {
	case r.err != nil || d.Effect != policy.ImplicitDeny:
		return Hint{}, nil // a deny stays one whatever else allows
	case d.Code == policy.CodeNoneAttached:
		return a.service.predecessor(ctx, a.who.ID, r.context.ClientID)
	}
	return a.service.otherVersion(ctx, r, d.Action, name)
}

// Predecessor is what [Authorization.Hint] says of a certificate without
// policies that connects as clientID, which may be unknown.
func (s *Service) Predecessor(ctx context.Context, certificateID, clientID string) (Hint, error) {
	return s.predecessor(ctx, certificateID, clientID)
}

func (s *Service) predecessor(ctx context.Context, certificateID, clientID string) (Hint, error) {
	things, err := s.ThingsOfCertificate(ctx, certificateID)
	if err != nil {
		return Hint{}, err
	}
	if clientID != "" {
		things = append(things, clientID) // the thing may have stayed behind too
	}
	for _, thing := range things {
		others, err := s.CertificatesOfThing(ctx, thing)
		if err != nil {
			return Hint{}, err
		}
		for _, id := range others {
			if id == certificateID {
				continue
			}
			e, err := s.registry.EffectivePolicies(ctx, registry.Target{Type: registry.TargetCertificate, Name: id}, "")
			if err != nil {
				return Hint{}, fmt.Errorf("read policies of certificate %s: %w", id, err)
			}
			for _, p := range e.Policies {
				if p.AttachedTo.Type == registry.TargetCertificate {
					return Hint{Predecessor: id, PredecessorPolicy: p.Name}, nil
				}
			}
		}
	}
	return Hint{}, nil
}

// otherVersion looks for a version of a policy that would allow action on name
// in the place of the default one.
func (s *Service) otherVersion(ctx context.Context, r *resolved, action policy.Action, name string) (Hint, error) {
	docs := r.set.compiled.Policies()
	for i := range docs {
		versions, err := s.registry.ListPolicyVersions(ctx, docs[i].Name)
		if registry.IsKind(err, registry.ResourceNotFound) {
			continue // deleted a moment ago
		} else if err != nil {
			return Hint{}, fmt.Errorf("list versions of policy %s: %w", docs[i].Name, err)
		}
		for _, v := range versions {
			if v.Version == docs[i].Version {
				continue
			}
			parsed, err := s.document(registry.EffectivePolicy{Name: v.PolicyName, Version: v.Version, Document: v.Document})
			if err != nil {
				return Hint{}, err
			}
			with := append([]policy.Named(nil), docs...)
			with[i].Version, with[i].Doc = v.Version, parsed.doc
			if policy.Compile(with...).Bind(r.context).Decide(action, name) == policy.Allow {
				return Hint{Policy: v.PolicyName, Version: v.Version}, nil
			}
		}
	}
	return Hint{}, nil
}
