package insights

import (
	"strings"
	"unicode/utf8"
)

type kind uint8

const (
	kindEnd kind = iota
	kindWord
	kindNumber
	kindPeriod
	kindString
	kindSymbol
)

// token is a piece of a query. Words are fields, commands, keywords and
// function names alike: what they are depends on where they stand.
type token struct {
	kind       kind
	start, end int    // byte offsets
	text       string // of a string its value, of a word its name with a.1 for a[1], else as written
	quoted     bool   // a word with backticks is no keyword
}

type lexer struct {
	text string
	at   int
}

func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '@' || c == '$' || c >= utf8.RuneSelf
}
func digit(c byte) bool { return c >= '0' && c <= '9' }

// blank skips white space and comments.
func (l *lexer) blank() {
	for l.at < len(l.text) {
		switch c := l.text[l.at]; c {
		case ' ', '\t', '\n', '\r':
			l.at++
		case '#':
			for l.at < len(l.text) && l.text[l.at] != '\n' {
				l.at++
			}
		default:
			return
		}
	}
}

// next reads a token.
func (p *parser) next() (token, error) {
	l := &p.lexer
	l.blank()
	start := l.at
	if start >= len(l.text) {
		return token{kind: kindEnd, start: start, end: start}, nil
	}
	switch c := l.text[start]; {
	case digit(c):
		return p.numeral()
	case letter(c), c == '`':
		return p.word()
	case c == '"', c == '\'':
		text, err := p.quoted(c)
		return token{kind: kindString, start: start, end: l.at, text: text}, err
	}
	for _, symbol := range []string{"!=", "<=", ">=", "=~"} {
		if strings.HasPrefix(l.text[start:], symbol) {
			l.at += 2
			return token{kind: kindSymbol, start: start, end: l.at, text: symbol}, nil
		}
	}
	if strings.IndexByte("|,()[]=<>+-*/%^!:", l.text[start]) >= 0 {
		l.at++
		return token{kind: kindSymbol, start: start, end: l.at, text: l.text[start:l.at]}, nil
	}
	_, size := utf8.DecodeRuneInString(l.text[start:])
	return token{}, p.fail(start, start+size, "unexpected symbol found %s", l.text[start:start+size])
}

// numeral reads a number, a period, or a word that begins with a digit.
func (p *parser) numeral() (token, error) {
	l := &p.lexer
	start := l.at
	for l.at < len(l.text) && digit(l.text[l.at]) {
		l.at++
	}
	if l.at+1 < len(l.text) && l.text[l.at] == '.' && digit(l.text[l.at+1]) {
		l.at++
		for l.at < len(l.text) && digit(l.text[l.at]) {
			l.at++
		}
		return token{kind: kindNumber, start: start, end: l.at, text: l.text[start:l.at]}, nil
	}
	if l.at == len(l.text) || !letter(l.text[l.at]) {
		return token{kind: kindNumber, start: start, end: l.at, text: l.text[start:l.at]}, nil
	}
	unit := l.at
	for l.at < len(l.text) && (letter(l.text[l.at]) || digit(l.text[l.at])) {
		l.at++
	}
	if _, ok := units[strings.ToLower(l.text[unit:l.at])]; ok {
		return token{kind: kindPeriod, start: start, end: l.at, text: l.text[start:l.at]}, nil
	}
	l.at = start
	return p.word()
}

// word reads a field or a keyword: parts with dots and indexes between.
func (p *parser) word() (token, error) {
	l := &p.lexer
	t := token{kind: kindWord, start: l.at}
	var b strings.Builder
	for {
		if l.at < len(l.text) && l.text[l.at] == '`' {
			end := strings.IndexByte(l.text[l.at+1:], '`')
			if end < 0 {
				return t, p.fail(l.at, len(l.text), "unterminated ` of a field name")
			}
			b.WriteString(l.text[l.at+1 : l.at+1+end])
			l.at += end + 2
			t.quoted = true
		} else {
			from := l.at
			for l.at < len(l.text) && (letter(l.text[l.at]) || digit(l.text[l.at])) {
				l.at++
			}
			if from == l.at {
				return t, p.fail(t.start, l.at+1, "a field name ends in a dot")
			}
			b.WriteString(l.text[from:l.at])
		}
		for l.at < len(l.text) && l.text[l.at] == '[' { // an index; with anything else in it, the list of an in
			n := l.at + 1
			for n < len(l.text) && digit(l.text[n]) {
				n++
			}
			if n == l.at+1 || n >= len(l.text) || l.text[n] != ']' || strings.EqualFold(l.text[t.start:l.at], "in") {
				break
			}
			b.WriteString("." + l.text[l.at+1:n])
			l.at = n + 1
		}
		if l.at+1 >= len(l.text) || l.text[l.at] != '.' || !letter(l.text[l.at+1]) && !digit(l.text[l.at+1]) && l.text[l.at+1] != '`' {
			break
		}
		l.at++
		b.WriteByte('.')
	}
	t.end, t.text = l.at, b.String()
	return t, nil
}

// quoted reads a string; a backslash escapes the quote and itself.
func (p *parser) quoted(quote byte) (string, error) {
	l := &p.lexer
	start := l.at
	var b strings.Builder
	for l.at++; l.at < len(l.text); l.at++ {
		switch c := l.text[l.at]; {
		case c == quote:
			l.at++
			return b.String(), nil
		case c == '\\' && l.at+1 < len(l.text) && (l.text[l.at+1] == quote || l.text[l.at+1] == '\\'):
			l.at++
			b.WriteByte(l.text[l.at])
		default:
			b.WriteByte(c)
		}
	}
	return "", p.fail(start, len(l.text), "unterminated string")
}

// regex reads a regular expression between slashes; it begins at the token
// that was read last.
func (p *parser) regex() (source string, end int, err error) {
	l := &p.lexer
	start := p.tok.start
	var b strings.Builder
	for l.at = start + 1; l.at < len(l.text); l.at++ {
		switch c := l.text[l.at]; {
		case c == '/':
			l.at++
			end = l.at
			return b.String(), end, p.advance()
		case c == '\\' && l.at+1 < len(l.text):
			if l.text[l.at+1] != '/' {
				b.WriteByte(c)
			}
			l.at++
			b.WriteByte(l.text[l.at])
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, p.fail(start, len(l.text), "unterminated regular expression")
}
