package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/probe"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// errMore says that there is more than one page of what fits on one at AWS.
var errMore = errors.New("there is more than one page")

// A request is something that the device does and that a policy has to allow.
type request struct {
	action policy.Action
	name   string
	test   types.ActionType
	passed *check.Check // recorded when it is allowed
}

// requests are what the device asks for.
func (d *Device) requests() []request {
	var list []request
	if d.ClientID != "" {
		list = append(list, request{policy.Connect, d.ClientID, types.ActionTypeConnect, check.AuthzConnect})
	}
	if d.Subscribe != "" {
		list = append(list, request{policy.Subscribe, d.Subscribe, types.ActionTypeSubscribe, check.AuthzSubscribe})
	}
	if d.Publish != "" {
		list = append(list, request{policy.Publish, d.Publish, types.ActionTypePublish, check.AuthzPublish})
		if d.Subscribe != "" { // it waits for its own message
			list = append(list, request{policy.Receive, d.Publish, types.ActionTypeReceive, check.AuthzReceive})
		}
	}
	return list
}

// authorization decides what the device asks for by the policies of its
// certificate, and asks TestAuthorization the same.
func (l *look) authorization(ctx context.Context) []probe.Result {
	asked := l.device.requests()
	if len(asked) == 0 || l.report.PrincipalARN == "" {
		return nil
	}
	second := make(chan opinion, 1)
	go func() { second <- l.secondOpinion(ctx, asked) }()
	g := l.grants(ctx)
	other := <-second
	results := slices.Clone(g.unseen)
	if other.unseen != nil {
		results = append(results, *other.unseen)
	}
	set := policy.Compile(g.named...)
	facts := l.facts(g)
	bound := set.Bind(facts)
	for n, r := range asked {
		d := bound.Explain(r.action, r.name)
		if d.Code == policy.CodeNoneAttached && g.attached {
			d.Code = "" // they are there, but could not be read
		}
		answer, answered := other.of(n)
		results = append(results, l.judge(ctx, judged{request: r, decision: &d, grants: g, set: set, facts: facts, answer: answer, answered: answered})...)
	}
	return results
}

// facts are what policies may ask about the device's connection.
func (l *look) facts(g *grants) *policy.Context {
	c := &policy.Context{
		Partition: l.report.Partition, Region: l.region, Account: l.report.Account, Protocol: policy.MQTT,
		ClientID: l.device.ClientID, Thing: g.thing, DomainName: l.device.serverName(),
		ConnectAttributes: []string{}, SecureTransport: aws.Bool(true), Now: time.Now,
	}
	if c.Account == "" {
		if parts := strings.SplitN(l.report.PrincipalARN, ":", 6); len(parts) == 6 {
			c.Account = parts[4]
		}
	}
	if l.device.Certificate != nil {
		c.Certificate = policy.CertificateFacts(l.device.Certificate)
	}
	return c
}

// judged is one request with what both sides say of it.
type judged struct {
	request
	decision *policy.Decision
	grants   *grants
	set      *policy.Set
	facts    *policy.Context
	answer   types.AuthDecision
	answered bool
}

// judge turns a decision into results. A denial counts only if everything that
// could allow it was seen, or if TestAuthorization denies too.
func (l *look) judge(ctx context.Context, j judged) []probe.Result {
	d := j.decision
	evidence := append(attempt.OfDecision(j.action, j.name, d), attempt.F("policies", policyNames(j.set)), attempt.F("client_id", l.device.ClientID))
	var results []probe.Result
	allowedThere := j.answer == types.AuthDecisionAllowed
	switch {
	case d.Effect == policy.Allow:
		r := result(j.passed, probe.Pass, evidence...)
		r.Note = fmt.Sprintf("%s on %s is allowed", j.action, j.name)
		results = append(results, r)
	case d.Effect == policy.ImplicitDeny && (len(j.grants.unseen) > 0 || dependsOnUnknown(d)) && (!j.answered || allowedThere):
		r := result(j.passed, probe.Unknown, evidence...)
		r.Note = fmt.Sprintf("%s on %s: nothing seen allows it, but not all was seen", j.action, j.name)
		if dependsOnUnknown(d) {
			r.Note = fmt.Sprintf("%s on %s depends on %s, which is not known from here", j.action, j.name, strings.Join(d.Missing, ", "))
		}
		return append(results, r)
	default:
		results = append(results, l.denied(ctx, j, evidence)...)
	}
	if j.answered && allowedThere != (d.Effect == policy.Allow) {
		results = append(results, result(check.AccountDecisionDiffers, probe.Warn, attempt.F("action", string(j.action)), attempt.F("resource", d.Resource),
			attempt.F("offered", effect(d.Effect)), attempt.F("required", string(j.answer))))
	} else if j.answered {
		r := result(check.AccountDecisionDiffers, probe.Pass, attempt.F("action", string(j.action)), attempt.F("resource", d.Resource))
		r.Note = fmt.Sprintf("TestAuthorization agrees on %s", j.action)
		results = append(results, r)
	}
	return results
}

// denied names the check of a denial and, where it is known, what explains it.
func (l *look) denied(ctx context.Context, j judged, evidence []attempt.Field) []probe.Result {
	d := j.decision
	c, ok := check.Lookup(d.Code)
	if !ok {
		c = j.passed
	}
	if d.Code == policy.CodeVarUndefined {
		for _, t := range j.grants.things {
			if name := aws.ToString(t.ThingName); name != l.device.ClientID {
				evidence = append(evidence, attempt.F("attached_thing", name))
				break
			}
		}
	}
	results := []probe.Result{result(c, probe.Fail, evidence...)}
	near := ""
	if len(d.Near) > 0 {
		near = d.Near[0].Code
	}
	if name, version := l.otherVersion(ctx, j); version != "" {
		near = check.PolicyNotDefaultVersion.Code
		evidence = slices.DeleteFunc(slices.Clone(evidence), func(f attempt.Field) bool { return f.Key == "policy" || f.Key == "version" })
		evidence = append(evidence, attempt.F("policy", name), attempt.F("version", version))
	}
	if n, ok := check.Lookup(near); ok && slices.Contains(c.HiddenBy, n) {
		results = append(results, result(n, probe.Fail, evidence...))
	}
	return results
}

// otherVersion looks for a version of a policy that would allow it, had it been
// made the default one. Source: policy sheet 16, NOT_DEFAULT_VERSION.
func (l *look) otherVersion(ctx context.Context, j judged) (name, version string) {
	if j.decision.Effect == policy.ExplicitDeny {
		return "", ""
	}
	docs := j.set.Policies()
	for i := range docs {
		list, err := ask(ctx, l.iot.ListPolicyVersions, &iot.ListPolicyVersionsInput{PolicyName: &docs[i].Name})
		if err != nil {
			return "", "" // it would only have said more
		}
		for _, v := range list.PolicyVersions {
			if v.IsDefaultVersion {
				continue
			}
			out, err := ask(ctx, l.iot.GetPolicyVersion, &iot.GetPolicyVersionInput{PolicyName: &docs[i].Name, PolicyVersionId: v.VersionId})
			if err != nil {
				return "", ""
			}
			doc, err := policy.Parse([]byte(aws.ToString(out.PolicyDocument)))
			if err != nil {
				continue
			}
			with := slices.Clone(docs)
			with[i].Doc = doc
			if policy.Compile(with...).Bind(j.facts).Decide(j.action, j.name) == policy.Allow {
				return docs[i].Name, aws.ToString(v.VersionId)
			}
		}
	}
	return "", ""
}

// dependsOnUnknown says whether a denial hangs on a fact that only the gateway knows.
func dependsOnUnknown(d *policy.Decision) bool {
	if len(d.Near) == 0 || d.Near[0].Code != policy.CodeConditionAbsent {
		return false
	}
	return slices.ContainsFunc(d.Missing, func(key string) bool {
		return strings.HasPrefix(strings.ToLower(key), "aws:") || strings.EqualFold(key, "iot:LastWillTopic")
	})
}

func effect(e policy.Effect) string {
	switch e {
	case policy.Allow:
		return string(types.AuthDecisionAllowed)
	case policy.ExplicitDeny:
		return string(types.AuthDecisionExplicitDeny)
	default:
		return string(types.AuthDecisionImplicitDeny)
	}
}

func policyNames(set *policy.Set) string {
	var names []string
	for _, n := range set.Policies() {
		name := n.Name
		if n.Version != "" {
			name += " (version " + n.Version + ")"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// An opinion is what TestAuthorization answers.
type opinion struct {
	results []types.AuthResult
	unseen  *probe.Result
}

func (o *opinion) of(n int) (types.AuthDecision, bool) {
	if n >= len(o.results) {
		return "", false
	}
	return o.results[n].AuthDecision, true
}

// secondOpinion asks TestAuthorization.
func (l *look) secondOpinion(ctx context.Context, asked []request) opinion {
	in := &iot.TestAuthorizationInput{Principal: &l.report.PrincipalARN}
	if l.device.ClientID != "" {
		in.ClientId = &l.device.ClientID
	}
	parts := strings.SplitN(l.report.PrincipalARN, ":", 6)
	kinds := map[types.ActionType]string{types.ActionTypeConnect: "client/", types.ActionTypeSubscribe: "topicfilter/", types.ActionTypePublish: "topic/", types.ActionTypeReceive: "topic/"}
	for _, r := range asked {
		in.AuthInfos = append(in.AuthInfos, types.AuthInfo{ActionType: r.test, Resources: []string{strings.Join(parts[:5], ":") + ":" + kinds[r.test] + r.name}})
	}
	out, err := ask(ctx, l.iot.TestAuthorization, in)
	if err != nil {
		r := l.unseen("iot:TestAuthorization", err)
		return opinion{unseen: &r}
	}
	return opinion{results: out.AuthResults}
}
