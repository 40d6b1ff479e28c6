package iot

import (
	"context"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// AttachPolicy attaches a policy to a certificate, a thing group or an Amazon
// Cognito identity.
func (h Handlers) AttachPolicy(ctx context.Context, in *AttachPolicyRequest) (*AttachPolicyResponse, error) {
	target, err := h.Registry.ParseTarget(in.Target)
	if err != nil {
		return nil, err
	}
	return &AttachPolicyResponse{}, h.Registry.AttachPolicy(ctx, in.PolicyName, target)
}

// DetachPolicy detaches a policy. To detach what is not attached succeeds: the
// model has no exception for it.
func (h Handlers) DetachPolicy(ctx context.Context, in *DetachPolicyRequest) (*DetachPolicyResponse, error) {
	target, err := h.Registry.ParseTarget(in.Target)
	if err != nil {
		return nil, err
	}
	_, err = h.Registry.DetachPolicy(ctx, in.PolicyName, target)
	return &DetachPolicyResponse{}, err
}

// ListAttachedPolicies lists the policies of a target, with recursive those of
// the groups above a group too.
func (h Handlers) ListAttachedPolicies(ctx context.Context, in *ListAttachedPoliciesRequest) (*ListAttachedPoliciesResponse, error) {
	target, err := h.Registry.ParseTarget(in.Target)
	if err != nil {
		return nil, err
	}
	items, next, err := list(ctx, in.Marker, in.PageSize, true, []any{in.Target, in.Recursive},
		func(p registry.Page) (registry.Listing[string], error) {
			return h.Registry.ListAttachedPolicies(ctx, target, api.OrZero(in.Recursive), p)
		}, h.policyItem)
	return &ListAttachedPoliciesResponse{Policies: items, NextMarker: next}, err
}

// ListTargetsForPolicy lists who has a policy.
func (h Handlers) ListTargetsForPolicy(ctx context.Context, in *ListTargetsForPolicyRequest) (*ListTargetsForPolicyResponse, error) {
	items, next, err := list(ctx, in.Marker, in.PageSize, true, []any{in.PolicyName},
		func(p registry.Page) (registry.Listing[registry.Target], error) {
			return h.Registry.ListTargetsOfPolicy(ctx, in.PolicyName, p)
		}, h.Registry.TargetARN)
	return &ListTargetsForPolicyResponse{Targets: items, NextMarker: next}, err
}

// AttachPrincipalPolicy is the deprecated form of AttachPolicy for principals.
func (h Handlers) AttachPrincipalPolicy(ctx context.Context, in *AttachPrincipalPolicyRequest) (*AttachPrincipalPolicyResponse, error) {
	principal, err := h.Registry.ParsePrincipal(in.Principal)
	if err != nil {
		return nil, err
	}
	return &AttachPrincipalPolicyResponse{}, h.Registry.AttachPolicy(ctx, in.PolicyName, principal)
}

// DetachPrincipalPolicy is the deprecated form of DetachPolicy for principals:
// it refuses what is not attached.
func (h Handlers) DetachPrincipalPolicy(ctx context.Context, in *DetachPrincipalPolicyRequest) (*DetachPrincipalPolicyResponse, error) {
	principal, err := h.Registry.ParsePrincipal(in.Principal)
	if err != nil {
		return nil, err
	}
	return &DetachPrincipalPolicyResponse{}, h.Registry.DetachPrincipalPolicy(ctx, in.PolicyName, principal)
}

// ListPrincipalPolicies is the deprecated form of ListAttachedPolicies.
func (h Handlers) ListPrincipalPolicies(ctx context.Context, in *ListPrincipalPoliciesRequest) (*ListPrincipalPoliciesResponse, error) {
	principal, err := h.Registry.ParsePrincipal(in.Principal)
	if err != nil {
		return nil, err
	}
	items, next, err := list(ctx, in.Marker, in.PageSize, api.OrZero(in.AscendingOrder), []any{in.Principal},
		func(p registry.Page) (registry.Listing[string], error) {
			return h.Registry.ListAttachedPolicies(ctx, principal, false, p)
		}, h.policyItem)
	return &ListPrincipalPoliciesResponse{Policies: items, NextMarker: next}, err
}

// ListPolicyPrincipals is the deprecated form of ListTargetsForPolicy: it leaves
// thing groups out.
func (h Handlers) ListPolicyPrincipals(ctx context.Context, in *ListPolicyPrincipalsRequest) (*ListPolicyPrincipalsResponse, error) {
	items, next, err := list(ctx, in.Marker, in.PageSize, api.OrZero(in.AscendingOrder), []any{in.PolicyName},
		func(p registry.Page) (registry.Listing[registry.Target], error) {
			return h.Registry.ListPrincipalsOfPolicy(ctx, in.PolicyName, p)
		}, h.Registry.TargetARN)
	return &ListPolicyPrincipalsResponse{Principals: items, NextMarker: next}, err
}
