package identity

import (
	"context"
	"fmt"

	"github.com/gatehouse-iot/gatehouse/internal/registry"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// targetUser is what a user's policy is attached to. The registry attaches
// policies of AWS IoT, so it is no target of its own.
const targetUser registry.TargetType = "user"

// UserPrincipal returns who a signed request of user acts as. Its ID is the
// user's: AIDA..., or the account ID for the root user. Source: mqtt sheet 17.6.
func (s *Service) UserPrincipal(user registry.User) Principal {
	return Principal{Kind: KindUser, ID: user.ID, ARN: user.ARN, AccountID: s.account}
}

// Status returns the status that a principal has now: of a certificate its own,
// of a user ACTIVE or DELETED. It is as fresh as what the registry's watchers are told.
func (s *Service) Status(ctx context.Context, who Principal) (registry.CertificateStatus, error) {
	if who.Kind != KindUser {
		return s.CertificateStatus(ctx, who.ID)
	}
	_, err := s.registry.UserByID(ctx, who.ID)
	switch {
	case registry.IsKind(err, registry.ResourceNotFound):
		return registry.StatusDeleted, nil
	case err != nil:
		return "", err
	}
	return registry.StatusActive, nil
}

// userGrants returns what holds now for a user, from memory where nothing
// changed. Nothing is allowed to one that was removed.
func (s *Service) userGrants(ctx context.Context, userID string) (*grants, error) {
	if g, ok := s.granted.get(userID); ok && g.holds(s.clock) {
		return g, nil
	}
	before := s.clock.now.Load()
	user, err := s.registry.UserByID(ctx, userID)
	if err != nil && !registry.IsKind(err, registry.ResourceNotFound) {
		return nil, fmt.Errorf("look up user %s: %w", userID, err)
	}
	var own []registry.EffectivePolicy
	if err == nil {
		own = []registry.EffectivePolicy{{
			Name: user.PolicyName, Document: user.PolicyDocument, AttachedTo: registry.Target{Type: targetUser, Name: user.Name},
		}}
	}
	g := &grants{}
	if g.set, err = s.compile(own); err != nil {
		return nil, err
	}
	var ok bool
	if g.basis, ok = s.clock.basisOf(before, []input{{inputUser, userID}}); ok {
		s.granted.put(userID, g, nil)
	}
	return g, nil
}

// resolveUser is resolveOnce for a user: IAM policies alone count, and the
// connection belongs to no thing. Source: policy sheet 11.
func (s *Service) resolveUser(ctx context.Context, who Principal, facts *policy.Context) *resolved {
	own, err := s.userGrants(ctx, who.ID)
	if err != nil {
		return &resolved{context: facts, err: err}
	}
	pctx := new(policy.Context)
	*pctx = *facts
	pctx.Thing, pctx.Certificate = nil, nil
	r := &resolved{set: own.set, context: pctx}
	r.inputs = own.inputs
	r.bound = own.set.compiled.Bind(pctx)
	return r
}
