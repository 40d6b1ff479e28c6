package messagelog

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// A fault makes operations on files fail: all that write while it is on, or the one of an index.
type fault struct {
	on    atomic.Bool
	count atomic.Int64 // of operations that write
	at    atomic.Int64 // this one fails, and those after it while on; 0: none
	err   error
	match string // in the path; empty: all
}

func (f *fault) String() string { return "fault" }

// MaybeError implements errorfs.Injector.
func (f *fault) MaybeError(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpCreate, errorfs.OpLink, errorfs.OpRename, errorfs.OpReuseForWrite,
		errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
	default:
		return nil
	}
	if !strings.Contains(op.Path, f.match) {
		return nil
	}
	n := f.count.Add(1)
	if n == f.at.Load() {
		f.on.Store(true)
	}
	if f.on.Load() {
		return f.err
	}
	return nil
}

func faulty(f *fault) *disk {
	d := &disk{fs: vfs.NewMem()} // one that cannot crash is faster
	d.o.fs = errorfs.Wrap(d.fs, f)
	return d
}

func TestSyncFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fault{err: syscall.EIO}
		l := faulty(f).open(t)
		q := session(t, l, "c")
		appendTo(t, l, text("acknowledged"), q)
		mustDurable(t, l)
		f.on.Store(true)
		appendTo(t, l, text("not"), q)
		errs := make(chan error, 3)
		for range 3 {
			l.OnDurable(func(err error) { errs <- err })
		}
		for range 3 {
			if err := <-errs; !errors.Is(err, ErrBroken) || !errors.Is(err, syscall.EIO) {
				t.Errorf("OnDurable with a broken disk: %v, want ErrBroken and EIO", err)
			}
		}
		synctest.Wait()
		if _, err := l.Append(text("x"), []Reference{{Queue: q}}); !errors.Is(err, ErrBroken) {
			t.Errorf("Append to a broken log: %v, want ErrBroken", err)
		}
		if _, err := l.Read(q, 0, 1, 1); !errors.Is(err, ErrBroken) {
			t.Errorf("Read of a broken log: %v, want ErrBroken", err)
		}
		if err := durable(l); !errors.Is(err, ErrBroken) {
			t.Errorf("OnDurable of a broken log: %v, want ErrBroken", err)
		}
		time.Sleep(time.Minute)
		if err := durable(l); !errors.Is(err, ErrBroken) {
			t.Errorf("OnDurable of a log that stays broken: %v, want ErrBroken", err)
		}
		f.on.Store(false)
		time.Sleep(retryMost + time.Second)
		seq := appendTo(t, l, text("after"), q)
		mustDurable(t, l)
		if got := contents(t, l, q); got != "acknowledged after" && got != "acknowledged not after" {
			t.Errorf("after recovery: %q", got)
		}
		if seq < 3 {
			t.Errorf("position %d was given out again", seq)
		}
		mustClose(t, l)
	})
}

// TestAnyWriteFails breaks the disk at each of its first writes in turn: during a run with restarts,
// flushes and compactions nothing that was acknowledged is lost, the process lives, and the log comes
// back when the disk does.
func TestAnyWriteFails(t *testing.T) {
	for _, match := range []string{"", ".log", ".sst", "MANIFEST"} {
		for _, at := range []int64{1, 2, 3, 5, 8, 13} {
			synctest.Test(t, func(t *testing.T) { writeFails(t, match, at) })
		}
	}
}

func writeFails(t *testing.T, match string, at int64) {
	f := &fault{err: syscall.ENOSPC, match: match}
	d := faulty(f)
	l := d.open(t)
	q := session(t, l, "c")
	mustDurable(t, l)
	f.at.Store(f.count.Load() + at)
	want := map[string]bool{}
	large := strings.Repeat("x", 100<<10)
	put := func(from, to int) {
		for i := from; i < to; i++ {
			p := fmt.Sprint(i)
			m := text(p)
			m.Properties = []byte(large)
			if _, err := l.Append(m, []Reference{{Queue: q}}); err != nil {
				return
			}
			if durable(l) != nil {
				return
			}
			want[p] = true
		}
	}
	check := func(when string) {
		t.Helper()
		got := map[string]bool{}
		for p := range strings.FieldsSeq(contents(t, l, q)) {
			got[p] = true
		}
		for p := range want {
			if !got[p] {
				t.Fatalf("fault %d of %q, %s: %s was acknowledged and is lost", at, match, when, p)
			}
		}
	}
	put(0, 120) // 12 MB: more than a memory table
	f.at.Store(0)
	f.on.Store(false)
	time.Sleep(retryMost + time.Second)
	mustDurable(t, l)
	check("after recovery")
	put(120, 130)
	check("after more")
	mustClose(t, l)
	d.o.fs = nil
	l = d.open(t)
	check("after a restart")
	mustClose(t, l)
}

func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		d.o.MinFree = 1000
		room := func(n uint64) { d.fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: n, TotalBytes: 1 << 40}) }
		room(1000)
		l := d.open(t)
		q := session(t, l, "c")
		seq := appendTo(t, l, text("1"), q)
		mustDurable(t, l)
		if err := l.PutRetained(text("r"), time.Now()); err != nil {
			t.Fatal(err)
		}
		appendTo(t, l, text("2"), q)
		room(999)
		time.Sleep(time.Second)
		_, err := l.Append(text("x"), []Reference{{Queue: q}})
		_, groupErr := l.PutGroup(Group{"s", "f"})
		for _, err := range []error{err, groupErr, l.PutRetained(text("r"), time.Now()), l.PutSession(&SessionRecord{ClientID: "new"})} {
			if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "999 bytes are free") {
				t.Errorf("adding to a full log: %v, want ErrFull with what is free", err)
			}
		}
		l.Remove(q, seq)
		if err := errors.Join(l.DeleteRetained("t"), l.PutSession(&SessionRecord{ClientID: "c", Queue: q})); err != nil {
			t.Errorf("a full log must let go: %v", err)
		}
		mustDurable(t, l)
		if got := contents(t, l, q); got != "2" {
			t.Errorf("queue of a full log: %q, want 2", got)
		}
		room(1000)
		time.Sleep(2 * time.Second)
		appendTo(t, l, text("3"), q)
		mustClose(t, l)
	})
}

func TestMaxBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{fs: vfs.NewMem()}
		d.o.MaxBytes = 32 << 20
		l := d.open(t)
		q := session(t, l, "c")
		m := text(strings.Repeat("x", 64<<10))
		rng := rand.NewChaCha8([32]byte{})
		var seqs []Seq
		fill := func() error {
			for range 4000 {
				_, _ = rng.Read(m.Payload) // does not compress
				seq, err := l.Append(m, []Reference{{Queue: q}})
				if err != nil {
					return err
				}
				seqs = append(seqs, seq)
				mustDurable(t, l)
				time.Sleep(10 * time.Millisecond)
			}
			return nil
		}
		for round := range 3 {
			if err := fill(); !errors.Is(err, ErrFull) {
				t.Fatalf("round %d: after %d messages: %v, want ErrFull", round, len(seqs), err)
			}
			// Logs that wait to be written over, and what comes until the next look, are on top.
			if got, most := l.Usage().DiskBytes, d.o.MaxBytes+6*memTableBytes+4<<20; got > most {
				t.Errorf("round %d: %d bytes on disk, want at most %d", round, got, most)
			}
			l.Remove(q, seqs...)
			seqs = nil
			for range 200 { // tries, as publishers do, until there is room
				if seq, err := l.Append(m, []Reference{{Queue: q}}); err == nil {
					seqs = append(seqs, seq)
					break
				}
				time.Sleep(time.Second)
			}
			if len(seqs) == 0 {
				t.Fatalf("round %d: no room after everything was removed: %+v", round, l.Usage())
			}
		}
		mustClose(t, l)
	})
}

func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "messages")
	o := Options{Dir: dir, Log: slog.New(slog.DiscardHandler)}
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	q := session(t, l, "c")
	appendTo(t, l, text("1"), q)
	mustDurable(t, l)
	if _, err := Open(o); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("Open while it is open: %v, want ErrInUse with the folder", err)
	}
	mustClose(t, l)
	if l, err = Open(o); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, l, q); got != "1" {
		t.Errorf("reopened: %q, want 1", got)
	}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		i, err := e.Info()
		want := fs.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		}
		if err == nil && i.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", path, i.Mode().Perm(), want)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	mustClose(t, l)
	for name, o := range map[string]Options{"no logger": {Dir: dir}, "no folder": {Log: o.Log}, "no room": {Dir: dir, Log: o.Log, MaxBytes: 1 << 20}} {
		if _, err := Open(o); err == nil {
			t.Errorf("Open with %s: no error", name)
		}
	}
}
