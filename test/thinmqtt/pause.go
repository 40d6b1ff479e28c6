package thinmqtt

import (
	"context"
	"time"
)

// Pause waits for d between two things that a client does, and tells whether it
// came to the end before ctx did.
func Pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
