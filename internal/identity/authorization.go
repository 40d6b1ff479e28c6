package identity

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-iot/gatehouse/policy"
)

// Facts are what policies may ask about a connection, beside who it is and its
// client ID. A zero field is unknown to the policy.
type Facts struct {
	Protocol          policy.Protocol // the zero Protocol counts as MQTT
	DomainName        string          // SNI
	SourceIP          netip.Addr
	ConnectAttributes []string // policy.PersistentConnect, policy.LastWill; empty: neither. nil: unknown
	LastWillTopic     string
}

// An Authorization says what one connection may do. It answers from compiled
// policies, and resolves them again on the next question after the registry
// says that one of their inputs changed: a policy, an attachment, the
// certificate, the thing, a group. Its methods may be called from many
// goroutines. It holds no resource: drop it when the connection ends.
type Authorization struct {
	service *Service
	who     Principal
	custom  *customLife              // of a custom authorizer's answer; else nil
	current atomic.Pointer[resolved] // never nil

	resolving sync.Mutex // one goroutine resolves, the others wait for its answer
}

// Authorize reads what applies to who, connecting as clientID. An error is
// broken machinery, never a refusal: a principal without any policy gets an
// Authorization that allows nothing.
func (s *Service) Authorize(ctx context.Context, who Principal, clientID string, facts Facts) (*Authorization, error) {
	return s.authorize(ctx, &Authorization{service: s, who: who}, clientID, facts)
}

// authorize completes a new Authorization.
func (s *Service) authorize(ctx context.Context, a *Authorization, clientID string, facts Facts) (*Authorization, error) {
	r := s.resolve(ctx, a, &policy.Context{
		Partition: s.partition, Region: s.region, Account: s.account,
		Protocol: facts.Protocol, ClientID: clientID,
		ConnectAttributes: facts.ConnectAttributes, LastWillTopic: facts.LastWillTopic,
		DomainName: facts.DomainName, SourceIP: facts.SourceIP,
		SecureTransport: secure, Now: time.Now,
	})
	if r.err != nil {
		return nil, r.err
	}
	a.current.Store(r)
	return a, nil
}

// Decide answers whether the connection may do action on name: a client ID,
// topic or topic filter, without its resource type. It counts a change of the
// registry from the first question after the API call returned. When the
// policies can't be read the answer is an implicit deny, as for everything that
// nothing allows. A cached answer takes no allocation; name may be borrowed.
func (a *Authorization) Decide(action policy.Action, name string) policy.Effect {
	r := a.fresh()
	if r.err != nil {
		return policy.ImplicitDeny
	}
	if a.custom != nil && (action == policy.Subscribe || action == policy.Receive) {
		a.custom.receives.Store(true)
	}
	return r.decide(action, name)
}

// Explain decides like Decide and says why. It is for refusals and for people.
// When the policies can't be read, the decision's code is [CodeUnavailable].
func (a *Authorization) Explain(action policy.Action, name string) policy.Decision {
	r := a.fresh()
	if r.err != nil {
		return policy.Decision{
			Effect: policy.ImplicitDeny, Action: action, Code: CodeUnavailable,
			Reason: "The policies could not be read: " + r.err.Error(),
		}
	}
	return a.explaining(r).Explain(action, name)
}

// explaining returns what answers like r.bound and also knows whether a thing
// has the name of the client ID without being attached. That decides nothing,
// so only explanations ask the registry for it.
func (a *Authorization) explaining(r *resolved) *policy.Bound {
	if r.context.Thing != nil || r.context.ClientID == "" {
		return r.bound
	}
	if b := r.named.Load(); b != nil {
		return b
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	thing, err := a.service.thingGrants(ctx, r.context.ClientID)
	if err != nil {
		return r.bound // it says less
	}
	b := r.bound
	if thing != nil {
		named := *r.context
		named.Thing = &policy.Thing{Name: thing.facts.Name}
		b = r.set.compiled.Bind(&named)
	}
	r.named.Store(b)
	return b
}

// DecideARN decides an action of any API on an ARN, or "*". Like Decide it
// denies when the policies can't be read.
func (a *Authorization) DecideARN(action policy.Action, resource string) policy.Effect {
	r := a.fresh()
	if r.err != nil {
		return policy.ImplicitDeny
	}
	return r.bound.DecideARN(action, resource)
}

// CodeUnavailable is the code of a decision that was refused because the
// policies could not be read: broken machinery denies.
const CodeUnavailable = "authz.policies_unavailable"

// Generation changes whenever the answers may have changed. Who keeps answers
// of its own (the receive decision of a subscription) keeps it with them.
func (a *Authorization) Generation() uint64 { return a.fresh().generation }

// ThingName returns the thing that the connection belongs to, or "".
// Source: connect sheet 4.11, policy sheet 8.2.
func (a *Authorization) ThingName() string { return a.fresh().thing() }

// Policies returns the documents that apply, with why they do: for evidence.
// The slice is shared; do not change it.
func (a *Authorization) Policies() []policy.Named {
	if r := a.fresh(); r.set != nil {
		return r.set.compiled.Policies()
	}
	return nil
}

// Err returns why the policies can't be read at the moment; nil when they can.
func (a *Authorization) Err() error { return a.fresh().err }

// fresh returns answers that hold now. The usual case costs two loads.
func (a *Authorization) fresh() *resolved {
	r := a.current.Load()
	if r.seen.Load() == a.service.clock.now.Load() {
		return r
	}
	return a.refresh()
}

// refresh is fresh after some change of the registry, which mostly concerns
// somebody else.
func (a *Authorization) refresh() *resolved {
	clock := a.service.clock
	a.resolving.Lock()
	defer a.resolving.Unlock()
	r := a.current.Load()
	if sum, now := clock.read(r.inputs); sum == r.sum && r.seen.Load() != 0 {
		r.seen.Store(now)
		return r
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	fresh := a.service.resolve(ctx, a, r.context)
	a.current.Store(fresh)
	return fresh
}
