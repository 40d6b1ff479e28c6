package messagelog

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	spaceEvery   = 250 * time.Millisecond // room is looked at, if there is something to write
	spaceBytes   = 4 << 20                // and when so much was written
	compactEvery = time.Minute
)

// reserveBytes is what a file without content takes, so that a disk that others filled can still
// be worked on: giving it up makes room to open the log and to remove messages.
const reserveBytes = 32 << 20

func (s *store) reservePath() string { return s.o.fs.PathJoin(s.o.Dir, "reserve") }

// takeReserve makes the file, if there is much room. Without it, all that is lost is the reserve.
func (s *store) takeReserve() {
	u, err := s.o.fs.GetDiskUsage(s.o.Dir)
	if s.reserved || err != nil || u.AvailBytes < uint64(s.o.MinFree)+2*reserveBytes {
		return
	}
	s.reserved = true // or never will be
	f, err := s.o.fs.OpenReadWrite(s.reservePath(), vfs.WriteCategoryUnspecified)
	if err != nil {
		return
	}
	defer f.Close()
	if s.o.fs == vfs.Default {
		_ = os.Chmod(s.reservePath(), 0o600) // it is empty
	}
	_ = f.Preallocate(0, reserveBytes) // not every file system can
}

func (s *store) giveReserve() {
	_ = s.o.fs.Remove(s.reservePath()) // may be gone already
	s.reserved = false
}

// noRoom is [ErrFull] when too little is free on the file system.
func (s *store) noRoom() error {
	u, err := s.o.fs.GetDiskUsage(s.o.Dir)
	if err != nil || u.AvailBytes >= uint64(s.o.MinFree) {
		return nil // or it does not tell
	}
	return fmt.Errorf("%w: %d bytes are free on the file system of %s, %d must stay free", ErrFull, u.AvailBytes, s.o.Dir, s.o.MinFree)
}

// checkSpace looks whether there is room, now and then. Pebble must never meet a full disk: it needs
// room to make room. So the log is full while the file system still has a reserve.
func (s *store) checkSpace() {
	if s.e == nil || s.written < spaceBytes && time.Since(s.looked) < spaceEvery {
		return
	}
	s.looked, s.written = time.Now(), 0
	full := s.noRoom()
	m := s.e.db.Metrics()
	used := int64(m.DiskSpaceUsage() - m.WAL.ObsoletePhysicalSize) // but for files kept to be written over
	if full == nil && used > s.o.MaxBytes {
		full = fmt.Errorf("%w: it takes %d bytes, %d are allowed", ErrFull, used, s.o.MaxBytes)
	}
	if full == nil {
		s.takeReserve()
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
	u := Usage{Messages: ix.messages, References: ix.references, Bytes: ix.bytes, Sessions: len(ix.sessions), Retained: len(ix.retained), Err: s.broken}
	if u.Err == nil {
		u.Err = s.full
	}
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
