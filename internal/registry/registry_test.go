package registry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	allowAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}`
	denyAll  = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iot:*","Resource":"*"}]}`
)

// openIn opens the registry in a folder, with a CA that issues certificates.
func openIn(t *testing.T, dir string) *Registry {
	t.Helper()
	r, err := Open(t.Context(), Config{DataDir: dir, AccountID: "123456789012", Region: "us-east-1", Endpoint: "localhost", Issuer: newCA(t, "Issuer")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func openNew(t *testing.T) *Registry {
	t.Helper()
	return openIn(t, t.TempDir())
}

// newCert registers a new certificate.
func newCert(t *testing.T, r *Registry, status CertificateStatus) Certificate {
	t.Helper()
	return got(r.RegisterCertificateWithoutCA(t.Context(), newCA(t, "any").sign("device"), status))(t)
}

func newPolicy(t testing.TB, r *Registry, name string) Policy {
	t.Helper()
	return got(r.CreatePolicy(t.Context(), name, allowAll, nil))(t)
}

func certTarget(c Certificate) Target { return Target{TargetCertificate, c.ID} }

// watchAll gathers the changes of a registry.
func watchAll(t *testing.T, r *Registry) *[]Change {
	t.Helper()
	var seen []Change
	t.Cleanup(r.Watch(func(c Change) { seen = append(seen, c) }))
	return &seen
}

// wantAbout checks which resource a refusal names.
func wantAbout(t *testing.T, err error, id, arn string) {
	t.Helper()
	if e, isRefusal := errors.AsType[*Error](err); !isRefusal || e.ResourceID != id || e.ResourceARN != arn {
		t.Errorf("%v is about %+v, want %s, %s", err, e, id, arn)
	}
}

// all reads a list page by page.
func all[T any](t *testing.T, size int, descending bool, read func(Page) (Listing[T], error)) []T {
	t.Helper()
	var items []T
	page := Page{Size: size, Descending: descending}
	for range 1000 {
		l := got(read(page))(t)
		if len(l.Items) > size {
			t.Fatalf("a page of %d items, asked for %d", len(l.Items), size)
		}
		items = append(items, l.Items...)
		if l.Next == "" {
			return items
		}
		page.After = l.Next
	}
	t.Fatal("the list does not end")
	return nil
}

func TestAccessKeyOfFirstStart(t *testing.T) {
	dir := t.TempDir()
	r := openIn(t, dir)
	key := got(r.FirstAccessKey(t.Context()))(t)
	if len(key.ID) != 20 || key.ID[:4] != "AKIA" || len(key.Secret) != 40 {
		t.Errorf("key %q, secret of %d characters; want AKIA and 16, 40", key.ID, len(key.Secret))
	}
	if found, isActive, err := r.AccessKey(t.Context(), key.ID); err != nil || !isActive || found != key {
		t.Errorf("AccessKey(%s) = %v, %v, %v", key.ID, found, isActive, err)
	}
	if _, found, err := r.AccessKey(t.Context(), "AKIAUNKNOWN"); err != nil || found {
		t.Errorf("an unknown key: %v, %v", found, err)
	}
	ok(t, r.Close())
	if again := got(openIn(t, dir).FirstAccessKey(t.Context()))(t); again != key {
		t.Errorf("after a restart %v, want %v", again, key)
	}
	if s := fmt.Sprint(key.LogValue()); s != key.ID {
		t.Errorf("logged as %q", s)
	}
}

func BenchmarkOpenAgain(b *testing.B) {
	dir := b.TempDir()
	config := Config{DataDir: dir, AccountID: "123456789012", Region: "us-east-1", Issuer: newCA(b, "Issuer")}
	r, err := Open(b.Context(), config)
	ok(b, err)
	for i := range 20 {
		newPolicy(b, r, fmt.Sprintf("p%d", i))
	}
	ok(b, r.Close())
	for b.Loop() {
		r, err := Open(b.Context(), config)
		ok(b, err)
		ok(b, r.Close())
	}
}

func TestDamagedRegistry(t *testing.T) {
	dir := t.TempDir()
	ok(t, os.WriteFile(filepath.Join(dir, "registry.db"), []byte("garbage, and not a little of it"), 0o600))
	_, err := Open(t.Context(), Config{DataDir: dir, AccountID: "1", Region: "r", Issuer: noIssuer{}})
	if err == nil {
		t.Fatal("a damaged registry was opened")
	}
}

// Watchers hear every change once, in the order of the commits, and before the
// operation returns.
func TestChangesInOrder(t *testing.T) {
	r := openNew(t)
	var mu sync.Mutex
	var heard []string
	stop := r.Watch(func(c Change) {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, c.PolicyName)
		if _, err := r.Policy(context.Background(), c.PolicyName); err != nil { // a watcher may read
			t.Errorf("the change of %s was told before its commit: %v", c.PolicyName, err)
		}
	})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 5 {
				name := fmt.Sprintf("p-%d-%d", i, j)
				if _, err := r.CreatePolicy(t.Context(), name, allowAll, nil); err != nil {
					t.Error(err)
				}
				mu.Lock()
				if !slices.Contains(heard, name) {
					t.Errorf("CreatePolicy(%s) returned before its change was told", name)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	committed := all(t, 7, false, func(p Page) (Listing[string], error) { return r.ListPolicies(t.Context(), p) })
	if diff := cmp.Diff(committed, heard); diff != "" {
		t.Errorf("heard in another order than committed (-committed +heard):\n%s", diff)
	}
	stop()
	newPolicy(t, r, "unheard")
	if slices.Contains(heard, "unheard") {
		t.Error("heard after stop")
	}
}

func TestRefusalTellsNothing(t *testing.T) {
	r := openNew(t)
	newPolicy(t, r, "p")
	seen := watchAll(t, r)
	_, err := r.CreatePolicy(t.Context(), "p", allowAll, nil)
	wantRefusal(t, err, ResourceAlreadyExists, "p")
	_, err = r.CreatePolicy(t.Context(), "q", "{", nil)
	wantRefusal(t, err, MalformedPolicy, "")
	if len(*seen) != 0 {
		t.Errorf("refusals told %v", *seen)
	}
	_, err = r.Policy(t.Context(), "q")
	wantRefusal(t, err, ResourceNotFound, "q")
}

func TestCancelledWrite(t *testing.T) {
	r := openNew(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.CreatePolicy(ctx, "p", allowAll, nil); err == nil {
		t.Error("a cancelled request made a policy")
	}
	newPolicy(t, r, "p") // the registry goes on
}

func TestEndpoint(t *testing.T) {
	r := openNew(t)
	for _, endpointType := range []string{"", "iot:Data", "iot:Data-ATS", "iot:CredentialProvider", "iot:Jobs"} {
		if host := got(r.Endpoint(endpointType))(t); host != "localhost" {
			t.Errorf("Endpoint(%q) = %q", endpointType, host)
		}
	}
	_, err := r.Endpoint("iot:Nothing")
	wantRefusal(t, err, InvalidRequest, "iot:Nothing")
}

func TestParseTarget(t *testing.T) {
	r := openNew(t)
	id := "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for _, tt := range []struct {
		in      string
		want    Target
		refusal string
	}{
		{"arn:aws:iot:us-east-1:123456789012:cert/" + id, Target{TargetCertificate, id}, ""},
		{"arn:aws:iot:us-east-1:123456789012:thinggroup/a:b", Target{TargetThingGroup, "a:b"}, ""},
		{"us-east-1:01234567-89ab-cdef-0123-456789abcdef", Target{TargetIdentity, "us-east-1:01234567-89ab-cdef-0123-456789abcdef"}, ""},
		{"arn:aws:iot:us-east-1:999999999999:cert/" + id, Target{}, `account "999999999999"; this endpoint serves "123456789012"`},
		{"arn:aws:iot:eu-west-1:123456789012:cert/" + id, Target{}, `region "eu-west-1"; this endpoint serves "us-east-1"`},
		{"arn:aws-cn:iot:us-east-1:123456789012:cert/" + id, Target{}, `partition "aws-cn"`},
		{"arn:aws:s3:us-east-1:123456789012:cert/" + id, Target{}, `service "s3"`},
		{"arn:aws:iot:us-east-1:123456789012:cert/12", Target{}, "64 digits"},
		{"arn:aws:iot:us-east-1:123456789012:cert", Target{}, "no resource"},
		{"arn:aws:iot:us-east-1:123456789012:thing/t", Target{}, `type "thing"`},
		{"arn:aws:iot", Target{}, "not an ARN"},
		{id, Target{}, "not an ARN"},
		{"", Target{}, "not an ARN"},
	} {
		target, err := r.ParseTarget(tt.in)
		if tt.refusal != "" {
			wantRefusal(t, err, InvalidRequest, tt.refusal)
			continue
		}
		ok(t, err)
		if target != tt.want || r.TargetARN(target) != tt.in {
			t.Errorf("ParseTarget(%q) = %v, written as %q; want %v", tt.in, target, r.TargetARN(target), tt.want)
		}
	}
	for _, resource := range []string{"thinggroup/g", "thing/t", "cacert/" + id} {
		_, err := r.ParsePrincipal("arn:aws:iot:us-east-1:123456789012:" + resource)
		wantRefusal(t, err, InvalidRequest, "The given ARN does not represent a cert: arn:aws:iot:us-east-1:123456789012:"+resource)
	}
	_, err := r.ParsePrincipal("arn:aws:iot:us-east-1:999999999999:cert/" + id)
	wantRefusal(t, err, InvalidRequest, `account "999999999999"`)
}

func TestPartition(t *testing.T) {
	for region, want := range map[string]string{"us-east-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov"} {
		if got := PartitionOf(region); got != want {
			t.Errorf("PartitionOf(%s) = %s, want %s", region, got, want)
		}
	}
}

// Transactions keep their order when there are more of them than milliseconds,
// for however long; a clock that is set back is followed.
func TestTicksKeepTheirOrder(t *testing.T) {
	r := &Registry{}
	last := int64(0)
	for clock := int64(1_000_000); clock < 1_002_000; clock++ {
		for range 3 {
			now := r.tickAt(clock)
			if now <= last {
				t.Fatalf("at %d: %d after %d", clock, now, last)
			}
			last = now
		}
	}
	if now := r.tickAt(500_000); now != 500_000 {
		t.Errorf("after the clock was set back to 500000: %d", now)
	}
}
