package registry

import (
	"context"
	"errors"
	"time"
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
	return Effective{}, errors.New("registry: EffectivePolicies is not built yet")
}
