// Command duckdb answers the questions of test/bench/logs with DuckDB: it loads
// the same events into a table with a column for each field, and prints a line of
// JSON for the load and for each query, with the processor time that it took.
//
// It is a module of its own because DuckDB needs cgo:
//
//	go build -C test/bench/logs/duckdb -o /tmp/duckdb-bench .
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"syscall"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
)

// figure is one measurement. test/bench/logs reads it.
type figure struct {
	Name  string        `json:"name"`
	Rows  int64         `json:"rows"`
	Bytes int64         `json:"bytes,omitempty"` // of disk
	Wall  time.Duration `json:"wall"`            // nanoseconds
	CPU   time.Duration `json:"cpu"`             // nanoseconds
}

func main() {
	events := flag.String("events", "", "file of JSON lines, compressed by zstd")
	db := flag.String("db", "", "file of the database; made anew")
	client := flag.String("client", "", "client ID to look for")
	trace := flag.String("trace", "", "trace ID to look for")
	threads := flag.Int("threads", 2, "threads that DuckDB uses")
	flag.Parse()
	if err := run(*events, *db, *client, *trace, *threads); err != nil {
		fmt.Fprintln(os.Stderr, "duckdb:", err)
		os.Exit(1)
	}
}

// load makes the table. The columns are those of the device log entries.
const load = `CREATE TABLE events AS SELECT * FROM read_json(?, format='newline_delimited', compression='zstd', maximum_object_size=1048576, columns={
	timestamp: 'TIMESTAMP', logLevel: 'VARCHAR', traceId: 'VARCHAR', accountId: 'VARCHAR', status: 'VARCHAR', eventType: 'VARCHAR', protocol: 'VARCHAR',
	topicName: 'VARCHAR', clientId: 'VARCHAR', principalId: 'VARCHAR', sourceIp: 'VARCHAR', sourcePort: 'INTEGER', ruleName: 'VARCHAR', ruleAction: 'VARCHAR',
	latency: 'INTEGER', disconnectReason: 'VARCHAR', subscriptions: 'JSON', reason: 'VARCHAR', details: 'VARCHAR'})`

func run(events, path, client, trace string, threads int) error {
	ctx := context.Background()
	db, err := sql.Open("duckdb", path)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, set := range []string{fmt.Sprintf("SET threads = %d", threads), "SET preserve_insertion_order = true", "SET memory_limit = '4GB'"} {
		if _, err := db.ExecContext(ctx, set); err != nil {
			return err
		}
	}
	out := json.NewEncoder(os.Stdout)
	f, err := measure("load", func() (int64, error) {
		res, err := db.ExecContext(ctx, load, events)
		if err != nil {
			return 0, err
		}
		if _, err := db.ExecContext(ctx, "CHECKPOINT"); err != nil {
			return 0, err
		}
		return res.RowsAffected()
	})
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f.Bytes = info.Size()
	if err := out.Encode(f); err != nil {
		return err
	}
	for _, q := range []struct {
		name, text string
		args       []any
	}{
		{"page", `SELECT clientId, eventType, status, timestamp FROM events WHERE status = 'Failure' ORDER BY timestamp DESC LIMIT 10000`, nil},
		{"stats", `SELECT count(*), time_bucket(INTERVAL 5 MINUTE, timestamp) AS bin, eventType FROM events GROUP BY ALL`, nil},
		{"client", `SELECT timestamp, eventType, topicName FROM events WHERE clientId = ? ORDER BY timestamp DESC LIMIT 10000`, []any{client}},
		{"trace", `SELECT timestamp, eventType, topicName FROM events WHERE traceId = ? ORDER BY timestamp DESC LIMIT 10000`, []any{trace}},
	} {
		for range 2 { // the second finds the file in memory, as the other side does
			f, err = measure(q.name, func() (int64, error) { return rows(ctx, db, q.text, q.args) })
			if err != nil {
				return fmt.Errorf("%s: %w", q.name, err)
			}
		}
		if err := out.Encode(f); err != nil {
			return err
		}
	}
	return nil
}

// rows reads all rows of a query, as texts, and counts them.
func rows(ctx context.Context, db *sql.DB, text string, args []any) (int64, error) {
	r, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	names, err := r.Columns()
	if err != nil {
		return 0, err
	}
	cells := make([]sql.NullString, len(names))
	into := make([]any, len(names))
	for i := range cells {
		into[i] = &cells[i]
	}
	var n int64
	for r.Next() {
		if err := r.Scan(into...); err != nil {
			return n, err
		}
		n++
	}
	return n, r.Err()
}

// measure runs f and takes its time, and the processor time of the process.
func measure(name string, f func() (int64, error)) (figure, error) {
	began, spent := time.Now(), processor()
	n, err := f()
	return figure{Name: name, Rows: n, Wall: time.Since(began), CPU: processor() - spent}, err
}

// processor is the processor time of this process so far.
func processor() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
