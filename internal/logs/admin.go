package logs

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

var groupName = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]+$`)

func validGroup(name string) bool { return len(name) <= 512 && groupName.MatchString(name) }

func validStream(name string) bool {
	return name != "" && len(name) <= 512 && !strings.ContainsAny(name, ":*")
}

// A Group is what is known of a log group.
type Group struct {
	Name          string
	Created       int64 // epoch ms
	RetentionDays int   // 0: events never expire
	StoredBytes   int64 // on disk
}

// A Stream is what is known of a log stream. The times are 0 without events.
type Stream struct {
	Name                 string
	Created              int64 // epoch ms
	First, Last, Arrived int64 // epoch ms: earliest and latest event, latest arrival
	Events               int64 // for First and Last: 0 means that there are none
}

// Groups returns all groups by name.
func (s *Store) Groups() []Group {
	var out []Group
	for _, g := range s.all() {
		out = append(out, g.describe())
	}
	return out
}

// Group returns one group, or false.
func (s *Store) Group(name string) (Group, bool) {
	g := s.group(name)
	if g == nil {
		return Group{}, false
	}
	return g.describe(), true
}

func (g *group) describe() Group {
	g.mu.Lock()
	defer g.mu.Unlock()
	return Group{Name: g.name, Created: g.created, RetentionDays: g.retention, StoredBytes: g.bytesLocked()}
}

func (g *group) bytesLocked() int64 {
	var n int64
	for _, s := range g.segments {
		n += s.size
	}
	for _, t := range g.sealing {
		n += t.written
	}
	if g.active != nil {
		n += g.active.written
	}
	return n
}

// Streams returns the streams of a group by name. Error: ErrNoGroup.
func (s *Store) Streams(group string) ([]Stream, error) {
	g := s.group(group)
	if g == nil {
		return nil, ErrNoGroup
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]Stream, 0, len(g.streams))
	for _, st := range g.streams {
		out = append(out, Stream{st.name, st.created, st.first, st.last, st.ingested, st.events})
	}
	slices.SortFunc(out, func(a, b Stream) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// CreateGroup makes a group. Errors: ErrName, ErrGroupExists.
func (s *Store) CreateGroup(name string) error {
	if !validGroup(name) {
		return ErrName
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.groups[name] != nil {
		return ErrGroupExists
	}
	_, err := s.createGroupLocked(name)
	return err
}

// createGroupLocked makes a group that is not there.
func (s *Store) createGroupLocked(name string) (*group, error) {
	if s.closed.Load() {
		return nil, ErrClosed
	}
	c := change{Op: "group", Group: s.catalog.newID(), Name: name, Created: time.Now().UnixMilli()}
	g := s.newGroup(c)
	if err := os.MkdirAll(g.dir, 0o700); err != nil {
		return nil, err
	}
	if err := syncDir(s.cfg.Dir); err != nil {
		return nil, err
	}
	if err := s.catalog.add(c); err != nil {
		return nil, err
	}
	s.groups[name] = g
	return g, nil
}

// CreateStream makes a stream. Errors: ErrName, ErrNoGroup, ErrStreamExists.
func (s *Store) CreateStream(group, name string) error {
	if !validStream(name) {
		return ErrName
	}
	g := s.group(group)
	if g == nil {
		return ErrNoGroup
	}
	_, made, err := s.ensureStream(g, name)
	if err == nil && !made {
		return ErrStreamExists
	}
	return err
}

// ensure returns a group and a stream, made on demand; retention is that of a new group.
func (s *Store) ensure(group, stream string, retention int) (*group, *stream, error) {
	if !validGroup(group) || !validStream(stream) {
		return nil, nil, ErrName
	}
	g := s.group(group)
	if g == nil {
		s.mu.Lock()
		var err error
		made := false
		if g = s.groups[group]; g == nil {
			made = true
			g, err = s.createGroupLocked(group)
		}
		s.mu.Unlock()
		if err != nil {
			return nil, nil, &lossError{LostGroup, err}
		}
		if made && retention != 0 {
			if err := s.SetRetention(group, retention); err != nil { // as at AWS, it never expires then
				s.lost(group, LostRetention, 0)
				s.cfg.Log.Error("the retention of a log group could not be set", "log_group", group, "error", err.Error())
			}
		}
	}
	st, _, err := s.ensureStream(g, stream)
	if err != nil {
		return nil, nil, &lossError{LostStream, err}
	}
	return g, st, nil
}

func (s *Store) ensureStream(g *group, name string) (st *stream, made bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone {
		return nil, false, ErrNoGroup
	}
	if st := g.byName[name]; st != nil {
		return st, false, nil
	}
	c := change{Op: "stream", Group: g.id, Stream: s.catalog.newID(), Name: name, Created: time.Now().UnixMilli()}
	if err := s.catalog.add(c); err != nil {
		return nil, false, err
	}
	return g.addStream(c), true, nil
}

// SetRetention sets after how many days events expire; 0 is never. Error: ErrNoGroup.
func (s *Store) SetRetention(group string, days int) error {
	g := s.group(group)
	if g == nil {
		return ErrNoGroup
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone {
		return ErrNoGroup
	}
	if err := s.catalog.add(change{Op: "retention", Group: g.id, Retention: days}); err != nil {
		return err
	}
	g.retention = days
	return nil
}

// DeleteStream deletes a stream with its events. Errors: ErrNoGroup, ErrNoStream.
func (s *Store) DeleteStream(group, name string) error {
	g := s.group(group)
	if g == nil {
		return ErrNoGroup
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	st := g.byName[name]
	if st == nil {
		return ErrNoStream
	}
	if err := s.catalog.add(change{Op: "dropStream", Group: g.id, Stream: st.id}); err != nil {
		return err
	}
	delete(g.byName, name)
	delete(g.streams, st.id)
	return nil
}

// DeleteGroup deletes a group with its events. Error: ErrNoGroup.
func (s *Store) DeleteGroup(name string) error {
	s.mu.Lock()
	g := s.groups[name]
	if g == nil {
		s.mu.Unlock()
		return ErrNoGroup
	}
	if err := s.catalog.add(change{Op: "dropGroup", Group: g.id}); err != nil {
		s.mu.Unlock()
		return err
	}
	delete(s.groups, name)
	s.mu.Unlock()
	err := g.close()
	g.sealMu.Lock() // no block is on its way into the folder
	defer g.sealMu.Unlock()
	if rmErr := os.RemoveAll(g.dir); rmErr != nil {
		return rmErr
	}
	return err
}
