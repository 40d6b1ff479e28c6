package pattern

import (
	"encoding/json"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// cond is a condition on a parsed event.
type cond func(tree map[string]any) bool

const maxDepth = 100 // of parentheses

func (p *parser) json() (*Pattern, error) {
	p.i++
	var needles []Needle
	c, ok := p.or(&needles)
	if !ok {
		return nil, ErrInvalid
	}
	if p.blank(); !p.take("}") {
		return nil, ErrInvalid
	}
	if p.blank(); !p.done() {
		return nil, ErrInvalid
	}
	return &Pattern{needles: needles, match: func(m string) bool {
		tree, ok := object(m)
		return ok && c(tree)
	}, extract: func(m string) map[string]string { return extract(p.selectors, m) }}, nil
}

// extract returns the texts, numbers and truth values that selectors point to in an event.
func extract(selectors map[string]selector, m string) map[string]string {
	out := map[string]string{}
	tree, _ := object(m)
	for text, path := range selectors {
		path.any(tree, func(v any) bool {
			switch v := v.(type) {
			case string:
				out[text] = v
			case json.Number:
				out[text] = v.String()
			case bool:
				out[text] = strconv.FormatBool(v)
			}
			return true
		})
	}
	return out
}

// object reads a JSON object; numbers stay text.
func object(m string) (map[string]any, bool) {
	if t := strings.TrimLeft(m, " \t\r\n"); t == "" || t[0] != '{' {
		return nil, false
	}
	dec := json.NewDecoder(strings.NewReader(m))
	dec.UseNumber()
	var tree map[string]any
	if dec.Decode(&tree) != nil {
		return nil, false
	}
	_, err := dec.Token()
	return tree, err == io.EOF
}

func (p *parser) or(needles *[]Needle) (cond, bool) {
	var own []Needle
	left, ok := p.and(&own)
	several := false
	for ok {
		if p.blank(); !p.take("||") {
			break
		}
		several = true
		var right cond
		if right, ok = p.and(&own); ok {
			l := left
			left = func(t map[string]any) bool { return l(t) || right(t) }
		}
	}
	if !several { // of alternatives, none must hold
		*needles = append(*needles, own...)
	}
	return left, ok
}

func (p *parser) and(needles *[]Needle) (cond, bool) {
	left, ok := p.atom(needles)
	for ok {
		if p.blank(); !p.take("&&") {
			break
		}
		var right cond
		if right, ok = p.atom(needles); ok {
			l := left
			left = func(t map[string]any) bool { return l(t) && right(t) }
		}
	}
	return left, ok
}

func (p *parser) atom(needles *[]Needle) (cond, bool) {
	p.blank()
	if p.take("(") {
		if p.depth++; p.depth > maxDepth {
			return nil, false
		}
		c, ok := p.or(needles)
		p.depth--
		p.blank()
		return c, ok && p.take(")")
	}
	start, wild := p.i, p.wild
	path, ok := p.selector()
	if !ok {
		return nil, false
	}
	if p.wild == wild {
		if p.selectors == nil {
			p.selectors = map[string]selector{}
		}
		p.selectors[p.s[start:p.i]] = path
	}
	p.blank()
	switch {
	case p.take("IS"):
		p.blank()
		for _, w := range []string{"NULL", "TRUE", "FALSE"} {
			if p.take(w) {
				return func(t map[string]any) bool {
					return path.any(t, func(v any) bool {
						return w == "NULL" && v == nil || w == "TRUE" && v == true || w == "FALSE" && v == false
					})
				}, true
			}
		}
		return nil, false
	case p.take("NOT"):
		if p.blank(); !p.take("EXISTS") {
			return nil, false
		}
		return func(t map[string]any) bool { return !path.any(t, func(any) bool { return true }) }, true
	}
	test, exact, ok := p.comparison()
	if !ok {
		return nil, false
	}
	if exact != "" && len(path) == 1 && path[0].name != "" {
		*needles = append(*needles, Needle{path[0].name, exact})
	}
	return func(t map[string]any) bool {
		return path.any(t, func(v any) bool {
			switch v := v.(type) {
			case string:
				return test(v, false)
			case json.Number:
				return test(v.String(), true)
			case bool:
				return test(strconv.FormatBool(v), false)
			}
			return false
		})
	}, true
}

// A step of a selector: a name, an index, or all of them.
type step struct {
	name  string
	index int // -1: it is a name
	all   bool
}

type selector []step

// selector reads $.a[0].b.
func (p *parser) selector() (selector, bool) {
	if !p.take("$") {
		return nil, false
	}
	var out selector
	wild := false
	for {
		var s step
		switch {
		case p.take("[*]"), p.take(".*"):
			s = step{all: true, index: -1}
		case p.take(".['"), p.take("['"):
			end := strings.Index(p.s[p.i:], "']")
			if end <= 0 {
				return nil, false
			}
			s = step{name: p.s[p.i : p.i+end], index: -1}
			p.i += end + 2
		case p.take("["):
			n, err := strconv.Atoi(p.while(func(c byte) bool { return c >= '0' && c <= '9' }))
			if err != nil || !p.take("]") {
				return nil, false
			}
			s = step{index: n}
		case p.take("."):
			s = step{name: p.while(func(c byte) bool { return wordByte(c) || c == '-' || c == '@' }), index: -1}
			if s.name == "" {
				return nil, false
			}
		default:
			return out, len(out) > 0
		}
		if s.all {
			if p.wild++; wild || p.wild > 3 {
				return nil, false
			}
			wild = true
		}
		out = append(out, s)
	}
}

// any reports whether test holds for a value that the selector points to.
func (s selector) any(tree map[string]any, test func(v any) bool) bool {
	var walk func(v any, rest selector) bool
	walk = func(v any, rest selector) bool {
		if len(rest) == 0 {
			return test(v)
		}
		st := rest[0]
		switch v := v.(type) {
		case map[string]any:
			if st.all {
				for _, x := range v {
					if walk(x, rest[1:]) {
						return true
					}
				}
				return false
			}
			x, ok := v[st.name]
			return ok && st.index < 0 && walk(x, rest[1:])
		case []any:
			if st.all {
				for _, x := range v {
					if walk(x, rest[1:]) {
						return true
					}
				}
				return false
			}
			return st.index >= 0 && st.index < len(v) && walk(v[st.index], rest[1:])
		}
		return false
	}
	return walk(tree, s)
}

// comparison reads an operator and its right side. exact is the only text that
// makes the test true, if there is one.
func (p *parser) comparison() (test func(text string, isNumber bool) bool, exact string, ok bool) {
	p.blank()
	op := ""
	for _, o := range []string{"<=", ">=", "!=", "=", "<", ">"} {
		if p.take(o) {
			op = o
			break
		}
	}
	p.blank()
	if op == "" || p.done() {
		return nil, "", false
	}
	switch p.s[p.i] {
	case '%':
		re, ok := p.regex()
		if !ok || op != "=" && op != "!=" {
			return nil, "", false
		}
		return func(s string, _ bool) bool { return re.MatchString(s) == (op == "=") }, "", true
	case '"':
		text, ok := p.quoted()
		if !ok || op != "=" && op != "!=" {
			return nil, "", false
		}
		test, exact := wildcard(text, op)
		return test, exact, true
	}
	text := p.while(func(c byte) bool { return c > ' ' && !strings.ContainsRune(`"(){}[],&|=<>!`, rune(c)) })
	if text == "" {
		return nil, "", false
	}
	if want, err := strconv.ParseFloat(text, 64); err == nil && number.MatchString(text) {
		return func(s string, isNumber bool) bool {
			f, err := strconv.ParseFloat(s, 64)
			return err == nil && number.MatchString(s) && compare(op, f, want)
		}, "", true
	}
	if op != "=" && op != "!=" {
		return nil, "", false
	}
	test, exact = wildcard(text, op)
	return test, exact, true
}

var number = regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

func compare(op string, a, b float64) bool {
	switch op {
	case "=":
		return a == b
	case "!=":
		return a != b
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	default:
		return a >= b
	}
}

// wildcard compares with a text in which * stands for anything.
func wildcard(text, op string) (func(string, bool) bool, string) {
	equal := op == "="
	if !strings.Contains(text, "*") {
		exact := text
		if !equal || text == "true" || text == "false" { // booleans are indexed as 1 and 0
			exact = ""
		}
		return func(s string, _ bool) bool { return (s == text) == equal }, exact
	}
	parts := strings.Split(text, "*")
	return func(s string, _ bool) bool { return glob(parts, s) == equal }, ""
}

// glob reports whether the whole of s is the parts with anything between.
func glob(parts []string, s string) bool {
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return strings.HasSuffix(s, parts[last])
}
