package registry

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// noIssuer is for tests that need no certificate of their own.
type noIssuer struct{}

func (noIssuer) IssueDevice(crypto.PublicKey) ([]byte, error) {
	return nil, errors.New("this test issues no certificates")
}

// openThings opens a registry on a new database. Thing types can be deleted as
// soon as they are deprecated.
func openThings(t *testing.T) *Registry {
	t.Helper()
	r, err := Open(t.Context(), Config{
		DataDir: t.TempDir(), AccountID: "123456789012", Region: "us-east-1", Endpoint: "localhost",
		Issuer: noIssuer{}, ThingTypeDeletionWait: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// ok stops the test on an error.
func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// got stops the test on an error, or returns the value.
func got[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		ok(t, err)
		return v
	}
}

// wantRefusal checks that err is a refusal of that kind whose message holds text.
func wantRefusal(t *testing.T, err error, kind Kind, text string) {
	t.Helper()
	e, isRefusal := errors.AsType[*Error](err)
	if !isRefusal || e.Kind != kind || !strings.Contains(e.Message, text) {
		t.Errorf("got %v, want %s with %q", err, kind, text)
	}
}

func attributes(n int) map[string]string {
	attrs := map[string]string{}
	for i := range n {
		attrs[fmt.Sprintf("a%02d", i)] = "v"
	}
	return attrs
}

func TestCreateThing(t *testing.T) {
	r := openThings(t)
	ctx := t.Context()
	_ = got(r.CreateThingType(ctx, "pump", ThingTypeProperties{}, nil))(t)
	_ = got(r.CreateThingType(ctx, "old", ThingTypeProperties{}, nil))(t)
	_ = got(r.CreateThing(ctx, NewThing{Name: "o1", TypeName: "old"}))(t)
	ok(t, r.DeprecateThingType(ctx, "old", false))

	first := got(r.CreateThing(ctx, NewThing{Name: "p1", TypeName: "pump", Attributes: map[string]string{"site": "north"}}))(t)
	want := Thing{
		Name: "p1", ARN: "arn:aws:iot:us-east-1:123456789012:thing/p1", TypeName: "pump",
		Attributes: map[string]string{"site": "north"}, Version: 1,
	}
	if diff := cmp.Diff(want, first, cmpopts.IgnoreFields(Thing{}, "ID", "CreatedAt")); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	if len(first.ID) != 36 || first.CreatedAt.IsZero() {
		t.Errorf("created: ID %q, CreatedAt %v", first.ID, first.CreatedAt)
	}
	again := got(r.CreateThing(ctx, NewThing{Name: "p1", TypeName: "pump", Attributes: map[string]string{"site": "north"}}))(t)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("created again (-first +again):\n%s", diff)
	}
	if diff := cmp.Diff(first, got(r.Thing(ctx, "p1"))(t)); diff != "" {
		t.Errorf("described (-created +described):\n%s", diff)
	}
	// The same thing once more succeeds although its type is deprecated by now.
	_ = got(r.CreateThing(ctx, NewThing{Name: "o1", TypeName: "old"}))(t)

	long := strings.Repeat("x", 801)
	for name, tt := range map[string]struct {
		in   NewThing
		kind Kind
		text string
	}{
		"other attributes":   {NewThing{Name: "p1", TypeName: "pump"}, ResourceAlreadyExists, "Thing p1 already exists in account with different attributes"},
		"other type":         {NewThing{Name: "p1", Attributes: map[string]string{"site": "north"}}, ResourceAlreadyExists, "p1"},
		"billing group":      {NewThing{Name: "n", BillingGroupName: "b"}, ResourceNotFound, "Billing group b"},
		"unknown type":       {NewThing{Name: "n", TypeName: "nope"}, ResourceNotFound, "nope"},
		"deprecated type":    {NewThing{Name: "n", TypeName: "old"}, InvalidRequest, "Can not create new thing with depreated thing type:old"},
		"4 without type":     {NewThing{Name: "n", Attributes: attributes(4)}, InvalidRequest, "the maximum is 3"},
		"51 with type":       {NewThing{Name: "n", TypeName: "pump", Attributes: attributes(51)}, InvalidRequest, "the maximum is 50"},
		"attribute name":     {NewThing{Name: "n", Attributes: map[string]string{"a b": "v"}}, InvalidRequest, `"a b"`},
		"long name":          {NewThing{Name: "n", Attributes: map[string]string{long[:129]: "v"}}, InvalidRequest, "attribute name"},
		"attribute value":    {NewThing{Name: "n", Attributes: map[string]string{"a": "v w"}}, InvalidRequest, "value of the attribute a"},
		"long value":         {NewThing{Name: "n", Attributes: map[string]string{"a": long}}, InvalidRequest, "800"},
		"thing name":         {NewThing{Name: "a/b"}, InvalidRequest, `"a/b"`},
		"empty thing name":   {NewThing{}, InvalidRequest, "thing name"},
		"name too long":      {NewThing{Name: long[:129]}, InvalidRequest, "thing name"},
		"name with new line": {NewThing{Name: "a\n"}, InvalidRequest, "thing name"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.CreateThing(ctx, tt.in)
			wantRefusal(t, err, tt.kind, tt.text)
			if tt.kind == ResourceAlreadyExists {
				e, _ := errors.AsType[*Error](err)
				if e.ResourceID != first.ID || e.ResourceARN != first.ARN {
					t.Errorf("refusal names %s %s, want %s %s", e.ResourceID, e.ResourceARN, first.ID, first.ARN)
				}
			}
			if _, err := r.Thing(ctx, "n"); !IsKind(err, ResourceNotFound) {
				t.Errorf("a refused thing exists: %v", err)
			}
		})
	}

	// The most that the limits allow.
	big := map[string]string{}
	for i := range 50 {
		big[fmt.Sprintf("%0128d", i)] = long[:800]
	}
	_ = got(r.CreateThing(ctx, NewThing{Name: "big", TypeName: "pump", Attributes: big}))(t)
	_ = got(r.CreateThing(ctx, NewThing{Name: "full", TypeName: "pump", Attributes: attributes(50)}))(t)
	_ = got(r.CreateThing(ctx, NewThing{Name: "three", Attributes: attributes(3)}))(t)
}

func TestUpdateThing(t *testing.T) {
	north := map[string]string{"site": "north", "floor": "2"}
	set := func(merge bool, kv ...string) AttributeUpdate {
		u := AttributeUpdate{Set: map[string]string{}, Merge: merge}
		for i := 0; i < len(kv); i += 2 {
			u.Set[kv[i]] = kv[i+1]
		}
		return u
	}
	for name, tt := range map[string]struct {
		in        ThingUpdate
		wantType  string
		wantAttrs map[string]string
		kind      Kind // of the refusal
		text      string
	}{
		"nothing":              {ThingUpdate{}, "pump", north, "", ""},
		"replace":              {ThingUpdate{Attributes: set(false, "x", "1")}, "pump", map[string]string{"x": "1"}, "", ""},
		"replace by nothing":   {ThingUpdate{Attributes: set(false)}, "pump", map[string]string{}, "", ""},
		"merge":                {ThingUpdate{Attributes: set(true, "x", "1", "floor", "3")}, "pump", map[string]string{"site": "north", "floor": "3", "x": "1"}, "", ""},
		"merge nothing":        {ThingUpdate{Attributes: set(true)}, "pump", north, "", ""},
		"empty value removes":  {ThingUpdate{Attributes: set(true, "floor", "", "gone", "")}, "pump", map[string]string{"site": "north"}, "", ""},
		"another type":         {ThingUpdate{TypeName: "valve"}, "valve", north, "", ""},
		"remove type":          {ThingUpdate{RemoveType: true}, "", north, "", ""},
		"expected version":     {ThingUpdate{ExpectedVersion: new(int64(1))}, "pump", north, "", ""},
		"the same type":        {ThingUpdate{TypeName: "pump"}, "pump", north, "", ""},
		"wrong version":        {ThingUpdate{ExpectedVersion: new(int64(2))}, "pump", north, VersionConflict, "version 1"},
		"version zero":         {ThingUpdate{ExpectedVersion: new(int64(0))}, "pump", north, VersionConflict, "version 0"},
		"type set and removed": {ThingUpdate{TypeName: "valve", RemoveType: true}, "pump", north, InvalidRequest, "set and removed"},
		"unknown type":         {ThingUpdate{TypeName: "nope"}, "pump", north, ResourceNotFound, "nope"},
		"deprecated type":      {ThingUpdate{TypeName: "old"}, "pump", north, InvalidRequest, "deprecated thing type: old"},
		"too many for no type": {ThingUpdate{RemoveType: true, Attributes: set(true, "x", "1", "y", "2")}, "pump", north, InvalidRequest, "the maximum is 3"},
		"bad value":            {ThingUpdate{Attributes: set(true, "x", "a b")}, "pump", north, InvalidRequest, "attribute x"},
	} {
		t.Run(name, func(t *testing.T) {
			r := openThings(t)
			ctx := t.Context()
			for _, typeName := range []string{"pump", "valve", "old"} {
				_ = got(r.CreateThingType(ctx, typeName, ThingTypeProperties{}, nil))(t)
			}
			ok(t, r.DeprecateThingType(ctx, "old", false))
			_ = got(r.CreateThing(ctx, NewThing{Name: "p1", TypeName: "pump", Attributes: north}))(t)

			err := r.UpdateThing(ctx, "p1", tt.in)
			version := int64(2)
			if tt.kind != "" {
				version = 1
				wantRefusal(t, err, tt.kind, tt.text)
			} else {
				ok(t, err)
			}
			thing := got(r.Thing(ctx, "p1"))(t)
			want := Thing{Name: "p1", TypeName: tt.wantType, Attributes: tt.wantAttrs, Version: version}
			if diff := cmp.Diff(want, thing, cmpopts.IgnoreFields(Thing{}, "ID", "ARN", "CreatedAt")); diff != "" {
				t.Errorf("after the update (-want +got):\n%s", diff)
			}
			// The index says the same as the thing.
			for attribute, value := range map[string]string{"site": "north", "floor": "2", "x": "1"} {
				list := got(r.ListThings(ctx, ThingFilter{AttributeName: attribute, AttributeValue: value}, Page{}))(t)
				if has := tt.wantAttrs[attribute] == value; has != (len(list.Items) == 1) {
					t.Errorf("found by %s=%s: %d things, want one: %t", attribute, value, len(list.Items), has)
				}
			}
		})
	}
	r := openThings(t)
	wantRefusal(t, r.UpdateThing(t.Context(), "nope", ThingUpdate{}), ResourceNotFound, "nope")
}

func TestDeleteThing(t *testing.T) {
	r := openThings(t)
	ctx := t.Context()
	cert := testCertificate(t, r, 1)
	_ = got(r.CreateThingGroup(ctx, NewThingGroup{Name: "g"}))(t)
	_ = got(r.CreateThing(ctx, NewThing{Name: "p1", Attributes: attributes(2)}))(t)
	ok(t, r.AddThingToGroup(ctx, "p1", "g"))
	ok(t, r.AttachThingPrincipal(ctx, "p1", cert, NonExclusiveThing))

	ok(t, r.DeleteThing(ctx, "nope", nil))
	ok(t, r.DeleteThing(ctx, "nope", new(int64(7))))
	wantRefusal(t, r.DeleteThing(ctx, "p1", new(int64(7))), VersionConflict, "version 1")
	err := r.DeleteThing(ctx, "p1", nil)
	wantRefusal(t, err, InvalidRequest, "Cannot delete. Thing p1 is still attached to one or more principals")
	ok(t, r.DetachThingPrincipal(ctx, "p1", cert))
	changes := watch(t, r)
	ok(t, r.DeleteThing(ctx, "p1", new(int64(1))))
	wantChanges(t, changes,
		Change{Kind: GroupMemberChanged, GroupName: "g", ThingName: "p1"},
		Change{Kind: ThingChanged, ThingName: "p1"})

	_, err = r.Thing(ctx, "p1")
	wantRefusal(t, err, ResourceNotFound, "p1")
	if list := got(r.ListThingsInGroup(ctx, "g", true, Page{}))(t); len(list.Items) != 0 {
		t.Errorf("the deleted thing is still in its group: %v", list.Items)
	}
	// Nothing of it clings to the next thing of that name.
	next := got(r.CreateThing(ctx, NewThing{Name: "p1"}))(t)
	if len(next.Attributes) != 0 || next.Version != 1 {
		t.Errorf("the next thing of the name: %+v", next)
	}
	if list := got(r.ListThings(ctx, ThingFilter{AttributeName: "a00"}, Page{}))(t); len(list.Items) != 0 {
		t.Errorf("found by an attribute of the deleted thing: %v", list.Items)
	}
}

func TestListThings(t *testing.T) {
	r := openThings(t)
	ctx := t.Context()
	_ = got(r.CreateThingType(ctx, "pump", ThingTypeProperties{}, nil))(t)
	for _, n := range []NewThing{ // the order of the lists
		{Name: "f", Attributes: map[string]string{"site": "z_z"}},
		{Name: "a", TypeName: "pump", Attributes: map[string]string{"site": "north"}},
		{Name: "b", Attributes: map[string]string{"site": "north-2"}},
		{Name: "e", TypeName: "pump", Attributes: map[string]string{"size": "north"}},
		{Name: "c", TypeName: "pump", Attributes: map[string]string{"site": "North"}},
		{Name: "d", Attributes: map[string]string{"site": "nort"}},
		{Name: "B"},
	} {
		_ = got(r.CreateThing(ctx, n))(t)
	}
	for name, tt := range map[string]struct {
		filter ThingFilter
		want   string
	}{
		"all":              {ThingFilter{}, "f a b e c d B"},
		"type":             {ThingFilter{TypeName: "pump"}, "a e c"},
		"unknown type":     {ThingFilter{TypeName: "nope"}, ""},
		"value":            {ThingFilter{AttributeName: "site", AttributeValue: "north"}, "a"},
		"prefix":           {ThingFilter{AttributeName: "site", AttributeValue: "north", PrefixValue: true}, "a b"},
		"prefix z":         {ThingFilter{AttributeName: "site", AttributeValue: "z", PrefixValue: true}, "f"},
		"any value":        {ThingFilter{AttributeName: "site"}, "f a b c d"},
		"value and type":   {ThingFilter{AttributeName: "site", AttributeValue: "north", TypeName: "pump"}, "a"},
		"prefix and type":  {ThingFilter{AttributeName: "site", AttributeValue: "N", PrefixValue: true, TypeName: "pump"}, "c"},
		"name of no thing": {ThingFilter{AttributeName: "nope", AttributeValue: "x"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 250} {
				var names []string
				p := Page{Size: size}
				for {
					list := got(r.ListThings(ctx, tt.filter, p))(t)
					if len(list.Items) > size {
						t.Fatalf("page of %d has %d things", size, len(list.Items))
					}
					for _, thing := range list.Items {
						names = append(names, thing.Name)
					}
					if p.After = list.Next; list.Next == "" {
						break
					}
				}
				if diff := cmp.Diff(strings.Fields(tt.want), names, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("pages of %d (-want +got):\n%s", size, diff)
				}
			}
		})
	}
	_, err := r.ListThings(ctx, ThingFilter{AttributeValue: "x"}, Page{})
	wantRefusal(t, err, InvalidRequest, "attribute name")
	_, err = r.ListThings(ctx, ThingFilter{}, Page{After: "a"})
	wantRefusal(t, err, InvalidRequest, "marker")
}

// watch collects the changes that r tells from now on.
func watch(t *testing.T, r *Registry) *[]Change {
	t.Helper()
	var changes []Change
	t.Cleanup(r.Watch(func(c Change) { changes = append(changes, c) }))
	return &changes
}

// wantChanges compares the changes collected so far, and forgets them.
func wantChanges(t *testing.T, changes *[]Change, want ...Change) {
	t.Helper()
	if diff := cmp.Diff(want, *changes, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("changes told (-want +got):\n%s", diff)
	}
	*changes = nil
}

// A refused write tells nobody, and a change is told before the call returns.
func TestThingChanges(t *testing.T) {
	r := openThings(t)
	ctx := t.Context()
	changes := watch(t, r)
	_ = got(r.CreateThing(ctx, NewThing{Name: "p1"}))(t)
	wantChanges(t, changes, Change{Kind: ThingChanged, ThingName: "p1"})
	_ = got(r.CreateThing(ctx, NewThing{Name: "p1"}))(t)
	wantChanges(t, changes)
	_, err := r.CreateThing(ctx, NewThing{Name: "p2", TypeName: "nope"})
	wantRefusal(t, err, ResourceNotFound, "nope")
	wantChanges(t, changes)
	ok(t, r.UpdateThing(ctx, "p1", ThingUpdate{Attributes: AttributeUpdate{Set: attributes(1)}}))
	wantChanges(t, changes, Change{Kind: ThingChanged, ThingName: "p1"})
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := r.CreateThing(canceled, NewThing{Name: "p3"}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a canceled context: %v", err)
	}
	wantChanges(t, changes)
}
