package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFullDisk: when there is no room, Put fails with what the disk says and
// leaves nothing behind; reads go on; with room again all goes on, and nothing
// that was acknowledged is missing, also after a restart.
func TestFullDisk(t *testing.T) {
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("SKIPPED: a small file system needs root: %v", err)
	}
	defer func() { _ = syscall.Unmount(mount, syscall.MNT_DETACH) }()
	filler := filepath.Join(mount, "filler")
	if err := os.WriteFile(filler, make([]byte, 512<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(mount, "logs")
	s := open(t, dir)
	var want []string
	put := func(n int) error {
		e := Event{time.Now().UnixMilli(), fmt.Sprint(n, strings.Repeat("x", 10_000))}
		err := s.Put("g", "a", []Event{e})
		if err == nil {
			want = append(want, e.Message)
		}
		return err
	}
	var err error
	for n := 0; err == nil; n++ {
		err = put(n)
	}
	wantError(t, err, syscall.ENOSPC)
	wantError(t, s.Pack(), syscall.ENOSPC) // the block finds no room; the journal stays
	check := func(when string) {
		t.Helper()
		got := messages(all(t, s, "g"))
		if len(got) != len(want) {
			t.Fatalf("%s: %d events, want %d", when, len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("%s: event %d is %.20s, want %.20s", when, i, got[i], want[i])
			}
		}
	}
	check("while it is full")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		if err := put(1000 + n); err != nil {
			t.Fatalf("with room again: %v", err)
		}
	}
	if err := s.Pack(); err != nil {
		t.Fatalf("with room again: %v", err)
	}
	check("with room again")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	check("after a restart")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
