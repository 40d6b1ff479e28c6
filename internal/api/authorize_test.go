package api_test

import (
	"context"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdkiot "github.com/aws/aws-sdk-go-v2/service/iot"
	sdkdata "github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	sdksts "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/api/iot"
	"github.com/gatehouse-iot/gatehouse/internal/api/iotdata"
	"github.com/gatehouse-iot/gatehouse/internal/api/sts"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// asked denies everything and notes what it was asked for.
type asked struct {
	effect policy.Effect
	list   []string
}

func (a *asked) DecideARN(action policy.Action, resource string) policy.Effect {
	a.list = append(a.list, strings.TrimSpace(string(action)+" "+resource))
	return a.effect
}

// TestAuthorize asks for the action and the resources of an operation, as AWS's
// service authorization reference has them, and refuses in AWS's words.
func TestAuthorize(t *testing.T) {
	const prefix = "arn:aws:iot:us-east-1:123456789012:"
	access := &asked{}
	srv, err := api.NewServer(api.Config{
		Services: []*api.Service{iot.NewService(iot.Unimplemented{}), iotdata.NewService(iotdata.Unimplemented{}), sts.New()},
		Region:   "us-east-1", Credentials: keys{},
		Authorize: func(context.Context, api.Credential, netip.Addr) (api.Access, error) { return access, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv)
	defer web.Close()
	provider := credentials.NewStaticCredentialsProvider(keyID, secret, "")
	control := sdkiot.New(sdkiot.Options{Region: "us-east-1", BaseEndpoint: &web.URL, Credentials: provider})
	data := sdkdata.New(sdkdata.Options{Region: "us-east-1", BaseEndpoint: &web.URL, Credentials: provider})
	name := aws.String
	ctx := t.Context()
	for operation, tt := range map[string]struct {
		call func() error
		want []string
	}{
		"a thing": {func() error {
			_, err := control.DescribeThing(ctx, &sdkiot.DescribeThingInput{ThingName: name("x")})
			return err
		}, []string{"iot:DescribeThing " + prefix + "thing/x"}},
		"no optional": {func() error {
			_, err := control.CreateThing(ctx, &sdkiot.CreateThingInput{ThingName: name("x"), ThingTypeName: name("y")})
			return err
		}, []string{"iot:CreateThing " + prefix + "thing/x"}},
		"a list": {func() error {
			_, err := control.ListThings(ctx, &sdkiot.ListThingsInput{ThingTypeName: name("y")})
			return err
		}, []string{"iot:ListThings *"}},
		"no resource": {func() error { _, err := control.DescribeEndpoint(ctx, &sdkiot.DescribeEndpointInput{}); return err }, []string{"iot:DescribeEndpoint *"}},
		"a target": {func() error {
			_, err := control.AttachPolicy(ctx, &sdkiot.AttachPolicyInput{PolicyName: name("p"), Target: name(prefix + "thinggroup/g")})
			return err
		}, []string{"iot:AttachPolicy " + prefix + "thinggroup/g"}},
		"in the body": {func() error {
			_, err := control.AddThingToThingGroup(ctx, &sdkiot.AddThingToThingGroupInput{ThingName: name("x"), ThingGroupName: name("g")})
			return err
		}, []string{"iot:AddThingToThingGroup " + prefix + "thinggroup/g"}},
		"the data plane": {func() error {
			_, err := data.GetRetainedMessage(ctx, &sdkdata.GetRetainedMessageInput{Topic: name("a/b")})
			return err
		}, []string{"iot:GetRetainedMessage " + prefix + "topic/a/b"}},
	} {
		access.list, access.effect = nil, policy.ImplicitDeny
		err := tt.call()
		code := "AccessDeniedException"
		if operation == "the data plane" {
			code = "ForbiddenException"
		}
		if err == nil || !strings.Contains(err.Error(), code) || !slices.Equal(access.list, tt.want) {
			t.Errorf("%s: asked for %q, answered %v; want %q", operation, access.list, err, tt.want)
		}
	}
	access.effect = policy.ExplicitDeny
	_, err = control.DescribeEndpoint(ctx, &sdkiot.DescribeEndpointInput{})
	if want := "User: arn:aws:iam::123456789012:root is not authorized to perform: iot:DescribeEndpoint on resource: * with an explicit deny in an identity-based policy"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("an explicit deny is answered %v, want %q", err, want)
	}
	access.effect = policy.Allow
	if _, err := control.DescribeEndpoint(ctx, &sdkiot.DescribeEndpointInput{}); err == nil || !strings.Contains(err.Error(), "NotImplementedException") {
		t.Errorf("allowed: %v", err)
	}
	access.effect = policy.ImplicitDeny
	who := sdksts.New(sdksts.Options{Region: "us-east-1", BaseEndpoint: &web.URL, Credentials: provider})
	if _, err := who.GetCallerIdentity(ctx, &sdksts.GetCallerIdentityInput{}); err != nil {
		t.Errorf("who am I needs no permission: %v", err)
	}
}
