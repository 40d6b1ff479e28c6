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
	"sync"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/store"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// SQLStore is a Store in a database of its own, so that a flood of attempts
// never waits in front of a write to the registry.
//
// Records of connections that ended well are most of a healthy installation's.
// In a burst they are written as segments, all others are rows of their own.
type SQLStore struct {
	db        *store.DB
	mostBytes int64 // what records may take; beyond, the oldest ones go

	mu      sync.Mutex    // one Write at a time
	segment segmentWriter // guarded by mu
}

// mostBytes bounds the database: records are small, yet a hostile device makes
// its own as large as an attempt may be.
const mostBytes = 512 << 20

// OpenStore opens, or makes, the database of attempts at path.
func OpenStore(ctx context.Context, path string) (*SQLStore, error) {
	migrations, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, err
	}
	// Nobody was promised that an attempt is on disk: a sync for each batch would
	// cost more than the batch. A crash of the process loses nothing, one of the
	// machine the last seconds.
	db, err := store.Open(ctx, path, migrations, store.Relaxed)
	if err != nil {
		return nil, err
	}
	return &SQLStore{db: db, mostBytes: mostBytes}, nil
}

// Close implements [Store].
func (s *SQLStore) Close() error { return s.db.Close() }

// Write implements [Store].
func (s *SQLStore) Write(ctx context.Context, records []Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	plain := 0
	for i := range records {
		if unremarkable(&records[i]) {
			plain++
		}
	}
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		if plain >= segmentLeast {
			if err := s.writeSegment(ctx, tx, records); err != nil {
				return err
			}
			if plain == len(records) {
				return nil
			}
		}
		return writeRows(ctx, tx, records, plain >= segmentLeast)
	})
}

// writeSegment writes the unremarkable ones of records.
func (s *SQLStore) writeSegment(ctx context.Context, tx *sql.Tx, records []Record) error {
	w := &s.segment
	w.reset()
	for i := range records {
		if unremarkable(&records[i]) {
			w.add(&records[i])
		}
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO segments (first_ms, last_ms, records, keys, body) VALUES ($1, $2, $3, $4, $5)",
		w.first, w.last, w.count, w.index(), w.body())
	if err != nil {
		return fmt.Errorf("write a segment of %d attempts: %w", w.count, err)
	}
	return nil
}

// writeRows writes records, or the remarkable ones of them, as rows.
func writeRows(ctx context.Context, tx *sql.Tx, records []Record, remarkable bool) error {
	const upsert = `INSERT INTO attempts (id, last_ms, outcome, client_id, principal, principal_arn, certificate_id, source_ip, codes, body)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (id) DO UPDATE SET last_ms = excluded.last_ms, outcome = excluded.outcome, client_id = excluded.client_id,
principal = excluded.principal, principal_arn = excluded.principal_arn, certificate_id = excluded.certificate_id,
source_ip = excluded.source_ip, codes = excluded.codes, body = excluded.body`
	stmt, err := tx.PrepareContext(ctx, upsert)
	if err != nil {
		return fmt.Errorf("write attempts: %w", err)
	}
	defer stmt.Close()
	for i := range records {
		rec := &records[i]
		if remarkable && unremarkable(rec) {
			continue
		}
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
	found, err := s.listRows(ctx, f, after, n)
	if err != nil {
		return nil, err
	}
	packed, err := s.listSegments(ctx, f, after, n)
	if err != nil || len(packed) == 0 {
		return found, err
	}
	return firstAfter(append(found, packed...), after, n), nil
}

func (s *SQLStore) listRows(ctx context.Context, f Filter, after Cursor, n int) ([]Record, error) {
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
		return s.getPacked(ctx, id)
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
		for _, table := range []string{"attempts", "segments"} {
			if _, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE last_ms < $1", oldest.UnixMilli()); err != nil {
				return fmt.Errorf("remove old attempts: %w", err)
			}
		}
		var rows, packed int
		if err := tx.QueryRowContext(ctx, "SELECT (SELECT COUNT(*) FROM attempts), (SELECT COALESCE(SUM(records), 0) FROM segments)").Scan(&rows, &packed); err != nil {
			return fmt.Errorf("count attempts: %w", err)
		}
		used, err := usedBytes(ctx, tx)
		if err != nil {
			return err
		}
		surplus := rows + packed - most
		if used > s.mostBytes { // as if they all had the same size; the next time sees what is left
			surplus = max(surplus, int(float64(rows+packed)*float64(used-s.mostBytes)/float64(used))+1)
		}
		if surplus <= 0 {
			return nil
		}
		removed, err := pruneSegments(ctx, tx, surplus)
		if err != nil {
			return err
		}
		if surplus -= removed; surplus <= 0 {
			return nil
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM attempts WHERE id IN (SELECT id FROM attempts ORDER BY last_ms, id LIMIT $1)", surplus); err != nil {
			return fmt.Errorf("remove surplus attempts: %w", err)
		}
		return nil
	})
}

// usedBytes is the size of the database without the space that deleted records
// left, which the next ones take.
func usedBytes(ctx context.Context, tx *sql.Tx) (n int64, err error) {
	const query = `SELECT (pages.page_count - free.freelist_count) * size.page_size
FROM pragma_page_count AS pages, pragma_freelist_count AS free, pragma_page_size AS size`
	if err := tx.QueryRowContext(ctx, query).Scan(&n); err != nil {
		return 0, fmt.Errorf("measure the database of attempts: %w", err)
	}
	return n, nil
}
