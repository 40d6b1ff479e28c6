package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gatehouse-iot/gatehouse/internal/registry"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// maxGrantThings is how many things of a certificate are kept in memory with
// it. One that has more is asked for in the registry at every connect.
const maxGrantThings = 16

// Of what is kept, the slots of its inputs and their sum say whether it still
// holds: see [clock]. Nobody has to be told of a change.
type basis struct {
	inputs []uint16
	sum    uint64
}

// holds tells whether none of the inputs changed.
func (b *basis) holds(c *clock) bool {
	sum, _ := c.read(b.inputs)
	return sum == b.sum
}

// basisOf notes the inputs of what was read since before, and tells whether no
// change came in meanwhile: only then may it be kept.
func (c *clock) basisOf(before uint64, inputs []input) (b basis, still bool) {
	b.inputs = make([]uint16, len(inputs))
	for i, in := range inputs {
		b.inputs[i] = c.slot(in)
	}
	sum, now := c.read(b.inputs)
	b.sum = sum
	return b, now == before
}

// grants are what a certificate may do whatever its client ID. They are shared
// by its connections and immutable.
type grants struct {
	basis
	set         *set
	certificate *policy.Certificate // with all facts where set asks for them
	things      []attachedThing     // sorted by name
	more        bool                // there are others: see maxGrantThings
}

type attachedThing struct {
	name      string
	exclusive bool
}

// thingGrants are the facts of a thing and what its groups may do.
type thingGrants struct {
	basis
	facts policy.Thing // Attached and Exclusive are the connection's
	set   *set         // nil when its groups have no policies
}

// grants returns what holds now for a certificate, from memory where nothing changed.
func (s *Service) grants(ctx context.Context, certificateID string) (*grants, error) {
	if g, ok := s.granted.get(certificateID); ok && g.holds(s.clock) {
		return g, nil
	}
	before := s.clock.now.Load()
	in := []input{{inputCertificate, certificateID}}
	fp, ok := ParseFingerprint(certificateID)
	if !ok {
		return nil, fmt.Errorf("identity: %q is no certificate ID", certificateID)
	}
	c, found, err := s.CertificateByFingerprint(ctx, fp)
	if err != nil {
		return nil, err
	}
	g := &grants{}
	var own registry.Grants
	// A certificate that lost its right has no policies, should a connection
	// still be there: it is about to be cut.
	if found && c.Status == registry.StatusActive {
		own, err = s.registry.PrincipalGrants(ctx, registry.Target{Type: registry.TargetCertificate, Name: certificateID}, maxGrantThings)
		if err != nil {
			return nil, err
		}
	}
	if g.set, err = s.compile(own.Policies); err != nil {
		return nil, err
	}
	if g.certificate, err = s.certificateFacts(ctx, certificateID, g.set.certificate); err != nil {
		return nil, err
	}
	for _, p := range own.Policies {
		in = append(in, input{inputPolicy, p.Name})
	}
	for _, t := range own.Things {
		g.things = append(g.things, attachedThing{t.Thing, t.Type == registry.ExclusiveThing})
	}
	g.more = own.More
	if g.basis, ok = s.clock.basisOf(before, in); ok {
		s.granted.put(certificateID, g, nil)
	}
	return g, nil
}

// thing returns which of the certificate's things is the one of a connection:
// the exclusive one, else the one that is named like the client ID. ok is false
// when there is none. Source: policy sheet 8.2.
func (s *Service) thing(ctx context.Context, g *grants, certificateID, clientID string) (t attachedThing, ok bool, err error) {
	if g.more {
		e, err := s.registry.EffectivePolicies(ctx, registry.Target{Type: registry.TargetCertificate, Name: certificateID}, clientID)
		if err != nil || e.Thing == nil {
			return attachedThing{}, false, err
		}
		return attachedThing{e.Thing.Name, e.Thing.Exclusive}, true, nil
	}
	for _, t := range g.things {
		if t.exclusive || t.name == clientID {
			return t, true, nil
		}
	}
	return attachedThing{}, false, nil
}

// thingGrants returns what holds now for a thing, from memory where nothing
// changed; nil when there is no such thing (any more).
func (s *Service) thingGrants(ctx context.Context, name string) (*thingGrants, error) {
	if g, ok := s.grantedThings.get(name); ok && g.holds(s.clock) {
		return g, nil
	}
	before := s.clock.now.Load()
	thing, policies, err := s.registry.ThingGrants(ctx, name)
	if refused, ok := errors.AsType[*registry.Error](err); ok && refused.Kind == registry.ResourceNotFound {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	g := &thingGrants{facts: policy.Thing{Name: thing.Name, Type: thing.TypeName, Attributes: thing.Attributes}}
	in := []input{{inputThing, name}}
	if thing.TypeName != "" {
		in = append(in, input{inputType, thing.TypeName})
	}
	for _, group := range thing.Groups {
		in = append(in, input{inputGroup, group})
	}
	for _, p := range policies {
		in = append(in, input{inputPolicy, p.Name})
	}
	if len(policies) > 0 {
		if g.set, err = s.compile(policies); err != nil {
			return nil, err
		}
	}
	var ok bool
	if g.basis, ok = s.clock.basisOf(before, in); ok {
		s.grantedThings.put(name, g, nil)
	}
	return g, nil
}

// join returns the union of two sets, shared by everyone who has both.
func (s *Service) join(a, b *set) *set {
	key := [2]*set{a, b}
	if found, ok := s.joined.get(key); ok {
		return found
	}
	made := &set{
		compiled:    policy.Compile(slices.Concat(a.compiled.Policies(), b.compiled.Policies())...),
		certificate: a.certificate || b.certificate,
	}
	s.joined.put(key, made, nil)
	return made
}
