package policy

import (
	"strings"
	"sync/atomic"
)

// A Named is a document as one principal meets it. Only default versions count;
// choosing them is the caller's part.
type Named struct {
	Name    string
	Version string // version ID, "" where it has none
	ARN     string // "" where it has none
	Source  string // why it applies: SourceCertificate, SourceGroup+name, SourceAuthorizer
	Doc     *Document
}

// Sources of a document. Documents of a group count only where the connection
// belongs to a thing: policy sheet 8.3.
const (
	SourceCertificate = "certificate"
	SourceCognito     = "cognito"
	SourceUser        = "user"   // of an access key
	SourceGroup       = "group:" // followed by the group's name
	SourceAuthorizer  = "authorizer"
)

// applies reports whether the document counts for ctx.
func (n *Named) applies(ctx *Context) bool {
	if !strings.HasPrefix(n.Source, SourceGroup) {
		return true
	}
	return ctx.ConnectionThing() != nil || groupsOverHTTP && ctx.Protocol == HTTP
}

// A Set is the union of the documents of a principal. It is immutable; many
// goroutines may use it at once.
type Set struct {
	docs []Named
}

// Compile joins docs, whose order does not matter to any decision. Documents
// carry their compiled form since [Parse], so that this is cheap.
func Compile(docs ...Named) *Set {
	s := &Set{docs: make([]Named, 0, len(docs))}
	for _, d := range docs {
		if d.Doc != nil {
			s.docs = append(s.docs, d)
		}
	}
	return s
}

// Policies returns the documents of the set.
func (s *Set) Policies() []Named { return s.docs }

// Bound is a set whose variables and conditions are resolved for one context.
// Many goroutines may use it at once.
type Bound struct {
	set    *Set
	ctx    *Context
	tables [numActions]atomic.Pointer[table]
}

// Bind resolves variables and conditions of s for ctx. It costs little: the
// work is done per action, when that action is first asked for.
func (s *Set) Bind(ctx *Context) *Bound { return &Bound{set: s, ctx: ctx} }

// Decide answers whether action is allowed on name: the client ID, topic, topic
// filter, thing or role alias, without its type. For ListRetainedMessages name
// is ignored; for an action that is not listed it is the whole resource part
// ("dimension/x"). It does not allocate for listed actions once each was asked
// for, and does not keep name.
func (b *Bound) Decide(action Action, name string) Effect {
	i := action.index()
	if i == unknownAction {
		return b.buildTable(action, "", 0).decide(name, b, action)
	}
	t := b.tables[i].Load()
	if t == nil {
		t = b.buildTable(action, actionTable[i].prefix, 1<<i)
		b.tables[i].Store(t)
	}
	return t.decide(name, b, action)
}

// A table answers for one action of a Bound. Its patterns speak of names alone:
// the ARN around them was compared when it was built.
type table struct {
	deny, allow matcher
	changing    []*Statement // evaluated anew each time, since they depend on the clock
}

// A matcher holds what the statements of one effect cover.
type matcher struct {
	all      bool
	globs    []glob
	exact    map[string]struct{} // literal names, once they are many
	inverses [][]glob            // NotResource: what each does not cover
}

// manyExact is the number of literal names from which a map is faster.
const manyExact = 8

func (b *Bound) buildTable(action Action, prefix string, bit uint32) *table {
	t := &table{}
	for d := range b.set.docs {
		doc := &b.set.docs[d]
		if !doc.applies(b.ctx) {
			continue
		}
	statements:
		for i := range doc.Doc.Statements {
			s := &doc.Doc.Statements[i]
			switch {
			case bit != 0 && s.mask&bit == 0, bit == 0 && !s.hasAction(action):
				continue
			case s.changes:
				t.changing = append(t.changing, s)
				continue
			}
			for c := range s.Conditions {
				if !s.Conditions[c].holds(b.ctx, action) {
					continue statements
				}
			}
			m := &t.allow
			if s.Effect == ExplicitDeny {
				m = &t.deny
			}
			m.add(s, b.ctx, action, prefix)
		}
	}
	t.allow.index()
	t.deny.index()
	return t
}

// add puts the resources of s into m.
func (m *matcher) add(s *Statement, ctx *Context, action Action, prefix string) {
	globs := m.globs
	if s.NotResource {
		globs = nil
	}
	for i := range s.resources {
		p := &s.resources[i]
		switch {
		case p.any && s.NotResource:
			return // excludes everything
		case p.any:
			m.all = true
			return
		case action == ListRetainedMessages || !p.headMatches(ctx):
			continue
		}
		text, ok := p.resolve(ctx, action)
		if !ok {
			continue
		}
		globs = appendResiduals(globs, text, prefix)
	}
	switch {
	case !s.NotResource:
		m.globs = globs
	case len(globs) == 0:
		m.all = true
	default:
		m.inverses = append(m.inverses, globs)
	}
}

// index moves literal names to a map where that pays.
func (m *matcher) index() {
	if m.all {
		*m = matcher{all: true}
		return
	}
	exact := 0
	for _, g := range m.globs {
		if g.exact() {
			exact++
		}
	}
	if exact < manyExact {
		return
	}
	m.exact = make(map[string]struct{}, exact)
	rest := make([]glob, 0, len(m.globs)-exact)
	for _, g := range m.globs {
		if g.exact() {
			m.exact[g.prefix] = struct{}{}
		} else {
			rest = append(rest, g)
		}
	}
	m.globs = rest
}

func (m *matcher) match(name string) bool {
	if m.all {
		return true
	}
	if m.exact != nil {
		if _, ok := m.exact[name]; ok {
			return true
		}
	}
	for i := range m.globs {
		if m.globs[i].match(name) {
			return true
		}
	}
	for _, excluded := range m.inverses {
		if !matchAny(excluded, name) {
			return true
		}
	}
	return false
}

func matchAny(globs []glob, name string) bool {
	for i := range globs {
		if globs[i].match(name) {
			return true
		}
	}
	return false
}

func (t *table) decide(name string, b *Bound, action Action) Effect {
	if t.deny.match(name) {
		return ExplicitDeny
	}
	effect := ImplicitDeny
	if t.allow.match(name) {
		effect = Allow
	}
	if t.changing != nil {
		r := b.request(action, name)
		for _, s := range t.changing {
			if s.covers(&r, b.ctx) && s.conditionsHold(b.ctx, action) {
				effect = max(effect, s.Effect)
			}
		}
	}
	return effect
}
