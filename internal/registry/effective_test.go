package registry

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

func policyNames(list []EffectivePolicy) []string {
	var names []string
	for _, p := range list {
		names = append(names, string(p.AttachedTo.Type)+":"+p.Name)
	}
	return names
}

// Which thing a connection has, and whose policies count. Source: policy sheet 8.
func TestEffectivePolicies(t *testing.T) {
	r := openNew(t)
	ctx := t.Context()
	hierarchy(t, r)
	_ = got(r.CreateThing(ctx, NewThing{Name: "t2"}))(t)
	newPolicy(t, r, "own")
	attached, exclusive, alone := newCert(t, r, StatusActive), newCert(t, r, StatusActive), newCert(t, r, StatusActive)
	for _, c := range []Certificate{attached, exclusive, alone} {
		ok(t, r.AttachPolicy(ctx, "own", certTarget(c)))
	}
	ok(t, r.AttachThingPrincipal(ctx, "t1", certTarget(attached), NonExclusiveThing))
	ok(t, r.AttachThingPrincipal(ctx, "t2", certTarget(attached), NonExclusiveThing))
	_ = got(r.CreateThing(ctx, NewThing{Name: "t3"}))(t)
	ok(t, r.AddThingToGroup(ctx, "t3", "middle"))
	ok(t, r.AttachThingPrincipal(ctx, "t3", certTarget(exclusive), ExclusiveThing))

	t1 := &ConnectionThing{Name: "t1", Attributes: map[string]string{"site": "north"}, Groups: []string{"leaf", "middle", "top"}}
	t2 := &ConnectionThing{Name: "t2", Attributes: map[string]string{}}
	t3 := &ConnectionThing{Name: "t3", Attributes: map[string]string{}, Exclusive: true, Groups: []string{"middle", "top"}}
	own, groups := []string{"cert:own"}, []string{"cert:own", "thinggroup:leaf", "thinggroup:middle", "thinggroup:top"}
	for _, tt := range []struct {
		name     string
		who      Target
		clientID string
		thing    *ConnectionThing
		named    bool
		policies []string
	}{
		{"client ID is an attached thing", certTarget(attached), "t1", t1, false, groups},
		{"another attached thing", certTarget(attached), "t2", t2, false, own},
		{"case differs", certTarget(attached), "T1", nil, false, own},
		{"no such thing", certTarget(attached), "other", nil, false, own},
		{"no client ID", certTarget(attached), "", nil, false, own},
		{"thing of another certificate", certTarget(alone), "t1", nil, true, own},
		{"exclusive, its name", certTarget(exclusive), "t3", t3, false, append(own, "thinggroup:middle", "thinggroup:top")},
		{"exclusive, any client ID", certTarget(exclusive), "t1", t3, false, append(own, "thinggroup:middle", "thinggroup:top")},
		{"exclusive, no client ID", certTarget(exclusive), "", t3, false, append(own, "thinggroup:middle", "thinggroup:top")},
		{"unknown certificate", Target{TargetCertificate, strings.Repeat("0", 64)}, "t1", nil, true, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := got(r.EffectivePolicies(ctx, tt.who, tt.clientID))(t)
			if diff := cmp.Diff(tt.thing, e.Thing, cmp.Transformer("groups", func(g []string) string { return strings.Join(g, ",") })); diff != "" {
				t.Errorf("thing (-want +got):\n%s", diff)
			}
			if e.NamedThing != tt.named {
				t.Errorf("named thing %v, want %v", e.NamedThing, tt.named)
			}
			if diff := cmp.Diff(tt.policies, policyNames(e.Policies)); diff != "" {
				t.Errorf("policies (-want +got):\n%s", diff)
			}
		})
	}
}

// What counts is the default version, with the times that a diagnosis quotes.
func TestEffectivePolicyVersion(t *testing.T) {
	r := openNew(t)
	ctx := t.Context()
	cert := newCert(t, r, StatusActive)
	p := newPolicy(t, r, "p")
	before := time.Now().Add(-time.Second)
	ok(t, r.AttachPolicy(ctx, "p", certTarget(cert)))
	_ = got(r.CreatePolicyVersion(ctx, "p", denyAll, false))(t)
	effective := func() EffectivePolicy { return got(r.EffectivePolicies(ctx, certTarget(cert), "c"))(t).Policies[0] }
	first := effective()
	want := EffectivePolicy{Name: "p", ARN: p.ARN, Version: "1", Document: allowAll, AttachedTo: certTarget(cert), AttachedAt: first.AttachedAt, VersionAt: p.CreatedAt}
	if diff := cmp.Diff(want, first); diff != "" || first.AttachedAt.Before(before) {
		t.Errorf("attached at %v (-want +got):\n%s", first.AttachedAt, diff)
	}
	ok(t, r.SetDefaultPolicyVersion(ctx, "p", "2"))
	if second := effective(); second.Version != "2" || second.Document != denyAll || !second.VersionAt.After(first.VersionAt) || second.AttachedAt != first.AttachedAt {
		t.Errorf("after another default: %+v", second)
	}
}

func TestPoliciesFor(t *testing.T) {
	r := openNew(t)
	ctx := t.Context()
	hierarchy(t, r)
	cert := newCert(t, r, StatusActive)
	newPolicy(t, r, "own")
	ok(t, r.AttachPolicy(ctx, "own", certTarget(cert)))
	ok(t, r.AttachPolicy(ctx, "top", certTarget(cert)))
	for _, tt := range []struct {
		name  string
		who   Target
		thing string
		want  []string
	}{
		{"a certificate", certTarget(cert), "", []string{"cert:own", "cert:top"}},
		{"with a thing that it is not attached to", certTarget(cert), "t1", []string{"thinggroup:leaf", "thinggroup:middle", "cert:own", "cert:top"}},
		{"a group", Target{TargetThingGroup, "middle"}, "", []string{"thinggroup:middle", "thinggroup:top"}},
		{"a thing alone", Target{}, "t1", []string{"thinggroup:leaf", "thinggroup:middle", "thinggroup:top"}},
		{"an identity", Target{TargetIdentity, cognito}, "", nil},
		{"nobody", Target{}, "", nil},
	} {
		if diff := cmp.Diff(tt.want, policyNames(got(r.PoliciesFor(ctx, tt.who, tt.thing))(t))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	_, err := r.PoliciesFor(ctx, certTarget(cert), "none")
	wantRefusal(t, err, ResourceNotFound, "none")
	_, err = r.PoliciesFor(ctx, Target{TargetThingGroup, "none"}, "")
	wantRefusal(t, err, ResourceNotFound, "none")
}

// What the registry costs a connection: reading everything that decides about it.
func BenchmarkEffectivePolicies(b *testing.B) {
	r, err := Open(b.Context(), Config{DataDir: b.TempDir(), AccountID: "123456789012", Region: "us-east-1", Issuer: noIssuer{}})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	cert := Target{TargetCertificate, strings.Repeat("0", 64)}
	err = r.write(b.Context(), func(t *tx) error {
		return t.InsertCertificate(b.Context(), registrydb.InsertCertificateParams{CertificateID: cert.Name, Status: "ACTIVE"})
	})
	if err != nil {
		b.Fatal(err)
	}
	_, err1 := r.CreateThing(b.Context(), NewThing{Name: "t", Attributes: map[string]string{"site": "north"}})
	_, err2 := r.CreateThingGroup(b.Context(), NewThingGroup{Name: "g"})
	_, err3 := r.CreatePolicy(b.Context(), "own", allowAll, nil)
	_, err4 := r.CreatePolicy(b.Context(), "groups", allowAll, nil)
	for _, err := range []error{
		err1, err2, err3, err4,
		r.AddThingToGroup(b.Context(), "t", "g"),
		r.AttachThingPrincipal(b.Context(), "t", cert, NonExclusiveThing),
		r.AttachPolicy(b.Context(), "own", cert),
		r.AttachPolicy(b.Context(), "groups", Target{TargetThingGroup, "g"}),
	} {
		if err != nil {
			b.Fatal(err)
		}
	}
	for _, bb := range []struct{ name, clientID string }{{"thing=none", "x"}, {"thing=in a group", "t"}} {
		b.Run(bb.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := r.EffectivePolicies(b.Context(), cert, bb.clientID); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
