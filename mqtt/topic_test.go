package mqtt_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

func TestParseTopicName(t *testing.T) {
	aws := mqtt.AWSTopicLimits()
	deep := strings.Repeat("a/", 7) + "a"
	for _, tt := range []struct {
		name   string
		limits mqtt.TopicLimits
		rule   string // "" is valid
		at     int
	}{
		{"a", aws, "", 0},
		{"/", aws, "", 0},
		{"/a//b/", aws, "", 0},
		{"with space and $ and ü", aws, "", 0},
		{"", aws, "MQTT-4.7.3-1", 0},
		{"a/+/b", aws, "MQTT-3.3.2-2", 2},
		{"a#", aws, "MQTT-3.3.2-2", 1},
		{"a\x00b", aws, "MQTT-4.7.3-2", 1},
		{"a/\xff", aws, "MQTT-1.5.4-1", 2},
		{strings.Repeat("x", 256), aws, "", 0},
		{strings.Repeat("x", 257), aws, mqtt.RuleTopicBytes, 256},
		{strings.Repeat("é", 129), aws, mqtt.RuleTopicBytes, 256},
		{strings.Repeat("x", 257), mqtt.TopicLimits{}, "", 0},
		{strings.Repeat("x", 65536), mqtt.TopicLimits{}, "MQTT-4.7.3-3", 65535},
		{deep, aws, "", 0},
		{deep + "/b", aws, mqtt.RuleTopicLevels, 15},
		{deep + "/b", mqtt.TopicLimits{MaxBytes: 256}, "", 0},
		{"$aws/rules/r/" + deep, aws, "", 0},
		{"$aws/rules/r/" + strings.Repeat("x", 256), aws, "", 0},
		{"$aws/rules/r/" + strings.Repeat("x", 257), aws, mqtt.RuleTopicBytes, 269},
		{"$aws/rules/r/" + deep + "/", aws, mqtt.RuleTopicLevels, 28},
		{"$aws/rules//" + deep, aws, mqtt.RuleTopicLevels, 21},
		{"$aws/things/" + deep, aws, mqtt.RuleTopicLevels, 23},
		{"$aws/rules/r", aws, "", 0},
	} {
		got, err := mqtt.ParseTopicName([]byte(tt.name), tt.limits)
		checkTopicError(t, tt.name, err, mqtt.TopicNameInvalid, tt.rule, tt.at)
		if err == nil && (string(got) != tt.name || got.Reserved() != strings.HasPrefix(tt.name, "$")) {
			t.Errorf("ParseTopicName(%.40q) = %q, reserved %v", tt.name, got, got.Reserved())
		}
	}
}

func TestParseTopicFilter(t *testing.T) {
	aws := mqtt.AWSTopicLimits()
	deep := strings.Repeat("a/", 7) + "a"
	for _, tt := range []struct {
		filter        string
		share, inside string
		wild          bool
		rule          string
		at            int
	}{
		{filter: "a", inside: "a"},
		{filter: "#", inside: "#", wild: true},
		{filter: "+", inside: "+", wild: true},
		{filter: "/+", inside: "/+", wild: true},
		{filter: "+/+/#", inside: "+/+/#", wild: true},
		{filter: "a/+/b", inside: "a/+/b", wild: true},
		{filter: "$aws/#", inside: "$aws/#", wild: true},
		{filter: deep, inside: deep},
		{filter: "$share/g/a/b", share: "g", inside: "a/b"},
		{filter: "$share/g/#", share: "g", inside: "#", wild: true},
		{filter: "$share/g/" + deep, share: "g", inside: deep},
		{filter: "$share/g//", share: "g", inside: "/"},
		{filter: "$share/g/" + strings.Repeat("x", 256), share: "g", inside: strings.Repeat("x", 256)},
		{filter: "$share/" + strings.Repeat("é", 128) + "/a", share: strings.Repeat("é", 128), inside: "a"},
		{filter: "$shared/g/a", inside: "$shared/g/a"},
		{filter: "$share", inside: "$share"},
		{filter: "", rule: "MQTT-4.7.3-1"},
		{filter: "a\x00", rule: "MQTT-4.7.3-2", at: 1},
		{filter: "\xc3\x28", rule: "MQTT-1.5.4-1"},
		{filter: "a#", rule: "MQTT-4.7.1-1", at: 1},
		{filter: "#/a", rule: "MQTT-4.7.1-1"},
		{filter: "a/#/b", rule: "MQTT-4.7.1-1", at: 2},
		{filter: "##", rule: "MQTT-4.7.1-1"},
		{filter: "a+", rule: "MQTT-4.7.1-2", at: 1},
		{filter: "+a", rule: "MQTT-4.7.1-2"},
		{filter: "a/b+/c", rule: "MQTT-4.7.1-2", at: 3},
		{filter: "a/++/c", rule: "MQTT-4.7.1-2", at: 2},
		{filter: deep + "/#", rule: mqtt.RuleTopicLevels, at: 15},
		{filter: strings.Repeat("x", 257), rule: mqtt.RuleTopicBytes, at: 256},
		{filter: "$share/", rule: "MQTT-4.8.2-2", at: 7},
		{filter: "$share/g", rule: "MQTT-4.8.2-2", at: 8},
		{filter: "$share/g/", rule: "MQTT-4.8.2-2", at: 9},
		{filter: "$share//a", rule: "MQTT-4.8.2-1", at: 7},
		{filter: "$share/+/a", rule: "MQTT-4.8.2-2", at: 7},
		{filter: "$share/g#/a", rule: "MQTT-4.8.2-2", at: 8},
		{filter: "$share/g/a#", rule: "MQTT-4.7.1-1", at: 10},
		{filter: "$share/" + strings.Repeat("é", 129) + "/a", rule: mqtt.RuleShareName, at: 7},
		{filter: "$share/g/" + deep + "/", rule: mqtt.RuleTopicLevels, at: 24},
	} {
		f, err := mqtt.ParseTopicFilter([]byte(tt.filter), aws)
		checkTopicError(t, tt.filter, err, mqtt.TopicFilterInvalid, tt.rule, tt.at)
		if err == nil && (string(f.Share) != tt.share || f.Shared() != (tt.share != "") || string(f.Filter) != tt.inside || f.Wild != tt.wild || string(f.Whole) != tt.filter) {
			t.Errorf("ParseTopicFilter(%.40q) = %q %q wild %v, want %q %q wild %v", tt.filter, f.Share, f.Filter, f.Wild, tt.share, tt.inside, tt.wild)
		}
	}
}

func checkTopicError(t *testing.T, topic string, err error, code mqtt.ReasonCode, rule string, at int) {
	t.Helper()
	if rule == "" {
		if err != nil {
			t.Errorf("%.40q: %v", topic, err)
		}
		return
	}
	if e, ok := errors.AsType[*mqtt.Error](err); !ok || e.Code != code || e.Rule != rule || e.Offset != at {
		t.Errorf("%.40q: %v, want byte %d [%s]", topic, err, at, rule)
	}
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		filter, name string
		want         bool
	}{
		{"a/b", "a/b", true},
		{"a/b", "a/c", false},
		{"a/b", "a", false},
		{"a", "a/b", false},
		{"a", "A", false},
		{"+", "a", true},
		{"+", "", false},
		{"+", "/a", false},
		{"+/+", "/a", true},
		{"/+", "/a", true},
		{"+", "a/b", false},
		{"a/+", "a/", true},
		{"a/+", "a", false},
		{"a/+/c", "a/b/c", true},
		{"a/+/c", "a//c", true},
		{"a/+/c", "a/b/d", false},
		{"#", "a", true},
		{"#", "/", true},
		{"#", "a/b/c", true},
		{"sensor/#", "sensor/", true},
		{"sensor/#", "sensor/a", true},
		{"sensor/#", "sensor/a/b", true},
		{"sensor/#", "sensor", false}, // AWS's rule, against the standard
		{"sensor/#", "sensors/a", false},
		{"+/#", "a", false},
		{"+/#", "a/", true},
		{"a/+/#", "a/b", false},
		{"a/+/#", "a/b/", true},
		{"#", "$aws/x", false},
		{"+/x", "$aws/x", false},
		{"$aws/#", "$aws/x", true},
		{"$aws/+", "$aws/x", true},
		{"a/#", "a/$x", true},
		{"+", "$x", false},
		{"温/+", "温/度", true},
		{"", "", false},
		{"", "a", false},
		{"a", "", false},
	} {
		if got := mqtt.Match(tt.filter, tt.name); got != tt.want {
			t.Errorf("Match(%q, %q) = %v, want %v", tt.filter, tt.name, got, tt.want)
		}
		if got := mqtt.Match([]byte(tt.filter), tt.name); got != tt.want {
			t.Errorf("Match(bytes %q, %q) = %v, want %v", tt.filter, tt.name, got, tt.want)
		}
	}
}

// matchSlow is the obviously right matcher: level by level.
func matchSlow(filter, name string) bool {
	f, n := strings.Split(filter, "/"), strings.Split(name, "/")
	if name[0] == '$' && (f[0] == "+" || f[0] == "#") {
		return false
	}
	for i, level := range f {
		switch {
		case level == "#":
			return len(n) > i
		case i >= len(n), level != "+" && level != n[i]:
			return false
		}
	}
	return len(f) == len(n)
}

func TestMatchAgainstModel(t *testing.T) {
	level := rapid.SampledFrom([]string{"", "a", "b", "ab", "$", "$a"})
	rapid.Check(t, func(t *rapid.T) {
		name := strings.Join(rapid.SliceOfN(level, 1, 5).Draw(t, "name"), "/")
		levels := rapid.SliceOfN(rapid.OneOf(level, rapid.Just("+")), 1, 5).Draw(t, "filter")
		if rapid.Bool().Draw(t, "hash") {
			levels = append(levels, "#")
		}
		filter := strings.Join(levels, "/")
		if name == "" || filter == "" {
			return
		}
		if _, err := mqtt.ParseTopicFilter([]byte(filter), mqtt.TopicLimits{}); err != nil {
			t.Fatalf("ParseTopicFilter(%q): %v", filter, err)
		}
		if got, want := mqtt.Match(filter, name), matchSlow(filter, name); got != want {
			t.Errorf("Match(%q, %q) = %v, want %v", filter, name, got, want)
		}
	})
}

// FuzzTopic: parsing never panics, and what it accepts obeys the rules as
// stated level by level.
func FuzzTopic(f *testing.F) {
	for _, s := range []string{"a/b", "+/#", "$share/g/a/+", "$aws/rules/r/a", "a#", "\x00", "\xff", "$share//", strings.Repeat("/", 9)} {
		f.Add([]byte(s), []byte("a/b/c"))
	}
	f.Fuzz(func(t *testing.T, b, name []byte) {
		aws := mqtt.AWSTopicLimits()
		if n, err := mqtt.ParseTopicName(b, aws); err == nil && (len(n) == 0 || strings.ContainsAny(string(n), "+#\x00") || !mqtt.ValidUTF8(n)) {
			t.Errorf("ParseTopicName accepted %q", b)
		}
		filter, err := mqtt.ParseTopicFilter(b, aws)
		if err != nil {
			return
		}
		levels := strings.Split(string(filter.Filter), "/")
		for i, l := range levels {
			if len(l) > 1 && strings.ContainsAny(l, "+#") || l == "#" && i < len(levels)-1 {
				t.Errorf("ParseTopicFilter accepted %q", b)
			}
		}
		if len(levels) > 8 || len(filter.Filter) > 256 || filter.Shared() && string(filter.Whole) != "$share/"+string(filter.Share)+"/"+string(filter.Filter) {
			t.Errorf("ParseTopicFilter(%q) = %q %q", b, filter.Share, filter.Filter)
		}
		if n, err := mqtt.ParseTopicName(name, aws); err == nil {
			if got, want := mqtt.Match(filter.Filter, n), matchSlow(string(filter.Filter), string(n)); got != want {
				t.Errorf("Match(%q, %q) = %v, want %v", filter.Filter, n, got, want)
			}
		}
	})
}
