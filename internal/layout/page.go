// Package layout lays out what Gatehouse explains to people, on a terminal or
// in the log of a CI job: paragraphs of 80 columns, labelled parts, and commands
// as they must be typed.
package layout

import (
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Width is how many columns a line has at most; only commands, which must be
// runnable as printed, may be wider.
const Width = 80

// labelWidth is the column in which the text of a labelled part begins.
const labelWidth = 13

// Paint colours parts of a text for a terminal. A nil function leaves its part as it is.
type Paint struct{ Good, Bad, Doubt, Strong, Faint func(string) string }

// Use applies one of the functions of a [Paint] to s.
func Use(f func(string) string, s string) string {
	if f == nil {
		return s
	}
	return f(s)
}

// A Page is a text in the making.
type Page struct {
	strings.Builder
	Paint Paint

	commands []string // printed
}

// WriteTo writes the page.
func (p *Page) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, p.String())
	return int64(n), err
}

// Paragraph writes text behind a head, its further lines indented as far. colour paints each line of it.
func (p *Page) Paragraph(head, text string, colour func(string) string) {
	indent := utf8.RuneCountInString(head)
	p.behind(head, indent, text, colour)
}

// Row writes text in the column indent, behind a head that may be painted and so
// be longer than it looks.
func (p *Page) Row(head string, indent int, text string) { p.behind(head, indent, text, nil) }

func (p *Page) behind(head string, indent int, text string, colour func(string) string) {
	for i, line := range Wrap(text, Width-indent) {
		if i > 0 {
			head = strings.Repeat(" ", indent)
		}
		p.WriteString(strings.TrimRight(head+Use(colour, line), " ") + "\n")
	}
}

// Marked writes a paragraph that begins with mark, which is painted.
func (p *Page) Marked(mark, text string, colour func(string) string) {
	for i, line := range Wrap(mark+text, Width) {
		if rest, whole := strings.CutPrefix(line, mark); i == 0 && whole {
			line = Use(colour, mark) + rest
		}
		p.WriteString(line + "\n")
	}
}

// Part writes a labelled paragraph.
func (p *Page) Part(label, text string) {
	p.Row(Use(p.Paint.Strong, label)+strings.Repeat(" ", max(labelWidth-len(label), 1)), labelWidth, text)
}

// Fix writes a command that repairs something, unless the page has it already.
// missing are the names in it that must be filled in first, and because says why they are.
func (p *Page) Fix(command string, missing []string, because string) {
	if command == "" || slices.Contains(p.commands, command) {
		return
	}
	p.commands = append(p.commands, command)
	p.WriteString(Use(p.Paint.Strong, "Fix") + "\n")
	for line := range strings.SplitSeq(command, "\n") {
		p.WriteString("  " + line + "\n")
	}
	if len(missing) > 0 {
		p.Part("", "(replace "+strings.ToUpper(strings.Join(missing, ", "))+" first: "+because+")")
	}
}

// Wrap breaks text at blanks into lines of at most n runes; a longer word has a
// line of its own, in pieces. It returns at least one line.
func Wrap(text string, n int) []string {
	var lines []string
	line, used := "", 0
	for word := range strings.FieldsSeq(text) {
		runes := []rune(word)
		if used > 0 && used+1+len(runes) > n {
			lines = append(lines, line)
			line, used = "", 0
		}
		for len(runes) > n {
			lines = append(lines, string(runes[:n]))
			runes = runes[n:]
		}
		if used > 0 {
			line += " "
			used++
		}
		line += string(runes)
		used += len(runes)
	}
	return append(lines, line)
}

var longHex = regexp.MustCompile(`\b[0-9a-f]{40,64}\b`)

// Short shows 12 digits of each fingerprint in text, which tell as much as 64.
func Short(text string) string {
	return longHex.ReplaceAllStringFunc(text, func(h string) string { return h[:12] + "…" })
}
