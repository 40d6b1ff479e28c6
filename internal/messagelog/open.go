package messagelog

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options are what [Open] needs.
type Options struct {
	Dir        string // made with mode 0700 if it does not exist
	Durability Durability
	MaxBytes   int64        // of all files that hold something; default 8 GiB, at least 32 MiB
	MinFree    int64        // bytes that must stay free on the file system; default 256 MiB
	Log        *slog.Logger // required

	fs vfs.FS // tests: another file system
}

const (
	defaultMaxBytes = 8 << 30
	leastMaxBytes   = 32 << 20 // below, what was not flushed yet could fill it
	defaultMinFree  = 256 << 20
)

// Open opens the log in a folder, or makes one. The error is [ErrInUse] when another process has it.
func Open(o Options) (Log, error) {
	if o.Dir == "" || o.Log == nil {
		return nil, errors.New("message log: Dir and Log are required")
	}
	o.MaxBytes = cmp.Or(o.MaxBytes, defaultMaxBytes)
	o.MinFree = cmp.Or(o.MinFree, defaultMinFree)
	if o.MaxBytes < leastMaxBytes {
		return nil, fmt.Errorf("message log: MaxBytes is %d, want at least %d", o.MaxBytes, leastMaxBytes)
	}
	if o.fs == nil {
		o.fs = vfs.Default
	}
	if err := o.fs.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("message log: %w", err)
	}
	if o.fs == vfs.Default {
		if err := os.Chmod(o.Dir, 0o700); err != nil {
			return nil, fmt.Errorf("message log: %w", err)
		}
	}
	lock, err := pebble.LockDirectory(o.Dir, o.fs)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrInUse, o.Dir, err)
	}
	s := newStore(o, lock)
	if o.fs == vfs.Default {
		err = os.Chmod(filepath.Join(o.Dir, "LOCK"), 0o600)
	}
	var e *engine
	var ix *index
	if err == nil {
		e, ix, err = s.openEngine()
	}
	if err != nil {
		lock.Close() // nothing was written under it
		return nil, fmt.Errorf("message log: open %s: %w", o.Dir, err)
	}
	s.start(e, ix)
	return s, nil
}
