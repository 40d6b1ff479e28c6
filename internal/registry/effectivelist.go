package registry

import (
	"context"
	"slices"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// PoliciesFor returns the policies that a principal and a thing have together,
// by name, each once. A certificate or identity has those attached to it, a
// thing group its own and those of the groups above it, a thing those of the
// groups that it is in, directly or not. Either may be empty. It refuses with
// ResourceNotFound. Whether a connection would belong to the thing does not
// count here: see [Registry.EffectivePolicies]. Source: policy sheet 15.
func (r *Registry) PoliciesFor(ctx context.Context, principal Target, thingName string) ([]EffectivePolicy, error) {
	var list []EffectivePolicy
	err := r.view(ctx, func(q *registrydb.Queries) error {
		targets, err := r.carriers(ctx, q, principal, thingName)
		if err != nil {
			return err
		}
		for _, target := range targets {
			of, err := r.policiesOf(ctx, q, target)
			if err != nil {
				return err
			}
			list = append(list, of...)
		}
		return nil
	})
	slices.SortStableFunc(list, func(a, b EffectivePolicy) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(list, func(a, b EffectivePolicy) bool { return a.Name == b.Name }), err
}

// carriers returns every target whose policies count for principal and thing.
func (r *Registry) carriers(ctx context.Context, q *registrydb.Queries, principal Target, thingName string) ([]Target, error) {
	var targets []Target
	if principal != (Target{}) {
		if err := r.checkTarget(ctx, q, principal); err != nil {
			return nil, err
		}
		targets = append(targets, principal)
	}
	var groups []string
	var err error
	if principal.Type == TargetThingGroup {
		if groups, err = q.ListAncestorThingGroups(ctx, principal.Name); err != nil {
			return nil, err
		}
	}
	if thingName != "" {
		if _, err := q.GetThing(ctx, thingName); store.IsNotFound(err) {
			return nil, Errorf(ResourceNotFound, "Thing %s does not exist", thingName).About(thingName, r.ARN("thing", thingName))
		} else if err != nil {
			return nil, err
		}
		above, err := q.ListGroupsAboveThing(ctx, thingName)
		if err != nil {
			return nil, err
		}
		groups = append(groups, above...)
	}
	for _, name := range groups {
		targets = append(targets, Target{TargetThingGroup, name})
	}
	return targets, nil
}
