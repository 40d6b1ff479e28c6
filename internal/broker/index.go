package broker

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// An index finds the subscriptions that match a topic.
//
// Filters whose first two levels hold no wildcard live in one of several shards, chosen by the hash
// of those two levels; all others live in one shard of their own. A topic is thus looked up in two
// tries, each under its own read lock. Every change counts up the generation of the filter's slot,
// so that whoever keeps the result of a look-up (see [Route]) learns that it is out of date without
// a lock, and without hearing of changes to unrelated filters.
type index struct {
	seed   maphash.Seed
	shards [indexShards]shard
	wild   shard
	gens   [indexGenerations]atomic.Uint32 // by hash of the first two levels
	wildGn atomic.Uint32

	subscriptions atomic.Int64
	groups        atomic.Int64
}

const (
	indexShards      = 64   // power of two
	indexGenerations = 1024 // power of two
)

type shard struct {
	mu   sync.RWMutex
	root node // guarded by mu, with every node below it and the position of every subscription
}

// A node is one level of filters. Children are a sorted slice while they are few and a map above.
type node struct {
	parent *node
	level  string
	few    []*node          // sorted by level; nil once many is in use
	many   map[string]*node // nil while few is in use
	plus   *node            // the child "+"
	hash   *node            // the child "#"
	subs   []*subscription
	groups []*group
}

const fewChildren = 8

// A subscription ties a subscriber to a filter. Its fields are guarded by the lock of its shard.
type subscription struct {
	owner   *subscriber
	filter  string // as sent, with $share/{name}/
	options Options
	shard   *shard
	node    *node
	group   *group // nil for an ordinary subscription
	pos     int    // in node.subs or group.members
}

// A group is a shared subscription: its members get one copy of each message between them.
// Its key is the share name and the filter, and the filter is its place in the trie.
type group struct {
	name    string
	members []*subscription
	queue   *sharedQueue // nil without a member that has a stored session
}

func newIndex() *index { return &index{seed: maphash.MakeSeed()} }

// add puts a subscription of u to filter into the index. The caller made sure that u has none yet.
func (x *index) add(u *subscriber, filter string, o Options) *subscription {
	share, plain := SplitShare(filter)
	s := &subscription{owner: u, filter: filter, options: o}
	sh, gen := x.place(plain)
	s.shard = sh
	sh.mu.Lock()
	n := &sh.root
	for rest, more := plain, true; more; {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		n = n.child(level)
	}
	s.node = n
	if share == "" {
		s.pos = len(n.subs)
		n.subs = append(n.subs, s)
	} else {
		if s.group = n.share(share); len(s.group.members) == 0 {
			x.groups.Add(1)
		}
		s.pos = len(s.group.members)
		s.group.members = append(s.group.members, s)
		if u.session != nil && s.group.queue == nil {
			s.group.queue = newSharedQueue(u.broker, s.group, sh, plain)
		}
	}
	x.subscriptions.Add(1)
	gen.Add(1) // before the unlock: a look-up that missed s has the old generation
	sh.mu.Unlock()
	return s
}

// change replaces the options of s.
func (x *index) change(s *subscription, o Options) {
	_, plain := SplitShare(s.filter)
	_, gen := x.place(plain)
	s.shard.mu.Lock()
	s.options = o
	gen.Add(1)
	s.shard.mu.Unlock()
}

// remove takes s out of the index and prunes the levels that nobody needs any more.
func (x *index) remove(s *subscription) {
	_, plain := SplitShare(s.filter)
	_, gen := x.place(plain)
	s.shard.mu.Lock()
	n := s.node
	if s.group == nil {
		n.subs = swapOut(n.subs, s)
	} else if s.group.members = swapOut(s.group.members, s); len(s.group.members) == 0 {
		x.groups.Add(-1)
		if s.group.queue != nil {
			s.group.queue.end()
		}
		n.groups = slices.DeleteFunc(n.groups, func(g *group) bool { return g == s.group })
	}
	x.subscriptions.Add(-1)
	for n.parent != nil && n.empty() {
		n.parent.drop(n)
		n = n.parent
	}
	gen.Add(1)
	s.shard.mu.Unlock()
}

// swapOut removes s from list by moving the last element to its place.
func swapOut(list []*subscription, s *subscription) []*subscription {
	last := len(list) - 1
	list[s.pos] = list[last]
	list[s.pos].pos = s.pos
	list[last] = nil
	return list[:last]
}

// place tells where a filter without share prefix lives, and which generation its changes count up.
func (x *index) place(filter string) (*shard, *atomic.Uint32) {
	head := firstLevels(filter)
	if strings.ContainsAny(head, "+#") {
		return &x.wild, &x.wildGn
	}
	h := maphash.String(x.seed, head)
	return &x.shards[h%indexShards], &x.gens[h/indexShards%indexGenerations]
}

// firstLevels returns the first two levels of a topic or filter, or all of a shorter one.
func firstLevels(s string) string {
	if i := strings.IndexByte(s, '/'); i >= 0 {
		if j := strings.IndexByte(s[i+1:], '/'); j >= 0 {
			return s[:i+1+j]
		}
	}
	return s
}

// match appends the subscriptions and groups that match topic to m. What it appends is read under
// the locks, so that m holds copies, not references to guarded fields.
func (x *index) match(topic string, m *matches) {
	h := maphash.String(x.seed, firstLevels(topic))
	m.genAt, m.wildGn = &x.gens[h/indexShards%indexGenerations], &x.wildGn
	m.gen, m.wild = m.genAt.Load(), m.wildGn.Load() // before the look-up: an addition during it makes the result stale
	sh := &x.shards[h%indexShards]
	sh.mu.RLock()
	sh.root.match(topic, true, m)
	sh.mu.RUnlock()
	x.wild.mu.RLock()
	x.wild.root.match(topic, topic == "" || topic[0] != '$', m)
	x.wild.mu.RUnlock()
}

// match walks down the levels of topic. Wildcards count only if wild is true: a filter that begins
// with one never matches a topic that begins with $. "#" needs at least one level of its own:
// sensor/# matches "sensor/" but not "sensor". Source: mqtt sheet 1.
func (n *node) match(topic string, wild bool, m *matches) {
	if wild && n.hash != nil {
		m.add(n.hash)
	}
	level, rest, more := strings.Cut(topic, "/")
	if c := n.find(level); c != nil {
		if more {
			c.match(rest, true, m)
		} else {
			m.add(c)
		}
	}
	if wild && n.plus != nil {
		if more {
			n.plus.match(rest, true, m)
		} else {
			m.add(n.plus)
		}
	}
}

// matches collects what one look-up found.
type matches struct {
	subs   []receiver
	groups []groupReceivers
	genAt  *atomic.Uint32
	wildGn *atomic.Uint32
	gen    uint32
	wild   uint32
}

func (m *matches) add(n *node) {
	for _, s := range n.subs {
		m.subs = append(m.subs, receiver{client: s.owner.client, session: s.owner.session, options: s.options})
	}
	for _, g := range n.groups {
		m.groups = append(m.groups, g.receivers())
	}
}

// receivers copies what a look-up needs. A group has a member.
func (g *group) receivers() groupReceivers {
	members := make([]receiver, len(g.members))
	for i, s := range g.members {
		members[i] = receiver{client: s.owner.client, session: s.owner.session, options: s.options}
	}
	return groupReceivers{filter: g.members[0].filter, members: members, queue: g.queue}
}

// lookup calls f with the group of a shared filter, $share/{name}/{filter}, under the lock that
// guards it, if there is one.
func (x *index) lookup(shared string, f func(*group)) {
	name, filter := SplitShare(shared)
	sh, _ := x.place(filter)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	n := &sh.root
	for rest, more := filter, true; more && n != nil; {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		switch level {
		case "+":
			n = n.plus
		case "#":
			n = n.hash
		default:
			n = n.find(level)
		}
	}
	if n == nil {
		return
	}
	for _, g := range n.groups {
		if g.name == name {
			f(g)
		}
	}
}

// find returns the literal child for level, or nil.
func (n *node) find(level string) *node {
	if n.many != nil {
		return n.many[level]
	}
	for _, c := range n.few {
		if c.level == level {
			return c
		}
	}
	return nil
}

// child returns the child for a level of a filter and makes it if there is none.
func (n *node) child(level string) *node {
	switch level {
	case "+":
		if n.plus == nil {
			n.plus = &node{parent: n, level: level}
		}
		return n.plus
	case "#":
		if n.hash == nil {
			n.hash = &node{parent: n, level: level}
		}
		return n.hash
	}
	if c := n.find(level); c != nil {
		return c
	}
	c := &node{parent: n, level: level}
	switch {
	case n.many != nil:
		n.many[level] = c
	case len(n.few) < fewChildren:
		n.few = append(n.few, c)
	default:
		n.many = make(map[string]*node, 2*fewChildren)
		for _, f := range n.few {
			n.many[f.level] = f
		}
		n.many[level] = c
		n.few = nil
	}
	return c
}

// share returns the group with the given name at n and makes it if there is none.
func (n *node) share(name string) *group {
	for _, g := range n.groups {
		if g.name == name {
			return g
		}
	}
	g := &group{name: name}
	n.groups = append(n.groups, g)
	return g
}

// drop removes the child c.
func (n *node) drop(c *node) {
	switch {
	case n.plus == c:
		n.plus = nil
	case n.hash == c:
		n.hash = nil
	case n.many != nil:
		delete(n.many, c.level)
		if len(n.many) == 0 {
			n.many = nil
		}
	default:
		n.few = slices.DeleteFunc(n.few, func(f *node) bool { return f == c })
	}
}

func (n *node) empty() bool {
	return len(n.subs) == 0 && len(n.groups) == 0 && len(n.few) == 0 && len(n.many) == 0 && n.plus == nil && n.hash == nil
}

// SplitShare splits "$share/{name}/{filter}" into the name and the filter. Of any other filter the
// name is empty. Source: mqtt sheet 10.
func SplitShare(filter string) (name, plain string) {
	if rest, ok := strings.CutPrefix(filter, "$share/"); ok {
		if name, plain, ok := strings.Cut(rest, "/"); ok && name != "" {
			return name, plain
		}
	}
	return "", filter
}
