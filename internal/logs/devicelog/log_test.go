package devicelog

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/gatehouse-iot/gatehouse/internal/logs"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// account is a registry's settings in memory.
type account struct {
	mu      sync.Mutex
	logging registry.Logging
	things  map[string]registry.LogLevel
	watch   func(registry.Change)
}

func (a *account) AccountID() string { return here.account }
func (a *account) Region() string    { return here.region }

func (a *account) Logging(context.Context) (l registry.Logging, _ error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l = a.logging
	l.Levels = slices.DeleteFunc(slices.Clone(l.Levels), func(t registry.TargetLevel) bool { return !t.Expires.IsZero() && !t.Expires.After(time.Now()) })
	return l, nil
}

func (a *account) ThingsOfGroups(context.Context, map[string]registry.LogLevel, func(a, b registry.LogLevel) registry.LogLevel) (map[string]registry.LogLevel, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.things, nil
}

func (a *account) Watch(fn func(registry.Change)) func() { a.watch = fn; return func() {} }

func (a *account) change(kind registry.ChangeKind, fn func()) {
	a.mu.Lock()
	fn()
	a.mu.Unlock()
	a.watch(registry.Change{Kind: kind})
}

// sink keeps the entries of one log group.
type sink struct{ lines []string }

func (s *sink) Append(_ byte, e logs.Entry, times int) bool {
	for range times {
		s.lines = append(s.lines, e.String())
	}
	return true
}
func (s *sink) Close() error { return nil }

// TestLogFollows: a change of the settings counts for the next event, a
// temporary level ends by itself, a thing that joins a group follows, and an
// event type can have a log group of its own.
func TestLogFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, groups := &account{}, map[string]*sink{}
		l, err := Open(Config{Registry: a, Output: func(group string) (output, error) {
			groups[group] = &sink{}
			return groups[group], nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		hub, by := observe.New(l), &observe.Request{Is: who}
		log := func() bool {
			if !hub.Seen(by, observe.MQTT, observe.PublishIn, observe.Success) {
				return false
			}
			hub.Log(by, &observe.Event{Kind: observe.PublishIn, Topic: "t"})
			return true
		}
		expect := func(when string, want bool) {
			t.Helper()
			if got := log(); got != want {
				t.Errorf("%s: logged %v, want %v", when, got, want)
			}
		}
		expect("never configured", false)
		client := registry.LogTarget{Type: registry.LogTargetClientID, Name: who.ClientID}
		a.change(registry.LoggingChanged, func() {
			a.logging.Levels = []registry.TargetLevel{{Target: client, Level: registry.LogDebug, Expires: time.Now().Add(30 * time.Minute)}}
		})
		expect("for half an hour", true)
		time.Sleep(29 * time.Minute)
		synctest.Wait()
		expect("a minute before its end", true)
		time.Sleep(time.Minute)
		synctest.Wait()
		expect("after its end", false)
		a.change(registry.LoggingChanged, func() {
			a.logging.Levels = []registry.TargetLevel{{Target: registry.LogTarget{Type: registry.LogTargetThingGroup, Name: "g"}, Level: registry.LogDebug}}
		})
		expect("outside the group", false)
		a.change(registry.GroupMemberChanged, func() { a.things = map[string]registry.LogLevel{who.Thing: registry.LogDebug} })
		synctest.Wait()
		expect("in the group", true)
		a.change(registry.LoggingChanged, func() {
			a.logging = registry.Logging{Configured: true, Options: registry.LoggingOptions{DefaultLevel: registry.LogInfo, Events: []registry.EventLogging{{EventType: "Publish-In", Destination: "publishes"}}}}
		})
		expect("with a destination", true)
		if g := groups["publishes"]; g == nil || len(g.lines) != 1 || !strings.Contains(g.lines[0], `"eventType":"Publish-In"`) {
			t.Errorf("the log group of publishes has %+v", g)
		}
		a.change(registry.LoggingChanged, func() { a.logging.Options.DisableAll = true })
		expect("all disabled", false)
		if n := len(groups[Group].lines); n != 3 {
			t.Errorf("%s has %d entries, want 3", Group, n)
		}
		if got := hub.Count(observe.MQTT, observe.PublishIn, observe.Success); got != 8 {
			t.Errorf("%d publishes counted, want 8", got)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		expect("closed", false)
	})
}
