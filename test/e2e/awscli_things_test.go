//nolint:staticcheck // SA1019: what AWS deprecated is served, and tested, too
package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// What the AWS CLI makes of things, their types, groups and principals.
func TestAWSCLIThings(t *testing.T) {
	gatehouseproc.Need(t, "aws")
	t.Parallel()
	gw := gatehouseproc.Start(t)
	const arn = "arn:aws:iot:us-east-1:123456789012:"
	for _, tt := range []struct {
		want string // without white space; IDs and times as *
		args []string
	}{
		{`{"things":[]}`, []string{"list-things"}},
		{`{"thingTypeName":"pump","thingTypeArn":"` + arn + `thingtype/pump","thingTypeId":*}`, []string{"create-thing-type", "--thing-type-name", "pump", "--thing-type-properties", "thingTypeDescription=Pump,searchableAttributes=site"}},
		{`{"thingName":"p1","thingArn":"` + arn + `thing/p1","thingId":*}`, []string{"create-thing", "--thing-name", "p1", "--thing-type-name", "pump", "--attribute-payload", `{"attributes":{"site":"north"}}`}},
		{`{"defaultClientId":"p1","thingName":"p1","thingId":*,"thingArn":"` + arn + `thing/p1","thingTypeName":"pump","attributes":{"site":"north"},"version":1}`, []string{"describe-thing", "--thing-name", "p1"}},
		{`{"thingTypeName":"pump","thingTypeId":*,"thingTypeArn":"` + arn + `thingtype/pump","thingTypeProperties":{"thingTypeDescription":"Pump","searchableAttributes":["site"]},"thingTypeMetadata":{"deprecated":false,"creationDate":*}}`, []string{"describe-thing-type", "--thing-type-name", "pump"}},
		{`{"principals":[]}`, []string{"list-thing-principals", "--thing-name", "p1"}},
		{``, []string{"attach-thing-principal", "--thing-name", "p1", "--principal", identityID}},
		{`{"thingPrincipalObjects":[{"principal":"` + identityID + `","thingPrincipalType":"NON_EXCLUSIVE_THING"}]}`, []string{"list-thing-principals-v2", "--thing-name", "p1"}},
		{`{"things":["p1"]}`, []string{"list-principal-things", "--principal", identityID}},
		{`{"thingGroups":[]}`, []string{"list-thing-groups-for-thing", "--thing-name", "p1"}},
	} {
		out := strings.Join(strings.Fields(gw.MustRun(t, "aws", append([]string{"iot"}, tt.args...)...)), "")
		if !matches(tt.want, out) {
			t.Errorf("aws iot %s printed\n%s, want\n%s", strings.Join(tt.args, " "), out, tt.want)
		}
	}
}

// matches tells whether text is pattern, in which * stands for a scalar.
func matches(pattern, text string) bool {
	before, after, more := strings.Cut(pattern, "*")
	if !more {
		return pattern == text
	}
	rest, found := strings.CutPrefix(text, before)
	end := strings.IndexAny(rest, ",}]")
	return found && end > 0 && matches(after, rest[end:])
}

func TestThingAPI(t *testing.T) {
	t.Parallel()
	gw := gatehouseproc.Start(t)
	api := gw.IoT()
	ctx := t.Context()
	const arn = "arn:aws:iot:us-east-1:123456789012:"
	create := func(name string) {
		ok2(api.CreateThing(ctx, &iot.CreateThingInput{ThingName: &name}))(t)
	}
	group := func(name, parent string) string {
		in := &iot.CreateThingGroupInput{ThingGroupName: &name}
		if parent != "" {
			in.ParentGroupName = &parent
		}
		return *ok2(api.CreateThingGroup(ctx, in))(t).ThingGroupArn
	}
	certificate := func() string {
		return *ok2(api.RegisterCertificateWithoutCA(ctx, &iot.RegisterCertificateWithoutCAInput{CertificatePem: bringCA(t, "any").sign("device"), Status: types.CertificateStatusActive}))(t).CertificateArn
	}

	t.Run("empty lists are there", func(t *testing.T) {
		create("empty")
		group("empty", "")
		cert := certificate()
		for name, missing := range map[string]bool{
			"things":           ok2(api.ListThings(ctx, &iot.ListThingsInput{ThingTypeName: aws.String("none")}))(t).Things == nil,
			"types":            ok2(api.ListThingTypes(ctx, &iot.ListThingTypesInput{}))(t).ThingTypes == nil,
			"groups":           ok2(api.ListThingGroups(ctx, &iot.ListThingGroupsInput{NamePrefixFilter: aws.String("none")}))(t).ThingGroups == nil,
			"things in group":  ok2(api.ListThingsInThingGroup(ctx, &iot.ListThingsInThingGroupInput{ThingGroupName: aws.String("empty")}))(t).Things == nil,
			"groups for thing": ok2(api.ListThingGroupsForThing(ctx, &iot.ListThingGroupsForThingInput{ThingName: aws.String("empty")}))(t).ThingGroups == nil,
			"principals":       ok2(api.ListThingPrincipals(ctx, &iot.ListThingPrincipalsInput{ThingName: aws.String("empty")}))(t).Principals == nil,
			"principals V2":    ok2(api.ListThingPrincipalsV2(ctx, &iot.ListThingPrincipalsV2Input{ThingName: aws.String("empty")}))(t).ThingPrincipalObjects == nil,
			"of principal":     ok2(api.ListPrincipalThings(ctx, &iot.ListPrincipalThingsInput{Principal: &cert}))(t).Things == nil,
			"of principal V2":  ok2(api.ListPrincipalThingsV2(ctx, &iot.ListPrincipalThingsV2Input{Principal: &cert}))(t).PrincipalThingObjects == nil,
			"tags":             ok2(api.ListTagsForResource(ctx, &iot.ListTagsForResourceInput{ResourceArn: aws.String(arn + "thinggroup/empty")}))(t).Tags == nil,
			"attributes":       ok2(api.DescribeThing(ctx, &iot.DescribeThingInput{ThingName: aws.String("empty")}))(t).Attributes == nil,
		} {
			if missing {
				t.Errorf("%s: the key is missing in the answer", name)
			}
		}
	})

	t.Run("things", func(t *testing.T) {
		name := "sensor:1_a-b"
		in := &iot.CreateThingInput{ThingName: &name, AttributePayload: &types.AttributePayload{Attributes: map[string]string{"site": "north"}}}
		made := ok2(api.CreateThing(ctx, in))(t)
		if again := ok2(api.CreateThing(ctx, in))(t); *again.ThingId != *made.ThingId || *made.ThingArn != arn+"thing/"+name {
			t.Errorf("created twice: %+v and %+v", made, again)
		}
		err := fail(api.CreateThing(ctx, &iot.CreateThingInput{ThingName: &name}))
		wantAWSError(t, err, "ResourceAlreadyExistsException", 409, name)
		if e, found := errors.AsType[*types.ResourceAlreadyExistsException](err); !found || *e.ResourceArn != *made.ThingArn || *e.ResourceId != *made.ThingId {
			t.Errorf("the exception is about %+v", e)
		}
		update := func(change func(*iot.UpdateThingInput)) error {
			u := &iot.UpdateThingInput{ThingName: &name}
			change(u)
			return fail(api.UpdateThing(ctx, u))
		}
		attributes := func(want map[string]string, version int64) {
			t.Helper()
			d := ok2(api.DescribeThing(ctx, &iot.DescribeThingInput{ThingName: &name}))(t)
			if fmt.Sprint(d.Attributes) != fmt.Sprint(want) || d.Version != version {
				t.Errorf("attributes %v in version %d, want %v in %d", d.Attributes, d.Version, want, version)
			}
		}
		merge := func(merge bool, set map[string]string) func(*iot.UpdateThingInput) {
			return func(u *iot.UpdateThingInput) {
				u.AttributePayload = &types.AttributePayload{Attributes: set, Merge: merge}
			}
		}
		for _, step := range []struct {
			change func(*iot.UpdateThingInput)
			want   map[string]string
		}{
			{merge(true, map[string]string{"floor": "2"}), map[string]string{"floor": "2", "site": "north"}},
			{merge(true, map[string]string{"site": ""}), map[string]string{"floor": "2"}},
			{merge(false, map[string]string{"a": "1", "b": "2", "c": "3"}), map[string]string{"a": "1", "b": "2", "c": "3"}},
			{func(u *iot.UpdateThingInput) { u.ExpectedVersion = aws.Int64(4) }, map[string]string{"a": "1", "b": "2", "c": "3"}},
		} {
			if err := update(step.change); err != nil {
				t.Error(err)
			}
		}
		attributes(map[string]string{"a": "1", "b": "2", "c": "3"}, 5)
		wantAWSError(t, update(func(u *iot.UpdateThingInput) { u.ExpectedVersion = aws.Int64(4) }), "VersionConflictException", 409, "version 5", "expected version 4")
		wantAWSError(t, update(merge(true, map[string]string{"d": "4"})), "InvalidRequestException", 400, "maximum is 3")
		wantAWSError(t, update(merge(true, map[string]string{"a b": "4"})), "InvalidRequestException", 400)
		wantAWSError(t, update(func(u *iot.UpdateThingInput) { u.ThingTypeName = aws.String("none") }), "ResourceNotFoundException", 404, "Thing type none does not exist")
		wantAWSError(t, fail(api.DeleteThing(ctx, &iot.DeleteThingInput{ThingName: &name, ExpectedVersion: aws.Int64(9)})), "VersionConflictException", 409)
		for range 2 { // AWS deletes what is not there
			ok2(api.DeleteThing(ctx, &iot.DeleteThingInput{ThingName: &name}))(t)
		}
		wantAWSError(t, fail(api.CreateThing(ctx, &iot.CreateThingInput{ThingName: aws.String("a b")})), "InvalidRequestException", 400, "1 validation error detected: Value 'a b' at 'thingName'")
		wantAWSError(t, fail(api.CreateThing(ctx, &iot.CreateThingInput{ThingName: aws.String("new"), BillingGroupName: aws.String("none")})), "ResourceNotFoundException", 404, "none")
	})

	t.Run("thing types", func(t *testing.T) {
		name := "pump"
		made := ok2(api.CreateThingType(ctx, &iot.CreateThingTypeInput{ThingTypeName: &name, ThingTypeProperties: &types.ThingTypeProperties{ThingTypeDescription: aws.String("d")}, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}))(t)
		wantAWSError(t, fail(api.CreateThingType(ctx, &iot.CreateThingTypeInput{ThingTypeName: &name})), "ResourceAlreadyExistsException", 409, name)
		ok2(api.UpdateThingType(ctx, &iot.UpdateThingTypeInput{ThingTypeName: &name, ThingTypeProperties: &types.ThingTypeProperties{SearchableAttributes: []string{"site"}}}))(t)
		d := ok2(api.DescribeThingType(ctx, &iot.DescribeThingTypeInput{ThingTypeName: &name}))(t)
		if *d.ThingTypeId != *made.ThingTypeId || *d.ThingTypeProperties.ThingTypeDescription != "d" || len(d.ThingTypeProperties.SearchableAttributes) != 1 || d.ThingTypeMetadata.DeprecationDate != nil {
			t.Errorf("DescribeThingType: %+v %+v", d, d.ThingTypeProperties)
		}
		ok2(api.CreateThing(ctx, &iot.CreateThingInput{ThingName: aws.String("typed"), ThingTypeName: &name}))(t)
		remove := func() error { return fail(api.DeleteThingType(ctx, &iot.DeleteThingTypeInput{ThingTypeName: &name})) }
		wantAWSError(t, remove(), "InvalidRequestException", 400, "must be deprecated first")
		ok2(api.DeprecateThingType(ctx, &iot.DeprecateThingTypeInput{ThingTypeName: &name}))(t)
		if d := ok2(api.DescribeThingType(ctx, &iot.DescribeThingTypeInput{ThingTypeName: &name}))(t).ThingTypeMetadata; !d.Deprecated || time.Since(*d.DeprecationDate) > time.Minute {
			t.Errorf("deprecated: %+v", d)
		}
		wantAWSError(t, remove(), "InvalidRequestException", 400, "Please wait for 5 minutes after deprecation and then retry")
		wantAWSError(t, fail(api.CreateThing(ctx, &iot.CreateThingInput{ThingName: aws.String("late"), ThingTypeName: &name})), "InvalidRequestException", 400, name)
		ok2(api.DeprecateThingType(ctx, &iot.DeprecateThingTypeInput{ThingTypeName: &name, UndoDeprecate: true}))(t)
		ok2(api.UpdateThing(ctx, &iot.UpdateThingInput{ThingName: aws.String("typed"), RemoveThingType: true}))(t)
		for what, err := range map[string]error{
			"describe":  fail(api.DescribeThingType(ctx, &iot.DescribeThingTypeInput{ThingTypeName: aws.String("none")})),
			"update":    fail(api.UpdateThingType(ctx, &iot.UpdateThingTypeInput{ThingTypeName: aws.String("none")})),
			"deprecate": fail(api.DeprecateThingType(ctx, &iot.DeprecateThingTypeInput{ThingTypeName: aws.String("none")})),
			"delete":    fail(api.DeleteThingType(ctx, &iot.DeleteThingTypeInput{ThingTypeName: aws.String("none")})),
		} {
			t.Run(what, func(t *testing.T) {
				wantAWSError(t, err, "ResourceNotFoundException", 404, "Thing type none does not exist")
			})
		}
	})

	t.Run("principals", func(t *testing.T) {
		create("a1")
		create("a2")
		cert, other := certificate(), certificate()
		attach := func(thing, principal string, as types.ThingPrincipalType) error {
			return fail(api.AttachThingPrincipal(ctx, &iot.AttachThingPrincipalInput{ThingName: &thing, Principal: &principal, ThingPrincipalType: as}))
		}
		for _, thing := range []string{"a1", "a2", "a1"} {
			if err := attach(thing, cert, ""); err != nil {
				t.Error(err)
			}
		}
		if err := attach("a1", other, types.ThingPrincipalTypeNonExclusiveThing); err != nil {
			t.Error(err)
		}
		things := pages(t, iot.NewListPrincipalThingsPaginator(api, &iot.ListPrincipalThingsInput{Principal: &cert, MaxResults: aws.Int32(1)}), func(o *iot.ListPrincipalThingsOutput) []string { return o.Things })
		principals := pages(t, iot.NewListThingPrincipalsPaginator(api, &iot.ListThingPrincipalsInput{ThingName: aws.String("a1"), MaxResults: aws.Int32(1)}), func(o *iot.ListThingPrincipalsOutput) []string { return o.Principals })
		slices.Sort(principals)
		want := []string{cert, other}
		slices.Sort(want)
		if !slices.Equal(things, []string{"a1", "a2"}) || !slices.Equal(principals, want) {
			t.Errorf("things %v, principals %v", things, principals)
		}
		wantAWSError(t, attach("a2", cert, types.ThingPrincipalTypeExclusiveThing), "InvalidRequestException", 400)
		single := certificate()
		if err := attach("a2", single, types.ThingPrincipalTypeExclusiveThing); err != nil {
			t.Error(err)
		}
		wantAWSError(t, attach("a1", single, types.ThingPrincipalTypeNonExclusiveThing), "InvalidRequestException", 400)
		exclusive := pages(t, iot.NewListThingPrincipalsV2Paginator(api, &iot.ListThingPrincipalsV2Input{ThingName: aws.String("a2"), ThingPrincipalType: types.ThingPrincipalTypeExclusiveThing, MaxResults: aws.Int32(1)}), func(o *iot.ListThingPrincipalsV2Output) []types.ThingPrincipalObject { return o.ThingPrincipalObjects })
		if len(exclusive) != 1 || *exclusive[0].Principal != single {
			t.Errorf("exclusive principals %+v", exclusive)
		}
		of := pages(t, iot.NewListPrincipalThingsV2Paginator(api, &iot.ListPrincipalThingsV2Input{Principal: &cert, MaxResults: aws.Int32(1)}), func(o *iot.ListPrincipalThingsV2Output) []types.PrincipalThingObject { return o.PrincipalThingObjects })
		if len(of) != 2 || *of[0].ThingName != "a1" || of[0].ThingPrincipalType != types.ThingPrincipalTypeNonExclusiveThing {
			t.Errorf("things of the principal %+v", of)
		}
		wantAWSError(t, fail(api.DeleteThing(ctx, &iot.DeleteThingInput{ThingName: aws.String("a1")})), "InvalidRequestException", 400, "Cannot delete. Thing a1 is still attached to one or more principals")
		detach := func(thing, principal string) error {
			return fail(api.DetachThingPrincipal(ctx, &iot.DetachThingPrincipalInput{ThingName: &thing, Principal: &principal}))
		}
		if err := detach("a1", cert); err != nil {
			t.Error(err)
		}
		unknown := arn + "cert/" + nobody
		for what, err := range map[string]error{
			"attach to no thing":       attach("none", cert, ""),
			"attach no certificate":    attach("a1", unknown, ""),
			"detach from no thing":     detach("none", cert),
			"detach what is not there": detach("a1", cert),
			"describe":                 fail(api.DescribeThing(ctx, &iot.DescribeThingInput{ThingName: aws.String("none")})),
			"update":                   fail(api.UpdateThing(ctx, &iot.UpdateThingInput{ThingName: aws.String("none")})),
			"principals V2":            fail(api.ListThingPrincipalsV2(ctx, &iot.ListThingPrincipalsV2Input{ThingName: aws.String("none")})),
			"of no certificate":        fail(api.ListPrincipalThings(ctx, &iot.ListPrincipalThingsInput{Principal: &unknown})),
			"of no certificate, V2":    fail(api.ListPrincipalThingsV2(ctx, &iot.ListPrincipalThingsV2Input{Principal: &unknown})),
		} {
			t.Run(what, func(t *testing.T) { wantAWSError(t, err, "ResourceNotFoundException", 404) })
		}
		wantAWSError(t, fail(api.ListThingPrincipals(ctx, &iot.ListThingPrincipalsInput{ThingName: aws.String("none")})), "ResourceNotFoundException", 404, "Failed to list principals for thing none because the thing does not exist in your account")
	})

	t.Run("groups", func(t *testing.T) {
		top := group("top", "")
		middle := group("top-middle", "top")
		group("top-leaf", "top-middle")
		if again := group("top-middle", "top"); again != middle {
			t.Errorf("created twice: %s and %s", middle, again)
		}
		err := fail(api.CreateThingGroup(ctx, &iot.CreateThingGroupInput{ThingGroupName: aws.String("top-middle")}))
		wantAWSError(t, err, "ResourceAlreadyExistsException", 409, "Thing Group top-middle already exists in current account with different properties")
		d := ok2(api.DescribeThingGroup(ctx, &iot.DescribeThingGroupInput{ThingGroupName: aws.String("top-leaf")}))(t)
		m := d.ThingGroupMetadata
		if *m.ParentGroupName != "top-middle" || len(m.RootToParentThingGroups) != 2 || *m.RootToParentThingGroups[0].GroupArn != top || *m.RootToParentThingGroups[1].GroupName != "top-middle" || d.Version != 1 || time.Since(*m.CreationDate) > time.Minute {
			t.Errorf("DescribeThingGroup: %+v %+v", d, m)
		}
		u := ok2(api.UpdateThingGroup(ctx, &iot.UpdateThingGroupInput{ThingGroupName: aws.String("top"), ThingGroupProperties: &types.ThingGroupProperties{
			ThingGroupDescription: aws.String("all"), AttributePayload: &types.AttributePayload{Attributes: map[string]string{"k": "v"}},
		}}))(t)
		if u.Version != 2 {
			t.Errorf("version %d after an update, want 2", u.Version)
		}
		wantAWSError(t, fail(api.UpdateThingGroup(ctx, &iot.UpdateThingGroupInput{ThingGroupName: aws.String("top"), ThingGroupProperties: &types.ThingGroupProperties{}, ExpectedVersion: aws.Int64(1)})), "VersionConflictException", 409)
		list := func(in *iot.ListThingGroupsInput) (names []string) {
			in.MaxResults = aws.Int32(1)
			for _, g := range pages(t, iot.NewListThingGroupsPaginator(api, in), func(o *iot.ListThingGroupsOutput) []types.GroupNameAndArn { return o.ThingGroups }) {
				names = append(names, *g.GroupName)
			}
			return names
		}
		if all := list(&iot.ListThingGroupsInput{NamePrefixFilter: aws.String("top")}); !slices.Equal(all, []string{"top", "top-leaf", "top-middle"}) {
			t.Errorf("groups %v", all)
		}
		if direct := list(&iot.ListThingGroupsInput{ParentGroup: aws.String("top"), Recursive: aws.Bool(false)}); !slices.Equal(direct, []string{"top-middle"}) {
			t.Errorf("children %v", direct)
		}

		create("m1")
		create("m2")
		add := func(thing, group string) error {
			return fail(api.AddThingToThingGroup(ctx, &iot.AddThingToThingGroupInput{ThingName: &thing, ThingGroupName: &group}))
		}
		for range 2 {
			if err := add("m1", "top-leaf"); err != nil {
				t.Error(err)
			}
		}
		ok2(api.AddThingToThingGroup(ctx, &iot.AddThingToThingGroupInput{ThingArn: aws.String(arn + "thing/m2"), ThingGroupArn: &middle}))(t)
		wantAWSError(t, add("m1", "top"), "InvalidRequestException", 400, "top-leaf") // one group of a hierarchy
		members := func(group string, recursive bool) []string {
			return pages(t, iot.NewListThingsInThingGroupPaginator(api, &iot.ListThingsInThingGroupInput{ThingGroupName: &group, Recursive: recursive, MaxResults: aws.Int32(1)}), func(o *iot.ListThingsInThingGroupOutput) []string { return o.Things })
		}
		if all := members("top", true); !slices.Equal(all, []string{"m1", "m2"}) {
			t.Errorf("things below top: %v", all)
		}
		if l := ok2(api.ListThingsInThingGroup(ctx, &iot.ListThingsInThingGroupInput{ThingGroupName: aws.String("top")}))(t); len(l.Things) != 0 {
			t.Errorf("things in top itself: %v", l.Things)
		}
		ok2(api.UpdateThingGroupsForThing(ctx, &iot.UpdateThingGroupsForThingInput{ThingName: aws.String("m1"), ThingGroupsToRemove: []string{"top-leaf"}, ThingGroupsToAdd: []string{"top"}}))(t)
		of := pages(t, iot.NewListThingGroupsForThingPaginator(api, &iot.ListThingGroupsForThingInput{ThingName: aws.String("m1"), MaxResults: aws.Int32(1)}), func(o *iot.ListThingGroupsForThingOutput) []types.GroupNameAndArn { return o.ThingGroups })
		if len(of) != 1 || *of[0].GroupName != "top" || *of[0].GroupArn != top {
			t.Errorf("groups of m1: %+v", of)
		}
		ok2(api.RemoveThingFromThingGroup(ctx, &iot.RemoveThingFromThingGroupInput{ThingName: aws.String("m1"), ThingGroupName: aws.String("top")}))(t)

		remove := func(name string, version *int64) error {
			return fail(api.DeleteThingGroup(ctx, &iot.DeleteThingGroupInput{ThingGroupName: &name, ExpectedVersion: version}))
		}
		wantAWSError(t, remove("top", nil), "InvalidRequestException", 400, "Cannot delete thing group : top when there are still child groups attached to it")
		wantAWSError(t, remove("top-leaf", aws.Int64(7)), "VersionConflictException", 409)
		for _, name := range []string{"top-leaf", "top-middle", "top", "top"} { // and what is not there
			if err := remove(name, nil); err != nil {
				t.Error(err)
			}
		}
		for what, err := range map[string]error{
			"describe":         fail(api.DescribeThingGroup(ctx, &iot.DescribeThingGroupInput{ThingGroupName: aws.String("none")})),
			"update":           fail(api.UpdateThingGroup(ctx, &iot.UpdateThingGroupInput{ThingGroupName: aws.String("none"), ThingGroupProperties: &types.ThingGroupProperties{}})),
			"add to none":      add("m1", "none"),
			"things in none":   fail(api.ListThingsInThingGroup(ctx, &iot.ListThingsInThingGroupInput{ThingGroupName: aws.String("none")})),
			"children of none": fail(api.ListThingGroups(ctx, &iot.ListThingGroupsInput{ParentGroup: aws.String("none")})),
			"groups of none":   fail(api.ListThingGroupsForThing(ctx, &iot.ListThingGroupsForThingInput{ThingName: aws.String("none")})),
		} {
			t.Run(what, func(t *testing.T) {
				wantAWSError(t, err, "ResourceNotFoundException", 404, "none does not exist in your account")
			})
		}
		wantAWSError(t, fail(api.CreateThingGroup(ctx, &iot.CreateThingGroupInput{ThingGroupName: aws.String("x"), ParentGroupName: aws.String("none")})), "InvalidRequestException", 400, "none")
		wantAWSError(t, fail(api.AddThingToThingGroup(ctx, &iot.AddThingToThingGroupInput{ThingName: aws.String("m1")})), "InvalidRequestException", 400, "thinggroup")
	})

	t.Run("tags", func(t *testing.T) {
		g := group("tagged", "")
		tag := func(resource string, tags map[string]string) error {
			in := &iot.TagResourceInput{ResourceArn: &resource}
			for k, v := range tags {
				in.Tags = append(in.Tags, types.Tag{Key: &k, Value: &v})
			}
			return fail(api.TagResource(ctx, in))
		}
		if err := errors.Join(tag(g, map[string]string{"b": "1", "a": "2"}), tag(g, map[string]string{"b": "3"})); err != nil {
			t.Error(err)
		}
		ok2(api.UntagResource(ctx, &iot.UntagResourceInput{ResourceArn: &g, TagKeys: []string{"a", "none"}}))(t)
		if l := ok2(api.ListTagsForResource(ctx, &iot.ListTagsForResourceInput{ResourceArn: &g}))(t); len(l.Tags) != 1 || *l.Tags[0].Key != "b" || *l.Tags[0].Value != "3" {
			t.Errorf("tags %+v", l.Tags)
		}
		many := map[string]string{}
		for i := range 50 {
			many[fmt.Sprintf("k%02d", i)] = ""
		}
		wantAWSError(t, tag(g, many), "LimitExceededException", 410, "51 tags")
		wantAWSError(t, tag(g, map[string]string{"aws:x": ""}), "InvalidRequestException", 400, "aws:")
		wantAWSError(t, tag(arn+"thing/empty", map[string]string{"a": ""}), "InvalidRequestException", 400, "thing")
		wantAWSError(t, tag(arn+"policy/none", map[string]string{"a": ""}), "ResourceNotFoundException", 404, arn+"policy/none")
	})

	t.Run("pages by age", func(t *testing.T) {
		names := []string{"z-1", "a-1", "m-1"}
		for _, name := range names {
			ok2(api.CreateThingType(ctx, &iot.CreateThingTypeInput{ThingTypeName: &name}))(t)
			ok2(api.CreateThing(ctx, &iot.CreateThingInput{ThingName: &name, ThingTypeName: aws.String("z-1"), AttributePayload: &types.AttributePayload{Attributes: map[string]string{"by": "age-" + name}}}))(t)
		}
		for filter, in := range map[string]*iot.ListThingsInput{
			"type":            {ThingTypeName: aws.String("z-1")},
			"prefix of value": {AttributeName: aws.String("by"), AttributeValue: aws.String("age"), UsePrefixAttributeValue: true},
			"both":            {ThingTypeName: aws.String("z-1"), AttributeName: aws.String("by"), AttributeValue: aws.String("age"), UsePrefixAttributeValue: true},
		} {
			in.MaxResults = aws.Int32(1)
			var listed []string
			for _, thing := range pages(t, iot.NewListThingsPaginator(api, in), func(o *iot.ListThingsOutput) []types.ThingAttribute { return o.Things }) {
				listed = append(listed, *thing.ThingName)
			}
			if !slices.Equal(listed, names) {
				t.Errorf("things by %s: %v, want %v", filter, listed, names)
			}
		}
		var all []string
		for _, tt := range pages(t, iot.NewListThingTypesPaginator(api, &iot.ListThingTypesInput{MaxResults: aws.Int32(1)}), func(o *iot.ListThingTypesOutput) []types.ThingTypeDefinition { return o.ThingTypes }) {
			all = append(all, *tt.ThingTypeName)
		}
		if !slices.Equal(all[len(all)-3:], names) {
			t.Errorf("thing types %v, want %v at the end", all, names)
		}
		wantAWSError(t, fail(api.ListThings(ctx, &iot.ListThingsInput{AttributeValue: aws.String("x")})), "InvalidRequestException", 400, "attribute name")
	})
}

// Every operation that takes an ARN says what is wrong with one of another
// account, Region or partition, and of what is none.
func TestForeignARNs(t *testing.T) {
	t.Parallel()
	gw := gatehouseproc.Start(t)
	api := gw.IoT()
	ctx := t.Context()
	p, thing := aws.String("p"), aws.String("t")
	ok2(api.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: p, PolicyDocument: aws.String(connectAnything)}))(t)
	ok2(api.CreateThing(ctx, &iot.CreateThingInput{ThingName: thing}))(t)
	ok2(api.CreateThingGroup(ctx, &iot.CreateThingGroupInput{ThingGroupName: thing}))(t)
	infos := []types.AuthInfo{{ActionType: types.ActionTypeConnect, Resources: []string{"arn:aws:iot:us-east-1:123456789012:client/c"}}}

	calls := map[string]func(certificate, group *string) error{
		"AttachPolicy": func(c, g *string) error {
			return fail(api.AttachPolicy(ctx, &iot.AttachPolicyInput{PolicyName: p, Target: c}))
		},
		"AttachPolicy to a group": func(c, g *string) error {
			return fail(api.AttachPolicy(ctx, &iot.AttachPolicyInput{PolicyName: p, Target: g}))
		},
		"DetachPolicy": func(c, g *string) error {
			return fail(api.DetachPolicy(ctx, &iot.DetachPolicyInput{PolicyName: p, Target: c}))
		},
		"ListAttachedPolicies": func(c, g *string) error {
			return fail(api.ListAttachedPolicies(ctx, &iot.ListAttachedPoliciesInput{Target: c}))
		},
		"AttachPrincipalPolicy": func(c, g *string) error {
			return fail(api.AttachPrincipalPolicy(ctx, &iot.AttachPrincipalPolicyInput{PolicyName: p, Principal: c}))
		},
		"DetachPrincipalPolicy": func(c, g *string) error {
			return fail(api.DetachPrincipalPolicy(ctx, &iot.DetachPrincipalPolicyInput{PolicyName: p, Principal: c}))
		},
		"ListPrincipalPolicies": func(c, g *string) error {
			return fail(api.ListPrincipalPolicies(ctx, &iot.ListPrincipalPoliciesInput{Principal: c}))
		},
		"GetEffectivePolicies": func(c, g *string) error {
			return fail(api.GetEffectivePolicies(ctx, &iot.GetEffectivePoliciesInput{Principal: c}))
		},
		"TestAuthorization": func(c, g *string) error {
			return fail(api.TestAuthorization(ctx, &iot.TestAuthorizationInput{Principal: c, AuthInfos: infos}))
		},
		"AttachThingPrincipal": func(c, g *string) error {
			return fail(api.AttachThingPrincipal(ctx, &iot.AttachThingPrincipalInput{ThingName: thing, Principal: c}))
		},
		"DetachThingPrincipal": func(c, g *string) error {
			return fail(api.DetachThingPrincipal(ctx, &iot.DetachThingPrincipalInput{ThingName: thing, Principal: c}))
		},
		"ListPrincipalThings": func(c, g *string) error {
			return fail(api.ListPrincipalThings(ctx, &iot.ListPrincipalThingsInput{Principal: c}))
		},
		"ListPrincipalThingsV2": func(c, g *string) error {
			return fail(api.ListPrincipalThingsV2(ctx, &iot.ListPrincipalThingsV2Input{Principal: c}))
		},
		"AddThingToThingGroup": func(c, g *string) error {
			return fail(api.AddThingToThingGroup(ctx, &iot.AddThingToThingGroupInput{ThingName: thing, ThingGroupArn: g}))
		},
		"RemoveThingFromThingGroup": func(c, g *string) error {
			return fail(api.RemoveThingFromThingGroup(ctx, &iot.RemoveThingFromThingGroupInput{ThingName: thing, ThingGroupArn: g}))
		},
		"TagResource": func(c, g *string) error {
			return fail(api.TagResource(ctx, &iot.TagResourceInput{ResourceArn: g, Tags: []types.Tag{{Key: p}}}))
		},
		"UntagResource": func(c, g *string) error {
			return fail(api.UntagResource(ctx, &iot.UntagResourceInput{ResourceArn: g, TagKeys: []string{"k"}}))
		},
		"ListTagsForResource": func(c, g *string) error {
			return fail(api.ListTagsForResource(ctx, &iot.ListTagsForResourceInput{ResourceArn: g}))
		},
	}
	for name, tt := range map[string]struct{ prefix, want string }{
		"account":   {"arn:aws:iot:us-east-1:999999999999:", `names the account "999999999999"; this endpoint serves "123456789012"`},
		"Region":    {"arn:aws:iot:eu-west-1:123456789012:", `names the region "eu-west-1"; this endpoint serves "us-east-1"`},
		"partition": {"arn:aws-cn:iot:us-east-1:123456789012:", `names the partition "aws-cn"; this endpoint serves "aws"`},
		"no ARN":    {"", "is not an ARN"},
	} {
		for operation, call := range calls {
			t.Run(name+"/"+operation, func(t *testing.T) {
				wantAWSError(t, call(aws.String(tt.prefix+"cert/"+nobody), aws.String(tt.prefix+"thinggroup/t")), "InvalidRequestException", 400, tt.want)
			})
		}
	}
	// A resource to be tested is compared, not looked up: AWS takes any.
	in := &iot.TestAuthorizationInput{PolicyNamesToAdd: []string{"p"}, AuthInfos: []types.AuthInfo{{ActionType: types.ActionTypeConnect, Resources: []string{"arn:aws:iot:us-east-1:999999999999:client/c"}}}}
	if r := ok2(api.TestAuthorization(ctx, in))(t).AuthResults; len(r) != 1 {
		t.Errorf("TestAuthorization of another account's resource: %+v", r)
	}
}
