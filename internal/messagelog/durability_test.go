package messagelog

import (
	"strings"
	"testing"
	"time"
)

func TestParseDurability(t *testing.T) {
	for in, want := range map[string]Durability{
		"sync": {}, "interval=200ms": {200 * time.Millisecond}, "interval=1m": {time.Minute}, "interval=10ms": {10 * time.Millisecond},
	} {
		got, err := ParseDurability(in)
		if err != nil || got != want {
			t.Errorf("ParseDurability(%q) = %v, %v, want %v", in, got, err, want)
		}
		if again, err := ParseDurability(got.String()); err != nil || again != got {
			t.Errorf("ParseDurability(%q) = %v, %v, want %v", got, again, err, got)
		}
	}
	for in, want := range map[string]string{
		"": "want", "Sync": "want", "interval": "want", "interval=": "no duration", "interval=5": "no duration",
		"interval=1ms": "10ms to 1m", "interval=-1s": "10ms to 1m", "interval=1h": "10ms to 1m",
	} {
		if _, err := ParseDurability(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseDurability(%q): %v, want %q in it", in, err, want)
		}
	}
}
