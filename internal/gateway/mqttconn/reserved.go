package mqttconn

import (
	"slices"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
)

type operation uint8

const (
	mayPublish operation = 1 << iota
	maySubscribe
)

// reserved lists the topics beginning with $ that exist, and what clients may do with them. A level
// "*" stands for any one level, "a|b" for one of several, and a last level "**" for any number of
// further levels. Device commands ($aws/commands) are left out: nothing about them is verified.
// Source: mqtt sheet 15.2.
var reserved = compile(
	row{"$aws/things/*/shadow/get|update|delete", mayPublish | maySubscribe, deviceShadow},
	row{"$aws/things/*/shadow/name/*/get|update|delete", mayPublish | maySubscribe, deviceShadow},
	row{"$aws/things/*/shadow/get|update|delete/accepted|rejected", maySubscribe, deviceShadow},
	row{"$aws/things/*/shadow/name/*/get|update|delete/accepted|rejected", maySubscribe, deviceShadow},
	row{"$aws/things/*/shadow/update/delta|documents", maySubscribe, deviceShadow},
	row{"$aws/things/*/shadow/name/*/update/delta|documents", maySubscribe, deviceShadow},
	row{"$aws/things/*/jobs/get|start-next", mayPublish, jobs},
	row{"$aws/things/*/jobs/*/get|update", mayPublish, jobs},
	row{"$aws/things/*/jobs/get|start-next/accepted|rejected", maySubscribe, jobs},
	row{"$aws/things/*/jobs/*/get|update/accepted|rejected", maySubscribe, jobs},
	row{"$aws/things/*/jobs/notify|notify-next", maySubscribe, jobs},
	row{"$aws/certificates/create|create-from-csr/json|cbor", mayPublish, fleetProvisioning},
	row{"$aws/certificates/create|create-from-csr/json|cbor/accepted|rejected", maySubscribe, fleetProvisioning},
	row{"$aws/provisioning-templates/*/provision/json|cbor", mayPublish, fleetProvisioning},
	row{"$aws/provisioning-templates/*/provision/json|cbor/accepted|rejected", maySubscribe, fleetProvisioning},
	row{"$aws/things/*/defender/metrics/json|cbor", mayPublish, deviceDefender},
	row{"$aws/things/*/defender/metrics/json|cbor/accepted|rejected", maySubscribe, deviceDefender},
	row{"$aws/things/*/streams/*/get|describe/json|cbor", mayPublish, fileDelivery},
	row{"$aws/things/*/streams/*/data|description|rejected/json|cbor", maySubscribe, fileDelivery},
	row{"$aws/things/*/tunnels/notify", maySubscribe, secureTunneling},
	row{"$aws/rules/*", mayPublish, rulesEngine},
	row{"$aws/rules/*/**", mayPublish, rulesEngine},
	row{"$aws/events/presence/connected|disconnected|connect_failed/*", maySubscribe, built},
	row{"$aws/events/subscriptions/subscribed|unsubscribed/*", maySubscribe, built},
	row{"$aws/events/certificates/registered/*", maySubscribe, events},
	row{"$aws/events/job/*/canceled|cancellation_in_progress|completed|deleted|deletion_in_progress", maySubscribe, events},
	row{"$aws/events/jobExecution/*/canceled|deleted|failed|rejected|removed|succeeded|timed_out", maySubscribe, events},
	row{"$aws/events/thing|thingGroup|thingType/*/created|updated|deleted", maySubscribe, events},
	row{"$aws/events/thingTypeAssociation/thing/*/*", maySubscribe, events},
	row{"$aws/events/thingGroupMembership/thingGroup/*/thing/*/added|removed", maySubscribe, events},
	row{"$aws/events/thingGroupHierarchy/thingGroup/*/childThingGroup/*/added|removed", maySubscribe, events},
	row{"$aws/sitewise/asset-models/*/assets/*/properties/*", maySubscribe, siteWise},
)

type row struct {
	pattern string
	ops     operation
	service string // who answers there
}

// Services behind reserved topics that are not built yet: see servicesOf. What is built has no name here.
const (
	built             = ""
	deviceShadow      = "Device Shadow"
	jobs              = "Jobs"
	fleetProvisioning = "fleet provisioning"
	deviceDefender    = "Device Defender"
	fileDelivery      = "MQTT-based file delivery"
	secureTunneling   = "secure tunneling"
	rulesEngine       = "the rules engine"
	events            = "registry and job events"
	siteWise          = "SiteWise"
)

type family struct {
	row
	levels [][]string // the choices of each level
}

func compile(rows ...row) []family {
	list := make([]family, len(rows))
	for i, r := range rows {
		list[i].row = r
		for level := range strings.SplitSeq(r.pattern, "/") {
			list[i].levels = append(list[i].levels, strings.Split(level, "|"))
		}
	}
	return list
}

// checkReserved looks a topic or filter that begins with $ up in the table. A filter with wildcards
// is accepted if one subscribable family can match it.
func checkReserved(name string, op operation) fault {
	levels := strings.Split(name, "/")
	var nearest string
	best := 1 // levels that agree; $aws alone says nothing
	for _, f := range reserved {
		agree, whole := f.overlap(levels)
		if whole && f.ops&op != 0 {
			return fault{}
		}
		if f.ops&op != 0 && agree > best {
			nearest, best = f.nearest(levels), agree
		}
	}
	verb, what := "published to", "topic"
	if op == maySubscribe {
		verb, what = "subscribed to", "filter"
	}
	ev := []attempt.Field{attempt.F(what, name), attempt.F("reason", "it can not be "+verb+" by clients")}
	if nearest != "" {
		ev = append(ev, attempt.F("nearest", nearest))
	}
	for _, f := range reserved {
		if _, whole := f.overlap(levels); whole {
			return faultOf(check.TopicReserved, ev...) // exists, but not for this
		}
	}
	if levels[0] == "$SYS" && op == mayPublish {
		// What a mosquitto bridge does with its notifications. Source: PROBLEMS G-14.
		return faultOf(check.TopicReserved, append(ev, attempt.F("required", "A mosquitto bridge publishes here unless it is configured with: notifications false"))...)
	}
	if levels[0] != "$aws" {
		return faultOf(check.TopicReservedUnsupported, ev...)
	}
	return faultOf(check.TopicReserved, ev...)
}

// servicesOf names the services behind a reserved topic or filter that checkReserved lets pass, as
// text; it is empty for any other.
func servicesOf(name string, op operation) string {
	if !strings.HasPrefix(name, "$") {
		return ""
	}
	levels := strings.Split(name, "/")
	var list []string
	for i := range reserved {
		f := &reserved[i]
		if _, whole := f.overlap(levels); whole && f.ops&op != 0 && f.service != built && !contains(list, f.service) {
			list = append(list, f.service)
		}
	}
	return strings.Join(list, ", ")
}

// overlap tells how many levels of name agree with the family, and whether some topic of the family
// is, or is matched by, name.
func (f *family) overlap(name []string) (agree int, whole bool) {
	for i, level := range name {
		if i >= len(f.levels) {
			return agree, false
		}
		choices := f.levels[i]
		switch {
		case choices[0] == "**", level == "#":
			return agree, true
		case choices[0] == "*", level == "+" && i > 0:
			if level == "" {
				return agree, false // names have at least one character
			}
		default:
			if !contains(choices, level) {
				return agree, false
			}
			agree++
		}
	}
	return agree, len(name) == len(f.levels)
}

func contains(choices []string, s string) bool {
	return slices.Contains(choices, s)
}

// nearest returns the topic of the family that is most like name.
func (f *family) nearest(name []string) string {
	topic := make([]string, 0, len(f.levels))
	for i, choices := range f.levels {
		offered := ""
		if i < len(name) {
			offered = name[i]
		}
		switch {
		case choices[0] == "**":
		case choices[0] == "*" && offered != "" && offered != "#":
			topic = append(topic, offered)
		case choices[0] == "*":
			topic = append(topic, "NAME")
		default:
			best := choices[0]
			for _, c := range choices[1:] {
				if commonPrefix(c, offered) > commonPrefix(best, offered) {
					best = c
				}
			}
			topic = append(topic, best)
		}
	}
	return strings.Join(topic, "/")
}

func commonPrefix(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
