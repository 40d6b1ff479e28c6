package attempt

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
)

// segmentsAtOnce is how many segments are looked through between two questions
// to the database.
const segmentsAtOnce = 64

// A segmentRow is a segment without its records.
type segmentRow struct {
	id, first, last int64
	keys            []byte
}

// eachSegment calls visit for segments, the latest first, until it answers false.
// No query is open meanwhile.
func (s *SQLStore) eachSegment(ctx context.Context, since, until int64, visit func(segmentRow) (bool, error)) error {
	last, id := until, int64(math.MaxInt64)
	for {
		page, err := s.segmentPage(ctx, since, last, id)
		if err != nil {
			return err
		}
		for _, row := range page {
			if more, err := visit(row); err != nil || !more {
				return err
			}
		}
		if len(page) < segmentsAtOnce {
			return nil
		}
		end := page[len(page)-1]
		last, id = end.last, end.id
	}
}

// segmentPage returns the next segments before a place that end at or after since.
func (s *SQLStore) segmentPage(ctx context.Context, since, last, id int64) ([]segmentRow, error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT id, first_ms, last_ms, keys FROM segments
WHERE last_ms >= $1 AND (last_ms < $2 OR (last_ms = $2 AND id < $3)) ORDER BY last_ms DESC, id DESC LIMIT $4`, since, last, id, segmentsAtOnce)
	if err != nil {
		return nil, fmt.Errorf("list segments of attempts: %w", err)
	}
	defer rows.Close()
	var page []segmentRow
	for rows.Next() {
		var row segmentRow
		if err := rows.Scan(&row.id, &row.first, &row.last, &row.keys); err != nil {
			return nil, fmt.Errorf("list segments of attempts: %w", err)
		}
		page = append(page, row)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list segments of attempts: %w", err)
	}
	return page, nil
}

// open calls yield for every record of a segment, none when it was pruned meanwhile.
func (s *SQLStore) open(ctx context.Context, id int64, yield func(Record)) error {
	var body []byte
	err := s.db.Read().QueryRowContext(ctx, "SELECT body FROM segments WHERE id = $1", id).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return fmt.Errorf("read segment %d of attempts: %w", id, err)
	}
	if err := readSegment(body, yield); err != nil {
		return fmt.Errorf("decode segment %d of attempts: %w", id, err)
	}
	return nil
}

// listSegments is List for what is in segments.
func (s *SQLStore) listSegments(ctx context.Context, f Filter, after Cursor, n int) ([]Record, error) {
	if f.Code != "" || f.Outcome != "" && f.Outcome != Passed {
		return nil, nil // none of it is in a segment
	}
	var keys []uint32
	for _, k := range []struct {
		kind  byte
		value string
	}{{keyClient, f.ClientID}, {keyPrincipal, f.Principal}, {keySource, f.SourceIP}} {
		if k.value != "" {
			keys = append(keys, keyHash(k.kind, k.value))
		}
	}
	since, until := int64(math.MinInt64), int64(math.MaxInt64)
	if !f.Since.IsZero() {
		since = f.Since.UnixMilli()
	}
	if !f.Until.IsZero() {
		until = f.Until.UnixMilli()
	}
	if after != (Cursor{}) {
		until = min(until, after.LastMs+1)
	}
	var found []Record
	err := s.eachSegment(ctx, since, math.MaxInt64, func(row segmentRow) (bool, error) {
		// Segments may overlap a little: the n-th record found so far says
		// which ones can't change the answer.
		if len(found) >= n && found[n-1].Last.UnixMilli() > row.last {
			return false, nil
		}
		if row.first >= until || slices.ContainsFunc(keys, func(k uint32) bool { return !hasKey(row.keys, k) }) {
			return true, nil
		}
		err := s.open(ctx, row.id, func(rec Record) {
			if f.matches(rec) && (after == Cursor{} || cursorOf(rec).compare(after) > 0) {
				found = append(found, rec)
			}
		})
		if len(found) >= n {
			found = firstAfter(found, Cursor{}, n)
		}
		return true, err
	})
	return found, err
}

// getPacked finds one record in the segments.
func (s *SQLStore) getPacked(ctx context.Context, id string) (rec Record, found bool, err error) {
	key := keyHash(keyID, id)
	err = s.eachSegment(ctx, math.MinInt64, math.MaxInt64, func(row segmentRow) (bool, error) {
		if !hasKey(row.keys, key) {
			return true, nil
		}
		err := s.open(ctx, row.id, func(r Record) {
			if r.ID == id {
				rec, found = r, true
			}
		})
		return !found, err
	})
	return rec, found, err
}

// pruneSegments makes room for surplus records: it removes the oldest segments,
// together with the rows that are older, and counts what it removed. The last
// segment may be more than was asked for. It leaves segments alone when older
// rows are enough, which the caller removes.
func pruneSegments(ctx context.Context, tx *sql.Tx, surplus int) (removed int, err error) {
	for removed < surplus {
		var id, last int64
		var records, older int
		err := tx.QueryRowContext(ctx, "SELECT id, last_ms, records FROM segments ORDER BY last_ms, id LIMIT 1").Scan(&id, &last, &records)
		if errors.Is(err, sql.ErrNoRows) {
			return removed, nil
		} else if err != nil {
			return removed, fmt.Errorf("find the oldest attempts: %w", err)
		}
		if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM attempts WHERE last_ms <= $1", last).Scan(&older); err != nil {
			return removed, fmt.Errorf("count older attempts: %w", err)
		}
		if removed+older >= surplus {
			return removed, nil
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM segments WHERE id = $1", id); err != nil {
			return removed, fmt.Errorf("remove surplus attempts: %w", err)
		}
		if older > 0 {
			if _, err := tx.ExecContext(ctx, "DELETE FROM attempts WHERE last_ms <= $1", last); err != nil {
				return removed, fmt.Errorf("remove surplus attempts: %w", err)
			}
		}
		removed += records + older
	}
	return removed, nil
}
