package broker

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// A Route is where messages on one topic go: the receivers found in the index, kept until a
// subscription near the topic changes. A publisher keeps the routes of its last few topics.
// A Route is not safe for concurrent use.
type Route struct {
	topic     string
	receivers []receiver
	groups    []groupReceivers
	stored    bool // a session that outlives its connections wants messages at QoS 1
	genAt     *atomic.Uint32
	wildGn    *atomic.Uint32
	gen, wild uint32
}

// NewRoute returns the route of a valid topic name.
func (b *Broker) NewRoute(topic string) *Route { return &Route{topic: topic} }

// Topic returns the topic of the route.
func (r *Route) Topic() string { return r.topic }

// A receiver is one client in a route, with what its matching subscriptions ask for together and
// the decision about iot:Receive, which stands as long as the client's authorization does.
type receiver struct {
	client   *Client  // nil: a session that has no connection; see online
	session  *Session // nil: it ends with the connection
	options  Options
	decided  uint64 // generation of the authorization; 0: not decided
	received bool   // the decision
}

type groupReceivers struct {
	filter  string // with $share/{name}/
	members []receiver
	queue   *sharedQueue // nil without a member that has a stored session
	chosen  *receiver    // for the message that is being published
}

// online tells whether the receiver has a connection now.
func (rc *receiver) online() bool {
	if rc.session == nil {
		return true
	}
	if c := rc.session.live.Load(); c != rc.client {
		rc.client, rc.decided = c, 0 // another connection, another authorization
	}
	return rc.client != nil
}

// isFrom tells whether the receiver is the publisher itself and does not want its own messages.
func (rc *receiver) isFrom(from *Client) bool {
	if !rc.options.NoLocal || from == nil {
		return false
	}
	if rc.session != nil {
		return rc.session == from.session
	}
	return rc.client == from
}

// bySerial compares the subscribers of two receivers.
func bySerial(a, b *receiver) int { return cmp.Compare(a.serial(), b.serial()) }

func (rc *receiver) serial() uint64 {
	if rc.session != nil {
		return rc.session.sub.serial
	}
	return rc.client.own.serial
}

// refresh looks the topic up again if a subscription changed since the last time.
func (r *Route) refresh(b *Broker) {
	if r.genAt != nil && r.gen == r.genAt.Load() && r.wild == r.wildGn.Load() {
		return
	}
	clear(r.receivers)
	m := matches{subs: r.receivers[:0]}
	b.index.match(r.topic, &m)
	r.receivers, r.groups = merge(m.subs), m.groups
	r.stored = false
	for i := range r.receivers {
		r.stored = r.stored || r.receivers[i].storedFor()
	}
	for i := range r.groups {
		r.stored = r.stored || r.groups[i].queue != nil
	}
	r.genAt, r.wildGn, r.gen, r.wild = m.genAt, m.wildGn, m.gen, m.wild
}

// storedFor tells whether QoS 1 messages are stored for the receiver.
func (rc *receiver) storedFor() bool { return rc.session != nil && rc.options.QoS > 0 }

// merge makes one receiver of each client's overlapping subscriptions: one copy at the highest
// granted QoS (mqtt sheet 6.1), kept from the publisher only if every match says No Local.
func merge(list []receiver) []receiver {
	if len(list) < 2 {
		return list
	}
	slices.SortFunc(list, func(a, b receiver) int { return bySerial(&a, &b) })
	kept := list[:1]
	for _, r := range list[1:] {
		last := &kept[len(kept)-1]
		if last.client != r.client || last.session != r.session {
			kept = append(kept, r)
			continue
		}
		last.options.QoS = max(last.options.QoS, r.options.QoS)
		last.options.NoLocal = last.options.NoLocal && r.options.NoLocal
		last.options.RetainAsPublished = last.options.RetainAsPublished || r.options.RetainAsPublished
	}
	clear(list[len(kept):])
	return kept
}
