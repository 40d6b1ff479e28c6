package logs

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// childDir makes the test binary a process that writes until it is killed.
const childDir = "GATEHOUSE_TEST_LOGS_CHILD"

// ingestForever puts batches from four goroutines and prints what was
// acknowledged; a fifth packs all the time, in memory and on disk.
func ingestForever(dir string) {
	s, err := Open(Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var mu sync.Mutex // one line at a time
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				batch := make([]Event, 1+i%7)
				for k := range batch {
					batch[k] = Event{time.Now().UnixMilli(), fmt.Sprintf(`{"id":"%d-%d-%d-%d"}`, os.Getpid(), w, i, k)}
				}
				if err := s.Put("g", fmt.Sprint("s", w), batch); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				mu.Lock()
				for _, e := range batch {
					_, _ = os.Stdout.WriteString(e.Message + "\n")
				}
				mu.Unlock()
			}
		}()
	}
	for i := 0; ; i++ {
		condenseNow(s)
		if i%4 != 3 {
			continue
		}
		if err := s.Pack(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// TestKill: whatever Put acknowledged is there after kill -9, once, also when
// the process was packing.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for round := range 6 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ { // what was printed before the kill counts too
			if !strings.HasSuffix(lines.Text(), "}") {
				break
			}
			acknowledged[lines.Text()] = true
			if n == 100*(round+1) {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // it was killed
		s := open(t, dir)
		found := map[string]int{}
		for _, m := range messages(all(t, s, "g")) {
			found[m]++
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for m := range acknowledged {
			if found[m] != 1 {
				t.Fatalf("round %d: %s is there %d times", round, m, found[m])
			}
		}
	}
	if len(acknowledged) < 1000 {
		t.Errorf("only %d events were acknowledged", len(acknowledged))
	}
}

// TestEveryByte cuts a journal and a segment at every byte, and turns every
// byte: the store opens, gives what is whole, and takes new events.
func TestEveryByte(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put := func(s *Store, n int) {
		t.Helper()
		var events []Event
		for i := range n {
			events = append(events, Event{int64(1000 + i), fmt.Sprintf(`{"clientId":"c%d"}`, i)})
		}
		if err := s.Put("g", "a", events); err != nil {
			t.Fatal(err)
		}
	}
	put(s, 3)
	if err := s.Pack(); err != nil {
		t.Fatal(err)
	}
	put(s, 2)
	put(s, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"wal", "seg"} {
		files, _ := filepath.Glob(filepath.Join(dir, "*", "*."+kind))
		if len(files) != 1 {
			t.Fatalf("files %v", files)
		}
		whole, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		most := 6 // events, of which the other file holds the rest
		for i := range whole {
			for _, bad := range [][]byte{whole[:i], slices.Concat(whole[:i], []byte{whole[i] ^ 0x55}, whole[i+1:])} {
				if err := os.WriteFile(files[0], bad, 0o600); err != nil {
					t.Fatal(err)
				}
				s, err := Open(Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatalf("%s, byte %d: %v", kind, i, err)
				}
				got := len(all(t, s, "g"))
				if got > most || kind == "wal" && got < 3 || kind == "seg" && got < 3 {
					t.Fatalf("%s, byte %d: %d events", kind, i, got)
				}
				if i%16 == 0 {
					before := journals(t, dir)
					put(s, 1)
					if n := len(all(t, s, "g")); n != got+1 {
						t.Fatalf("%s, byte %d: %d events after one more than %d", kind, i, n, got)
					}
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					restore(t, dir, before)
				} else if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := os.WriteFile(files[0], whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// journals reads the journals of a store.
func journals(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*.wal"))
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[f] = raw
	}
	return out
}

// restore puts the journals back as they were.
func restore(t *testing.T, dir string, before map[string][]byte) {
	t.Helper()
	for f := range journals(t, dir) {
		if before[f] == nil {
			os.Remove(f)
		}
	}
	for f, raw := range before {
		if err := os.WriteFile(f, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRetentionUnderLoad drops what expired and what has no room while others
// write, read and follow: nobody fails, and the latest events are there.
func TestRetentionUnderLoad(t *testing.T) {
	s, err := Open(Config{Dir: t.TempDir(), MaxBytes: 64 << 10, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Put("g", "a", []Event{{time.Now().UnixMilli(), "first"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.SetRetention("g", 1); err != nil {
		t.Fatal(err)
	}
	var writers, readers sync.WaitGroup
	var done atomic.Bool
	failed := func(err error) {
		if err != nil {
			t.Error(err)
			done.Store(true)
		}
	}
	for w := range 3 {
		writers.Go(func() {
			f := newFleet(uint64(w), 50, time.Now().UnixMilli())
			for i := range 60 {
				events := f.events(100)
				if i%2 == 0 { // these have expired already
					for k := range events {
						events[k].Time -= 3 * dayMillis
					}
				}
				failed(s.Put("g", fmt.Sprint("s", w), events))
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			for !done.Load() {
				v, err := s.View("g")
				if err != nil {
					failed(err)
					return
				}
				page, err := v.Read(t.Context(), Read{From: NoStart, To: NoEnd, Limit: 1000, Backward: true})
				failed(err)
				for _, r := range page.Records {
					if r.Time < v.Earliest {
						failed(fmt.Errorf("an expired event of %d", r.Time))
					}
				}
			}
		})
	}
	readers.Go(func() {
		for !done.Load() {
			condenseNow(s)
			s.expire(time.Now().UnixMilli())
			failed(s.Pack())
			failed(s.bound())
		}
	})
	writers.Wait()
	done.Store(true)
	readers.Wait()
	if err := s.Put("g", "a", []Event{{time.Now().UnixMilli() + 1000, "last"}}); err != nil {
		t.Fatal(err)
	}
	// By time it need not be the last: a fast machine's fleets are further than a second ahead.
	if got := messages(all(t, s, "g")); !slices.Contains(got, "last") {
		t.Errorf("the last event is not there, of %d", len(got))
	}
	if g, _ := s.Group("g"); g.StoredBytes > 8<<20 {
		t.Errorf("%d bytes on disk", g.StoredBytes)
	}
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%v, want %v", err, want)
	}
}
