package function

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// events reads the asynchronous invocations that are not over.
func (r *rows) events(ctx context.Context) ([]*event, error) {
	found, err := r.db.Read().QueryContext(ctx, "SELECT id, request, accepted, due, failures FROM invocations ORDER BY due")
	if err != nil {
		return nil, fmt.Errorf("read invocations: %w", err)
	}
	defer found.Close()
	var list []*event
	for found.Next() {
		var e event
		var request string
		var accepted, due int64
		if err := found.Scan(&e.id, &request, &accepted, &due, &e.failures); err != nil {
			return nil, fmt.Errorf("read invocations: %w", err)
		}
		if err := json.Unmarshal([]byte(request), &e.request); err != nil {
			return nil, fmt.Errorf("decode invocation %s: %w", e.id, err)
		}
		e.accepted, e.due = time.UnixMilli(accepted), time.UnixMilli(due)
		list = append(list, &e)
	}
	if err := found.Err(); err != nil {
		return nil, fmt.Errorf("read invocations: %w", err)
	}
	return list, nil
}

// putEvent writes an invocation that is accepted, or is to run again.
func (r *rows) putEvent(ctx context.Context, e *event) error {
	request, err := json.Marshal(e.request)
	if err != nil {
		return fmt.Errorf("encode invocation %s: %w", e.id, err)
	}
	return r.db.Write(ctx, func(tx *sql.Tx) error {
		const upsert = "INSERT INTO invocations (id, request, accepted, due, failures) VALUES ($1, $2, $3, $4, $5)" +
			" ON CONFLICT (id) DO UPDATE SET due = excluded.due, failures = excluded.failures"
		if _, err := tx.ExecContext(ctx, upsert, e.id, string(request), e.accepted.UnixMilli(), e.due.UnixMilli(), e.failures); err != nil {
			return fmt.Errorf("write invocation %s: %w", e.id, err)
		}
		return nil
	})
}

// removeEvent removes an invocation that is over.
func (r *rows) removeEvent(ctx context.Context, id string) error {
	return r.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM invocations WHERE id = $1", id); err != nil {
			return fmt.Errorf("remove invocation %s: %w", id, err)
		}
		return nil
	})
}
