package registry

import (
	"context"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// A ThingPrincipalType says how a principal is attached to a thing.
// Source: policy sheet 8.1.
type ThingPrincipalType string

// Types of attachment. A NonExclusiveThing is the thing of a connection whose
// client ID is its name; an ExclusiveThing is it under any client ID, and its
// principal is attached to nothing else.
const (
	NonExclusiveThing ThingPrincipalType = "NON_EXCLUSIVE_THING"
	ExclusiveThing    ThingPrincipalType = "EXCLUSIVE_THING"
)

// A ThingPrincipal is a principal attached to a thing.
type ThingPrincipal struct {
	Thing     string
	Principal Target // a certificate or an Amazon Cognito identity
	Type      ThingPrincipalType
}

// AttachThingPrincipal attaches a principal to a thing; it succeeds if it is
// attached so already. Refusals: ResourceNotFound for the thing or the
// certificate; InvalidRequest where policy sheet 8.1 forbids it: an exclusive
// principal is a certificate and has no other attachment.
func (r *Registry) AttachThingPrincipal(ctx context.Context, thing string, principal Target, as ThingPrincipalType) error {
	if as != ExclusiveThing && as != NonExclusiveThing {
		return Errorf(InvalidRequest, "%q is no thing principal type.", as)
	}
	if as == ExclusiveThing && principal.Type != TargetCertificate {
		return Errorf(InvalidRequest, "The principal %s can't be attached as EXCLUSIVE_THING: only a certificate can.", r.TargetARN(principal))
	}
	return r.write(ctx, func(t *tx) error {
		if _, err := t.GetThing(ctx, thing); err != nil {
			return r.thingError(err, thing)
		}
		if err := r.checkPrincipal(ctx, t.Queries, principal); err != nil {
			return err
		}
		old, err := t.GetThingPrincipal(ctx, registrydb.GetThingPrincipalParams{
			ThingName: thing, PrincipalType: string(principal.Type), PrincipalName: principal.Name,
		})
		switch {
		case err == nil && old.AttachmentType == string(as):
			return nil
		case err == nil:
			return Errorf(InvalidRequest, "The principal %s is attached to thing %s as %s; detach it before attaching it as %s.", r.TargetARN(principal), thing, old.AttachmentType, as)
		case !store.IsNotFound(err):
			return err
		}
		if err := r.checkExclusive(ctx, t, thing, principal, as); err != nil {
			return err
		}
		t.changed(r.thingPrincipalChange(thing, principal))
		return t.InsertThingPrincipal(ctx, registrydb.InsertThingPrincipalParams{
			ThingName:      thing,
			PrincipalType:  string(principal.Type),
			PrincipalName:  principal.Name,
			AttachmentType: string(as),
			AttachedAt:     t.now,
		})
	})
}

// checkExclusive refuses an attachment that an exclusive one stands against, or
// that would be exclusive beside another.
func (r *Registry) checkExclusive(ctx context.Context, t *tx, thing string, principal Target, as ThingPrincipalType) error {
	other, err := t.GetOtherThingOfPrincipal(ctx, registrydb.GetOtherThingOfPrincipalParams{
		PrincipalType: string(principal.Type), PrincipalName: principal.Name, ThingName: thing,
	})
	switch {
	case store.IsNotFound(err):
		return nil
	case err != nil:
		return err
	case other.AttachmentType == string(ExclusiveThing):
		return Errorf(InvalidRequest, "The principal %s can't be attached to thing %s: it is attached to thing %s as EXCLUSIVE_THING.", r.TargetARN(principal), thing, other.ThingName)
	case as == ExclusiveThing:
		return Errorf(InvalidRequest, "The principal %s can't be attached to thing %s as EXCLUSIVE_THING: it is attached to thing %s too.", r.TargetARN(principal), thing, other.ThingName)
	}
	return nil
}

// DetachThingPrincipal detaches a principal from a thing. Refusal:
// ResourceNotFound for the thing, or if the principal is not attached to it.
func (r *Registry) DetachThingPrincipal(ctx context.Context, thing string, principal Target) error {
	return r.write(ctx, func(t *tx) error {
		if _, err := t.GetThing(ctx, thing); err != nil {
			return r.thingError(err, thing)
		}
		n, err := t.DeleteThingPrincipal(ctx, registrydb.DeleteThingPrincipalParams{
			ThingName: thing, PrincipalType: string(principal.Type), PrincipalName: principal.Name,
		})
		if err != nil {
			return err
		}
		if n == 0 {
			return Errorf(ResourceNotFound, "The principal %s is not attached to thing %s", r.TargetARN(principal), thing)
		}
		t.changed(r.thingPrincipalChange(thing, principal))
		return nil
	})
}

// ListThingPrincipals returns the principals of a thing, those of one type
// unless only is empty. Refusal: ResourceNotFound.
func (r *Registry) ListThingPrincipals(ctx context.Context, thing string, only ThingPrincipalType, p Page) (Listing[ThingPrincipal], error) {
	var after Target
	if p.After != "" {
		var err error
		if after, err = r.ParsePrincipal(p.After); err != nil {
			return Listing[ThingPrincipal]{}, errBadMarker()
		}
	}
	limit := p.limit(defaultThingPageSize)
	var rows []registrydb.ThingPrincipal
	err := r.view(ctx, func(q *registrydb.Queries) (err error) {
		if _, err := q.GetThing(ctx, thing); store.IsNotFound(err) {
			return Errorf(ResourceNotFound, "Failed to list principals for thing %s because the thing does not exist in your account", thing)
		} else if err != nil {
			return err
		}
		rows, err = q.ListPrincipalsOfThing(ctx, registrydb.ListPrincipalsOfThingParams{
			Limit:          int32(limit + 1),
			ThingName:      thing,
			AfterType:      string(after.Type),
			AfterName:      after.Name,
			AttachmentType: string(only),
		})
		return err
	})
	if err != nil {
		return Listing[ThingPrincipal]{}, err
	}
	return cut(rows, limit, func(row registrydb.ThingPrincipal) string {
		return r.TargetARN(thingPrincipal(row).Principal)
	}, thingPrincipal), nil
}

// ListPrincipalThings returns the things of a principal, those of one type of
// attachment unless only is empty. Refusal: ResourceNotFound for a certificate
// that is not registered; about Amazon Cognito identities nothing is known.
func (r *Registry) ListPrincipalThings(ctx context.Context, principal Target, only ThingPrincipalType, p Page) (Listing[ThingPrincipal], error) {
	limit := p.limit(defaultThingPageSize)
	var rows []registrydb.ThingPrincipal
	err := r.view(ctx, func(q *registrydb.Queries) (err error) {
		if err := r.checkPrincipal(ctx, q, principal); err != nil {
			return err
		}
		rows, err = q.ListThingsOfPrincipal(ctx, registrydb.ListThingsOfPrincipalParams{
			Limit:          int32(limit + 1),
			PrincipalType:  string(principal.Type),
			PrincipalName:  principal.Name,
			After:          p.After,
			AttachmentType: string(only),
		})
		return err
	})
	if err != nil {
		return Listing[ThingPrincipal]{}, err
	}
	return cut(rows, limit, func(row registrydb.ThingPrincipal) string { return row.ThingName }, thingPrincipal), nil
}

// checkPrincipal refuses a certificate that is not registered.
func (r *Registry) checkPrincipal(ctx context.Context, q *registrydb.Queries, principal Target) error {
	if principal.Type != TargetCertificate {
		return nil
	}
	_, err := q.GetCertificate(ctx, principal.Name)
	if err != nil {
		return r.certificateError(err, principal.Name)
	}
	return nil
}

func (r *Registry) thingPrincipalChange(thing string, principal Target) Change {
	c := Change{Kind: ThingPrincipalChanged, ThingName: thing, Target: r.TargetARN(principal)}
	if principal.Type == TargetCertificate {
		c.CertificateID = principal.Name
	}
	return c
}

// thingPrincipal makes a ThingPrincipal of its row.
func thingPrincipal(row registrydb.ThingPrincipal) ThingPrincipal {
	return ThingPrincipal{
		Thing:     row.ThingName,
		Principal: Target{TargetType(row.PrincipalType), row.PrincipalName},
		Type:      ThingPrincipalType(row.AttachmentType),
	}
}
