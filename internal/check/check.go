// Package check is the catalogue of checks: every named test that a device's
// attempt goes through, with its stable code, its cause in words, what the
// device sees of it and the command that repairs it. The gateway, the probe and
// docs/checks/ read the same entries; nothing refuses a device without one.
package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

//go:generate go run ./checkdoc

// A Check is one entry of the catalogue. Entries are package variables, made
// once and never changed; compare them by pointer.
//
// Cause, Advice and Fix are templates: {name} is replaced by the evidence of
// that name (see [Evidence]), and a part in << >> disappears when one of its
// names has no value; in <<this||or this>> the first whose names all have
// values stays, or the last. [Check.CauseWith] and the like fill them.
type Check struct {
	Code     string   // stable, dotted, lower case: "cert.not_registered"
	Stage    Stage    // where on the way it is made
	Severity Severity // what it does to the attempt
	Possible bool     // inferred from what the device did; another cause is possible

	Title  string // the fault in a few words, capitalised, without full stop
	Passed string // the same check in a few words when it passes; empty if it only ever fails
	Cause  string // what happened, with evidence: one or two sentences
	Device Device // what the device sees
	Advice string // what to change on the device, when a command here can't; may be empty
	Fix    string // shell command that repairs or proves it, runnable as printed

	HiddenBy []*Check // findings that explain this one: it is a consequence and not shown beside them
	Source   string   // where the behaviour is described

	Example map[string]string // evidence that fills every template: real values for pages and tests
}

func (c *Check) String() string { return c.Code }

// A Stage is a part of the way of an attempt, in order.
type Stage uint8

// The stages, in the order in which a device meets them.
const (
	StageDNS Stage = iota + 1
	StageTCP
	StageTLS
	StageCertificate
	StageProtocol
	StageAuthentication
	StageAuthorization
	StageSession
	StageDelivery
)

var stageNames = [...]string{
	StageDNS: "dns", StageTCP: "tcp", StageTLS: "tls", StageCertificate: "certificate", StageProtocol: "protocol",
	StageAuthentication: "authentication", StageAuthorization: "authorization", StageSession: "session", StageDelivery: "delivery",
}

func (s Stage) String() string {
	if int(s) < len(stageNames) && stageNames[s] != "" {
		return stageNames[s]
	}
	return fmt.Sprintf("stage(%d)", uint8(s))
}

// A Severity says what a check does to an attempt.
type Severity uint8

// The severities, from harmless to final.
const (
	Step    Severity = iota + 1 // a milestone: it is only ever recorded as passed
	Note                        // worth knowing, nothing is wrong
	Warning                     // works, but not as the device's owner may think
	Refusal                     // the connection, request or packet is refused
)

var severityNames = [...]string{Step: "step", Note: "note", Warning: "warning", Refusal: "refusal"}

func (s Severity) String() string {
	if int(s) < len(severityNames) && severityNames[s] != "" {
		return severityNames[s]
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// Device is what the device sees when the check fails, a sentence per protocol;
// empty where the check can't happen there.
type Device struct {
	TLS12   string // during or after a TLS 1.2 handshake
	TLS13   string // during or after a TLS 1.3 handshake
	MQTT311 string // an MQTT 3.1.1 client
	MQTT5   string // an MQTT 5 client
	HTTPS   string // an HTTPS client
	Clients []Client
}

// Client is how one widespread client words what it sees.
type Client struct {
	Name string // "mbedTLS"
	Says string // "-0x7780"
}

var (
	catalogue []*Check
	byCode    = map[string]*Check{}
)

// register puts c into the catalogue. It runs while package variables are
// initialised; a code that is there already is a mistake in the source.
func register(c Check) *Check {
	if byCode[c.Code] != nil {
		panic("check: duplicate code " + c.Code)
	}
	example := maps.Clone(common)
	maps.Copy(example, c.Example)
	c.Example = example
	entry := &c
	byCode[c.Code] = entry
	catalogue = append(catalogue, entry)
	return entry
}

// step registers a milestone.
func step(code string, stage Stage, title, source string) *Check {
	return register(Check{Code: code, Stage: stage, Severity: Step, Title: title, Passed: title, Source: source})
}

// Lookup returns the check of that code.
func Lookup(code string) (c *Check, ok bool) {
	c, ok = byCode[code]
	return c, ok
}

// All returns every check, by stage and then by code. The slice is the caller's.
func All() []*Check {
	all := slices.Clone(catalogue)
	slices.SortFunc(all, func(a, b *Check) int {
		return cmp.Or(cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Code, b.Code))
	})
	return all
}
