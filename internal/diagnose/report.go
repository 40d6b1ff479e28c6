// Package diagnose joins what the device's side sees (package probe), what the
// account says (package inspect) and what a Gatehouse recorded into one report:
// the verdict first, then the causes with the evidence of every side, then what
// passed. Sides that contradict each other are shown, not reconciled.
package diagnose

import (
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/inspect"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/probe"
)

// Schema is the version of the JSON form of a [Report]: docs/diagnose.md. It
// changes when a member goes or changes its meaning, not when one is added.
const Schema = 1

// A Verdict is a report in a word.
type Verdict string

// The verdicts.
const (
	Works       Verdict = "works"
	Problem     Verdict = "problem"
	Interrupted Verdict = "interrupted" // ended before it could tell
)

// A Side is who saw something.
type Side string

// The sides.
const (
	SideDevice  Side = "device"  // the probe, in the device's place
	SideAccount Side = "account" // the inspector
	SideGateway Side = "gateway" // attempts, as a Gatehouse recorded them
)

// A Report is one diagnosis.
type Report struct {
	Schema  int       `json:"schema"`
	Verdict Verdict   `json:"verdict"`
	Summary string    `json:"summary"` // one sentence
	Began   time.Time `json:"began"`
	TookMs  int64     `json:"tookMs"`

	Device  Device   `json:"device"`
	Account *Account `json:"account,omitempty"` // absent when nobody looked

	Causes         []Cause  `json:"causes"`         // what stands in the way, the likeliest first
	Doubts         []Cause  `json:"doubts"`         // what works but is doubtful
	Contradictions []Cause  `json:"contradictions"` // where the sides disagree
	Checks         []Check  `json:"checks"`         // every check that was made, in order
	NotSeen        []string `json:"notSeen"`        // what could not be looked at, and why
}

// A Device is what the probe acted as.
type Device struct {
	Endpoint      string       `json:"endpoint"`
	Port          int          `json:"port,omitempty"`
	ClientID      string       `json:"clientId,omitempty"`
	CertificateID string       `json:"certificateId,omitempty"`
	TLSVersion    string       `json:"tlsVersion,omitempty"`
	ALPN          string       `json:"alpn,omitempty"`
	Addresses     []string     `json:"addresses,omitempty"`
	ClockOffsetMs int64        `json:"clockOffsetMs,omitempty"` // the server's clock minus ours
	Connections   []Connection `json:"connections"`
}

// A Connection is one that the probe made.
type Connection struct {
	Purpose string `json:"purpose"`
	Local   string `json:"local,omitempty"`
	Remote  string `json:"remote,omitempty"`
}

// An Account is what the inspector looked into.
type Account struct {
	Account      string            `json:"account,omitempty"`
	Region       string            `json:"region,omitempty"`
	Caller       string            `json:"caller,omitempty"`
	Endpoint     string            `json:"endpoint,omitempty"`
	PrincipalARN string            `json:"principalArn,omitempty"`
	Gatehouse    bool              `json:"gatehouse"`
	Policies     []inspect.Policy  `json:"policies,omitempty"`
	Log          []inspect.LogLine `json:"log,omitempty"`
	Attempts     []string          `json:"attempts,omitempty"` // trace IDs
}

// A Cause is one finding in words, with what each side saw of it.
type Cause struct {
	Code       string      `json:"code"`
	Stage      string      `json:"stage"`
	Title      string      `json:"title"`
	Possible   bool        `json:"possible,omitempty"` // a guess: another cause is possible
	Cause      string      `json:"cause"`
	DeviceSees string      `json:"deviceSees,omitempty"`
	Advice     string      `json:"advice,omitempty"`
	Fix        string      `json:"fix,omitempty"`        // a shell command
	Missing    []string    `json:"fixMissing,omitempty"` // names in capitals in Fix that must be filled in first
	Source     string      `json:"source,omitempty"`
	Evidence   []Evidence  `json:"evidence"`
	Candidates []Candidate `json:"candidates,omitempty"` // what can be behind it, where only the symptom is known
}

// Evidence is what one side saw of a cause or of its consequences.
type Evidence struct {
	Side   Side           `json:"side"`
	Code   string         `json:"code"`
	Text   string         `json:"text"`
	Fields attempt.Fields `json:"fields,omitempty"`
}

// A Candidate is a check that can be behind a symptom.
type Candidate struct {
	Code  string `json:"code"`
	Title string `json:"title"`
	Fix   string `json:"fix,omitempty"`
}

// A Check is one check that a side made.
type Check struct {
	Side    Side           `json:"side"`
	Stage   string         `json:"stage"`
	Code    string         `json:"code"`
	Outcome probe.Outcome  `json:"outcome"`
	Text    string         `json:"text"`
	Fields  attempt.Fields `json:"evidence,omitempty"`
	TookMs  float64        `json:"tookMs,omitempty"`
}
