package iot

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

const arns = "arn:aws:iot:us-east-1:123456789012:"

// statement is a policy of one statement on an IoT resource.
func statement(effect, action, resource string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":%q,"Action":%q,"Resource":%q}]}`, effect, action, arns+resource)
}

func names(policies []Policy) []string {
	list := []string{}
	for _, p := range policies {
		list = append(list, *p.PolicyName)
	}
	slices.Sort(list)
	return list
}

// authorized is a registry with the thing t1 (in the group g, of the type pump)
// and a certificate attached to it.
func authorized(t *testing.T) (Handlers, string) {
	t.Helper()
	h := newHandlers(t)
	ctx := t.Context()
	cert := must(h.Registry.RegisterCertificateWithoutCA(ctx, newFactory(t).sign(t, "device 7"), registry.StatusActive))(t)
	target := registry.Target{Type: registry.TargetCertificate, Name: cert.ID}
	must(h.Registry.CreateThingType(ctx, "pump", registry.ThingTypeProperties{}, nil))(t)
	must(h.Registry.CreateThing(ctx, registry.NewThing{Name: "t1", TypeName: "pump", Attributes: map[string]string{"site": "north"}}))(t)
	must(h.Registry.CreateThingGroup(ctx, registry.NewThingGroup{Name: "g"}))(t)
	for _, err := range []error{
		h.Registry.AddThingToGroup(ctx, "t1", "g"),
		h.Registry.AttachThingPrincipal(ctx, "t1", target, registry.NonExclusiveThing),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []struct{ name, document, target string }{
		{"connect", statement("Allow", "iot:Connect", "client/${iot:ClientId}"), cert.ARN},
		{"thing", statement("Allow", "iot:Publish", "topic/${iot:Connection.Thing.Attributes[site]}/${iot:Connection.Thing.ThingName}"), cert.ARN},
		{"cn", statement("Allow", "iot:Subscribe", "topicfilter/${iot:Certificate.Subject.CommonName}"), cert.ARN},
		{"group", statement("Deny", "iot:Publish", "topic/secret"), arns + "thinggroup/g"},
		{"extra", statement("Allow", "iot:Receive", "topic/*"), ""},
		{"everything", allowAll, ""},
	} {
		must(h.CreatePolicy(ctx, &CreatePolicyRequest{PolicyName: p.name, PolicyDocument: p.document}))(t)
		if p.target != "" {
			must(h.AttachPolicy(ctx, &AttachPolicyRequest{PolicyName: p.name, Target: p.target}))(t)
		}
	}
	return h, cert.ARN
}

func TestTestAuthorization(t *testing.T) {
	h, cert := authorized(t)
	type result struct {
		Decision                AuthDecision
		Allowed, Denied, Silent []string
		Missing                 []string
	}
	for _, tt := range []struct {
		name      string
		clientID  string
		action    ActionType
		resources []string
		add, skip []string
		nobody    bool
		want      result
	}{
		{
			name: "client ID", clientID: "t1", action: ActionTypeConnect, resources: []string{"client/t1"},
			want: result{AuthDecisionAllowed, []string{"connect"}, []string{}, []string{"cn", "group", "thing"}, nil},
		},
		{
			name: "another client ID, without the group", clientID: "t2", action: ActionTypeConnect, resources: []string{"client/t1"},
			want: result{AuthDecisionImplicitDeny, []string{}, []string{}, []string{"cn", "connect", "thing"}, nil},
		},
		{
			name: "no client ID", action: ActionTypeConnect, resources: []string{"client/t1"},
			want: result{AuthDecisionImplicitDeny, []string{}, []string{}, []string{"cn", "connect", "thing"}, []string{"iot:ClientId"}},
		},
		{
			name: "thing variables", clientID: "t1", action: ActionTypePublish, resources: []string{"topic/north/t1"},
			want: result{AuthDecisionAllowed, []string{"thing"}, []string{}, []string{"cn", "connect", "group"}, nil},
		},
		{
			name: "no thing", clientID: "x", action: ActionTypePublish, resources: []string{"topic/north/t1"},
			want: result{
				AuthDecisionImplicitDeny,
				[]string{},
				[]string{},
				[]string{"cn", "connect", "thing"},
				[]string{"iot:Connection.Thing.Attributes[site]", "iot:Connection.Thing.ThingName"},
			},
		},
		{
			name: "certificate variables", clientID: "t1", action: ActionTypeSubscribe, resources: []string{"topicfilter/device 7"},
			want: result{AuthDecisionAllowed, []string{"cn"}, []string{}, []string{"connect", "group", "thing"}, nil},
		},
		{
			name: "a group denies", clientID: "t1", action: ActionTypePublish, resources: []string{"topic/secret"}, add: []string{"everything"},
			want: result{AuthDecisionExplicitDeny, []string{"everything"}, []string{"group"}, []string{"cn", "connect", "thing"}, nil},
		},
		{
			name: "a skipped deny", clientID: "t1", action: ActionTypePublish, resources: []string{"topic/secret"}, add: []string{"everything"}, skip: []string{"group"},
			want: result{AuthDecisionAllowed, []string{"everything"}, []string{}, []string{"cn", "connect", "thing"}, nil},
		},
		{
			name: "the worst resource counts", clientID: "t1", action: ActionTypePublish, resources: []string{"topic/north/t1", "topic/other"},
			want: result{AuthDecisionImplicitDeny, []string{"thing"}, []string{}, []string{"cn", "connect", "group"}, nil},
		},
		{
			name: "a deny is worse", clientID: "t1", action: ActionTypePublish, resources: []string{"topic/secret", "topic/other"},
			want: result{AuthDecisionExplicitDeny, []string{}, []string{"group"}, []string{"cn", "connect", "thing"}, nil},
		},
		{
			name: "only added policies", action: ActionTypeReceive, resources: []string{"topic/a"}, add: []string{"extra"}, nobody: true,
			want: result{AuthDecisionAllowed, []string{"extra"}, []string{}, []string{}, nil},
		},
		{
			name: "nothing", action: ActionTypeReceive, resources: []string{"topic/a"}, nobody: true,
			want: result{AuthDecisionImplicitDeny, []string{}, []string{}, []string{}, nil},
		},
		{
			name: "added although attached", clientID: "t1", action: ActionTypeConnect, resources: []string{"client/t1"}, add: []string{"connect"},
			want: result{AuthDecisionAllowed, []string{"connect"}, []string{}, []string{"cn", "group", "thing"}, nil},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := &TestAuthorizationRequest{PolicyNamesToAdd: tt.add, PolicyNamesToSkip: tt.skip, AuthInfos: []AuthInfo{{ActionType: &tt.action}}}
			for _, r := range tt.resources {
				in.AuthInfos[0].Resources = append(in.AuthInfos[0].Resources, arns+r)
			}
			if tt.clientID != "" {
				in.ClientId = &tt.clientID
			}
			if !tt.nobody {
				in.Principal = &cert
			}
			out := must(h.TestAuthorization(t.Context(), in))(t)
			a := out.AuthResults[0]
			got := result{*a.AuthDecision, names(a.Allowed.Policies), names(a.Denied.ExplicitDeny.Policies), names(a.Denied.ImplicitDeny.Policies), a.MissingContextValues}
			slices.Sort(got.Missing)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(in.AuthInfos[0], *a.AuthInfo); diff != "" {
				t.Errorf("authInfo (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTestAuthorizationRefusals(t *testing.T) {
	h, cert := authorized(t)
	connect := []AuthInfo{{ActionType: new(ActionTypeConnect), Resources: []string{arns + "client/t1"}}}
	for name, tt := range map[string]struct {
		in     TestAuthorizationRequest
		code   string
		status int
	}{
		"unknown certificate": {TestAuthorizationRequest{AuthInfos: connect, Principal: new(arns + "cert/" + strings.Repeat("0", 64))}, "ResourceNotFoundException", 404},
		"another account":     {TestAuthorizationRequest{AuthInfos: connect, Principal: new(strings.Replace(cert, "123456789012", "999999999999", 1))}, "InvalidRequestException", 400},
		"no target":           {TestAuthorizationRequest{AuthInfos: connect, Principal: new(arns + "thing/t1")}, "InvalidRequestException", 400},
		"unknown to add":      {TestAuthorizationRequest{AuthInfos: connect, Principal: &cert, PolicyNamesToAdd: []string{"no"}}, "ResourceNotFoundException", 404},
		"unknown to skip":     {TestAuthorizationRequest{AuthInfos: connect, Principal: &cert, PolicyNamesToSkip: []string{"no"}}, "ResourceNotFoundException", 404},
		"no action":           {TestAuthorizationRequest{AuthInfos: []AuthInfo{{Resources: []string{arns + "client/t1"}}}, Principal: &cert}, "InvalidRequestException", 400},
		"no ARN":              {TestAuthorizationRequest{AuthInfos: []AuthInfo{{ActionType: new(ActionTypeConnect), Resources: []string{"t1"}}}, Principal: &cert}, "InvalidRequestException", 400},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := h.TestAuthorization(t.Context(), &tt.in)
			wantException(t, err, tt.code, tt.status)
		})
	}
}

func TestGetEffectivePolicies(t *testing.T) {
	h, cert := authorized(t)
	for _, tt := range []struct {
		in   GetEffectivePoliciesRequest
		want []string
	}{
		{GetEffectivePoliciesRequest{Principal: &cert}, []string{"cn", "connect", "thing"}},
		{GetEffectivePoliciesRequest{Principal: &cert, ThingName: new("t1")}, []string{"cn", "connect", "group", "thing"}},
		{GetEffectivePoliciesRequest{Principal: new(arns + "thinggroup/g")}, []string{"group"}},
		{GetEffectivePoliciesRequest{CognitoIdentityPoolId: new("us-east-1:pool")}, nil},
	} {
		out := must(h.GetEffectivePolicies(t.Context(), &tt.in))(t)
		var got []string
		for _, p := range out.EffectivePolicies {
			got = append(got, *p.PolicyName)
			if *p.PolicyArn != arns+"policy/"+*p.PolicyName || !strings.Contains(*p.PolicyDocument, "Statement") {
				t.Errorf("policy %+v", p)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt.in, diff)
		}
	}
	_, err := h.GetEffectivePolicies(t.Context(), &GetEffectivePoliciesRequest{ThingName: new("t1")})
	wantException(t, err, "InvalidRequestException", 400)
	_, err = h.GetEffectivePolicies(t.Context(), &GetEffectivePoliciesRequest{Principal: &cert, ThingName: new("none")})
	wantException(t, err, "ResourceNotFoundException", 404)
}
