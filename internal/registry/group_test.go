package registry

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// makeGroups creates groups from "parent/child" lines; a bare name is a root.
func makeGroups(t *testing.T, r *Registry, lines ...string) {
	t.Helper()
	for _, line := range lines {
		parent, name, found := strings.Cut(line, "/")
		if !found {
			parent, name = "", line
		}
		_ = got(r.CreateThingGroup(t.Context(), NewThingGroup{Name: name, Parent: parent}))(t)
	}
}

func TestThingGroupLifecycle(t *testing.T) {
	r := openThings(t)
	ctx := t.Context()
	changes := watch(t, r)
	makeGroups(t, r, "plant", "plant/hall")
	wantChanges(t, changes, Change{Kind: GroupChanged, GroupName: "plant"}, Change{Kind: GroupChanged, GroupName: "hall"})
	n := NewThingGroup{
		Name: "row", Parent: "hall", Description: "a row", Attributes: map[string]string{"a": "1", "b": "2"}, Tags: []Tag{{"k", "v"}},
	}
	made := got(r.CreateThingGroup(ctx, n))(t)
	want := ThingGroup{
		Name: "row", ARN: "arn:aws:iot:us-east-1:123456789012:thinggroup/row", Parent: "hall", Ancestors: []string{"plant", "hall"},
		Description: "a row", Attributes: map[string]string{"a": "1", "b": "2"}, Version: 1,
	}
	if diff := cmp.Diff(want, made, cmpopts.IgnoreFields(ThingGroup{}, "ID", "CreatedAt")); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(made, got(r.ThingGroup(ctx, "row"))(t)); diff != "" {
		t.Errorf("described (-created +described):\n%s", diff)
	}
	if diff := cmp.Diff(made, got(r.CreateThingGroup(ctx, n))(t)); diff != "" {
		t.Errorf("created again (-first +again):\n%s", diff)
	}
	for name, change := range map[string]func(*NewThingGroup){
		"parent":      func(n *NewThingGroup) { n.Parent = "plant" },
		"no parent":   func(n *NewThingGroup) { n.Parent = "" },
		"description": func(n *NewThingGroup) { n.Description = "" },
		"attributes":  func(n *NewThingGroup) { n.Attributes = nil },
	} {
		t.Run("again with another "+name, func(t *testing.T) {
			n := n
			change(&n)
			_, err := r.CreateThingGroup(ctx, n)
			wantRefusal(t, err, ResourceAlreadyExists, "Thing Group row already exists in current account with different properties")
		})
	}

	version := got(r.UpdateThingGroup(ctx, "row", ThingGroupUpdate{
		Attributes: AttributeUpdate{Set: map[string]string{"b": "", "c": "3"}, Merge: true}, ExpectedVersion: new(int64(1)),
	}))(t)
	group := got(r.ThingGroup(ctx, "row"))(t)
	want.Version, want.Attributes = 2, map[string]string{"a": "1", "c": "3"}
	if diff := cmp.Diff(want, group, cmpopts.IgnoreFields(ThingGroup{}, "ID", "CreatedAt")); diff != "" || version != 2 {
		t.Errorf("updated to version %d (-want +got):\n%s", version, diff)
	}
	_ = got(r.UpdateThingGroup(ctx, "row", ThingGroupUpdate{Description: new("rows"), Attributes: AttributeUpdate{Set: map[string]string{}}}))(t)
	want.Version, want.Description, want.Attributes = 3, "rows", map[string]string{}
	if diff := cmp.Diff(want, got(r.ThingGroup(ctx, "row"))(t), cmpopts.IgnoreFields(ThingGroup{}, "ID", "CreatedAt")); diff != "" {
		t.Errorf("replaced (-want +got):\n%s", diff)
	}

	_, err := r.UpdateThingGroup(ctx, "row", ThingGroupUpdate{ExpectedVersion: new(int64(1))})
	wantRefusal(t, err, VersionConflict, "version 3")
	_, err = r.UpdateThingGroup(ctx, "nope", ThingGroupUpdate{})
	wantRefusal(t, err, ResourceNotFound, "nope")
	_, err = r.UpdateThingGroup(ctx, "row", ThingGroupUpdate{Attributes: AttributeUpdate{Set: attributes(51)}})
	wantRefusal(t, err, InvalidRequest, "the maximum is 50")
	_, err = r.ThingGroup(ctx, "nope")
	wantRefusal(t, err, ResourceNotFound, "nope")

	wantRefusal(t, r.DeleteThingGroup(ctx, "plant", nil), InvalidRequest, "Cannot delete thing group : plant when there are still child groups attached to it")
	wantRefusal(t, r.DeleteThingGroup(ctx, "row", new(int64(1))), VersionConflict, "version 3")
	ok(t, r.DeleteThingGroup(ctx, "nope", nil))
	ok(t, r.DeleteThingGroup(ctx, "row", new(int64(3))))
	ok(t, r.DeleteThingGroup(ctx, "hall", nil))
	ok(t, r.DeleteThingGroup(ctx, "plant", nil))
	if list := got(r.ListThingGroups(ctx, ThingGroupFilter{}, Page{}))(t); len(list.Items) != 0 {
		t.Errorf("left over: %v", list.Items)
	}
}

// What belonged to a deleted group must not come back with the next of its name.
func TestDeletedThingGroupLeavesNothing(t *testing.T) {
	r := openThings(t)
	ctx := t.Context()
	group := got(r.CreateThingGroup(ctx, NewThingGroup{Name: "g", Tags: []Tag{{"k", "v"}}}))(t)
	_ = got(r.CreateThing(ctx, NewThing{Name: "p1"}))(t)
	ok(t, r.AddThingToGroup(ctx, "p1", "g"))
	_ = got(r.CreatePolicy(ctx, "pol", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}`, nil))(t)
	target := got(r.ParseTarget(group.ARN))(t)
	ok(t, r.AttachPolicy(ctx, "pol", target))
	changes := watch(t, r)
	ok(t, r.DeleteThingGroup(ctx, "g", nil))
	wantChanges(t, changes,
		Change{Kind: AttachmentChanged, PolicyName: "pol", GroupName: "g", Target: group.ARN},
		Change{Kind: GroupChanged, GroupName: "g"})

	makeGroups(t, r, "g")
	if list := got(r.ListThingsInGroup(ctx, "g", true, Page{}))(t); len(list.Items) != 0 {
		t.Errorf("things: %v", list.Items)
	}
	if list := got(r.ListTags(ctx, group.ARN, Page{}))(t); len(list.Items) != 0 {
		t.Errorf("tags: %v", list.Items)
	}
	if list := got(r.ListAttachedPolicies(ctx, target, false, Page{}))(t); len(list.Items) != 0 {
		t.Errorf("policies: %v", list.Items)
	}
}

func TestThingGroupLimits(t *testing.T) {
	r := openThings(t)
	ctx := t.Context()
	makeGroups(t, r, "d1", "d1/d2", "d2/d3", "d3/d4", "d4/d5", "d5/d6", "d6/d7")
	_, err := r.CreateThingGroup(ctx, NewThingGroup{Name: "d8", Parent: "d7"})
	wantRefusal(t, err, InvalidRequest, "maximum depth of a hierarchy is 7")

	makeGroups(t, r, "wide")
	for i := range 100 {
		makeGroups(t, r, fmt.Sprintf("wide/w%d", i))
	}
	_, err = r.CreateThingGroup(ctx, NewThingGroup{Name: "w100", Parent: "wide"})
	wantRefusal(t, err, InvalidRequest, "has 100 child groups already")

	for name, n := range map[string]NewThingGroup{
		"parent":      {Name: "n", Parent: "nope"},
		"own parent":  {Name: "n", Parent: "n"},
		"name":        {Name: "a/b"},
		"description": {Name: "n", Description: strings.Repeat("ä", 2029)},
		"attributes":  {Name: "n", Attributes: attributes(51)},
		"tags":        {Name: "n", Tags: []Tag{{"k", "1"}, {"k", "2"}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.CreateThingGroup(ctx, n)
			wantRefusal(t, err, InvalidRequest, "")
			if _, err := r.ThingGroup(ctx, "n"); !IsKind(err, ResourceNotFound) {
				t.Errorf("a refused group exists: %v", err)
			}
		})
	}
	_ = got(r.CreateThingGroup(ctx, NewThingGroup{Name: "n", Description: strings.Repeat("ä", 2028), Attributes: attributes(50)}))(t)
}

func TestGroupMembership(t *testing.T) {
	r := openThings(t)
	ctx := t.Context()
	makeGroups(t, r, "a", "a/a1", "a/a2", "a1/a11", "b", "b/b1")
	_ = got(r.CreateThing(ctx, NewThing{Name: "p1"}))(t)
	changes := watch(t, r)
	member := func(group string) Change {
		return Change{Kind: GroupMemberChanged, GroupName: group, ThingName: "p1"}
	}

	ok(t, r.AddThingToGroup(ctx, "p1", "a11"))
	wantChanges(t, changes, member("a11"))
	ok(t, r.AddThingToGroup(ctx, "p1", "a11"))
	wantChanges(t, changes)
	for _, group := range []string{"a", "a1", "a2"} {
		wantRefusal(t, r.AddThingToGroup(ctx, "p1", group), InvalidRequest, "group a11 of the same hierarchy")
	}
	ok(t, r.AddThingToGroup(ctx, "p1", "b1"))
	wantChanges(t, changes, member("b1"))
	for name, err := range map[string]error{
		"add to unknown":      r.AddThingToGroup(ctx, "p1", "nope"),
		"add unknown":         r.AddThingToGroup(ctx, "nope", "a"),
		"remove from unknown": r.RemoveThingFromGroup(ctx, "p1", "nope"),
		"remove unknown":      r.RemoveThingFromGroup(ctx, "nope", "a"),
	} {
		t.Run(name, func(t *testing.T) { wantRefusal(t, err, ResourceNotFound, "nope") })
	}

	// A move within a hierarchy is one step; a refused one changes nothing.
	ok(t, r.UpdateGroupsOfThing(ctx, "p1", []string{"a2"}, []string{"a11"}))
	wantChanges(t, changes, member("a11"), member("a2"))
	wantRefusal(t, r.UpdateGroupsOfThing(ctx, "p1", []string{"nope"}, []string{"a2"}), ResourceNotFound, "nope")
	wantRefusal(t, r.UpdateGroupsOfThing(ctx, "p1", []string{"a1", "a"}, []string{"a2"}), InvalidRequest, "same hierarchy")
	wantChanges(t, changes)
	wantNames(t, "groups of p1", got(r.ListGroupsOfThing(ctx, "p1", Page{}))(t), "a2 b1")
	wantNames(t, "things in a2", got(r.ListThingsInGroup(ctx, "a2", false, Page{}))(t), "p1")
	wantNames(t, "things in a", got(r.ListThingsInGroup(ctx, "a", false, Page{}))(t), "")
	wantNames(t, "things under a", got(r.ListThingsInGroup(ctx, "a", true, Page{}))(t), "p1")
	wantNames(t, "things under a1", got(r.ListThingsInGroup(ctx, "a1", true, Page{}))(t), "")

	ok(t, r.RemoveThingFromGroup(ctx, "p1", "a2"))
	wantChanges(t, changes, member("a2"))
	ok(t, r.RemoveThingFromGroup(ctx, "p1", "a2"))
	wantChanges(t, changes)

	for i := range 9 {
		makeGroups(t, r, fmt.Sprint("r", i))
		ok(t, r.AddThingToGroup(ctx, "p1", fmt.Sprint("r", i)))
	}
	wantRefusal(t, r.AddThingToGroup(ctx, "p1", "a"), InvalidRequest, "in 10 groups already")
	ok(t, r.UpdateGroupsOfThing(ctx, "p1", []string{"a"}, []string{"b1"}))

	_, err := r.ListThingsInGroup(ctx, "nope", false, Page{})
	wantRefusal(t, err, ResourceNotFound, "nope")
	_, err = r.ListGroupsOfThing(ctx, "nope", Page{})
	wantRefusal(t, err, ResourceNotFound, "nope")
}

func wantNames(t *testing.T, what string, list Listing[string], want string) {
	t.Helper()
	if names := strings.Join(list.Items, " "); names != want || list.Next != "" {
		t.Errorf("%s: got %q (next %q), want %q", what, names, list.Next, want)
	}
}

func TestListThingGroups(t *testing.T) {
	r := openThings(t)
	ctx := t.Context()
	makeGroups(t, r, "a", "a/a1", "a/a2", "a1/a11", "a1/x", "b", "b/b1")
	for name, tt := range map[string]struct {
		filter ThingGroupFilter
		want   string
	}{
		"all":                 {ThingGroupFilter{}, "a a1 a11 a2 b b1 x"},
		"roots":               {ThingGroupFilter{DirectOnly: true}, "a b"},
		"prefix":              {ThingGroupFilter{Prefix: "a1"}, "a1 a11"},
		"roots with prefix":   {ThingGroupFilter{Prefix: "b", DirectOnly: true}, "b"},
		"children":            {ThingGroupFilter{Parent: "a", DirectOnly: true}, "a1 a2"},
		"descendants":         {ThingGroupFilter{Parent: "a"}, "a1 a11 a2 x"},
		"descendants, prefix": {ThingGroupFilter{Parent: "a", Prefix: "x"}, "x"},
		"children, prefix":    {ThingGroupFilter{Parent: "a", Prefix: "a2", DirectOnly: true}, "a2"},
		"of a leaf":           {ThingGroupFilter{Parent: "x"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for size := 1; size < 9; size++ {
				var names []string
				p := Page{Size: size}
				for {
					list := got(r.ListThingGroups(ctx, tt.filter, p))(t)
					names = append(names, list.Items...)
					if p.After = list.Next; list.Next == "" {
						break
					}
				}
				if got := strings.Join(names, " "); got != tt.want {
					t.Errorf("pages of %d: got %q, want %q", size, got, tt.want)
				}
			}
		})
	}
	_, err := r.ListThingGroups(ctx, ThingGroupFilter{Parent: "nope"}, Page{})
	wantRefusal(t, err, ResourceNotFound, "nope")
}

func TestResourceName(t *testing.T) {
	r := openThings(t)
	const arn = "arn:aws:iot:us-east-1:123456789012:thing/a:b"
	for name, tt := range map[string]struct{ name, arn, want, refusal string }{
		"name":          {"a:b", "", "a:b", ""},
		"ARN":           {"", arn, "a:b", ""},
		"both":          {"a:b", arn, "a:b", ""},
		"neither":       {"", "", "", "names no thing"},
		"both differ":   {"x", arn, "", "names two"},
		"of a group":    {"", "arn:aws:iot:us-east-1:123456789012:thinggroup/g", "", `"thinggroup"`},
		"other account": {"", "arn:aws:iot:us-east-1:210987654321:thing/a", "", "210987654321"},
		"other region":  {"", "arn:aws:iot:eu-west-1:123456789012:thing/a", "", "eu-west-1"},
		"no ARN":        {"", "thing/a", "", "not an ARN"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := r.ResourceName("thing", tt.name, tt.arn)
			if tt.refusal != "" {
				wantRefusal(t, err, InvalidRequest, tt.refusal)
			} else if got != tt.want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}
