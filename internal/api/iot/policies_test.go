package iot

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

func TestPolicyLifeCycle(t *testing.T) {
	h := newHandlers(t)
	ctx := t.Context()
	made := must(h.CreatePolicy(ctx, &CreatePolicyRequest{PolicyName: "p", PolicyDocument: allowAll, Tags: []Tag{{Key: "k"}}}))(t)
	want := &CreatePolicyResponse{PolicyName: new("p"), PolicyArn: new(arns + "policy/p"), PolicyDocument: new(allowAll), PolicyVersionId: new("1")}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	_, err := h.CreatePolicy(ctx, &CreatePolicyRequest{PolicyName: "p", PolicyDocument: allowAll})
	wantException(t, err, "ResourceAlreadyExistsException", 409)
	if e := MapError(err); e.ResourceID != "p" || e.ResourceARN != arns+"policy/p" {
		t.Errorf("the exception names %q, %q", e.ResourceID, e.ResourceARN)
	}
	_, err = h.CreatePolicy(ctx, &CreatePolicyRequest{PolicyName: "q", PolicyDocument: `{"Version":"2012-10-17",}`})
	wantException(t, err, "MalformedPolicyException", 400)

	denies := strings.Replace(allowAll, "Allow", "Deny", 1)
	v := must(h.CreatePolicyVersion(ctx, &CreatePolicyVersionRequest{PolicyName: "p", PolicyDocument: denies, SetAsDefault: new(true)}))(t)
	if *v.PolicyVersionId != "2" || !*v.IsDefaultVersion || *v.PolicyDocument != denies {
		t.Errorf("version %+v", v)
	}
	p := must(h.GetPolicy(ctx, &GetPolicyRequest{PolicyName: "p"}))(t)
	if *p.DefaultVersionId != "2" || *p.PolicyDocument != denies || p.CreationDate == nil || p.LastModifiedDate == nil || *p.GenerationId == "" {
		t.Errorf("policy %+v", p)
	}
	one := must(h.GetPolicyVersion(ctx, &GetPolicyVersionRequest{PolicyName: "p", PolicyVersionId: "1"}))(t)
	if *one.IsDefaultVersion || *one.PolicyDocument != allowAll || *one.PolicyName != "p" || one.CreationDate == nil {
		t.Errorf("version 1 %+v", one)
	}
	_, err = h.DeletePolicyVersion(ctx, &DeletePolicyVersionRequest{PolicyName: "p", PolicyVersionId: "2"})
	wantException(t, err, "DeleteConflictException", 409)
	must(h.SetDefaultPolicyVersion(ctx, &SetDefaultPolicyVersionRequest{PolicyName: "p", PolicyVersionId: "1"}))(t)
	if l := must(h.ListPolicyVersions(ctx, &ListPolicyVersionsRequest{PolicyName: "p"}))(t); len(l.PolicyVersions) != 2 || !*l.PolicyVersions[1].IsDefaultVersion {
		t.Errorf("versions %+v", l)
	}
	_, err = h.DeletePolicy(ctx, &DeletePolicyRequest{PolicyName: "p"})
	wantException(t, err, "DeleteConflictException", 409)
	must(h.DeletePolicyVersion(ctx, &DeletePolicyVersionRequest{PolicyName: "p", PolicyVersionId: "2"}))(t)
	for range 4 {
		must(h.CreatePolicyVersion(ctx, &CreatePolicyVersionRequest{PolicyName: "p", PolicyDocument: allowAll}))(t)
	}
	_, err = h.CreatePolicyVersion(ctx, &CreatePolicyVersionRequest{PolicyName: "p", PolicyDocument: allowAll})
	wantException(t, err, "VersionsLimitExceededException", 409)
	if l := must(h.ListPolicies(ctx, &ListPoliciesRequest{}))(t); len(l.Policies) != 1 || *l.Policies[0].PolicyArn != arns+"policy/p" {
		t.Errorf("policies %+v", l)
	}
}

func TestAttachments(t *testing.T) {
	h := newHandlers(t)
	ctx := t.Context()
	cert := must(h.Registry.RegisterCertificateWithoutCA(ctx, newFactory(t).sign(t, "d"), ""))(t)
	must(h.Registry.CreateThingGroup(ctx, registry.NewThingGroup{Name: "g"}))(t)
	must(h.CreatePolicy(ctx, &CreatePolicyRequest{PolicyName: "p", PolicyDocument: allowAll}))(t)
	group := arns + "thinggroup/g"
	must(h.AttachPrincipalPolicy(ctx, &AttachPrincipalPolicyRequest{PolicyName: "p", Principal: cert.ARN}))(t)
	must(h.AttachPolicy(ctx, &AttachPolicyRequest{PolicyName: "p", Target: group}))(t)
	if l := must(h.ListTargetsForPolicy(ctx, &ListTargetsForPolicyRequest{PolicyName: "p"}))(t); !cmp.Equal(l.Targets, []string{cert.ARN, group}) {
		t.Errorf("targets %v", l.Targets)
	}
	if l := must(h.ListPolicyPrincipals(ctx, &ListPolicyPrincipalsRequest{PolicyName: "p"}))(t); !cmp.Equal(l.Principals, []string{cert.ARN}) {
		t.Errorf("principals %v", l.Principals)
	}
	for _, list := range [][]Policy{
		must(h.ListAttachedPolicies(ctx, &ListAttachedPoliciesRequest{Target: cert.ARN}))(t).Policies,
		must(h.ListAttachedPolicies(ctx, &ListAttachedPoliciesRequest{Target: group, Recursive: new(true)}))(t).Policies,
		must(h.ListPrincipalPolicies(ctx, &ListPrincipalPoliciesRequest{Principal: cert.ARN}))(t).Policies,
	} {
		if !cmp.Equal(names(list), []string{"p"}) || *list[0].PolicyArn != arns+"policy/p" {
			t.Errorf("policies %v", names(list))
		}
	}
	must(h.DetachPolicy(ctx, &DetachPolicyRequest{PolicyName: "p", Target: group}))(t)
	must(h.DetachPolicy(ctx, &DetachPolicyRequest{PolicyName: "p", Target: group}))(t)
	must(h.DetachPrincipalPolicy(ctx, &DetachPrincipalPolicyRequest{PolicyName: "p", Principal: cert.ARN}))(t)
	_, err := h.DetachPrincipalPolicy(ctx, &DetachPrincipalPolicyRequest{PolicyName: "p", Principal: cert.ARN})
	wantException(t, err, "ResourceNotFoundException", 404)
	_, err = h.AttachPrincipalPolicy(ctx, &AttachPrincipalPolicyRequest{PolicyName: "p", Principal: group})
	wantException(t, err, "InvalidRequestException", 400)
	for _, target := range []string{strings.Replace(group, "123456789012", "999999999999", 1), "", arns + "thing/t"} {
		_, err = h.AttachPolicy(ctx, &AttachPolicyRequest{PolicyName: "p", Target: target})
		wantException(t, err, "InvalidRequestException", 400)
		_, err = h.DetachPolicy(ctx, &DetachPolicyRequest{PolicyName: "p", Target: target})
		wantException(t, err, "InvalidRequestException", 400)
		_, err = h.ListAttachedPolicies(ctx, &ListAttachedPoliciesRequest{Target: target})
		wantException(t, err, "InvalidRequestException", 400)
	}
}
