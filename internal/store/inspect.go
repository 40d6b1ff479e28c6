package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// quickCheckLimit is the size in bytes up to which [Open] reads every page of a
// database before it trusts it: about 20 ms, which a start can bear.
const quickCheckLimit = 8 << 20

// inspect looks for damage in the database at path through a connection that
// cannot write, so that a broken file stays exactly as it was found; but what
// SQLite began and did not finish, it rolls back.
func inspect(ctx context.Context, path string) error {
	size, err := checkHeader(path)
	if err != nil || size == 0 {
		return err
	}
	mode := "&mode=ro"
	if unfinished(path + "-journal") {
		mode = "" // a kill while the first start turned write-ahead logging on: only who may write can roll that back
	}
	db, err := sql.Open("sqlite", dsn(path, "deferred", "query_only(1)")+mode)
	if err != nil {
		return fmt.Errorf("open database %s: %w", path, err)
	}
	defer db.Close()
	probe := "SELECT CAST(COUNT(*) AS TEXT) FROM sqlite_schema" // reads the schema only
	if size <= quickCheckLimit {
		probe = "PRAGMA quick_check(1)"
	}
	var answer string
	if err := db.QueryRowContext(ctx, probe).Scan(&answer); err != nil {
		return explain(path, fmt.Errorf("read database %s: %w", path, err))
	}
	if size <= quickCheckLimit && answer != "ok" {
		return &DamagedError{Path: path, Reason: answer}
	}
	return nil
}

// checkHeader reads the first 100 bytes of an SQLite file and returns the
// file's size. Pages that the header counts but the file lacks were cut off,
// unless a log or a journal still holds them.
// Format: https://www.sqlite.org/fileformat2.html, section 1.3.
func checkHeader(path string) (size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("open database %s: %w", path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("open database %s: %w", path, err)
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("open database %s: it is not a regular file", path)
	}
	size = info.Size()
	if size == 0 {
		return 0, nil // new, or made by a start that was interrupted at once
	}
	header := make([]byte, 100)
	if _, err := io.ReadFull(f, header); err != nil {
		return 0, &DamagedError{Path: path, Reason: fmt.Sprintf("it has only %d bytes", size)}
	}
	if !bytes.HasPrefix(header, []byte("SQLite format 3\x00")) {
		return 0, &DamagedError{Path: path, Reason: "it is not an SQLite database"}
	}
	pageSize := int64(binary.BigEndian.Uint16(header[16:]))
	if pageSize == 1 {
		pageSize = 65536
	}
	wantPages := int64(binary.BigEndian.Uint32(header[28:]))
	if unfinished(path+"-wal") || unfinished(path+"-journal") {
		return size, nil
	}
	if want := wantPages * pageSize; size < want {
		return 0, &DamagedError{Path: path, Reason: fmt.Sprintf("it was cut off: %d of %d bytes are there", size, want)}
	}
	return size, nil
}

// unfinished reports whether a log or journal holds anything.
func unfinished(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() > 0
}
