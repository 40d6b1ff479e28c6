package logs

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"time"
)

const dayMillis = 24 * 60 * 60 * 1000

// maintain seals full tails as they come, and now and then drops what expired
// or has no room, until ctx ends.
func (s *Store) maintain(ctx context.Context) {
	tick := time.NewTicker(maintainEvery)
	defer tick.Stop()
	s.poke() // what the last run left full
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case now := <-tick.C:
			s.expire(now.UnixMilli())
			s.condense()
		}
		for _, g := range s.all() {
			if err := s.seal(g); err != nil {
				s.cfg.Log.LogAttrs(ctx, slog.LevelError, "log events could not be packed; they stay in the journal",
					slog.String("log_group", g.name), slog.String("error", err.Error()))
			}
		}
		if err := s.bound(); err != nil {
			s.cfg.Log.LogAttrs(ctx, slog.LevelError, "old log events could not be dropped", slog.String("error", err.Error()))
		}
	}
}

// Pack makes blocks of all events that are in none yet, also of those that are
// few: it is for measurements. What can't be packed stays in its journal.
func (s *Store) Pack() error {
	var errs []error
	for _, g := range s.all() {
		g.mu.Lock()
		g.rotateLocked()
		g.mu.Unlock()
		errs = append(errs, s.seal(g))
	}
	return errors.Join(errs...)
}

// condense has what waits for its block in memory take less, and closes the
// journals of groups that are quiet.
func (s *Store) condense() {
	groups := s.all()
	for _, g := range groups {
		s.sealMu.Lock()
		g.condense(s.encoder, chunkAt(len(groups)))
		s.sealMu.Unlock()
		g.rest()
	}
	s.sealMu.Lock()
	defer s.sealMu.Unlock()
	s.encoder.rest()
}

// expire drops segments and tails all of whose events are past their group's retention.
func (s *Store) expire(now int64) {
	for _, g := range s.all() {
		g.sealMu.Lock()
		g.mu.Lock()
		cutoff := g.cutoffLocked(now)
		var drop []string
		for len(g.segments) > 0 && g.segments[0].maxTime() < cutoff {
			drop = append(drop, g.segments[0].path)
			g.segments = slices.Clone(g.segments[1:])
		}
		if t := g.active; t != nil && t.count() > 0 && t.before(cutoff) {
			g.rotateLocked() // becomes a block, which expires the next time
		}
		g.mu.Unlock()
		g.remove(s.cfg.Log, drop)
		g.sealMu.Unlock()
	}
}

// cutoffLocked is the time of the oldest event that has not expired.
func (g *group) cutoffLocked(now int64) int64 {
	if g.retention == 0 {
		return -1 << 62
	}
	return now - int64(g.retention)*dayMillis
}

func (g *group) remove(log *slog.Logger, paths []string) {
	for _, path := range paths {
		if err := os.Remove(path); err != nil {
			log.Error("an old segment of log events could not be removed", "log_group", g.name, "error", err.Error())
		}
	}
}

// bound drops the segments with the oldest events while all groups together
// take more than their bytes of disk.
func (s *Store) bound() error {
	for {
		var total int64
		var oldest *group
		var at int64
		for _, g := range s.all() {
			g.mu.Lock()
			total += g.bytesLocked()
			if len(g.segments) > 0 {
				if t := g.segments[0].maxTime(); oldest == nil || t < at {
					oldest, at = g, t
				}
			}
			g.mu.Unlock()
		}
		if total <= s.cfg.MaxBytes || oldest == nil {
			return nil
		}
		oldest.sealMu.Lock()
		oldest.mu.Lock()
		var path string
		if len(oldest.segments) > 0 {
			path = oldest.segments[0].path
			oldest.segments = slices.Clone(oldest.segments[1:])
		}
		oldest.mu.Unlock()
		var err error
		if path != "" {
			err = os.Remove(path)
			s.cfg.Log.Warn("log events were dropped: their disk space is full", "log_group", oldest.name, "up_to", time.UnixMilli(at).UTC().Format(time.RFC3339))
		}
		oldest.sealMu.Unlock()
		if err != nil {
			return err
		}
	}
}

// rest closes the journal of a group that is quiet: descriptors are few.
func (g *group) rest() {
	g.mu.Lock()
	t := g.active
	quiet := t != nil && t.file != nil && t.count() == t.seen
	if t != nil {
		t.seen = t.count()
	}
	if quiet {
		g.spare = nil
	}
	g.mu.Unlock()
	if !quiet {
		return
	}
	t.syncMu.Lock()
	defer t.syncMu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.file == nil || t.count() != t.seen || g.active != t {
		return
	}
	if err := t.file.Sync(); err != nil {
		return // whoever writes next hears of it
	}
	t.file.Close()
	t.file, t.synced = nil, t.written
}
