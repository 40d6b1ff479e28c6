package registry

import (
	"context"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// AddThingToGroup puts a thing into a group; it succeeds if it is there
// already. Refusals: ResourceNotFound for either, InvalidRequest if the thing is
// in another group of the hierarchy or in 10 groups.
// Source: policy sheet 8.3.
func (r *Registry) AddThingToGroup(ctx context.Context, thing, group string) error {
	return r.UpdateGroupsOfThing(ctx, thing, []string{group}, nil)
}

// RemoveThingFromGroup takes a thing out of a group; it succeeds if it was not
// in it. Refusal: ResourceNotFound for either.
func (r *Registry) RemoveThingFromGroup(ctx context.Context, thing, group string) error {
	return r.UpdateGroupsOfThing(ctx, thing, nil, []string{group})
}

// UpdateGroupsOfThing takes a thing out of some groups and puts it into others,
// in this order, so that it can move within a hierarchy; all or nothing.
// Refusals are those of [Registry.AddThingToGroup].
func (r *Registry) UpdateGroupsOfThing(ctx context.Context, thing string, add, remove []string) error {
	return r.write(ctx, func(t *tx) error {
		if _, err := t.GetThing(ctx, thing); err != nil {
			return r.thingError(err, thing)
		}
		for _, group := range remove {
			if _, err := t.GetThingGroup(ctx, group); err != nil {
				return r.groupError(err, group)
			}
			n, err := t.DeleteThingGroupMember(ctx, registrydb.DeleteThingGroupMemberParams{GroupName: group, ThingName: thing})
			if err != nil {
				return err
			}
			if n > 0 {
				t.changed(Change{Kind: GroupMemberChanged, GroupName: group, ThingName: thing})
			}
		}
		for _, group := range add {
			if err := r.addMember(ctx, t, thing, group); err != nil {
				return err
			}
		}
		return nil
	})
}

// addMember puts a thing, which exists, into a group.
func (r *Registry) addMember(ctx context.Context, t *tx, thing, group string) error {
	row, err := t.GetThingGroup(ctx, group)
	if err != nil {
		return r.groupError(err, group)
	}
	other, err := t.GetThingGroupMemberOfRoot(ctx, registrydb.GetThingGroupMemberOfRootParams{ThingName: thing, RootName: row.RootName})
	switch {
	case err == nil && other == group:
		return nil
	case err == nil:
		return Errorf(InvalidRequest, "Thing %s can't be added to thing group %s: it is in the group %s of the same hierarchy, below %s.", thing, group, other, row.RootName)
	case !store.IsNotFound(err):
		return err
	}
	n, err := t.CountGroupsOfThing(ctx, thing)
	if err != nil {
		return err
	}
	if n >= maxGroupsOfThing {
		return Errorf(InvalidRequest, "Thing %s can't be added to thing group %s: it is in %d groups already, and that is the maximum.", thing, group, n)
	}
	t.changed(Change{Kind: GroupMemberChanged, GroupName: group, ThingName: thing})
	return t.InsertThingGroupMember(ctx, registrydb.InsertThingGroupMemberParams{
		GroupName: group, ThingName: thing, RootName: row.RootName, AddedAt: t.now,
	})
}

// ResourceName reads the two ways in which the group operations name a
// resource: by its name, by its ARN, or by both if they agree. resourceType is
// that of the ARN, such as thing. Refusal: InvalidRequest.
func (r *Registry) ResourceName(resourceType, name, arn string) (string, error) {
	if arn == "" {
		if name == "" {
			return "", Errorf(InvalidRequest, "The request names no %s: it needs the name or the ARN.", resourceType)
		}
		return name, nil
	}
	gotType, gotName, err := r.localARN(arn)
	switch {
	case err != nil:
		return "", err
	case gotType != resourceType:
		return "", Errorf(InvalidRequest, "The ARN %s is of the type %q, not %q.", arn, gotType, resourceType)
	case name != "" && name != gotName:
		return "", Errorf(InvalidRequest, "The request names two: %s and %s.", name, arn)
	}
	return gotName, nil
}
