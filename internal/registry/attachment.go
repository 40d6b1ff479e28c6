package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// How many policies a target may have. Source: policy sheet 3.
const (
	MaxPoliciesOfPrincipal = 10
	maxPoliciesOfGroup     = 2
)

// AttachPolicy attaches a policy to a certificate, a thing group or an Amazon
// Cognito identity; twice is once. It refuses with ResourceNotFound for a policy,
// certificate or group that does not exist, and LimitExceeded for an 11th
// policy, for a group a third. Source: policy sheet 13.
func (r *Registry) AttachPolicy(ctx context.Context, policyName string, target Target) error {
	return r.write(ctx, func(t *tx) error {
		if _, err := t.GetPolicy(ctx, policyName); err != nil {
			return r.policyError(err, policyName)
		}
		if err := r.checkTarget(ctx, t.Queries, target); err != nil {
			return err
		}
		_, err := t.GetPolicyAttachment(ctx, registrydb.GetPolicyAttachmentParams{
			TargetType: string(target.Type), TargetName: target.Name, PolicyName: policyName,
		})
		if !store.IsNotFound(err) {
			return err // attached already
		}
		if err := r.checkPolicyLimit(ctx, t, target); err != nil {
			return err
		}
		err = t.InsertPolicyAttachment(ctx, registrydb.InsertPolicyAttachmentParams{
			TargetType: string(target.Type), TargetName: target.Name, PolicyName: policyName, AttachedAt: t.now,
		})
		t.changed(r.attachmentChange(policyName, target))
		return err
	})
}

// checkPolicyLimit refuses when target has as many policies as it may have.
func (r *Registry) checkPolicyLimit(ctx context.Context, t *tx, target Target) error {
	limit := int64(MaxPoliciesOfPrincipal)
	if target.Type == TargetThingGroup {
		limit = maxPoliciesOfGroup
	}
	n, err := t.CountPoliciesOfTarget(ctx, registrydb.CountPoliciesOfTargetParams{TargetType: string(target.Type), TargetName: target.Name})
	if err == nil && n >= limit {
		return Errorf(LimitExceeded, "%s has %d policies attached; that is the limit.", r.TargetARN(target), n)
	}
	return err
}

// DetachPolicy detaches a policy. It reports whether it was attached: that it
// was not, or that there is no such policy, is no refusal. It refuses with
// InvalidRequest a certificate or a group that does not exist: the API's model
// has no ResourceNotFound here, and Terraform looks for the text "Invalid Target".
// Source: policy sheet 13.
func (r *Registry) DetachPolicy(ctx context.Context, policyName string, target Target) (detached bool, err error) {
	err = r.write(ctx, func(t *tx) error {
		if err := r.checkTarget(ctx, t.Queries, target); IsKind(err, ResourceNotFound) {
			return Errorf(InvalidRequest, "Invalid Target: %s does not exist", r.TargetARN(target))
		} else if err != nil {
			return err
		}
		n, err := t.DeletePolicyAttachment(ctx, registrydb.DeletePolicyAttachmentParams{
			TargetType: string(target.Type), TargetName: target.Name, PolicyName: policyName,
		})
		if n > 0 {
			detached = true
			t.changed(r.attachmentChange(policyName, target))
		}
		return err
	})
	return detached && err == nil, err
}

// DetachPrincipalPolicy is the older form of [Registry.DetachPolicy]: it refuses
// with ResourceNotFound a principal or a policy that does not exist, and a
// policy that was not attached.
func (r *Registry) DetachPrincipalPolicy(ctx context.Context, policyName string, principal Target) error {
	if err := r.checkTarget(ctx, r.read(), principal); err != nil {
		return err
	}
	detached, err := r.DetachPolicy(ctx, policyName, principal)
	if err != nil || detached {
		return err
	}
	if _, err := r.read().GetPolicy(ctx, policyName); err != nil {
		return r.policyError(err, policyName)
	}
	return Errorf(ResourceNotFound, "The policy %s is not attached to %s", policyName, r.TargetARN(principal)).About(policyName, r.ARN("policy", policyName))
}

// dropAttachments detaches the named policies of a target that is being deleted.
// Who deletes a thing group calls it with what ListPoliciesOfTarget lists.
func (r *Registry) dropAttachments(ctx context.Context, t *tx, target Target, policyNames []string) error {
	for _, name := range policyNames {
		t.changed(r.attachmentChange(name, target))
	}
	return t.DeletePolicyAttachmentsOfTarget(ctx, registrydb.DeletePolicyAttachmentsOfTargetParams{
		TargetType: string(target.Type), TargetName: target.Name,
	})
}

func (r *Registry) attachmentChange(policyName string, target Target) Change {
	c := Change{Kind: AttachmentChanged, PolicyName: policyName, Target: r.TargetARN(target)}
	switch target.Type {
	case TargetCertificate:
		c.CertificateID = target.Name
	case TargetThingGroup:
		c.GroupName = target.Name
	case TargetIdentity: // has no field of its own
	}
	return c
}

// checkTarget refuses a certificate or a group that does not exist. Identities
// live in Amazon Cognito: nothing is known of them here.
func (r *Registry) checkTarget(ctx context.Context, q *registrydb.Queries, target Target) error {
	switch target.Type {
	case TargetCertificate:
		_, err := q.GetCertificate(ctx, target.Name)
		return r.certificateError(err, target.Name)
	case TargetThingGroup:
		_, err := q.GetThingGroup(ctx, target.Name)
		if store.IsNotFound(err) {
			return Errorf(ResourceNotFound, "The thing group given in the request does not exist (arn: %s)", r.TargetARN(target)).About(target.Name, r.TargetARN(target))
		}
		return err
	case TargetIdentity:
		return nil
	}
	return fmt.Errorf("registry: %q is no type of target", target.Type)
}

// ListAttachedPolicies lists the names of the policies of a target, sorted, 25 a
// page unless the page says otherwise; with recursive, a group's include those
// of the groups above it. It refuses with ResourceNotFound.
func (r *Registry) ListAttachedPolicies(ctx context.Context, target Target, recursive bool, page Page) (Listing[string], error) {
	names, err := r.attachedPolicies(ctx, target, recursive)
	if err != nil {
		return Listing[string]{}, err
	}
	if page.Descending {
		slices.Reverse(names)
	}
	from := 0
	if page.After != "" {
		from = len(names)
		for i, name := range names {
			if c := strings.Compare(name, page.After); c > 0 && !page.Descending || c < 0 && page.Descending {
				from = i
				break
			}
		}
	}
	return cut(names[from:], page.limit(defaultPageSize), itself, itself), nil
}

// attachedPolicies returns all names of the policies of a target, sorted.
func (r *Registry) attachedPolicies(ctx context.Context, target Target, recursive bool) ([]string, error) {
	var names []string
	err := r.view(ctx, func(q *registrydb.Queries) error {
		if err := r.checkTarget(ctx, q, target); err != nil {
			return err
		}
		targets := []string{target.Name}
		if recursive && target.Type == TargetThingGroup {
			above, err := q.ListAncestorThingGroups(ctx, target.Name)
			if err != nil {
				return err
			}
			targets = append(targets, above...)
		}
		for _, name := range targets {
			of, err := q.ListPoliciesOfTarget(ctx, registrydb.ListPoliciesOfTargetParams{TargetType: string(target.Type), TargetName: name})
			if err != nil {
				return err
			}
			names = append(names, of...)
		}
		return nil
	})
	slices.Sort(names)
	return slices.Compact(names), err
}

// ListTargetsOfPolicy lists who has a policy: certificates, then identities,
// then thing groups, 25 a page unless the page says otherwise. It refuses with
// ResourceNotFound.
func (r *Registry) ListTargetsOfPolicy(ctx context.Context, policyName string, page Page) (Listing[Target], error) {
	return r.listTargets(ctx, policyName, page, func(q *registrydb.Queries, after Target, size int32) ([]Target, error) {
		rows, err := q.ListTargetsOfPolicy(ctx, registrydb.ListTargetsOfPolicyParams{
			PolicyName: policyName, AfterType: string(after.Type), AfterName: after.Name, Size: size,
		})
		return targets(rows), err
	})
}

// ListPrincipalsOfPolicy lists the certificates and identities that have a
// policy. It refuses with ResourceNotFound.
func (r *Registry) ListPrincipalsOfPolicy(ctx context.Context, policyName string, page Page) (Listing[Target], error) {
	return r.listTargets(ctx, policyName, page, func(q *registrydb.Queries, after Target, size int32) ([]Target, error) {
		if page.Descending {
			rows, err := q.ListPrincipalsOfPolicyDescending(ctx, registrydb.ListPrincipalsOfPolicyDescendingParams{
				PolicyName: policyName, AfterType: string(after.Type), AfterName: after.Name, Size: size,
			})
			return targets(rows), err
		}
		rows, err := q.ListPrincipalsOfPolicy(ctx, registrydb.ListPrincipalsOfPolicyParams{
			PolicyName: policyName, AfterType: string(after.Type), AfterName: after.Name, Size: size,
		})
		return targets(rows), err
	})
}

// listTargets fetches a page and one row more.
func (r *Registry) listTargets(ctx context.Context, policyName string, page Page, fetch func(q *registrydb.Queries, after Target, size int32) ([]Target, error)) (Listing[Target], error) {
	var after Target
	if page.After != "" {
		targetType, name, ok := strings.Cut(page.After, "/")
		if !ok {
			return Listing[Target]{}, errBadMarker()
		}
		after = Target{TargetType(targetType), name}
	}
	limit := page.limit(defaultPageSize)
	var found []Target
	err := r.view(ctx, func(q *registrydb.Queries) error {
		if _, err := q.GetPolicy(ctx, policyName); err != nil {
			return r.policyError(err, policyName)
		}
		var err error
		found, err = fetch(q, after, int32(limit+1))
		return err
	})
	if err != nil {
		return Listing[Target]{}, err
	}
	return cut(found, limit, func(t Target) string { return string(t.Type) + "/" + t.Name }, func(t Target) Target { return t }), nil
}

// targetRow is a row of each of the queries that list targets.
type targetRow interface {
	registrydb.ListTargetsOfPolicyRow | registrydb.ListPrincipalsOfPolicyRow | registrydb.ListPrincipalsOfPolicyDescendingRow
}

func targets[R targetRow](rows []R) []Target {
	list := make([]Target, len(rows))
	for i, row := range rows {
		r := registrydb.ListTargetsOfPolicyRow(row)
		list[i] = Target{TargetType(r.TargetType), r.TargetName}
	}
	return list
}
