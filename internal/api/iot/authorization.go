package iot

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// GetEffectivePolicies answers the policies of a principal, and with a thing
// those of its groups. Policies of IAM roles, which a pool of Amazon Cognito
// stands for, do not exist here. Source: policy sheet 15.
func (h Handlers) GetEffectivePolicies(ctx context.Context, in *GetEffectivePoliciesRequest) (*GetEffectivePoliciesResponse, error) {
	if api.OrZero(in.Principal) == "" && api.OrZero(in.CognitoIdentityPoolId) == "" {
		return nil, registry.Errorf(registry.InvalidRequest, "Give a principal or a cognitoIdentityPoolId.")
	}
	var principal registry.Target
	if in.Principal != nil {
		var err error
		if principal, err = h.Registry.ParseTarget(*in.Principal); err != nil {
			return nil, err
		}
	}
	policies, err := h.Registry.PoliciesFor(ctx, principal, api.OrZero(in.ThingName))
	if err != nil {
		return nil, err
	}
	out := &GetEffectivePoliciesResponse{EffectivePolicies: make([]EffectivePolicy, len(policies))}
	for i, p := range policies {
		out.EffectivePolicies[i] = EffectivePolicy{PolicyArn: &p.ARN, PolicyDocument: &p.Document, PolicyName: &p.Name}
	}
	return out, nil
}

// testActions are the actions that TestAuthorization knows.
var testActions = map[ActionType]policy.Action{
	ActionTypeConnect:   policy.Connect,
	ActionTypePublish:   policy.Publish,
	ActionTypeSubscribe: policy.Subscribe,
	ActionTypeReceive:   policy.Receive,
}

// TestAuthorization decides requests as the gateway would, with what the
// registry knows: no source IP, no SNI, no attributes of a CONNECT.
// Source: policy sheet 15.
func (h Handlers) TestAuthorization(ctx context.Context, in *TestAuthorizationRequest) (*TestAuthorizationResponse, error) {
	facts := &policy.Context{ClientID: api.OrZero(in.ClientId)}
	policies, err := h.policiesToTest(ctx, in, facts)
	if err != nil {
		return nil, err
	}
	out := &TestAuthorizationResponse{AuthResults: make([]AuthResult, len(in.AuthInfos))}
	for i, info := range in.AuthInfos {
		if out.AuthResults[i], err = testOne(policies, facts, info); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// policiesToTest gathers the policies that count for a TestAuthorization, and
// fills facts with what the registry knows of the principal.
func (h Handlers) policiesToTest(ctx context.Context, in *TestAuthorizationRequest, facts *policy.Context) ([]policy.Named, error) {
	var attached []registry.EffectivePolicy
	if in.Principal != nil {
		principal, err := h.Registry.ParseTarget(*in.Principal)
		if err != nil {
			return nil, err
		}
		if attached, err = h.factsOf(ctx, principal, facts); err != nil {
			return nil, err
		}
	}
	for _, name := range in.PolicyNamesToSkip {
		if _, err := h.Registry.Policy(ctx, name); err != nil {
			return nil, err
		}
	}
	attached = slices.DeleteFunc(attached, func(p registry.EffectivePolicy) bool { return slices.Contains(in.PolicyNamesToSkip, p.Name) })
	for _, name := range in.PolicyNamesToAdd {
		p, err := h.Registry.Policy(ctx, name)
		if err != nil {
			return nil, err
		}
		attached = append(attached, registry.EffectivePolicy{Name: p.Name, ARN: p.ARN, Version: p.DefaultVersion, Document: p.Document})
	}
	var named []policy.Named
	for _, p := range attached {
		if slices.ContainsFunc(named, func(n policy.Named) bool { return n.Name == p.Name }) {
			continue // attached twice, or added although attached
		}
		doc, err := policy.Parse([]byte(p.Document))
		if err != nil {
			return nil, fmt.Errorf("read the stored policy %s: %w", p.Name, err)
		}
		named = append(named, policy.Named{Name: p.Name, Version: p.Version, ARN: p.ARN, Source: policy.SourceCertificate, Doc: doc})
	}
	return named, nil
}

// factsOf returns the policies of a principal that connects with the client ID
// of facts, and adds what policies may ask about it. The result holds policies
// of groups only where the connection has a thing.
func (h Handlers) factsOf(ctx context.Context, principal registry.Target, facts *policy.Context) ([]registry.EffectivePolicy, error) {
	// It refuses principals that do not exist, and knows what a group inherits.
	policies, err := h.Registry.PoliciesFor(ctx, principal, "")
	if err != nil || principal.Type == registry.TargetThingGroup {
		return policies, err
	}
	switch principal.Type {
	case registry.TargetIdentity:
		facts.CognitoID = principal.Name
	case registry.TargetCertificate:
		if facts.Certificate, err = h.certificateFacts(ctx, principal.Name); err != nil {
			return nil, err
		}
	default:
	}
	effective, err := h.Registry.EffectivePolicies(ctx, principal, facts.ClientID)
	if err != nil {
		return nil, err
	}
	if t := effective.Thing; t != nil {
		facts.Thing = &policy.Thing{Name: t.Name, Type: t.TypeName, Attributes: t.Attributes, Attached: true, Exclusive: t.Exclusive}
	}
	return effective.Policies, nil
}

// certificateFacts reads what policies may ask about a registered certificate.
func (h Handlers) certificateFacts(ctx context.Context, certificateID string) (*policy.Certificate, error) {
	c, err := h.Registry.Certificate(ctx, certificateID)
	if err != nil {
		return nil, err
	}
	cert, err := registry.FirstCertificate(c.PEM)
	if err != nil {
		return nil, fmt.Errorf("read the stored certificate %s: %w", certificateID, err)
	}
	return policy.CertificateFacts(cert), nil
}

// testOne decides one action on its resources; the worst of them counts.
func testOne(policies []policy.Named, facts *policy.Context, info AuthInfo) (AuthResult, error) {
	action, ok := testActions[api.OrZero(info.ActionType)]
	if !ok {
		return AuthResult{}, registry.Errorf(registry.InvalidRequest, "An authInfo needs an actionType: PUBLISH, SUBSCRIBE, RECEIVE or CONNECT.")
	}
	set := policy.Compile(policies...)
	var allowing, denying, missing []string
	worst := AuthDecisionAllowed
	for _, resource := range info.Resources {
		d, err := set.ExplainARN(facts, action, resource)
		if err != nil {
			return AuthResult{}, registry.Errorf(registry.InvalidRequest, "The resource %q can't be tested: %v", resource, err)
		}
		for _, ref := range d.Matched {
			if ref.Effect == policy.ExplicitDeny {
				denying = append(denying, ref.Policy)
			} else {
				allowing = append(allowing, ref.Policy)
			}
		}
		for _, name := range d.Missing {
			if !slices.Contains(missing, name) {
				missing = append(missing, name)
			}
		}
		switch {
		case d.Effect == policy.ExplicitDeny:
			worst = AuthDecisionExplicitDeny
		case d.Effect == policy.ImplicitDeny && worst == AuthDecisionAllowed:
			worst = AuthDecisionImplicitDeny
		}
	}
	return AuthResult{
		AuthInfo:     &info,
		AuthDecision: &worst,
		Allowed:      &Allowed{Policies: choose(policies, func(name string) bool { return slices.Contains(allowing, name) })},
		Denied: &Denied{
			ExplicitDeny: &ExplicitDeny{Policies: choose(policies, func(name string) bool { return slices.Contains(denying, name) })},
			ImplicitDeny: &ImplicitDeny{Policies: choose(policies, func(name string) bool {
				return !slices.Contains(allowing, name) && !slices.Contains(denying, name)
			})},
		},
		MissingContextValues: missing,
	}, nil
}

// choose lists the policies whose name is wanted.
func choose(policies []policy.Named, wanted func(name string) bool) []Policy {
	chosen := []Policy{}
	for _, p := range policies {
		if wanted(p.Name) {
			chosen = append(chosen, Policy{PolicyName: &p.Name, PolicyArn: &p.ARN})
		}
	}
	return chosen
}
