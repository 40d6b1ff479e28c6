package registry

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestThingTypeLifecycle(t *testing.T) {
	r := openThings(t)
	ctx := t.Context()
	p := ThingTypeProperties{
		Description:          "moves water",
		SearchableAttributes: []string{"site", "floor"},
		Propagating:          []PropagatingAttribute{{UserPropertyKey: "s", ThingAttribute: "site"}, {UserPropertyKey: "c", ConnectionAttribute: "iot:ClientId"}},
	}
	changes := watch(t, r)
	made := got(r.CreateThingType(ctx, "pump", p, []Tag{{"k", "v"}}))(t)
	wantChanges(t, changes, Change{Kind: ThingTypeChanged, TypeName: "pump"})
	want := ThingType{Name: "pump", ARN: "arn:aws:iot:us-east-1:123456789012:thingtype/pump", Properties: p}
	if diff := cmp.Diff(want, made, cmpopts.IgnoreFields(ThingType{}, "ID", "CreatedAt")); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(made, got(r.ThingType(ctx, "pump"))(t)); diff != "" {
		t.Errorf("described (-created +described):\n%s", diff)
	}
	if diff := cmp.Diff(made, got(r.CreateThingType(ctx, "pump", p, nil))(t)); diff != "" {
		t.Errorf("created again (-first +again):\n%s", diff)
	}
	_, err := r.CreateThingType(ctx, "pump", ThingTypeProperties{}, nil)
	wantRefusal(t, err, ResourceAlreadyExists, "pump")

	ok(t, r.UpdateThingType(ctx, "pump", ThingTypeUpdate{Description: new("moves air"), Propagating: []PropagatingAttribute{}}))
	p.Description, p.Propagating = "moves air", []PropagatingAttribute{}
	if diff := cmp.Diff(p, got(r.ThingType(ctx, "pump"))(t).Properties); diff != "" {
		t.Errorf("updated (-want +got):\n%s", diff)
	}

	wantRefusal(t, r.DeleteThingType(ctx, "pump"), InvalidRequest, "must be deprecated first")
	_ = got(r.CreateThing(ctx, NewThing{Name: "p1", TypeName: "pump"}))(t)
	ok(t, r.DeprecateThingType(ctx, "pump", false))
	at := got(r.ThingType(ctx, "pump"))(t).DeprecatedAt
	if at.IsZero() {
		t.Error("the deprecated type has no time of deprecation")
	}
	ok(t, r.DeprecateThingType(ctx, "pump", false))
	if again := got(r.ThingType(ctx, "pump"))(t).DeprecatedAt; !again.Equal(at) {
		t.Errorf("deprecated again at %v, want the first time %v", again, at)
	}
	wantRefusal(t, r.DeleteThingType(ctx, "pump"), InvalidRequest, "1 things associated")
	ok(t, r.DeprecateThingType(ctx, "pump", true))
	if at := got(r.ThingType(ctx, "pump"))(t).DeprecatedAt; !at.IsZero() {
		t.Errorf("after undo it is still deprecated since %v", at)
	}
	_ = got(r.CreateThing(ctx, NewThing{Name: "p2", TypeName: "pump"}))(t)
	ok(t, r.DeleteThing(ctx, "p2", nil))
	ok(t, r.DeprecateThingType(ctx, "pump", false))
	ok(t, r.UpdateThing(ctx, "p1", ThingUpdate{RemoveType: true}))
	ok(t, r.DeleteThingType(ctx, "pump"))
	_, err = r.ThingType(ctx, "pump")
	wantRefusal(t, err, ResourceNotFound, "pump")

	// The next type of the name has no tags of the deleted one.
	next := got(r.CreateThingType(ctx, "pump", ThingTypeProperties{}, nil))(t)
	if tags := got(r.ListTags(ctx, next.ARN, Page{}))(t); len(tags.Items) != 0 {
		t.Errorf("the next type of the name has the tags %v", tags.Items)
	}

	for name, err := range map[string]error{
		"delete":    r.DeleteThingType(ctx, "nope"),
		"deprecate": r.DeprecateThingType(ctx, "nope", false),
		"undo":      r.DeprecateThingType(ctx, "nope", true),
		"update":    r.UpdateThingType(ctx, "nope", ThingTypeUpdate{}),
	} {
		t.Run(name+" unknown", func(t *testing.T) { wantRefusal(t, err, ResourceNotFound, "nope") })
	}
}

func TestThingTypeLimits(t *testing.T) {
	r := openThings(t)
	ctx := t.Context()
	long := strings.Repeat("x", 2029)
	propagating := make([]PropagatingAttribute, 21)
	for i := range propagating {
		propagating[i] = PropagatingAttribute{UserPropertyKey: fmt.Sprint("k", i), ThingAttribute: "a"}
	}
	for name, tt := range map[string]struct {
		name string
		in   ThingTypeProperties
		text string
	}{
		"name":                    {"a b", ThingTypeProperties{}, `"a b"`},
		"4 searchable":            {"n", ThingTypeProperties{SearchableAttributes: []string{"a", "b", "c", "d"}}, "the maximum is 3"},
		"searchable name":         {"n", ThingTypeProperties{SearchableAttributes: []string{"a b"}}, `"a b"`},
		"description":             {"n", ThingTypeProperties{Description: long}, "2029 characters"},
		"21 propagating":          {"n", ThingTypeProperties{Propagating: propagating}, "the maximum is 20"},
		"propagating nothing":     {"n", ThingTypeProperties{Propagating: []PropagatingAttribute{{UserPropertyKey: "k"}}}, "Propagating attribute 1"},
		"propagating two":         {"n", ThingTypeProperties{Propagating: []PropagatingAttribute{{"k", "a", "iot:ClientId"}}}, "Propagating attribute 1"},
		"propagating without key": {"n", ThingTypeProperties{Propagating: []PropagatingAttribute{{"", "a", ""}}}, "userPropertyKey"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.CreateThingType(ctx, tt.name, tt.in, nil)
			wantRefusal(t, err, InvalidRequest, tt.text)
		})
	}
	_ = got(r.CreateThingType(ctx, "n", ThingTypeProperties{
		Description: long[:2028], SearchableAttributes: []string{"a", "b", "c"}, Propagating: propagating[:20],
	}, nil))(t)
	wantRefusal(t, r.UpdateThingType(ctx, "n", ThingTypeUpdate{Description: &long}), InvalidRequest, "2029")
}

func TestListThingTypes(t *testing.T) {
	r := openThings(t)
	ctx := t.Context()
	for _, name := range []string{"pump", "pump-2", "pum", "Pump", "valve"} {
		_ = got(r.CreateThingType(ctx, name, ThingTypeProperties{}, nil))(t)
	}
	for prefix, want := range map[string]string{"": "pump pump-2 pum Pump valve", "pump": "pump pump-2", "z": ""} {
		for size := 1; size < 7; size++ {
			var names []string
			p := Page{Size: size}
			for {
				list := got(r.ListThingTypes(ctx, prefix, p))(t)
				for _, tt := range list.Items {
					names = append(names, tt.Name)
				}
				if p.After = list.Next; list.Next == "" {
					break
				}
			}
			if got := strings.Join(names, " "); got != want {
				t.Errorf("prefix %q, pages of %d: got %s, want %s", prefix, size, got, want)
			}
		}
	}
}

// AWS deletes a thing type five minutes after its deprecation, not sooner.
func TestThingTypeDeletionWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		r, err := Open(ctx, Config{DataDir: t.TempDir(), AccountID: "123456789012", Region: "us-east-1", Issuer: noIssuer{}})
		ok(t, err)
		defer r.Close()
		_ = got(r.CreateThingType(ctx, "pump", ThingTypeProperties{}, nil))(t)
		ok(t, r.DeprecateThingType(ctx, "pump", false))
		time.Sleep(5*time.Minute - time.Second)
		// Terraform waits and repeats on this text.
		wantRefusal(t, r.DeleteThingType(ctx, "pump"), InvalidRequest, "Please wait for 5 minutes after deprecation and then retry")
		time.Sleep(2 * time.Second)
		ok(t, r.DeleteThingType(ctx, "pump"))
	})
}
