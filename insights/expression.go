package insights

import (
	"strings"
)

// expression reads the loosest expression: or, and, not, comparison, sum,
// product, power, sign. Source: logs sheet 6.2.
func (p *parser) expression() (*expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail(p.tok.start, p.tok.end, "the expression is nested too deeply")
	}
	defer func() { p.depth-- }()
	return p.binary(0)
}

// levels are the binary operators, the loosest first.
var levels = []map[string]op{
	{"or": opOr},
	{"and": opAnd},
	nil, // not and the comparisons
	{"+": opAdd, "-": opSubtract},
	{"*": opMultiply, "/": opDivide, "%": opModulo},
}

// operator is the binary operator that the token is, at a level.
func (p *parser) operator(level int) (op, bool) {
	if p.tok.kind != kindSymbol && (p.tok.kind != kindWord || p.tok.quoted) {
		return 0, false
	}
	o, ok := levels[level][strings.ToLower(p.tok.text)]
	return o, ok
}

// binary reads operators of a level and those that bind tighter, left to right.
func (p *parser) binary(level int) (*expr, error) {
	if level == len(levels) {
		return p.power()
	}
	if level == 2 {
		return p.not()
	}
	left, err := p.binary(level + 1)
	if err != nil {
		return nil, err
	}
	for {
		o, ok := p.operator(level)
		if !ok {
			return left, nil
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
		right, err := p.binary(level + 1)
		if err != nil {
			return nil, err
		}
		left = &expr{op: o, start: left.start, end: right.end, args: []*expr{left, right}}
	}
}

func (p *parser) not() (*expr, error) {
	start := p.tok.start
	if !p.is("!") && !p.keyword("not") {
		return p.comparison()
	}
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail(p.tok.start, p.tok.end, "the expression is nested too deeply")
	}
	defer func() { p.depth-- }()
	if err := p.advance(); err != nil {
		return nil, err
	}
	e, err := p.not()
	if err != nil {
		return nil, err
	}
	return &expr{op: opNot, start: start, end: e.end, args: []*expr{e}}, nil
}

var comparisons = map[string]op{"=": opEqual, "!=": opUnequal, "<": opLess, "<=": opLessEqual, ">": opGreater, ">=": opGreaterEqual}

func (p *parser) comparison() (*expr, error) {
	left, err := p.binary(3)
	if err != nil {
		return nil, err
	}
	if p.tok.kind == kindSymbol {
		if o, ok := comparisons[p.tok.text]; ok {
			if err := p.advance(); err != nil {
				return nil, err
			}
			right, err := p.binary(3)
			if err != nil {
				return nil, err
			}
			return &expr{op: o, start: left.start, end: right.end, args: []*expr{left, right}}, nil
		}
	}
	e := &expr{start: left.start, args: []*expr{left}}
	if match, err := p.accept("=~"); err != nil || match {
		if err != nil {
			return nil, err
		}
		return p.pattern(e, false)
	}
	if e.negated, err = p.accept("not"); err != nil {
		return nil, err
	}
	like, err := p.accept("like")
	if err != nil {
		return nil, err
	}
	if like {
		return p.pattern(e, true)
	}
	in, err := p.accept("in")
	if err != nil {
		return nil, err
	}
	if in {
		return p.list(e)
	}
	if e.negated {
		return nil, p.unexpected("like or in after not")
	}
	return left, nil
}

// pattern reads what is right of like or =~.
func (p *parser) pattern(e *expr, orText bool) (*expr, error) {
	switch {
	case p.is("/"):
		re, err := p.regexLiteral()
		if err != nil {
			return nil, err
		}
		e.op, e.regex, e.end = opMatch, re, p.ended()
		return e, nil
	case orText && p.tok.kind == kindString:
		e.op, e.literal, e.end = opContains, textOf(p.tok.text), p.tok.end
		return e, p.advance()
	case orText:
		return nil, p.unexpected("a string or a regular expression after like")
	}
	return nil, p.unexpected("a regular expression after =~")
}

// ended is where the text before the current token ends.
func (p *parser) ended() int {
	return len(strings.TrimRight(p.text[:p.tok.start], " \t\r\n"))
}

func (p *parser) list(e *expr) (*expr, error) {
	e.op = opIn
	if p.is("(") {
		return nil, p.fail(p.tok.start, p.tok.end, "subqueries are not supported by Gatehouse yet; a list of values stands in brackets [ ]")
	}
	if err := p.expect("[", "after in"); err != nil {
		return nil, err
	}
	for {
		v, err := p.literal()
		if err != nil {
			return nil, err
		}
		e.list = append(e.list, v)
		more, err := p.accept(",")
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
	}
	e.end = p.tok.end
	return e, p.expect("]", "after the list of in")
}

func (p *parser) power() (*expr, error) {
	left, err := p.unary()
	if err != nil || !p.is("^") {
		return left, err
	}
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail(p.tok.start, p.tok.end, "the expression is nested too deeply")
	}
	defer func() { p.depth-- }()
	if err := p.advance(); err != nil {
		return nil, err
	}
	right, err := p.power()
	if err != nil {
		return nil, err
	}
	return &expr{op: opPower, start: left.start, end: right.end, args: []*expr{left, right}}, nil
}

func (p *parser) unary() (*expr, error) {
	start := p.tok.start
	minus, err := p.accept("-")
	if err != nil {
		return nil, err
	}
	e, err := p.primary()
	if err != nil || !minus {
		return e, err
	}
	return &expr{op: opNegate, start: start, end: e.end, args: []*expr{e}}, nil
}

func (p *parser) primary() (*expr, error) {
	t := p.tok
	e := &expr{start: t.start, end: t.end}
	switch {
	case t.kind == kindNumber, t.kind == kindString:
		v, err := p.literal()
		e.literal = v
		return e, err
	case t.kind == kindPeriod:
		d, ok := parsePeriod(t.text)
		if !ok {
			return nil, p.fail(t.start, t.end, "%s is not a period", t.text)
		}
		e.op, e.period = opPeriod, d
		return e, p.advance()
	case p.is("("):
		if err := p.advance(); err != nil {
			return nil, err
		}
		inner, err := p.expression()
		if err != nil {
			return nil, err
		}
		end := p.tok.end
		if err := p.expect(")", "after the expression"); err != nil {
			return nil, err
		}
		wrapped := *inner
		wrapped.start, wrapped.end = t.start, end
		return &wrapped, nil
	case t.kind == kindWord:
		if err := p.advance(); err != nil {
			return nil, err
		}
		if p.is("(") && !t.quoted {
			return p.call(t)
		}
		if !t.quoted && reserved[strings.ToLower(t.text)] {
			return nil, p.fail(t.start, t.end, "unexpected symbol found %s, expected a value; put a field of that name in backticks", t.text)
		}
		if !t.quoted && (strings.EqualFold(t.text, "true") || strings.EqualFold(t.text, "false")) {
			e.literal = boolOf(strings.EqualFold(t.text, "true"))
			return e, nil
		}
		e.op, e.name = opField, t.text
		return e, nil
	}
	return nil, p.unexpected("a field, a value or a function")
}

// reserved words are no fields unless in backticks.
var reserved = map[string]bool{"as": true, "by": true, "and": true, "or": true, "not": true, "like": true, "in": true, "asc": true, "desc": true}

func (p *parser) call(name token) (*expr, error) {
	e := &expr{op: opCall, start: name.start, name: strings.ToLower(name.text)}
	if err := p.advance(); err != nil {
		return nil, err
	}
	star := p.is("*")
	if star {
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	for !star && !p.is(")") {
		var arg *expr
		var err error
		if p.is("/") { // a regular expression stands for its source
			arg = &expr{start: p.tok.start}
			re, reErr := p.regexLiteral()
			if reErr != nil {
				return nil, reErr
			}
			arg.regex, arg.literal, arg.end = re, textOf(re.String()), p.ended()
		} else if arg, err = p.expression(); err != nil {
			return nil, err
		}
		e.args = append(e.args, arg)
		more, err := p.accept(",")
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		if p.is(")") {
			return nil, p.unexpected("another argument")
		}
	}
	e.end = p.tok.end
	if err := p.expect(")", "after the arguments of "+name.text); err != nil {
		return nil, err
	}
	if star && e.name != "count" {
		return nil, p.fail(e.start, e.end, "only count takes *, not %s", name.text)
	}
	return e, p.checkCall(e, name.text)
}
