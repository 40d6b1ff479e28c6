package messagelog

import (
	"errors"
	"os"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A guard stands between Pebble and the file system. At the first write that fails it closes the
// door for good: nothing more reaches the disk, and Pebble, which answers a failed write of its
// write-ahead log or manifest by ending the process, is told that all is well. Whoever reports
// that something is on disk asks the guard first. Reads go on. A broken guard is left behind with
// its Pebble: another pair opens the files anew.
type guard struct {
	vfs.FS
	private bool // files get mode 0600: on the file system of the operating system only

	mu     sync.RWMutex // read-held by a write; so that shut waits for those under way
	failed error        // guarded by mu
	notify func()       // called once, when it fails; must not block
}

func newGuard(fs vfs.FS, notify func()) *guard {
	return &guard{FS: fs, private: fs == vfs.Default, notify: notify}
}

var errVoid = errors.New("message log: file of a broken disk")

// err is the error that closed the door, nil while it is open.
func (g *guard) err() error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.failed
}

// shut closes the door because of err, unless it is closed, and waits for writes under way.
func (g *guard) shut(err error) {
	g.mu.Lock()
	first := g.failed == nil
	if first {
		g.failed = err
	}
	g.mu.Unlock()
	if first {
		g.notify()
	}
}

// write does what changes the disk, unless the door is closed. It never fails.
func (g *guard) write(do func() error) {
	g.mu.RLock()
	if g.failed != nil {
		g.mu.RUnlock()
		return
	}
	err := do()
	g.mu.RUnlock()
	if err != nil {
		g.shut(err)
	}
}

// create does what makes a file; the file of a closed door takes everything and holds nothing.
func (g *guard) create(name string, do func() (vfs.File, error)) vfs.File {
	var f vfs.File
	g.write(func() (err error) {
		if f, err = do(); err != nil {
			f = nil
			return err
		}
		if g.private {
			err = os.Chmod(name, 0o600)
		}
		return err
	})
	if f == nil {
		return void{}
	}
	return &guardedFile{File: f, g: g}
}

// Create makes a file.
func (g *guard) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.create(name, func() (vfs.File, error) { return g.FS.Create(name, c) }), nil
}

// OpenReadWrite opens a file, or makes it.
func (g *guard) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return g.create(name, func() (vfs.File, error) { return g.FS.OpenReadWrite(name, c, o...) }), nil
}

// ReuseForWrite makes newname of a file that nobody needs.
func (g *guard) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.create(newname, func() (vfs.File, error) { return g.FS.ReuseForWrite(oldname, newname, c) }), nil
}

// OpenDir opens a folder, to sync it.
func (g *guard) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &guardedFile{File: f, g: g}, nil
}

// Link makes a hard link.
func (g *guard) Link(oldname, newname string) error {
	g.write(func() error { return g.FS.Link(oldname, newname) })
	return nil
}

// Rename renames a file.
func (g *guard) Rename(oldname, newname string) error {
	g.write(func() error { return g.FS.Rename(oldname, newname) })
	return nil
}

// Remove removes a file. What cannot be removed breaks nothing.
func (g *guard) Remove(name string) (err error) {
	g.write(func() error { err = g.FS.Remove(name); return nil })
	return err
}

// RemoveAll removes a folder with all in it.
func (g *guard) RemoveAll(name string) (err error) {
	g.write(func() error { err = g.FS.RemoveAll(name); return nil })
	return err
}

// MkdirAll makes a folder.
func (g *guard) MkdirAll(dir string, perm os.FileMode) error {
	g.write(func() error { return g.FS.MkdirAll(dir, perm) })
	return nil
}

// Unwrap is the file system behind the guard.
func (g *guard) Unwrap() vfs.FS { return g.FS }

// A guardedFile is a file whose writes go through its guard.
type guardedFile struct {
	vfs.File
	g *guard
}

func (f *guardedFile) Write(p []byte) (int, error) {
	f.g.write(func() error { _, err := f.File.Write(p); return err })
	return len(p), nil
}

func (f *guardedFile) WriteAt(p []byte, off int64) (int, error) {
	f.g.write(func() error { _, err := f.File.WriteAt(p, off); return err })
	return len(p), nil
}

// Preallocate passes its error on: not every file system can, and none has to.
func (f *guardedFile) Preallocate(offset, length int64) (err error) {
	f.g.write(func() error { err = f.File.Preallocate(offset, length); return nil })
	return err
}

func (f *guardedFile) Sync() error {
	f.g.write(f.File.Sync)
	return nil
}

func (f *guardedFile) SyncData() error {
	f.g.write(f.File.SyncData)
	return nil
}

func (f *guardedFile) SyncTo(length int64) (full bool, err error) {
	f.g.write(func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, nil
}

// void is a file that takes everything and holds nothing.
type void struct{}

func (void) Close() error                           { return nil }
func (void) Read([]byte) (int, error)               { return 0, errVoid }
func (void) ReadAt([]byte, int64) (int, error)      { return 0, errVoid }
func (void) Write(p []byte) (int, error)            { return len(p), nil }
func (void) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (void) Preallocate(_, _ int64) error           { return nil }
func (void) Stat() (vfs.FileInfo, error)            { return nil, errVoid }
func (void) Sync() error                            { return nil }
func (void) SyncTo(int64) (bool, error)             { return true, nil }
func (void) SyncData() error                        { return nil }
func (void) Prefetch(int64, int64) error            { return nil }
func (void) Fd() uintptr                            { return vfs.InvalidFd }

var _ vfs.File = void{}
