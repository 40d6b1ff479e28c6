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

// identityID is what Amazon Cognito gives an app's user.
const identityID = "us-east-1:01234567-89ab-cdef-0123-456789abcdef"

// What the AWS CLI makes of policies and of what they are attached to.
func TestAWSCLIPolicies(t *testing.T) {
	gatehouseproc.Need(t, "aws")
	t.Parallel()
	gw := gatehouseproc.Start(t)
	document := "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [{\"Effect\": \"Allow\", \"Action\": \"iot:Connect\", \"Resource\": \"*\"}]\n}\n"
	var made struct{ PolicyName, PolicyArn, PolicyDocument, PolicyVersionId string }
	gw.JSON(t, &made, "aws", "iot", "create-policy", "--policy-name", "p", "--policy-document", document, "--tags", "Key=team,Value=blue")
	if made.PolicyDocument != document || made.PolicyVersionId != "1" || made.PolicyArn != "arn:aws:iot:us-east-1:123456789012:policy/p" {
		t.Errorf("create-policy: %+v, want the document unchanged and version 1", made)
	}
	var got struct {
		PolicyDocument, DefaultVersionId, GenerationId string
		CreationDate                                   any
	}
	gw.JSON(t, &got, "aws", "iot", "get-policy", "--policy-name", "p")
	if since := time.Since(cliTime(t, got.CreationDate)); got.PolicyDocument != document || got.DefaultVersionId != "1" || got.GenerationId == "" || since < 0 || since > time.Minute {
		t.Errorf("get-policy: %+v", got)
	}
	for _, tt := range []struct {
		want string // without white space
		args []string
	}{
		{`{"targets":[]}`, []string{"list-targets-for-policy", "--policy-name", "p"}},
		{`{"principals":[]}`, []string{"list-policy-principals", "--policy-name", "p"}},
		{`{"policies":[]}`, []string{"list-attached-policies", "--target", identityID}},
		{`{"policies":[]}`, []string{"list-principal-policies", "--principal", identityID}},
		{`{"effectivePolicies":[]}`, []string{"get-effective-policies", "--principal", identityID}},
		{``, []string{"attach-principal-policy", "--policy-name", "p", "--principal", identityID}}, // deprecated
		{`{"principals":["` + identityID + `"]}`, []string{"list-policy-principals", "--policy-name", "p"}},
		{``, []string{"detach-policy", "--policy-name", "p", "--target", identityID}},
		{`{"tags":[{"Key":"team","Value":"blue"}]}`, []string{"list-tags-for-resource", "--resource-arn", made.PolicyArn}},
		{``, []string{"delete-policy", "--policy-name", "p"}},
	} {
		if out := gw.MustRun(t, "aws", append([]string{"iot"}, tt.args...)...); strings.Join(strings.Fields(out), "") != tt.want {
			t.Errorf("aws iot %s printed %s, want %s", strings.Join(tt.args, " "), out, tt.want)
		}
	}
	out := awsFails(t, gw, "iot", "create-policy", "--policy-name", "q", "--policy-document", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"},]}`)
	if !strings.Contains(out, "(MalformedPolicyException) when calling the CreatePolicy operation: Policy document is Malformed: line 1, column ") {
		t.Errorf("a trailing comma: %s", out)
	}
}

func TestPolicyAPI(t *testing.T) {
	t.Parallel()
	gw := gatehouseproc.Start(t)
	api := gw.IoT()
	ctx := t.Context()
	create := func(name string) string {
		return *ok2(api.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: &name, PolicyDocument: aws.String(connectAnything)}))(t).PolicyArn
	}
	certificate := func() string {
		return *ok2(api.RegisterCertificateWithoutCA(ctx, &iot.RegisterCertificateWithoutCAInput{CertificatePem: bringCA(t, "any").sign("device"), Status: types.CertificateStatusActive}))(t).CertificateArn
	}

	t.Run("versions", func(t *testing.T) {
		name := "versions"
		arn := create(name)
		add := func(document string, isDefault bool) (*iot.CreatePolicyVersionOutput, error) {
			return api.CreatePolicyVersion(ctx, &iot.CreatePolicyVersionInput{PolicyName: &name, PolicyDocument: &document, SetAsDefault: isDefault})
		}
		document := func(i int) string {
			return strings.Replace(connectAnything, `"*"`, fmt.Sprintf(`"arn:aws:iot:us-east-1:123456789012:client/v%d"`, i), 1)
		}
		remove := func(version string) error {
			return fail(api.DeletePolicyVersion(ctx, &iot.DeletePolicyVersionInput{PolicyName: &name, PolicyVersionId: &version}))
		}
		list := func() (ids []string, standard string) {
			for _, v := range ok2(api.ListPolicyVersions(ctx, &iot.ListPolicyVersionsInput{PolicyName: &name}))(t).PolicyVersions {
				if v.CreateDate == nil {
					t.Errorf("version %s has no date", *v.VersionId)
				}
				ids = append(ids, *v.VersionId)
				if v.IsDefaultVersion {
					standard += *v.VersionId
				}
			}
			return ids, standard
		}
		for i := 2; i <= 5; i++ {
			v := ok2(add(document(i), i == 3))(t)
			if *v.PolicyVersionId != fmt.Sprint(i) || v.IsDefaultVersion != (i == 3) || *v.PolicyDocument != document(i) || *v.PolicyArn != arn {
				t.Errorf("version %d: %+v", i, v)
			}
		}
		wantAWSError(t, fail(add(document(6), false)), "VersionsLimitExceededException", 409, "The policy versions already has the maximum number of versions (5)")
		if ids, standard := list(); len(ids) != 5 || standard != "3" {
			t.Errorf("versions %v, default %s", ids, standard)
		}
		if p := ok2(api.GetPolicy(ctx, &iot.GetPolicyInput{PolicyName: &name}))(t); *p.DefaultVersionId != "3" || *p.PolicyDocument != document(3) || !p.LastModifiedDate.After(*p.CreationDate) {
			t.Errorf("GetPolicy: %+v", p)
		}
		if v := ok2(api.GetPolicyVersion(ctx, &iot.GetPolicyVersionInput{PolicyName: &name, PolicyVersionId: aws.String("2")}))(t); *v.PolicyDocument != document(2) || v.IsDefaultVersion || *v.PolicyName != name || v.CreationDate == nil || v.LastModifiedDate == nil || v.GenerationId == nil {
			t.Errorf("GetPolicyVersion: %+v", v)
		}
		wantAWSError(t, remove("3"), "DeleteConflictException", 409, "Cannot delete the default version of a policy")
		wantAWSError(t, fail(api.DeletePolicy(ctx, &iot.DeletePolicyInput{PolicyName: &name})), "DeleteConflictException", 409, "Cannot delete the policy because it has one or more policy versions attached to it (name=versions)")
		ok2(api.SetDefaultPolicyVersion(ctx, &iot.SetDefaultPolicyVersionInput{PolicyName: &name, PolicyVersionId: aws.String("5")}))(t)
		for _, version := range []string{"1", "2", "3", "4"} {
			if err := remove(version); err != nil {
				t.Error(err)
			}
		}
		if v := ok2(add(document(6), false))(t); *v.PolicyVersionId != "6" {
			t.Errorf("after deletions the next version is %s, want 6", *v.PolicyVersionId)
		}
		missing := aws.String("2")
		for what, err := range map[string]error{
			"get":         fail(api.GetPolicyVersion(ctx, &iot.GetPolicyVersionInput{PolicyName: &name, PolicyVersionId: missing})),
			"delete":      remove("2"),
			"set default": fail(api.SetDefaultPolicyVersion(ctx, &iot.SetDefaultPolicyVersionInput{PolicyName: &name, PolicyVersionId: missing})),
		} {
			t.Run(what, func(t *testing.T) { wantAWSError(t, err, "ResourceNotFoundException", 404, "2") })
		}
		wantAWSError(t, remove("v2"), "InvalidRequestException", 400, "'policyVersionId'")
	})

	t.Run("exceptions of policies", func(t *testing.T) {
		arn := create("taken")
		err := fail(api.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: aws.String("taken"), PolicyDocument: aws.String("no document")}))
		wantAWSError(t, err, "ResourceAlreadyExistsException", 409, "Policy cannot be created - name already exists (name=taken)")
		if e, found := errors.AsType[*types.ResourceAlreadyExistsException](err); !found || *e.ResourceId != "taken" || *e.ResourceArn != arn {
			t.Errorf("the exception is about %+v", e)
		}
		for _, document := range []string{"{}", "doc", `{"Version":"2012-10-17"}`, `{"Version":"2012-10-17","Statement":[{"Effect":"Maybe","Action":"iot:*","Resource":"*"}]}`, strings.Replace(connectAnything, "Connect", strings.Repeat("x", 2048), 1)} {
			wantAWSError(t, fail(api.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: aws.String("new"), PolicyDocument: &document})), "MalformedPolicyException", 400, "Policy document is Malformed")
			wantAWSError(t, fail(api.CreatePolicyVersion(ctx, &iot.CreatePolicyVersionInput{PolicyName: aws.String("taken"), PolicyDocument: &document})), "MalformedPolicyException", 400, "Policy document is Malformed")
		}
		wantAWSError(t, fail(api.GetPolicy(ctx, &iot.GetPolicyInput{PolicyName: aws.String("new")})), "ResourceNotFoundException", 404) // a malformed one leaves nothing
		wantAWSError(t, fail(api.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: aws.String("a b"), PolicyDocument: aws.String(connectAnything)})), "InvalidRequestException", 400, `Value 'a b' at 'policyName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]+`)
		none := aws.String("none")
		for name, err := range map[string]error{
			"get":                  fail(api.GetPolicy(ctx, &iot.GetPolicyInput{PolicyName: none})),
			"delete":               fail(api.DeletePolicy(ctx, &iot.DeletePolicyInput{PolicyName: none})),
			"new version":          fail(api.CreatePolicyVersion(ctx, &iot.CreatePolicyVersionInput{PolicyName: none, PolicyDocument: aws.String("x")})),
			"list versions":        fail(api.ListPolicyVersions(ctx, &iot.ListPolicyVersionsInput{PolicyName: none})),
			"targets":              fail(api.ListTargetsForPolicy(ctx, &iot.ListTargetsForPolicyInput{PolicyName: none})),
			"principals":           fail(api.ListPolicyPrincipals(ctx, &iot.ListPolicyPrincipalsInput{PolicyName: none})),
			"attach":               fail(api.AttachPolicy(ctx, &iot.AttachPolicyInput{PolicyName: none, Target: aws.String(identityID)})),
			"attach to principal":  fail(api.AttachPrincipalPolicy(ctx, &iot.AttachPrincipalPolicyInput{PolicyName: none, Principal: aws.String(identityID)})),
			"detach of principal":  fail(api.DetachPrincipalPolicy(ctx, &iot.DetachPrincipalPolicyInput{PolicyName: none, Principal: aws.String(identityID)})),
			"test with an unknown": fail(api.TestAuthorization(ctx, &iot.TestAuthorizationInput{AuthInfos: []types.AuthInfo{{ActionType: types.ActionTypeConnect, Resources: []string{"*"}}}, PolicyNamesToAdd: []string{"none"}})),
		} {
			t.Run(name, func(t *testing.T) { wantAWSError(t, err, "ResourceNotFoundException", 404, "Policy not found", "none") })
		}
	})

	t.Run("attachments", func(t *testing.T) {
		create("attached")
		cert := certificate()
		group := *ok2(api.CreateThingGroup(ctx, &iot.CreateThingGroupInput{ThingGroupName: aws.String("attached")}))(t).ThingGroupArn
		targets := []string{cert, identityID, group}
		for _, target := range targets {
			for range 2 { // twice is once
				ok2(api.AttachPolicy(ctx, &iot.AttachPolicyInput{PolicyName: aws.String("attached"), Target: &target}))(t)
			}
			l := ok2(api.ListAttachedPolicies(ctx, &iot.ListAttachedPoliciesInput{Target: &target}))(t)
			if len(l.Policies) != 1 || *l.Policies[0].PolicyName != "attached" || *l.Policies[0].PolicyArn == "" || l.NextMarker != nil {
				t.Errorf("policies of %s: %+v", target, l)
			}
		}
		listed := pages(t, iot.NewListTargetsForPolicyPaginator(api, &iot.ListTargetsForPolicyInput{PolicyName: aws.String("attached"), PageSize: aws.Int32(1)}), func(o *iot.ListTargetsForPolicyOutput) []string { return o.Targets })
		if !slices.Equal(listed, targets) {
			t.Errorf("targets %v, want %v", listed, targets)
		}
		principals := func(ascending bool) []string {
			return pages(t, iot.NewListPolicyPrincipalsPaginator(api, &iot.ListPolicyPrincipalsInput{PolicyName: aws.String("attached"), PageSize: aws.Int32(1), AscendingOrder: ascending}), func(o *iot.ListPolicyPrincipalsOutput) []string { return o.Principals })
		}
		if up, down := principals(true), principals(false); !slices.Equal(up, targets[:2]) || !slices.Equal(down, []string{targets[1], targets[0]}) {
			t.Errorf("principals %v and %v, want %v without the group", up, down, targets)
		}
		wantAWSError(t, fail(api.DeletePolicy(ctx, &iot.DeletePolicyInput{PolicyName: aws.String("attached")})), "DeleteConflictException", 409, "The policy cannot be deleted as the policy is attached to one or more principals (name=attached)")
		for _, target := range targets {
			for range 2 { // AWS says nothing about one that is not attached
				ok2(api.DetachPolicy(ctx, &iot.DetachPolicyInput{PolicyName: aws.String("attached"), Target: &target}))(t)
			}
		}
		wantAWSError(t, fail(api.DetachPrincipalPolicy(ctx, &iot.DetachPrincipalPolicyInput{PolicyName: aws.String("attached"), Principal: &cert})), "ResourceNotFoundException", 404)
		ok2(api.AttachPrincipalPolicy(ctx, &iot.AttachPrincipalPolicyInput{PolicyName: aws.String("attached"), Principal: &cert}))(t)
		if l := ok2(api.ListPrincipalPolicies(ctx, &iot.ListPrincipalPoliciesInput{Principal: &cert}))(t); len(l.Policies) != 1 {
			t.Errorf("ListPrincipalPolicies: %+v", l)
		}
		ok2(api.DetachPrincipalPolicy(ctx, &iot.DetachPrincipalPolicyInput{PolicyName: aws.String("attached"), Principal: &cert}))(t)
		ok2(api.DeletePolicy(ctx, &iot.DeletePolicyInput{PolicyName: aws.String("attached")}))(t)

		for i := range 11 {
			create(fmt.Sprintf("limit-%02d", i))
		}
		for _, tt := range []struct {
			target string
			limit  int
		}{{cert, 10}, {identityID, 10}, {group, 2}} {
			for i := range tt.limit {
				ok2(api.AttachPolicy(ctx, &iot.AttachPolicyInput{PolicyName: aws.String(fmt.Sprintf("limit-%02d", i)), Target: &tt.target}))(t)
			}
			wantAWSError(t, fail(api.AttachPolicy(ctx, &iot.AttachPolicyInput{PolicyName: aws.String("limit-10"), Target: &tt.target})), "LimitExceededException", 410, tt.target)
		}
		named := func(list []types.Policy) (names []string) {
			for _, p := range list {
				names = append(names, *p.PolicyName)
			}
			return names
		}
		attached := named(pages(t, iot.NewListAttachedPoliciesPaginator(api, &iot.ListAttachedPoliciesInput{Target: &cert, PageSize: aws.Int32(1)}), func(o *iot.ListAttachedPoliciesOutput) []types.Policy { return o.Policies }))
		down := named(pages(t, iot.NewListPrincipalPoliciesPaginator(api, &iot.ListPrincipalPoliciesInput{Principal: &cert, PageSize: aws.Int32(1)}), func(o *iot.ListPrincipalPoliciesOutput) []types.Policy { return o.Policies }))
		slices.Reverse(down)
		if len(attached) != 10 || !slices.IsSorted(attached) || !slices.Equal(attached, down) {
			t.Errorf("policies of the certificate: %v, descending reversed %v", attached, down)
		}
		up := named(pages(t, iot.NewListPoliciesPaginator(api, &iot.ListPoliciesInput{PageSize: aws.Int32(1), AscendingOrder: true}), func(o *iot.ListPoliciesOutput) []types.Policy { return o.Policies }))
		down = named(pages(t, iot.NewListPoliciesPaginator(api, &iot.ListPoliciesInput{PageSize: aws.Int32(1)}), func(o *iot.ListPoliciesOutput) []types.Policy { return o.Policies }))
		slices.Reverse(down)
		if len(up) < 11 || !slices.Equal(up, down) {
			t.Errorf("policies ascending %v, descending reversed %v", up, down)
		}
	})

	t.Run("inherited policies", func(t *testing.T) {
		create("upper")
		create("lower")
		var arns [2]string
		for i, name := range []string{"upper", "lower"} {
			in := &iot.CreateThingGroupInput{ThingGroupName: &name}
			if i == 1 {
				in.ParentGroupName = aws.String("upper")
			}
			arns[i] = *ok2(api.CreateThingGroup(ctx, in))(t).ThingGroupArn
			ok2(api.AttachPolicy(ctx, &iot.AttachPolicyInput{PolicyName: &name, Target: &arns[i]}))(t)
		}
		for recursive, want := range map[bool]int{false: 1, true: 2} {
			if l := ok2(api.ListAttachedPolicies(ctx, &iot.ListAttachedPoliciesInput{Target: &arns[1], Recursive: recursive}))(t); len(l.Policies) != want {
				t.Errorf("recursive %v: %+v, want %d", recursive, l.Policies, want)
			}
		}
		cert := certificate()
		ok2(api.CreateThing(ctx, &iot.CreateThingInput{ThingName: aws.String("heir")}))(t)
		ok2(api.AddThingToThingGroup(ctx, &iot.AddThingToThingGroupInput{ThingName: aws.String("heir"), ThingGroupName: aws.String("lower")}))(t)
		e := ok2(api.GetEffectivePolicies(ctx, &iot.GetEffectivePoliciesInput{Principal: &cert, ThingName: aws.String("heir")}))(t)
		if len(e.EffectivePolicies) != 2 || *e.EffectivePolicies[0].PolicyDocument != connectAnything {
			t.Errorf("effective policies %+v", e.EffectivePolicies)
		}
		if e := ok2(api.GetEffectivePolicies(ctx, &iot.GetEffectivePoliciesInput{Principal: &cert}))(t); e.EffectivePolicies == nil || len(e.EffectivePolicies) != 0 {
			t.Errorf("without a thing: %+v, want an empty list", e.EffectivePolicies)
		}
		wantAWSError(t, fail(api.GetEffectivePolicies(ctx, &iot.GetEffectivePoliciesInput{Principal: &cert, ThingName: aws.String("nothing")})), "ResourceNotFoundException", 404, "nothing")
		wantAWSError(t, fail(api.GetEffectivePolicies(ctx, &iot.GetEffectivePoliciesInput{ThingName: aws.String("heir")})), "InvalidRequestException", 400, "principal")
	})

	t.Run("TestAuthorization", func(t *testing.T) {
		document := `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:us-east-1:123456789012:client/${iot:ClientId}"},
			{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:123456789012:topic/dt/*"},
			{"Effect":"Deny","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:123456789012:topic/dt/secret"}]}`
		ok2(api.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: aws.String("tested"), PolicyDocument: &document}))(t)
		create("added")
		cert := certificate()
		ok2(api.AttachPolicy(ctx, &iot.AttachPolicyInput{PolicyName: aws.String("tested"), Target: &cert}))(t)
		const resource = "arn:aws:iot:us-east-1:123456789012:"
		infos := []types.AuthInfo{
			{ActionType: types.ActionTypeConnect, Resources: []string{resource + "client/c1"}},
			{ActionType: types.ActionTypePublish, Resources: []string{resource + "topic/dt/a", resource + "topic/dt/b"}},
			{ActionType: types.ActionTypePublish, Resources: []string{resource + "topic/dt/a", resource + "topic/dt/secret"}},
			{ActionType: types.ActionTypeReceive, Resources: []string{resource + "topic/dt/a"}},
		}
		test := func(in *iot.TestAuthorizationInput) []types.AuthResult {
			in.AuthInfos = infos
			return ok2(api.TestAuthorization(ctx, in))(t).AuthResults
		}
		decisions := func(results []types.AuthResult) (list []types.AuthDecision) {
			for _, r := range results {
				list = append(list, r.AuthDecision)
			}
			return list
		}
		const allow, explicit, implicit = types.AuthDecisionAllowed, types.AuthDecisionExplicitDeny, types.AuthDecisionImplicitDeny
		results := test(&iot.TestAuthorizationInput{Principal: &cert, ClientId: aws.String("c1")})
		if got := decisions(results); !slices.Equal(got, []types.AuthDecision{allow, allow, explicit, implicit}) {
			t.Errorf("decisions %v", got)
		}
		if r := results[2]; len(r.Allowed.Policies) != 1 || len(r.Denied.ExplicitDeny.Policies) != 1 || len(r.Denied.ImplicitDeny.Policies) != 0 || len(r.AuthInfo.Resources) != 2 {
			t.Errorf("result of a deny: %+v", r)
		}
		if r := results[3]; r.Allowed == nil || r.Denied == nil || len(r.Denied.ImplicitDeny.Policies) != 1 || *r.Denied.ImplicitDeny.Policies[0].PolicyName != "tested" {
			t.Errorf("result of an implicit deny: %+v", r)
		}
		results = test(&iot.TestAuthorizationInput{Principal: &cert})
		if results[0].AuthDecision != implicit || !slices.Equal(results[0].MissingContextValues, []string{"iot:ClientId"}) {
			t.Errorf("without a client ID: %+v", results[0])
		}
		results = test(&iot.TestAuthorizationInput{Principal: &cert, ClientId: aws.String("c1"), PolicyNamesToSkip: []string{"tested"}, PolicyNamesToAdd: []string{"added"}})
		if got := decisions(results); !slices.Equal(got, []types.AuthDecision{allow, implicit, implicit, implicit}) {
			t.Errorf("with another policy: %v", got)
		}
		wantAWSError(t, fail(api.TestAuthorization(ctx, &iot.TestAuthorizationInput{AuthInfos: infos, Principal: aws.String(resource + "cert/" + nobody)})), "ResourceNotFoundException", 404, nobody)
		wantAWSError(t, fail(api.TestAuthorization(ctx, &iot.TestAuthorizationInput{Principal: &cert, AuthInfos: []types.AuthInfo{}})), "InvalidRequestException", 400, "'authInfos' failed to satisfy constraint: Member must have length greater than or equal to 1")
		wantAWSError(t, fail(api.TestAuthorization(ctx, &iot.TestAuthorizationInput{Principal: &cert, AuthInfos: []types.AuthInfo{{ActionType: types.ActionTypeConnect, Resources: []string{"client/c1"}}}})), "InvalidRequestException", 400, "client/c1")
	})
}
