package registry

import (
	"context"

	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// A ThingFilter narrows [Registry.ListThings]; empty fields do not filter.
type ThingFilter struct {
	TypeName       string
	AttributeName  string
	AttributeValue string // needs AttributeName; empty: the attribute has any value
	PrefixValue    bool   // the attribute's value starts with AttributeValue
}

// ListThings returns things in the order of their creation. A value without an
// attribute name is refused with InvalidRequest. A thing type that does not
// exist has no things.
func (r *Registry) ListThings(ctx context.Context, f ThingFilter, p Page) (Listing[Thing], error) {
	if f.AttributeName == "" && f.AttributeValue != "" {
		return Listing[Thing]{}, Errorf(InvalidRequest, "An attribute value needs an attribute name.")
	}
	afterTime, afterName, err := p.age()
	if err != nil {
		return Listing[Thing]{}, err
	}
	limit := p.limit(defaultThingPageSize)
	rows, err := r.thingRows(ctx, f, afterTime, afterName, int32(limit+1))
	if err != nil {
		return Listing[Thing]{}, err
	}
	things := make([]Thing, len(rows))
	for i, row := range rows {
		if things[i], err = r.thing(row); err != nil {
			return Listing[Thing]{}, err
		}
	}
	return cut(things, limit, func(t Thing) string { return ageKey(t.CreatedAt.UnixMilli(), t.Name) }, itself), nil
}

// thingRows runs the query that an index serves best.
func (r *Registry) thingRows(ctx context.Context, f ThingFilter, afterTime int64, afterName string, size int32) ([]registrydb.Thing, error) {
	q := r.read()
	typeName := nullable(f.TypeName)
	if f.AttributeName == "" {
		if f.TypeName == "" {
			return q.ListThings(ctx, registrydb.ListThingsParams{AfterTime: afterTime, AfterName: afterName, Size: size})
		}
		return q.ListThingsByType(ctx, registrydb.ListThingsByTypeParams{ThingTypeName: typeName, AfterTime: afterTime, AfterName: afterName, Size: size})
	}
	end := f.AttributeValue + beforeAny
	if f.PrefixValue || f.AttributeValue == "" {
		end = f.AttributeValue + afterAny
	}
	if f.TypeName == "" {
		return q.ListThingsByAttribute(ctx, registrydb.ListThingsByAttributeParams{
			AttributeName: f.AttributeName, FromValue: f.AttributeValue, ToValue: end, AfterTime: afterTime, AfterName: afterName, Size: size,
		})
	}
	return q.ListThingsByAttributeAndType(ctx, registrydb.ListThingsByAttributeAndTypeParams{
		AttributeName: f.AttributeName, FromValue: f.AttributeValue, ToValue: end, ThingTypeName: typeName,
		AfterTime: afterTime, AfterName: afterName, Size: size,
	})
}

// itself is the item of a listing whose rows are its items.
func itself[T any](v T) T { return v }
