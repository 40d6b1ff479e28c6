package store

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// migrate applies the files of migrations that the database does not list yet.
func migrate(ctx context.Context, db *sql.DB, path string, migrations fs.FS) error {
	names, err := fs.Glob(migrations, "*.sql") // sorted
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	applied, err := appliedMigrations(ctx, db)
	if err != nil {
		return explain(path, fmt.Errorf("read the schema version of %s: %w", path, err))
	}
	for _, name := range applied {
		if !slices.Contains(names, name) {
			return &NewerError{Path: path, Migration: name}
		}
	}
	for _, name := range names {
		if slices.Contains(applied, name) {
			continue
		}
		if err := applyMigration(ctx, db, migrations, name); err != nil {
			return explain(path, fmt.Errorf("bring %s up to date: %w", path, err))
		}
	}
	return nil
}

// appliedMigrations lists the migrations that the database has, none for one
// that is new.
func appliedMigrations(ctx context.Context, db *sql.DB) ([]string, error) {
	const create = `CREATE TABLE IF NOT EXISTS schema_migrations (name TEXT PRIMARY KEY, applied_at BIGINT NOT NULL)`
	if _, err := db.ExecContext(ctx, create); err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, `SELECT name FROM schema_migrations ORDER BY name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// applyMigration runs one file and notes its name, both or neither.
func applyMigration(ctx context.Context, db *sql.DB, migrations fs.FS, name string) error {
	text, err := fs.ReadFile(migrations, name)
	if err != nil {
		return fmt.Errorf("read migration: %w", err)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("migration %s: %w", name, err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, string(text)); err != nil {
		return fmt.Errorf("migration %s: %w", name, err)
	}
	const note = `INSERT INTO schema_migrations (name, applied_at) VALUES ($1, $2)`
	if _, err := tx.ExecContext(ctx, note, name, time.Now().UnixMilli()); err != nil {
		return fmt.Errorf("migration %s: %w", name, err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("migration %s: %w", name, err)
	}
	return nil
}
