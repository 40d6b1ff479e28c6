package store

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
)

func countPets(ctx context.Context, s *Snapshot) (n int, err error) {
	err = s.QueryRowContext(ctx, `SELECT COUNT(*) FROM pets`).Scan(&n)
	return n, err
}

func TestViewSeesOneState(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"), first)
	for round := range 3 { // the statements of the first round are used again
		err := db.View(t.Context(), func(s *Snapshot) error {
			before, err := countPets(t.Context(), s)
			if err != nil || before != round {
				t.Errorf("round %d begins with %d pets (%v)", round, before, err)
			}
			if err := addPet(db, string(rune('a'+round))); err != nil {
				t.Error(err)
			}
			after, err := countPets(t.Context(), s)
			if err != nil || after != before {
				t.Errorf("a commit shows through: %d, then %d (%v)", before, after, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestViewReturnsWhatItRan(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"), first)
	refusal := errors.New("no")
	if err := db.View(t.Context(), func(*Snapshot) error { return refusal }); !errors.Is(err, refusal) {
		t.Errorf("View returned %v", err)
	}
	err := db.View(t.Context(), func(s *Snapshot) error {
		if err := s.QueryRowContext(t.Context(), `SELECT nonsense`).Scan(new(int)); err == nil {
			t.Error("a wrong query succeeded")
		}
		if _, err := s.PrepareContext(t.Context(), `SELECT nonsense`); err == nil { //nolint:sqlclosecheck // there is none
			t.Error("a wrong query succeeded")
		}
		if _, err := s.ExecContext(t.Context(), `DELETE FROM pets`); err == nil {
			t.Error("a snapshot wrote")
		}
		_, err := countPets(t.Context(), s) // goes on
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A caller that gives up, in whatever state, leaves a pool that works.
func TestViewCancelled(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"), first)
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		err := db.View(ctx, func(s *Snapshot) error {
			cancel()
			_, err := countPets(ctx, s)
			return err
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("View returned %v, want context.Canceled", err)
		}
		if err := db.View(ctx, func(*Snapshot) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("View of an ended context: %v", err)
		}
	}
	if err := addPet(db, "rex"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 50 { // more than there are connections
		wg.Go(func() {
			err := db.View(t.Context(), func(s *Snapshot) error {
				n, err := countPets(t.Context(), s)
				if err == nil && n != 1 {
					t.Errorf("%d pets, want 1: a snapshot was left open", n)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if open := len(db.views.slots); open > cap(db.views.slots) || open != len(db.views.idle) {
		t.Errorf("%d connections open, %d idle", open, len(db.views.idle))
	}
}

// A panic of fn gives its connection back.
func TestViewPanics(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"), first)
	for range 2 * cap(db.views.slots) {
		func() {
			defer func() { _ = recover() }()
			_ = db.View(t.Context(), func(*Snapshot) error { panic("broken caller") })
		}()
	}
	if err := db.View(t.Context(), func(s *Snapshot) error { _, err := countPets(t.Context(), s); return err }); err != nil {
		t.Error(err)
	}
}
