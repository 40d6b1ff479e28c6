// Package registry keeps things, groups, certificates, CAs, policies and what
// is attached to what, with AWS IoT's rules and limits.
//
// Every rule is checked inside the transaction that it guards. A method that
// refuses returns an [*Error]; any other error is broken machinery. Methods
// are safe for concurrent use.
package registry

import (
	"cmp"
	"context"
	"crypto"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// An issuer signs certificates for devices.
type issuer interface {
	// IssueDevice returns the DER form of a new certificate for pub.
	IssueDevice(pub crypto.PublicKey) ([]byte, error)
}

// Config is what a Registry needs.
type Config struct {
	DataDir   string // folder of registry.db; it must exist
	AccountID string // 12 digits
	Region    string
	Endpoint  string // host name that devices use
	Issuer    issuer // a *pki.Authority

	// ThingTypeDeletionWait is how long a thing type must have been deprecated
	// before it can be deleted; 0 means AWS's 5 minutes, below 0 no wait.
	ThingTypeDeletionWait time.Duration
}

// A Registry holds one account's resources in one region.
type Registry struct {
	db        *store.DB
	account   string
	region    string
	partition string
	endpoint  string
	issuer    issuer
	watchers  watchers

	typeDeletionWait time.Duration

	// writing is held from the beginning of a transaction until everyone was
	// told of its changes, so that changes are told in the order of the commits.
	writing   chan struct{}
	lastNow   int64 // of the newest transaction; guarded by writing
	lastClock int64 // guarded like lastNow: what the clock said then
}

// Open opens the registry in cfg.DataDir. The first time, it makes the database
// and an access key, and notes whose it is. Errors are those of [store.Open],
// and [*HomeError] for the database of another account or Region.
func Open(ctx context.Context, cfg Config) (*Registry, error) {
	if cfg.AccountID == "" || cfg.Region == "" || cfg.Issuer == nil {
		return nil, errors.New("registry: AccountID, Region and Issuer are required")
	}
	path := filepath.Join(cfg.DataDir, "registry.db")
	db, err := store.Open(ctx, path, registrydb.Migrations())
	if err != nil {
		return nil, err
	}
	r := &Registry{
		db:        db,
		account:   cfg.AccountID,
		region:    cfg.Region,
		partition: PartitionOf(cfg.Region),
		endpoint:  cfg.Endpoint,
		issuer:    cfg.Issuer,
		writing:   make(chan struct{}, 1),

		typeDeletionWait: max(0, cmp.Or(cfg.ThingTypeDeletionWait, 5*time.Minute)),
	}
	if err := r.prepare(ctx, path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return r, nil
}

// prepare makes what a new database lacks, and brings rows of an older one up to date.
func (r *Registry) prepare(ctx context.Context, path string) error {
	if err := r.ensureHome(ctx, path); err != nil {
		return fmt.Errorf("find out whose registry it is: %w", err)
	}
	if err := r.ensureAccessKey(ctx); err != nil {
		return fmt.Errorf("make the first access key: %w", err)
	}
	if err := r.fillCertificateNames(ctx); err != nil {
		return fmt.Errorf("read the names of stored certificates: %w", err)
	}
	return nil
}

// Close closes the database. Operations under way must have ended.
func (r *Registry) Close() error { return r.db.Close() }

// AccountID returns the account, 12 digits.
func (r *Registry) AccountID() string { return r.account }

// Region returns the region, such as us-east-1.
func (r *Registry) Region() string { return r.region }

// Partition returns the AWS partition of the Region: aws, aws-cn or aws-us-gov.
func (r *Registry) Partition() string { return r.partition }

// tx is a transaction that changes the registry.
type tx struct {
	*registrydb.Queries
	now     int64 // time of the transaction in milliseconds since 1970
	changes []Change
}

// changed notes a change, to be told when the transaction is committed.
func (t *tx) changed(c Change) { t.changes = append(t.changes, c) }

// write runs fn in a transaction; see [store.DB.Write]. A refusal that fn
// returns undoes everything. Changes that fn notes are told after the commit,
// before write returns.
func (r *Registry) write(ctx context.Context, fn func(t *tx) error) error {
	select {
	case r.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.writing }()
	t := &tx{now: r.tick()}
	err := r.db.Write(ctx, func(stx *sql.Tx) error {
		t.Queries = registrydb.New(stx)
		return fn(t)
	})
	if err != nil {
		return err
	}
	r.watchers.notify(t.changes)
	return nil
}

// tick returns the time of a transaction in milliseconds since 1970. Two
// transactions of one millisecond get different times, so that lists by creation
// keep the order of the commits; a clock that was set back is followed.
func (r *Registry) tick() int64 {
	return r.tickAt(time.Now().UnixMilli())
}

// tickAt is tick by a clock. More than a thousand transactions a second run ahead
// of the clock: only the clock itself tells whether it was set back.
func (r *Registry) tickAt(clock int64) int64 {
	now := clock
	if setBack := r.lastClock-clock > 1000; !setBack && now <= r.lastNow {
		now = r.lastNow + 1
	}
	r.lastClock, r.lastNow = clock, now
	return now
}

// read returns the queries on the pool of readers: one query, one state.
func (r *Registry) read() *registrydb.Queries { return registrydb.New(r.db.Read()) }

// view runs fn, whose queries all see the same state.
func (r *Registry) view(ctx context.Context, fn func(q *registrydb.Queries) error) error {
	return r.db.View(ctx, func(s *store.Snapshot) error { return fn(registrydb.New(s)) })
}
