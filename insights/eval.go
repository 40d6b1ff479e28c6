package insights

import (
	"math"
	"strconv"
	"strings"
)

// exact is a literal as text that loses nothing.
func exact(v value) string {
	if v.kind == numberValue {
		return strconv.FormatFloat(v.num, 'f', -1, 64)
	}
	return v.String()
}

// expr compiles an expression that holds no aggregate.
func (c *compiler) expr(e *expr) (eval, error) {
	switch e.op {
	case opLiteral:
		v := e.literal
		return func(*row) value { return v }, nil
	case opPeriod:
		return nil, c.p.fail(e.start, e.end, "a period such as 5m is only an argument of bin, datefloor and dateceil")
	case opField:
		return c.field(e)
	case opCall:
		return c.call(e)
	default:
	}
	args := make([]eval, len(e.args))
	for i, a := range e.args {
		var err error
		if args[i], err = c.expr(a); err != nil {
			return nil, err
		}
	}
	return operation(e, args), nil
}

// field compiles a name: of a definition, of a part of one, or of a field of the events.
func (c *compiler) field(e *expr) (eval, error) {
	if slot, ok := c.direct(e.name); ok {
		if c.used != nil {
			c.used[slot] = true
		}
		return func(r *row) value { return r.v[slot] }, nil
	}
	for i := len(e.name) - 1; i > 0; i-- {
		slot, ok := c.names[e.name[:i]]
		if !ok || e.name[i] != '.' {
			continue
		}
		path := strings.Split(e.name[i+1:], ".")
		if c.used != nil {
			c.used[slot] = true
		}
		return func(r *row) value { return r.v[slot].path(path) }, nil
	}
	var known []string
	for name := range c.names {
		known = append(known, name)
	}
	return nil, c.p.fail(e.start, e.end, "Unknown symbols found in or after stats: %s%s; after stats there are only its own columns", e.name, suggest(e.name, known))
}

// operation is the meaning of an operator.
func operation(e *expr, a []eval) eval {
	switch e.op {
	case opAnd:
		return func(r *row) value { return boolOf(a[0](r).isTrue() && a[1](r).isTrue()) }
	case opOr:
		return func(r *row) value { return boolOf(a[0](r).isTrue() || a[1](r).isTrue()) }
	case opNot:
		return func(r *row) value { return boolOf(!a[0](r).isTrue()) }
	case opMatch, opContains:
		return func(r *row) value {
			v := a[0](r)
			if v.kind == null || v.kind == treeValue {
				return boolOf(false) // for not like too: logs sheet 6.4
			}
			var hit bool
			if e.op == opMatch {
				hit = e.regex.MatchString(v.String())
			} else {
				hit = strings.Contains(v.String(), e.literal.text)
			}
			return boolOf(hit != e.negated)
		}
	case opIn:
		return func(r *row) value {
			v := a[0](r)
			if v.kind == null || v.kind == treeValue {
				return boolOf(false)
			}
			for _, x := range e.list {
				if order, ok := compare(v, x); ok && order == 0 {
					return boolOf(!e.negated)
				}
			}
			return boolOf(e.negated)
		}
	case opEqual, opUnequal, opLess, opLessEqual, opGreater, opGreaterEqual:
		return func(r *row) value {
			order, ok := compare(a[0](r), a[1](r))
			return boolOf(ok && holds(e.op, order))
		}
	case opNegate:
		return func(r *row) value {
			if f, ok := a[0](r).number(); ok {
				return numberOf(-f)
			}
			return value{}
		}
	default:
		return func(r *row) value {
			x, ok := a[0](r).number()
			y, also := a[1](r).number()
			if !ok || !also {
				return value{}
			}
			return arithmetic(e.op, x, y)
		}
	}
}

func holds(o op, order int) bool {
	switch o {
	case opEqual:
		return order == 0
	case opUnequal:
		return order != 0
	case opLess:
		return order < 0
	case opLessEqual:
		return order <= 0
	case opGreater:
		return order > 0
	default:
		return order >= 0
	}
}

func arithmetic(o op, x, y float64) value {
	switch o {
	case opAdd:
		return numberOf(x + y)
	case opSubtract:
		return numberOf(x - y)
	case opMultiply:
		return numberOf(x * y)
	case opDivide:
		return numberOf(x / y) // by zero: null
	case opModulo:
		return numberOf(math.Mod(x, y))
	default:
		return numberOf(math.Pow(x, y))
	}
}
