package logs

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxFields is how many fields are discovered in one event. Source: logs sheet 6.3.
const MaxFields = 200

// maxDepth bounds the nesting of JSON that is looked into.
const maxDepth = 64

// A scanner walks over one JSON text without building values.
type scanner struct {
	s string
	i int
}

func (p *scanner) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

func (p *scanner) take(c byte) bool {
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

// text reads a string token and returns it with its quotes.
func (p *scanner) text() (token string, ok bool) {
	start := p.i
	if !p.take('"') {
		return "", false
	}
	high := false
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			token = p.s[start:p.i]
			return token, !high || utf8.ValidString(token)
		case c == '\\':
			if !p.escape() {
				return "", false
			}
		case c < 0x20:
			return "", false
		default:
			high = high || c >= utf8.RuneSelf
			p.i++
		}
	}
	return "", false
}

// escape reads one escape sequence.
func (p *scanner) escape() bool {
	p.i++
	if p.i >= len(p.s) {
		return false
	}
	c := p.s[p.i]
	p.i++
	if c != 'u' {
		return strings.IndexByte(`"\/bfnrt`, c) >= 0
	}
	if p.i+4 > len(p.s) {
		return false
	}
	for range 4 {
		if !isHex(p.s[p.i]) {
			return false
		}
		p.i++
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func (p *scanner) digits() bool {
	start := p.i
	for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
		p.i++
	}
	return p.i > start
}

// number reads a number token.
func (p *scanner) number() bool {
	p.take('-')
	if !p.take('0') && !p.digits() {
		return false
	}
	if p.take('.') && !p.digits() {
		return false
	}
	if p.take('e') || p.take('E') {
		if !p.take('+') {
			p.take('-')
		}
		return p.digits()
	}
	return true
}

func (p *scanner) word(w string) bool {
	if strings.HasPrefix(p.s[p.i:], w) {
		p.i += len(w)
		return true
	}
	return false
}

// value reads any value and returns its text.
func (p *scanner) value(depth int) (token string, ok bool) {
	if p.i >= len(p.s) || depth > maxDepth {
		return "", false
	}
	start := p.i
	switch c := p.s[p.i]; c {
	case '"':
		return p.text()
	case '{':
		ok = p.object(depth, nil)
	case '[':
		ok = p.array(depth, nil)
	case 't':
		ok = p.word("true")
	case 'f':
		ok = p.word("false")
	case 'n':
		ok = p.word("null")
	default:
		ok = p.number()
	}
	return p.s[start:p.i], ok
}

// object reads an object; member, if set, is called where a value begins and
// reads it.
func (p *scanner) object(depth int, member func(key string) bool) bool {
	p.i++
	p.space()
	if p.take('}') {
		return true
	}
	for {
		key, ok := p.text()
		if !ok {
			return false
		}
		p.space()
		if !p.take(':') {
			return false
		}
		p.space()
		if member != nil {
			ok = member(key)
		} else {
			_, ok = p.value(depth + 1)
		}
		if !ok {
			return false
		}
		p.space()
		if p.take('}') {
			return true
		}
		if !p.take(',') {
			return false
		}
		p.space()
	}
}

// array is the same for an array.
func (p *scanner) array(depth int, element func(i int) bool) bool {
	p.i++
	p.space()
	if p.take(']') {
		return true
	}
	for n := 0; ; n++ {
		var ok bool
		if element != nil {
			ok = element(n)
		} else {
			_, ok = p.value(depth + 1)
		}
		if !ok {
			return false
		}
		p.space()
		if p.take(']') {
			return true
		}
		if !p.take(',') {
			return false
		}
		p.space()
	}
}

// unquote returns the value of a string token that text accepted.
func unquote(token string) string { return unescape(token[1 : len(token)-1]) }

// unescape is the same without the quotes.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b = append(b, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r := hexRune(s[i+1:])
			i += 4
			if utf16.IsSurrogate(r) && i+6 < len(s) && s[i+1] == '\\' && s[i+2] == 'u' {
				if both := utf16.DecodeRune(r, hexRune(s[i+3:])); both != utf8.RuneError {
					r = both
					i += 6
				}
			}
			b = utf8.AppendRune(b, r)
		default: // the quote, the slashes
			b = append(b, s[i])
		}
	}
	return string(b)
}

// hexRune reads the four digits that s begins with.
func hexRune(s string) rune {
	n, err := strconv.ParseUint(s[:4], 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	return rune(n)
}

// scalar returns the value of a field whose token is not an object or array;
// false for null. Booleans are 1 and 0. Source: logs sheet 6.3.
func scalar(token string) (string, bool) {
	switch token[0] {
	case '"':
		return unquote(token), true
	case 't':
		return "1", true
	case 'f':
		return "0", true
	case 'n':
		return "", false
	}
	return token, true
}

// Flatten calls field for each leaf of the JSON object in message: names are
// a.b for objects and a.0 for arrays. It calls nothing and reports false if
// message is no JSON object. Source: logs sheet 6.3.
func Flatten(message string, field func(name, value string)) bool {
	p := scanner{s: message}
	p.space()
	if p.i >= len(p.s) || p.s[p.i] != '{' {
		return false
	}
	whole := p // validate first: half an object has no fields
	if !whole.object(0, nil) {
		return false
	}
	if whole.space(); whole.i != len(whole.s) {
		return false
	}
	n := 0
	p.leaves("", 0, func(name, value string) {
		if n++; n <= MaxFields {
			field(name, value)
		}
	})
	return true
}

// leaves walks over one valid value.
func (p *scanner) leaves(name string, depth int, field func(name, value string)) bool {
	switch p.s[p.i] {
	case '{':
		return p.object(depth, func(key string) bool {
			k := unquote(key)
			if depth == 0 && strings.HasPrefix(k, "@") {
				k = "@" + k // does not hide a field of our own
			}
			if name != "" {
				k = name + "." + k
			}
			return p.leaves(k, depth+1, field)
		})
	case '[':
		return p.array(depth, func(i int) bool { return p.leaves(name+"."+strconv.Itoa(i), depth+1, field) })
	}
	token, ok := p.value(depth)
	if v, present := scalar(token); ok && present {
		field(name, v)
	}
	return ok
}
