package attempt

import "context"

// Store keeps ended attempts.
type Store interface {
	// Write adds records, or replaces those with the same ID, all or none.
	Write(ctx context.Context, records []Record) error
}
