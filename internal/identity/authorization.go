package identity

import (
	"context"
	"net/netip"

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
	service  *Service
	who      Principal
	clientID string
	facts    Facts
}

// Decide answers whether the connection may do action on name: a client ID,
// topic or topic filter, without its resource type. It counts a change of the
// registry from the first question after the API call returned. When the
// policies can't be read the answer is an implicit deny, as for everything that
// nothing allows. A cached answer takes no allocation; name may be borrowed.
func (a *Authorization) Decide(action policy.Action, name string) policy.Effect {
	return policy.ImplicitDeny
}

// Explain decides like Decide and says why. It is for refusals and for people.
func (a *Authorization) Explain(action policy.Action, name string) policy.Decision {
	return policy.Decision{}
}

// Generation changes whenever the answers may have changed. Who keeps answers
// of its own (the receive decision of a subscription) keeps it with them.
func (a *Authorization) Generation() uint64 { return 0 }

// ThingName returns the thing that the connection belongs to, or "".
// Source: connect sheet 4.11, policy sheet 8.2.
func (a *Authorization) ThingName() string { return "" }

// Policies returns the documents that apply, with why they do: for evidence.
func (a *Authorization) Policies() []policy.Named { return nil }

// Authorize reads what applies to who, connecting as clientID. An error is
// broken machinery, never a refusal: a principal without any policy gets an
// Authorization that allows nothing.
func (s *Service) Authorize(ctx context.Context, who Principal, clientID string, facts Facts) (*Authorization, error) {
	return &Authorization{service: s, who: who, clientID: clientID, facts: facts}, nil
}
