package logs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what a Store needs. Optional fields have defaults.
type Config struct {
	Dir      string       // required: a folder of the store's own; made if it is not there
	MaxBytes int64        // of disk for all groups; the oldest events are dropped first; default 8 GiB
	Log      *slog.Logger // default slog.Default

	// Lost is told of entries of Writers that were lost, and why. It must not wait. May be nil.
	Lost func(group string, of Loss, entries int)
}

const (
	defaultMaxBytes = 8 << 30
	memoryBytes     = 256 << 20 // of messages that are in no block yet, of all groups
	maxSealing      = 4         // full tails of a group; beyond, whoever writes seals
	maintainEvery   = 30 * time.Second
)

// A Store keeps log events. Safe for concurrent use.
type Store struct {
	cfg     Config
	catalog *catalog
	encoder *encoder   // guarded by sealMu
	sealMu  sync.Mutex // one block is made at a time

	mu     sync.RWMutex // guards groups
	groups map[string]*group

	watchers watchers
	unsealed atomic.Int64 // bytes of messages in tails, roughly
	dropped  atomic.Uint64
	wake     chan struct{}
	stop     context.CancelFunc
	closed   atomic.Bool
	done     sync.WaitGroup
}

// Open opens the store in cfg.Dir and repairs what a crash left behind: a torn
// last record is cut off, nothing else is lost.
func Open(cfg Config) (*Store, error) {
	if cfg.Dir == "" {
		return nil, errors.New("logs: Dir is required")
	}
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, defaultMaxBytes)
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, groups: map[string]*group{}, wake: make(chan struct{}, 1)}
	var err error
	if s.encoder, err = newEncoder(); err != nil {
		return nil, err
	}
	byID := map[uint32]*group{}
	if s.catalog, err = openCatalog(cfg.Dir, func(c change) error { return s.replay(byID, c) }); err != nil {
		return nil, err
	}
	if err := s.removeForgotten(byID); err != nil {
		return nil, err
	}
	for _, g := range byID {
		if err := g.recover(); err != nil {
			return nil, fmt.Errorf("log group %s: %w", g.name, err)
		}
		s.groups[g.name] = g
		for _, t := range append(slices.Clone(g.sealing), g.active) {
			if t != nil {
				s.unsealed.Add(t.bytes)
			}
		}
	}
	if err := s.catalog.rewrite(cfg.Dir, s.state()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.done.Go(func() { s.maintain(ctx) })
	return s, nil
}

// replay applies one line of the catalog.
func (s *Store) replay(byID map[uint32]*group, c change) error {
	g := byID[c.Group]
	if g == nil && c.Op != "group" && c.Op != "next" {
		return fmt.Errorf("log group %d is not known", c.Group)
	}
	switch c.Op {
	case "next":
	case "group":
		byID[c.Group] = s.newGroup(c)
	case "dropGroup":
		delete(byID, c.Group)
	case "stream":
		g.addStream(c)
	case "dropStream":
		if st := g.streams[c.Stream]; st != nil {
			delete(g.byName, st.name)
			delete(g.streams, c.Stream)
		}
	case "retention":
		g.retention = c.Retention
	default:
		return fmt.Errorf("unknown operation %q", c.Op)
	}
	return nil
}

// state is the catalog as it would be written today.
func (s *Store) state() []change {
	var out []change
	for _, g := range s.groups {
		out = append(out, change{Op: "group", Group: g.id, Name: g.name, Created: g.created})
		if g.retention != 0 {
			out = append(out, change{Op: "retention", Group: g.id, Retention: g.retention})
		}
		for _, st := range g.streams {
			out = append(out, change{Op: "stream", Group: g.id, Stream: st.id, Name: st.name, Created: st.created})
		}
	}
	return out
}

func (s *Store) newGroup(c change) *group {
	return &group{
		id: c.Group, name: c.Name, created: c.Created, dir: filepath.Join(s.cfg.Dir, fmt.Sprintf("%08x", c.Group)),
		streams: map[uint32]*stream{}, byName: map[string]*stream{}, next: 1,
	}
}

func (g *group) addStream(c change) *stream {
	st := &stream{id: c.Stream, name: c.Name, created: c.Created}
	g.streams[st.id], g.byName[st.name] = st, st
	return st
}

// removeForgotten removes the folders of groups that the catalog has no more:
// a crash came between the deletion and its clean-up.
func (s *Store) removeForgotten(byID map[uint32]*group) error {
	entries, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		var id uint32
		if _, err := fmt.Sscanf(e.Name(), "%08x", &id); err != nil || !e.IsDir() || byID[id] != nil {
			continue
		}
		if err := os.RemoveAll(filepath.Join(s.cfg.Dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Close writes what is buffered and lets go of the files.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.stop()
	s.done.Wait()
	var errs []error
	for _, g := range s.all() {
		errs = append(errs, g.close())
	}
	return errors.Join(append(errs, s.catalog.close())...)
}

func (g *group) close() error {
	g.mu.Lock()
	tails := slices.Clone(g.sealing)
	if g.active != nil {
		tails = append(tails, g.active)
	}
	g.gone = true // no more writes
	g.mu.Unlock()
	var errs []error
	for _, t := range tails {
		t.syncMu.Lock()
		if t.file != nil {
			errs = append(errs, t.file.Sync(), t.file.Close())
			t.file, t.synced = nil, t.written
		}
		t.syncMu.Unlock()
	}
	return errors.Join(errs...)
}

// Put appends events to a stream of a group, making both on demand. When it
// returns nil the events are on disk and can be found. The events may stand in
// any order. Errors: ErrName, ErrTooLarge, ErrClosed, or what the disk said.
func (s *Store) Put(group, stream string, events []Event) error {
	if err := checkBatch(events); err != nil || len(events) == 0 {
		return err
	}
	g, st, err := s.ensure(group, stream, 0)
	if err != nil {
		return err
	}
	return s.write(g, st, events)
}

// PutExisting is Put for a stream that must be there. Errors also: ErrNoGroup, ErrNoStream.
func (s *Store) PutExisting(group, stream string, events []Event) error {
	if err := checkBatch(events); err != nil {
		return err
	}
	g := s.group(group)
	if g == nil {
		return ErrNoGroup
	}
	g.mu.Lock()
	st := g.byName[stream]
	g.mu.Unlock()
	if st == nil {
		return ErrNoStream
	}
	if len(events) == 0 {
		return nil
	}
	return s.write(g, st, events)
}

func checkBatch(events []Event) error {
	if len(events) > MaxBatch {
		return ErrTooLarge
	}
	total := 0
	for i := range events {
		if total += len(events[i].Message); len(events[i].Message) > MaxMessage || total > 8*MaxMessage {
			return ErrTooLarge
		}
	}
	return nil
}

// write appends events, seals what is full, and tells those who watch.
func (s *Store) write(g *group, st *stream, events []Event) error {
	if s.closed.Load() {
		return ErrClosed
	}
	now := time.Now().UnixMilli()
	size, err := g.put(st, now, events)
	if err != nil {
		return err
	}
	if err := s.took(g, size); err != nil {
		return err
	}
	s.watchers.tell(g.name, st.name, now, events)
	return nil
}

// writeEntries is the same for entries, which are on their way to the disk when it returns.
func (s *Store) writeEntries(g *group, st *stream, entries []Entry) error {
	if s.closed.Load() {
		return ErrClosed
	}
	now := time.Now().UnixMilli()
	size, err := g.putEntries(st, now, entries)
	if err != nil {
		return err
	}
	if err := s.took(g, size); err != nil {
		return err
	}
	if s.watchers.look(g.name) {
		events := make([]Event, len(entries))
		for i := range entries {
			events[i] = Event{entries[i].Time, entries[i].String()}
		}
		s.watchers.tell(g.name, st.name, now, events)
	}
	return nil
}

// took counts bytes that a group's tail took, and has what is full sealed.
func (s *Store) took(g *group, size int64) error {
	if s.unsealed.Add(size) > memoryBytes {
		g.mu.Lock()
		g.rotateLocked()
		g.mu.Unlock()
	}
	g.mu.Lock()
	waiting := len(g.sealing)
	g.mu.Unlock()
	if waiting > maxSealing {
		return s.seal(g)
	}
	if waiting > 0 {
		s.poke()
	}
	return nil
}

func (s *Store) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// seal makes blocks of the full tails of a group.
func (s *Store) seal(g *group) error {
	for {
		g.mu.Lock()
		var size int64
		if len(g.sealing) > 0 {
			size = g.sealing[0].bytes
		}
		g.mu.Unlock()
		s.sealMu.Lock()
		did, err := g.seal(s.encoder)
		s.sealMu.Unlock()
		if err != nil || !did {
			return err
		}
		s.unsealed.Add(-size)
	}
}

// all returns the groups, by name.
func (s *Store) all() []*group {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]*group, 0, len(s.groups))
	for _, g := range s.groups {
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b *group) int { return strings.Compare(a.name, b.name) })
	return out
}

func (s *Store) group(name string) *group {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.groups[name]
}
