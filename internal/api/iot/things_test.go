package iot

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// openHandlers opens handlers on a new registry that issues no certificates.
func openHandlers(t *testing.T) Handlers {
	t.Helper()
	r := must(registry.Open(t.Context(), registry.Config{
		DataDir: t.TempDir(), AccountID: "123456789012", Region: "us-east-1", Endpoint: "localhost", Issuer: noIssuer{}, ThingTypeDeletionWait: -1,
	}))(t)
	t.Cleanup(func() { r.Close() })
	return Handlers{Registry: r}
}

// wantModelled checks the exception, and that the model lists it for the operation.
func wantModelled(t *testing.T, op api.OperationInfo, err error, code string) {
	t.Helper()
	wantException(t, err, code, exceptions[code])
	if !slices.Contains(op.Errors, code) {
		t.Errorf("the model of %s does not list %s", op.Name, code)
	}
}

var (
	payload = func(kv ...string) *AttributePayload {
		p := &AttributePayload{Attributes: map[string]string{}}
		for i := 0; i < len(kv); i += 2 {
			p.Attributes[kv[i]] = kv[i+1]
		}
		return p
	}
	ignoreTimes = cmpopts.IgnoreTypes(&api.Time{})
)

func TestThingHandlers(t *testing.T) {
	h := openHandlers(t)
	ctx := t.Context()
	props := &ThingTypeProperties{
		ThingTypeDescription: new("moves water"), SearchableAttributes: []string{"site"},
		Mqtt5Configuration: &Mqtt5Configuration{PropagatingAttributes: []PropagatingAttribute{{UserPropertyKey: new("s"), ThingAttribute: new("site")}}},
	}
	tt := must(h.CreateThingType(ctx, &CreateThingTypeRequest{ThingTypeName: "pump", ThingTypeProperties: props, Tags: []Tag{{Key: "k"}}}))(t)
	made := must(h.CreateThing(ctx, &CreateThingRequest{ThingName: "p1", ThingTypeName: new("pump"), AttributePayload: payload("site", "north")}))(t)
	want := &DescribeThingResponse{
		Attributes: map[string]string{"site": "north"}, DefaultClientId: new("p1"), ThingArn: new(arns + "thing/p1"), ThingId: made.ThingId,
		ThingName: new("p1"), ThingTypeName: new("pump"), Version: new(int64(1)),
	}
	if diff := cmp.Diff(want, must(h.DescribeThing(ctx, &DescribeThingRequest{ThingName: "p1"}))(t)); diff != "" {
		t.Errorf("DescribeThing (-want +got):\n%s", diff)
	}
	wantType := &DescribeThingTypeResponse{
		ThingTypeArn: new(arns + "thingtype/pump"), ThingTypeId: tt.ThingTypeId, ThingTypeName: new("pump"),
		ThingTypeProperties: props, ThingTypeMetadata: &ThingTypeMetadata{Deprecated: new(false)},
	}
	gotType := must(h.DescribeThingType(ctx, &DescribeThingTypeRequest{ThingTypeName: "pump"}))(t)
	if diff := cmp.Diff(wantType, gotType, ignoreTimes); diff != "" {
		t.Errorf("DescribeThingType (-want +got):\n%s", diff)
	}
	if gotType.ThingTypeMetadata.CreationDate == nil || gotType.ThingTypeMetadata.DeprecationDate != nil {
		t.Errorf("DescribeThingType: dates %+v", gotType.ThingTypeMetadata)
	}

	must(h.UpdateThing(ctx, &UpdateThingRequest{
		ThingName: "p1", RemoveThingType: new(true), ExpectedVersion: new(int64(1)),
		AttributePayload: &AttributePayload{Attributes: map[string]string{"floor": "2"}, Merge: new(true)},
	}))(t)
	listed := must(h.ListThings(ctx, &ListThingsRequest{AttributeName: new("floor"), AttributeValue: new("2")}))(t)
	wantListed := []ThingAttribute{{
		Attributes: map[string]string{"site": "north", "floor": "2"}, ThingArn: new(arns + "thing/p1"), ThingName: new("p1"), Version: new(int64(2)),
	}}
	if diff := cmp.Diff(wantListed, listed.Things); diff != "" || listed.NextToken != nil {
		t.Errorf("ListThings, next %v (-want +got):\n%s", listed.NextToken, diff)
	}

	must(h.UpdateThingType(ctx, &UpdateThingTypeRequest{ThingTypeName: "pump", ThingTypeProperties: &ThingTypeProperties{ThingTypeDescription: new("moves air")}}))(t)
	must(h.DeprecateThingType(ctx, &DeprecateThingTypeRequest{ThingTypeName: "pump"}))(t)
	types := must(h.ListThingTypes(ctx, &ListThingTypesRequest{ThingTypeName: new("pu")}))(t).ThingTypes
	if len(types) != 1 || !*types[0].ThingTypeMetadata.Deprecated || types[0].ThingTypeMetadata.DeprecationDate == nil ||
		*types[0].ThingTypeProperties.ThingTypeDescription != "moves air" || types[0].ThingTypeProperties.Mqtt5Configuration == nil {
		t.Errorf("ListThingTypes: %+v", types)
	}
	must(h.DeleteThingType(ctx, &DeleteThingTypeRequest{ThingTypeName: "pump"}))(t)
	must(h.DeleteThing(ctx, &DeleteThingRequest{ThingName: "p1", ExpectedVersion: new(int64(2))}))(t)
	must(h.DeleteThing(ctx, &DeleteThingRequest{ThingName: "p1"}))(t)
	if things := must(h.ListThings(ctx, &ListThingsRequest{}))(t).Things; len(things) != 0 {
		t.Errorf("left over: %+v", things)
	}
}

// A token leads through the list it was given for, and through no other.
func TestThingPages(t *testing.T) {
	h := openHandlers(t)
	ctx := t.Context()
	for _, name := range []string{"c", "a", "b"} {
		must(h.CreateThing(ctx, &CreateThingRequest{ThingName: name}))(t)
	}
	var names []string
	in := &ListThingsRequest{MaxResults: new(int32(2))}
	for {
		out := must(h.ListThings(ctx, in))(t)
		for _, thing := range out.Things {
			names = append(names, *thing.ThingName)
		}
		if out.NextToken == nil {
			break
		}
		in.NextToken = out.NextToken
	}
	if !slices.Equal(names, []string{"c", "a", "b"}) {
		t.Errorf("pages hold %v", names)
	}
	for name, in := range map[string]*ListThingsRequest{
		"token of another filter": {NextToken: in.NextToken, ThingTypeName: new("pump")},
		"no token of ours":        {NextToken: new("AAAA")},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := h.ListThings(ctx, in); api.From(err).Code != "InvalidRequestException" {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestThingRefusals(t *testing.T) {
	h := openHandlers(t)
	ctx := t.Context()
	must(h.CreateThing(ctx, &CreateThingRequest{ThingName: "p1"}))(t)
	must(h.CreateThingType(ctx, &CreateThingTypeRequest{ThingTypeName: "pump"}))(t)
	must(h.CreateThingGroup(ctx, &CreateThingGroupRequest{ThingGroupName: "g"}))(t)
	must(h.CreateThingGroup(ctx, &CreateThingGroupRequest{ThingGroupName: "h", ParentGroupName: new("g")}))(t)
	must(h.AddThingToThingGroup(ctx, &AddThingToThingGroupRequest{ThingName: new("p1"), ThingGroupName: new("h")}))(t)
	identity := "us-east-1:01234567-89ab-cdef-0123-456789abcdef"
	must(h.AttachThingPrincipal(ctx, &AttachThingPrincipalRequest{ThingName: "p1", Principal: identity}))(t)
	const invalid, missing, exists, conflict, limit = "InvalidRequestException", "ResourceNotFoundException",
		"ResourceAlreadyExistsException", "VersionConflictException", "LimitExceededException"
	nine := new(int64(9))
	tags := make([]Tag, 51)
	for i := range tags {
		tags[i].Key = string(rune('A' + i))
	}
	for name, tt := range map[string]struct {
		op   api.OperationInfo
		call func() (any, error)
		code string
	}{
		"thing exists":     {opCreateThing, call(h.CreateThing, ctx, &CreateThingRequest{ThingName: "p1", AttributePayload: payload("a", "b")}), exists},
		"billing group":    {opCreateThing, call(h.CreateThing, ctx, &CreateThingRequest{ThingName: "p2", BillingGroupName: new("b")}), missing},
		"type missing":     {opCreateThing, call(h.CreateThing, ctx, &CreateThingRequest{ThingName: "p2", ThingTypeName: new("x")}), missing},
		"describe":         {opDescribeThing, call(h.DescribeThing, ctx, &DescribeThingRequest{ThingName: "x"}), missing},
		"value only":       {opListThings, call(h.ListThings, ctx, &ListThingsRequest{AttributeValue: new("x")}), invalid},
		"update":           {opUpdateThing, call(h.UpdateThing, ctx, &UpdateThingRequest{ThingName: "x"}), missing},
		"update version":   {opUpdateThing, call(h.UpdateThing, ctx, &UpdateThingRequest{ThingName: "p1", ExpectedVersion: nine}), conflict},
		"delete attached":  {opDeleteThing, call(h.DeleteThing, ctx, &DeleteThingRequest{ThingName: "p1"}), invalid},
		"delete version":   {opDeleteThing, call(h.DeleteThing, ctx, &DeleteThingRequest{ThingName: "p1", ExpectedVersion: nine}), conflict},
		"type exists":      {opCreateThingType, call(h.CreateThingType, ctx, &CreateThingTypeRequest{ThingTypeName: "pump", ThingTypeProperties: &ThingTypeProperties{ThingTypeDescription: new("x")}}), exists},
		"type tags":        {opCreateThingType, call(h.CreateThingType, ctx, &CreateThingTypeRequest{ThingTypeName: "t", Tags: tags}), invalid},
		"describe type":    {opDescribeThingType, call(h.DescribeThingType, ctx, &DescribeThingTypeRequest{ThingTypeName: "x"}), missing},
		"update type":      {opUpdateThingType, call(h.UpdateThingType, ctx, &UpdateThingTypeRequest{ThingTypeName: "x"}), missing},
		"deprecate type":   {opDeprecateThingType, call(h.DeprecateThingType, ctx, &DeprecateThingTypeRequest{ThingTypeName: "x"}), missing},
		"delete type":      {opDeleteThingType, call(h.DeleteThingType, ctx, &DeleteThingTypeRequest{ThingTypeName: "x"}), missing},
		"delete used type": {opDeleteThingType, call(h.DeleteThingType, ctx, &DeleteThingTypeRequest{ThingTypeName: "pump"}), invalid},
		"group exists":     {opCreateThingGroup, call(h.CreateThingGroup, ctx, &CreateThingGroupRequest{ThingGroupName: "h"}), exists},
		"parent missing":   {opCreateThingGroup, call(h.CreateThingGroup, ctx, &CreateThingGroupRequest{ThingGroupName: "i", ParentGroupName: new("x")}), invalid},
		"describe group":   {opDescribeThingGroup, call(h.DescribeThingGroup, ctx, &DescribeThingGroupRequest{ThingGroupName: "x"}), missing},
		"list below":       {opListThingGroups, call(h.ListThingGroups, ctx, &ListThingGroupsRequest{ParentGroup: new("x")}), missing},
		"update group":     {opUpdateThingGroup, call(h.UpdateThingGroup, ctx, &UpdateThingGroupRequest{ThingGroupName: "x"}), missing},
		"group version":    {opUpdateThingGroup, call(h.UpdateThingGroup, ctx, &UpdateThingGroupRequest{ThingGroupName: "h", ExpectedVersion: nine}), conflict},
		"delete parent":    {opDeleteThingGroup, call(h.DeleteThingGroup, ctx, &DeleteThingGroupRequest{ThingGroupName: "g"}), invalid},
		"delete group":     {opDeleteThingGroup, call(h.DeleteThingGroup, ctx, &DeleteThingGroupRequest{ThingGroupName: "h", ExpectedVersion: nine}), conflict},
		"add":              {opAddThingToThingGroup, call(h.AddThingToThingGroup, ctx, &AddThingToThingGroupRequest{ThingName: new("x"), ThingGroupName: new("g")}), missing},
		"add nothing":      {opAddThingToThingGroup, call(h.AddThingToThingGroup, ctx, &AddThingToThingGroupRequest{ThingGroupName: new("g")}), invalid},
		"add to hierarchy": {opAddThingToThingGroup, call(h.AddThingToThingGroup, ctx, &AddThingToThingGroupRequest{ThingName: new("p1"), ThingGroupArn: new(arns + "thinggroup/g")}), invalid},
		"remove":           {opRemoveThingFromThingGroup, call(h.RemoveThingFromThingGroup, ctx, &RemoveThingFromThingGroupRequest{ThingName: new("p1"), ThingGroupName: new("x")}), missing},
		"remove other ARN": {opRemoveThingFromThingGroup, call(h.RemoveThingFromThingGroup, ctx, &RemoveThingFromThingGroupRequest{ThingArn: new(arns + "thinggroup/g"), ThingGroupName: new("g")}), invalid},
		"update groups":    {opUpdateThingGroupsForThing, call(h.UpdateThingGroupsForThing, ctx, &UpdateThingGroupsForThingRequest{ThingName: new("p1"), ThingGroupsToAdd: []string{"x"}}), missing},
		"groups of none":   {opUpdateThingGroupsForThing, call(h.UpdateThingGroupsForThing, ctx, &UpdateThingGroupsForThingRequest{}), invalid},
		"things in group":  {opListThingsInThingGroup, call(h.ListThingsInThingGroup, ctx, &ListThingsInThingGroupRequest{ThingGroupName: "x"}), missing},
		"groups of thing":  {opListThingGroupsForThing, call(h.ListThingGroupsForThing, ctx, &ListThingGroupsForThingRequest{ThingName: "x"}), missing},
		"attach":           {opAttachThingPrincipal, call(h.AttachThingPrincipal, ctx, &AttachThingPrincipalRequest{ThingName: "x", Principal: identity}), missing},
		"attach nonsense":  {opAttachThingPrincipal, call(h.AttachThingPrincipal, ctx, &AttachThingPrincipalRequest{ThingName: "p1", Principal: "p1"}), invalid},
		"attach a group":   {opAttachThingPrincipal, call(h.AttachThingPrincipal, ctx, &AttachThingPrincipalRequest{ThingName: "p1", Principal: arns + "thinggroup/g"}), invalid},
		"detach":           {opDetachThingPrincipal, call(h.DetachThingPrincipal, ctx, &DetachThingPrincipalRequest{ThingName: "x", Principal: identity}), missing},
		"principals":       {opListThingPrincipals, call(h.ListThingPrincipals, ctx, &ListThingPrincipalsRequest{ThingName: "x"}), missing},
		"principals V2":    {opListThingPrincipalsV2, call(h.ListThingPrincipalsV2, ctx, &ListThingPrincipalsV2Request{ThingName: "x"}), missing},
		"things":           {opListPrincipalThings, call(h.ListPrincipalThings, ctx, &ListPrincipalThingsRequest{Principal: "x"}), invalid},
		"things V2":        {opListPrincipalThingsV2, call(h.ListPrincipalThingsV2, ctx, &ListPrincipalThingsV2Request{Principal: "x"}), invalid},
		"tag":              {opTagResource, call(h.TagResource, ctx, &TagResourceRequest{ResourceArn: arns + "thinggroup/x"}), missing},
		"tag a thing":      {opTagResource, call(h.TagResource, ctx, &TagResourceRequest{ResourceArn: arns + "thing/p1"}), invalid},
		"too many tags":    {opTagResource, call(h.TagResource, ctx, &TagResourceRequest{ResourceArn: arns + "thinggroup/g", Tags: tags}), limit},
		"untag":            {opUntagResource, call(h.UntagResource, ctx, &UntagResourceRequest{ResourceArn: arns + "thinggroup/x"}), missing},
		"tags":             {opListTagsForResource, call(h.ListTagsForResource, ctx, &ListTagsForResourceRequest{ResourceArn: arns + "thingtype/x"}), missing},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := tt.call()
			if err == nil {
				t.Fatalf("it succeeded: %+v", out)
			}
			wantModelled(t, tt.op, err, tt.code)
		})
	}
}

// call binds a handler to its request.
func call[C, In, Out any](handler func(C, In) (Out, error), ctx C, in In) func() (any, error) {
	return func() (any, error) { return handler(ctx, in) }
}
