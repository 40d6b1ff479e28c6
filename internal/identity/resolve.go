package identity

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"slices"
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

// resolved are the answers of one moment. All but seen is immutable.
type resolved struct {
	generation uint64
	err        error // why there are no answers; the rest is empty then
	set        *set
	bound      *policy.Bound
	cache      *policy.Cache
	thing      string
	inputs     []uint16      // counters of everything that the answers depend on
	sum        uint64        // of those counters
	seen       atomic.Uint64 // time up to which the answers are known to hold; 0: ask again
}

// resolve reads and compiles what applies to a's connection. A change that
// comes in while it reads makes it read again.
func (s *Service) resolve(ctx context.Context, a *Authorization) *resolved {
	var r *resolved
	for range maxResolves {
		before := s.clock.now.Load()
		r = s.resolveOnce(ctx, a)
		r.generation = s.generation.Add(1)
		if r.err != nil {
			s.log.LogAttrs(ctx, slog.LevelError, "cannot resolve policies",
				slog.String("principal", a.who.ID), slog.String("client_id", a.clientID), slog.String("error", r.err.Error()))
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

func (s *Service) resolveOnce(ctx context.Context, a *Authorization) *resolved {
	in := []input{{inputCertificate, a.who.ID}}
	pctx := &policy.Context{
		Partition: s.partition, Region: s.region, Account: s.account,
		Protocol: a.facts.Protocol, ClientID: a.clientID,
		ConnectAttributes: a.facts.ConnectAttributes, LastWillTopic: a.facts.LastWillTopic,
		DomainName: a.facts.DomainName, SourceIP: a.facts.SourceIP,
		SecureTransport: secure, Now: time.Now,
	}
	if a.clientID != "" {
		in = append(in, input{inputThing, a.clientID})
	}

	// A certificate that lost its right has no policies, should the connection
	// still be there: it is about to be cut.
	fp, ok := ParseFingerprint(a.who.ID)
	if !ok || a.who.Kind != KindCertificate {
		return &resolved{err: fmt.Errorf("identity: principal %q (%s) is no certificate", a.who.ID, a.who.Kind)}
	}
	c, found, err := s.CertificateByFingerprint(ctx, fp)
	if err != nil {
		return &resolved{err: err}
	}
	var effective registry.Effective
	if found && c.Status == registry.StatusActive {
		effective, err = s.registry.EffectivePolicies(ctx, registry.Target{Type: registry.TargetCertificate, Name: a.who.ID}, a.clientID)
		if err != nil {
			return &resolved{err: fmt.Errorf("read policies of certificate %s: %w", a.who.ID, err)}
		}
	}
	compiled, err := s.compile(effective.Policies)
	if err != nil {
		return &resolved{err: err}
	}
	pctx.Certificate, err = s.certificateFacts(ctx, a.who.ID, compiled.certificate)
	if err != nil {
		return &resolved{err: err}
	}

	r := &resolved{set: compiled}
	for _, p := range effective.Policies {
		in = append(in, input{inputPolicy, p.Name})
	}
	switch t := effective.Thing; {
	case t != nil:
		pctx.Thing = &policy.Thing{Name: t.Name, Type: t.TypeName, Attributes: t.Attributes, Attached: true, Exclusive: t.Exclusive}
		r.thing = t.Name
		in = append(in, input{inputThing, t.Name}, input{inputType, t.TypeName})
		for _, g := range t.Groups {
			in = append(in, input{inputGroup, g})
		}
	case effective.NamedThing:
		pctx.Thing = &policy.Thing{Name: a.clientID}
	}
	r.bound = compiled.compiled.Bind(pctx)
	r.cache = policy.NewCache(r.bound, 0)
	r.inputs = make([]uint16, 0, len(in))
	for _, i := range in {
		r.inputs = append(r.inputs, s.clock.slot(i))
	}
	slices.Sort(r.inputs)
	r.inputs = slices.Clip(slices.Compact(r.inputs))
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
	block, _ := pem.Decode([]byte(row.PEM))
	if block == nil {
		return nil, fmt.Errorf("certificate %s: no PEM block", certificateID)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", certificateID, err)
	}
	facts := policy.CertificateFacts(cert)
	facts.ID = certificateID
	return facts, nil
}
