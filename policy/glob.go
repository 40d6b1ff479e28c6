package policy

import (
	"strings"
	"unicode/utf8"
)

// Wildcards in a resolved pattern are bytes that never occur in UTF-8, so that
// a star inside a client ID stays a star. Source: policy sheet 7.6.
const (
	star     = 0xff // any run of characters, also empty, also across slashes
	question = 0xfe // exactly one character
	starText = "\xff"
)

// A glob is a resolved pattern, cut at its first wildcard so that most names
// are refused by one comparison.
type glob struct {
	prefix string // literal text
	rest   string // from the first wildcard on; "" makes the pattern exact
}

func newGlob(pattern string) glob {
	for i := range len(pattern) {
		if pattern[i] >= question {
			return glob{pattern[:i], pattern[i:]}
		}
	}
	return glob{prefix: pattern}
}

func (g glob) exact() bool { return g.rest == "" }

func (g glob) match(name string) bool {
	if len(name) < len(g.prefix) || name[:len(g.prefix)] != g.prefix {
		return false
	}
	switch g.rest {
	case "":
		return len(name) == len(g.prefix)
	case starText:
		return true
	}
	return matchWild(g.rest, name[len(g.prefix):])
}

// matchWild matches name against pattern. After a mismatch it returns to the
// last star only, which suffices for one: a later star can cover whatever an
// earlier one could. Time is at most len(pattern) * len(name).
func matchWild(pattern, name string) bool {
	p, n := 0, 0
	starAt, resume := -1, 0
	for n < len(name) {
		if p < len(pattern) {
			switch c := pattern[p]; c {
			case star:
				starAt, resume = p, n
				p++
				continue
			case question:
				p++
				n += charLen(name[n:])
				continue
			default:
				if c == name[n] {
					p++
					n++
					continue
				}
			}
		}
		if starAt < 0 {
			return false
		}
		resume += charLen(name[resume:])
		p, n = starAt+1, resume
	}
	for p < len(pattern) && pattern[p] == star {
		p++
	}
	return p == len(pattern)
}

// charLen returns the length in bytes of the first character of s.
func charLen(s string) int {
	if !questionIsRune || s[0] < utf8.RuneSelf {
		return 1
	}
	_, size := utf8.DecodeRuneInString(s)
	return size
}

// appendResiduals appends what is left of pattern after it has matched the
// literal prefix in every possible way: "topic*" after "topic/" leaves "*". The
// prefix is ASCII.
func appendResiduals(list []glob, pattern, prefix string) []glob {
	if rest, ok := strings.CutPrefix(pattern, prefix); ok {
		return append(list, newGlob(rest)) // no wildcard within the prefix: the usual case
	}
	if literal := newGlob(pattern).prefix; !strings.HasPrefix(prefix, literal) {
		return list
	}
	states := map[int]bool{}
	var reach func(p int) // p and, where a star stands at p, what follows it
	reach = func(p int) {
		states[p] = true
		if p < len(pattern) && pattern[p] == star {
			reach(p + 1)
		}
	}
	reach(0)
	for i := range len(prefix) {
		now := states
		states = map[int]bool{}
		for p := range now {
			switch {
			case p == len(pattern):
			case pattern[p] == star:
				reach(p)
			case pattern[p] == question || pattern[p] == prefix[i]:
				reach(p + 1)
			}
		}
	}
	for p := range len(pattern) + 1 {
		if states[p] {
			list = append(list, newGlob(pattern[p:]))
		}
	}
	return list
}
