package store

import (
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// A DamagedError says that a file is no usable database. It was left as it is.
type DamagedError struct {
	Path   string
	Reason string
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("the database %s is damaged (%s); nothing in it was changed", e.Path, e.Reason)
}

// A NewerError says that a newer Gatehouse wrote the database. It was left as it is.
type NewerError struct {
	Path      string
	Migration string // one that this build does not have
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("the database %s was written by a newer Gatehouse (it has the migration %s, which this version does not know); nothing in it was changed",
		e.Path, e.Migration)
}

// IsNotFound reports whether err means that a query for one row found none.
func IsNotFound(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// IsUnique reports whether err is the violation of a primary key or of another
// unique constraint.
func IsUnique(err error) bool {
	return isCode(err, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE)
}

// IsForeignKey reports whether err is the violation of a reference: a row
// that is missing, or one that others still refer to.
func IsForeignKey(err error) bool { return isCode(err, sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY) }

// isCode reports whether err is an SQLite error with one of the extended codes.
func isCode(err error, codes ...int) bool {
	se, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	for _, code := range codes {
		if se.Code() == code {
			return true
		}
	}
	return false
}

// explain turns the driver's words for a broken file into a [*DamagedError].
func explain(path string, err error) error {
	se, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch se.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT:
		return &DamagedError{Path: path, Reason: "its pages contradict each other"}
	case sqlite3.SQLITE_NOTADB:
		return &DamagedError{Path: path, Reason: "it is not an SQLite database"}
	}
	return err
}
