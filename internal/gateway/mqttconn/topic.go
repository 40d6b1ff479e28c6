package mqttconn

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/broker"
	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// A fault is a failed check with its evidence. The zero fault is none.
type fault struct {
	check    *check.Check
	evidence []attempt.Field
	near     *check.Check // what explains it better, with the same evidence; nil mostly
	source   bool         // a Deny by where the connection comes from: FORBIDDEN_ACCESS, not AUTH_ERROR
}

func (f fault) found() bool { return f.check != nil }

func faultOf(c *check.Check, ev ...attempt.Field) fault { return fault{check: c, evidence: ev} }

// checkTopicName makes the checks of a topic to publish on: mqtt sheet 5.1 #5 and #6. UTF-8 and NUL
// were checked when the packet was decoded.
func checkTopicName(topic string) fault {
	if topic == "" {
		return faultOf(check.TopicInvalid, attempt.F("topic", `""`), attempt.F("reason", "it is empty"))
	}
	if i := strings.IndexAny(topic, "+#"); i >= 0 {
		return faultOf(check.TopicInvalid, attempt.F("topic", topic), attempt.F("reason", "it contains the wildcard "+topic[i:i+1]))
	}
	if f := checkSize(check.LimitTopicLength, check.LimitTopicLevels, topic, limited(topic)); f.found() {
		return f
	}
	if topic[0] == '$' {
		return checkReserved(topic, mayPublish)
	}
	return fault{}
}

// basicIngest is before the name of a rule in a topic: what is published there goes to
// the rule, not through the broker. Source: mqtt sheet 16.
const basicIngest = "$aws/rules/"

// limited is the part of a topic that the limits count: not the first three levels of Basic Ingest.
func limited(topic string) string {
	if rest, ok := strings.CutPrefix(topic, basicIngest); ok {
		_, rest, _ = strings.Cut(rest, "/")
		return rest
	}
	return topic
}

func checkSize(length, levels *check.Check, whole, counted string) fault {
	if n := len(counted); n > maxTopic {
		return faultOf(length, attempt.F("topic", whole), attempt.F("offered", strconv.Itoa(n)), attempt.F("required", strconv.Itoa(maxTopic)))
	}
	if n := strings.Count(counted, "/"); n > maxSlashes {
		return faultOf(levels, attempt.F("topic", whole), attempt.F("offered", strconv.Itoa(n+1)), attempt.F("required", strconv.Itoa(maxSlashes+1)))
	}
	return fault{}
}

// checkTopicFilter makes the checks of a filter to subscribe to: mqtt sheet 6.2 #5 and #6.
func checkTopicFilter(filter string) fault {
	invalid := func(format string, a ...any) fault {
		return faultOf(check.TopicFilterInvalid, attempt.F("filter", filter), attempt.F("reason", fmt.Sprintf(format, a...)))
	}
	share, plain := broker.SplitShare(filter)
	if filter == "$share" || strings.HasPrefix(filter, "$share/") {
		switch {
		case share == "":
			return invalid("a shared subscription is $share/{ShareName}/{TopicFilter}, and this one lacks a part")
		case strings.ContainsAny(share, "+#"):
			return invalid("the share name %q contains a wildcard", share)
		case len([]rune(share)) > 128:
			return invalid("the share name has more than 128 characters")
		}
	}
	if plain == "" {
		return faultOf(check.TopicFilterInvalid, attempt.F("filter", `"`+filter+`"`), attempt.F("reason", "it is empty"))
	}
	for rest, more := plain, true; more; {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		switch {
		case level == "#" && more:
			return invalid("# is not the last level")
		case level != "#" && strings.Contains(level, "#"), level != "+" && strings.Contains(level, "+"):
			return invalid("the wildcard in level %q does not stand alone", level)
		}
	}
	if f := checkSize(check.LimitTopicLength, check.LimitTopicLevels, filter, plain); f.found() {
		return f
	}
	if plain[0] == '$' {
		return checkReserved(plain, maySubscribe)
	}
	return fault{}
}

// wild tells whether a filter holds a wildcard.
func wild(filter string) bool { return strings.ContainsAny(filter, "+#") }
