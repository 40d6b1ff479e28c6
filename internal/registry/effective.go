package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// An EffectivePolicy is a policy that counts for a connection, and why.
type EffectivePolicy struct {
	Name       string
	ARN        string
	Version    string    // the default version, "1", "2", ...
	Document   string    // of that version
	AttachedTo Target    // the principal, or the group that has it
	AttachedAt time.Time // when the policy was attached to it
	VersionAt  time.Time // since when Version is the default version
}

// A ConnectionThing is the thing that a connection acts as. Source: policy sheet 8.2.
type ConnectionThing struct {
	Name       string
	TypeName   string // empty when it has none
	Attributes map[string]string
	Exclusive  bool     // attached as EXCLUSIVE_THING: the client ID did not matter
	Groups     []string // that it is a member of, and all their ancestors
}

// Effective is everything that decides what a principal may do under a client ID.
type Effective struct {
	// Thing is the thing of the connection; nil when it has none, and then
	// policies of thing groups do not count.
	Thing *ConnectionThing

	// NamedThing tells, when Thing is nil, that a thing named like the client
	// ID exists but is not attached to the principal.
	NamedThing bool

	// Policies holds the principal's own policies, then those of the thing's
	// groups, each sorted by name. A policy that is attached twice is in it twice.
	Policies []EffectivePolicy
}

// EffectivePolicies returns what counts for a connection of principal under
// clientID, all of one moment. An unknown principal has no policies. With an
// empty clientID only an exclusively attached thing is found.
// Source: policy sheet 8.2, 8.3.
func (r *Registry) EffectivePolicies(ctx context.Context, principal Target, clientID string) (Effective, error) {
	var e Effective
	err := r.view(ctx, func(q *registrydb.Queries) error {
		var err error
		if e.Thing, e.NamedThing, err = connectionThing(ctx, q, principal, clientID); err != nil {
			return err
		}
		if e.Policies, err = r.policiesOf(ctx, q, principal); err != nil || e.Thing == nil {
			return err
		}
		of, err := r.policiesOfGroups(ctx, q, e.Thing.Groups)
		e.Policies = append(e.Policies, of...)
		return err
	})
	if err != nil {
		return Effective{}, fmt.Errorf("read the effective policies of %s: %w", principal, err)
	}
	return e, nil
}

// Grants is what decides about a principal whatever its client ID.
type Grants struct {
	Policies []EffectivePolicy // its own, sorted by name
	Things   []ThingPrincipal  // that it is attached to, sorted by name
	More     bool              // it is attached to more things than were asked for
}

// PrincipalGrants returns the policies of a principal and at most so many of
// its things, all of one moment. An unknown principal has none.
func (r *Registry) PrincipalGrants(ctx context.Context, principal Target, things int) (Grants, error) {
	var g Grants
	err := r.view(ctx, func(q *registrydb.Queries) error {
		var err error
		if g.Policies, err = r.policiesOf(ctx, q, principal); err != nil {
			return err
		}
		rows, err := q.ListThingsOfPrincipal(ctx, registrydb.ListThingsOfPrincipalParams{
			PrincipalType: string(principal.Type), PrincipalName: principal.Name, Limit: int32(things) + 1,
		})
		if g.More = len(rows) > things; g.More {
			rows = rows[:things]
		}
		for _, row := range rows {
			g.Things = append(g.Things, ThingPrincipal{Thing: row.ThingName, Principal: principal, Type: ThingPrincipalType(row.AttachmentType)})
		}
		return err
	})
	if err != nil {
		return Grants{}, fmt.Errorf("read the grants of %s: %w", principal, err)
	}
	return g, nil
}

// ThingGrants returns the facts of a thing and the policies of its groups, in
// the order of [EffectivePolicies], all of one moment. Refusal: ResourceNotFound.
func (r *Registry) ThingGrants(ctx context.Context, name string) (ConnectionThing, []EffectivePolicy, error) {
	var thing *ConnectionThing
	var policies []EffectivePolicy
	err := r.view(ctx, func(q *registrydb.Queries) error {
		row, err := q.GetThing(ctx, name)
		if err != nil {
			return r.thingError(err, name)
		}
		if thing, err = thingOf(ctx, q, row); err != nil {
			return err
		}
		policies, err = r.policiesOfGroups(ctx, q, thing.Groups)
		return err
	})
	if err != nil {
		return ConnectionThing{}, nil, fmt.Errorf("read the grants of the thing %s: %w", name, err)
	}
	return *thing, policies, nil
}

// connectionThing finds the thing of a connection: the one that is attached to
// the principal exclusively, else the attached one that is named like the
// client ID. named tells that a thing has that name although none was found.
// Source: policy sheet 8.2.
func connectionThing(ctx context.Context, q *registrydb.Queries, principal Target, clientID string) (thing *ConnectionThing, named bool, err error) {
	name, err := q.GetExclusiveThing(ctx, registrydb.GetExclusiveThingParams{PrincipalType: string(principal.Type), PrincipalName: principal.Name})
	exclusive := err == nil
	switch {
	case exclusive:
	case !store.IsNotFound(err):
		return nil, false, err
	case clientID == "":
		return nil, false, nil
	default:
		name = clientID
	}
	row, err := q.GetThing(ctx, name)
	if store.IsNotFound(err) {
		return nil, false, nil
	} else if err != nil {
		return nil, false, err
	}
	_, err = q.GetThingPrincipal(ctx, registrydb.GetThingPrincipalParams{
		ThingName: name, PrincipalType: string(principal.Type), PrincipalName: principal.Name,
	})
	if store.IsNotFound(err) {
		return nil, true, nil
	} else if err != nil {
		return nil, false, err
	}
	if thing, err = thingOf(ctx, q, row); err != nil {
		return nil, false, err
	}
	thing.Exclusive = exclusive
	return thing, false, nil
}

// thingOf reads what connections need to know of a thing.
func thingOf(ctx context.Context, q *registrydb.Queries, row registrydb.Thing) (*ConnectionThing, error) {
	thing := &ConnectionThing{Name: row.ThingName, TypeName: row.ThingTypeName.String}
	if err := json.Unmarshal([]byte(row.Attributes), &thing.Attributes); err != nil {
		return nil, fmt.Errorf("read the attributes of the thing %s: %w", row.ThingName, err)
	}
	var err error
	thing.Groups, err = q.ListGroupsAboveThing(ctx, row.ThingName)
	return thing, err
}

// policiesOfGroups returns the policies of groups, group by group.
func (r *Registry) policiesOfGroups(ctx context.Context, q *registrydb.Queries, groups []string) ([]EffectivePolicy, error) {
	var list []EffectivePolicy
	for _, group := range groups {
		of, err := r.policiesOf(ctx, q, Target{TargetThingGroup, group})
		if err != nil {
			return nil, err
		}
		list = append(list, of...)
	}
	return list, nil
}

// policiesOf returns the policies of one target, sorted by name.
func (r *Registry) policiesOf(ctx context.Context, q *registrydb.Queries, target Target) ([]EffectivePolicy, error) {
	rows, err := q.ListEffectivePolicies(ctx, registrydb.ListEffectivePoliciesParams{TargetType: string(target.Type), TargetName: target.Name})
	if err != nil {
		return nil, err
	}
	list := make([]EffectivePolicy, len(rows))
	for i, row := range rows {
		list[i] = EffectivePolicy{
			Name:       row.PolicyName,
			ARN:        r.ARN("policy", row.PolicyName),
			Version:    versionID(row.DefaultVersion),
			Document:   row.Document,
			AttachedTo: target,
			AttachedAt: time.UnixMilli(row.AttachedAt),
			VersionAt:  time.UnixMilli(row.DefaultChangedAt),
		}
	}
	return list, nil
}
