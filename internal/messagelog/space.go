package messagelog

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

const (
	spaceEvery   = 250 * time.Millisecond // room is looked at, at most
	compactEvery = time.Minute
)

func (s *store) noSpace(free uint64) error {
	return fmt.Errorf("%w: %d bytes are free on the file system of %s, %d must stay free", ErrFull, free, s.o.Dir, s.o.MinFree)
}

// checkSpace looks whether there is room, now and then. Pebble must never meet a full disk: it needs
// room to make room. So the log is full while the file system still has a reserve.
func (s *store) checkSpace() {
	if s.e == nil || time.Since(s.looked) < spaceEvery {
		return
	}
	s.looked = time.Now()
	var full error
	if u, err := s.o.fs.GetDiskUsage(s.o.Dir); err == nil && u.AvailBytes < uint64(s.o.MinFree) {
		full = s.noSpace(u.AvailBytes)
	}
	m := s.e.db.Metrics()
	used := int64(m.DiskSpaceUsage() - m.WAL.ObsoletePhysicalSize) // but for files kept to be written over
	if full == nil && used > s.o.MaxBytes {
		full = fmt.Errorf("%w: it takes %d bytes, %d are allowed", ErrFull, used, s.o.MaxBytes)
	}
	s.mu.Lock()
	was := s.full
	s.full = full
	live := s.ix.bytes
	s.mu.Unlock()
	if (full != nil || used > s.o.MaxBytes/4*3) && live < used/2 && time.Since(s.compacted) > compactEvery {
		s.compacted = time.Now()
		s.e.compact()
	}
	switch {
	case full != nil && was == nil:
		s.o.Log.LogAttrs(context.Background(), slog.LevelError, "message log full: nothing is added until there is room", slog.Any("error", full))
	case full == nil && was != nil:
		s.o.Log.LogAttrs(context.Background(), slog.LevelInfo, "message log has room again")
	}
}

// Usage implements [Log].
func (s *store) Usage() Usage {
	s.mu.Lock()
	ix, e := s.ix, s.e
	u := Usage{Messages: ix.messages, References: ix.references, Bytes: ix.bytes, Sessions: len(ix.sessions), Retained: len(ix.retained)}
	s.mu.Unlock()
	if e != nil {
		e.use.RLock()
		if !e.closed {
			u.DiskBytes = int64(e.db.Metrics().DiskSpaceUsage())
		}
		e.use.RUnlock()
	}
	return u
}
