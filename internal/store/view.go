package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// maxStatements bounds the prepared statements of a connection. The queries of
// a schema are fixed text and fewer: it only guards against text made at run time.
const maxStatements = 512

// A Snapshot reads one state of the database, whatever is committed meanwhile.
// It keeps the statements that it prepared, because SQLite spends more time on
// understanding a small query than on running it. It belongs to one goroutine,
// and rows must be closed before the function that got it returns.
type Snapshot struct {
	conn       *sql.Conn
	statements map[string]*sql.Stmt
}

// views are the connections that serve snapshots, apart from the reader pool:
// they keep their statements.
type views struct {
	db    *sql.DB
	idle  chan *Snapshot
	slots chan struct{} // one in it for every connection that is open
}

func newViews(db *sql.DB, n int) views {
	return views{db: db, idle: make(chan *Snapshot, n), slots: make(chan struct{}, n)}
}

// View runs fn on a snapshot. What fn returns comes back unchanged.
func (db *DB) View(ctx context.Context, fn func(s *Snapshot) error) (err error) {
	s, err := db.views.get(ctx)
	if err != nil {
		return fmt.Errorf("read %s: %w", db.path, err)
	}
	if _, err := s.exec(ctx, "BEGIN"); err != nil {
		db.views.drop(s)
		return fmt.Errorf("read %s: %w", db.path, err)
	}
	defer func() {
		// Also when ctx has ended: a transaction left open would pin the log.
		if _, endErr := s.exec(context.WithoutCancel(ctx), "ROLLBACK"); endErr != nil {
			db.views.drop(s)
			return
		}
		db.views.idle <- s // has room for every open connection
	}()
	return fn(s)
}

// get returns a connection that nobody uses, opens one, or waits.
func (v *views) get(ctx context.Context) (*Snapshot, error) {
	select {
	case s := <-v.idle:
		return s, nil
	default:
	}
	select {
	case s := <-v.idle:
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case v.slots <- struct{}{}:
	}
	conn, err := v.db.Conn(ctx)
	if err != nil {
		<-v.slots
		return nil, err
	}
	return &Snapshot{conn: conn, statements: map[string]*sql.Stmt{}}, nil
}

// drop closes a connection that may be broken.
func (v *views) drop(s *Snapshot) {
	s.conn.Close() // with its statements; what was wrong has been said
	<-v.slots
}

// close closes all connections; none may be in use.
func (v *views) close() error {
	for {
		select {
		case s := <-v.idle:
			v.drop(s)
		default:
			return v.db.Close()
		}
	}
}

// exec runs a statement on the connection.
func (s *Snapshot) exec(ctx context.Context, query string) (sql.Result, error) {
	st, err := s.PrepareContext(ctx, query) //nolint:sqlclosecheck // the snapshot keeps it
	if err != nil {
		return nil, err
	}
	return st.ExecContext(ctx)
}

// PrepareContext returns a statement, which the snapshot owns: do not close it.
func (s *Snapshot) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if st := s.statements[query]; st != nil {
		return st, nil
	}
	if len(s.statements) >= maxStatements {
		return nil, errors.New("too many different queries")
	}
	st, err := s.conn.PrepareContext(ctx, query)
	if err == nil {
		s.statements[query] = st
	}
	return st, err
}

// QueryContext is like [sql.Tx.QueryContext].
func (s *Snapshot) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	st, err := s.PrepareContext(ctx, query) //nolint:sqlclosecheck // the snapshot keeps it
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
}

// QueryRowContext is like [sql.Tx.QueryRowContext].
func (s *Snapshot) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	st, err := s.PrepareContext(ctx, query) //nolint:sqlclosecheck // the snapshot keeps it
	if err != nil {
		return s.conn.QueryRowContext(ctx, query, args...) // answers with the same error
	}
	return st.QueryRowContext(ctx, args...)
}

// ExecContext refuses: a snapshot only reads.
func (s *Snapshot) ExecContext(context.Context, string, ...any) (sql.Result, error) {
	return nil, errors.New("a snapshot can't write")
}
