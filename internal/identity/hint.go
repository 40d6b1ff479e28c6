package identity

import (
	"context"
	"fmt"
	"time"

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
	// RecentPolicy changed Changed ago, itself or its attachment, and before that
	// the answer was another: AWS may still give that one.
	// Source: policy sheet 1, 16 RECENT_CHANGE.
	RecentPolicy string
	Changed      time.Duration
}

// awsCaches is how long AWS may answer from policies that have changed since.
// Source: policy sheet 1.
const awsCaches = 8 * time.Minute

// Hint looks for what explains the decision d about name. It reads the registry
// and compiles policies: for refusals only, and not for all of a flood.
func (a *Authorization) Hint(ctx context.Context, d *policy.Decision, name string) (Hint, error) {
	r := a.fresh()
	switch {
	case r.err != nil || a.who.Kind != KindCertificate:
		return Hint{}, nil
	case d.Code == policy.CodeNoneAttached:
		return a.service.predecessor(ctx, a.who.ID, r.context.ClientID)
	case d.Effect == policy.ExplicitDeny:
		return a.recentDeny(ctx, r, d)
	}
	h, made, err := a.service.otherVersion(ctx, r, d.Action, name)
	if err != nil || h.Version == "" {
		return h, err
	}
	return a.recent(ctx, r, h, func(p *registry.EffectivePolicy) time.Time {
		if p.Name != h.Policy || !p.VersionAt.After(made) {
			return time.Time{} // the other version came later and was never the default
		}
		return p.VersionAt
	})
}

// recentDeny looks for a Deny that came a moment ago and alone stands in the way.
func (a *Authorization) recentDeny(ctx context.Context, r *resolved, d *policy.Decision) (Hint, error) {
	denies := map[string]bool{}
	allowed := false
	for _, m := range d.Matched {
		if m.Effect == policy.Allow {
			allowed = true
		} else {
			denies[m.Policy] = true
		}
	}
	if !allowed || len(denies) > 1 {
		return Hint{}, nil // the former state denied it too, or another policy does
	}
	return a.recent(ctx, r, Hint{}, func(p *registry.EffectivePolicy) time.Time {
		switch {
		case !denies[p.Name]:
			return time.Time{}
		case p.VersionAt.After(p.AttachedAt):
			return p.VersionAt
		}
		return p.AttachedAt
	})
}

// recent adds the policy whose time of change, as since tells it, is younger
// than what AWS's caches may hold. A zero time is none.
func (a *Authorization) recent(ctx context.Context, r *resolved, h Hint, since func(*registry.EffectivePolicy) time.Time) (Hint, error) {
	e, err := a.service.registry.EffectivePolicies(ctx, registry.Target{Type: registry.TargetCertificate, Name: a.who.ID}, r.context.ClientID)
	if err != nil {
		return h, fmt.Errorf("read policies of certificate %s: %w", a.who.ID, err)
	}
	for i := range e.Policies {
		p := &e.Policies[i]
		if ago := time.Since(since(p)); ago < awsCaches {
			h.RecentPolicy, h.Changed = p.Name, max(ago, 0)
			return h, nil
		}
	}
	return h, nil
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
// in the place of the default one, and tells when it was made.
func (s *Service) otherVersion(ctx context.Context, r *resolved, action policy.Action, name string) (h Hint, made time.Time, err error) {
	docs := r.set.compiled.Policies()
	for i := range docs {
		versions, err := s.registry.ListPolicyVersions(ctx, docs[i].Name)
		if registry.IsKind(err, registry.ResourceNotFound) {
			continue // deleted a moment ago
		} else if err != nil {
			return Hint{}, time.Time{}, fmt.Errorf("list versions of policy %s: %w", docs[i].Name, err)
		}
		for _, v := range versions {
			if v.Version == docs[i].Version {
				continue
			}
			parsed, err := s.document(registry.EffectivePolicy{Name: v.PolicyName, Version: v.Version, Document: v.Document})
			if err != nil {
				return Hint{}, time.Time{}, err
			}
			with := append([]policy.Named(nil), docs...)
			with[i].Version, with[i].Doc = v.Version, parsed.doc
			if policy.Compile(with...).Bind(r.context).Decide(action, name) == policy.Allow {
				return Hint{Policy: v.PolicyName, Version: v.Version}, v.CreatedAt, nil
			}
		}
	}
	return Hint{}, time.Time{}, nil
}
