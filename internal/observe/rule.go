package observe

import (
	"maps"
	"strings"
)

// Rules that do not exist are named by devices, and who names them may be hostile: so
// many have a count of their own, the others share one.
const (
	maxRules   = 100
	otherRules = "other"
)

// RuleMissed counts a message for a rule that does not exist.
func (h *Hub) RuleMissed(rule string) {
	t := h.tallies
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.rules[rule]; !known {
		if len(t.rules) >= maxRules || !isRuleName(rule) {
			rule = otherRules
		}
		rule = strings.Clone(rule) // of a topic, which need not stay
	}
	t.rules[rule]++
}

// RulesMissed tells how often each rule that does not exist was published to since the
// start. 100 of them have a count of their own; later ones, and what can't name a rule, count
// for "other".
func (h *Hub) RulesMissed() map[string]uint64 {
	h.tallies.mu.Lock()
	defer h.tallies.mu.Unlock()
	return maps.Clone(h.tallies.rules)
}

// isRuleName tells whether a rule may have that name. Source: mqtt sheet 16.
func isRuleName(name string) bool {
	for _, c := range []byte(name) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return len(name) >= 1 && len(name) <= 128
}
