// Package store opens SQL databases, brings their schema up to date and runs
// transactions on them; it knows rows and nothing of what they mean.
//
// The embedded engine is SQLite through a pure Go driver. A database has one
// writing connection, so that transactions queue in Go instead of failing with
// SQLITE_BUSY, and a pool of reading ones, which WAL lets run beside it.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// A DB is an open database. It is safe for concurrent use.
type DB struct {
	path   string
	writer *sql.DB
	reader *sql.DB
	views  views
}

// An Option of [Open].
type Option string

// Relaxed lets a commit return before it is on disk: one survives a crash of the
// process, and of the machine only if it is some seconds old. The database stays
// whole in any case. It is for what nobody was told to be kept.
const Relaxed Option = "relaxed"

// Open opens the SQLite database at path, makes it (mode 0600) when it is
// absent, and applies the migrations that it lacks, in the order of their
// names, each in a transaction of its own. migrations holds files named
// NNN_subject.sql at its root.
//
// A file that is no database or is broken gives a [*DamagedError], one that a
// newer Gatehouse wrote a [*NewerError]; neither is changed. A file or folder
// that cannot be written gives an error that matches fs.ErrPermission or says
// what the system answered.
func Open(ctx context.Context, path string, migrations fs.FS, options ...Option) (*DB, error) {
	if err := prepareFile(path); err != nil {
		return nil, err
	}
	if err := inspect(ctx, path); err != nil {
		return nil, err
	}
	db := &DB{path: path}
	var err error
	sync := "synchronous(FULL)"
	if slices.Contains(options, Relaxed) {
		sync = "synchronous(NORMAL)"
	}
	if db.writer, err = sql.Open("sqlite", dsn(path, "immediate", "journal_mode(WAL)", sync)); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	db.writer.SetMaxOpenConns(1)
	db.writer.SetMaxIdleConns(1)
	if err := migrate(ctx, db.writer, path, migrations); err != nil {
		return nil, errors.Join(err, db.writer.Close())
	}
	if db.reader, err = sql.Open("sqlite", dsn(path, "deferred", "query_only(1)")); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), db.writer.Close())
	}
	n := max(4, runtime.GOMAXPROCS(0))
	db.reader.SetMaxOpenConns(n)
	db.reader.SetMaxIdleConns(n)
	viewer, err := sql.Open("sqlite", dsn(path, "deferred", "query_only(1)"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), db.reader.Close(), db.writer.Close())
	}
	db.views = newViews(viewer, n)
	return db, nil
}

// Path returns the file that the database is kept in.
func (db *DB) Path() string { return db.path }

// Read returns the pool of read-only connections. It sees every transaction
// that was committed before a query began.
func (db *DB) Read() *sql.DB { return db.reader }

// Write runs fn in a transaction of the one writing connection and commits it
// when fn returns nil; what fn returns comes back unchanged, so that refusals
// keep their type. When Write returns nil the change is on disk: it survives a
// crash of the process and of the machine (but see [Relaxed]).
func (db *DB) Write(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin on %s: %w", db.path, err)
	}
	defer tx.Rollback() // after a commit this does nothing
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit to %s: %w", db.path, err)
	}
	return nil
}

// Close closes all connections. Transactions under way must have ended. It
// brings everything into the database file first: a copy of a stopped Gatehouse's
// data folder is whole even when its -wal files are left behind.
func (db *DB) Close() error {
	err := errors.Join(db.views.close(), db.reader.Close())
	ctx, cancel := context.WithTimeout(context.Background(), checkpointTime)
	defer cancel()
	if _, e := db.writer.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); e != nil {
		err = errors.Join(err, fmt.Errorf("bring the log into the database: %w", e))
	}
	return errors.Join(err, db.writer.Close())
}

// checkpointTime bounds how long a close may take to write the database file.
const checkpointTime = 10 * time.Second

// prepareFile makes sure that path is a regular file that only its owner reads:
// SQLite gives its -wal and -shm files the mode that it finds here.
func prepareFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open database %s: %w", path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open database %s: %w", path, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		if err := f.Chmod(0o600); err != nil {
			return fmt.Errorf("make database %s private: %w", path, err)
		}
	}
	return nil
}

// dsn names path for the driver. Pragmas belong to a connection, so they stand
// here, where every connection of a pool gets them.
func dsn(path, txlock string, pragmas ...string) string {
	q := url.Values{"_txlock": {txlock}}
	for _, p := range append([]string{"busy_timeout(5000)", "foreign_keys(1)"}, pragmas...) {
		q.Add("_pragma", p)
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), OmitHost: true, RawQuery: q.Encode()}).String()
}
