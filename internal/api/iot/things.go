package iot

import (
	"context"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// thingPage is the size of a page of things, types and groups when the request
// names none. Source: api sheet 4.8.
const thingPage = 50

// CreateThing creates a thing, or finds the same one.
func (h Handlers) CreateThing(ctx context.Context, in *CreateThingRequest) (*CreateThingResponse, error) {
	thing, err := h.Registry.CreateThing(ctx, registry.NewThing{
		Name:             in.ThingName,
		TypeName:         api.OrZero(in.ThingTypeName),
		BillingGroupName: api.OrZero(in.BillingGroupName),
		Attributes:       attributeUpdate(in.AttributePayload).Set,
	})
	if err != nil {
		return nil, err
	}
	return &CreateThingResponse{ThingName: &thing.Name, ThingArn: &thing.ARN, ThingId: &thing.ID}, nil
}

// DescribeThing answers a thing; its default client ID is its name.
func (h Handlers) DescribeThing(ctx context.Context, in *DescribeThingRequest) (*DescribeThingResponse, error) {
	thing, err := h.Registry.Thing(ctx, in.ThingName)
	if err != nil {
		return nil, err
	}
	return &DescribeThingResponse{
		Attributes:      thing.Attributes,
		DefaultClientId: &thing.Name,
		ThingArn:        &thing.ARN,
		ThingId:         &thing.ID,
		ThingName:       &thing.Name,
		ThingTypeName:   api.OrAbsent(thing.TypeName),
		Version:         &thing.Version,
	}, nil
}

// ListThings answers a page of things by their creation.
func (h Handlers) ListThings(ctx context.Context, in *ListThingsRequest) (*ListThingsResponse, error) {
	page, err := api.ReadPage(ctx, in.NextToken, in.MaxResults, thingPage,
		in.AttributeName, in.AttributeValue, in.UsePrefixAttributeValue, in.ThingTypeName)
	if err != nil {
		return nil, err
	}
	list, err := h.Registry.ListThings(ctx, registry.ThingFilter{
		TypeName:       api.OrZero(in.ThingTypeName),
		AttributeName:  api.OrZero(in.AttributeName),
		AttributeValue: api.OrZero(in.AttributeValue),
		PrefixValue:    api.OrZero(in.UsePrefixAttributeValue),
	}, registry.Page{Size: page.Size, After: page.After})
	if err != nil {
		return nil, err
	}
	out := &ListThingsResponse{NextToken: page.Next(list.Next != "", list.Next)}
	for _, thing := range list.Items {
		out.Things = append(out.Things, ThingAttribute{
			Attributes:    thing.Attributes,
			ThingArn:      &thing.ARN,
			ThingName:     &thing.Name,
			ThingTypeName: api.OrAbsent(thing.TypeName),
			Version:       &thing.Version,
		})
	}
	return out, nil
}

// UpdateThing changes the attributes or the type of a thing.
func (h Handlers) UpdateThing(ctx context.Context, in *UpdateThingRequest) (*UpdateThingResponse, error) {
	err := h.Registry.UpdateThing(ctx, in.ThingName, registry.ThingUpdate{
		TypeName:        api.OrZero(in.ThingTypeName),
		RemoveType:      api.OrZero(in.RemoveThingType),
		Attributes:      attributeUpdate(in.AttributePayload),
		ExpectedVersion: in.ExpectedVersion,
	})
	if err != nil {
		return nil, err
	}
	return &UpdateThingResponse{}, nil
}

// DeleteThing deletes a thing; that there is none is no error.
func (h Handlers) DeleteThing(ctx context.Context, in *DeleteThingRequest) (*DeleteThingResponse, error) {
	if err := h.Registry.DeleteThing(ctx, in.ThingName, in.ExpectedVersion); err != nil {
		return nil, err
	}
	return &DeleteThingResponse{}, nil
}

// attributeUpdate reads a payload; an absent one changes nothing.
func attributeUpdate(p *AttributePayload) registry.AttributeUpdate {
	if p == nil {
		return registry.AttributeUpdate{}
	}
	return registry.AttributeUpdate{Set: p.Attributes, Merge: api.OrZero(p.Merge)}
}
