package registry

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func tags(from, to int) []Tag {
	var list []Tag
	for i := from; i < to; i++ {
		list = append(list, Tag{fmt.Sprintf("k%02d", i), "v"})
	}
	return list
}

func TestTags(t *testing.T) {
	r := openThings(t)
	ctx := t.Context()
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}`
	group := got(r.CreateThingGroup(ctx, NewThingGroup{Name: "x", Tags: []Tag{{"k", "group"}}}))(t).ARN
	thingType := got(r.CreateThingType(ctx, "x", ThingTypeProperties{}, []Tag{{"k", "type"}}))(t).ARN
	policyARN := got(r.CreatePolicy(ctx, "x", policy, []Tag{{"k", "policy"}}))(t).ARN

	// Resources of one name but different types have tags of their own.
	for arn, want := range map[string]string{group: "group", thingType: "type", policyARN: "policy"} {
		if diff := cmp.Diff([]Tag{{"k", want}}, got(r.ListTags(ctx, arn, Page{}))(t).Items); diff != "" {
			t.Errorf("tags of %s (-want +got):\n%s", arn, diff)
		}
	}
	ok(t, r.TagResource(ctx, group, []Tag{{"k", "new"}, {"ä ö", ""}}))
	if diff := cmp.Diff([]Tag{{"k", "new"}, {"ä ö", ""}}, got(r.ListTags(ctx, group, Page{}))(t).Items); diff != "" {
		t.Errorf("after TagResource (-want +got):\n%s", diff)
	}
	ok(t, r.UntagResource(ctx, group, []string{"k", "nope"}))
	if diff := cmp.Diff([]Tag{{"ä ö", ""}}, got(r.ListTags(ctx, group, Page{}))(t).Items); diff != "" {
		t.Errorf("after UntagResource (-want +got):\n%s", diff)
	}
}

func TestTagLimits(t *testing.T) {
	r := openThings(t)
	ctx := t.Context()
	group := got(r.CreateThingGroup(ctx, NewThingGroup{Name: "g", Tags: tags(0, 50)}))(t).ARN
	wantRefusal(t, r.TagResource(ctx, group, tags(50, 51)), LimitExceeded, "51 tags")
	ok(t, r.TagResource(ctx, group, tags(0, 50))) // those it has do not count twice
	var keys int
	p := Page{Size: 7}
	for {
		list := got(r.ListTags(ctx, group, p))(t)
		keys += len(list.Items)
		if p.After = list.Next; list.Next == "" {
			break
		}
	}
	if keys != 50 {
		t.Errorf("listed %d tags in pages, want 50", keys)
	}
	_, err := r.CreateThingGroup(ctx, NewThingGroup{Name: "h", Tags: tags(0, 51)})
	wantRefusal(t, err, InvalidRequest, "51 tags")
	_, err = r.CreateThingType(ctx, "h", ThingTypeProperties{}, tags(0, 51))
	wantRefusal(t, err, InvalidRequest, "51 tags")

	const prefix = "arn:aws:iot:us-east-1:123456789012:"
	for name, tt := range map[string]struct {
		arn  string
		tags []Tag
		kind Kind
		text string
	}{
		"no ARN":          {"g", nil, InvalidRequest, "not an ARN"},
		"other account":   {"arn:aws:iot:us-east-1:210987654321:thinggroup/g", nil, InvalidRequest, "210987654321"},
		"thing":           {prefix + "thing/g", nil, InvalidRequest, `"thing"`},
		"certificate":     {prefix + "cert/g", nil, InvalidRequest, `"cert"`},
		"unknown group":   {prefix + "thinggroup/nope", nil, ResourceNotFound, "nope"},
		"unknown type":    {prefix + "thingtype/nope", nil, ResourceNotFound, "nope"},
		"unknown policy":  {prefix + "policy/nope", nil, ResourceNotFound, "nope"},
		"unknown CA":      {prefix + "cacert/nope", nil, ResourceNotFound, "nope"},
		"the same twice":  {group, []Tag{{"a", "1"}, {"a", "1"}}, InvalidRequest, "twice"},
		"reserved prefix": {group, []Tag{{"AWS:x", "1"}}, InvalidRequest, "reserved"},
	} {
		t.Run(name, func(t *testing.T) {
			wantRefusal(t, r.TagResource(ctx, tt.arn, tt.tags), tt.kind, tt.text)
			if tt.tags == nil {
				wantRefusal(t, r.UntagResource(ctx, tt.arn, []string{"k"}), tt.kind, tt.text)
				_, err := r.ListTags(ctx, tt.arn, Page{})
				wantRefusal(t, err, tt.kind, tt.text)
			}
		})
	}
}
