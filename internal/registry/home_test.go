package registry

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A registry is opened again by its own account and Region only: others would
// give every resource another ARN.
func TestHomeOfARegistry(t *testing.T) {
	dir := t.TempDir()
	ca := newCA(t, "Issuer")
	open := func(account, region string) (*Registry, error) {
		return Open(t.Context(), Config{DataDir: dir, AccountID: account, Region: region, Endpoint: "localhost", Issuer: ca})
	}
	r := got(open("111111111111", "eu-west-1"))(t)
	p := newPolicy(t, r, "p")
	ok(t, r.Close())
	for _, asked := range [][2]string{{"222222222222", "eu-west-1"}, {"111111111111", "us-east-1"}, {"222222222222", "us-east-1"}} {
		r, err := open(asked[0], asked[1])
		e, refused := errors.AsType[*HomeError](err)
		if !refused {
			t.Fatalf("opened for %v: %v, %v, want a HomeError", asked, r, err)
		}
		want := &HomeError{Path: filepath.Join(dir, "registry.db"), Account: "111111111111", Region: "eu-west-1", AskedAccount: asked[0], AskedRegion: asked[1]}
		if diff := cmp.Diff(want, e); diff != "" {
			t.Errorf("opened for %v (-want +got):\n%s", asked, diff)
		}
	}
	r = got(open("111111111111", "eu-west-1"))(t)
	t.Cleanup(func() { r.Close() })
	if again := got(r.Policy(t.Context(), "p"))(t); again != p {
		t.Errorf("after the refusals %+v, want %+v", again, p)
	}
}
