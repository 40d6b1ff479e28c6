package function

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/store"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// A Version is the code and the configuration of a function at one time.
type Version struct {
	Version       string // "$LATEST" or a number
	Description   string
	Runtime       string
	Handler       string
	Role          string // ARN; kept and shown, never assumed
	Timeout       int    // seconds
	MemorySize    int    // MB
	Environment   map[string]string
	Architectures []string
	Tracing       string // "PassThrough" or "Active"; kept and shown
	EphemeralMB   int    // of /tmp; kept and shown
	CodeSHA256    string // hex
	CodeSize      int64  // bytes, zipped
	LastModified  time.Time
	RevisionID    string // UUID; new with every change
}

// An Alias is a name for a version.
type Alias struct {
	Name, FunctionVersion, Description, RevisionID string
}

// record is a function: what one row holds.
type record struct {
	Name        string
	Latest      Version
	Versions    []Version // published, ascending
	LastVersion int       // the greatest number ever given
	Aliases     map[string]Alias
	Policies    map[string]policyRecord // by qualifier; "" is the unqualified function's
	Tags        map[string]string
	Reserved    *int // concurrency
}

// clone copies what a change may change.
func (r *record) clone() *record {
	c := *r
	c.Versions = slices.Clone(r.Versions)
	c.Aliases = cloneMap(r.Aliases)
	c.Policies = cloneMap(r.Policies)
	c.Tags = cloneMap(r.Tags)
	return &c
}

func cloneMap[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return maps.Clone(m)
}

// version finds what a qualifier means: "" and $LATEST, a number, or an alias.
func (r *record) version(qualifier string) (Version, bool) {
	if alias, ok := r.Aliases[qualifier]; ok {
		qualifier = alias.FunctionVersion
	}
	if qualifier == "" || qualifier == latest {
		return r.Latest, true
	}
	i := slices.IndexFunc(r.Versions, func(v Version) bool { return v.Version == qualifier })
	if i < 0 {
		return Version{}, false
	}
	return r.Versions[i], true
}

// rows keeps records in a database of their own.
type rows struct{ db *store.DB }

func openRows(ctx context.Context, path string) (*rows, error) {
	migrations, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, path, migrations)
	if err != nil {
		return nil, err
	}
	return &rows{db}, nil
}

// all reads every record, by name.
func (r *rows) all(ctx context.Context) (map[string]*record, error) {
	found, err := r.db.Read().QueryContext(ctx, "SELECT name, body FROM functions")
	if err != nil {
		return nil, fmt.Errorf("read functions: %w", err)
	}
	defer found.Close()
	out := map[string]*record{}
	for found.Next() {
		var name, body string
		if err := found.Scan(&name, &body); err != nil {
			return nil, fmt.Errorf("read functions: %w", err)
		}
		rec := new(record)
		if err := json.Unmarshal([]byte(body), rec); err != nil {
			return nil, fmt.Errorf("decode function %s: %w", name, err)
		}
		out[name] = rec
	}
	if err := found.Err(); err != nil {
		return nil, fmt.Errorf("read functions: %w", err)
	}
	return out, nil
}

func (r *rows) put(ctx context.Context, rec *record) error {
	body, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("encode function %s: %w", rec.Name, err)
	}
	return r.db.Write(ctx, func(tx *sql.Tx) error {
		const upsert = "INSERT INTO functions (name, body) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET body = excluded.body"
		if _, err := tx.ExecContext(ctx, upsert, rec.Name, string(body)); err != nil {
			return fmt.Errorf("write function %s: %w", rec.Name, err)
		}
		return nil
	})
}

func (r *rows) remove(ctx context.Context, name string) error {
	return r.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM functions WHERE name = $1", name); err != nil {
			return fmt.Errorf("remove function %s: %w", name, err)
		}
		return nil
	})
}
