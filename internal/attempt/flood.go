package attempt

import (
	"container/list"
	"net/netip"
	"time"
)

const (
	floodWindow  = 10 * time.Minute // identical refusals closer than this are one record
	floodEntries = 4096             // records that can still grow
	floodAliases = 16384            // trace IDs of merged attempts that can still be asked for
	sourceMost   = 256              // records that one source may start in a window; beyond, client IDs and principals no longer tell them apart
)

// floodKey says when two refusals are identical.
type floodKey struct {
	source    netip.Addr
	principal string
	code      string
	clientID  string
}

// flood is a record that identical refusals are counted in.
type flood struct {
	key   floodKey
	id    string
	began time.Time
	last  time.Time
	count int
}

// source counts the records that one network has started.
type source struct {
	network netip.Prefix
	since   time.Time
	records int
}

// floods finds identical refusals in bounded memory. Its caller locks.
type floods struct {
	entries lru[floodKey, *flood]
	sources lru[netip.Prefix, *source]
	aliases lru[string, string] // trace ID of a merged attempt -> ID of its record
}

func newFloods() floods {
	return floods{
		entries: newLRU[floodKey, *flood](floodEntries),
		sources: newLRU[netip.Prefix, *source](floodEntries),
		aliases: newLRU[string, string](floodAliases),
	}
}

// merge makes rec the newest state of the record of its kind, and says whether
// there was one: ID, begin and count are that record's, all else is rec's.
func (f *floods) merge(rec *Record) bool {
	principal := rec.Principal
	if principal == "" {
		principal = rec.CertificateID
	}
	key := floodKey{source: rec.Source.Addr(), principal: principal, code: rec.Code, clientID: rec.ClientID}
	entry, found := f.recent(key, rec.Last)
	if !found && f.crowded(rec.Source.Addr(), rec.Last) {
		key.principal, key.clientID = "", ""
		entry, found = f.recent(key, rec.Last)
	}
	if !found {
		f.entries.put(key, &flood{key: key, id: rec.ID, began: rec.Began, last: rec.Last, count: 1})
		return false
	}
	f.aliases.put(rec.ID, entry.id)
	entry.count++
	entry.last = rec.Last
	rec.ID, rec.Began, rec.Count = entry.id, entry.began, entry.count
	return true
}

func (f *floods) recent(key floodKey, now time.Time) (*flood, bool) {
	entry, ok := f.entries.get(key)
	if !ok || now.Sub(entry.last) > floodWindow {
		return nil, false
	}
	return entry, true
}

// crowded counts one more record of the source and says whether it has too many.
// A network is one IPv4 address or one IPv6 /64, which is what one site has.
func (f *floods) crowded(addr netip.Addr, now time.Time) bool {
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	network, _ := addr.Prefix(bits)
	s, ok := f.sources.get(network)
	if !ok || now.Sub(s.since) > floodWindow {
		s = &source{network: network, since: now}
		f.sources.put(network, s)
	}
	s.records++
	return s.records > sourceMost
}

// lru is a map that forgets what was not used for longest.
type lru[K comparable, V any] struct {
	most  int
	items map[K]*list.Element
	order *list.List // of lruItem, the newest in front
}

type lruItem[K comparable, V any] struct {
	key   K
	value V
}

func newLRU[K comparable, V any](most int) lru[K, V] {
	return lru[K, V]{most: most, items: map[K]*list.Element{}, order: list.New()}
}

func (l *lru[K, V]) get(key K) (value V, ok bool) {
	e, ok := l.items[key]
	if !ok {
		return value, false
	}
	l.order.MoveToFront(e)
	return e.Value.(lruItem[K, V]).value, true
}

func (l *lru[K, V]) put(key K, value V) {
	if e, ok := l.items[key]; ok {
		e.Value = lruItem[K, V]{key, value}
		l.order.MoveToFront(e)
		return
	}
	l.items[key] = l.order.PushFront(lruItem[K, V]{key, value})
	if len(l.items) > l.most {
		oldest := l.order.Back()
		l.order.Remove(oldest)
		delete(l.items, oldest.Value.(lruItem[K, V]).key)
	}
}
