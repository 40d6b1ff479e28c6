package devicelog

import (
	"net/netip"

	"github.com/gatehouse-iot/gatehouse/internal/observe"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// A level is how much is logged, or how important an event is: an event is
// logged where its level is at most that in force. 0 logs nothing.
type level uint8

const (
	disabled level = iota
	levelError
	levelWarn
	levelInfo
	levelDebug
)

var levelOf = map[registry.LogLevel]level{
	registry.LogDisabled: disabled, registry.LogError: levelError, registry.LogWarn: levelWarn,
	registry.LogInfo: levelInfo, registry.LogDebug: levelDebug,
}

var levelNames = [...]string{disabled: "DISABLED", levelError: "ERROR", levelWarn: "WARN", levelInfo: "INFO", levelDebug: "DEBUG"}

// never is the level of what is no log event.
const never level = 255

// An eventKind is how AWS logs one kind of event. Source: logs sheet 3.2.
type eventKind struct {
	name    string
	success level // of an entry about a success
}

var eventKinds = [observe.Kinds]eventKind{
	observe.Connect:              {"Connect", levelInfo},
	observe.Disconnect:           {"Disconnect", levelInfo},
	observe.Ping:                 {"Ping", levelDebug},
	observe.AuthNError:           {"Connection.AuthNError", never},
	observe.PublishIn:            {"Publish-In", levelInfo},
	observe.PublishOut:           {"Publish-Out", levelInfo},
	observe.Queued:               {"Queued", levelInfo},
	observe.Subscribe:            {"Subscribe", levelInfo},
	observe.Unsubscribe:          {"Unsubscribe", levelInfo},
	observe.GetRetainedMessage:   {"GetRetainedMessage", levelInfo},
	observe.ListRetainedMessages: {"ListRetainedMessage", levelInfo},
	observe.DeleteConnection:     {"DeleteConnection", levelInfo},
	observe.GetConnection:        {"GetConnection", levelInfo},
	observe.ListSubscriptions:    {"ListSubscriptions", levelInfo},
	observe.SendDirectMessage:    {"SendDirectMessage", levelInfo},
	observe.RuleNotFound:         {"RuleNotFound", never},
	observe.HandshakeRefused:     {registry.OwnLogEvents + "ConnectionRefused", never},
}

// importance is the level of an event: a failure is an ERROR.
func importance(kind observe.Kind, outcome observe.Outcome) level {
	switch {
	case eventKinds[kind].name == "": // counted only
		return never
	case outcome != observe.Success:
		return levelError
	}
	return eventKinds[kind].success
}

// A snapshot is all that decides whether an event is logged, and where. It never changes.
type snapshot struct {
	generation uint64
	byKind     [observe.Kinds]level  // where no target decides
	to         [observe.Kinds]output // where its entries go

	targets    bool // any of the following
	clients    map[string]level
	principals map[string]level
	sources    map[netip.Addr]level
	things     map[string]level // that are in a thing group with a level
}

// newSnapshot compiles the registry's settings. things are those that levels of
// thing groups reach. Source: logs sheet 1.2.
func newSnapshot(generation uint64, l registry.Logging, things map[string]registry.LogLevel) *snapshot {
	s := &snapshot{generation: generation, clients: map[string]level{}, principals: map[string]level{}, sources: map[netip.Addr]level{}, things: map[string]level{}}
	if l.Configured && l.Options.DisableAll {
		return s
	}
	options := effectiveOptions(l)
	for _, t := range l.Levels { // a temporary one comes after the lasting one of its target
		at := levelOf[t.Level]
		switch t.Target.Type {
		case registry.LogTargetDefault:
			options.DefaultLevel = t.Level
		case registry.LogTargetClientID:
			s.clients[t.Target.Name] = at
		case registry.LogTargetPrincipalID:
			s.principals[t.Target.Name] = at
		case registry.LogTargetSourceIP:
			if ip, err := netip.ParseAddr(t.Target.Name); err == nil {
				s.sources[ip] = at
			}
		case registry.LogTargetThingGroup: // in things
		}
	}
	for name, at := range things {
		s.things[name] = levelOf[at]
	}
	s.targets = len(s.clients)+len(s.principals)+len(s.sources)+len(s.things) > 0
	for kind := range eventKinds {
		s.byKind[kind] = levelOf[options.TypeLevel(eventKinds[kind].name)]
	}
	return s
}

// effectiveOptions are the options that apply. Until an account sets some, AWS
// logs nothing; a gateway that explains refusals must not, so here failures are
// logged, also those of authentication. Options of the first version alone
// count as a default level. Source: logs sheet 1.1, 1.3.
func effectiveOptions(l registry.Logging) registry.LoggingOptions {
	switch {
	case l.Configured:
		return l.Options
	case l.Legacy.Level != "":
		return registry.LoggingOptions{DefaultLevel: l.Legacy.Level}
	}
	return registry.LoggingOptions{
		DefaultLevel: registry.LogError,
		Events:       []registry.EventLogging{{EventType: "Connection.AuthNError", Level: registry.LogError}},
	}
}

// wants decides about one event: the levels of targets come first.
func (s *snapshot) wants(by observe.Source, kind observe.Kind, outcome observe.Outcome) bool {
	need := importance(kind, outcome)
	if s.targets {
		cell := &by.Observed().Level
		v := cell.Load()
		if v>>8 != s.generation {
			v = s.generation<<8 | uint64(s.resolve(by.Who()))
			cell.Store(v)
		}
		if at := uint8(v); at > 0 {
			return need <= level(at-1)
		}
	}
	return need <= s.byKind[kind]
}

// resolve returns 1 + the level of the targets that match, the most verbose of
// them, or 0 if none does. Source: logs sheet 1.2.
func (s *snapshot) resolve(w observe.Who) (at uint8) {
	match := func(l level, ok bool) {
		if ok {
			at = max(at, uint8(l)+1)
		}
	}
	l, ok := s.clients[w.ClientID]
	match(l, ok && w.ClientID != "")
	l, ok = s.principals[w.PrincipalID]
	match(l, ok && w.PrincipalID != "")
	l, ok = s.sources[w.Source.Addr()]
	match(l, ok)
	thing := w.Thing
	if thing == "" {
		thing = w.ClientID // a client that is named as a thing belongs to it
	}
	l, ok = s.things[thing]
	match(l, ok && thing != "")
	return at
}

// verbose is the more verbose of two levels.
func verbose(a, b registry.LogLevel) registry.LogLevel {
	if levelOf[b] > levelOf[a] {
		return b
	}
	return a
}
