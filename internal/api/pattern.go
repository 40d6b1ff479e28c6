package api

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode"
)

// Pattern is a constraint on a string: a Java regular expression that must match
// the whole of it.
type Pattern struct {
	Source string // as the model writes it, and as messages print it

	once  sync.Once
	match func(string) bool
}

// Match reports whether the whole of s matches.
func (p *Pattern) Match(s string) bool {
	p.once.Do(func() {
		m, err := compile(p.Source)
		if err != nil {
			panic(fmt.Sprintf("api: pattern %q: %v", p.Source, err)) // a test compiles every pattern of every model
		}
		p.match = m
	})
	return p.match(s)
}

// compile makes the cheapest matcher: none for what matches everything, a table
// for one repeated class, a regular expression for the rest.
func compile(source string) (func(string) bool, error) {
	switch source {
	case `[\s\S]*`:
		return func(string) bool { return true }, nil
	case `[^\p{C}]*`, `[^\p{C}]+`:
		empty := source[len(source)-1] == '*'
		return func(s string) bool {
			if s == "" {
				return empty
			}
			for _, r := range s {
				if unicode.Is(unicode.C, r) {
					return false
				}
			}
			return true
		}, nil
	}
	re, err := regexp.Compile(`^(?:` + translate(source) + `)$`)
	if err != nil {
		return nil, err
	}
	if class.MatchString(source) {
		return table(re), nil
	}
	return re.MatchString, nil
}

// class matches patterns that are one class of ASCII characters, repeated.
var class = regexp.MustCompile(`^\^?\[[^\[\]\\^&][^\[\]\\&]*\][+*]\$?$`)

// table answers a repeated class from a table of bytes, which re fills.
func table(re *regexp.Regexp) func(string) bool {
	empty := re.MatchString("")
	var allowed [256]bool
	for c := range 128 {
		allowed[c] = re.MatchString(string(rune(c)))
	}
	return func(s string) bool {
		if s == "" {
			return empty
		}
		for i := range len(s) {
			if !allowed[s[i]] {
				return false
			}
		}
		return true
	}
}

// translate writes a Java regular expression in the syntax of package regexp,
// for the constructs that the models use.
func translate(p string) string {
	var b strings.Builder
	inClass := false
	for i := 0; i < len(p); i++ {
		switch rest := p[i:]; {
		case strings.HasPrefix(rest, `\u`) && len(rest) >= 6:
			b.WriteString(surrogate(rest[2:6]))
			i += 5
		case strings.HasPrefix(rest, `\p{`) && posix(rest) != "":
			name := posix(rest)
			if inClass {
				b.WriteString("[:" + strings.ToLower(name) + ":]")
			} else {
				b.WriteString("[[:" + strings.ToLower(name) + ":]]")
			}
			i += len(`\p{}`) + len(name) - 1
		case strings.HasPrefix(rest, `\s`) && inClass:
			b.WriteString(`\t\n\x0B\f\r `)
			i++
		case strings.HasPrefix(rest, `\s`):
			b.WriteString(`[\t\n\x0B\f\r ]`)
			i++
		case strings.HasPrefix(rest, `\S`) && !inClass:
			b.WriteString(`[^\t\n\x0B\f\r ]`)
			i++
		case rest[0] == '\\' && len(rest) > 1:
			b.WriteString(rest[:2])
			i++
		case rest[0] == '[' && !inClass:
			inClass = true
			b.WriteByte('[')
		case rest[0] == ']' && inClass:
			inClass = false
			b.WriteByte(']')
		case rest[0] == '.' && !inClass: // Java's dot stops at more line ends than Go's
			b.WriteString(`[^\n\r\x{85}\x{2028}\x{2029}]`)
		default:
			b.WriteByte(rest[0])
		}
	}
	return b.String()
}

// surrogate writes a UTF-16 unit; the ends of a range that are surrogates, which
// no Go string holds, move to their neighbours.
func surrogate(hex string) string {
	switch strings.ToUpper(hex) {
	case "D800":
		hex = "E000"
	case "DFFF":
		hex = "D7FF"
	}
	return `\x{` + hex + `}`
}

// posix returns the name of the POSIX class that rest begins with, in Java's
// spelling, or "".
func posix(rest string) string {
	name, _, ok := strings.Cut(rest[len(`\p{`):], "}")
	switch name {
	case "Graph", "Upper", "Lower", "Digit", "Alpha", "Alnum", "Punct", "Print", "Cntrl", "XDigit", "Space", "Blank":
		if ok {
			return name
		}
	}
	return ""
}
