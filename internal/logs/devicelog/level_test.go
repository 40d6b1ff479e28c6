package devicelog

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/logs"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// who is the client of these tests.
var who = observe.Who{
	TraceID: "5c0d7a41-93be-2f18-7d60-1e9b44a0c3f2", ClientID: "boiler-12", PrincipalID: "7be1c0ffee", Thing: "boiler-12",
	Source: netip.MustParseAddrPort("192.0.2.31:52044"),
}

// TestLevels: which level applies. Source: logs sheet 1.2.
func TestLevels(t *testing.T) {
	configured := func(level registry.LogLevel, events ...registry.EventLogging) registry.Logging {
		return registry.Logging{Configured: true, Options: registry.LoggingOptions{DefaultLevel: level, Events: events}}
	}
	with := func(l registry.Logging, targets ...registry.TargetLevel) registry.Logging {
		l.Levels = targets
		return l
	}
	target := func(kind registry.LogTargetType, name string, level registry.LogLevel) registry.TargetLevel {
		return registry.TargetLevel{Target: registry.LogTarget{Type: kind, Name: name}, Level: level}
	}
	disabled := configured(registry.LogDebug)
	disabled.Options.DisableAll = true
	disabled.Levels = []registry.TargetLevel{target(registry.LogTargetClientID, "boiler-12", registry.LogDebug)}
	const ok, failed = observe.Success, observe.AuthError
	type ask struct {
		kind    observe.Kind
		outcome observe.Outcome
		want    bool
	}
	for name, tt := range map[string]struct {
		logging registry.Logging
		things  map[string]registry.LogLevel
		asks    []ask
	}{
		"never configured: failures": {registry.Logging{}, nil, []ask{
			{observe.Connect, failed, true}, {observe.Connect, ok, false}, {observe.AuthNError, failed, true}, {observe.HandshakeRefused, failed, true}, {observe.Ping, failed, false},
		}},
		"first version alone is a default level": {registry.Logging{Legacy: registry.LegacyLogging{Level: registry.LogInfo}}, nil, []ask{
			{observe.Connect, ok, true}, {observe.Ping, ok, false}, {observe.AuthNError, failed, false},
		}},
		"error": {configured(registry.LogError), nil, []ask{
			{observe.PublishIn, failed, true}, {observe.PublishIn, ok, false}, {observe.HandshakeRefused, failed, true}, {observe.AuthNError, failed, false},
		}},
		"warn is error": {configured(registry.LogWarn), nil, []ask{{observe.PublishIn, failed, true}, {observe.PublishIn, ok, false}}},
		"info": {configured(registry.LogInfo), nil, []ask{
			{observe.PublishIn, ok, true}, {observe.Queued, ok, true}, {observe.Ping, ok, false}, {observe.Ping, failed, false},
		}},
		"debug turns no opt-in type on": {configured(registry.LogDebug), nil, []ask{
			{observe.PublishOut, ok, true}, {observe.Ping, ok, false}, {observe.Ping, failed, false}, {observe.AuthNError, failed, false},
		}},
		"disabled":       {configured(registry.LogDisabled), nil, []ask{{observe.Connect, failed, false}, {observe.HandshakeRefused, failed, false}}},
		"disableAllLogs": {disabled, nil, []ask{{observe.Connect, failed, false}, {observe.PublishIn, ok, false}}},
		"a type has a level of its own": {configured(registry.LogError, registry.EventLogging{EventType: "Ping", Level: registry.LogDebug},
			registry.EventLogging{EventType: "Publish-In", Level: registry.LogDisabled}, registry.EventLogging{EventType: "Connect", Destination: "g"}), nil, []ask{
			{observe.Ping, ok, true}, {observe.PublishIn, failed, false}, {observe.Connect, failed, true}, {observe.Connect, ok, false},
		}},
		"a target beats type and account, opt-in types too": {with(configured(registry.LogDisabled, registry.EventLogging{EventType: "Publish-In", Level: registry.LogDisabled}),
			target(registry.LogTargetClientID, "boiler-12", registry.LogDebug)), nil, []ask{
			{observe.PublishIn, ok, true}, {observe.Ping, ok, true}, {observe.AuthNError, failed, true},
		}},
		"a target can say less": {with(configured(registry.LogDebug), target(registry.LogTargetPrincipalID, "7be1c0ffee", registry.LogError)), nil, []ask{
			{observe.PublishIn, ok, false}, {observe.PublishIn, failed, true},
		}},
		"a target can silence":     {with(configured(registry.LogDebug), target(registry.LogTargetSourceIP, "192.0.2.31", registry.LogDisabled)), nil, []ask{{observe.Connect, failed, false}}},
		"other targets are others": {with(configured(registry.LogError), target(registry.LogTargetClientID, "boiler-13", registry.LogDebug)), nil, []ask{{observe.Connect, ok, false}}},
		"the most verbose target": {with(configured(registry.LogError), target(registry.LogTargetClientID, "boiler-12", registry.LogDisabled),
			target(registry.LogTargetSourceIP, "192.0.2.31", registry.LogInfo)), nil, []ask{{observe.Connect, ok, true}, {observe.Ping, ok, false}}},
		"a thing in a group": {configured(registry.LogError), map[string]registry.LogLevel{"boiler-12": registry.LogDebug}, []ask{{observe.Ping, ok, true}}},
		"a temporary level in front": {with(configured(registry.LogError), target(registry.LogTargetClientID, "boiler-12", registry.LogError),
			registry.TargetLevel{Target: registry.LogTarget{Type: registry.LogTargetClientID, Name: "boiler-12"}, Level: registry.LogDebug, Expires: time.Now().Add(time.Hour)}), nil, []ask{
			{observe.PublishIn, ok, true},
		}},
		"a temporary level of the account": {with(configured(registry.LogError), registry.TargetLevel{Target: registry.LogTarget{Type: registry.LogTargetDefault}, Level: registry.LogInfo}), nil, []ask{
			{observe.PublishIn, ok, true}, {observe.Ping, ok, false},
		}},
		"what is only counted": {configured(registry.LogDebug), nil, []ask{{observe.PublishRetained, ok, false}, {observe.PacketThrottle, failed, false}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSnapshot(1, tt.logging, tt.things)
			by := &observe.Request{Is: who}
			for _, a := range tt.asks {
				for range 2 { // the second time the level is known
					if got := s.wants(by, a.kind, a.outcome); got != a.want {
						t.Errorf("%s, outcome %d: logged %v, want %v", eventKinds[a.kind].name, a.outcome, got, a.want)
					}
				}
			}
		})
	}
}

// TestEventTypes: every kind that is logged can be configured, and the other way round all that is here is known there.
func TestEventTypes(t *testing.T) {
	known := map[string]bool{}
	for _, name := range registry.LogEventTypes {
		known[name] = true
	}
	for kind, k := range eventKinds {
		if k.name != "" && !known[k.name] {
			t.Errorf("kind %d: the registry knows no event type %s", kind, k.name)
		}
	}
}

// TestWantsNoAllocs: deciding that nothing is logged costs no memory, also where targets have levels.
func TestWantsNoAllocs(t *testing.T) {
	for name, levels := range map[string][]registry.TargetLevel{
		"account": nil,
		"targets": {{Target: registry.LogTarget{Type: registry.LogTargetClientID, Name: "boiler-13"}, Level: registry.LogDebug}},
	} {
		l := &Log{}
		l.levels.Store(newSnapshot(1, registry.Logging{Configured: true, Options: registry.LoggingOptions{DefaultLevel: registry.LogError}, Levels: levels}, nil))
		hub := observe.New(l)
		by := &observe.Request{Is: who}
		if n := testing.AllocsPerRun(1000, func() {
			if hub.Seen(by, observe.MQTT, observe.PublishIn, observe.Success) {
				t.Error("it would be logged")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
}

// BenchmarkSeen is what one event costs a publisher: counted, and logged or not.
func BenchmarkSeen(b *testing.B) {
	for _, level := range []registry.LogLevel{registry.LogDisabled, registry.LogError, registry.LogDebug} {
		for name, targets := range map[string][]registry.TargetLevel{
			"account": nil,
			"targets": {{Target: registry.LogTarget{Type: registry.LogTargetClientID, Name: "boiler-13"}, Level: registry.LogDebug}},
		} {
			b.Run("level="+string(level)+"/"+name, func(b *testing.B) {
				l := &Log{home: here, shared: newShared(here)}
				s := newSnapshot(1, registry.Logging{Configured: true, Options: registry.LoggingOptions{DefaultLevel: level}, Levels: targets}, nil)
				for kind := range s.to {
					s.to[kind] = discard{}
				}
				l.levels.Store(s)
				hub := observe.New(l)
				by := &observe.Request{Is: who}
				b.ReportAllocs()
				for b.Loop() {
					if hub.Seen(by, observe.MQTT, observe.PublishIn, observe.Success) {
						hub.Passed(by, observe.Passage{Kind: observe.PublishIn, Time: at, Topic: "boiler/12/state"})
					}
				}
			})
		}
	}
}

type discard struct{}

func (discard) Append(byte, logs.Entry, int) bool { return true }
func (discard) Close() error                      { return nil }
