package iot

import (
	"context"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// CreatePolicy makes a policy with one version.
func (h Handlers) CreatePolicy(ctx context.Context, in *CreatePolicyRequest) (*CreatePolicyResponse, error) {
	p, err := h.Registry.CreatePolicy(ctx, in.PolicyName, in.PolicyDocument, tagsIn(in.Tags))
	if err != nil {
		return nil, err
	}
	return &CreatePolicyResponse{PolicyArn: &p.ARN, PolicyDocument: &p.Document, PolicyName: &p.Name, PolicyVersionId: &p.DefaultVersion}, nil
}

// GetPolicy answers a policy with its default document.
func (h Handlers) GetPolicy(ctx context.Context, in *GetPolicyRequest) (*GetPolicyResponse, error) {
	p, err := h.Registry.Policy(ctx, in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &GetPolicyResponse{
		CreationDate:     api.TimeOf(p.CreatedAt),
		DefaultVersionId: &p.DefaultVersion,
		GenerationId:     &p.GenerationID,
		LastModifiedDate: api.TimeOf(p.LastModifiedAt),
		PolicyArn:        &p.ARN,
		PolicyDocument:   &p.Document,
		PolicyName:       &p.Name,
	}, nil
}

// ListPolicies lists all policies by their creation.
func (h Handlers) ListPolicies(ctx context.Context, in *ListPoliciesRequest) (*ListPoliciesResponse, error) {
	items, next, err := list(ctx, in.Marker, in.PageSize, api.OrZero(in.AscendingOrder), nil,
		func(p registry.Page) (registry.Listing[string], error) { return h.Registry.ListPolicies(ctx, p) }, h.policyItem)
	return &ListPoliciesResponse{Policies: items, NextMarker: next}, err
}

// policyItem names a policy in a list.
func (h Handlers) policyItem(name string) Policy {
	return Policy{PolicyName: &name, PolicyArn: new(h.Registry.ARN("policy", name))}
}

// DeletePolicy deletes a policy.
func (h Handlers) DeletePolicy(ctx context.Context, in *DeletePolicyRequest) (*DeletePolicyResponse, error) {
	return &DeletePolicyResponse{}, h.Registry.DeletePolicy(ctx, in.PolicyName)
}

// CreatePolicyVersion adds a version to a policy.
func (h Handlers) CreatePolicyVersion(ctx context.Context, in *CreatePolicyVersionRequest) (*CreatePolicyVersionResponse, error) {
	v, err := h.Registry.CreatePolicyVersion(ctx, in.PolicyName, in.PolicyDocument, api.OrZero(in.SetAsDefault))
	if err != nil {
		return nil, err
	}
	return &CreatePolicyVersionResponse{PolicyArn: &v.ARN, PolicyDocument: &v.Document, PolicyVersionId: &v.Version, IsDefaultVersion: &v.Default}, nil
}

// GetPolicyVersion answers one version of a policy.
func (h Handlers) GetPolicyVersion(ctx context.Context, in *GetPolicyVersionRequest) (*GetPolicyVersionResponse, error) {
	v, err := h.Registry.PolicyVersion(ctx, in.PolicyName, in.PolicyVersionId)
	if err != nil {
		return nil, err
	}
	return &GetPolicyVersionResponse{
		CreationDate:     api.TimeOf(v.CreatedAt),
		GenerationId:     &v.GenerationID,
		IsDefaultVersion: &v.Default,
		LastModifiedDate: api.TimeOf(v.CreatedAt), // a version never changes
		PolicyArn:        &v.ARN,
		PolicyDocument:   &v.Document,
		PolicyName:       &v.PolicyName,
		PolicyVersionId:  &v.Version,
	}, nil
}

// ListPolicyVersions lists the versions of a policy, newest first.
func (h Handlers) ListPolicyVersions(ctx context.Context, in *ListPolicyVersionsRequest) (*ListPolicyVersionsResponse, error) {
	versions, err := h.Registry.ListPolicyVersions(ctx, in.PolicyName)
	if err != nil {
		return nil, err
	}
	out := &ListPolicyVersionsResponse{PolicyVersions: make([]PolicyVersion, len(versions))}
	for i, v := range versions {
		out.PolicyVersions[i] = PolicyVersion{CreateDate: api.TimeOf(v.CreatedAt), IsDefaultVersion: &v.Default, VersionId: &v.Version}
	}
	return out, nil
}

// SetDefaultPolicyVersion chooses the version that counts.
func (h Handlers) SetDefaultPolicyVersion(ctx context.Context, in *SetDefaultPolicyVersionRequest) (*SetDefaultPolicyVersionResponse, error) {
	return &SetDefaultPolicyVersionResponse{}, h.Registry.SetDefaultPolicyVersion(ctx, in.PolicyName, in.PolicyVersionId)
}

// DeletePolicyVersion deletes a version that does not count.
func (h Handlers) DeletePolicyVersion(ctx context.Context, in *DeletePolicyVersionRequest) (*DeletePolicyVersionResponse, error) {
	return &DeletePolicyVersionResponse{}, h.Registry.DeletePolicyVersion(ctx, in.PolicyName, in.PolicyVersionId)
}
