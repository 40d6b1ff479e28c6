package main

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// A span is a flag that says how long, for people: also in days.
type span time.Duration

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if days, ok := strings.CutSuffix(string(text), "d"); err != nil && ok {
		var n int
		n, err = strconv.Atoi(days)
		d = time.Duration(n) * 24 * time.Hour
		if n > 36500 {
			err = strconv.ErrRange
		}
	}
	if err != nil || d < 0 {
		return errors.New("give a time such as 30m, 24h or 7d")
	}
	*s = span(d)
	return nil
}
