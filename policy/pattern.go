package policy

import (
	"errors"
	"fmt"
	"strings"
)

// A token is a piece of a pattern as written in a document.
type token struct {
	kind  tokenKind
	text  string // literal text; of a variable "${...}" as written
	key   key
	deflt string
	hasDf bool
}

type tokenKind uint8

const (
	tokLiteral tokenKind = iota
	tokStar
	tokQuestion
	tokVariable
)

// A pattern is a resource entry or a condition value, understood once.
type pattern struct {
	any    bool    // a plain "*" in place of an ARN: everything
	never  bool    // no ARN where one belongs: nothing
	arn    bool    // head counts
	short  bool    // fewer than six parts: a warning
	head   [5]glob // arn, partition, service, region, account
	tokens []token // the resource part of an ARN, or the whole value
	vars   bool    // tokens has variables
	fixed  string  // what tokens resolve to where there are no variables
}

func newPattern(tokens []token, vars bool) pattern {
	p := pattern{tokens: tokens, vars: vars}
	if !vars {
		p.fixed, _ = resolve(tokens, nil, "")
	}
	return p
}

// resolve returns the text of p as a glob, or false if a variable has no value.
func (p *pattern) resolve(ctx *Context, action Action) (string, bool) {
	if !p.vars {
		return p.fixed, true
	}
	return resolve(p.tokens, ctx, action)
}

// changes reports whether p has a variable that may change during a connection.
func (p *pattern) changes() bool {
	for i := range p.tokens {
		if p.tokens[i].kind == tokVariable && p.tokens[i].key.changes() {
			return true
		}
	}
	return false
}

// parseResource reads an entry of Resource or NotResource. Source: policy sheet 6.1, 14.6.
func parseResource(text string, variables bool) (pattern, error) {
	if text == "*" {
		return pattern{any: true}, nil
	}
	return parseARN(text, variables)
}

func parseARN(text string, variables bool) (pattern, error) {
	parts := strings.SplitN(text, ":", 6)
	if parts[0] != "arn" {
		return pattern{}, errors.New(`a resource is "*" or an ARN: arn:aws:iot:REGION:ACCOUNT:TYPE/NAME`)
	}
	short := len(parts) < 6
	if short {
		if parts[len(parts)-1] != "*" || !shortARNs {
			return pattern{}, fmt.Errorf("an ARN has six parts between colons, this has %d", len(parts))
		}
		for len(parts) < 6 {
			parts = append(parts, "*")
			if len(parts) == 3 {
				return pattern{}, errors.New("the service part of an ARN can't be a wildcard: write iot")
			}
		}
	}
	if strings.ContainsAny(parts[2], "*?") {
		return pattern{}, errors.New("the service part of an ARN can't contain a wildcard: write iot")
	}
	if parts[5] == "" {
		return pattern{}, errors.New("the ARN names no resource after the fifth colon")
	}
	tokens, vars, err := tokenize(parts[5], variables, true)
	p := newPattern(tokens, vars)
	p.arn, p.short = true, short
	for i, part := range parts[:5] {
		p.head[i] = plainGlob(part)
	}
	return p, err
}

// plainGlob reads text in which only * and ? are special: variables are not
// allowed in the first five parts of an ARN, so they are plain text there.
func plainGlob(text string) glob {
	b := []byte(text)
	for i, c := range b {
		switch c {
		case '*':
			b[i] = star
		case '?':
			b[i] = question
		}
	}
	return newGlob(string(b))
}

// tokenize cuts text into literals, wildcards and variables.
// Source: policy sheet 7, 7.4, 7.5.
func tokenize(text string, variables, wild bool) ([]token, bool, error) {
	var tokens []token
	vars, from := false, 0
	flush := func(to int) {
		if to > from {
			tokens = append(tokens, token{kind: tokLiteral, text: text[from:to]})
		}
	}
	for i := 0; i < len(text); {
		switch {
		case wild && text[i] == '*':
			flush(i)
			tokens = append(tokens, token{kind: tokStar})
			i++
			from = i
		case wild && text[i] == '?':
			flush(i)
			tokens = append(tokens, token{kind: tokQuestion})
			i++
			from = i
		case variables && strings.HasPrefix(text[i:], "${"):
			flush(i)
			tok, size, ok := variable(text[i:])
			if !ok {
				return nil, false, fmt.Errorf("%q has no closing brace; a policy variable is written ${name}, a literal dollar sign ${$}", text[i:])
			}
			vars = vars || tok.kind == tokVariable
			tokens = append(tokens, tok)
			i += size
			from = i
		default:
			i++
		}
	}
	flush(len(text))
	return tokens, vars, nil
}

// variable reads ${name}, ${name, 'default'} or an escape at the start of text.
func variable(text string) (tok token, size int, ok bool) {
	switch {
	case strings.HasPrefix(text, "${*}"), strings.HasPrefix(text, "${?}"), strings.HasPrefix(text, "${$}"):
		return token{kind: tokLiteral, text: text[2:3]}, 4, true
	}
	depth := 0 // of square brackets: attribute names may contain commas
	for i := 2; i < len(text); i++ {
		switch c := text[i]; {
		case c == '}':
			return token{kind: tokVariable, text: text[:i+1], key: parseKey(text[2:i])}, i + 1, true
		case c == '[':
			depth++
		case c == ']':
			depth--
		case c == ',' && depth <= 0 && defaultValues:
			rest := strings.TrimLeft(text[i+1:], " ")
			if !strings.HasPrefix(rest, "'") {
				continue
			}
			value, after, closed := strings.Cut(rest[1:], "'")
			tail := strings.TrimLeft(after, " ")
			if !closed || !strings.HasPrefix(tail, "}") {
				continue
			}
			size := len(text) - len(tail) + 1
			name := strings.TrimRight(text[2:i], " ")
			return token{kind: tokVariable, text: text[:size], key: parseKey(name), deflt: value, hasDf: true}, size, true
		}
	}
	return token{}, 0, false
}

// resolve turns tokens into the text of a glob with the values of ctx inserted
// literally. ok is false if a variable has no value.
func resolve(tokens []token, ctx *Context, action Action) (text string, ok bool) {
	if len(tokens) == 1 && tokens[0].kind == tokLiteral {
		return tokens[0].text, true
	}
	size := 0
	for i := range tokens {
		if tokens[i].kind == tokVariable {
			size += 48 // of a usual name
		} else {
			size += len(tokens[i].text) + 1
		}
	}
	var b strings.Builder
	b.Grow(size)
	for i := range tokens {
		switch t := &tokens[i]; t.kind {
		case tokLiteral:
			b.WriteString(t.text)
		case tokStar:
			b.WriteByte(star)
		case tokQuestion:
			b.WriteByte(question)
		case tokVariable:
			value, why, literal := ctx.text(t.key, action)
			switch {
			case why == "":
				b.WriteString(value)
			case t.hasDf:
				b.WriteString(t.deflt)
			case literal:
				b.WriteString(t.text)
			default:
				return "", false
			}
		}
	}
	return b.String(), true
}
