package attempt

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/store"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// SQLStore is a Store in a database of its own, so that a flood of attempts
// never waits in front of a write to the registry.
type SQLStore struct{ db *store.DB }

// OpenStore opens, or makes, the database of attempts at path.
func OpenStore(ctx context.Context, path string) (*SQLStore, error) {
	migrations, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, path, migrations)
	if err != nil {
		return nil, err
	}
	return &SQLStore{db: db}, nil
}

// Close implements [Store].
func (s *SQLStore) Close() error { return s.db.Close() }

// Write implements [Store].
func (s *SQLStore) Write(ctx context.Context, records []Record) error {
	const upsert = `INSERT INTO attempts (id, last_ms, outcome, client_id, principal, principal_arn, certificate_id, source_ip, codes, body)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (id) DO UPDATE SET last_ms = excluded.last_ms, outcome = excluded.outcome, client_id = excluded.client_id,
principal = excluded.principal, principal_arn = excluded.principal_arn, certificate_id = excluded.certificate_id,
source_ip = excluded.source_ip, codes = excluded.codes, body = excluded.body`
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		stmt, err := tx.PrepareContext(ctx, upsert)
		if err != nil {
			return fmt.Errorf("write attempts: %w", err)
		}
		defer stmt.Close()
		for _, rec := range records {
			body, err := json.Marshal(rec)
			if err != nil {
				return fmt.Errorf("encode attempt %s: %w", rec.ID, err)
			}
			ip := ""
			if rec.Source.IsValid() {
				ip = rec.Source.Addr().String()
			}
			codes := " " + strings.Join(rec.codes(), " ") + " "
			if _, err := stmt.ExecContext(ctx, rec.ID, rec.Last.UnixMilli(), string(rec.Outcome), rec.searchName(), rec.Principal,
				rec.PrincipalARN, rec.CertificateID, ip, codes, string(body)); err != nil {
				return fmt.Errorf("write attempt %s: %w", rec.ID, err)
			}
		}
		return nil
	})
}

// where builds the condition of a query, with numbered placeholders.
type where struct {
	terms []string
	args  []any
}

// and adds a condition; each ? in it stands for the next of args.
func (w *where) and(condition string, args ...any) {
	for _, arg := range args {
		w.args = append(w.args, arg)
		condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(w.args)), 1)
	}
	w.terms = append(w.terms, condition)
}

var likeEscape = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// List implements [Store].
func (s *SQLStore) List(ctx context.Context, f Filter, after Cursor, n int) ([]Record, error) {
	w := where{}
	w.and("1 = 1")
	if f.ClientID != "" {
		w.and("client_id = ?", f.ClientID)
	}
	if f.Principal != "" {
		w.and("(principal = ? OR principal_arn = ? OR certificate_id = ?)", f.Principal, f.Principal, f.Principal)
	}
	if f.SourceIP != "" {
		w.and("source_ip = ?", f.SourceIP)
	}
	if f.Outcome != "" {
		w.and("outcome = ?", string(f.Outcome))
	}
	if f.Code != "" {
		w.and(`codes LIKE ? ESCAPE '\'`, "% "+likeEscape.Replace(f.Code)+" %")
	}
	if !f.Since.IsZero() {
		w.and("last_ms >= ?", f.Since.UnixMilli())
	}
	if !f.Until.IsZero() {
		w.and("last_ms < ?", f.Until.UnixMilli())
	}
	if after != (Cursor{}) {
		w.and("(last_ms < ? OR (last_ms = ? AND id < ?))", after.LastMs, after.LastMs, after.ID)
	}
	query := fmt.Sprintf("SELECT body FROM attempts WHERE %s ORDER BY last_ms DESC, id DESC LIMIT %d", strings.Join(w.terms, " AND "), n)
	rows, err := s.db.Read().QueryContext(ctx, query, w.args...)
	if err != nil {
		return nil, fmt.Errorf("list attempts: %w", err)
	}
	defer rows.Close()
	var found []Record
	for rows.Next() {
		var body string
		if err := rows.Scan(&body); err != nil {
			return nil, fmt.Errorf("list attempts: %w", err)
		}
		var rec Record
		if err := json.Unmarshal([]byte(body), &rec); err != nil {
			return nil, fmt.Errorf("decode attempt: %w", err)
		}
		found = append(found, rec)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list attempts: %w", err)
	}
	return found, nil
}

// Get implements [Store].
func (s *SQLStore) Get(ctx context.Context, id string) (rec Record, found bool, err error) {
	var body string
	err = s.db.Read().QueryRowContext(ctx, "SELECT body FROM attempts WHERE id = $1", id).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return Record{}, false, nil
	} else if err != nil {
		return Record{}, false, fmt.Errorf("read attempt %s: %w", id, err)
	}
	if err := json.Unmarshal([]byte(body), &rec); err != nil {
		return Record{}, false, fmt.Errorf("decode attempt %s: %w", id, err)
	}
	return rec, true, nil
}

// Prune implements [Store].
func (s *SQLStore) Prune(ctx context.Context, oldest time.Time, most int) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM attempts WHERE last_ms < $1", oldest.UnixMilli()); err != nil {
			return fmt.Errorf("remove old attempts: %w", err)
		}
		var count int
		if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM attempts").Scan(&count); err != nil {
			return fmt.Errorf("count attempts: %w", err)
		}
		if count <= most {
			return nil
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM attempts WHERE id IN (SELECT id FROM attempts ORDER BY last_ms, id LIMIT $1)", count-most); err != nil {
			return fmt.Errorf("remove surplus attempts: %w", err)
		}
		return nil
	})
}
