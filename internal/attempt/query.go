package attempt

import (
	"context"
	"slices"
	"strings"
)

// List returns at most n attempts that match f and come after the cursor, the
// latest event first: live ones, ended ones on their way to the store, and
// stored ones. more says that there are others. A live attempt or a growing
// flood moves up while somebody pages, and may then be seen twice or not again.
func (r *Recorder) List(ctx context.Context, f Filter, after Cursor, n int) (records []Record, more bool, err error) {
	if _, id, ok := strings.Cut(f.Principal, ":cert/"); ok {
		f.Principal = id // a certificate is known by its ID also where it has no ARN yet
	}
	found := r.inMemory(f, after, n+1)
	stored, err := r.cfg.Store.List(ctx, f, after, n+1)
	if err != nil {
		return nil, false, err
	}
	for _, rec := range stored {
		if known, both := found[rec.ID]; !both || known.Last.Before(rec.Last) {
			found[rec.ID] = rec
		}
	}
	merged := make([]Record, 0, len(found))
	for _, rec := range found {
		merged = append(merged, rec)
	}
	records = firstAfter(merged, after, n+1)
	if len(records) > n {
		return records[:n], true, nil
	}
	return records, len(stored) > n, nil
}

// inMemory returns what is live, at most n of it, or on its way to the store.
func (r *Recorder) inMemory(f Filter, after Cursor, n int) map[string]Record {
	found := map[string]Record{}
	r.mu.Lock()
	live := make([]*Attempt, 0, len(r.live))
	for _, a := range r.live {
		live = append(live, a)
	}
	for _, waiting := range []map[string]Record{r.writing, r.pending} { // pending is newer
		for id, rec := range waiting {
			delete(found, id)
			if f.matches(rec) {
				found[id] = rec
			}
		}
	}
	r.mu.Unlock()
	// There can be very many live attempts: copy only those that can be listed.
	type place struct {
		Cursor
		a *Attempt
	}
	var places []place
	for _, a := range live {
		if c, ok := a.place(f); ok && (after == Cursor{} || c.compare(after) > 0) {
			places = append(places, place{c, a})
		}
	}
	slices.SortFunc(places, func(a, b place) int { return a.compare(b.Cursor) })
	for _, p := range places[:min(n, len(places))] {
		if _, ended := found[p.ID]; !ended {
			found[p.ID] = p.a.snapshot()
		}
	}
	return found
}

// place returns where the attempt stands in a list, if f chooses it.
func (a *Attempt) place(f Filter) (Cursor, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return cursorOf(a.record), f.matches(a.record)
}

// Get returns the attempt with that trace ID: itself, or the record that it was
// counted in.
func (r *Recorder) Get(ctx context.Context, id string) (rec Record, found bool, err error) {
	r.mu.Lock()
	if record, merged := r.floods.aliases.get(id); merged {
		id = record
	}
	a := r.live[id]
	rec, found = r.pending[id]
	if !found {
		rec, found = r.writing[id]
	}
	r.mu.Unlock()
	if a != nil {
		return a.snapshot(), true, nil
	}
	if found {
		return rec, true, nil
	}
	return r.cfg.Store.Get(ctx, id)
}
