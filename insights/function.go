package insights

import (
	"fmt"
	"regexp"
	"slices"
)

// function is a function of the language. Source: logs sheet 6.6.
type function struct {
	min, max int                                // arguments; max -1: any number
	call     func(rt *runtime, a []value) value // nil: it has arguments that are no values, see compiler.call
}

// lookup tells functions from aggregates from what is not there.
func (p *parser) checkCall(e *expr, written string) error {
	fn, isFunction := functions[e.name]
	agg, isAggregate := aggregates[e.name]
	switch {
	case !isFunction && !isAggregate:
		return p.fail(e.start, e.start+len(written), "unknown function %s%s", written, suggest(written, functionNames()))
	case isAggregate:
		fn = function{min: agg.min, max: agg.max}
	}
	if n := len(e.args); n < fn.min || fn.max >= 0 && n > fn.max {
		return p.fail(e.start, e.end, "%s takes %s, not %d", written, arity(fn), n)
	}
	return nil
}

func arity(fn function) string {
	switch {
	case fn.max < 0:
		return fmt.Sprintf("at least %d arguments", fn.min)
	case fn.min == fn.max && fn.min == 1:
		return "1 argument"
	case fn.min == fn.max:
		return fmt.Sprintf("%d arguments", fn.min)
	}
	return fmt.Sprintf("%d to %d arguments", fn.min, fn.max)
}

func functionNames() []string {
	var out []string
	for name := range functions {
		out = append(out, name)
	}
	for name := range aggregates {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// call compiles a function.
func (c *compiler) call(e *expr) (eval, error) {
	fn, ok := functions[e.name]
	if !ok {
		return nil, c.p.fail(e.start, e.end, "%s is an aggregate: it stands only in stats, and not in another aggregate", e.name)
	}
	switch e.name {
	case "bin", "datefloor", "dateceil":
		return c.timed(e)
	case "parsedate", "formatdate", "strftime":
		return c.dated(e)
	case "regexreplace":
		return c.regexReplace(e)
	}
	args := make([]eval, len(e.args))
	for i, a := range e.args {
		var err error
		if args[i], err = c.expr(a); err != nil {
			return nil, err
		}
	}
	call := fn.call
	if len(args) == 1 {
		one := args[0]
		return func(r *row) value {
			v := [1]value{one(r)}
			return call(r.rt, v[:])
		}, nil
	}
	return func(r *row) value {
		values := make([]value, len(args))
		for i, a := range args {
			values[i] = a(r)
		}
		return call(r.rt, values)
	}, nil
}

// timed compiles bin, datefloor and dateceil.
func (c *compiler) timed(e *expr) (eval, error) {
	d := e.args[len(e.args)-1]
	if d.op != opPeriod {
		return nil, c.p.fail(d.start, d.end, "%s needs a period such as 5m here", e.name)
	}
	at := &expr{op: opField, name: "@timestamp", start: e.start, end: e.end}
	if e.name != "bin" {
		at = e.args[0]
	}
	from, err := c.expr(at)
	if err != nil {
		return nil, err
	}
	offset := 0.0
	if c.bins != nil && e.name == "bin" {
		offset = c.bins.millis()
	}
	p, up := d.period, e.name == "dateceil"
	return func(r *row) value {
		ms, ok := from(r).number()
		switch {
		case !ok:
			return value{}
		case up:
			return timeOf(p.ceil(ms))
		}
		return timeOf(p.floor(ms-offset) + offset)
	}, nil
}

// regexReplace compiles regexReplace(field, regex, replacement); the regex is a literal.
func (c *compiler) regexReplace(e *expr) (eval, error) {
	from, err := c.expr(e.args[0])
	if err != nil {
		return nil, err
	}
	if e.args[1].op != opLiteral {
		return nil, c.p.fail(e.args[1].start, e.args[1].end, "the regular expression of regexReplace is a literal")
	}
	re, err := regexp.Compile(e.args[1].literal.String())
	if err != nil {
		return nil, c.p.fail(e.args[1].start, e.args[1].end, "the regular expression is not valid")
	}
	with, err := c.expr(e.args[2])
	if err != nil {
		return nil, err
	}
	return func(r *row) value {
		v, to := from(r), with(r)
		if !v.plain() || !to.plain() {
			return value{}
		}
		return textOf(re.ReplaceAllString(v.String(), to.String()))
	}, nil
}

// plain reports whether v is neither missing nor a structure.
func (v value) plain() bool { return v.kind != null && v.kind != treeValue }
