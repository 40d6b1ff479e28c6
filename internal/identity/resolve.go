package identity

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/registry"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// resolveTimeout bounds how long a packet waits for policies to be read again.
const resolveTimeout = 5 * time.Second

// maxResolves is how often a resolution begins anew because the registry
// changed meanwhile. After that its result is used once, for the question at hand.
const maxResolves = 4

// resolved are the answers of one moment. All but seen, cache and named is immutable.
type resolved struct {
	generation uint64
	context    *policy.Context // facts of the connection, its thing and its certificate
	err        error           // why there are no answers; what follows is empty then
	set        *set
	bound      *policy.Bound
	basis                    // of everything that the answers depend on
	seen       atomic.Uint64 // time up to which the answers are known to hold; 0: ask again

	cache atomic.Pointer[policy.Cache] // made for the first message: a connection may never have one
	named atomic.Pointer[policy.Bound] // for explanations: see [Authorization.explaining]
}

// decide answers from the cache, but for the one question that is asked once.
func (r *resolved) decide(action policy.Action, name string) policy.Effect {
	if action == policy.Connect {
		return r.bound.Decide(action, name)
	}
	cache := r.cache.Load()
	if cache == nil {
		r.cache.CompareAndSwap(nil, policy.NewCache(r.bound, 0))
		cache = r.cache.Load()
	}
	return cache.Decide(action, name)
}

// thing names the thing of the connection, "" without one.
func (r *resolved) thing() string {
	if r.err != nil || r.context.Thing == nil {
		return ""
	}
	return r.context.Thing.Name
}

// resolve finds what applies to a's connection, with facts as [Service.Authorize]
// got them. A change that comes in meanwhile makes it begin anew.
func (s *Service) resolve(ctx context.Context, a *Authorization, facts *policy.Context) *resolved {
	var r *resolved
	for range maxResolves {
		before := s.clock.now.Load()
		r = s.resolveOnce(ctx, a, facts)
		r.generation = s.generation.Add(1)
		if r.err != nil {
			s.log.LogAttrs(ctx, slog.LevelError, "cannot resolve policies",
				slog.String("principal", a.who.ID), slog.String("client_id", facts.ClientID), slog.String("error", r.err.Error()))
			return r
		}
		sum, now := s.clock.read(r.inputs)
		if now == before {
			r.sum = sum
			r.seen.Store(now)
			return r
		}
	}
	return r // seen is 0
}

// resolveOnce puts together what the certificate has and what its thing has.
// Usually both are in memory, and nothing is read or compiled.
func (s *Service) resolveOnce(ctx context.Context, a *Authorization, facts *policy.Context) *resolved {
	switch a.who.Kind {
	case KindCertificate:
	case KindAuthorizer:
		return s.resolveCustom(a, facts)
	case KindUser:
		return s.resolveUser(ctx, a.who, facts)
	default:
		return &resolved{context: facts, err: fmt.Errorf("identity: principal %q is of no known kind (%q)", a.who.ID, a.who.Kind)}
	}
	own, err := s.grants(ctx, a.who.ID)
	if err != nil {
		return &resolved{context: facts, err: err}
	}
	pctx := new(policy.Context)
	*pctx = *facts
	pctx.Thing, pctx.Certificate = nil, own.certificate
	r := &resolved{set: own.set, context: pctx}
	r.inputs = append(make([]uint16, 0, len(own.inputs)+4), own.inputs...)
	if pctx.ClientID != "" {
		r.inputs = append(r.inputs, s.clock.slot(input{inputThing, pctx.ClientID}))
	}

	attached, ok, err := s.thing(ctx, own, a.who.ID, pctx.ClientID)
	if err != nil {
		return &resolved{context: facts, err: err}
	}
	var thing *thingGrants
	if ok {
		if thing, err = s.thingGrants(ctx, attached.name); err != nil {
			return &resolved{context: facts, err: err}
		}
	}
	if thing != nil {
		pctx.Thing = new(policy.Thing)
		*pctx.Thing = thing.facts
		pctx.Thing.Attached, pctx.Thing.Exclusive = true, attached.exclusive
		r.inputs = append(r.inputs, thing.inputs...)
		if thing.set != nil {
			r.set = s.join(own.set, thing.set)
		}
	}
	if a.custom != nil { // CUSTOM_AUTH_X509: custom-auth sheet 12
		r.set = s.withReturned(r.set, a.custom)
	}
	if r.set.certificate && !own.set.certificate {
		if pctx.Certificate, err = s.certificateFacts(ctx, a.who.ID, true); err != nil {
			return &resolved{context: facts, err: err}
		}
	}
	r.bound = r.set.compiled.Bind(pctx)
	return r
}

// secure says aws:SecureTransport: every door speaks TLS.
var secure = new(true)

// certificateFacts returns what policies may ask of a certificate. Parsing it
// is only paid for where a policy asks for more than its ID.
func (s *Service) certificateFacts(ctx context.Context, certificateID string, full bool) (*policy.Certificate, error) {
	if !full {
		return &policy.Certificate{ID: certificateID}, nil
	}
	row, err := s.registry.Certificate(ctx, certificateID)
	if err != nil {
		return nil, fmt.Errorf("read certificate %s: %w", certificateID, err)
	}
	cert, err := registry.FirstCertificate(row.PEM)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", certificateID, err)
	}
	facts := policy.CertificateFacts(cert)
	facts.ID = certificateID
	return facts, nil
}
