package registry

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// groupModel is the slow, obviously right registry of groups.
type groupModel struct {
	parent  map[string]string          // of every group; "" for a root
	members map[string]map[string]bool // group -> things
}

// path lists a group and its ancestors, itself first.
func (m groupModel) path(group string) (path []string) {
	for ; group != ""; group = m.parent[group] {
		path = append(path, group)
	}
	return path
}

func (m groupModel) root(group string) string { p := m.path(group); return p[len(p)-1] }

func (m groupModel) children(group string) (n int) {
	for _, parent := range m.parent {
		if parent == group {
			n++
		}
	}
	return n
}

func (m groupModel) groupsOf(thing string) (groups []string) {
	for group, things := range m.members {
		if things[thing] {
			groups = append(groups, group)
		}
	}
	slices.Sort(groups)
	return groups
}

// thingsUnder lists what is in a group or in a group that has it as ancestor.
func (m groupModel) thingsUnder(group string) []string {
	all := map[string]bool{}
	for g, things := range m.members {
		if slices.Contains(m.path(g), group) {
			maps.Copy(all, things)
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func (m groupModel) canAdd(thing, group string) bool {
	groups := m.groupsOf(thing)
	if slices.Contains(groups, group) {
		return true
	}
	for _, g := range groups {
		if m.root(g) == m.root(group) {
			return false
		}
	}
	return len(groups) < maxGroupsOfThing
}

// Whatever is done to groups and their members, the registry agrees with the
// model about what is allowed and what comes of it.
func TestGroupProperties(t *testing.T) {
	r := openThings(t)
	ctx := t.Context()
	round, steps := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		name := func(kind string, i int) string { return fmt.Sprintf("r%d-%s%02d", round, kind, i) }
		m := groupModel{map[string]string{}, map[string]map[string]bool{}}
		things := []string{name("t", 0), name("t", 1)}
		for _, thing := range things {
			must(t, second(r.CreateThing(ctx, NewThing{Name: thing})))
		}
		group := rapid.Map(rapid.IntRange(0, 13), func(i int) string { return name("g", i) })
		agree := func(what string, err error, allowed bool) {
			t.Helper()
			if allowed && err != nil || !allowed && !IsKind(err, InvalidRequest) && !IsKind(err, ResourceNotFound) {
				t.Fatalf("%s: got %v; the model allows it: %t", what, err, allowed)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"create": func(t *rapid.T) {
				g, parent := group.Draw(t, "group"), ""
				if rapid.IntRange(0, 3).Draw(t, "root") > 0 {
					parent = group.Draw(t, "parent")
				}
				if _, exists := m.parent[g]; exists {
					return
				}
				_, known := m.parent[parent]
				allowed := parent == "" || known && len(m.path(parent)) < maxGroupDepth
				agree("create "+g+" under "+parent, second(r.CreateThingGroup(ctx, NewThingGroup{Name: g, Parent: parent})), allowed)
				if allowed {
					m.parent[g], m.members[g] = parent, map[string]bool{}
				}
			},
			"delete": func(t *rapid.T) {
				g := group.Draw(t, "group")
				_, exists := m.parent[g]
				allowed := !exists || m.children(g) == 0
				agree("delete "+g, r.DeleteThingGroup(ctx, g, nil), allowed)
				if allowed {
					delete(m.parent, g)
					delete(m.members, g)
				}
			},
			"add": func(t *rapid.T) {
				g, thing := group.Draw(t, "group"), rapid.SampledFrom(things).Draw(t, "thing")
				_, exists := m.parent[g]
				allowed := exists && m.canAdd(thing, g)
				agree("add "+thing+" to "+g, r.AddThingToGroup(ctx, thing, g), allowed)
				if allowed {
					m.members[g][thing] = true
				}
			},
			"move": func(t *rapid.T) {
				from, to, thing := group.Draw(t, "from"), group.Draw(t, "to"), rapid.SampledFrom(things).Draw(t, "thing")
				_, known := m.parent[from]
				_, exists := m.parent[to]
				was := m.members[from][thing]
				delete(m.members[from], thing)
				allowed := known && exists && m.canAdd(thing, to)
				agree("move "+thing+" from "+from+" to "+to, r.UpdateGroupsOfThing(ctx, thing, []string{to}, []string{from}), allowed)
				if allowed {
					m.members[to][thing] = true
				} else if was {
					m.members[from][thing] = true // all or nothing
				}
			},
			"": func(t *rapid.T) { // after every step, but the whole comparison takes a while
				if steps++; steps%5 == 0 {
					compareGroups(ctx, t, r, m, things, fmt.Sprintf("r%d-g", round))
				}
			},
		})
		compareGroups(ctx, t, r, m, things, fmt.Sprintf("r%d-g", round))
	})
}

// compareGroups reads everything back in small pages.
func compareGroups(ctx context.Context, t *rapid.T, r *Registry, m groupModel, things []string, prefix string) {
	same := func(what string, want, got []string) {
		t.Helper()
		if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s (-model +registry):\n%s", what, diff)
		}
	}
	all := readAll(t, 3, func(p Page) (Listing[string], error) {
		return r.ListThingGroups(ctx, ThingGroupFilter{Prefix: prefix}, p)
	})
	same("groups", slices.Sorted(maps.Keys(m.parent)), all)
	for _, g := range all {
		group, err := r.ThingGroup(ctx, g)
		must(t, err)
		path := m.path(g)[1:]
		slices.Reverse(path)
		same("ancestors of "+g, path, group.Ancestors)
		same("things under "+g, m.thingsUnder(g), readAll(t, 1, func(p Page) (Listing[string], error) {
			return r.ListThingsInGroup(ctx, g, true, p)
		}))
	}
	for _, thing := range things {
		groups := readAll(t, 2, func(p Page) (Listing[string], error) { return r.ListGroupsOfThing(ctx, thing, p) })
		same("groups of "+thing, m.groupsOf(thing), groups)
		above, err := r.read().ListGroupsAboveThing(ctx, thing)
		must(t, err)
		want := map[string]bool{}
		for _, g := range groups {
			for _, p := range m.path(g) {
				want[p] = true
			}
		}
		same("groups above "+thing, slices.Sorted(maps.Keys(want)), above)
	}
}

// A list read page by page, while things come and go between the pages, holds
// what was there all the time exactly once, in order, and nothing twice. Things
// are listed by age: one that is deleted and made again is another thing, at the end.
func TestPagingProperties(t *testing.T) {
	r := openThings(t)
	ctx := t.Context()
	must := func(err error) { ok(t, err) }
	must(second(r.CreateThingType(ctx, "pump", ThingTypeProperties{}, nil)))
	must(second(r.CreateThingGroup(ctx, NewThingGroup{Name: "top"})))
	must(second(r.CreateThingGroup(ctx, NewThingGroup{Name: "sub", Parent: "top"})))
	cert := testCertificate(t, r, 1)

	const n = 12
	name := func(i int) string { return fmt.Sprintf("t%02d", i) }
	births, born := 0, map[string]int{} // of the thing that has the name now
	create := func(i int) {
		births++
		born[name(i)] = births
		must(second(r.CreateThing(ctx, NewThing{Name: name(i), TypeName: "pump", Attributes: map[string]string{"site": "north"}})))
		must(r.AddThingToGroup(ctx, name(i), []string{"top", "sub"}[i%2]))
		must(r.AttachThingPrincipal(ctx, name(i), cert, NonExclusiveThing))
	}
	remove := func(i int) {
		must(r.DetachThingPrincipal(ctx, name(i), cert))
		must(r.DeleteThing(ctx, name(i), nil))
	}
	things := func(f ThingFilter) func(Page) (Listing[string], error) {
		return func(p Page) (Listing[string], error) {
			list, err := r.ListThings(ctx, f, p)
			return namesOf(list, func(t Thing) string { return t.Name }), err
		}
	}
	lists := map[string]func(Page) (Listing[string], error){
		"all things":            things(ThingFilter{}),
		"all things of a type":  things(ThingFilter{TypeName: "pump"}),
		"all things of a value": things(ThingFilter{AttributeName: "site", AttributeValue: "north"}),
		"all things of both":    things(ThingFilter{AttributeName: "site", AttributeValue: "n", PrefixValue: true, TypeName: "pump"}),
		"things under a group":  func(p Page) (Listing[string], error) { return r.ListThingsInGroup(ctx, "top", true, p) },
		"things of a principal": func(p Page) (Listing[string], error) {
			list, err := r.ListPrincipalThings(ctx, cert, "", p)
			return namesOf(list, func(a ThingPrincipal) string { return a.Thing }), err
		},
	}
	present := make([]bool, n)
	rapid.Check(t, func(t *rapid.T) {
		of := rapid.SampledFrom(slices.Sorted(maps.Keys(lists))).Draw(t, "list")
		list, byAge := lists[of], strings.HasPrefix(of, "all things")
		stable := slices.Clone(present)
		var seen, keys []string
		p := Page{Size: rapid.IntRange(1, 4).Draw(t, "size")}
		for pages := 0; ; pages++ {
			if pages > 2*n+1 {
				t.Fatal("the list does not end")
			}
			page, err := list(p)
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, page.Items...)
			for _, item := range page.Items {
				if byAge {
					item = fmt.Sprintf("%08d", born[item])
				}
				keys = append(keys, item)
			}
			if p.After = page.Next; page.Next == "" {
				break
			}
			if pages >= n {
				continue // a list by age goes on as long as things are made again: let it end
			}
			for _, i := range rapid.SliceOfN(rapid.IntRange(0, n-1), 0, 3).Draw(t, "toggled") {
				if present[i] {
					remove(i)
				} else {
					create(i)
				}
				present[i], stable[i] = !present[i], false
			}
		}
		if !slices.IsSortedFunc(keys, func(a, b string) int { return cmp.Or(strings.Compare(a, b), -1) }) {
			t.Fatalf("not in order, or something twice: %v, by %v", seen, keys)
		}
		for i, was := range stable {
			if was && !slices.Contains(seen, name(i)) {
				t.Fatalf("%s is missing in %v", name(i), seen)
			}
		}
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, n-1), 1, 6).Draw(t, "before the next") {
			if !present[i] {
				create(i)
				present[i] = true
			}
		}
	})
}

// readAll reads a list in pages of a size.
func readAll(t *rapid.T, size int, list func(Page) (Listing[string], error)) (names []string) {
	p := Page{Size: size}
	for range 100 {
		page, err := list(p)
		must(t, err)
		names = append(names, page.Items...)
		if p.After = page.Next; page.Next == "" {
			return names
		}
	}
	t.Fatalf("the list does not end: %v", names)
	return nil
}

func namesOf[T any](list Listing[T], name func(T) string) Listing[string] {
	names := Listing[string]{Next: list.Next}
	for _, item := range list.Items {
		names.Items = append(names.Items, name(item))
	}
	return names
}

func must(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// second drops the value of a call.
func second[T any](_ T, err error) error { return err }
