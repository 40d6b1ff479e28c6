// Package pattern is the language of filter patterns: what FilterLogEvents, live
// tails and metric filters choose events by. Source: logs sheet 5.
package pattern

import (
	"errors"
	"regexp"
	"strings"
)

// ErrInvalid is the error of a pattern that is none.
var ErrInvalid = errors.New("Invalid filter pattern")

// MaxText is how long a pattern may be, in bytes.
const MaxText = 1024

// A Pattern chooses events. Safe for concurrent use.
type Pattern struct {
	match   func(message string) bool
	needles []Needle
	extract func(message string) map[string]string // nil: it names no fields
}

// A Needle is a field with the only value that can match.
type Needle struct{ Field, Value string }

// Match reports whether an event's message matches.
func (p *Pattern) Match(message string) bool { return p.match(message) }

// All reports whether every message matches.
func (p *Pattern) All() bool { return p.match == nil }

// Extract returns what the fields that the pattern is about hold in an event that
// matches, by $name, $number or $.selector.
func (p *Pattern) Extract(message string) map[string]string {
	if p.extract == nil {
		return map[string]string{}
	}
	return p.extract(message)
}

// Needles are values that every match has.
func (p *Pattern) Needles() []Needle { return p.needles }

// Parse reads a pattern. Its error is ErrInvalid.
func Parse(text string) (*Pattern, error) {
	text = strings.TrimSpace(text)
	p := &parser{s: text}
	if len(text) > MaxText {
		return nil, ErrInvalid
	}
	switch {
	case text == "", text == `" "`:
		return &Pattern{}, nil
	case text[0] == '{':
		return p.json()
	case text[0] == '[':
		return p.delimited()
	}
	return p.terms()
}

// parser walks over a pattern.
type parser struct {
	s       string
	i       int
	regexes int
	wild    int // wildcard selectors
	depth   int

	selectors map[string]selector // without wildcards, as they are written
}

func (p *parser) blank() {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\t' || p.s[p.i] == '\n' || p.s[p.i] == '\r') {
		p.i++
	}
}

func (p *parser) done() bool { return p.i >= len(p.s) }

func (p *parser) take(token string) bool {
	if strings.HasPrefix(p.s[p.i:], token) {
		p.i += len(token)
		return true
	}
	return false
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// while reads bytes that are ok.
func (p *parser) while(ok func(c byte) bool) string {
	start := p.i
	for p.i < len(p.s) && ok(p.s[p.i]) {
		p.i++
	}
	return p.s[start:p.i]
}

// quoted reads "..." with \" inside, from the quote on.
func (p *parser) quoted() (string, bool) {
	var b strings.Builder
	for p.i++; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			return b.String(), true
		case c == '\\' && p.i+1 < len(p.s) && (p.s[p.i+1] == '"' || p.s[p.i+1] == '\\'):
			p.i++
			b.WriteByte(p.s[p.i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

// regexText is what may stand in a regular expression: no parentheses, and of
// escapes only classes, hexadecimal codes and operators.
var regexText = regexp.MustCompile(`^(?:[A-Za-z0-9:_#=@/;,\-^$?\[\]{}|*+. ~!&'"<>]|\\[dDsSwW]|\\x[0-9A-Fa-f]{2}|\\[^A-Za-z0-9])+$`)

// regex reads %...% from the percent sign on.
func (p *parser) regex() (*regexp.Regexp, bool) {
	start := p.i + 1
	for p.i++; p.i < len(p.s); p.i++ {
		if p.s[p.i] == '\\' {
			p.i++
			continue
		}
		if p.s[p.i] == '%' {
			break
		}
	}
	if p.i >= len(p.s) {
		return nil, false
	}
	source := p.s[start:p.i]
	p.i++
	if p.regexes++; p.regexes > 2 || !regexText.MatchString(source) {
		return nil, false
	}
	re, err := regexp.Compile(source)
	return re, err == nil
}

// term is one term: all plain ones must occur, none of the excluded, and of the
// optional ones any, where there are no others.
type term struct {
	sign byte // 0, '?' or '-'
	find func(message string) bool
}

func (p *parser) terms() (*Pattern, error) {
	var terms []term
	plain := false
	for p.blank(); !p.done(); p.blank() {
		t := term{}
		if c := p.s[p.i]; c == '?' || c == '-' {
			t.sign = c
			p.i++
		}
		if p.done() {
			return nil, ErrInvalid
		}
		switch c := p.s[p.i]; {
		case c == '"':
			text, ok := p.quoted()
			if !ok {
				return nil, ErrInvalid
			}
			t.find = func(m string) bool { return strings.Contains(m, text) }
		case c == '%':
			re, ok := p.regex()
			if !ok {
				return nil, ErrInvalid
			}
			t.find = re.MatchString
		case wordByte(c):
			text := p.while(wordByte)
			t.find = func(m string) bool { return strings.Contains(m, text) }
		default:
			return nil, ErrInvalid
		}
		if !p.done() && p.s[p.i] != ' ' && p.s[p.i] != '\t' && p.s[p.i] != '\n' && p.s[p.i] != '\r' {
			return nil, ErrInvalid // what is no word must be quoted
		}
		plain = plain || t.sign != '?'
		terms = append(terms, t)
	}
	return &Pattern{match: func(m string) bool {
		for _, t := range terms {
			switch {
			case !plain:
				if t.find(m) {
					return true
				}
			case t.sign == '?': // ignored beside others
			case t.find(m) == (t.sign == '-'):
				return false
			}
		}
		return plain
	}}, nil
}
