package mqtt

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// TopicLimits are a server's limits on topic names and filters; 0 is none
// beyond the protocol's 65535 bytes.
type TopicLimits struct {
	MaxBytes   int
	MaxSlashes int
	// MaxShareName is the size of a share name in characters.
	MaxShareName int
	// BasicIngest takes the first three levels of names that begin with
	// $aws/rules/{rule}/ out of both counts. Source: mqtt sheet 15.1.
	BasicIngest bool
}

// AWSTopicLimits are AWS IoT's. Source: mqtt sheet 10, 15.1 and 19.
func AWSTopicLimits() TopicLimits {
	return TopicLimits{MaxBytes: 256, MaxSlashes: 7, MaxShareName: 128, BasicIngest: true}
}

// TopicName is a checked topic name. It borrows what it was parsed from.
type TopicName []byte

// Reserved reports whether the name begins with $.
func (n TopicName) Reserved() bool { return len(n) > 0 && n[0] == '$' }

// TopicFilter is a checked topic filter. It borrows what it was parsed from.
type TopicFilter struct {
	Whole  []byte // as sent
	Share  []byte // name of the shared subscription; nil if it is none
	Filter []byte // what to match topics with: Whole without $share/{name}/
	Wild   bool   // Filter holds + or #
}

// Shared reports whether the filter is a shared subscription.
func (f TopicFilter) Shared() bool { return f.Share != nil }

const (
	sharePrefix = "$share/"
	basicIngest = "$aws/rules/"
)

// ParseTopicName checks b as the topic of a PUBLISH or a will: not empty, UTF-8
// without U+0000, no wildcard, within the limits. Failures are *Error with code
// TopicNameInvalid; a limit has rule RuleTopicBytes or RuleTopicLevels.
func ParseTopicName(b []byte, limits TopicLimits) (TopicName, error) {
	if err := checkTopic(b, TopicNameInvalid, "topic name"); err != nil {
		return nil, err
	}
	slashes := 0
	for i, c := range b {
		switch c {
		case '/':
			slashes++
		case '+', '#':
			return nil, topicError(TopicNameInvalid, "MQTT-3.3.2-2", i, fmt.Sprintf("topic name contains the wildcard %c", c))
		}
	}
	if limits.allow(len(b), slashes) { // nearly always, without looking for what does not count
		return TopicName(b), nil
	}
	counted := b
	if limits.BasicIngest {
		counted = b[len(ingestPrefix(b)):]
	}
	if err := limits.check(counted, len(b)-len(counted), TopicNameInvalid, "topic name"); err != nil {
		return nil, err
	}
	return TopicName(b), nil
}

// ParseTopicFilter checks b as the filter of a SUBSCRIBE: as a topic name, with
// wildcards that fill whole levels and # last; and splits a shared
// subscription, whose prefix does not count for the limits. Failures are *Error
// with code TopicFilterInvalid. Source: MQTT 5 sections 4.7, 4.8.2; mqtt sheet 10.
func ParseTopicFilter(b []byte, limits TopicLimits) (TopicFilter, error) {
	f := TopicFilter{Whole: b, Filter: b}
	if err := checkTopic(b, TopicFilterInvalid, "topic filter"); err != nil {
		return TopicFilter{}, err
	}
	if bytes.HasPrefix(b, []byte(sharePrefix)) {
		var err *Error
		if f.Share, f.Filter, err = splitShare(b); err != nil {
			return TopicFilter{}, err
		}
		if n := utf8.RuneCount(f.Share); limits.MaxShareName > 0 && n > limits.MaxShareName {
			return TopicFilter{}, topicError(TopicFilterInvalid, RuleShareName, len(sharePrefix),
				fmt.Sprintf("share name has %d characters, at most %d are accepted", n, limits.MaxShareName))
		}
	}
	skipped := len(b) - len(f.Filter)
	for i, c := range f.Filter {
		if c != '+' && c != '#' {
			continue
		}
		f.Wild = true
		first, end := i == 0 || f.Filter[i-1] == '/', i+1 == len(f.Filter)
		switch {
		case c == '#' && (!first || !end):
			return TopicFilter{}, topicError(TopicFilterInvalid, "MQTT-4.7.1-1", skipped+i, "# is not a whole level at the end of the topic filter")
		case c == '+' && (!first || !end && f.Filter[i+1] != '/'):
			return TopicFilter{}, topicError(TopicFilterInvalid, "MQTT-4.7.1-2", skipped+i, "+ does not fill a whole level of the topic filter")
		}
	}
	if err := limits.check(f.Filter, skipped, TopicFilterInvalid, "topic filter"); err != nil {
		return TopicFilter{}, err
	}
	return f, nil
}

// splitShare splits $share/{name}/{filter}.
func splitShare(b []byte) (share, filter []byte, err *Error) {
	rest := b[len(sharePrefix):]
	end := bytes.IndexByte(rest, '/')
	name := rest[:max(end, 0)]
	switch {
	case end < 0 || end+1 == len(rest):
		return nil, nil, topicError(TopicFilterInvalid, "MQTT-4.8.2-2", len(b), "no topic filter follows $share/{name}/")
	case end == 0:
		return nil, nil, topicError(TopicFilterInvalid, "MQTT-4.8.2-1", len(sharePrefix), "the share name is empty")
	case bytes.ContainsAny(name, "+#"):
		return nil, nil, topicError(TopicFilterInvalid, "MQTT-4.8.2-2", len(sharePrefix)+bytes.IndexAny(name, "+#"), "the share name contains a wildcard")
	}
	return name, rest[end+1:], nil
}

// checkTopic holds the rules that names and filters share.
func checkTopic(b []byte, code ReasonCode, what string) *Error {
	switch {
	case len(b) == 0:
		return topicError(code, "MQTT-4.7.3-1", 0, what+" is empty")
	case len(b) > maxField:
		return topicError(code, "MQTT-4.7.3-3", maxField, what+" is longer than 65535 bytes")
	case !ValidUTF8(b):
		at, null := badUTF8(b)
		if null {
			return topicError(code, "MQTT-4.7.3-2", at, what+" contains U+0000")
		}
		return topicError(code, "MQTT-1.5.4-1", at, what+" is not valid UTF-8")
	}
	return nil
}

// allow reports whether a topic of that size is within the limits.
func (l TopicLimits) allow(size, slashes int) bool {
	return (l.MaxBytes <= 0 || size <= l.MaxBytes) && (l.MaxSlashes <= 0 || slashes <= l.MaxSlashes)
}

// check applies the limits to what counts; skipped bytes came before it.
func (l TopicLimits) check(b []byte, skipped int, code ReasonCode, what string) *Error {
	if l.MaxBytes > 0 && len(b) > l.MaxBytes {
		return topicError(code, RuleTopicBytes, skipped+l.MaxBytes, fmt.Sprintf("%s has %d bytes, at most %d are accepted", what, len(b), l.MaxBytes))
	}
	if l.MaxSlashes <= 0 {
		return nil
	}
	slashes := 0
	for i, c := range b {
		if c != '/' {
			continue
		}
		if slashes++; slashes > l.MaxSlashes {
			return topicError(code, RuleTopicLevels, skipped+i,
				fmt.Sprintf("%s has %d slashes, at most %d are accepted", what, bytes.Count(b, []byte("/")), l.MaxSlashes))
		}
	}
	return nil
}

// ingestPrefix returns the $aws/rules/{rule}/ at the head of b, or nothing.
func ingestPrefix(b []byte) []byte {
	if !bytes.HasPrefix(b, []byte(basicIngest)) {
		return nil
	}
	end := bytes.IndexByte(b[len(basicIngest):], '/')
	if end < 1 {
		return nil
	}
	return b[:len(basicIngest)+end+1]
}

func topicError(code ReasonCode, rule string, at int, message string) *Error {
	return &Error{Version: V5, Code: code, Rule: rule, Offset: at, Message: message}
}
