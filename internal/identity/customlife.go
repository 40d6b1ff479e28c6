package identity

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/registry"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// refreshAhead is how long before its answer expires the authorizer of a
// connection with subscriptions is asked again: a message that another client
// publishes can't wait for an answer, and must not be lost to a question.
const refreshAhead = authorizerTimeout + time.Second

// A customLife is the time that an authorizer's answer is good for, on one live
// connection. AWS says when a policy is refreshed, not by what; here it is
// lazily, by the first packet after the time that asks for a decision, and at
// the latest a keep-alive later. A connection that has subscribed is refreshed
// a little before the time, without a packet, and one that subscribes so late
// before it is refreshed first. Source: custom-auth sheet 8.
type customLife struct {
	login *Login // of the CONNECT: its request is repeated

	receives atomic.Bool // the connection has asked about subscriptions or deliveries
	expired  atomic.Bool // the answer is too old: nothing is allowed

	renewing sync.Mutex // held while the authorizer is asked

	mu        sync.Mutex // guards what follows
	documents *set
	refreshAt time.Time
	keepAlive time.Duration
	renewed   func(Renewal)
	timer     *time.Timer
	ctx       context.Context // of the timer's questions; ends with cancel
	cancel    context.CancelFunc
}

// A Renewal is what came of asking the authorizer of a live connection again.
type Renewal struct {
	Login *Login        // nil when the machinery was broken
	Err   error         // of the machinery
	After time.Duration // for which the answer before was good
}

// Failed tells whether the connection has lost its right.
func (r Renewal) Failed() bool { return r.Err != nil || r.Login.Refusal() != nil }

// Authorize returns what a client that was authenticated may do, as
// [Service.Authorize] does for other principals. Unless [Authorization.Maintain]
// is called it is good for one request.
func (l *Login) Authorize(ctx context.Context, clientID string, facts Facts) (*Authorization, error) {
	life := &customLife{login: l, documents: l.documents, refreshAt: time.Now().Add(l.Answer.RefreshAfter)}
	return l.service.identity.authorize(ctx, &Authorization{service: l.service.identity, who: l.Who, custom: life}, clientID, facts)
}

// Maintain keeps the answer of a custom authorizer up to date for a connection
// that lives on, whose longest silence is keepAlive; receives says that it has
// subscriptions already. renewed is called after every question, from another
// goroutine or from [Authorization.Renew]; after a failed one nothing is allowed,
// and the connection must end. Call [Authorization.Release] at its end. For other
// principals it does nothing.
func (a *Authorization) Maintain(keepAlive time.Duration, receives bool, renewed func(Renewal)) {
	life := a.custom
	if life == nil {
		return
	}
	if receives {
		life.receives.Store(true)
	}
	life.mu.Lock()
	defer life.mu.Unlock()
	life.keepAlive, life.renewed = keepAlive, renewed
	life.ctx, life.cancel = context.WithCancel(context.Background())
	life.timer = time.AfterFunc(time.Until(life.refreshAt.Add(-refreshAhead)), a.tick)
}

// Release ends what Maintain began, and waits for a question under way.
func (a *Authorization) Release() {
	life := a.custom
	if life == nil {
		return
	}
	life.mu.Lock()
	if life.timer != nil {
		life.timer.Stop()
		life.cancel()
		life.timer = nil
	}
	life.mu.Unlock()
	life.renewing.Lock()   // until the question is over
	life.renewing.Unlock() //nolint:staticcheck // SA2001: see above
}

// Expired tells whether the authorizer must be asked again before anything is
// decided: call [Authorization.Renew].
func (a *Authorization) Expired() bool { return a.custom != nil && a.custom.expired.Load() }

// Expiring is [Authorization.Expired] for a first subscription: it must not begin
// so close to the time that a message for it meets the next question.
func (a *Authorization) Expiring() bool {
	life := a.custom
	if life == nil || life.receives.Load() {
		return a.Expired()
	}
	life.mu.Lock()
	defer life.mu.Unlock()
	return life.timer != nil && !time.Now().Before(life.refreshAt.Add(-refreshAhead))
}

// tick looks what the time asks for.
func (a *Authorization) tick() {
	life, now := a.custom, time.Now()
	life.mu.Lock()
	if life.timer == nil {
		life.mu.Unlock()
		return // released
	}
	latest := life.refreshAt.Add(life.keepAlive)
	ask := life.receives.Load() || !now.Before(latest)
	ctx := life.ctx
	switch {
	case ask:
	case now.Before(life.refreshAt):
		life.timer.Reset(life.refreshAt.Sub(now))
	default:
		life.timer.Reset(latest.Sub(now))
	}
	lapsed := !now.Before(life.refreshAt)
	life.mu.Unlock()
	if lapsed {
		a.expire()
	}
	if ask {
		a.Renew(ctx)
	}
}

// expire makes the answers that are in memory count no more.
func (a *Authorization) expire() {
	a.custom.expired.Store(true)
	a.forget()
}

// forget makes the next question resolve anew.
func (a *Authorization) forget() {
	a.resolving.Lock()
	defer a.resolving.Unlock()
	a.current.Load().seen.Store(0)
}

// Renew asks the authorizer of a live connection again, with what the client
// sent in its CONNECT. The new documents and the new time replace the old ones;
// the principal stays. ok is false when there was nothing to ask.
func (a *Authorization) Renew(ctx context.Context) (r Renewal, ok bool) {
	life := a.custom
	life.renewing.Lock()
	defer life.renewing.Unlock()
	life.mu.Lock()
	due := life.timer != nil && !time.Now().Before(life.refreshAt.Add(-refreshAhead))
	r.After = life.login.Answer.RefreshAfter
	renewed := life.renewed
	life.mu.Unlock()
	if !due {
		return r, false // somebody else has, or the connection is over
	}
	r.Login, r.Err = life.login.service.Authenticate(ctx, life.login.request)
	if ctx.Err() != nil {
		return r, false // the connection is over
	}
	life.mu.Lock()
	if life.timer == nil {
		life.mu.Unlock()
		return r, false
	}
	if r.Failed() {
		life.timer.Stop()
		life.documents = nil
	} else {
		life.documents = r.Login.documents
		life.refreshAt = time.Now().Add(r.Login.Answer.RefreshAfter)
		life.timer.Reset(time.Until(life.refreshAt.Add(-refreshAhead)))
	}
	life.mu.Unlock()
	life.expired.Store(r.Failed())
	a.forget()
	renewed(r)
	return r, true
}

// resolveCustom is the part of resolveOnce for a principal of an authorizer:
// what was returned is all that counts. Source: custom-auth sheet 7.
func (s *Service) resolveCustom(a *Authorization, facts *policy.Context) *resolved {
	set := a.custom.granted()
	if set == nil {
		set = noDocuments
	}
	return &resolved{set: set, bound: set.compiled.Bind(facts), context: facts}
}

// withReturned joins what a certificate may do with what its authorizer
// returned. Once the answer is too old, nothing is allowed by either.
func (s *Service) withReturned(own *set, life *customLife) *set {
	returned := life.granted()
	switch {
	case life.expired.Load():
		return noDocuments
	case returned == nil:
		return own
	}
	return s.join(own, returned)
}

// noDocuments allows nothing.
var noDocuments = &set{compiled: policy.Compile()}

// granted returns the documents that count now, nil for none.
func (life *customLife) granted() *set {
	if life.expired.Load() {
		return nil
	}
	life.mu.Lock()
	defer life.mu.Unlock()
	return life.documents
}

// compileReturned compiles the documents that an authorizer returned. They were
// parsed before.
func (s *Service) compileReturned(authorizer string, documents []string) (*set, error) {
	effective := make([]registry.EffectivePolicy, len(documents))
	for i, text := range documents {
		effective[i] = registry.EffectivePolicy{
			Name: returnedName(authorizer, i), Document: text, AttachedTo: registry.Target{Type: targetAuthorizer, Name: authorizer},
		}
	}
	return s.compile(effective)
}
