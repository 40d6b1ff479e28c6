package devicelog

import (
	"cmp"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/logs"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
)

// shared are the members that the entries of many events have in common. An
// event of device traffic has no text of its own: it is a few pointers.
type shared struct {
	levels   [levelDebug + 1]*logs.Members
	heads    [2][observe.Kinds][observe.Protocols]*logs.Members // of successes, and of failures
	retained *logs.Members
	topics   names
	traces   names
	failures failures
	bodies   bodies
}

func newShared(h home) *shared {
	s := &shared{topics: names{member: "topicName"}, traces: names{member: "traceId"}}
	for l, name := range levelNames {
		s.levels[l] = made(func(b *entry) { b.name("logLevel", name) })
	}
	for kind := range observe.Kinds {
		for p := range observe.Protocols {
			s.heads[0][kind][p] = made(func(b *entry) { b.head(h, kind, observe.Success, p) })
			s.heads[1][kind][p] = made(func(b *entry) { b.head(h, kind, observe.ClientError, p) })
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

	in, out      atomic.Pointer[passed] // the latest passage each way: mostly the next one is like it
	topic, cause atomic.Pointer[name]   // of the latest message
	failure      atomic.Pointer[failure]
}

// head is what entries of an outcome are about.
func (s *shared) head(kind observe.Kind, o observe.Outcome, p observe.Protocol) *logs.Members {
	if o == observe.Success {
		return s.heads[0][kind][p]
	}
	return s.heads[1][kind][p]
}

// A passed is what the entries of like passages of a source say.
type passed struct {
	like    observe.Passage // its texts are its own
	traceID string          // of the entries
	body    *logs.Body
}

// covers reports whether a passage of the source differs in its time only.
func (k *passed) covers(p *observe.Passage) bool {
	like := &k.like
	return like.Kind == p.Kind && like.Outcome == p.Outcome && like.Retain == p.Retain && like.Check == p.Check && like.Topic == p.Topic && like.TraceID == p.TraceID
}

// bodies are those of passages by their members, for sources whose passages take turns.
type bodies struct {
	shards [16]struct {
		mu    sync.RWMutex
		known map[[logs.MaxParts]*logs.Members]*passed
	}
}

// maxBodies is how many are known in a shard; beyond, it begins anew.
const maxBodies = 512

// passed returns what the entry of a passage says. m is what is known of the source.
func (s *shared) passed(h home, by observe.Source, m *memo, p *observe.Passage) *passed {
	latest := &m.in
	if p.Kind == observe.PublishOut {
		latest = &m.out
	}
	if k := latest.Load(); k != nil && k.covers(p) {
		return k
	}
	members := [logs.MaxParts]*logs.Members{
		s.levels[importance(p.Kind, p.Outcome)], m.trace, s.head(p.Kind, p.Outcome, m.protocol), s.topics.get(&m.topic, p.Topic), m.who,
	}
	if p.TraceID != "" {
		members[1] = s.traces.get(&m.cause, p.TraceID)
	}
	switch {
	case p.Outcome != observe.Success:
		members[5] = s.failure(h, by, m, p)
	case p.Retain:
		members[5] = s.retained
	}
	traceID := cmp.Or(p.TraceID, m.traceID)
	shard := &s.bodies.shards[lastOf(traceID)%16]
	shard.mu.RLock()
	known := shard.known[members]
	shard.mu.RUnlock()
	if known == nil {
		known = &passed{like: *p, traceID: strings.Clone(traceID), body: logs.NewBody(members)}
		known.like.Topic, known.like.TraceID = strings.Clone(p.Topic), strings.Clone(p.TraceID)
		shard.mu.Lock()
		if other := shard.known[members]; other != nil {
			known = other
		} else {
			if shard.known == nil || len(shard.known) >= maxBodies {
				shard.known = map[[logs.MaxParts]*logs.Members]*passed{}
			}
			shard.known[members] = known
		}
		shard.mu.Unlock()
	}
	latest.Store(known)
	return known
}

// lastOf is the last byte of a text; 0 if it is empty.
func lastOf(text string) byte {
	if text == "" {
		return 0
	}
	return text[len(text)-1]
}

// A failure is why messages of a topic failed.
type failure struct {
	outcome observe.Outcome
	check   *check.Check
	topic   string
	members *logs.Members
}

// failures are their members by the text: most are the same for all receivers.
type failures struct {
	mu    sync.Mutex
	known map[string]*logs.Members
}

// failure returns the members that say why a message failed.
func (s *shared) failure(h home, by observe.Source, m *memo, p *observe.Passage) *logs.Members {
	if l := m.failure.Load(); l != nil && l.check == p.Check && l.outcome == p.Outcome && l.topic == p.Topic {
		return l.members
	}
	b := buffers.Get().(*entry)
	defer buffers.Put(b)
	b.json = b.json[:0]
	w, e := by.Who(), observe.Event{Kind: p.Kind, Outcome: p.Outcome, Topic: p.Topic, Check: p.Check}
	b.failure(h, w, &e)
	b.end(h, w, &e)
	f := &s.failures
	f.mu.Lock()
	members := f.known[string(b.json)]
	if members == nil {
		if f.known == nil || len(f.known) >= maxNames {
			f.known = map[string]*logs.Members{}
		}
		text := string(b.json)
		members = logs.NewMembers(text)
		f.known[text] = members
	}
	f.mu.Unlock()
	m.failure.Store(&failure{p.Outcome, p.Check, strings.Clone(p.Topic), members})
	return members
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
