package policy

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// An operator is a condition operator with its prefix and suffix taken off.
type operator struct {
	name     string // the positive base operator: "StringEquals"
	family   family
	negated  bool
	set      setMode
	ifExists bool
}

type family uint8

const (
	familyString family = iota
	familyStringFold
	familyStringLike
	familyNumeric
	familyDate
	familyBool
	familyBinary
	familyIP
	familyARN
	familyNull
)

type setMode uint8

const (
	plainMode setMode = iota
	forAllValues
	forAnyValue
)

// baseOperators without set prefix and IfExists. Source: policy sheet 9.2.
var baseOperators = map[string]operator{
	"StringEquals":              {family: familyString},
	"StringNotEquals":           {family: familyString, negated: true},
	"StringEqualsIgnoreCase":    {family: familyStringFold},
	"StringNotEqualsIgnoreCase": {family: familyStringFold, negated: true},
	"StringLike":                {family: familyStringLike},
	"StringNotLike":             {family: familyStringLike, negated: true},
	"NumericEquals":             {family: familyNumeric, name: "="},
	"NumericNotEquals":          {family: familyNumeric, name: "=", negated: true},
	"NumericLessThan":           {family: familyNumeric, name: "<"},
	"NumericLessThanEquals":     {family: familyNumeric, name: "<="},
	"NumericGreaterThan":        {family: familyNumeric, name: ">"},
	"NumericGreaterThanEquals":  {family: familyNumeric, name: ">="},
	"DateEquals":                {family: familyDate, name: "="},
	"DateNotEquals":             {family: familyDate, name: "=", negated: true},
	"DateLessThan":              {family: familyDate, name: "<"},
	"DateLessThanEquals":        {family: familyDate, name: "<="},
	"DateGreaterThan":           {family: familyDate, name: ">"},
	"DateGreaterThanEquals":     {family: familyDate, name: ">="},
	"Bool":                      {family: familyBool},
	"BinaryEquals":              {family: familyBinary},
	"IpAddress":                 {family: familyIP},
	"NotIpAddress":              {family: familyIP, negated: true},
	"ArnEquals":                 {family: familyARN},
	"ArnLike":                   {family: familyARN},
	"ArnNotEquals":              {family: familyARN, negated: true},
	"ArnNotLike":                {family: familyARN, negated: true},
	"Null":                      {family: familyNull},
}

// parseOperator reads "ForAllValues:StringEqualsIfExists".
func parseOperator(name string) (operator, bool) {
	base, set := name, plainMode
	if rest, ok := strings.CutPrefix(name, "ForAllValues:"); ok {
		base, set = rest, forAllValues
	} else if rest, ok := strings.CutPrefix(name, "ForAnyValue:"); ok {
		base, set = rest, forAnyValue
	}
	base, ifExists := strings.CutSuffix(base, "IfExists")
	op, ok := baseOperators[base]
	if !ok || op.family == familyNull && (ifExists || set != plainMode) {
		return operator{}, false
	}
	op.set, op.ifExists = set, ifExists
	return op, true
}

// meantOperator proposes an operator that differs from name in case only.
func meantOperator(name string) string {
	for known := range baseOperators {
		if strings.EqualFold(name, known) {
			return fmt.Sprintf("; did you mean %q?", known)
		}
	}
	return ""
}

// takesVariables reports whether values of the operator may hold variables.
// Source: policy sheet 7.
func (op operator) takesVariables() bool {
	switch op.family {
	case familyString, familyStringFold, familyStringLike, familyARN, familyBool:
		return true
	default:
		return false
	}
}

// parseValue understands a condition value for op.
func parseValue(text string, op operator, variables bool) (pattern, error) {
	variables = variables && op.takesVariables()
	if op.family == familyARN {
		return parseARNValue(text, variables)
	}
	tokens, vars, err := tokenize(text, variables, op.family == familyStringLike)
	return newPattern(tokens, vars), err
}

// parseARNValue understands a value of the ARN operators. What is no ARN never
// matches, but is no error: AWS accepts any text.
func parseARNValue(text string, variables bool) (pattern, error) {
	if text == "*" {
		return pattern{any: true}, nil
	}
	parts := strings.SplitN(text, ":", 6)
	for shortARNs && len(parts) < 6 && parts[len(parts)-1] == "*" {
		parts = append(parts, "*")
	}
	if len(parts) < 6 {
		return pattern{never: true}, nil
	}
	tokens, vars, err := tokenize(parts[5], variables, true)
	p := newPattern(tokens, vars)
	p.arn = true
	for i, part := range parts[:5] {
		p.head[i] = plainGlob(part)
	}
	return p, err
}

// matchValue reports whether the request's value matches one value of the
// policy. A value with an unresolved variable matches nothing.
func (op operator) matchValue(p *pattern, value string, ctx *Context, action Action) bool {
	if p.never {
		return false
	}
	if p.any {
		return strings.Count(value, ":") >= 5 || !arnStarNeedsARN
	}
	want, ok := p.resolve(ctx, action)
	if !ok {
		return false
	}
	switch op.family {
	case familyString:
		return value == want
	case familyStringFold:
		return strings.EqualFold(value, want)
	case familyStringLike:
		return newGlob(want).match(value)
	case familyARN:
		return p.matchARN(want, strings.SplitN(value, ":", 6))
	case familyBool:
		return isBool(want) && strings.EqualFold(value, want)
	case familyBinary:
		raw, err := base64.StdEncoding.DecodeString(want)
		return err == nil && string(raw) == value
	case familyIP:
		return matchIP(want, value)
	case familyNumeric:
		a, aok := parseNumber(value)
		b, bok := parseNumber(want)
		return aok && bok && compare(op.name, a.Cmp(b))
	case familyDate:
		a, aok := parseDate(value)
		b, bok := parseDate(want)
		return aok && bok && compare(op.name, a.Compare(b))
	default:
		return false
	}
}

func (p *pattern) matchARN(resource string, parts []string) bool {
	if len(parts) < 6 {
		return false
	}
	for i := range p.head {
		if !p.head[i].match(parts[i]) {
			return false
		}
	}
	return newGlob(resource).match(parts[5])
}

func isBool(s string) bool { return strings.EqualFold(s, "true") || strings.EqualFold(s, "false") }

func compare(op string, c int) bool {
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	case ">=":
		return c >= 0
	}
	return c == 0
}

// parseNumber reads a decimal number exactly. Exponents are bounded, since
// 1e1000000000 would otherwise be written out.
func parseNumber(s string) (*big.Rat, bool) {
	if len(s) == 0 || len(s) > 128 || strings.Trim(s, "0123456789+-.eE") != "" {
		return nil, false
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		if exp, err := strconv.Atoi(s[i+1:]); err != nil || exp > 400 || exp < -400 {
			return nil, false
		}
	}
	return new(big.Rat).SetString(s)
}

// parseDate reads the ISO 8601 forms that IAM documents, and epoch seconds.
func parseDate(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.Unix(n, 0), true
	}
	return time.Time{}, false
}

// matchIP reports whether value lies in the network want; without a prefix
// length that is one address.
func matchIP(want, value string) bool {
	addr, err := netip.ParseAddr(value)
	if err != nil {
		return false
	}
	addr = addr.Unmap().WithZone("")
	if !strings.Contains(want, "/") {
		one, err := netip.ParseAddr(want)
		return err == nil && one.Unmap().WithZone("") == addr
	}
	network, err := netip.ParsePrefix(want)
	return err == nil && network.Contains(addr)
}

// holds reports whether the condition is true. Source: policy sheet 9.
func (c *Condition) holds(ctx *Context, action Action) bool {
	f := ctx.lookup(c.key, action)
	if c.op.family == familyNull {
		for _, v := range c.Values {
			if isBool(v) && strings.EqualFold(v, "true") != f.present {
				return true
			}
		}
		return false
	}
	switch {
	case !f.present && c.op.ifExists:
		return true
	case !f.present && c.op.set == plainMode:
		return c.op.negated
	case f.present && !c.key.multi():
		return c.accepts(f.one, ctx, action)
	}
	set := c.op.set
	if set == plainMode {
		set = plainOnMulti
	}
	for _, v := range f.many {
		if c.accepts(v, ctx, action) != (set == forAllValues) {
			return set == forAnyValue
		}
	}
	return set == forAllValues
}

// accepts applies the operator to one value of the request: it matches some
// value of the policy, or, negated, none.
func (c *Condition) accepts(value string, ctx *Context, action Action) bool {
	for i := range c.values {
		if c.op.matchValue(&c.values[i], value, ctx, action) {
			return !c.op.negated
		}
	}
	return c.op.negated
}

// changes reports whether the condition may turn during a connection.
func (c *Condition) changes() bool {
	if c.key.changes() {
		return true
	}
	for i := range c.values {
		if c.values[i].changes() {
			return true
		}
	}
	return false
}

// validNetwork reports whether s is an address or a network.
func validNetwork(s string) bool {
	if _, err := netip.ParsePrefix(s); err == nil {
		return true
	}
	_, err := netip.ParseAddr(s)
	return err == nil
}
