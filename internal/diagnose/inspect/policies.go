package inspect

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/probe"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// Bounds of what is read for one device. AWS attaches at most 10 policies to a
// target, and a thing belongs to at most 10 groups.
const (
	maxPolicies = 50
	maxThings   = 25
	maxGroups   = 10
	together    = 6 // questions at once
)

// grants is what the account says about what a principal may do.
type grants struct {
	mu     sync.Mutex
	named  []policy.Named
	unseen []probe.Result // what could not be read: the rest may be less than all

	things   []types.PrincipalThingObject // the certificate is attached to them
	thing    *policy.Thing                // that the connection may belong to
	attached bool                         // some policy is attached to something of the principal
}

func (g *grants) hide(r probe.Result) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.ContainsFunc(g.unseen, func(o probe.Result) bool { return o.Evidence.Get("action") == r.Evidence.Get("action") }) {
		g.unseen = append(g.unseen, r)
	}
}

// grants reads policies, things and groups of the device's certificate.
func (l *look) grants(ctx context.Context) *grants {
	g := &grants{}
	var both errgroup.Group
	both.Go(func() error {
		l.attachedTo(ctx, g, l.report.PrincipalARN, policy.SourceCertificate)
		return nil
	})
	both.Go(func() error {
		l.things(ctx, g)
		return nil
	})
	_ = both.Wait() // what failed is in g
	slices.SortFunc(g.named, func(a, b policy.Named) int {
		if a.Source != b.Source && (a.Source == policy.SourceCertificate) != (b.Source == policy.SourceCertificate) {
			if a.Source == policy.SourceCertificate {
				return -1
			}
			return 1
		}
		return compare(a.Name, b.Name)
	})
	for _, n := range g.named {
		l.report.Policies = append(l.report.Policies, Policy{Name: n.Name, Version: n.Version, Source: n.Source, Document: l.documents.get(n.ARN)})
	}
	return g
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// attachedTo reads the policies that are attached to target.
func (l *look) attachedTo(ctx context.Context, g *grants, target, source string) {
	list, err := ask(ctx, l.iot.ListAttachedPolicies, &iot.ListAttachedPoliciesInput{Target: &target, Recursive: source != policy.SourceCertificate, PageSize: aws.Int32(maxPolicies)})
	if absent(err) {
		return
	} else if err != nil {
		g.hide(l.unseen("iot:ListAttachedPolicies", err))
		return
	}
	var all errgroup.Group
	all.SetLimit(together)
	for _, p := range list.Policies {
		all.Go(func() error {
			l.read(ctx, g, aws.ToString(p.PolicyName), source)
			return nil
		})
	}
	_ = all.Wait()
	if list.NextMarker != nil {
		g.hide(l.unseen("iot:ListAttachedPolicies", errMore))
	}
}

// read reads the default version of a policy.
func (l *look) read(ctx context.Context, g *grants, name, source string) {
	out, err := ask(ctx, l.iot.GetPolicy, &iot.GetPolicyInput{PolicyName: &name})
	if err != nil {
		g.hide(l.unseen("iot:GetPolicy", err))
		return
	}
	text := aws.ToString(out.PolicyDocument)
	doc, err := policy.Parse([]byte(text))
	g.mu.Lock()
	defer g.mu.Unlock()
	g.attached = true
	if err != nil { // AWS took what we can't read: we know less, not more
		g.unseen = append(g.unseen, result(check.AccountNotAnswered, probe.Unknown, attempt.F("action", "iot:GetPolicy"), attempt.F("error", "policy "+name+": "+err.Error())))
		return
	}
	l.documents.put(aws.ToString(out.PolicyArn), json.RawMessage(text))
	g.named = append(g.named, policy.Named{Name: name, Version: aws.ToString(out.DefaultVersionId), ARN: aws.ToString(out.PolicyArn), Source: source, Doc: doc})
}

// things reads the things of the certificate and, for the one that the
// connection belongs to, its facts and the policies of its groups.
func (l *look) things(ctx context.Context, g *grants) {
	list, err := ask(ctx, l.iot.ListPrincipalThingsV2, &iot.ListPrincipalThingsV2Input{Principal: &l.report.PrincipalARN, MaxResults: aws.Int32(maxThings)})
	if err != nil && !absent(err) {
		g.hide(l.unseen("iot:ListPrincipalThingsV2", err))
		return
	} else if err == nil {
		g.things = list.PrincipalThingObjects
	}
	thing := policy.Thing{Name: l.device.ClientID}
	for _, t := range g.things {
		exclusive := t.ThingPrincipalType == types.ThingPrincipalTypeExclusiveThing
		if exclusive || aws.ToString(t.ThingName) == l.device.ClientID {
			thing = policy.Thing{Name: aws.ToString(t.ThingName), Attached: true, Exclusive: exclusive}
		}
		if exclusive {
			break
		}
	}
	if thing.Name == "" {
		return
	}
	about, err := ask(ctx, l.iot.DescribeThing, &iot.DescribeThingInput{ThingName: &thing.Name})
	if absent(err) || code(err) == "InvalidRequestException" { // a client ID may have characters that no thing name has
		return
	} else if err != nil {
		g.hide(l.unseen("iot:DescribeThing", err))
	} else {
		thing.Type, thing.Attributes = aws.ToString(about.ThingTypeName), about.Attributes
	}
	g.thing = &thing
	if thing.Attached {
		l.groups(ctx, g, thing.Name)
	}
}

// groups reads the policies of the groups of a thing, and of their parents.
func (l *look) groups(ctx context.Context, g *grants, thing string) {
	list, err := ask(ctx, l.iot.ListThingGroupsForThing, &iot.ListThingGroupsForThingInput{ThingName: &thing, MaxResults: aws.Int32(maxGroups)})
	if absent(err) {
		return
	} else if err != nil {
		g.hide(l.unseen("iot:ListThingGroupsForThing", err))
		return
	}
	var all errgroup.Group
	all.SetLimit(together)
	for _, group := range list.ThingGroups {
		all.Go(func() error {
			l.attachedTo(ctx, g, aws.ToString(group.GroupArn), policy.SourceGroup+aws.ToString(group.GroupName))
			return nil
		})
	}
	_ = all.Wait()
}
