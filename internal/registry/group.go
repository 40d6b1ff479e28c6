package registry

import (
	"context"
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// Limits of static thing groups.
// Source: AWS IoT Core quotas, "Thing group resource limits"; policy sheet 8.3.
const (
	maxGroupDepth    = 7 // groups from a root to a leaf, both counted
	maxChildGroups   = 100
	maxGroupsOfThing = 10
)

// A ThingGroup is a static group of things. It stays below the parent that it
// was created with.
type ThingGroup struct {
	Name        string
	ID          string // UUID
	ARN         string
	Parent      string   // empty for a root
	Ancestors   []string // names, the root first, the parent last
	Description string
	Attributes  map[string]string // never nil
	Version     int64             // 1 at first, one more with every update
	CreatedAt   time.Time
}

// NewThingGroup is what a group is created from.
type NewThingGroup struct {
	Name        string
	Parent      string // empty for a root
	Description string
	Attributes  map[string]string
	Tags        []Tag
}

// CreateThingGroup creates a static group. One that exists with the same
// parent, description and attributes is returned as it is, its tags unchanged.
// Refusals: ResourceAlreadyExists for one that differs, InvalidRequest for an
// unknown parent or a broken limit.
// Source: API sheet 7, "Semantics that surprise clients".
func (r *Registry) CreateThingGroup(ctx context.Context, n NewThingGroup) (ThingGroup, error) {
	if err := checkName("thing group", n.Name); err != nil {
		return ThingGroup{}, err
	}
	attrs := AttributeUpdate{Set: n.Attributes}.apply(map[string]string{})
	if err := checkGroup(n.Name, n.Description, attrs); err != nil {
		return ThingGroup{}, err
	}
	var group ThingGroup
	err := r.write(ctx, func(t *tx) error {
		old, err := t.GetThingGroup(ctx, n.Name)
		if err == nil {
			if group, err = r.thingGroup(ctx, t.Queries, old); err != nil {
				return err
			}
			if group.Parent != n.Parent || group.Description != n.Description || !maps.Equal(group.Attributes, attrs) {
				return Errorf(ResourceAlreadyExists, "Thing Group %s already exists in current account with different properties", n.Name).About(group.ID, group.ARN)
			}
			return nil
		} else if !store.IsNotFound(err) {
			return err
		}
		row := registrydb.ThingGroup{
			GroupName:   n.Name,
			GroupID:     uuid.NewString(),
			ParentName:  nullable(n.Parent),
			RootName:    n.Name,
			Depth:       1,
			Description: n.Description,
			Attributes:  encodeAttributes(attrs),
			Version:     1,
			CreatedAt:   t.now,
		}
		if n.Parent != "" {
			if err := t.placeUnder(ctx, n.Parent, &row); err != nil {
				return err
			}
		}
		if err := t.InsertThingGroup(ctx, registrydb.InsertThingGroupParams(row)); err != nil {
			return err
		}
		if err := r.tagNew(ctx, t, "thinggroup", n.Name, n.Tags); err != nil {
			return err
		}
		t.changed(Change{Kind: GroupChanged, GroupName: n.Name})
		group, err = r.thingGroup(ctx, t.Queries, row)
		return err
	})
	if err != nil {
		return ThingGroup{}, err
	}
	return group, nil
}

// placeUnder gives a new group its place in the hierarchy.
func (t *tx) placeUnder(ctx context.Context, parent string, row *registrydb.ThingGroup) error {
	p, err := t.GetThingGroup(ctx, parent)
	if store.IsNotFound(err) { // the operation knows no ResourceNotFoundException
		return Errorf(InvalidRequest, "Parent thing group %s does not exist in your account", parent)
	} else if err != nil {
		return err
	}
	row.RootName, row.Depth = p.RootName, p.Depth+1
	if row.Depth > maxGroupDepth {
		return Errorf(InvalidRequest, "Thing group %s would be %d groups deep; the maximum depth of a hierarchy is %d.", row.GroupName, row.Depth, maxGroupDepth)
	}
	children, err := t.CountChildGroups(ctx, nullable(parent))
	if err != nil {
		return err
	}
	if children >= maxChildGroups {
		return Errorf(InvalidRequest, "Thing group %s has %d child groups already; that is the maximum.", parent, children)
	}
	return nil
}

// ThingGroup returns a group, or a ResourceNotFound [*Error].
func (r *Registry) ThingGroup(ctx context.Context, name string) (ThingGroup, error) {
	var group ThingGroup
	err := r.view(ctx, func(q *registrydb.Queries) error {
		row, err := q.GetThingGroup(ctx, name)
		if err != nil {
			return r.groupError(err, name)
		}
		group, err = r.thingGroup(ctx, q, row)
		return err
	})
	return group, err
}

// A ThingGroupUpdate says what to change of a group.
type ThingGroupUpdate struct {
	Description     *string // nil: keep it
	Attributes      AttributeUpdate
	ExpectedVersion *int64 // refuse if the group has another version
}

// UpdateThingGroup changes a group and returns its new version. Refusals:
// ResourceNotFound, VersionConflict, InvalidRequest for a broken limit.
func (r *Registry) UpdateThingGroup(ctx context.Context, name string, u ThingGroupUpdate) (version int64, err error) {
	err = r.write(ctx, func(t *tx) error {
		row, err := t.GetThingGroup(ctx, name)
		if err != nil {
			return r.groupError(err, name)
		}
		if err := checkVersion("thing group "+name, row.Version, u.ExpectedVersion); err != nil {
			return err
		}
		attrs, err := decodeAttributes("thing group "+name, row.Attributes)
		if err != nil {
			return err
		}
		attrs = u.Attributes.apply(attrs)
		if u.Description != nil {
			row.Description = *u.Description
		}
		if err := checkGroup(name, row.Description, attrs); err != nil {
			return err
		}
		version = row.Version + 1
		t.changed(Change{Kind: GroupChanged, GroupName: name})
		return t.UpdateThingGroup(ctx, registrydb.UpdateThingGroupParams{
			GroupName:   name,
			Description: row.Description,
			Attributes:  encodeAttributes(attrs),
			Version:     version,
		})
	})
	return version, err
}

// DeleteThingGroup deletes a group, takes its things out of it and its policies
// off it; it succeeds if there is none. Refusals: VersionConflict, and
// InvalidRequest while it has child groups.
func (r *Registry) DeleteThingGroup(ctx context.Context, name string, expectedVersion *int64) error {
	return r.write(ctx, func(t *tx) error {
		row, err := t.GetThingGroup(ctx, name)
		if store.IsNotFound(err) {
			return nil
		} else if err != nil {
			return err
		}
		if err := checkVersion("thing group "+name, row.Version, expectedVersion); err != nil {
			return err
		}
		children, err := t.CountChildGroups(ctx, nullable(name))
		if err != nil {
			return err
		}
		if children > 0 {
			return Errorf(InvalidRequest, "Cannot delete thing group : %s when there are still child groups attached to it", name)
		}
		target := Target{TargetThingGroup, name}
		policies, err := t.ListPoliciesOfTarget(ctx, registrydb.ListPoliciesOfTargetParams{TargetType: string(target.Type), TargetName: name})
		if err != nil {
			return err
		}
		if err := r.dropAttachments(ctx, t, target, policies); err != nil {
			return err
		}
		if err := t.DeleteThingGroup(ctx, name); err != nil { // memberships go with it
			return err
		}
		if err := r.untagGone(ctx, t, "thinggroup", name); err != nil {
			return err
		}
		t.changed(Change{Kind: GroupChanged, GroupName: name})
		return nil
	})
}

// checkGroup refuses a description or attributes that break a limit.
func checkGroup(name, description string, attrs map[string]string) error {
	owner := "thing group " + name
	if err := checkDescription(owner, description); err != nil {
		return err
	}
	return checkAttributes(owner, attrs, maxAttributesTyped)
}

// thingGroup makes a ThingGroup of its row, and reads its ancestors.
func (r *Registry) thingGroup(ctx context.Context, q *registrydb.Queries, row registrydb.ThingGroup) (ThingGroup, error) {
	attrs, err := decodeAttributes("thing group "+row.GroupName, row.Attributes)
	if err != nil {
		return ThingGroup{}, err
	}
	g := ThingGroup{
		Name:        row.GroupName,
		ID:          row.GroupID,
		ARN:         r.ARN("thinggroup", row.GroupName),
		Parent:      row.ParentName.String,
		Description: row.Description,
		Attributes:  attrs,
		Version:     row.Version,
		CreatedAt:   time.UnixMilli(row.CreatedAt),
	}
	if g.Parent != "" {
		if g.Ancestors, err = q.ListAncestorThingGroups(ctx, g.Name); err != nil {
			return ThingGroup{}, err
		}
	}
	return g, nil
}

// groupError says which group is missing, and leaves other errors alone.
func (r *Registry) groupError(err error, name string) error {
	if store.IsNotFound(err) {
		return Errorf(ResourceNotFound, "Thing group %s does not exist in your account", name).About(name, r.ARN("thinggroup", name))
	}
	return err
}
