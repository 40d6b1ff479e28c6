package check

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Values looks up evidence by its name.
type Values func(name string) (value string, known bool)

// Map returns the Values of a map; an empty value is an unknown one.
func Map(m map[string]string) Values {
	return func(name string) (string, bool) { v := m[name]; return v, v != "" }
}

// CauseWith returns the cause with its evidence filled in.
func (c *Check) CauseWith(v Values) string { return text(c.Cause, v) }

// AdviceWith returns the advice with its evidence filled in.
func (c *Check) AdviceWith(v Values) string { return text(c.Advice, v) }

// FixWith returns the command with its evidence filled in, each value quoted for
// where it stands, so that no value, however hostile, becomes a command. Names
// without a value stand in it in capitals and are returned as missing.
func (c *Check) FixWith(v Values) (command string, missing []string) { return shellCommand(c.Fix, v) }

// placeholder is {name} or {name|form}. JSON and ${iot:ClientId} do not match it.
var placeholder = regexp.MustCompile(`\{([a-z][a-z0-9_]*)(?:\|([a-z]+))?\}`)

// optional is a part of a template that needs all its names; "||" divides it
// into alternatives.
var optional = regexp.MustCompile(`(?s)<<(.*?)>>`)

// names lists the evidence that a template asks for: in its fixed part and in its optional ones.
func names(template string) (fixed, inOptional []string) {
	for _, m := range placeholder.FindAllStringSubmatch(optional.ReplaceAllString(template, ""), -1) {
		fixed = append(fixed, m[1])
	}
	for _, part := range optional.FindAllString(template, -1) {
		for _, m := range placeholder.FindAllStringSubmatch(part, -1) {
			inOptional = append(inOptional, m[1])
		}
	}
	return fixed, inOptional
}

// settle drops the optional parts of which a name has no value, and keeps the
// others. "<<this||or else this>>" is the first alternative of which all names
// have values, or the last one.
func settle(template string, v Values) string {
	return optional.ReplaceAllStringFunc(template, func(part string) string {
		alternatives := strings.Split(part[2:len(part)-2], "||")
		for _, a := range alternatives {
			if allKnown(a, v) {
				return a
			}
		}
		if len(alternatives) > 1 {
			return alternatives[len(alternatives)-1]
		}
		return ""
	})
}

func allKnown(template string, v Values) bool {
	for _, m := range placeholder.FindAllStringSubmatch(template, -1) {
		if _, known := v(m[1]); !known {
			return false
		}
	}
	return true
}

// text fills a template for people.
func text(template string, v Values) string {
	return placeholder.ReplaceAllStringFunc(settle(template, v), func(p string) string {
		m := placeholder.FindStringSubmatch(p)
		value, known := v(m[1])
		if !known {
			return "(unknown " + strings.ReplaceAll(m[1], "_", " ") + ")"
		}
		return Visible(form(value, m[2]))
	})
}

// shellCommand fills a template for a POSIX shell. It follows the quotes of the
// template: a value in single quotes stands in a JSON document there.
func shellCommand(template string, v Values) (command string, missing []string) {
	template = settle(template, v)
	var b strings.Builder
	quote := byte(0)
	last := 0
	for _, loc := range placeholder.FindAllStringSubmatchIndex(template, -1) {
		b.WriteString(template[last:loc[0]])
		quote = shellState(quote, template[last:loc[0]])
		last = loc[1]
		name := template[loc[2]:loc[3]]
		value, known := v(name)
		if !known {
			if !slices.Contains(missing, name) {
				missing = append(missing, name)
			}
			value = strings.ToUpper(name)
		} else if loc[4] >= 0 {
			value = form(value, template[loc[4]:loc[5]])
		}
		switch quote {
		case '\'':
			b.WriteString(strings.ReplaceAll(jsonEscape(value), "'", `'\''`))
		case '"':
			b.WriteString(doubleQuoteEscape(value))
		default:
			b.WriteString(shellQuote(value))
		}
	}
	b.WriteString(template[last:])
	return b.String(), missing
}

// shellState returns the quote that is open after s, when quote was open before it.
func shellState(quote byte, s string) byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case quote == c:
			quote = 0
		}
	}
	return quote
}

// form changes a value as {name|form} asks.
func form(value, how string) string {
	switch how {
	case "arn":
		// Inside a policy's resource these stand for themselves, so that a client ID or
		// topic can't grant more than itself. Policy sheet 7.4.
		return strings.NewReplacer("${", "${$}{", "*", "${*}", "?", "${?}").Replace(value)
	case "slug":
		if parts := strings.SplitN(value, ":", 6); len(parts) == 6 && parts[0] == "arn" {
			value = parts[5] // partition, Region and account are the same for all
		}
		return slug(value)
	case "verb":
		_, verb, _ := strings.Cut(value, ":")
		return slug(strings.ToLower(verb))
	case "short":
		if len(value) > 12 {
			return value[:12]
		}
	}
	return value
}

// slug makes a value fit for a name of AWS: letters, digits, . _ and -, at most
// 60 bytes; a value that had to change keeps its difference in a short hash.
func slug(value string) string {
	out := strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-", r)) {
			return r
		}
		return '-'
	}, value)
	if out != value || len(out) > 60 {
		h := fnv.New32a()
		h.Write([]byte(value))
		out = strings.Trim(out[:min(len(out), 50)], "-.") + fmt.Sprintf("-%08x", h.Sum32())
	}
	return strings.TrimLeft(out, "-")
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shellQuote makes value one word of a POSIX shell.
func shellQuote(value string) string {
	switch {
	case plain.MatchString(value):
		return value
	case strings.IndexFunc(value, hidden) < 0:
		return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
	}
	// Control characters are spelt out, so that printing the command does nothing to a terminal.
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		fmt.Fprintf(&b, `\%03o`, value[i])
	}
	return `"$(printf '` + b.String() + `')"`
}

func doubleQuoteEscape(value string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", `$`, `\$`).Replace(Visible(value))
}

func jsonEscape(value string) string {
	var b strings.Builder
	for _, r := range value {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case hidden(r) && r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// hidden says whether r would be invisible or would act on a terminal: control
// and format characters, among them those that turn the direction of writing.
func hidden(r rune) bool { return unicode.Is(unicode.C, r) || r == '\u2028' || r == '\u2029' }

// Visible returns s with every character that is invisible or acts on a terminal
// spelt out, such as \x1b. What a device sends must not write to an operator's screen.
func Visible(s string) string {
	if strings.IndexFunc(s, hidden) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case !hidden(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
	}
	return b.String()
}
