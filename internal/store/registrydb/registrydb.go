// Package registrydb holds the rows of the registry: its schema as migrations,
// and its queries as Go functions that sqlc generates from queries/*.sql.
//
// A subject has one file in queries/. The SQL is the part that SQLite and
// PostgreSQL share: $1 placeholders, BIGINT milliseconds for times, no JSON
// operators. Run `make generate` after a change and commit the result.
package registrydb

import (
	"embed"
	"io/fs"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the schema of the registry as numbered files, in the form
// that store.Open takes.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded: this is a build that cannot exist
	}
	return sub
}
