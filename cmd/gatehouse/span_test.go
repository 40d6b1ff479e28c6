package main

import (
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30m": 30 * time.Minute, "1h30m": 90 * time.Minute, "7d": 7 * 24 * time.Hour, "0": 0, "0s": 0,
		"": -1, "yesterday": -1, "-5m": -1, "d": -1, "1.5d": -1, "-1d": -1, "999999999d": -1, "5": -1,
	} {
		var s span
		if err := s.UnmarshalText([]byte(text)); (err != nil) != (want < 0) || err == nil && time.Duration(s) != want {
			t.Errorf("%q: %v, %v; want %v", text, time.Duration(s), err, want)
		}
	}
}
