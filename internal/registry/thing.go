package registry

import (
	"context"
	"database/sql"
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// A Thing is the registry's entry of a device.
type Thing struct {
	Name       string
	ID         string // UUID
	ARN        string
	TypeName   string            // empty when it has no thing type
	Attributes map[string]string // never nil
	Version    int64             // 1 at first, one more with every update
	CreatedAt  time.Time
}

// NewThing is what a thing is created from.
type NewThing struct {
	Name             string
	TypeName         string // optional
	BillingGroupName string // optional
	Attributes       map[string]string
}

// CreateThing creates a thing. One that exists with the same thing type and
// attributes is returned as it is. Refusals: ResourceAlreadyExists for one that
// differs, ResourceNotFound for the thing type or billing group, InvalidRequest
// for a deprecated type or a broken limit.
// Source: API sheet 7, "Semantics that surprise clients".
func (r *Registry) CreateThing(ctx context.Context, n NewThing) (Thing, error) {
	if err := checkName("thing", n.Name); err != nil {
		return Thing{}, err
	}
	var thing Thing
	err := r.write(ctx, func(t *tx) error {
		attrs := AttributeUpdate{Set: n.Attributes}.apply(map[string]string{})
		old, err := t.GetThing(ctx, n.Name)
		if err == nil {
			if thing, err = r.thing(old); err != nil {
				return err
			}
			if thing.TypeName != n.TypeName || n.BillingGroupName != "" || !maps.Equal(thing.Attributes, attrs) {
				return Errorf(ResourceAlreadyExists, "Thing %s already exists in account with different attributes", n.Name).About(thing.ID, thing.ARN)
			}
			return nil
		} else if !store.IsNotFound(err) {
			return err
		}
		if err := checkThing(n.Name, n.TypeName, attrs); err != nil {
			return err
		}
		if n.TypeName != "" {
			if err := r.checkTypeInUse(ctx, t, n.TypeName, "Can not create new thing with depreated thing type:"); err != nil { // AWS's spelling
				return err
			}
		}
		if n.BillingGroupName != "" { // there are none yet, so this one does not exist
			return Errorf(ResourceNotFound, "Billing group %s does not exist", n.BillingGroupName)
		}
		thing = Thing{
			Name:       n.Name,
			ID:         uuid.NewString(),
			ARN:        r.ARN("thing", n.Name),
			TypeName:   n.TypeName,
			Attributes: attrs,
			Version:    1,
			CreatedAt:  time.UnixMilli(t.now),
		}
		if err := t.InsertThing(ctx, registrydb.InsertThingParams{
			ThingName:     thing.Name,
			ThingID:       thing.ID,
			ThingTypeName: nullable(thing.TypeName),
			Attributes:    encodeAttributes(attrs),
			Version:       thing.Version,
			CreatedAt:     t.now,
		}); err != nil {
			return err
		}
		if err := t.indexThing(ctx, thing.Name, attrs); err != nil {
			return err
		}
		t.changed(Change{Kind: ThingChanged, ThingName: thing.Name})
		return nil
	})
	if err != nil {
		return Thing{}, err
	}
	return thing, nil
}

// Thing returns a thing, or a ResourceNotFound [*Error].
func (r *Registry) Thing(ctx context.Context, name string) (Thing, error) {
	row, err := r.read().GetThing(ctx, name)
	if err != nil {
		return Thing{}, r.thingError(err, name)
	}
	return r.thing(row)
}

// A ThingUpdate says what to change of a thing.
type ThingUpdate struct {
	TypeName        string // empty: keep it
	RemoveType      bool
	Attributes      AttributeUpdate
	ExpectedVersion *int64 // refuse if the thing has another version
}

// UpdateThing changes a thing and adds one to its version. Refusals:
// ResourceNotFound for the thing or its new type, VersionConflict,
// InvalidRequest for a deprecated type or a broken limit.
func (r *Registry) UpdateThing(ctx context.Context, name string, u ThingUpdate) error {
	return r.write(ctx, func(t *tx) error {
		row, err := t.GetThing(ctx, name)
		if err != nil {
			return r.thingError(err, name)
		}
		old, err := r.thing(row)
		if err != nil {
			return err
		}
		if err := checkVersion("thing "+name, old.Version, u.ExpectedVersion); err != nil {
			return err
		}
		typeName := old.TypeName
		switch {
		case u.RemoveType && u.TypeName != "":
			return Errorf(InvalidRequest, "Thing type %s can't be set and removed in one request.", u.TypeName)
		case u.RemoveType:
			typeName = ""
		case u.TypeName != "" && u.TypeName != old.TypeName:
			typeName = u.TypeName
			if err := r.checkTypeInUse(ctx, t, typeName, "Can not update a thing to use deprecated thing type: "); err != nil {
				return err
			}
		}
		attrs := u.Attributes.apply(old.Attributes)
		if err := checkThing(name, typeName, attrs); err != nil {
			return err
		}
		if err := t.UpdateThing(ctx, registrydb.UpdateThingParams{
			ThingName:     name,
			ThingTypeName: nullable(typeName),
			Attributes:    encodeAttributes(attrs),
			Version:       old.Version + 1,
		}); err != nil {
			return err
		}
		if !maps.Equal(attrs, old.Attributes) {
			if err := t.DeleteThingAttributes(ctx, name); err != nil {
				return err
			}
			if err := t.indexThing(ctx, name, attrs); err != nil {
				return err
			}
		}
		t.changed(Change{Kind: ThingChanged, ThingName: name})
		return nil
	})
}

// DeleteThing deletes a thing and takes it out of its groups; it succeeds if
// there is none. Refusals: VersionConflict, and InvalidRequest while a principal
// is attached.
func (r *Registry) DeleteThing(ctx context.Context, name string, expectedVersion *int64) error {
	return r.write(ctx, func(t *tx) error {
		row, err := t.GetThing(ctx, name)
		if store.IsNotFound(err) {
			return nil
		} else if err != nil {
			return err
		}
		if err := checkVersion("thing "+name, row.Version, expectedVersion); err != nil {
			return err
		}
		principals, err := t.CountPrincipalsOfThing(ctx, name)
		if err != nil {
			return err
		}
		if principals > 0 {
			return Errorf(InvalidRequest, "Cannot delete. Thing %s is still attached to one or more principals", name)
		}
		groups, err := t.ListGroupsOfThing(ctx, registrydb.ListGroupsOfThingParams{ThingName: name, Limit: maxGroupsOfThing})
		if err != nil {
			return err
		}
		if err := t.DeleteThing(ctx, name); err != nil { // attributes and memberships go with it
			return err
		}
		for _, group := range groups {
			t.changed(Change{Kind: GroupMemberChanged, GroupName: group, ThingName: name})
		}
		t.changed(Change{Kind: ThingChanged, ThingName: name})
		return nil
	})
}

// checkThing refuses attributes that a thing of that type ("" for none) can't have.
func checkThing(name, typeName string, attrs map[string]string) error {
	most := maxAttributesUntyped
	if typeName != "" {
		most = maxAttributesTyped
	}
	return checkAttributes("thing "+name, attrs, most)
}

// indexThing writes the attributes by which [Registry.ListThings] finds a thing.
func (t *tx) indexThing(ctx context.Context, name string, attrs map[string]string) error {
	for attribute, value := range attrs {
		if err := t.InsertThingAttribute(ctx, registrydb.InsertThingAttributeParams{
			ThingName:      name,
			AttributeName:  attribute,
			AttributeValue: value,
		}); err != nil {
			return err
		}
	}
	return nil
}

// thing makes a Thing of its row.
func (r *Registry) thing(row registrydb.Thing) (Thing, error) {
	attrs, err := decodeAttributes("thing "+row.ThingName, row.Attributes)
	if err != nil {
		return Thing{}, err
	}
	return Thing{
		Name:       row.ThingName,
		ID:         row.ThingID,
		ARN:        r.ARN("thing", row.ThingName),
		TypeName:   row.ThingTypeName.String,
		Attributes: attrs,
		Version:    row.Version,
		CreatedAt:  time.UnixMilli(row.CreatedAt),
	}, nil
}

// thingError says which thing is missing, and leaves other errors alone.
func (r *Registry) thingError(err error, name string) error {
	if store.IsNotFound(err) {
		return Errorf(ResourceNotFound, "Thing %s does not exist in your account", name).About(name, r.ARN("thing", name))
	}
	return err
}

// checkVersion refuses a change that was meant for another version.
func checkVersion(what string, have int64, expected *int64) error {
	if expected != nil && *expected != have {
		return Errorf(VersionConflict, "The %s has the version %d, not the expected version %d.", what, have, *expected)
	}
	return nil
}

// nullable stores an empty string as NULL.
func nullable(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }
