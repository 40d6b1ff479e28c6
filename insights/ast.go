package insights

import "regexp"

// op is what an expression does.
type op uint8

const (
	opLiteral op = iota
	opField
	opPeriod
	opCall
	opAnd
	opOr
	opNot
	opNegate
	opEqual
	opUnequal
	opLess
	opLessEqual
	opGreater
	opGreaterEqual
	opMatch    // =~ and like with a regular expression
	opContains // like with a string
	opIn
	opAdd
	opSubtract
	opMultiply
	opDivide
	opModulo
	opPower
)

// An expr is an expression with its place in the query.
type expr struct {
	op         op
	start, end int // byte offsets
	literal    value
	name       string // of a field, of a function in lower case
	period     period
	args       []*expr
	list       []value // of in
	regex      *regexp.Regexp
	negated    bool // of like and in
}

// item is an expression with the name of its column.
type item struct {
	expr *expr
	name string
	as   bool // the query gave the name
}

// sortKey is an expression to sort by.
type sortKey struct {
	expr *expr
	desc bool
}

// command is one command of the pipeline.
type command struct {
	name       string // in lower case, where is filter
	start, end int
	items      []item // fields, display; stats: the aggregates; dedup, expand, countfrequent: fields
	by         []item
	filter     *expr
	keys       []sortKey
	limit      int
	source     *expr // parse: what is read; nil is @message
	glob       []string
	regex      *regexp.Regexp
	into       []string // parse: names; unnest, expand, accum: one
	offset     *period  // stats by bin() offset
	fill       value    // fillmissing
}

// A Query is a parsed query. Safe for concurrent use.
type Query struct {
	text     string
	groups   *Groups // of SOURCE; nil without
	commands []*command
}

// String is the text of the query.
func (q *Query) String() string { return q.text }
