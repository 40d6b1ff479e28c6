package identity

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/registry"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// TestConnectsReadNothing: what a certificate and a thing may do is read once,
// whatever the client IDs, until it changes.
func TestConnectsReadNothing(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	who := f.certificate()
	f.policy("own", "iot:Publish", "topic/own")
	f.policy("group", "iot:Publish", "topic/group")
	f.must(f.reg.AttachPolicy(ctx, "own", target(who)))
	for _, name := range []string{"pump", "stranger"} {
		if _, err := f.reg.CreateThing(ctx, registry.NewThing{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	f.must(f.reg.AttachThingPrincipal(ctx, "pump", target(who), registry.NonExclusiveThing))
	if _, err := f.reg.CreateThingGroup(ctx, registry.NewThingGroup{Name: "g"}); err != nil {
		t.Fatal(err)
	}
	f.must(f.reg.AddThingToGroup(ctx, "pump", "g"))
	f.must(f.reg.AttachPolicy(ctx, "group", registry.Target{Type: registry.TargetThingGroup, Name: "g"}))
	f.authorize(who, "pump")
	before := f.reg.effective.Load()
	for _, tt := range []struct {
		clientID string
		group    policy.Effect
	}{{"pump", policy.Allow}, {"stranger", policy.ImplicitDeny}, {"nobody", policy.ImplicitDeny}, {"", policy.ImplicitDeny}} {
		a := f.authorize(who, tt.clientID)
		if own, group := a.Decide(policy.Publish, "own"), a.Decide(policy.Publish, "group"); own != policy.Allow || group != tt.group {
			t.Errorf("client %q: own %v, group %v; want %v, %v", tt.clientID, own, group, policy.Allow, tt.group)
		}
	}
	if n := f.reg.effective.Load() - before; n != 0 {
		t.Errorf("the registry was read %d times, want none", n)
	}
	if first, second := f.authorize(who, "pump").current.Load().set, f.authorize(who, "pump").current.Load().set; first != second {
		t.Error("two connections of one device have two compiled sets")
	}
}

// TestExplainKnowsNamedThings: an explanation still says that the thing exists
// and is not attached, which no decision needs to know.
func TestExplainKnowsNamedThings(t *testing.T) {
	f := newFixture(t)
	who := f.certificate()
	f.policy("p", "iot:Connect", "client/${iot:Connection.Thing.ThingName}")
	f.must(f.reg.AttachPolicy(t.Context(), "p", target(who)))
	explained := func(clientID string) string {
		return fmt.Sprintf("%+v", f.authorize(who, clientID).Explain(policy.Connect, clientID))
	}
	if got := explained("pump"); !strings.Contains(got, string(policy.CauseClientIDIsNoThing)) {
		t.Errorf("no thing: %s", got)
	}
	if _, err := f.reg.CreateThing(t.Context(), registry.NewThing{Name: "pump"}); err != nil {
		t.Fatal(err)
	}
	if got := explained("pump"); !strings.Contains(got, string(policy.CauseNotAttached)) {
		t.Errorf("a thing that is not attached: %s", got)
	}
}

// TestGrantsFollowTheRegistry changes the registry at random and compares, after
// every change, what new and old connections have with what the registry says.
func TestGrantsFollowTheRegistry(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	rnd := rand.New(rand.NewPCG(1, 2))
	const n = 3
	var certs []Principal
	for range n {
		certs = append(certs, f.certificate())
	}
	thing := func(i int) string { return fmt.Sprintf("t%d", i) }
	for i := range maxGrantThings + 4 {
		if _, err := f.reg.CreateThing(ctx, registry.NewThing{Name: thing(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		f.policy(fmt.Sprintf("p%d", i), "iot:Publish", fmt.Sprintf("topic/%d", i))
		parent := ""
		if i > 0 {
			parent = "g0"
		}
		if _, err := f.reg.CreateThingGroup(ctx, registry.NewThingGroup{Name: fmt.Sprintf("g%d", i), Parent: parent}); err != nil {
			t.Fatal(err)
		}
	}
	// The last certificate has more things than are kept in memory.
	for i := range maxGrantThings + 4 {
		f.must(f.reg.AttachThingPrincipal(ctx, thing(i), target(certs[n-1]), registry.NonExclusiveThing))
	}
	type place struct {
		cert     int
		clientID string
	}
	old := map[place]*Authorization{}
	for c := range certs {
		for _, id := range []string{"t0", "t1", thing(maxGrantThings + 1), "x", ""} {
			old[place{c, id}] = f.authorize(certs[c], id)
		}
	}
	names := func(list []policy.Named) (out []string) {
		for _, p := range list {
			out = append(out, p.Source+" "+p.Name+" "+p.Version)
		}
		return out
	}
	pick := func() int { return rnd.IntN(n) }
	for step := range 150 {
		cert, group, p := certs[pick()], fmt.Sprintf("g%d", pick()), fmt.Sprintf("p%d", pick())
		to := target(cert)
		if rnd.IntN(2) == 0 {
			to = registry.Target{Type: registry.TargetThingGroup, Name: group}
		}
		var what string
		switch rnd.IntN(8) { // a refused change is no change
		case 0:
			what = "attach " + p + " to " + to.Name
			_ = f.reg.AttachPolicy(ctx, p, to)
		case 1:
			what = "detach " + p + " from " + to.Name
			_, _ = f.reg.DetachPolicy(ctx, p, to)
		case 2:
			what = "attach a thing"
			as := registry.NonExclusiveThing
			if rnd.IntN(3) == 0 {
				as = registry.ExclusiveThing
			}
			_ = f.reg.AttachThingPrincipal(ctx, thing(pick()), target(cert), as)
		case 3:
			what = "detach a thing"
			_ = f.reg.DetachThingPrincipal(ctx, thing(pick()), target(cert))
		case 4:
			what = "join " + group
			_ = f.reg.AddThingToGroup(ctx, thing(pick()), group)
		case 5:
			what = "leave " + group
			_ = f.reg.RemoveThingFromGroup(ctx, thing(pick()), group)
		case 6:
			what = "status"
			status := registry.StatusActive
			if rnd.IntN(3) == 0 {
				status = registry.StatusInactive
			}
			f.must(f.reg.UpdateCertificate(ctx, cert.ID, status))
		case 7:
			what = "another version of " + p
			_, _ = f.reg.CreatePolicyVersion(ctx, p, allow("iot:Publish", fmt.Sprintf("topic/%d", rnd.IntN(5))), true)
		}
		for at, a := range old {
			who := certs[at.cert]
			want, err := f.reg.EffectivePolicies(ctx, target(who), at.clientID)
			f.must(err)
			row, err := f.reg.Registry.Certificate(ctx, who.ID)
			f.must(err)
			thing := ""
			if row.Status != registry.StatusActive {
				want = registry.Effective{}
			}
			if want.Thing != nil {
				thing = want.Thing.Name
			}
			compiled, err := f.s.compile(want.Policies)
			f.must(err)
			for kind, got := range map[string]*Authorization{"old": a, "new": f.authorize(who, at.clientID)} {
				if diff := cmp.Diff(names(compiled.compiled.Policies()), names(got.Policies())); diff != "" || got.ThingName() != thing {
					t.Fatalf("step %d, %s: %s connection of certificate %d as %q: thing %q, want %q; policies (-want +got):\n%s",
						step, what, kind, at.cert, at.clientID, got.ThingName(), thing, diff)
				}
				for topic := range 5 {
					name := fmt.Sprint(topic)
					bound := compiled.compiled.Bind(got.current.Load().context)
					if got.Decide(policy.Publish, name) != bound.Decide(policy.Publish, name) {
						t.Fatalf("step %d, %s: %s connection of certificate %d as %q may publish to %s: %v", step, what, kind, at.cert, at.clientID, name, got.Decide(policy.Publish, name))
					}
				}
			}
		}
	}
}

// TestGroupChangeDuringConnects toggles a policy of a group while many connect:
// whoever connects after the change returned has the new answer.
func TestGroupChangeDuringConnects(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	who := f.certificate()
	f.policy("p", "iot:Publish", "topic/a")
	if _, err := f.reg.CreateThing(ctx, registry.NewThing{Name: "pump"}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.reg.CreateThingGroup(ctx, registry.NewThingGroup{Name: "g"}); err != nil {
		t.Fatal(err)
	}
	group := registry.Target{Type: registry.TargetThingGroup, Name: "g"}
	f.must(f.reg.AttachThingPrincipal(ctx, "pump", target(who), registry.NonExclusiveThing))
	f.must(f.reg.AddThingToGroup(ctx, "pump", "g"))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if a, err := f.s.Authorize(ctx, who, "pump", Facts{}); err == nil {
						a.Decide(policy.Publish, "a")
					}
				}
			}
		})
	}
	for i := range 50 {
		f.must(f.reg.AttachPolicy(ctx, "p", group))
		if got := f.authorize(who, "pump").Decide(policy.Publish, "a"); got != policy.Allow {
			t.Fatalf("round %d: attached, and publish is %v", i, got)
		}
		_, err := f.reg.DetachPolicy(ctx, "p", group)
		f.must(err)
		if got := f.authorize(who, "pump").Decide(policy.Publish, "a"); got != policy.ImplicitDeny {
			t.Fatalf("round %d: detached, and publish is %v", i, got)
		}
	}
	close(stop)
	wg.Wait()
}

func BenchmarkAuthorize(b *testing.B) {
	f := newFixture(b)
	who := f.certificate()
	f.policy("p", "iot:Connect", "client/*")
	f.must(f.reg.AttachPolicy(b.Context(), "p", target(who)))
	b.ReportAllocs()
	for b.Loop() {
		f.authorize(who, "pump").Decide(policy.Connect, "pump")
	}
}
