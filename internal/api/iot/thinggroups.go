package iot

import (
	"context"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// CreateThingGroup creates a static group, or finds the same one.
func (h Handlers) CreateThingGroup(ctx context.Context, in *CreateThingGroupRequest) (*CreateThingGroupResponse, error) {
	n := registry.NewThingGroup{Name: in.ThingGroupName, Parent: api.OrZero(in.ParentGroupName), Tags: tagsIn(in.Tags)}
	if p := in.ThingGroupProperties; p != nil {
		n.Description = api.OrZero(p.ThingGroupDescription)
		n.Attributes = attributeUpdate(p.AttributePayload).Set
	}
	g, err := h.Registry.CreateThingGroup(ctx, n)
	if err != nil {
		return nil, err
	}
	return &CreateThingGroupResponse{ThingGroupName: &g.Name, ThingGroupArn: &g.ARN, ThingGroupId: &g.ID}, nil
}

// DescribeThingGroup answers a group with its ancestors.
func (h Handlers) DescribeThingGroup(ctx context.Context, in *DescribeThingGroupRequest) (*DescribeThingGroupResponse, error) {
	g, err := h.Registry.ThingGroup(ctx, in.ThingGroupName)
	if err != nil {
		return nil, err
	}
	out := &DescribeThingGroupResponse{
		ThingGroupArn: &g.ARN,
		ThingGroupId:  &g.ID,
		ThingGroupMetadata: &ThingGroupMetadata{
			CreationDate:    api.TimeOf(g.CreatedAt),
			ParentGroupName: api.OrAbsent(g.Parent),
		},
		ThingGroupName:       &g.Name,
		ThingGroupProperties: &ThingGroupProperties{ThingGroupDescription: api.OrAbsent(g.Description)},
		Version:              &g.Version,
	}
	if g.Parent != "" {
		out.ThingGroupMetadata.RootToParentThingGroups = h.groupNames(g.Ancestors)
	}
	if len(g.Attributes) > 0 {
		out.ThingGroupProperties.AttributePayload = &AttributePayload{Attributes: g.Attributes}
	}
	return out, nil
}

// ListThingGroups answers a page of groups by name. Without recursive, a list
// goes through the whole hierarchy: spec/api.md leaves it open, and AWS's own
// answers hold child groups when the request has no parameters.
func (h Handlers) ListThingGroups(ctx context.Context, in *ListThingGroupsRequest) (*ListThingGroupsResponse, error) {
	page, err := api.ReadPage(ctx, in.NextToken, in.MaxResults, thingPage, in.NamePrefixFilter, in.ParentGroup, in.Recursive)
	if err != nil {
		return nil, err
	}
	list, err := h.Registry.ListThingGroups(ctx, registry.ThingGroupFilter{
		Prefix:     api.OrZero(in.NamePrefixFilter),
		Parent:     api.OrZero(in.ParentGroup),
		DirectOnly: in.Recursive != nil && !*in.Recursive,
	}, registry.Page{Size: page.Size, After: page.After})
	if err != nil {
		return nil, err
	}
	return &ListThingGroupsResponse{
		NextToken:   page.Next(list.Next != "", list.Next),
		ThingGroups: h.groupNames(list.Items),
	}, nil
}

// UpdateThingGroup changes the description or the attributes of a group.
func (h Handlers) UpdateThingGroup(ctx context.Context, in *UpdateThingGroupRequest) (*UpdateThingGroupResponse, error) {
	u := registry.ThingGroupUpdate{ExpectedVersion: in.ExpectedVersion}
	if p := in.ThingGroupProperties; p != nil {
		u.Description = p.ThingGroupDescription
		u.Attributes = attributeUpdate(p.AttributePayload)
	}
	version, err := h.Registry.UpdateThingGroup(ctx, in.ThingGroupName, u)
	if err != nil {
		return nil, err
	}
	return &UpdateThingGroupResponse{Version: &version}, nil
}

// DeleteThingGroup deletes a group; that there is none is no error.
func (h Handlers) DeleteThingGroup(ctx context.Context, in *DeleteThingGroupRequest) (*DeleteThingGroupResponse, error) {
	if err := h.Registry.DeleteThingGroup(ctx, in.ThingGroupName, in.ExpectedVersion); err != nil {
		return nil, err
	}
	return &DeleteThingGroupResponse{}, nil
}

// AddThingToThingGroup puts a thing into a group. overrideDynamicGroups makes
// no difference while there are no dynamic groups.
func (h Handlers) AddThingToThingGroup(ctx context.Context, in *AddThingToThingGroupRequest) (*AddThingToThingGroupResponse, error) {
	thing, group, err := h.thingAndGroup(in.ThingName, in.ThingArn, in.ThingGroupName, in.ThingGroupArn)
	if err != nil {
		return nil, err
	}
	if err := h.Registry.AddThingToGroup(ctx, thing, group); err != nil {
		return nil, err
	}
	return &AddThingToThingGroupResponse{}, nil
}

// RemoveThingFromThingGroup takes a thing out of a group.
func (h Handlers) RemoveThingFromThingGroup(ctx context.Context, in *RemoveThingFromThingGroupRequest) (*RemoveThingFromThingGroupResponse, error) {
	thing, group, err := h.thingAndGroup(in.ThingName, in.ThingArn, in.ThingGroupName, in.ThingGroupArn)
	if err != nil {
		return nil, err
	}
	if err := h.Registry.RemoveThingFromGroup(ctx, thing, group); err != nil {
		return nil, err
	}
	return &RemoveThingFromThingGroupResponse{}, nil
}

// UpdateThingGroupsForThing takes a thing out of groups and puts it into others.
func (h Handlers) UpdateThingGroupsForThing(ctx context.Context, in *UpdateThingGroupsForThingRequest) (*UpdateThingGroupsForThingResponse, error) {
	thing, err := h.Registry.ResourceName("thing", api.OrZero(in.ThingName), "")
	if err != nil {
		return nil, err
	}
	if err := h.Registry.UpdateGroupsOfThing(ctx, thing, in.ThingGroupsToAdd, in.ThingGroupsToRemove); err != nil {
		return nil, err
	}
	return &UpdateThingGroupsForThingResponse{}, nil
}

// ListThingsInThingGroup answers a page of the things in a group by name.
func (h Handlers) ListThingsInThingGroup(ctx context.Context, in *ListThingsInThingGroupRequest) (*ListThingsInThingGroupResponse, error) {
	page, err := api.ReadPage(ctx, in.NextToken, in.MaxResults, thingPage, in.ThingGroupName, in.Recursive)
	if err != nil {
		return nil, err
	}
	list, err := h.Registry.ListThingsInGroup(ctx, in.ThingGroupName, api.OrZero(in.Recursive), registry.Page{Size: page.Size, After: page.After})
	if err != nil {
		return nil, err
	}
	return &ListThingsInThingGroupResponse{NextToken: page.Next(list.Next != "", list.Next), Things: list.Items}, nil
}

// ListThingGroupsForThing answers a page of the groups that a thing is in.
func (h Handlers) ListThingGroupsForThing(ctx context.Context, in *ListThingGroupsForThingRequest) (*ListThingGroupsForThingResponse, error) {
	page, err := api.ReadPage(ctx, in.NextToken, in.MaxResults, thingPage, in.ThingName)
	if err != nil {
		return nil, err
	}
	list, err := h.Registry.ListGroupsOfThing(ctx, in.ThingName, registry.Page{Size: page.Size, After: page.After})
	if err != nil {
		return nil, err
	}
	return &ListThingGroupsForThingResponse{
		NextToken:   page.Next(list.Next != "", list.Next),
		ThingGroups: h.groupNames(list.Items),
	}, nil
}

func (h Handlers) thingAndGroup(thingName, thingARN, groupName, groupARN *string) (thing, group string, err error) {
	if thing, err = h.Registry.ResourceName("thing", api.OrZero(thingName), api.OrZero(thingARN)); err != nil {
		return "", "", err
	}
	group, err = h.Registry.ResourceName("thinggroup", api.OrZero(groupName), api.OrZero(groupARN))
	return thing, group, err
}

func (h Handlers) groupNames(names []string) []GroupNameAndArn {
	list := make([]GroupNameAndArn, len(names))
	for i, name := range names {
		list[i] = GroupNameAndArn{GroupName: &name, GroupArn: new(h.Registry.ARN("thinggroup", name))}
	}
	return list
}
