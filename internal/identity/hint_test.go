package identity

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/registry"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// aged is a registry whose policies changed longer ago than they did.
type aged struct {
	*watched
	by time.Duration
}

func (a aged) EffectivePolicies(ctx context.Context, p registry.Target, clientID string) (registry.Effective, error) {
	e, err := a.watched.EffectivePolicies(ctx, p, clientID)
	e.Policies = slices.Clone(e.Policies)
	for i := range e.Policies {
		e.Policies[i].AttachedAt = e.Policies[i].AttachedAt.Add(-a.by)
		e.Policies[i].VersionAt = e.Policies[i].VersionAt.Add(-a.by)
	}
	return e, err
}

func (a aged) ListPolicyVersions(ctx context.Context, name string) ([]registry.PolicyVersion, error) {
	list, err := a.watched.ListPolicyVersions(ctx, name)
	for i := range list {
		list[i].CreatedAt = list[i].CreatedAt.Add(-a.by)
	}
	return list, err
}

// TestHint: what explains a denial and stands in no policy that applies.
// Source: policy sheet 16 NOT_DEFAULT_VERSION and RECENT_CHANGE; PROBLEMS D-22.
func TestHint(t *testing.T) {
	const deny = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iot:Publish","Resource":"*"}]}`
	version := func(f *fixture, name, document string, asDefault bool) {
		f.Helper()
		time.Sleep(2 * time.Millisecond) // the registry keeps milliseconds
		_, err := f.reg.CreatePolicyVersion(f.Context(), name, document, asDefault)
		f.must(err)
	}
	for name, tt := range map[string]struct {
		setup  func(f *fixture, who Principal)
		age    time.Duration
		want   Hint // without Changed
		recent bool
	}{
		"a version that was never the default": {
			setup: func(f *fixture, _ Principal) { version(f, "p", allow("iot:Publish", "topic/a"), false) },
			want:  Hint{Policy: "p", Version: "2"},
		},
		"a version of a moment ago": {
			setup: func(f *fixture, _ Principal) {
				version(f, "p", allow("iot:Publish", "topic/a"), true)
				version(f, "p", allow("iot:Publish", "topic/b"), true)
			},
			want: Hint{Policy: "p", Version: "2", RecentPolicy: "p"}, recent: true,
		},
		"back to a former version": {
			setup: func(f *fixture, _ Principal) {
				version(f, "p", allow("iot:Publish", "topic/a"), true)
				time.Sleep(2 * time.Millisecond)
				f.must(f.reg.SetDefaultPolicyVersion(f.Context(), "p", "1"))
			},
			want: Hint{Policy: "p", Version: "2", RecentPolicy: "p"}, recent: true,
		},
		"a version of ten minutes ago": {
			setup: func(f *fixture, _ Principal) {
				version(f, "p", allow("iot:Publish", "topic/a"), true)
				version(f, "p", allow("iot:Publish", "topic/b"), true)
			},
			age: 10 * time.Minute, want: Hint{Policy: "p", Version: "2"},
		},
		"no version allows it": {
			setup: func(f *fixture, _ Principal) { version(f, "p", allow("iot:Publish", "topic/b"), true) },
		},
		"a Deny of a moment ago": {
			setup: func(f *fixture, who Principal) {
				version(f, "p", allow("iot:Publish", "topic/a"), true)
				_, err := f.reg.CreatePolicy(f.Context(), "quarantine", deny, nil)
				f.must(err)
				f.must(f.reg.AttachPolicy(f.Context(), "quarantine", target(who)))
			},
			want: Hint{RecentPolicy: "quarantine"}, recent: true,
		},
		"a Deny of ten minutes ago": {
			setup: func(f *fixture, who Principal) {
				version(f, "p", allow("iot:Publish", "topic/a"), true)
				_, err := f.reg.CreatePolicy(f.Context(), "quarantine", deny, nil)
				f.must(err)
				f.must(f.reg.AttachPolicy(f.Context(), "quarantine", target(who)))
			},
			age: 10 * time.Minute,
		},
		"a Deny without which nothing would allow it": {
			setup: func(f *fixture, who Principal) {
				_, err := f.reg.CreatePolicy(f.Context(), "quarantine", deny, nil)
				f.must(err)
				f.must(f.reg.AttachPolicy(f.Context(), "quarantine", target(who)))
			},
		},
		"policies stayed with the certificate before": {
			setup: func(f *fixture, who Principal) {
				old := f.certificate()
				_, err := f.reg.DetachPolicy(f.Context(), "p", target(who))
				f.must(err)
				f.must(f.reg.AttachPolicy(f.Context(), "p", target(old)))
				_, err = f.reg.CreateThing(f.Context(), registry.NewThing{Name: "dev"})
				f.must(err)
				f.must(f.reg.AttachThingPrincipal(f.Context(), "dev", target(old), registry.NonExclusiveThing))
			},
			want: Hint{PredecessorPolicy: "p"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.s.registry = aged{f.reg, tt.age}
			who := f.certificate()
			f.policy("p", "iot:Publish", "topic/elsewhere")
			f.must(f.reg.AttachPolicy(t.Context(), "p", target(who)))
			tt.setup(f, who)
			a := f.authorize(who, "dev")
			d := a.Explain(policy.Publish, "a")
			if d.Effect == policy.Allow {
				t.Fatal("it is allowed")
			}
			got, err := a.Hint(t.Context(), &d, "a")
			f.must(err)
			if tt.recent != (got.Changed > 0) || got.Changed > time.Minute {
				t.Errorf("changed %v ago", got.Changed)
			}
			if tt.want.PredecessorPolicy != "" && len(got.Predecessor) != 64 {
				t.Errorf("predecessor is %q", got.Predecessor)
			}
			got.Changed, got.Predecessor = 0, ""
			if got != tt.want {
				t.Errorf("Hint of %s = %+v, want %+v", d.Code, got, tt.want)
			}
		})
	}
}
