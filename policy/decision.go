package policy

// A Decision is the outcome of one request against every document that applies,
// with its evidence.
type Decision struct {
	Effect   Effect
	Code     string // why not: "authz.connect.no_statement"; "" when allowed
	Reason   string // one sentence
	Action   Action
	Resource string // the ARN that was tested

	Matched   []StatementRef // statements that decided it, denies first; empty on an implicit deny
	Near      []NearMiss     // statements that nearly applied, the closest first
	Warnings  []NearMiss     // doubts about an allowed request: a deny that was skipped, a hole
	Variables []Variable     // every variable that a statement for this action uses
	Missing   []string       // condition keys and variables that were asked for and have no value
	Fix       *Fix           // nil when allowed
}

// A StatementRef names a statement.
type StatementRef struct {
	Policy  string
	Version string
	ARN     string
	Source  string
	Index   int // from 0
	Sid     string
	Effect  Effect // Allow or ExplicitDeny
}

// A NearMiss is a statement that did not apply, and the one thing it lacked.
type NearMiss struct {
	StatementRef
	Code    string // detector, policy sheet 16: "authz.publish.resource_type", "policy.var.undefined"
	Cause   string // one sentence with the offending and the required value
	Fix     string // one sentence
	Pattern string // the resource, action or condition as written, "" for the whole statement
	Offered string // what the request had in its place
}

// A Variable is a policy variable and what became of it.
type Variable struct {
	Name  string // bare: "iot:ClientId"
	Value string // as inserted
	Known bool   // it has a value
	Cause Cause  // why not, "" when known
}

// A Cause says why a variable has no value. Source: policy sheet 16, UNRESOLVED_VARIABLE.
type Cause string

// A Fix is the smallest repair that makes the request pass.
type Fix struct {
	Text      string // what to do, one sentence
	Statement string // the statement to add, as JSON; "" where adding one does not help
}
