package identity

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/function"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// opened is a live connection of the authorizer open.
func opened(t *testing.T, a *Authorizers, renewed func(Renewal)) *Authorization {
	t.Helper()
	l, err := a.Authenticate(t.Context(), connecting("?x-amz-customauthorizer-name=open"))
	if err != nil || l.Refusal() != nil {
		t.Fatal(l, err)
	}
	auth, err := l.Authorize(t.Context(), "dev", Facts{})
	if err != nil {
		t.Fatal(err)
	}
	auth.Maintain(90*time.Second, false, renewed)
	return auth
}

func (w *customWorld) answers(answer func(authorizerEvent) (function.Result, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = answer
}

func (w *customWorld) invocations() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.events)
}

// TestRefresh: lazily for who publishes only, ahead of time for who receives,
// and at the latest a keep-alive after the time. Source: custom-auth sheet 8.
func TestRefresh(t *testing.T) {
	t.Run("lazily", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			world, a := newCustom(t)
			auth := opened(t, a, func(Renewal) {})
			defer auth.Release()
			time.Sleep(299 * time.Second)
			if auth.Expired() || auth.Decide(policy.Publish, "a") != policy.Allow {
				t.Error("expired before its time")
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if !auth.Expired() || auth.Decide(policy.Publish, "a") == policy.Allow || world.invocations() != 1 {
				t.Errorf("after its time the answer still counts (%d invocations)", world.invocations())
			}
			if r, ok := auth.Renew(t.Context()); !ok || r.Failed() || auth.Expired() || auth.Decide(policy.Publish, "a") != policy.Allow {
				t.Errorf("renewal %+v %v", r, ok)
			}
			if world.invocations() != 2 || world.events[1].ConnectionMetadata.ID != "c1" {
				t.Errorf("events %+v", world.events)
			}
		})
	})
	t.Run("at the latest", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			world, a := newCustom(t)
			auth := opened(t, a, func(Renewal) {})
			defer auth.Release()
			time.Sleep(391 * time.Second)
			synctest.Wait()
			if world.invocations() != 2 || auth.Expired() {
				t.Errorf("%d invocations, expired %v", world.invocations(), auth.Expired())
			}
		})
	})
	t.Run("ahead for a subscriber", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			world, a := newCustom(t)
			auth := opened(t, a, func(Renewal) {})
			defer auth.Release()
			auth.Decide(policy.Subscribe, "a")
			time.Sleep(299 * time.Second)
			synctest.Wait()
			if world.invocations() != 2 {
				t.Errorf("%d invocations", world.invocations())
			}
			time.Sleep(3 * time.Second)
			if auth.Expired() || auth.Decide(policy.Receive, "a") != policy.Allow {
				t.Error("a message is lost to a question")
			}
		})
	})
	t.Run("before a late subscription", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			world, a := newCustom(t)
			auth := opened(t, a, func(Renewal) {})
			defer auth.Release()
			time.Sleep(293 * time.Second)
			if auth.Expiring() {
				t.Error("a subscription has to wait 7 seconds before the time")
			}
			time.Sleep(2 * time.Second)
			if !auth.Expiring() || auth.Expired() {
				t.Error("a subscription may begin 5 seconds before the time")
			}
			auth.Renew(t.Context())
			if auth.Expiring() || world.invocations() != 2 {
				t.Errorf("after the renewal a subscription has to wait still (%d invocations)", world.invocations())
			}
			auth.Decide(policy.Subscribe, "a")
			time.Sleep(2 * 299 * time.Second)
			synctest.Wait()
			if auth.Expired() || auth.Decide(policy.Receive, "a") != policy.Allow {
				t.Error("a message is lost to a question")
			}
		})
	})
	t.Run("ahead for a resumed session", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			world, a := newCustom(t)
			auth := opened(t, a, func(Renewal) {})
			auth.Release()
			auth.Maintain(90*time.Second, true, func(Renewal) {})
			defer auth.Release()
			time.Sleep(299 * time.Second)
			synctest.Wait()
			if world.invocations() != 2 || auth.Expired() {
				t.Errorf("%d invocations, expired %v", world.invocations(), auth.Expired())
			}
		})
	})
	t.Run("replaces the documents", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			world, a := newCustom(t)
			auth := opened(t, a, func(Renewal) {})
			defer auth.Release()
			world.answers(answering(strings.Replace(plainAnswer, "iot:*", "iot:Connect", 1)))
			before := auth.Generation()
			time.Sleep(400 * time.Second)
			synctest.Wait()
			if auth.Decide(policy.Publish, "a") == policy.Allow || auth.Generation() == before {
				t.Error("the old documents still count")
			}
		})
	})
	for name, answer := range map[string]func(authorizerEvent) (function.Result, error){
		"refused":          answering(noAnswer),
		"invalid":          answering("{}"),
		"broken machinery": func(authorizerEvent) (function.Result, error) { return function.Result{}, errors.New("disk full") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world, a := newCustom(t)
				var got []Renewal
				auth := opened(t, a, func(r Renewal) { got = append(got, r) })
				defer auth.Release()
				world.answers(answer)
				time.Sleep(400 * time.Second)
				synctest.Wait()
				if len(got) != 1 || !got[0].Failed() || auth.Decide(policy.Publish, "a") == policy.Allow {
					t.Errorf("renewals %+v; the connection may go on", got)
				}
			})
		})
	}
	t.Run("ends with the connection", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			world, a := newCustom(t)
			auth := opened(t, a, func(Renewal) { t.Error("renewed after its end") })
			auth.Release()
			time.Sleep(time.Hour)
			synctest.Wait()
			if _, ok := auth.Renew(t.Context()); ok || world.invocations() != 1 {
				t.Errorf("%d invocations", world.invocations())
			}
		})
	})
}

// TestHTTPSession: one answer serves the requests of one connection with the
// same credentials, where the authorizer has caching on. Source: custom-auth sheet 8.
func TestHTTPSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world, a := newCustom(t)
		var cached []string
		a.cached = func(authorizer string, hit bool) { cached = append(cached, fmt.Sprint(authorizer, " ", hit)) }
		request := func(name, token string) *CustomRequest {
			return &CustomRequest{ConnectionID: "c", HTTP: &HTTPCredentials{Header: http.Header{"Token": {token}}, Query: ParamAuthorizer + "=" + name}}
		}
		ask := func(s *CustomSession, name, token string, want int) {
			t.Helper()
			l, err := s.Login(t.Context(), request(name, token))
			if err != nil || l.Refusal() != nil || world.invocations() != want {
				t.Fatalf("%d invocations, want %d: %v %v", world.invocations(), want, l, err)
			}
			auth, err := l.Authorize(t.Context(), "", Facts{Protocol: policy.HTTP})
			if err != nil || auth.Decide(policy.Publish, "a") != policy.Allow {
				t.Fatalf("may not publish: %v", err)
			}
		}
		s := a.Session()
		ask(s, "open", "1", 1)
		ask(s, "open", "1", 2) // no caching
		s = a.Session()
		ask(s, "cached", "1", 3)
		ask(s, "cached", "1", 3)
		ask(s, "cached", "2", 4) // other credentials
		ask(a.Session(), "cached", "2", 5)
		time.Sleep(301 * time.Second)
		ask(s, "cached", "2", 6) // too old
		if want := []string{"cached false", "cached true", "cached false", "cached false", "cached false"}; !slices.Equal(cached, want) {
			t.Errorf("hits and misses: %v, want %v", cached, want)
		}
		if s.Over() {
			t.Error("over before disconnectAfterInSeconds")
		}
		time.Sleep(time.Hour)
		if !s.Over() {
			t.Error("not over after disconnectAfterInSeconds")
		}
	})
}
