package iot

import (
	"cmp"
	"context"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// AttachThingPrincipal attaches a certificate or an Amazon Cognito identity to
// a thing, as NON_EXCLUSIVE_THING unless the request says otherwise.
// Source: policy sheet 8.1.
func (h Handlers) AttachThingPrincipal(ctx context.Context, in *AttachThingPrincipalRequest) (*AttachThingPrincipalResponse, error) {
	principal, err := h.Registry.ParsePrincipal(in.Principal)
	if err != nil {
		return nil, err
	}
	as := cmp.Or(thingPrincipalType(in.ThingPrincipalType), registry.NonExclusiveThing)
	if err := h.Registry.AttachThingPrincipal(ctx, in.ThingName, principal, as); err != nil {
		return nil, err
	}
	return &AttachThingPrincipalResponse{}, nil
}

// DetachThingPrincipal detaches a principal from a thing.
func (h Handlers) DetachThingPrincipal(ctx context.Context, in *DetachThingPrincipalRequest) (*DetachThingPrincipalResponse, error) {
	principal, err := h.Registry.ParsePrincipal(in.Principal)
	if err != nil {
		return nil, err
	}
	if err := h.Registry.DetachThingPrincipal(ctx, in.ThingName, principal); err != nil {
		return nil, err
	}
	return &DetachThingPrincipalResponse{}, nil
}

// ListThingPrincipals answers a page of the principals of a thing.
func (h Handlers) ListThingPrincipals(ctx context.Context, in *ListThingPrincipalsRequest) (*ListThingPrincipalsResponse, error) {
	page, err := api.ReadPage(ctx, in.NextToken, in.MaxResults, thingPage, in.ThingName)
	if err != nil {
		return nil, err
	}
	list, err := h.Registry.ListThingPrincipals(ctx, in.ThingName, "", registry.Page{Size: page.Size, After: page.After})
	if err != nil {
		return nil, err
	}
	out := &ListThingPrincipalsResponse{NextToken: page.Next(list.Next != "", list.Next)}
	for _, a := range list.Items {
		out.Principals = append(out.Principals, h.Registry.TargetARN(a.Principal))
	}
	return out, nil
}

// ListThingPrincipalsV2 is ListThingPrincipals with the types of the attachments.
func (h Handlers) ListThingPrincipalsV2(ctx context.Context, in *ListThingPrincipalsV2Request) (*ListThingPrincipalsV2Response, error) {
	page, err := api.ReadPage(ctx, in.NextToken, in.MaxResults, thingPage, in.ThingName, in.ThingPrincipalType)
	if err != nil {
		return nil, err
	}
	list, err := h.Registry.ListThingPrincipals(ctx, in.ThingName, thingPrincipalType(in.ThingPrincipalType),
		registry.Page{Size: page.Size, After: page.After})
	if err != nil {
		return nil, err
	}
	out := &ListThingPrincipalsV2Response{NextToken: page.Next(list.Next != "", list.Next)}
	for _, a := range list.Items {
		out.ThingPrincipalObjects = append(out.ThingPrincipalObjects, ThingPrincipalObject{
			Principal:          h.Registry.TargetARN(a.Principal),
			ThingPrincipalType: new(ThingPrincipalType(a.Type)),
		})
	}
	return out, nil
}

// ListPrincipalThings answers a page of the things of a principal.
func (h Handlers) ListPrincipalThings(ctx context.Context, in *ListPrincipalThingsRequest) (*ListPrincipalThingsResponse, error) {
	page, err := api.ReadPage(ctx, in.NextToken, in.MaxResults, thingPage, in.Principal)
	if err != nil {
		return nil, err
	}
	list, err := h.principalThings(ctx, in.Principal, "", page)
	if err != nil {
		return nil, err
	}
	out := &ListPrincipalThingsResponse{NextToken: page.Next(list.Next != "", list.Next)}
	for _, a := range list.Items {
		out.Things = append(out.Things, a.Thing)
	}
	return out, nil
}

// ListPrincipalThingsV2 is ListPrincipalThings with the types of the attachments.
func (h Handlers) ListPrincipalThingsV2(ctx context.Context, in *ListPrincipalThingsV2Request) (*ListPrincipalThingsV2Response, error) {
	page, err := api.ReadPage(ctx, in.NextToken, in.MaxResults, thingPage, in.Principal, in.ThingPrincipalType)
	if err != nil {
		return nil, err
	}
	list, err := h.principalThings(ctx, in.Principal, thingPrincipalType(in.ThingPrincipalType), page)
	if err != nil {
		return nil, err
	}
	out := &ListPrincipalThingsV2Response{NextToken: page.Next(list.Next != "", list.Next)}
	for _, a := range list.Items {
		out.PrincipalThingObjects = append(out.PrincipalThingObjects, PrincipalThingObject{
			ThingName:          a.Thing,
			ThingPrincipalType: new(ThingPrincipalType(a.Type)),
		})
	}
	return out, nil
}

func (h Handlers) principalThings(ctx context.Context, principal string, only registry.ThingPrincipalType, page api.Page) (registry.Listing[registry.ThingPrincipal], error) {
	target, err := h.Registry.ParsePrincipal(principal)
	if err != nil {
		return registry.Listing[registry.ThingPrincipal]{}, err
	}
	return h.Registry.ListPrincipalThings(ctx, target, only, registry.Page{Size: page.Size, After: page.After})
}

// thingPrincipalType reads an optional member; absent is "".
func thingPrincipalType(t *ThingPrincipalType) registry.ThingPrincipalType {
	return registry.ThingPrincipalType(api.OrZero(t))
}
