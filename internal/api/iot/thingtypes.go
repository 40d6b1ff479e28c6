package iot

import (
	"context"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// CreateThingType creates a thing type, or finds the same one.
func (h Handlers) CreateThingType(ctx context.Context, in *CreateThingTypeRequest) (*CreateThingTypeResponse, error) {
	var p registry.ThingTypeProperties
	if in.ThingTypeProperties != nil {
		p.Description = api.OrZero(in.ThingTypeProperties.ThingTypeDescription)
		p.SearchableAttributes = in.ThingTypeProperties.SearchableAttributes
		p.Propagating = propagatingAttributes(in.ThingTypeProperties.Mqtt5Configuration)
	}
	tt, err := h.Registry.CreateThingType(ctx, in.ThingTypeName, p, tagsIn(in.Tags))
	if err != nil {
		return nil, err
	}
	return &CreateThingTypeResponse{ThingTypeName: &tt.Name, ThingTypeArn: &tt.ARN, ThingTypeId: &tt.ID}, nil
}

// DescribeThingType answers a thing type.
func (h Handlers) DescribeThingType(ctx context.Context, in *DescribeThingTypeRequest) (*DescribeThingTypeResponse, error) {
	tt, err := h.Registry.ThingType(ctx, in.ThingTypeName)
	if err != nil {
		return nil, err
	}
	return &DescribeThingTypeResponse{
		ThingTypeArn:        &tt.ARN,
		ThingTypeId:         &tt.ID,
		ThingTypeMetadata:   thingTypeMetadata(tt),
		ThingTypeName:       &tt.Name,
		ThingTypeProperties: thingTypeProperties(tt.Properties),
	}, nil
}

// ListThingTypes answers a page of thing types by their creation. The name in
// the request is the start of the names.
func (h Handlers) ListThingTypes(ctx context.Context, in *ListThingTypesRequest) (*ListThingTypesResponse, error) {
	page, err := api.ReadPage(ctx, in.NextToken, in.MaxResults, thingPage, in.ThingTypeName)
	if err != nil {
		return nil, err
	}
	list, err := h.Registry.ListThingTypes(ctx, api.OrZero(in.ThingTypeName), registry.Page{Size: page.Size, After: page.After})
	if err != nil {
		return nil, err
	}
	out := &ListThingTypesResponse{NextToken: page.Next(list.Next != "", list.Next)}
	for _, tt := range list.Items {
		out.ThingTypes = append(out.ThingTypes, ThingTypeDefinition{
			ThingTypeArn:        &tt.ARN,
			ThingTypeMetadata:   thingTypeMetadata(tt),
			ThingTypeName:       &tt.Name,
			ThingTypeProperties: thingTypeProperties(tt.Properties),
		})
	}
	return out, nil
}

// UpdateThingType changes the properties that the request has.
func (h Handlers) UpdateThingType(ctx context.Context, in *UpdateThingTypeRequest) (*UpdateThingTypeResponse, error) {
	var u registry.ThingTypeUpdate
	if p := in.ThingTypeProperties; p != nil {
		u = registry.ThingTypeUpdate{
			Description:          p.ThingTypeDescription,
			SearchableAttributes: p.SearchableAttributes,
			Propagating:          propagatingAttributes(p.Mqtt5Configuration),
		}
	}
	if err := h.Registry.UpdateThingType(ctx, in.ThingTypeName, u); err != nil {
		return nil, err
	}
	return &UpdateThingTypeResponse{}, nil
}

// DeprecateThingType forbids new things of a type, or allows them again.
func (h Handlers) DeprecateThingType(ctx context.Context, in *DeprecateThingTypeRequest) (*DeprecateThingTypeResponse, error) {
	if err := h.Registry.DeprecateThingType(ctx, in.ThingTypeName, api.OrZero(in.UndoDeprecate)); err != nil {
		return nil, err
	}
	return &DeprecateThingTypeResponse{}, nil
}

// DeleteThingType deletes a type that was deprecated for long enough.
func (h Handlers) DeleteThingType(ctx context.Context, in *DeleteThingTypeRequest) (*DeleteThingTypeResponse, error) {
	if err := h.Registry.DeleteThingType(ctx, in.ThingTypeName); err != nil {
		return nil, err
	}
	return &DeleteThingTypeResponse{}, nil
}

func thingTypeMetadata(tt registry.ThingType) *ThingTypeMetadata {
	deprecated := !tt.DeprecatedAt.IsZero()
	return &ThingTypeMetadata{
		CreationDate:    api.TimeOf(tt.CreatedAt),
		Deprecated:      &deprecated,
		DeprecationDate: api.TimeOf(tt.DeprecatedAt),
	}
}

func thingTypeProperties(p registry.ThingTypeProperties) *ThingTypeProperties {
	out := &ThingTypeProperties{
		SearchableAttributes: p.SearchableAttributes,
		ThingTypeDescription: api.OrAbsent(p.Description),
	}
	if p.Propagating != nil {
		out.Mqtt5Configuration = &Mqtt5Configuration{PropagatingAttributes: make([]PropagatingAttribute, len(p.Propagating))}
		for i, a := range p.Propagating {
			out.Mqtt5Configuration.PropagatingAttributes[i] = PropagatingAttribute{
				ConnectionAttribute: api.OrAbsent(a.ConnectionAttribute),
				ThingAttribute:      api.OrAbsent(a.ThingAttribute),
				UserPropertyKey:     api.OrAbsent(a.UserPropertyKey),
			}
		}
	}
	return out
}

// propagatingAttributes reads a configuration; an absent one is nil, one
// without attributes is empty.
func propagatingAttributes(c *Mqtt5Configuration) []registry.PropagatingAttribute {
	if c == nil {
		return nil
	}
	list := make([]registry.PropagatingAttribute, len(c.PropagatingAttributes))
	for i, a := range c.PropagatingAttributes {
		list[i] = registry.PropagatingAttribute{
			UserPropertyKey:     api.OrZero(a.UserPropertyKey),
			ThingAttribute:      api.OrZero(a.ThingAttribute),
			ConnectionAttribute: api.OrZero(a.ConnectionAttribute),
		}
	}
	return list
}
