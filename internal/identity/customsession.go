package identity

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// A CustomSession authenticates the requests of one HTTPS connection. Where the
// authorizer has enableCachingForHttp, its answer serves the requests that
// follow with the same credentials, as long as refreshAfterInSeconds says. It is
// safe for concurrent use. Source: custom-auth sheet 8.
type CustomSession struct {
	service *Authorizers

	mu    sync.Mutex // guards what follows
	login *Login     // the one that is kept, or nil
	key   [sha256.Size]byte
	until time.Time // login counts before it
	ends  time.Time // the connection must end; zero: not yet known
}

// Session makes the session of a new HTTPS connection.
func (s *Authorizers) Session() *CustomSession { return &CustomSession{service: s} }

// Login authenticates one request; see [Authorizers.Authenticate].
func (c *CustomSession) Login(ctx context.Context, r *CustomRequest) (*Login, error) {
	key := r.credentialKey()
	now := time.Now()
	c.mu.Lock()
	if l := c.login; l != nil && key == c.key && now.Before(c.until) {
		c.mu.Unlock()
		c.service.cached(l.Authorizer.Name, true)
		kept := *l
		kept.Ladder = []Rung{{check.AuthorizerCached, attempt.Passed, []attempt.Field{attempt.F("authorizer", l.Authorizer.Name)}}}
		return &kept, nil
	}
	c.mu.Unlock()
	l, err := c.service.Authenticate(ctx, r)
	if err != nil || l.Refusal() != nil {
		return l, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ends.IsZero() {
		c.ends = now.Add(l.Answer.DisconnectAfter)
	}
	if l.Authorizer.HTTPCaching {
		c.service.cached(l.Authorizer.Name, false)
		c.login, c.key, c.until = l, key, now.Add(l.Answer.RefreshAfter) // from before the question: never too long
	}
	return l, nil
}

// Over tells whether the time that the first answer set for the connection has
// passed: it must not serve another request.
func (c *CustomSession) Over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.ends.IsZero() && !time.Now().Before(c.ends)
}

// credentialKey is a hash of everything in a request that an authorizer may
// judge by. A request that differs in any of it asks anew.
func (r *CustomRequest) credentialKey() [sha256.Size]byte {
	h := sha256.New()
	part := func(s string) { fmt.Fprintf(h, "%d:%s", len(s), s) }
	part(r.ServerName)
	if r.HTTP != nil {
		part(r.HTTP.Host)
		part(r.HTTP.Query)
		names := make([]string, 0, len(r.HTTP.Header))
		for name := range r.HTTP.Header {
			if name != "Content-Length" {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		for _, name := range names {
			part(name)
			part(strings.Join(r.HTTP.Header[name], "\x00"))
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}
