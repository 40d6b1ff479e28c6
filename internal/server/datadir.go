package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// dataDir is the data folder, held by this process alone.
type dataDir struct {
	path string // absolute
	lock *os.File
}

// openDataDir makes the folder when it is missing, proves that it can be
// written, and takes its lock. Two servers on one folder would undo each other.
func openDataDir(path string) (*dataDir, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, fmt.Errorf("make data folder %s: %w", abs, err)
	}
	lock, err := os.OpenFile(filepath.Join(abs, "gatehouse.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data folder %s cannot be written: %w", abs, err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		if rf, readErr := ReadRunFile(abs); readErr == nil {
			return nil, fmt.Errorf("data folder %s is in use by the Gatehouse with pid %d (%s)", abs, rf.PID, rf.APIURL)
		}
		return nil, fmt.Errorf("data folder %s is in use by another Gatehouse: %w", abs, err)
	}
	return &dataDir{path: abs, lock: lock}, nil
}

// openToOthers is the folder's mode when people other than its owner may put files into
// it, such as a CA of their own: then this Gatehouse is as safe as they are
// friendly. 0: it is fine.
func (d *dataDir) openToOthers() (mode fs.FileMode) {
	info, err := os.Stat(d.path)
	if err != nil || info.Mode().Perm()&0o022 == 0 {
		return 0
	}
	return info.Mode().Perm()
}

// forgetRun removes the run file: ours at a stop, or one that a killed server
// left behind.
func (d *dataDir) forgetRun() error {
	if err := os.Remove(d.file(RunFileName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d *dataDir) file(name string) string { return filepath.Join(d.path, name) }

func (d *dataDir) close() error { return d.lock.Close() } // closing gives the lock back

// explainHome names the flags behind a registry of another account or Region.
func explainHome(err error, path string) error {
	home, ok := errors.AsType[*registry.HomeError](err)
	if !ok {
		return fmt.Errorf("open the registry: %w", err)
	}
	var faults []error
	for _, part := range []struct{ what, flag, have, asked string }{
		{"account", "--account-id", home.Account, home.AskedAccount},
		{"Region", "--region", home.Region, home.AskedRegion},
	} {
		if part.have != part.asked {
			faults = append(faults, fmt.Errorf("the data folder %s belongs to the %s %s, but %s is %s: every ARN in it names the first; use %s %s, or another --data-dir",
				path, part.what, part.have, part.flag, part.asked, part.flag, part.have))
		}
	}
	return errors.Join(faults...)
}
