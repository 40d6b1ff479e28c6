package registry

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const cognito = "us-east-1:01234567-89ab-cdef-0123-456789abcdef"

func TestAttachPolicy(t *testing.T) {
	r := openNew(t)
	ctx := t.Context()
	cert := newCert(t, r, "")
	_ = got(r.CreateThingGroup(ctx, NewThingGroup{Name: "g"}))(t)
	newPolicy(t, r, "p")
	targets := []Target{certTarget(cert), {TargetIdentity, cognito}, {TargetThingGroup, "g"}}
	seen := watchAll(t, r)
	for _, target := range targets {
		ok(t, r.AttachPolicy(ctx, "p", target))
		ok(t, r.AttachPolicy(ctx, "p", target)) // twice is once
	}
	want := []Change{
		{Kind: AttachmentChanged, PolicyName: "p", Target: cert.ARN, CertificateID: cert.ID},
		{Kind: AttachmentChanged, PolicyName: "p", Target: cognito},
		{Kind: AttachmentChanged, PolicyName: "p", Target: "arn:aws:iot:us-east-1:123456789012:thinggroup/g", GroupName: "g"},
	}
	if diff := cmp.Diff(want, *seen); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	list := func(p Page) (Listing[Target], error) { return r.ListTargetsOfPolicy(ctx, "p", p) }
	if diff := cmp.Diff(targets, all(t, 1, false, list)); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	principals := func(p Page) (Listing[Target], error) { return r.ListPrincipalsOfPolicy(ctx, "p", p) }
	if diff := cmp.Diff(targets[:2], all(t, 1, false, principals)); diff != "" {
		t.Errorf("principals (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Target{targets[1], targets[0]}, all(t, 1, true, principals)); diff != "" {
		t.Errorf("principals, descending (-want +got):\n%s", diff)
	}

	unknown := strings.Repeat("0", 64)
	wantRefusal(t, r.AttachPolicy(ctx, "q", targets[0]), ResourceNotFound, "q")
	wantRefusal(t, r.AttachPolicy(ctx, "p", Target{TargetCertificate, unknown}), ResourceNotFound, unknown)
	wantRefusal(t, r.AttachPolicy(ctx, "p", Target{TargetThingGroup, "none"}), ResourceNotFound, "arn:aws:iot:us-east-1:123456789012:thinggroup/none")
	for _, list := range []func(Page) (Listing[Target], error){
		func(p Page) (Listing[Target], error) { return r.ListTargetsOfPolicy(ctx, "q", p) },
		func(p Page) (Listing[Target], error) { return r.ListPrincipalsOfPolicy(ctx, "q", p) },
	} {
		_, err := list(Page{})
		wantRefusal(t, err, ResourceNotFound, "q")
	}
	_, err := list(Page{After: "bad"})
	wantRefusal(t, err, InvalidRequest, "marker")
}

func TestPolicyLimits(t *testing.T) {
	r := openNew(t)
	ctx := t.Context()
	cert := newCert(t, r, "")
	_ = got(r.CreateThingGroup(ctx, NewThingGroup{Name: "g"}))(t)
	for i := range 11 {
		newPolicy(t, r, fmt.Sprintf("p%02d", i))
	}
	for _, tt := range []struct {
		target Target
		limit  int
	}{
		{certTarget(cert), 10},
		{Target{TargetIdentity, cognito}, 10},
		{Target{TargetThingGroup, "g"}, 2},
	} {
		for i := range tt.limit {
			ok(t, r.AttachPolicy(ctx, fmt.Sprintf("p%02d", i), tt.target))
		}
		wantRefusal(t, r.AttachPolicy(ctx, "p10", tt.target), LimitExceeded, fmt.Sprintf("%d policies", tt.limit))
		ok(t, r.AttachPolicy(ctx, "p00", tt.target)) // what is attached stays a success
	}
	listed := all(t, 3, false, func(p Page) (Listing[string], error) { return r.ListAttachedPolicies(ctx, certTarget(cert), false, p) })
	if len(listed) != 10 || !slices.IsSorted(listed) {
		t.Errorf("policies of the certificate: %v", listed)
	}
	reversed := all(t, 3, true, func(p Page) (Listing[string], error) { return r.ListAttachedPolicies(ctx, certTarget(cert), false, p) })
	slices.Reverse(reversed)
	if diff := cmp.Diff(listed, reversed); diff != "" {
		t.Errorf("descending differs from ascending:\n%s", diff)
	}
}

func TestDetachPolicy(t *testing.T) {
	r := openNew(t)
	ctx := t.Context()
	cert := newCert(t, r, "")
	newPolicy(t, r, "p")
	ok(t, r.AttachPolicy(ctx, "p", certTarget(cert)))
	seen := watchAll(t, r)
	for i, want := range []bool{true, false} {
		if detached := got(r.DetachPolicy(ctx, "p", certTarget(cert)))(t); detached != want {
			t.Errorf("call %d: detached %v, want %v", i, detached, want)
		}
	}
	if len(*seen) != 1 {
		t.Errorf("changes %v, want one", *seen)
	}
	wantRefusal(t, r.DetachPrincipalPolicy(ctx, "p", certTarget(cert)), ResourceNotFound, "not attached")
	wantRefusal(t, r.DetachPrincipalPolicy(ctx, "q", certTarget(cert)), ResourceNotFound, "Policy not found")
	if got(r.DetachPolicy(ctx, "q", certTarget(cert)))(t) {
		t.Error("a policy that does not exist was detached")
	}
	for _, nobody := range []Target{{TargetCertificate, strings.Repeat("0", 64)}, {TargetThingGroup, "none"}} {
		_, err := r.DetachPolicy(ctx, "p", nobody)
		wantRefusal(t, err, InvalidRequest, "Invalid Target: "+r.TargetARN(nobody))
		wantRefusal(t, r.DetachPrincipalPolicy(ctx, "p", nobody), ResourceNotFound, nobody.Name)
	}
	ok(t, r.AttachPolicy(ctx, "p", certTarget(cert)))
	ok(t, r.DetachPrincipalPolicy(ctx, "p", certTarget(cert)))
}

// hierarchy makes the groups top > middle > leaf, with the thing t1 in leaf, and
// policies of the same names.
func hierarchy(t *testing.T, r *Registry) {
	t.Helper()
	parent := ""
	for _, name := range []string{"top", "middle", "leaf"} {
		_ = got(r.CreateThingGroup(t.Context(), NewThingGroup{Name: name, Parent: parent}))(t)
		newPolicy(t, r, name)
		ok(t, r.AttachPolicy(t.Context(), name, Target{TargetThingGroup, name}))
		parent = name
	}
	_ = got(r.CreateThing(t.Context(), NewThing{Name: "t1", Attributes: map[string]string{"site": "north"}}))(t)
	ok(t, r.AddThingToGroup(t.Context(), "t1", "leaf"))
}

func TestListAttachedPoliciesOfGroups(t *testing.T) {
	r := openNew(t)
	ctx := t.Context()
	hierarchy(t, r)
	ok(t, r.AttachPolicy(ctx, "top", Target{TargetThingGroup, "leaf"})) // inherited and its own: once
	for _, tt := range []struct {
		group     string
		recursive bool
		want      []string
	}{
		{"leaf", false, []string{"leaf", "top"}},
		{"leaf", true, []string{"leaf", "middle", "top"}},
		{"middle", true, []string{"middle", "top"}},
		{"top", true, []string{"top"}},
	} {
		listed := all(t, 1, false, func(p Page) (Listing[string], error) {
			return r.ListAttachedPolicies(ctx, Target{TargetThingGroup, tt.group}, tt.recursive, p)
		})
		if diff := cmp.Diff(tt.want, listed); diff != "" {
			t.Errorf("%s, recursive %v (-want +got):\n%s", tt.group, tt.recursive, diff)
		}
	}
	_, err := r.ListAttachedPolicies(ctx, Target{TargetThingGroup, "none"}, true, Page{})
	wantRefusal(t, err, ResourceNotFound, "none")
	_, err = r.ListAttachedPolicies(ctx, Target{TargetCertificate, strings.Repeat("0", 64)}, false, Page{})
	wantRefusal(t, err, ResourceNotFound, "")
	if l := got(r.ListAttachedPolicies(ctx, Target{TargetIdentity, cognito}, false, Page{}))(t); len(l.Items) != 0 {
		t.Errorf("policies of an identity without any: %v", l.Items)
	}
}

// A deleted group leaves no attachment behind, which a group of the same name would inherit.
func TestDeletedGroupDetaches(t *testing.T) {
	r := openNew(t)
	ctx := t.Context()
	_ = got(r.CreateThingGroup(ctx, NewThingGroup{Name: "g"}))(t)
	newPolicy(t, r, "p")
	ok(t, r.AttachPolicy(ctx, "p", Target{TargetThingGroup, "g"}))
	if err := r.DeleteThingGroup(ctx, "g", nil); err != nil {
		_ = got(r.DetachPolicy(ctx, "p", Target{TargetThingGroup, "g"}))(t) // a refusal is right too
		ok(t, r.DeleteThingGroup(ctx, "g", nil))
	}
	_ = got(r.CreateThingGroup(ctx, NewThingGroup{Name: "g"}))(t)
	if l := got(r.ListAttachedPolicies(ctx, Target{TargetThingGroup, "g"}, false, Page{}))(t); len(l.Items) != 0 {
		t.Errorf("a new group has the policies %v of an old one", l.Items)
	}
	ok(t, r.DeletePolicy(ctx, "p"))
}
