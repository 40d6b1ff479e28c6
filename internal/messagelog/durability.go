package messagelog

import (
	"fmt"
	"strings"
	"time"
)

// Durability is when the log calls what it was given by [Log.OnDurable]: the zero value when the
// disk has it, an interval at once.
//
// With an interval, what was stored within the last interval is lost by a power cut, a crash of the
// operating system or a kill of the process, although it was acknowledged. A clean stop loses nothing.
type Durability struct {
	Interval time.Duration // 0: sync before acknowledging
}

// Bounds of an interval: below, each sync costs as much as one for each message; above, more is lost
// than anybody means to.
const (
	minInterval = 10 * time.Millisecond
	maxInterval = time.Minute
)

// ParseDurability reads "sync" or "interval=DURATION", 10ms to 1m.
func ParseDurability(s string) (Durability, error) {
	if s == "sync" {
		return Durability{}, nil
	}
	text, ok := strings.CutPrefix(s, "interval=")
	if !ok {
		return Durability{}, fmt.Errorf(`durability %q: want "sync" or "interval=DURATION", for example interval=200ms`, s)
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return Durability{}, fmt.Errorf(`durability %q: %q is no duration such as 200ms or 1s`, s, text)
	}
	if d < minInterval || d > maxInterval {
		return Durability{}, fmt.Errorf("durability %q: the interval must be %s to %s", s, minInterval, maxInterval)
	}
	return Durability{Interval: d}, nil
}

// String is what [ParseDurability] reads.
func (d Durability) String() string {
	if d.Interval == 0 {
		return "sync"
	}
	return "interval=" + d.Interval.String()
}
