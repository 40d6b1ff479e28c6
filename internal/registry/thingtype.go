package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// Limits of thing types. Source: AWS IoT Core quotas, "Thing resource limits",
// and the API model (ThingTypeDescription).
const (
	maxSearchableAttributes  = 3
	maxPropagatingAttributes = 20
	maxDescription           = 2028 // characters, of groups too
)

// A ThingType is what things of a kind have in common.
type ThingType struct {
	Name         string
	ID           string // UUID
	ARN          string
	Properties   ThingTypeProperties
	CreatedAt    time.Time
	DeprecatedAt time.Time // zero while it is in use
}

// ThingTypeProperties describe a thing type.
type ThingTypeProperties struct {
	Description          string
	SearchableAttributes []string               // at most 3
	Propagating          []PropagatingAttribute // nil: it has no mqtt5Configuration
}

// A PropagatingAttribute is added as an MQTT 5 user property to what the things
// of a type publish. One of ThingAttribute and ConnectionAttribute is set.
type PropagatingAttribute struct {
	UserPropertyKey     string `json:"userPropertyKey,omitempty"`
	ThingAttribute      string `json:"thingAttribute,omitempty"`
	ConnectionAttribute string `json:"connectionAttribute,omitempty"`
}

func (p ThingTypeProperties) equal(q ThingTypeProperties) bool {
	return p.Description == q.Description &&
		slices.Equal(p.SearchableAttributes, q.SearchableAttributes) &&
		(p.Propagating == nil) == (q.Propagating == nil) &&
		slices.Equal(p.Propagating, q.Propagating)
}

// check refuses properties that break a limit.
func (p ThingTypeProperties) check(name string) error {
	if n := len(p.SearchableAttributes); n > maxSearchableAttributes {
		return Errorf(InvalidRequest, "The thing type %s would have %d searchable attributes; the maximum is %d.", name, n, maxSearchableAttributes)
	}
	for _, attribute := range p.SearchableAttributes {
		if len(attribute) > maxAttributeName || !attributeNamePattern.MatchString(attribute) {
			return Errorf(InvalidRequest, "The searchable attribute %q of the thing type %s is no attribute name.", attribute, name)
		}
	}
	if n := len(p.Propagating); n > maxPropagatingAttributes {
		return Errorf(InvalidRequest, "The thing type %s would have %d propagating attributes; the maximum is %d.", name, n, maxPropagatingAttributes)
	}
	for i, a := range p.Propagating {
		if a.UserPropertyKey == "" || (a.ThingAttribute == "") == (a.ConnectionAttribute == "") {
			return Errorf(InvalidRequest, "Propagating attribute %d of the thing type %s needs userPropertyKey and one of thingAttribute and connectionAttribute.", i+1, name)
		}
	}
	return checkDescription("thing type "+name, p.Description)
}

// checkDescription refuses a description that is too long.
func checkDescription(owner, description string) error {
	if n := len([]rune(description)); n > maxDescription {
		return Errorf(InvalidRequest, "The description of the %s has %d characters; the maximum is %d.", owner, n, maxDescription)
	}
	return nil
}

// CreateThingType creates a thing type. One that exists with the same
// properties is returned as it is, its tags unchanged. Refusals:
// ResourceAlreadyExists for one that differs, InvalidRequest for a broken limit.
// Source: API sheet 7, "Semantics that surprise clients".
func (r *Registry) CreateThingType(ctx context.Context, name string, p ThingTypeProperties, tags []Tag) (ThingType, error) {
	if err := checkName("thing type", name); err != nil {
		return ThingType{}, err
	}
	if err := p.check(name); err != nil {
		return ThingType{}, err
	}
	var tt ThingType
	err := r.write(ctx, func(t *tx) error {
		old, err := t.GetThingType(ctx, name)
		if err == nil {
			if tt, err = r.thingType(old); err != nil {
				return err
			}
			if !tt.Properties.equal(p) {
				return Errorf(ResourceAlreadyExists, "ThingType %s already exists in account with different properties", name).About(tt.ID, tt.ARN)
			}
			return nil
		} else if !store.IsNotFound(err) {
			return err
		}
		row := registrydb.ThingType{ThingTypeName: name, ThingTypeID: uuid.NewString(), CreatedAt: t.now}
		p.encode(&row)
		if err := t.InsertThingType(ctx, registrydb.InsertThingTypeParams(row)); err != nil {
			return err
		}
		if err := r.tagNew(ctx, t, "thingtype", name, tags); err != nil {
			return err
		}
		t.changed(Change{Kind: ThingTypeChanged, TypeName: name})
		tt, err = r.thingType(row)
		return err
	})
	if err != nil {
		return ThingType{}, err
	}
	return tt, nil
}

// ThingType returns a thing type, or a ResourceNotFound [*Error].
func (r *Registry) ThingType(ctx context.Context, name string) (ThingType, error) {
	row, err := r.read().GetThingType(ctx, name)
	if err != nil {
		return ThingType{}, r.thingTypeError(err, name)
	}
	return r.thingType(row)
}

// ListThingTypes returns the thing types whose names start with prefix, in the
// order of their creation.
func (r *Registry) ListThingTypes(ctx context.Context, prefix string, p Page) (Listing[ThingType], error) {
	afterTime, afterName, err := p.age()
	if err != nil {
		return Listing[ThingType]{}, err
	}
	limit := p.limit(defaultThingPageSize)
	rows, err := r.read().ListThingTypes(ctx, registrydb.ListThingTypesParams{
		FromName: prefix, ToName: prefix + afterAny, AfterTime: afterTime, AfterName: afterName, Size: int32(limit + 1),
	})
	if err != nil {
		return Listing[ThingType]{}, err
	}
	types := make([]ThingType, len(rows))
	for i, row := range rows {
		if types[i], err = r.thingType(row); err != nil {
			return Listing[ThingType]{}, err
		}
	}
	return cut(types, limit, func(t ThingType) string { return ageKey(t.CreatedAt.UnixMilli(), t.Name) }, itself), nil
}

// A ThingTypeUpdate says what to change of a thing type; nil keeps what is.
type ThingTypeUpdate struct {
	Description          *string
	SearchableAttributes []string
	Propagating          []PropagatingAttribute
}

// UpdateThingType changes the properties that u names. Refusals:
// ResourceNotFound, InvalidRequest for a broken limit.
func (r *Registry) UpdateThingType(ctx context.Context, name string, u ThingTypeUpdate) error {
	return r.changeThingType(ctx, name, func(t *tx, row *registrydb.ThingType) error {
		tt, err := r.thingType(*row)
		if err != nil {
			return err
		}
		p := tt.Properties
		if u.Description != nil {
			p.Description = *u.Description
		}
		if u.SearchableAttributes != nil {
			p.SearchableAttributes = u.SearchableAttributes
		}
		if u.Propagating != nil {
			p.Propagating = u.Propagating
		}
		p.encode(row)
		return p.check(name)
	})
}

// DeprecateThingType forbids new things of a type, or allows them again with
// undo. What is so already stays so, with the time of its deprecation.
// Refusal: ResourceNotFound.
func (r *Registry) DeprecateThingType(ctx context.Context, name string, undo bool) error {
	return r.changeThingType(ctx, name, func(t *tx, row *registrydb.ThingType) error {
		switch {
		case undo:
			row.DeprecatedAt = 0
		case row.DeprecatedAt == 0:
			row.DeprecatedAt = t.now
		}
		return nil
	})
}

// changeThingType writes what change makes of a row.
func (r *Registry) changeThingType(ctx context.Context, name string, change func(*tx, *registrydb.ThingType) error) error {
	return r.write(ctx, func(t *tx) error {
		row, err := t.GetThingType(ctx, name)
		if err != nil {
			return r.thingTypeError(err, name)
		}
		if err := change(t, &row); err != nil {
			return err
		}
		t.changed(Change{Kind: ThingTypeChanged, TypeName: name})
		return t.UpdateThingType(ctx, registrydb.UpdateThingTypeParams{
			ThingTypeName:        name,
			Description:          row.Description,
			SearchableAttributes: row.SearchableAttributes,
			Propagating:          row.Propagating,
			DeprecatedAt:         row.DeprecatedAt,
		})
	})
}

// DeleteThingType deletes a thing type that has been deprecated for long enough
// ([Config.ThingTypeDeletionWait]) and that no thing has. Refusals:
// ResourceNotFound, InvalidRequest.
// Source: API sheet 7, "Semantics that surprise clients".
func (r *Registry) DeleteThingType(ctx context.Context, name string) error {
	return r.write(ctx, func(t *tx) error {
		row, err := t.GetThingType(ctx, name)
		if err != nil {
			return r.thingTypeError(err, name)
		}
		things, err := t.CountThingsOfType(ctx, nullable(name))
		if err != nil {
			return err
		}
		switch {
		case row.DeprecatedAt == 0:
			return Errorf(InvalidRequest, "Cannot delete thing type : %s. It must be deprecated first", name)
		case t.now-row.DeprecatedAt < r.typeDeletionWait.Milliseconds():
			// Terraform repeats the request on this very text.
			return Errorf(InvalidRequest, "Cannot delete thing type : %s. Please wait for 5 minutes after deprecation and then retry", name)
		case things > 0:
			return Errorf(InvalidRequest, "Cannot delete thing type : %s. There are %d things associated with it", name, things)
		}
		if err := t.DeleteThingType(ctx, name); err != nil {
			return err
		}
		if err := r.untagGone(ctx, t, "thingtype", name); err != nil {
			return err
		}
		t.changed(Change{Kind: ThingTypeChanged, TypeName: name})
		return nil
	})
}

// checkTypeInUse refuses a type that does not exist, or that is deprecated:
// then with the message refusal, followed by the name.
func (r *Registry) checkTypeInUse(ctx context.Context, t *tx, name, refusal string) error {
	row, err := t.GetThingType(ctx, name)
	if err != nil {
		return r.thingTypeError(err, name)
	}
	if row.DeprecatedAt != 0 {
		return Errorf(InvalidRequest, "%s%s", refusal, name)
	}
	return nil
}

// encode writes p into its columns.
func (p ThingTypeProperties) encode(row *registrydb.ThingType) {
	row.Description = p.Description
	row.SearchableAttributes, row.Propagating = "[]", ""
	if len(p.SearchableAttributes) > 0 {
		b, _ := json.Marshal(p.SearchableAttributes) // strings never fail
		row.SearchableAttributes = string(b)
	}
	if p.Propagating != nil {
		b, _ := json.Marshal(p.Propagating) // nor do these
		row.Propagating = string(b)
	}
}

// thingType makes a ThingType of its row.
func (r *Registry) thingType(row registrydb.ThingType) (ThingType, error) {
	tt := ThingType{
		Name:       row.ThingTypeName,
		ID:         row.ThingTypeID,
		ARN:        r.ARN("thingtype", row.ThingTypeName),
		Properties: ThingTypeProperties{Description: row.Description},
		CreatedAt:  time.UnixMilli(row.CreatedAt),
	}
	if row.DeprecatedAt != 0 {
		tt.DeprecatedAt = time.UnixMilli(row.DeprecatedAt)
	}
	if err := json.Unmarshal([]byte(row.SearchableAttributes), &tt.Properties.SearchableAttributes); err != nil {
		return ThingType{}, fmt.Errorf("read searchable attributes of thing type %s: %w", row.ThingTypeName, err)
	}
	if row.Propagating != "" {
		if err := json.Unmarshal([]byte(row.Propagating), &tt.Properties.Propagating); err != nil {
			return ThingType{}, fmt.Errorf("read propagating attributes of thing type %s: %w", row.ThingTypeName, err)
		}
	}
	return tt, nil
}

// thingTypeError says which thing type is missing, and leaves other errors alone.
func (r *Registry) thingTypeError(err error, name string) error {
	if store.IsNotFound(err) {
		return Errorf(ResourceNotFound, "Thing type %s does not exist in your account", name).About(name, r.ARN("thingtype", name))
	}
	return err
}
