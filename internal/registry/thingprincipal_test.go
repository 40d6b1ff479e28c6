package registry

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// testCertificate puts a certificate's row into the registry.
func testCertificate(t *testing.T, r *Registry, n int) Target {
	t.Helper()
	target := Target{TargetCertificate, fmt.Sprintf("%064x", n)}
	ok(t, r.write(t.Context(), func(tx *tx) error {
		return tx.InsertCertificate(t.Context(), registrydb.InsertCertificateParams{
			CertificateID: target.Name, Status: "ACTIVE", CertificateMode: "DEFAULT",
		})
	}))
	return target
}

func TestAttachThingPrincipal(t *testing.T) {
	type attached struct {
		thing string
		as    ThingPrincipalType
	}
	const exclusive, shared = ExclusiveThing, NonExclusiveThing
	for name, tt := range map[string]struct {
		before []attached
		now    attached
		text   string // of the InvalidRequest; empty: it succeeds
	}{
		"first":                    {nil, attached{"a", shared}, ""},
		"first exclusive":          {nil, attached{"a", exclusive}, ""},
		"again":                    {[]attached{{"a", shared}}, attached{"a", shared}, ""},
		"exclusive again":          {[]attached{{"a", exclusive}}, attached{"a", exclusive}, ""},
		"second thing":             {[]attached{{"a", shared}}, attached{"b", shared}, ""},
		"exclusive after shared":   {[]attached{{"a", shared}}, attached{"b", exclusive}, "attached to thing a too"},
		"exclusive, same thing":    {[]attached{{"a", shared}}, attached{"a", exclusive}, "as NON_EXCLUSIVE_THING; detach it"},
		"shared, same thing":       {[]attached{{"a", exclusive}}, attached{"a", shared}, "as EXCLUSIVE_THING; detach it"},
		"shared after exclusive":   {[]attached{{"a", exclusive}}, attached{"b", shared}, "attached to thing a as EXCLUSIVE_THING"},
		"exclusive twice":          {[]attached{{"a", exclusive}}, attached{"b", exclusive}, "attached to thing a as EXCLUSIVE_THING"},
		"no type":                  {nil, attached{"a", ""}, "no thing principal type"},
		"exclusive after two":      {[]attached{{"b", shared}, {"c", shared}}, attached{"a", exclusive}, "attached to thing b too"},
		"exclusive, one of two is": {[]attached{{"b", shared}, {"a", shared}}, attached{"a", exclusive}, "detach it"},
	} {
		t.Run(name, func(t *testing.T) {
			r := openThings(t)
			ctx := t.Context()
			cert := testCertificate(t, r, 1)
			for _, thing := range []string{"a", "b", "c"} {
				_ = got(r.CreateThing(ctx, NewThing{Name: thing}))(t)
			}
			for _, b := range tt.before {
				ok(t, r.AttachThingPrincipal(ctx, b.thing, cert, b.as))
			}
			before := got(r.ListPrincipalThings(ctx, cert, "", Page{}))(t)
			err := r.AttachThingPrincipal(ctx, tt.now.thing, cert, tt.now.as)
			if tt.text != "" {
				wantRefusal(t, err, InvalidRequest, tt.text)
				if diff := cmp.Diff(before, got(r.ListPrincipalThings(ctx, cert, "", Page{}))(t)); diff != "" {
					t.Errorf("the refusal changed something (-before +after):\n%s", diff)
				}
				return
			}
			ok(t, err)
			list := got(r.ListThingPrincipals(ctx, tt.now.thing, tt.now.as, Page{}))(t)
			if diff := cmp.Diff([]ThingPrincipal{{tt.now.thing, cert, tt.now.as}}, list.Items); diff != "" {
				t.Errorf("principals of %s (-want +got):\n%s", tt.now.thing, diff)
			}
		})
	}
}

// A thing may have several principals, exclusive ones too. Source: policy sheet 8.1.
func TestThingWithManyPrincipals(t *testing.T) {
	r := openThings(t)
	ctx := t.Context()
	_ = got(r.CreateThing(ctx, NewThing{Name: "p1"}))(t)
	changes := watch(t, r)
	identity := Target{TargetIdentity, "us-east-1:01234567-89ab-cdef-0123-456789abcdef"}
	certs := []Target{testCertificate(t, r, 1), testCertificate(t, r, 2), testCertificate(t, r, 3)}
	ok(t, r.AttachThingPrincipal(ctx, "p1", certs[0], ExclusiveThing))
	ok(t, r.AttachThingPrincipal(ctx, "p1", certs[1], ExclusiveThing))
	ok(t, r.AttachThingPrincipal(ctx, "p1", certs[2], NonExclusiveThing))
	ok(t, r.AttachThingPrincipal(ctx, "p1", identity, NonExclusiveThing))
	wantRefusal(t, r.AttachThingPrincipal(ctx, "p1", identity, ExclusiveThing), InvalidRequest, "only a certificate can")
	all := append(certs, identity)
	var want []Change
	for _, principal := range all {
		c := Change{Kind: ThingPrincipalChanged, ThingName: "p1", Target: r.TargetARN(principal)}
		if principal.Type == TargetCertificate {
			c.CertificateID = principal.Name
		}
		want = append(want, c)
	}
	wantChanges(t, changes, want...)

	for only, want := range map[ThingPrincipalType][]Target{"": all, ExclusiveThing: all[:2], NonExclusiveThing: all[2:]} {
		for size := 1; size < 6; size++ {
			var principals []Target
			p := Page{Size: size}
			for {
				list := got(r.ListThingPrincipals(ctx, "p1", only, p))(t)
				for _, a := range list.Items {
					principals = append(principals, a.Principal)
				}
				if p.After = list.Next; list.Next == "" {
					break
				}
			}
			if diff := cmp.Diff(want, principals); diff != "" {
				t.Errorf("type %q, pages of %d (-want +got):\n%s", only, size, diff)
			}
		}
	}
	_, err := r.ListThingPrincipals(ctx, "p1", "", Page{After: "nonsense"})
	wantRefusal(t, err, InvalidRequest, "")

	ok(t, r.DetachThingPrincipal(ctx, "p1", certs[0]))
	wantChanges(t, changes, want[0])
	wantRefusal(t, r.DetachThingPrincipal(ctx, "p1", certs[0]), ResourceNotFound, "is not attached to thing p1")
	_ = got(r.CreateThing(ctx, NewThing{Name: "p2"}))(t)
	ok(t, r.AttachThingPrincipal(ctx, "p2", certs[0], NonExclusiveThing))
}

func TestThingPrincipalNotFound(t *testing.T) {
	r := openThings(t)
	ctx := t.Context()
	_ = got(r.CreateThing(ctx, NewThing{Name: "p1"}))(t)
	cert := testCertificate(t, r, 1)
	unknown := Target{TargetCertificate, fmt.Sprintf("%064x", 99)}
	_, listPrincipals := r.ListThingPrincipals(ctx, "nope", "", Page{})
	_, listThings := r.ListPrincipalThings(ctx, unknown, "", Page{})
	for name, tt := range map[string]struct {
		err  error
		text string
	}{
		"attach to unknown thing":        {r.AttachThingPrincipal(ctx, "nope", cert, NonExclusiveThing), "nope"},
		"attach unknown certificate":     {r.AttachThingPrincipal(ctx, "p1", unknown, NonExclusiveThing), unknown.Name},
		"detach from unknown thing":      {r.DetachThingPrincipal(ctx, "nope", cert), "nope"},
		"detach unknown certificate":     {r.DetachThingPrincipal(ctx, "p1", unknown), "not attached"},
		"principals of unknown thing":    {listPrincipals, "Failed to list principals for thing nope because the thing does not exist in your account"},
		"things of unknown certificate":  {listThings, unknown.Name},
		"detach what is attached to not": {r.DetachThingPrincipal(ctx, "p1", cert), "not attached"},
	} {
		t.Run(name, func(t *testing.T) { wantRefusal(t, tt.err, ResourceNotFound, tt.text) })
	}
	identity := Target{TargetIdentity, "us-east-1:01234567-89ab-cdef-0123-456789abcdef"}
	if list := got(r.ListPrincipalThings(ctx, identity, "", Page{}))(t); len(list.Items) != 0 {
		t.Errorf("things of an identity that has none: %v", list.Items)
	}
}
