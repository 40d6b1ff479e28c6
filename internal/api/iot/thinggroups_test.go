package iot

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestThingGroupHandlers(t *testing.T) {
	h := openHandlers(t)
	ctx := t.Context()
	plant := GroupNameAndArn{GroupName: new("plant"), GroupArn: new(arns + "thinggroup/plant")}
	hall := GroupNameAndArn{GroupName: new("hall"), GroupArn: new(arns + "thinggroup/hall")}
	must(h.CreateThingGroup(ctx, &CreateThingGroupRequest{ThingGroupName: "plant"}))(t)
	made := must(h.CreateThingGroup(ctx, &CreateThingGroupRequest{
		ThingGroupName: "hall", ParentGroupName: new("plant"), Tags: []Tag{{Key: "k", Value: new("v")}},
		ThingGroupProperties: &ThingGroupProperties{ThingGroupDescription: new("a hall"), AttributePayload: payload("a", "1")},
	}))(t)
	must(h.CreateThing(ctx, &CreateThingRequest{ThingName: "p1"}))(t)

	want := &DescribeThingGroupResponse{
		ThingGroupArn: hall.GroupArn, ThingGroupId: made.ThingGroupId, ThingGroupName: new("hall"), Version: new(int64(1)),
		ThingGroupMetadata:   &ThingGroupMetadata{ParentGroupName: new("plant"), RootToParentThingGroups: []GroupNameAndArn{plant}},
		ThingGroupProperties: &ThingGroupProperties{ThingGroupDescription: new("a hall"), AttributePayload: payload("a", "1")},
	}
	got := must(h.DescribeThingGroup(ctx, &DescribeThingGroupRequest{ThingGroupName: "hall"}))(t)
	if diff := cmp.Diff(want, got, ignoreTimes); diff != "" || got.ThingGroupMetadata.CreationDate == nil {
		t.Errorf("DescribeThingGroup (-want +got):\n%s", diff)
	}

	for name, tt := range map[string]struct {
		in   ListThingGroupsRequest
		want []GroupNameAndArn
	}{
		"all":         {ListThingGroupsRequest{}, []GroupNameAndArn{hall, plant}},
		"recursive":   {ListThingGroupsRequest{Recursive: new(true)}, []GroupNameAndArn{hall, plant}},
		"roots":       {ListThingGroupsRequest{Recursive: new(false)}, []GroupNameAndArn{plant}},
		"below":       {ListThingGroupsRequest{ParentGroup: new("plant")}, []GroupNameAndArn{hall}},
		"name prefix": {ListThingGroupsRequest{NamePrefixFilter: new("pl")}, []GroupNameAndArn{plant}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, must(h.ListThingGroups(ctx, &tt.in))(t).ThingGroups); diff != "" {
				t.Errorf("ListThingGroups (-want +got):\n%s", diff)
			}
		})
	}

	inGroup := func(group string, recursive bool, want ...string) {
		t.Helper()
		out := must(h.ListThingsInThingGroup(ctx, &ListThingsInThingGroupRequest{ThingGroupName: group, Recursive: &recursive}))(t)
		if diff := cmp.Diff(want, out.Things, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("things in %s, recursive %t (-want +got):\n%s", group, recursive, diff)
		}
	}
	must(h.AddThingToThingGroup(ctx, &AddThingToThingGroupRequest{
		ThingArn: new(arns + "thing/p1"), ThingGroupName: new("hall"), ThingGroupArn: hall.GroupArn, OverrideDynamicGroups: new(true),
	}))(t)
	inGroup("plant", false)
	inGroup("plant", true, "p1")
	must(h.UpdateThingGroupsForThing(ctx, &UpdateThingGroupsForThingRequest{
		ThingName: new("p1"), ThingGroupsToAdd: []string{"plant"}, ThingGroupsToRemove: []string{"hall"},
	}))(t)
	inGroup("plant", false, "p1")
	groups := must(h.ListThingGroupsForThing(ctx, &ListThingGroupsForThingRequest{ThingName: "p1"}))(t).ThingGroups
	if diff := cmp.Diff([]GroupNameAndArn{plant}, groups); diff != "" {
		t.Errorf("ListThingGroupsForThing (-want +got):\n%s", diff)
	}
	must(h.RemoveThingFromThingGroup(ctx, &RemoveThingFromThingGroupRequest{ThingName: new("p1"), ThingGroupName: new("plant")}))(t)
	inGroup("plant", true)

	updated := must(h.UpdateThingGroup(ctx, &UpdateThingGroupRequest{
		ThingGroupName: "hall", ExpectedVersion: new(int64(1)), ThingGroupProperties: &ThingGroupProperties{AttributePayload: payload()},
	}))(t)
	if group := must(h.DescribeThingGroup(ctx, &DescribeThingGroupRequest{ThingGroupName: "hall"}))(t); *updated.Version != 2 ||
		group.ThingGroupProperties.AttributePayload != nil || *group.ThingGroupProperties.ThingGroupDescription != "a hall" {
		t.Errorf("UpdateThingGroup: version %d, %+v", *updated.Version, group.ThingGroupProperties)
	}
	must(h.DeleteThingGroup(ctx, &DeleteThingGroupRequest{ThingGroupName: "hall", ExpectedVersion: new(int64(2))}))(t)
	must(h.DeleteThingGroup(ctx, &DeleteThingGroupRequest{ThingGroupName: "hall"}))(t)
}

func TestThingPrincipalHandlers(t *testing.T) {
	h := openHandlers(t)
	ctx := t.Context()
	one := must(h.Registry.RegisterCertificateWithoutCA(ctx, newFactory(t).sign(t, "one"), ""))(t).ARN
	two := must(h.Registry.RegisterCertificateWithoutCA(ctx, newFactory(t).sign(t, "two"), ""))(t).ARN
	must(h.CreateThing(ctx, &CreateThingRequest{ThingName: "p1"}))(t)
	must(h.AttachThingPrincipal(ctx, &AttachThingPrincipalRequest{ThingName: "p1", Principal: one}))(t)
	must(h.AttachThingPrincipal(ctx, &AttachThingPrincipalRequest{ThingName: "p1", Principal: two, ThingPrincipalType: new(ThingPrincipalTypeExclusiveThing)}))(t)

	principals := must(h.ListThingPrincipals(ctx, &ListThingPrincipalsRequest{ThingName: "p1"}))(t).Principals
	want := []string{one, two}
	slices.Sort(want)
	if diff := cmp.Diff(want, principals); diff != "" {
		t.Errorf("ListThingPrincipals (-want +got):\n%s", diff)
	}
	exclusive := must(h.ListThingPrincipalsV2(ctx, &ListThingPrincipalsV2Request{ThingName: "p1", ThingPrincipalType: new(ThingPrincipalTypeExclusiveThing)}))(t)
	wantV2 := []ThingPrincipalObject{{Principal: two, ThingPrincipalType: new(ThingPrincipalTypeExclusiveThing)}}
	if diff := cmp.Diff(wantV2, exclusive.ThingPrincipalObjects); diff != "" {
		t.Errorf("ListThingPrincipalsV2 (-want +got):\n%s", diff)
	}
	if things := must(h.ListPrincipalThings(ctx, &ListPrincipalThingsRequest{Principal: one}))(t).Things; !slices.Equal(things, []string{"p1"}) {
		t.Errorf("ListPrincipalThings: %v", things)
	}
	things := must(h.ListPrincipalThingsV2(ctx, &ListPrincipalThingsV2Request{Principal: one}))(t).PrincipalThingObjects
	wantThings := []PrincipalThingObject{{ThingName: "p1", ThingPrincipalType: new(ThingPrincipalTypeNonExclusiveThing)}}
	if diff := cmp.Diff(wantThings, things); diff != "" {
		t.Errorf("ListPrincipalThingsV2 (-want +got):\n%s", diff)
	}
	if none := must(h.ListPrincipalThingsV2(ctx, &ListPrincipalThingsV2Request{Principal: one, ThingPrincipalType: new(ThingPrincipalTypeExclusiveThing)}))(t); len(none.PrincipalThingObjects) != 0 {
		t.Errorf("exclusive things of a shared principal: %+v", none.PrincipalThingObjects)
	}
	must(h.DetachThingPrincipal(ctx, &DetachThingPrincipalRequest{ThingName: "p1", Principal: one}))(t)
	if things := must(h.ListPrincipalThings(ctx, &ListPrincipalThingsRequest{Principal: one}))(t).Things; len(things) != 0 {
		t.Errorf("after DetachThingPrincipal: %v", things)
	}
}

func TestTagHandlers(t *testing.T) {
	h := openHandlers(t)
	ctx := t.Context()
	made := must(h.CreateThingGroup(ctx, &CreateThingGroupRequest{ThingGroupName: "g", Tags: []Tag{{Key: "a"}, {Key: "b", Value: new("1")}}}))(t)
	must(h.TagResource(ctx, &TagResourceRequest{ResourceArn: *made.ThingGroupArn, Tags: []Tag{{Key: "b", Value: new("2")}, {Key: "c", Value: new("3")}}}))(t)
	must(h.UntagResource(ctx, &UntagResourceRequest{ResourceArn: *made.ThingGroupArn, TagKeys: []string{"c"}}))(t)
	want := []Tag{{Key: "a", Value: new("")}, {Key: "b", Value: new("2")}}
	if diff := cmp.Diff(want, must(h.ListTagsForResource(ctx, &ListTagsForResourceRequest{ResourceArn: *made.ThingGroupArn}))(t).Tags); diff != "" {
		t.Errorf("ListTagsForResource (-want +got):\n%s", diff)
	}
}
