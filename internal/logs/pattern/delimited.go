package pattern

import (
	"slices"
	"strings"
)

// slot is a condition on one field of a space-delimited event.
type slot struct {
	rest bool // ...
	test func(field string) bool
}

func (p *parser) delimited() (*Pattern, error) {
	p.i++
	var slots []slot
	rest := false
	for {
		s, ok := p.slot()
		if !ok || s.rest && rest {
			return nil, ErrInvalid
		}
		rest = rest || s.rest
		slots = append(slots, s)
		p.blank()
		if p.take("]") {
			break
		}
		if !p.take(",") {
			return nil, ErrInvalid
		}
	}
	if p.blank(); !p.done() {
		return nil, ErrInvalid
	}
	gap := slices.IndexFunc(slots, func(s slot) bool { return s.rest })
	return &Pattern{match: func(m string) bool {
		fields := split(m)
		if gap < 0 {
			return len(fields) == len(slots) && holds(slots, fields)
		}
		before, after := slots[:gap], slots[gap+1:]
		return len(fields) >= len(before)+len(after) && holds(before, fields) && holds(after, fields[len(fields)-len(after):])
	}}, nil
}

// holds tests fields from the first on.
func holds(slots []slot, fields []string) bool {
	for i, s := range slots {
		if !s.test(fields[i]) {
			return false
		}
	}
	return true
}

func (p *parser) slot() (slot, bool) {
	p.blank()
	if p.take("...") {
		return slot{rest: true}, true
	}
	test, ok := p.fieldCond()
	for ok {
		p.blank()
		and := p.take("&&")
		if !and && !p.take("||") {
			break
		}
		var right func(string) bool
		if right, ok = p.fieldCond(); ok {
			left := test
			test = func(f string) bool { return and && left(f) && right(f) || !and && (left(f) || right(f)) }
		}
	}
	return slot{test: test}, ok
}

// fieldCond reads a name, alone or with a comparison.
func (p *parser) fieldCond() (func(string) bool, bool) {
	p.blank()
	if name := p.while(func(c byte) bool { return wordByte(c) || c == '-' || c == '.' }); name == "" {
		return nil, false
	}
	p.blank()
	if p.done() || strings.IndexByte("=!<>", p.s[p.i]) < 0 {
		return func(string) bool { return true }, true
	}
	test, _, ok := p.comparison()
	return func(f string) bool { return test(f, false) }, ok
}

// split cuts an event at its blanks; text in brackets or quotes is one field.
func split(m string) []string {
	var out []string
	for {
		m = strings.TrimLeft(m, " \t\r\n")
		if m == "" {
			return out
		}
		closing := byte(0)
		switch m[0] {
		case '[':
			closing = ']'
		case '"':
			closing = '"'
		}
		if closing != 0 {
			if end := strings.IndexByte(m[1:], closing); end >= 0 {
				out = append(out, m[1:1+end])
				m = m[end+2:]
				continue
			}
		}
		end := strings.IndexAny(m, " \t\r\n")
		if end < 0 {
			end = len(m)
		}
		out = append(out, m[:end])
		m = m[end:]
	}
}
