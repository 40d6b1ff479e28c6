package inspect

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/probe"
	"github.com/gatehouse-iot/gatehouse/internal/function"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// authorizer climbs the ladder of a custom authorizer: is it there, is it
// active, does its function exist, may it be invoked, what does it answer.
// Source: custom-auth sheet 1, 18.
func (l *look) authorizer(ctx context.Context) []probe.Result {
	d := &l.device
	if d.Authorizer == "" && !d.Custom {
		return nil
	}
	about, found := l.chosen(ctx)
	if about == nil {
		return found
	}
	name, arn := aws.ToString(about.AuthorizerName), aws.ToString(about.AuthorizerArn)
	functionName, qualifier := splitFunction(aws.ToString(about.AuthorizerFunctionArn))
	a := authorizer{about, []attempt.Field{
		attempt.F("authorizer", name), attempt.F("authorizer_arn", arn), attempt.F("function", functionName), attempt.F("function_arn", aws.ToString(about.AuthorizerFunctionArn)), attempt.F("qualifier", qualifier),
	}, functionName, qualifier}
	if about.Status == types.AuthorizerStatusActive {
		found = append(found, a.result(check.AuthorizerActive, probe.Pass))
	} else {
		found = append(found, a.result(check.AuthorizerInactive, probe.Fail, attempt.F("status", string(about.Status))))
	}
	found = append(found, l.credentials(a)...)
	steps := []func(context.Context, authorizer) []probe.Result{l.function, l.invocations, l.tested}
	results := make([][]probe.Result, len(steps))
	var g errgroup.Group
	for n, step := range steps {
		g.Go(func() error { results[n] = step(ctx, a); return nil })
	}
	_ = g.Wait() // the steps report instead of failing
	for _, r := range results {
		found = append(found, r...)
	}
	return found
}

// authorizer is the one that decides, and the evidence that is common to its checks.
type authorizer struct {
	*types.AuthorizerDescription
	evidence            []attempt.Field
	function, qualifier string
}

func (a *authorizer) result(c *check.Check, outcome probe.Outcome, more ...attempt.Field) probe.Result {
	return result(c, outcome, append(append([]attempt.Field(nil), a.evidence...), more...)...)
}

// chosen describes the authorizer that the device names, or the default one.
// Nil comes with the results that say why there is none.
func (l *look) chosen(ctx context.Context) (*types.AuthorizerDescription, []probe.Result) {
	d := &l.device
	if d.Authorizer == "" {
		out, err := ask(ctx, l.iot.DescribeDefaultAuthorizer, &iot.DescribeDefaultAuthorizerInput{})
		switch {
		case absent(err):
			return nil, []probe.Result{result(check.AuthorizerNotSelected, probe.Fail, attempt.F("reason", "the account has no default authorizer"), attempt.F("sent", d.sent()))}
		case err != nil:
			return nil, []probe.Result{l.unseen("iot:DescribeDefaultAuthorizer", err)}
		}
		return out.AuthorizerDescription, nil
	}
	out, err := ask(ctx, l.iot.DescribeAuthorizer, &iot.DescribeAuthorizerInput{AuthorizerName: &d.Authorizer})
	switch {
	case absent(err):
		return nil, []probe.Result{result(check.AuthorizerUnknown, probe.Fail, attempt.F("offered", d.Authorizer), attempt.F("source", "as the device names it"))}
	case err != nil:
		return nil, []probe.Result{l.unseen("iot:DescribeAuthorizer", err)}
	}
	return out.AuthorizerDescription, nil
}

// sent names what the device sends, without values.
func (d *Device) sent() string {
	var names []string
	for _, p := range []struct{ name, value string }{
		{"user name", d.Username}, {"password", d.Password}, {cmp.Or(d.TokenKey, "token"), d.Token}, {"x-amz-customauthorizer-signature", d.Signature}, {"x-amz-customauthorizer-name", d.Authorizer},
	} {
		if p.value != "" {
			names = append(names, p.name)
		}
	}
	return cmp.Or(strings.Join(names, ", "), "nothing")
}

// credentials compares what the device sends with what the authorizer wants.
// Source: custom-auth sheet 5.
func (l *look) credentials(a authorizer) []probe.Result {
	if aws.ToBool(a.SigningDisabled) {
		return nil
	}
	d := &l.device
	key := attempt.F("token_key", aws.ToString(a.TokenKeyName))
	sent := attempt.F("sent", d.sent())
	switch {
	case d.Token == "":
		return []probe.Result{a.result(check.AuthorizerTokenMissing, probe.Fail, key, sent)}
	case d.TokenKey != "" && d.TokenKey != aws.ToString(a.TokenKeyName):
		return []probe.Result{a.result(check.AuthorizerTokenKeyName, probe.Fail, key, sent, attempt.F("offered", d.TokenKey))}
	case d.Signature == "":
		return []probe.Result{a.result(check.AuthorizerSignatureMissing, probe.Fail, key, sent)}
	}
	if c, evidence := identity.JudgeSignature(a.TokenSigningPublicKeys, d.Token, d.Signature); c != nil {
		return []probe.Result{a.result(c, probe.Fail, evidence...)}
	}
	return []probe.Result{a.result(check.AuthorizerSignature, probe.Pass)}
}

// function looks whether the function is there and lets AWS IoT invoke it.
func (l *look) function(ctx context.Context, a authorizer) []probe.Result {
	config := &lambda.GetFunctionConfigurationInput{FunctionName: &a.function}
	in := &lambda.GetPolicyInput{FunctionName: &a.function}
	if a.qualifier != "" {
		config.Qualifier, in.Qualifier = &a.qualifier, &a.qualifier
	}
	if _, err := ask(ctx, l.lambda.GetFunctionConfiguration, config); absent(err) {
		return []probe.Result{a.result(check.AuthorizerFunctionMissing, probe.Fail)}
	} else if err != nil {
		return []probe.Result{l.unseen("lambda:GetFunctionConfiguration", err)}
	}
	out, err := ask(ctx, l.lambda.GetPolicy, in)
	if absent(err) {
		return []probe.Result{a.result(check.AuthorizerInvokeDenied, probe.Fail, attempt.F("reason", "there is no resource policy"))}
	} else if err != nil {
		return []probe.Result{l.unseen("lambda:GetPolicy", err)}
	}
	p, err := function.JudgePolicy(aws.ToString(out.Policy), function.Caller{Service: "iot.amazonaws.com", SourceARN: aws.ToString(a.AuthorizerArn), SourceAccount: l.report.Account})
	switch {
	case err != nil:
		r := a.result(check.AuthorizerPermitted, probe.Unknown)
		r.Note = "the function's resource policy can't be judged: " + err.Error()
		return []probe.Result{r}
	case p.Allowed:
		return []probe.Result{a.result(check.AuthorizerPermitted, probe.Pass)}
	}
	reason := "the policy has no statement"
	if len(p.Near) > 0 {
		near := p.Near[0]
		reason = fmt.Sprintf("statement %s has the %s %s, and this call has %s", near.Sid, near.Element, near.Want, cmp.Or(near.Have, "none"))
	}
	return []probe.Result{a.result(check.AuthorizerInvokeDenied, probe.Fail, attempt.F("reason", reason))}
}

// lately is how far back metrics are read.
const lately = 3 * time.Hour

// invocations reads how often the function was invoked and failed.
func (l *look) invocations(ctx context.Context, a authorizer) []probe.Result {
	now := l.device.Since.Truncate(time.Minute) // what the probe itself ran into is known
	if l.device.Since.IsZero() {
		now = time.Now()
	}
	query := func(id, metric string) cwtypes.MetricDataQuery {
		return cwtypes.MetricDataQuery{Id: &id, MetricStat: &cwtypes.MetricStat{
			Metric: &cwtypes.Metric{Namespace: aws.String("AWS/Lambda"), MetricName: &metric, Dimensions: []cwtypes.Dimension{{Name: aws.String("FunctionName"), Value: &a.function}}},
			Period: aws.Int32(int32(lately.Seconds())), Stat: aws.String("Sum"),
		}}
	}
	out, err := ask(ctx, l.metrics.GetMetricData, &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(now.Add(-lately)), EndTime: &now, MetricDataQueries: []cwtypes.MetricDataQuery{query("invocations", "Invocations"), query("errors", "Errors")},
	})
	if err != nil {
		return []probe.Result{l.unseen("cloudwatch:GetMetricData", err)}
	}
	sums := map[string]int{}
	for _, r := range out.MetricDataResults {
		for _, v := range r.Values {
			sums[aws.ToString(r.Id)] += int(v)
		}
	}
	evidence := []attempt.Field{attempt.F("count", strconv.Itoa(sums["errors"])), attempt.F("offered", strconv.Itoa(sums["invocations"])), attempt.F("period", hours(lately))}
	if sums["errors"] > 0 {
		return []probe.Result{a.result(check.AccountFunctionFailing, probe.Warn, evidence...)}
	}
	r := a.result(check.AccountFunctionFailing, probe.Pass, evidence...)
	r.Note = fmt.Sprintf("Invocations of the function within %s: %d, none failed", hours(lately), sums["invocations"])
	return []probe.Result{r}
}

// tested lets the account invoke the authorizer with what the device sends.
// Without that, the answer would say nothing about the device.
func (l *look) tested(ctx context.Context, a authorizer) []probe.Result {
	d := &l.device
	signed := d.Token != "" && d.Signature != ""
	if !signed && !aws.ToBool(a.SigningDisabled) || d.Token == "" && d.Username == "" && d.Password == "" {
		return nil
	}
	in := &iot.TestInvokeAuthorizerInput{AuthorizerName: a.AuthorizerName, MqttContext: &types.MqttContext{Password: []byte(d.Password)}}
	if d.Username != "" {
		in.MqttContext.Username = &d.Username
	}
	if d.ClientID != "" {
		in.MqttContext.ClientId = &d.ClientID
	}
	if signed {
		in.Token, in.TokenSignature = &d.Token, &d.Signature
	}
	if name := d.serverName(); name != "" {
		in.TlsContext = &types.TlsContext{ServerName: &name}
	}
	out, err := ask(ctx, l.iot.TestInvokeAuthorizer, in)
	if err != nil {
		return []probe.Result{l.testRefused(a, err)}
	}
	if !aws.ToBool(out.IsAuthenticated) {
		return []probe.Result{a.result(check.AuthorizerRejected, probe.Fail)}
	}
	principal := attempt.F("principal", aws.ToString(out.PrincipalId))
	results := []probe.Result{a.result(check.AuthorizerAuthenticated, probe.Pass, principal)}
	return append(results, l.returned(a, out.PolicyDocuments, principal)...)
}

// testRefused names what TestInvokeAuthorizer answered. A Gatehouse says which
// check it was; AWS has one exception for several.
func (l *look) testRefused(a authorizer, err error) probe.Result {
	text := brief(err)
	if open := strings.LastIndex(text, "(authorizer."); open >= 0 {
		named, _, _ := strings.Cut(text[open+1:], ")")
		if c, ok := check.Lookup(named); ok {
			r := a.result(c, probe.Fail)
			r.Note = "TestInvokeAuthorizer: " + text
			return r
		}
	}
	if code(err) == "InvalidResponseException" {
		return a.result(check.AuthorizerResponseInvalid, probe.Fail, attempt.F("json_path", "its answer"), attempt.F("reason", "is refused: "+text))
	}
	return l.unseen("iot:TestInvokeAuthorizer", err)
}

// returned decides by the documents that the function returned.
func (l *look) returned(a authorizer, documents []string, principal attempt.Field) []probe.Result {
	var named []policy.Named
	for n, text := range documents {
		doc, err := policy.Parse([]byte(text))
		if err != nil {
			return []probe.Result{a.result(check.AuthorizerDocuments, probe.Fail, attempt.F("json_path", fmt.Sprintf("$.policyDocuments[%d]", n)), attempt.F("reason", err.Error()))}
		}
		named = append(named, policy.Named{Name: fmt.Sprintf("returned by %s (policyDocuments[%d])", aws.ToString(a.AuthorizerName), n), Source: policy.SourceAuthorizer, Doc: doc})
	}
	set := policy.Compile(named...)
	bound := set.Bind(&policy.Context{
		Partition: l.report.Partition, Region: l.region, Account: l.report.Account, Protocol: policy.MQTT, ClientID: l.device.ClientID,
		DomainName: l.device.serverName(), ConnectAttributes: []string{}, SecureTransport: aws.Bool(true), Now: time.Now,
	})
	var results []probe.Result
	for _, r := range l.device.requests() {
		d := bound.Explain(r.action, r.name)
		evidence := append(attempt.OfDecision(r.action, r.name, &d), attempt.F("client_id", l.device.ClientID), principal)
		switch {
		case d.Effect == policy.Allow:
			results = append(results, a.result(r.passed, probe.Pass, evidence...))
		case dependsOnUnknown(&d):
			results = append(results, a.result(r.passed, probe.Unknown, evidence...))
		default:
			c, ok := check.Lookup(d.Code)
			switch {
			case !ok:
				c = r.passed
			case c == check.PolicyNoneAttached: // nothing is attached to such a principal
				c = check.AuthorizerPolicy
			}
			evidence = append(evidence, attempt.F("policies", policyNames(set)), attempt.F("source", policy.SourceAuthorizer))
			results = append(results, a.result(c, probe.Fail, evidence...))
		}
	}
	return results
}

// splitFunction takes name and qualifier out of the ARN of a function.
func splitFunction(arn string) (name, qualifier string) {
	_, rest, _ := strings.Cut(arn, ":function:")
	name, qualifier, _ = strings.Cut(rest, ":")
	return name, qualifier
}
