package policy

// A Document is a parsed policy document. It is immutable; many goroutines may
// use it at once.
type Document struct {
	Version    string // "2012-10-17", "2008-10-17" or "" where the document has none
	ID         string // the "Id" element, "" where absent
	Statements []Statement
	Size       int // characters outside of white space, what the limit counts
	warnings   []Finding
}

// A Statement is one element of a document's Statement list.
type Statement struct {
	Sid         string
	Effect      Effect   // Allow or ExplicitDeny
	Actions     []string // as written; never empty
	NotAction   bool     // Actions lists what the statement does not cover
	Resources   []string // as written; never empty
	NotResource bool     // Resources lists what the statement does not cover
	Conditions  []Condition
	Pos         Position // of the statement's opening brace
	actionPos   []Position
	resourcePos []Position
	resources   []pattern // Resources, in tokens
	mask        uint32    // listed actions that Actions covers, a bit each
	changes     bool      // it depends on the clock
}

// A Condition is one operator applied to one key. A statement's conditions must
// all be true. Source: policy sheet 9.
type Condition struct {
	Operator string   // as written: "ForAllValues:StringEqualsIfExists"
	Key      string   // as written: "iot:ConnectAttributes"
	Values   []string // numbers and booleans as their text
	Pos      Position // of the key
	op       operator
	key      key
	values   []pattern
}

// A Position is a place in a document. Lines and columns count from 1; a column
// is a character, as editors count. The zero Position means unknown.
type Position struct {
	Offset  int    `json:"offset"` // bytes from the start
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Pointer string `json:"pointer"` // JSON pointer (RFC 6901) of the element
}

// Variables reports whether ${...} in the document are policy variables: under
// version 2008-10-17 or without a version they are plain text.
// Source: policy sheet 2, [U]: see choices.go.
func (d *Document) Variables() bool { return d.Version == version2012 || !plainTextVersions }

// Warnings returns what is doubtful but accepted in the document, in the order
// of the text: services other than iot, the case of action names, version
// 2008-10-17, duplicate Sids, short ARNs. Codes are policy.lint.*.
func (d *Document) Warnings() []Finding { return d.warnings }

// A SyntaxError says where and why a document is malformed.
// Source: policy sheet 14.
type SyntaxError struct {
	Position
	Message string // one sentence: what is wrong, and what belongs there
}

// Error returns AWS's text for MalformedPolicyException, then the place and the cause.
func (e *SyntaxError) Error() string { return e.text() }

// A Finding is a doubt about a document that is valid all the same.
type Finding struct {
	Code      string   `json:"code"`             // "policy.lint.mqtt_wildcard"
	Severity  Severity `json:"severity"`         // how much it matters
	Policy    string   `json:"policy,omitempty"` // name, where known
	Statement int      `json:"statement"`        // index, -1 for the whole document
	Sid       string   `json:"sid,omitempty"`
	Pos       Position `json:"position"`
	Message   string   `json:"message"` // what is wrong and what it leads to
	Fix       string   `json:"fix"`     // what to write instead
}

// Severity orders findings.
type Severity string

// Severities of findings.
const (
	Info    Severity = "info"    // a habit worth knowing about
	Warning Severity = "warning" // works, but hardly as intended
	Problem Severity = "problem" // a hole, or a statement that can never match

	// Malformed is for whoever shows a [SyntaxError] among findings.
	Malformed Severity = "error"
)
