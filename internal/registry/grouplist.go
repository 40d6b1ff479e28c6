package registry

import (
	"context"

	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// A ThingGroupFilter narrows [Registry.ListThingGroups]; the zero filter takes
// all groups.
type ThingGroupFilter struct {
	Prefix     string // what the name starts with
	Parent     string // only groups below this one
	DirectOnly bool   // only direct children of Parent; without Parent, only roots
}

// ListThingGroups returns the names of groups. Refusal: ResourceNotFound for
// the parent.
func (r *Registry) ListThingGroups(ctx context.Context, f ThingGroupFilter, p Page) (Listing[string], error) {
	limit := p.limit(defaultThingPageSize)
	var names []string
	err := r.view(ctx, func(q *registrydb.Queries) (err error) {
		names, err = r.groupNames(ctx, q, f, p.After, int32(limit+1))
		return err
	})
	if err != nil {
		return Listing[string]{}, err
	}
	return cut(names, limit, itself, itself), nil
}

func (r *Registry) groupNames(ctx context.Context, q *registrydb.Queries, f ThingGroupFilter, after string, limit int32) ([]string, error) {
	end := f.Prefix + afterAny
	switch {
	case f.Parent == "" && f.DirectOnly:
		return q.ListRootThingGroups(ctx, registrydb.ListRootThingGroupsParams{Limit: limit, FromName: f.Prefix, ToName: end, After: after})
	case f.Parent == "":
		return q.ListThingGroups(ctx, registrydb.ListThingGroupsParams{Limit: limit, FromName: f.Prefix, ToName: end, After: after})
	}
	if _, err := q.GetThingGroup(ctx, f.Parent); err != nil {
		return nil, r.groupError(err, f.Parent)
	}
	parent := nullable(f.Parent)
	if f.DirectOnly {
		return q.ListChildThingGroups(ctx, registrydb.ListChildThingGroupsParams{Limit: limit, ParentName: parent, FromName: f.Prefix, ToName: end, After: after})
	}
	return q.ListDescendantThingGroups(ctx, registrydb.ListDescendantThingGroupsParams{Limit: limit, ParentName: parent, FromName: f.Prefix, ToName: end, After: after})
}

// ListThingsInGroup returns the names of the things in a group; with recursive
// also of those in its descendants. Refusal: ResourceNotFound.
func (r *Registry) ListThingsInGroup(ctx context.Context, group string, recursive bool, p Page) (Listing[string], error) {
	limit := p.limit(defaultThingPageSize)
	var names []string
	err := r.view(ctx, func(q *registrydb.Queries) (err error) {
		if _, err := q.GetThingGroup(ctx, group); err != nil {
			return r.groupError(err, group)
		}
		if recursive {
			names, err = q.ListThingsUnderGroup(ctx, registrydb.ListThingsUnderGroupParams{Limit: int32(limit + 1), After: p.After, GroupName: group})
		} else {
			names, err = q.ListThingsInGroup(ctx, registrydb.ListThingsInGroupParams{GroupName: group, Limit: int32(limit + 1), After: p.After})
		}
		return err
	})
	if err != nil {
		return Listing[string]{}, err
	}
	return cut(names, limit, itself, itself), nil
}

// ListGroupsOfThing returns the names of the groups that a thing was put into,
// without their ancestors. Refusal: ResourceNotFound.
func (r *Registry) ListGroupsOfThing(ctx context.Context, thing string, p Page) (Listing[string], error) {
	limit := p.limit(defaultThingPageSize)
	var names []string
	err := r.view(ctx, func(q *registrydb.Queries) (err error) {
		if _, err := q.GetThing(ctx, thing); err != nil {
			return r.thingError(err, thing)
		}
		names, err = q.ListGroupsOfThing(ctx, registrydb.ListGroupsOfThingParams{ThingName: thing, Limit: int32(limit + 1), After: p.After})
		return err
	})
	if err != nil {
		return Listing[string]{}, err
	}
	return cut(names, limit, itself, itself), nil
}
