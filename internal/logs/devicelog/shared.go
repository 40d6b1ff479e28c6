package devicelog

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gatehouse-iot/gatehouse/internal/logs"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
)

// shared are the members that the entries of many events have in common. An
// event of device traffic has no text of its own: it is a few pointers.
type shared struct {
	levels   [levelDebug + 1]*logs.Members
	heads    [observe.Kinds][observe.Protocols]*logs.Members // of successes
	retained *logs.Members
	topics   names
	traces   names
}

func newShared(h home) *shared {
	s := &shared{topics: names{member: "topicName"}, traces: names{member: "traceId"}}
	for l, name := range levelNames {
		s.levels[l] = made(func(b *entry) { b.name("logLevel", name) })
	}
	for kind := range s.heads {
		for p := range s.heads[kind] {
			s.heads[kind][p] = made(func(b *entry) { b.head(h, observe.Kind(kind), observe.Success, observe.Protocol(p)) })
		}
	}
	s.retained = made((*entry).retained)
	return s
}

// made returns the members that write writes; nil if there are none.
func made(write func(b *entry)) *logs.Members {
	var b entry
	if write(&b); len(b.json) == 0 {
		return nil
	}
	return logs.NewMembers(string(b.json))
}

// A memo is what is known of a source that messages pass. But for its hints it
// does not change.
type memo struct {
	protocol   observe.Protocol
	traceID    string
	trace, who *logs.Members

	topic, cause atomic.Pointer[name] // of the latest message: mostly that of the next
}

// of returns the memo of a source.
func (s *shared) of(by observe.Source) *memo {
	cell := by.Observed()
	if known := cell.Memo.Load(); known != nil {
		return (*known).(*memo)
	}
	w := by.Who()
	m := &memo{
		protocol: w.Protocol, traceID: w.TraceID, trace: s.traces.get(nil, w.TraceID),
		who: made(func(b *entry) { b.who(w, &observe.Event{}) }),
	}
	var known any = m
	cell.Memo.Store(&known)
	return m
}

// names are the members with one text that many entries share, by the text.
type names struct {
	member string
	shards [16]struct {
		mu    sync.RWMutex
		known map[string]*name
	}
}

type name struct {
	text    string
	members *logs.Members
}

// maxNames is how many texts are known in a shard; beyond, it begins anew.
const maxNames = 2048

// get returns the members of a text; nil of none. latest, if set, is where the
// caller keeps the one that it got last.
func (n *names) get(latest *atomic.Pointer[name], text string) *logs.Members {
	if text == "" {
		return nil
	}
	if latest != nil {
		if l := latest.Load(); l != nil && l.text == text {
			return l.members
		}
	}
	end := len(text) - 1
	shard := &n.shards[(text[end]^text[end/2]*7)%16]
	shard.mu.RLock()
	known := shard.known[text]
	shard.mu.RUnlock()
	if known == nil {
		text = strings.Clone(text)
		known = &name{text, made(func(b *entry) { b.text(n.member, text) })}
		shard.mu.Lock()
		if other := shard.known[text]; other != nil {
			known = other
		} else {
			if shard.known == nil || len(shard.known) >= maxNames {
				shard.known = map[string]*name{}
			}
			shard.known[text] = known
		}
		shard.mu.Unlock()
	}
	if latest != nil {
		latest.Store(known)
	}
	return known.members
}
