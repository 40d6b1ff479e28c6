package registry

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCreatePolicy(t *testing.T) {
	r := openNew(t)
	ctx := t.Context()
	seen := watchAll(t, r)
	p := got(r.CreatePolicy(ctx, "p", allowAll, []Tag{{"k", "v"}}))(t)
	want := Policy{
		Name: "p", ARN: "arn:aws:iot:us-east-1:123456789012:policy/p", DefaultVersion: "1", Document: allowAll,
		GenerationID: p.GenerationID, CreatedAt: p.CreatedAt, DefaultChangedAt: p.CreatedAt, LastModifiedAt: p.CreatedAt,
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(p, got(r.Policy(ctx, "p"))(t)); diff != "" {
		t.Errorf("stored (-created +stored):\n%s", diff)
	}
	if diff := cmp.Diff([]Change{{Kind: PolicyChanged, PolicyName: "p"}}, *seen); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	for _, document := range []string{allowAll, denyAll, "{"} {
		_, err := r.CreatePolicy(ctx, "p", document, nil)
		wantRefusal(t, err, ResourceAlreadyExists, "Policy cannot be created - name already exists (name=p)")
		wantAbout(t, err, "p", p.ARN)
	}
	_ = got(r.CreatePolicy(ctx, "P", denyAll, nil))(t) // names are case-sensitive
	_, err := r.CreatePolicy(ctx, "tags", allowAll, []Tag{{"k", "1"}, {"k", "2"}})
	wantRefusal(t, err, InvalidRequest, "twice")
	_, err = r.Policy(ctx, "tags")
	wantRefusal(t, err, ResourceNotFound, "Policy not found")
}

func TestMalformedPolicy(t *testing.T) {
	r := openNew(t)
	newPolicy(t, r, "p")
	for _, tt := range []struct{ document, want string }{
		{"{\n \"Statement\": [],\n}", "line"}, // a trailing comma, with its place
		{`{"Version":"2012-10-17"}`, "Statement"},
		{`{"Version":"2012-10-17","Statement":[{"Effect":"allow","Action":"iot:*","Resource":"*"}]}`, "Effect"},
		{strings.Replace(allowAll, `"*"}`, `"arn:aws:iot:us-east-1:123456789012:topic/`+strings.Repeat("x", 2048)+`"}`, 1), "2048"},
	} {
		_, err := r.CreatePolicy(t.Context(), "new", tt.document, nil)
		wantRefusal(t, err, MalformedPolicy, tt.want)
		wantRefusal(t, err, MalformedPolicy, "Policy document is Malformed")
		_, err = r.CreatePolicyVersion(t.Context(), "p", tt.document, true)
		wantRefusal(t, err, MalformedPolicy, tt.want)
	}
	spaced := strings.ReplaceAll(allowAll, ",", ","+strings.Repeat(" \n", 2000))
	if p := got(r.CreatePolicy(t.Context(), "spaced", spaced, nil))(t); p.Document != spaced {
		t.Error("a document with white space was changed")
	}
}

func TestPolicyVersions(t *testing.T) {
	r := openNew(t)
	ctx := t.Context()
	p := newPolicy(t, r, "p")
	seen := watchAll(t, r)
	for i := 2; i <= 5; i++ {
		v := got(r.CreatePolicyVersion(ctx, "p", denyAll, i == 3))(t)
		if v.Version != fmt.Sprint(i) || v.Default != (i == 3) || v.Document != denyAll || v.ARN != p.ARN {
			t.Errorf("version %d: %+v", i, v)
		}
	}
	_, err := r.CreatePolicyVersion(ctx, "p", denyAll, true)
	wantRefusal(t, err, VersionsLimitExceeded, "The policy p already has the maximum number of versions (5)")
	if diff := cmp.Diff([]Change{{Kind: PolicyChanged, PolicyName: "p"}}, *seen); diff != "" {
		t.Errorf("only a new default is a change (-want +got):\n%s", diff)
	}
	after := got(r.Policy(ctx, "p"))(t)
	if after.DefaultVersion != "3" || after.Document != denyAll || after.GenerationID == p.GenerationID || !after.DefaultChangedAt.After(p.DefaultChangedAt) {
		t.Errorf("policy %+v", after)
	}

	wantRefusal(t, r.DeletePolicyVersion(ctx, "p", "3"), DeleteConflict, "Cannot delete the default version of a policy")
	ok(t, r.DeletePolicyVersion(ctx, "p", "2"))
	for _, version := range []string{"2", "6", "03", "x", "", "-1", "99999999999999999999"} {
		_, err := r.PolicyVersion(ctx, "p", version)
		wantRefusal(t, err, ResourceNotFound, "no version "+version)
		wantRefusal(t, r.DeletePolicyVersion(ctx, "p", version), ResourceNotFound, "no version")
		wantRefusal(t, r.SetDefaultPolicyVersion(ctx, "p", version), ResourceNotFound, "no version")
	}
	if v := got(r.CreatePolicyVersion(ctx, "p", allowAll, false))(t); v.Version != "6" {
		t.Errorf("after deleting 2 the next is %s, want 6", v.Version)
	}
	ok(t, r.SetDefaultPolicyVersion(ctx, "p", "1"))
	ok(t, r.SetDefaultPolicyVersion(ctx, "p", "1"))
	if v := got(r.PolicyVersion(ctx, "p", "1"))(t); !v.Default || v.Document != allowAll || v.PolicyName != "p" {
		t.Errorf("version 1: %+v", v)
	}
	if len(*seen) != 2 {
		t.Errorf("changes: %v, want one more for the new default", *seen)
	}
	var listed []string
	for _, v := range got(r.ListPolicyVersions(ctx, "p"))(t) {
		listed = append(listed, fmt.Sprintf("%s %t", v.Version, v.Default))
	}
	if diff := cmp.Diff([]string{"6 false", "5 false", "4 false", "3 false", "1 true"}, listed); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}

	_, err = r.CreatePolicyVersion(ctx, "q", allowAll, true)
	wantRefusal(t, err, ResourceNotFound, "q")
	_, err = r.ListPolicyVersions(ctx, "q")
	wantRefusal(t, err, ResourceNotFound, "q")
	_, err = r.PolicyVersion(ctx, "q", "1")
	wantRefusal(t, err, ResourceNotFound, "q")
}

func TestDeletePolicy(t *testing.T) {
	r := openNew(t)
	ctx := t.Context()
	_ = got(r.CreatePolicy(ctx, "p", allowAll, []Tag{{"k", "v"}}))(t)
	cert := newCert(t, r, StatusActive)
	ok(t, r.AttachPolicy(ctx, "p", certTarget(cert)))
	_ = got(r.CreatePolicyVersion(ctx, "p", denyAll, true))(t)

	wantRefusal(t, r.DeletePolicy(ctx, "p"), DeleteConflict, "The policy cannot be deleted as the policy is attached to one or more principals (name=p)")
	if detached := got(r.DetachPolicy(ctx, "p", certTarget(cert)))(t); !detached {
		t.Error("it was attached")
	}
	wantRefusal(t, r.DeletePolicy(ctx, "p"), DeleteConflict, "Cannot delete the policy because it has one or more policy versions attached to it (name=p)")
	ok(t, r.DeletePolicyVersion(ctx, "p", "1"))
	ok(t, r.DeletePolicy(ctx, "p"))
	wantRefusal(t, r.DeletePolicy(ctx, "p"), ResourceNotFound, "p")

	again := newPolicy(t, r, "p") // begins from 1, without the old tags
	if tags := got(r.ListTags(ctx, again.ARN, Page{}))(t); again.DefaultVersion != "1" || len(tags.Items) != 0 {
		t.Errorf("made again: version %s, tags %v", again.DefaultVersion, tags.Items)
	}
}

func TestListPolicies(t *testing.T) {
	r := openNew(t)
	names := []string{"z", "m", "a", "q", "b"} // by creation
	for _, name := range names {
		newPolicy(t, r, name)
	}
	for _, descending := range []bool{false, true} {
		listed := all(t, 2, descending, func(p Page) (Listing[string], error) { return r.ListPolicies(t.Context(), p) })
		want := slices.Clone(names)
		if descending {
			slices.Reverse(want)
		}
		if diff := cmp.Diff(want, listed); diff != "" {
			t.Errorf("descending %v (-want +got):\n%s", descending, diff)
		}
	}
	_, err := r.ListPolicies(t.Context(), Page{After: "wrong"})
	wantRefusal(t, err, InvalidRequest, "marker")
}
