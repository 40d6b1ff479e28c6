package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

var first = fstest.MapFS{
	"001_pets.sql": {Data: []byte(`CREATE TABLE pets (name TEXT PRIMARY KEY); CREATE TABLE owners (name TEXT PRIMARY KEY, pet TEXT NOT NULL REFERENCES pets (name));`)},
}

var second = fstest.MapFS{
	"001_pets.sql": first["001_pets.sql"],
	"002_age.sql":  {Data: []byte(`ALTER TABLE pets ADD COLUMN age BIGINT NOT NULL DEFAULT 0;`)},
}

func open(t *testing.T, path string, migrations fs.FS) *DB {
	t.Helper()
	db, err := Open(t.Context(), path, migrations)
	if err != nil {
		t.Fatalf("Open(%s): %v", path, err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func addPet(db *DB, name string) error {
	return db.Write(context.Background(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO pets (name) VALUES ($1)`, name)
		return err
	})
}

func pets(t *testing.T, db *DB) []string {
	t.Helper()
	rows, err := db.Read().Query(`SELECT name FROM pets ORDER BY name`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return names
}

func TestMigrateInSteps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a folder with ?#% in it")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(path, "x.db")
	db := open(t, path, first)
	if err := addPet(db, "rex"); err != nil {
		t.Fatal(err)
	}
	db.Close()

	db = open(t, path, second)
	var age int
	if err := db.Read().QueryRow(`SELECT age FROM pets WHERE name = 'rex'`).Scan(&age); err != nil {
		t.Errorf("after the second migration: %v", err)
	}
	db.Close()

	_, err := Open(t.Context(), path, first)
	newer, ok := errors.AsType[*NewerError](err)
	if !ok || newer.Migration != "002_age.sql" || !strings.Contains(err.Error(), path) {
		t.Errorf("Open with an older schema: %v, want a NewerError for 002_age.sql that names %s", err, path)
	}
}

func TestBrokenMigrationChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	open(t, path, first).Close()
	broken := fstest.MapFS{
		"001_pets.sql":  first["001_pets.sql"],
		"002_twice.sql": {Data: []byte(`CREATE TABLE toys (name TEXT); CREATE TABLE toys (name TEXT);`)},
	}
	if _, err := Open(t.Context(), path, broken); err == nil || !strings.Contains(err.Error(), "002_twice.sql") {
		t.Fatalf("Open with a broken migration: %v, want an error that names it", err)
	}
	db := open(t, path, first)
	var n int
	if err := db.Read().QueryRow(`SELECT COUNT(*) FROM sqlite_schema WHERE name = 'toys'`).Scan(&n); err != nil || n != 0 {
		t.Errorf("tables left by the broken migration: %d (%v), want 0", n, err)
	}
}

func TestPragmas(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"), first)
	for _, tt := range []struct {
		db     *sql.DB
		pragma string
		want   string
	}{
		{db.writer, "journal_mode", "wal"},
		{db.writer, "synchronous", "2"}, // FULL
		{db.writer, "foreign_keys", "1"},
		{db.writer, "busy_timeout", "5000"},
		{db.reader, "query_only", "1"},
		{db.reader, "busy_timeout", "5000"},
	} {
		var got string
		if err := tt.db.QueryRow("PRAGMA " + tt.pragma).Scan(&got); err != nil || got != tt.want {
			t.Errorf("PRAGMA %s = %s (%v), want %s", tt.pragma, got, err, tt.want)
		}
	}
}

func TestErrors(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"), first)
	if err := addPet(db, "rex"); err != nil {
		t.Fatal(err)
	}
	if err := addPet(db, "rex"); !IsUnique(err) || IsForeignKey(err) {
		t.Errorf("a second rex: %v, want a unique violation", err)
	}
	err := db.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO owners (name, pet) VALUES ('ann', 'tom')`)
		return err
	})
	if !IsForeignKey(err) || IsUnique(err) {
		t.Errorf("an owner of no pet: %v, want a foreign key violation", err)
	}
	var name string
	if err := db.Read().QueryRow(`SELECT name FROM pets WHERE name = 'tom'`).Scan(&name); !IsNotFound(err) {
		t.Errorf("a pet that is missing: %v, want not found", err)
	}
}

func TestWriteRollsBackOnRefusal(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"), first)
	refusal := errors.New("no more pets")
	err := db.Write(t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.Exec(`INSERT INTO pets (name) VALUES ('rex')`); err != nil {
			return err
		}
		return refusal
	})
	if !errors.Is(err, refusal) {
		t.Errorf("Write returned %v, want the refusal itself", err)
	}
	if got := pets(t, db); len(got) != 0 {
		t.Errorf("pets after a refusal: %v, want none", got)
	}
}

func TestConcurrentWritesAndReads(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"), first)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 10 {
				if err := addPet(db, string(rune('a'+i))+string(rune('a'+j))); err != nil {
					t.Errorf("write: %v", err)
				}
				if _, err := db.Read().Exec(`SELECT COUNT(*) FROM pets`); err != nil {
					t.Errorf("read: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if got := pets(t, db); len(got) != 80 {
		t.Errorf("%d pets, want 80", len(got))
	}
}

func TestFilesArePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	db := open(t, path, first)
	if err := addPet(db, "rex"); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v (%v), want 0600", path+suffix, info.Mode(), err)
		}
	}
}

// A damaged file is refused with its name, and stays as it is, byte by byte.
func TestDamagedDatabase(t *testing.T) {
	good := filepath.Join(t.TempDir(), "good.db")
	db := open(t, good, first)
	for i := range 500 {
		if err := addPet(db, strings.Repeat(string(rune('a'+i%26)), 100)+string(rune(0x100+i))); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte(nil), whole...)
	for i := 4096; i < 3*4096; i++ {
		flipped[i] ^= 0x5a
	}
	for name, data := range map[string][]byte{
		"garbage":      []byte(strings.Repeat("this is no database. ", 1000)),
		"short":        []byte("SQLite format 3\x00"),
		"cut off":      whole[:len(whole)/2],
		"broken pages": flipped,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "registry.db")
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := Open(t.Context(), path, first)
			if err == nil {
				db.Close()
			}
			damaged, ok := errors.AsType[*DamagedError](err)
			if !ok || damaged.Path != path || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "nothing in it was changed") {
				t.Errorf("Open: %v, want a DamagedError for %s", err, path)
			}
			after, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(len(data), len(after)); diff != "" || string(after) != string(data) {
				t.Errorf("Open changed the file (size %s)", diff)
			}
		})
	}
}

func TestFolderCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "missing")
	_, err := Open(t.Context(), filepath.Join(dir, "x.db"), first)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), dir) {
		t.Errorf("Open in a missing folder: %v", err)
	}
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir = t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), filepath.Join(dir, "x.db"), first); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Open in a folder that can't be written: %v, want fs.ErrPermission", err)
	}
}

// What was committed is there after a crash: a copy of the files as they are,
// without a clean close, holds it.
func TestCommittedSurvivesWithoutClose(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.db")
	db := open(t, path, first)
	if err := addPet(db, "rex"); err != nil {
		t.Fatal(err)
	}
	crashed := t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(crashed, "x.db"+suffix), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := pets(t, open(t, filepath.Join(crashed, "x.db"), first)), []string{"rex"}; !cmp.Equal(got, want) {
		t.Errorf("pets after a crash: %v, want %v", got, want)
	}
}

// A kill before write-ahead logging is on leaves a rollback journal, which the next start has to play back.
func TestUnfinishedJournal(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "made")
	old, err := sql.Open("sqlite", dsn(path, "immediate", "cache_size(1)"))
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	old.SetMaxOpenConns(1)
	do := func(statement string) {
		t.Helper()
		if _, err := old.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	do("CREATE TABLE before (text TEXT)")
	do("BEGIN IMMEDIATE")
	do("CREATE TABLE pets (spilled BLOB)")
	do("INSERT INTO pets SELECT zeroblob(3000) FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) SELECT i FROM n)")
	killed := filepath.Join(dir, "killed")
	for _, suffix := range []string{"", "-journal"} { // what a kill would leave
		b, err := os.ReadFile(path + suffix)
		if err != nil || len(b) == 0 {
			t.Fatalf("%d bytes of %q, %v", len(b), suffix, err)
		}
		if err := os.WriteFile(killed+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db := open(t, killed, first)
	if err := addPet(db, "rex"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"rex"}, pets(t, db)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestCloseLeavesOneWholeFile: whoever copies the database file of a stopped
// Gatehouse has everything, also after snapshots were taken.
func TestCloseLeavesOneWholeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "whole.db")
	db := open(t, path, first)
	if err := addPet(db, "kept"); err != nil {
		t.Fatal(err)
	}
	if err := db.View(t.Context(), func(s *Snapshot) error {
		var n int
		return s.QueryRowContext(t.Context(), "SELECT count(*) FROM pets").Scan(&n)
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
		t.Errorf("the -wal file still holds %d bytes after the close", info.Size())
	}
}
