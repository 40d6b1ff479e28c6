package attempt

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// Store keeps the records of ended attempts. It is safe for concurrent use.
type Store interface {
	// Write adds records, or replaces those with the same ID, all or none.
	Write(ctx context.Context, records []Record) error
	// List returns at most n records that match f and come after the cursor,
	// the latest first.
	List(ctx context.Context, f Filter, after Cursor, n int) ([]Record, error)
	// Get returns the record of that ID, if there is one.
	Get(ctx context.Context, id string) (rec Record, found bool, err error)
	// Prune removes records whose latest event is before oldest, and the oldest
	// ones beyond most.
	Prune(ctx context.Context, oldest time.Time, most int) error
	Close() error
}

// Filter chooses attempts. An empty field chooses all.
type Filter struct {
	ClientID  string // or a thing name, of an attempt that did not come to its CONNECT
	Principal string // a principal, its ARN or a certificate ID
	SourceIP  string
	Outcome   Outcome
	Code      string    // of any check that did not pass
	Since     time.Time // latest event at or after
	Until     time.Time // latest event before
}

// matches says whether rec is chosen.
func (f Filter) matches(rec Record) bool {
	switch {
	case f.ClientID != "" && rec.searchName() != f.ClientID,
		f.Principal != "" && f.Principal != rec.Principal && f.Principal != rec.PrincipalARN && f.Principal != rec.CertificateID,
		f.SourceIP != "" && (!rec.Source.IsValid() || rec.Source.Addr().String() != f.SourceIP),
		f.Outcome != "" && rec.Outcome != f.Outcome,
		f.Code != "" && !slices.Contains(rec.codes(), f.Code),
		!f.Since.IsZero() && rec.Last.Before(f.Since),
		!f.Until.IsZero() && !rec.Last.Before(f.Until):
		return false
	}
	return true
}

// searchName is the client ID, or the thing name of a device that was refused
// before it could say its client ID.
func (r Record) searchName() string { return cmp.Or(r.ClientID, r.Thing) }

// codes lists the checks that did not pass, each once.
func (r Record) codes() []string {
	var codes []string
	for _, s := range r.Steps {
		if s.Outcome != Passed && !slices.Contains(codes, s.Check.Code) {
			codes = append(codes, s.Check.Code)
		}
	}
	return codes
}

// Cursor is a place in a list of attempts, which runs from the latest event to
// the earliest. The zero Cursor is its start.
type Cursor struct {
	LastMs int64  // Unix time of the record's latest event, in milliseconds
	ID     string // of the last record that was listed
}

func cursorOf(rec Record) Cursor { return Cursor{rec.Last.UnixMilli(), rec.ID} }

// compare orders places: negative when c comes first, which is the later one.
func (c Cursor) compare(d Cursor) int {
	return cmp.Or(cmp.Compare(d.LastMs, c.LastMs), cmp.Compare(d.ID, c.ID))
}

// MemoryStore is a Store in memory: what a Recorder has without a database.
type MemoryStore struct {
	most int

	mu      sync.Mutex
	records map[string]Record
}

// NewMemoryStore keeps at most so many records.
func NewMemoryStore(most int) *MemoryStore {
	return &MemoryStore{most: most, records: map[string]Record{}}
}

// Write implements [Store].
func (m *MemoryStore) Write(_ context.Context, records []Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, rec := range records {
		m.records[rec.ID] = rec
	}
	if len(m.records) > m.most+m.most/8 { // an eighth more, so that sorting is rare
		m.pruneLocked(time.Time{}, m.most)
	}
	return nil
}

// List implements [Store].
func (m *MemoryStore) List(_ context.Context, f Filter, after Cursor, n int) ([]Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []Record
	for _, rec := range m.records {
		if f.matches(rec) {
			found = append(found, rec)
		}
	}
	return firstAfter(found, after, n), nil
}

// firstAfter sorts records into the order of a list and returns n of them after a place.
func firstAfter(records []Record, after Cursor, n int) []Record {
	if after != (Cursor{}) {
		records = slices.DeleteFunc(records, func(r Record) bool { return cursorOf(r).compare(after) <= 0 })
	}
	slices.SortFunc(records, func(a, b Record) int { return cursorOf(a).compare(cursorOf(b)) })
	return records[:min(n, len(records))]
}

// Get implements [Store].
func (m *MemoryStore) Get(_ context.Context, id string) (Record, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rec, ok := m.records[id]
	return rec, ok, nil
}

// Prune implements [Store].
func (m *MemoryStore) Prune(_ context.Context, oldest time.Time, most int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pruneLocked(oldest, most)
	return nil
}

func (m *MemoryStore) pruneLocked(oldest time.Time, most int) {
	var order []Cursor
	for id, rec := range m.records {
		if rec.Last.Before(oldest) {
			delete(m.records, id)
			continue
		}
		order = append(order, cursorOf(rec))
	}
	if len(order) <= most {
		return
	}
	slices.SortFunc(order, Cursor.compare)
	for _, c := range order[most:] {
		delete(m.records, c.ID)
	}
}

// Close implements [Store].
func (m *MemoryStore) Close() error { return nil }
