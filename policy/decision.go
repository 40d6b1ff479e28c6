package policy

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A Decision is the outcome of one request against every document that applies,
// with its evidence.
type Decision struct {
	Effect   Effect
	Code     string // why not, as a check's code: "authz.connect.no_statement"; "" when allowed
	Reason   string // one sentence
	Action   Action
	Resource string // the ARN that was tested

	Matched   []StatementRef // statements that apply, denies first; empty on an implicit deny
	Near      []NearMiss     // when refused: statements that nearly allowed it, the closest first; on a deny those that denied lead
	Warnings  []NearMiss     // doubts that hold whatever the effect: a deny that was skipped, a hole
	Variables []Variable     // every variable that a statement with this action uses
	Missing   []string       // bare names of condition keys and variables that were asked for and have no value
	Fix       *Fix           // nil when allowed
}

// A StatementRef names a statement.
type StatementRef struct {
	Policy  string
	Version string // "" where the document has none
	ARN     string // "" where the document has none
	Source  string // why the document applies: see Named
	Index   int    // from 0
	Sid     string // "" where the statement has none
	Effect  Effect // Allow or ExplicitDeny
}

// String names the statement for people: `statement 2 ("Sid") of policy p, version 3`.
func (r StatementRef) String() string {
	text := fmt.Sprintf("statement %d", r.Index+1)
	if r.Sid != "" {
		text += fmt.Sprintf(" (%q)", r.Sid)
	}
	if r.Policy != "" {
		text += " of policy " + r.Policy
	}
	if r.Version != "" {
		text += ", version " + r.Version
	}
	return text
}

// A NearMiss is a statement that did not apply, and the one thing it lacked.
type NearMiss struct {
	StatementRef
	Code    string // detector, policy sheet 16: "policy.case", "policy.var.undefined"
	Cause   string // one sentence with the offending and the required value
	Fix     string // one sentence
	Pattern string // the resource, action or condition as written
	Offered string // what the request had in its place
}

// A Variable is a policy variable and what became of it.
type Variable struct {
	Name  string // bare: "iot:ClientId"
	Value string // as inserted
	Known bool   // it has a value
	Cause Cause  // why not, "" when known
	Why   string // the cause in words, "" when known
}

// A Cause says why a variable or condition key has no value.
// Source: policy sheet 16, UNRESOLVED_VARIABLE.
type Cause string

// A Fix is the smallest repair that makes the request pass.
type Fix struct {
	Text      string // what to do, one sentence
	Statement string // the statement to add, as JSON; "" where adding one does not help
}

// Codes of decisions and near misses. They are codes of the catalogue of checks.
const (
	CodeNoneAttached      = "policy.none_attached"
	CodeExplicitDeny      = "policy.explicit_deny"
	CodeNoAction          = "policy.no_action"
	CodeNoMatch           = "policy.no_match"
	CodeWrongResourceType = "policy.wrong_resource_type"
	CodeMQTTWildcard      = "policy.mqtt_wildcard"
	CodeFilterBroader     = "policy.filter_broader_than_grant"
	CodeAccountMismatch   = "policy.arn.account_mismatch"
	CodeRegionMismatch    = "policy.arn.region_mismatch"
	CodePartitionMismatch = "policy.arn.partition_mismatch"
	CodeCase              = "policy.case"
	CodeSlash             = "policy.slash"
	CodeVarUndefined      = "policy.var.undefined"
	CodeDenySkipped       = "policy.deny_skipped_unresolved"
	CodeCondition         = "policy.condition"
	CodeConditionAbsent   = "policy.condition_key_absent"
	CodeGroupNotApplied   = "policy.group_not_applied"
	CodePrefixOldJobs     = "policy.prefix_old_jobs"
	CodeRetainMissing     = "policy.retain_missing"
	CodeSubscribeDenyHole = "policy.subscribe_deny_hole"
	CodeShareForm         = "policy.share_form"

	CodeConnectNoStatement  = "authz.connect.no_statement"
	CodeConnectResourceType = "authz.connect.resource_type"
	CodeConnectClientID     = "authz.connect.client_id"
	CodeConnectEmpty        = "authz.connect.client_id_empty"
	CodePublish             = "authz.publish"
	CodePublishType         = "authz.publish.resource_type"
	CodeRetainPublish       = "authz.retain_publish"
	CodeSubscribe           = "authz.subscribe"
	CodeSubscribeType       = "authz.subscribe.resource_type"
	CodeReceive             = "authz.receive"
)

// closeness ranks near misses: the smaller, the likelier it is what the person
// got wrong.
var closeness = map[string]int{
	CodeExplicitDeny:      0,
	CodeVarUndefined:      1,
	CodeAccountMismatch:   2,
	CodeRegionMismatch:    3,
	CodePartitionMismatch: 4,
	CodeCondition:         5,
	CodeConditionAbsent:   6,
	CodeGroupNotApplied:   7,
	CodeCase:              8,
	CodeSlash:             9,
	CodeShareForm:         10,
	CodeWrongResourceType: 11,
	CodeMQTTWildcard:      12,
	CodeFilterBroader:     13,
	CodePrefixOldJobs:     14,
	CodeRetainMissing:     15,
	CodeConnectClientID:   16,
	CodeNoMatch:           17,
}

// maxNear is the number of near misses that a decision keeps: the closest ones.
// A principal has at most some hundred statements; nobody reads them all.
const maxNear = 10

// grantFor writes the statement that allows r and nothing else.
func grantFor(r *request) string {
	statement := struct {
		Effect   string
		Action   string
		Resource string
	}{"Allow", string(r.action), literalARN(r.resource())}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(statement); err != nil {
		return "" // strings always encode
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// literalARN escapes what a policy would read as a wildcard or a variable.
func literalARN(arn string) string {
	if arn == "*" {
		return arn
	}
	return arnEscaper.Replace(arn)
}

var arnEscaper = strings.NewReplacer("${", "${$}{", "*", "${*}", "?", "${?}")
