package logs

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestLost: whoever counts learns which step failed, and of entries without room.
// Source: logs sheet 2; metrics sheet 1.7.
func TestLost(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	var mu sync.Mutex
	var told []string
	s, err := Open(Config{Dir: dir, Log: slog.New(slog.DiscardHandler), Lost: func(group string, of Loss, entries int) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, fmt.Sprint(group, " ", of, " ", entries))
	}})
	if err != nil {
		t.Fatal(err)
	}
	entry := Entry{time.Now().UnixMilli(), NewBody([MaxParts]*Members{NewMembers(`{"a":"b"}`)})}
	write := func(group string, more ...Entry) {
		t.Helper()
		w, err := s.NewWriter(group, "s", 30)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range append(more, entry) {
			w.Append(0, e, 1)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	write("good")
	write("good", Entry{}, Entry{}) // no message: there is no room for it
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	write("good") // the store is closed
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	write("new") // and its folder is gone
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"good Throttled 2", "good LogStreamCreationFailed 1", "new LogGroupCreationFailed 1"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	if got := lossOf(fmt.Errorf("append: %w", syscall.ENOSPC)); got != LostWrite {
		t.Errorf("a full disk costs %s, want %s", got, LostWrite)
	}
}
