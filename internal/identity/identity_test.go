package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/gatehouse-iot/gatehouse/internal/pki"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
	"github.com/gatehouse-iot/gatehouse/policy"
)

var authority *pki.Authority

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "identity")
	if err != nil {
		panic(err)
	}
	if authority, err = pki.Open(pki.Config{Dir: dir, Hosts: []string{"localhost"}}); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { os.RemoveAll(dir); os.Exit(code) }))
}

// watched is a registry whose readings are counted and can be interrupted.
type watched struct {
	*registry.Registry
	effective atomic.Int64 // readings of policies

	mu    sync.Mutex
	after map[string]func() // guarded by mu: runs once, after the next reading of "policies" or a "certificate"
	err   error             // guarded by mu: what readings fail with
}

func (w *watched) interrupt(reading string) error {
	w.mu.Lock()
	fn, err := w.after[reading], w.err
	delete(w.after, reading)
	w.mu.Unlock()
	if fn != nil {
		fn()
	}
	return err
}

func (w *watched) onRead(reading string, fn func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.after = map[string]func(){reading: fn}
}

func (w *watched) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

func (w *watched) EffectivePolicies(ctx context.Context, p registry.Target, clientID string) (registry.Effective, error) {
	w.effective.Add(1)
	e, err := w.Registry.EffectivePolicies(ctx, p, clientID)
	return e, errors.Join(err, w.interrupt("policies"))
}

func (w *watched) PrincipalGrants(ctx context.Context, p registry.Target, things int) (registry.Grants, error) {
	w.effective.Add(1)
	g, err := w.Registry.PrincipalGrants(ctx, p, things)
	return g, errors.Join(err, w.interrupt("policies"))
}

func (w *watched) ThingGrants(ctx context.Context, name string) (registry.ConnectionThing, []registry.EffectivePolicy, error) {
	w.effective.Add(1)
	thing, policies, err := w.Registry.ThingGrants(ctx, name)
	return thing, policies, errors.Join(err, w.interrupt("thing"))
}

func (w *watched) Certificate(ctx context.Context, id string) (registry.Certificate, error) {
	c, err := w.Registry.Certificate(ctx, id)
	if err != nil {
		return c, err
	}
	return c, w.interrupt("certificate")
}

type fixture struct {
	testing.TB
	reg *watched
	s   *Service
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	reg, err := registry.Open(t.Context(), registry.Config{DataDir: t.TempDir(), AccountID: "123456789012", Region: "us-east-1", Endpoint: "localhost", Issuer: authority})
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{Registry: reg}
	s, err := New(Config{Registry: w, AccountID: "123456789012", Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		if err := reg.Close(); err != nil {
			t.Error(err)
		}
	})
	return &fixture{t, w, s}
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) certificate() Principal {
	f.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	f.must(err)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	f.must(err)
	c, err := f.reg.CreateCertificateFromCSR(f.Context(), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})), true)
	f.must(err)
	return Principal{Kind: KindCertificate, ID: c.ID, ARN: c.ARN, AccountID: "123456789012"}
}

func (f *fixture) policy(name, action, resource string) {
	f.Helper()
	_, err := f.reg.CreatePolicy(f.Context(), name, allow(action, resource), nil)
	f.must(err)
}

func allow(action, resource string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action + `","Resource":"arn:aws:iot:us-east-1:123456789012:` + resource + `"}]}`
}

func target(who Principal) registry.Target {
	return registry.Target{Type: registry.TargetCertificate, Name: who.ID}
}

func (f *fixture) authorize(who Principal, clientID string) *Authorization {
	f.Helper()
	a, err := f.s.Authorize(f.Context(), who, clientID, Facts{Protocol: policy.MQTT})
	f.must(err)
	return a
}

// TestChangesCountAtOnce changes every input of an authorization, and asks right after.
func TestChangesCountAtOnce(t *testing.T) {
	f := newFixture(t)
	who := f.certificate()
	a := f.authorize(who, "pump")
	ctx := t.Context()
	expect := func(what string, want policy.Effect) {
		t.Helper()
		if got := a.Decide(policy.Publish, "dt/pump"); got != want {
			t.Errorf("%s: publish is %v, want %v", what, got, want)
		}
	}
	expect("no policy", policy.ImplicitDeny)
	f.policy("p", "iot:Publish", "topic/dt/*")
	f.must(f.reg.AttachPolicy(ctx, "p", target(who)))
	expect("attached", policy.Allow)
	_, err := f.reg.CreatePolicyVersion(ctx, "p", allow("iot:Publish", "topic/other"), true)
	f.must(err)
	expect("another version", policy.ImplicitDeny)
	f.must(f.reg.SetDefaultPolicyVersion(ctx, "p", "1"))
	expect("the first version again", policy.Allow)
	_, err = f.reg.DetachPolicy(ctx, "p", target(who))
	f.must(err)
	expect("detached", policy.ImplicitDeny)

	// A policy of that name that begins anew at version 1.
	f.must(f.reg.DeletePolicyVersion(ctx, "p", "2"))
	f.must(f.reg.DeletePolicy(ctx, "p"))
	f.policy("p", "iot:Publish", "topic/elsewhere")
	f.must(f.reg.AttachPolicy(ctx, "p", target(who)))
	expect("made anew", policy.ImplicitDeny)

	// By the thing of the connection.
	f.policy("thing", "iot:Publish", "topic/dt/${iot:Connection.Thing.ThingName}")
	f.must(f.reg.AttachPolicy(ctx, "thing", target(who)))
	expect("no thing", policy.ImplicitDeny)
	if _, err := f.reg.CreateThing(ctx, registry.NewThing{Name: "pump"}); err != nil {
		t.Fatal(err)
	}
	expect("a thing that is not attached", policy.ImplicitDeny)
	f.must(f.reg.AttachThingPrincipal(ctx, "pump", target(who), registry.NonExclusiveThing))
	expect("attached to the thing", policy.Allow)
	if got := a.ThingName(); got != "pump" {
		t.Errorf("thing name %q, want pump", got)
	}
	f.must(f.reg.DetachThingPrincipal(ctx, "pump", target(who)))
	expect("detached from the thing", policy.ImplicitDeny)

	// By a status.
	f.must(f.reg.AttachThingPrincipal(ctx, "pump", target(who), registry.NonExclusiveThing))
	expect("attached again", policy.Allow)
	f.must(f.reg.UpdateCertificate(ctx, who.ID, registry.StatusInactive))
	expect("certificate inactive", policy.ImplicitDeny)
	f.must(f.reg.UpdateCertificate(ctx, who.ID, registry.StatusActive))
	expect("certificate active", policy.Allow)
}

// TestGroupChanges: membership, and policies of a group and of its parent.
func TestGroupChanges(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	who := f.certificate()
	if _, err := f.reg.CreateThing(ctx, registry.NewThing{Name: "pump"}); err != nil {
		t.Fatal(err)
	}
	f.must(f.reg.AttachThingPrincipal(ctx, "pump", target(who), registry.NonExclusiveThing))
	f.policy("p", "iot:Publish", "topic/a")
	for _, g := range []registry.NewThingGroup{{Name: "parent"}, {Name: "child", Parent: "parent"}} {
		if _, err := f.reg.CreateThingGroup(ctx, g); err != nil {
			t.Fatal(err)
		}
	}
	a := f.authorize(who, "pump")
	expect := func(what string, want policy.Effect) {
		t.Helper()
		if got := a.Decide(policy.Publish, "a"); got != want {
			t.Errorf("%s: publish is %v, want %v", what, got, want)
		}
	}
	expect("no group", policy.ImplicitDeny)
	f.must(f.reg.AddThingToGroup(ctx, "pump", "child"))
	expect("member", policy.ImplicitDeny)
	parent := registry.Target{Type: registry.TargetThingGroup, Name: "parent"}
	f.must(f.reg.AttachPolicy(ctx, "p", parent))
	expect("policy of the parent", policy.Allow)
	if got := a.Policies(); len(got) != 1 || got[0].Source != policy.SourceGroup+"parent" {
		t.Errorf("policies %+v, want one of group parent", got)
	}
	f.must(f.reg.RemoveThingFromGroup(ctx, "pump", "child"))
	expect("no member", policy.ImplicitDeny)
}

// TestChangeDuringResolve commits a change after the registry was read and
// before the answer is kept: it must count all the same.
func TestChangeDuringResolve(t *testing.T) {
	f := newFixture(t)
	who := f.certificate()
	f.policy("p", "iot:Publish", "topic/a")
	a := f.authorize(who, "c")
	if got := a.Decide(policy.Publish, "a"); got != policy.ImplicitDeny {
		t.Fatalf("publish is %v before the change", got)
	}
	for i := range 20 {
		// Each change makes the next question resolve, and comes with another
		// one in the middle of that.
		want := policy.Allow
		change := func() { f.must(f.reg.AttachPolicy(context.Background(), "p", target(who))) }
		if i%2 == 1 {
			want, change = policy.ImplicitDeny, func() { f.must(detach(f, who)) }
		}
		f.must(f.reg.UpdateCertificate(t.Context(), who.ID, registry.StatusInactive))
		f.must(f.reg.UpdateCertificate(t.Context(), who.ID, registry.StatusActive))
		f.reg.onRead("policies", change)
		a.Decide(policy.Publish, "a") // may be old or new: it overlaps the change
		if got := a.Decide(policy.Publish, "a"); got != want {
			t.Fatalf("round %d: publish is %v after the change, want %v", i, got, want)
		}
	}
}

func detach(f *fixture, who Principal) error {
	_, err := f.reg.DetachPolicy(context.Background(), "p", target(who))
	return err
}

// TestCertificateChangeDuringLookup: a status that changes while it is read is
// not kept in its old form.
func TestCertificateChangeDuringLookup(t *testing.T) {
	f := newFixture(t)
	who := f.certificate()
	fp, _ := ParseFingerprint(who.ID)
	f.reg.onRead("certificate", func() { f.must(f.reg.UpdateCertificate(context.Background(), who.ID, registry.StatusRevoked)) })
	if c, found, err := f.s.CertificateByFingerprint(t.Context(), fp); err != nil || !found || c.Status != registry.StatusActive {
		t.Fatalf("the look-up that overlaps the change: %+v, %v, %v", c, found, err)
	}
	if c, _, err := f.s.CertificateByFingerprint(t.Context(), fp); err != nil || c.Status != registry.StatusRevoked {
		t.Errorf("the look-up after the change: %+v, %v, want REVOKED", c, err)
	}
	f.must(f.reg.DeleteCertificate(t.Context(), who.ID, true))
	if c, found, err := f.s.CertificateByFingerprint(t.Context(), fp); err != nil || found {
		t.Errorf("the look-up after deletion: %+v, %v, %v", c, found, err)
	}
}

// TestOtherChangesCostNothing: a change that concerns others is not read for.
func TestOtherChangesCostNothing(t *testing.T) {
	f := newFixture(t)
	who, other := f.certificate(), f.certificate()
	f.policy("p", "iot:Publish", "topic/a")
	f.policy("q", "iot:Publish", "topic/b")
	f.must(f.reg.AttachPolicy(t.Context(), "p", target(who)))
	a := f.authorize(who, "c")
	a.Decide(policy.Publish, "a")
	before, generation := f.reg.effective.Load(), a.Generation()
	f.must(f.reg.AttachPolicy(t.Context(), "q", target(other)))
	f.must(f.reg.AttachPolicy(t.Context(), "p", target(other))) // the same policy, another target
	if _, err := f.reg.CreateThing(t.Context(), registry.NewThing{Name: "unrelated"}); err != nil {
		t.Fatal(err)
	}
	if got := a.Decide(policy.Publish, "a"); got != policy.Allow {
		t.Errorf("publish is %v", got)
	}
	if after := f.reg.effective.Load(); after != before || a.Generation() != generation {
		t.Errorf("policies were read %d times, generation %d to %d; want none", after-before, generation, a.Generation())
	}
	_, err := f.reg.CreatePolicyVersion(t.Context(), "p", allow("iot:Publish", "topic/*"), true)
	f.must(err)
	if a.Generation() == generation {
		t.Error("the generation is the same after the policy changed")
	}
}

// TestConcurrentChanges toggles a policy while many ask: whoever asks after the
// change returned gets the new answer.
func TestConcurrentChanges(t *testing.T) {
	f := newFixture(t)
	who := f.certificate()
	f.policy("p", "iot:Publish", "topic/a")
	a := f.authorize(who, "c")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					a.Decide(policy.Publish, "a")
					a.Explain(policy.Publish, "a")
				}
			}
		})
	}
	for i := range 50 {
		f.must(f.reg.AttachPolicy(t.Context(), "p", target(who)))
		if got := a.Decide(policy.Publish, "a"); got != policy.Allow {
			t.Fatalf("round %d: attached, and publish is %v", i, got)
		}
		f.must(detach(f, who))
		if got := a.Decide(policy.Publish, "a"); got != policy.ImplicitDeny {
			t.Fatalf("round %d: detached, and publish is %v", i, got)
		}
	}
	close(stop)
	wg.Wait()
}

// TestBrokenRegistryDenies: what can't be read allows nothing, and comes back.
func TestBrokenRegistryDenies(t *testing.T) {
	f := newFixture(t)
	who := f.certificate()
	f.policy("p", "iot:Publish", "topic/a")
	f.must(f.reg.AttachPolicy(t.Context(), "p", target(who)))
	a := f.authorize(who, "c")
	if a.Decide(policy.Publish, "a") != policy.Allow {
		t.Fatal("not allowed")
	}
	f.policy("q", "iot:Publish", "topic/a")
	f.must(f.reg.AttachPolicy(t.Context(), "q", target(who)))
	f.reg.fail(errors.New("disk I/O error"))
	if got := a.Decide(policy.Publish, "a"); got != policy.ImplicitDeny {
		t.Errorf("publish is %v with a broken registry", got)
	}
	if d := a.Explain(policy.Publish, "a"); d.Effect != policy.ImplicitDeny || d.Code != CodeUnavailable || !strings.Contains(d.Reason, "disk I/O error") {
		t.Errorf("explained by %+v", d)
	}
	if _, err := f.s.Authorize(t.Context(), who, "c", Facts{}); err == nil {
		t.Error("Authorize succeeded with a broken registry")
	}
	f.reg.fail(nil)
	if got := a.Decide(policy.Publish, "a"); got != policy.Allow {
		t.Errorf("publish is %v when the registry is back", got)
	}
}

// TestCertificateVariables: the certificate is parsed where a policy asks for it.
func TestCertificateVariables(t *testing.T) {
	f := newFixture(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	f.must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "meter-7"}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	f.must(err)
	c, err := f.reg.RegisterCertificateWithoutCA(t.Context(), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), registry.StatusActive)
	f.must(err)
	f.policy("p", "iot:Publish", "topic/${iot:Certificate.Subject.CommonName}")
	f.must(f.reg.AttachPolicy(t.Context(), "p", registry.Target{Type: registry.TargetCertificate, Name: c.ID}))
	a := f.authorize(Principal{Kind: KindCertificate, ID: c.ID, ARN: c.ARN}, "c")
	if got := a.Decide(policy.Publish, "meter-7"); got != policy.Allow {
		t.Errorf("publish is %v: %+v", got, a.Explain(policy.Publish, "meter-7"))
	}
}

// TestSharedSets: a fleet with one policy compiles it once.
func TestSharedSets(t *testing.T) {
	f := newFixture(t)
	f.policy("p", "iot:Publish", "topic/${iot:ClientId}")
	var all []*Authorization
	for _, id := range []string{"a", "b"} {
		who := f.certificate()
		f.must(f.reg.AttachPolicy(t.Context(), "p", target(who)))
		a := f.authorize(who, id)
		if a.Decide(policy.Publish, id) != policy.Allow || a.Decide(policy.Publish, "x") != policy.ImplicitDeny {
			t.Errorf("client %s is not confined to its topic", id)
		}
		all = append(all, a)
	}
	if all[0].current.Load().set != all[1].current.Load().set {
		t.Error("two devices with the same policy have two compiled sets")
	}
}

func TestDecideDoesNotAllocate(t *testing.T) {
	f := newFixture(t)
	who := f.certificate()
	f.policy("p", "iot:Publish", "topic/dt/*")
	f.must(f.reg.AttachPolicy(t.Context(), "p", target(who)))
	a := f.authorize(who, "c")
	a.Decide(policy.Publish, "dt/a")
	if n := testing.AllocsPerRun(100, func() {
		if a.Decide(policy.Publish, "dt/a") != policy.Allow {
			t.Error("not allowed")
		}
	}); n != 0 {
		t.Errorf("a cached decision makes %v allocations", n)
	}
}

func TestRelatives(t *testing.T) {
	f := newFixture(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	f.must(err)
	make := func(serial int64) (*x509.Certificate, string) {
		template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "meter-7"}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		f.must(err)
		cert, err := x509.ParseCertificate(der)
		f.must(err)
		return cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	_, oldPEM := make(1)
	renewed, renewedPEM := make(2)
	old, err := f.reg.RegisterCertificateWithoutCA(t.Context(), oldPEM, registry.StatusActive)
	f.must(err)
	gone, err := f.reg.RegisterCertificateWithoutCA(t.Context(), renewedPEM, registry.StatusInactive)
	f.must(err)
	f.must(f.reg.DeleteCertificate(t.Context(), gone.ID, false))
	fp, _ := ParseFingerprint(gone.ID)
	rel, err := f.s.Relatives(t.Context(), renewed, fp)
	f.must(err)
	if rel.Twin == nil || rel.Twin.ID != old.ID || rel.Deleted.Status != registry.StatusDeleted || rel.IsCA != nil || rel.Signer != nil {
		t.Errorf("relatives %+v, want the twin %s and a deletion", rel, old.ID)
	}
	if has, err := f.s.HasPolicies(t.Context(), old.ID, ""); err != nil || has {
		t.Errorf("HasPolicies of a bare certificate: %v, %v", has, err)
	}
}

func TestBounded(t *testing.T) {
	b := newBounded[int, int](8)
	for i := range 1000 {
		b.put(i, i, nil)
		if _, ok := b.get(0); !ok {
			t.Fatalf("0 was forgotten after %d although it is in use", i)
		}
	}
	if n := len(b.young) + len(b.old); n > 8 {
		t.Errorf("%d entries, want at most 8", n)
	}
	b.forget(0)
	if _, ok := b.get(0); ok {
		t.Error("0 is still there")
	}
	if !b.putIfNot() {
		t.Error("a refused put was stored")
	}
}

func (b *bounded[K, V]) putIfNot() bool {
	var k K
	var v V
	b.put(k, v, func() bool { return false })
	_, ok := b.get(k)
	return !ok
}

func TestInputs(t *testing.T) {
	for name, tt := range map[string]struct {
		change registry.Change
		want   []input
	}{
		"policy":     {registry.Change{Kind: registry.PolicyChanged, PolicyName: "p"}, []input{{inputPolicy, "p"}}},
		"attachment": {registry.Change{Kind: registry.AttachmentChanged, PolicyName: "p", Target: "arn", CertificateID: "c"}, []input{{inputCertificate, "c"}}},
		"group":      {registry.Change{Kind: registry.AttachmentChanged, PolicyName: "p", Target: "arn", GroupName: "g"}, []input{{inputGroup, "g"}}},
		"cognito":    {registry.Change{Kind: registry.AttachmentChanged, PolicyName: "p", Target: "us-east-1:x"}, []input{{inputTarget, "us-east-1:x"}}},
		"member":     {registry.Change{Kind: registry.GroupMemberChanged, ThingName: "t", GroupName: "g"}, []input{{inputThing, "t"}, {inputGroup, "g"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := inputsOf(tt.change)
			slices.SortFunc(got, func(a, b input) int { return strings.Compare(b.kind, a.kind) })
			slices.SortFunc(tt.want, func(a, b input) int { return strings.Compare(b.kind, a.kind) })
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(input{})); diff != "" {
				t.Errorf("inputs (-want +got):\n%s", diff)
			}
		})
	}
}

func BenchmarkDecideCached(b *testing.B) {
	c := newClock()
	r := &resolved{}
	r.seen.Store(c.now.Load())
	bound := policy.Compile().Bind(&policy.Context{})
	r.bound = bound
	a := &Authorization{service: &Service{clock: c}}
	a.current.Store(r)
	b.ReportAllocs()
	for b.Loop() {
		a.Decide(policy.Publish, "dt/a")
	}
}
