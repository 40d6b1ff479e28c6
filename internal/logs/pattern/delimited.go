package pattern

import (
	"slices"
	"strconv"
	"strings"
)

// slot is a condition on one field of a space-delimited event.
type slot struct {
	name string                  // "": it has none
	rest bool                    // ...
	test func(field string) bool // nil: any field will do
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
	if slots[0].test == nil && len(slots) == 1 { // []: any fields
		slots[0].rest = true
	}
	gap := slices.IndexFunc(slots, func(s slot) bool { return s.rest })
	return &Pattern{extract: func(m string) map[string]string { return named(slots, gap, split(m)) }, match: func(m string) bool {
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
		if s.test != nil && !s.test(fields[i]) {
			return false
		}
	}
	return true
}

// maxExtracted is how many fields of an event are extracted.
const maxExtracted = 1000

// named returns fields by the name of their slot, or their number where it has none.
func named(slots []slot, gap int, fields []string) map[string]string {
	out := map[string]string{}
	for i, f := range fields[:min(len(fields), maxExtracted)] {
		name := ""
		if fromEnd := len(fields) - i; gap < 0 || i < gap {
			name = slots[i].name
		} else if fromEnd < len(slots)-gap {
			name = slots[len(slots)-fromEnd].name
		}
		if name == "" {
			name = strconv.Itoa(i + 1)
		}
		out["$"+name] = f
	}
	return out
}

func (p *parser) slot() (slot, bool) {
	p.blank()
	if p.take("...") {
		return slot{rest: true}, true
	}
	if !p.done() && (p.s[p.i] == ',' || p.s[p.i] == ']') { // one field without a name
		return slot{}, true
	}
	name, test, ok := p.fieldCond()
	for ok {
		p.blank()
		and := p.take("&&")
		if !and && !p.take("||") {
			break
		}
		var right func(string) bool
		if _, right, ok = p.fieldCond(); ok {
			left := test
			test = func(f string) bool { return and && left(f) && right(f) || !and && (left(f) || right(f)) }
		}
	}
	return slot{name: name, test: test}, ok
}

// fieldCond reads a name, alone or with a comparison.
func (p *parser) fieldCond() (name string, test func(field string) bool, ok bool) {
	p.blank()
	if name = p.while(func(c byte) bool { return wordByte(c) || c == '-' || c == '.' }); name == "" {
		return "", nil, false
	}
	p.blank()
	if p.done() || strings.IndexByte("=!<>", p.s[p.i]) < 0 {
		return name, func(string) bool { return true }, true
	}
	is, _, ok := p.comparison()
	return name, func(f string) bool { return is(f, false) }, ok
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
