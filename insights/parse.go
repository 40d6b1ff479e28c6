package insights

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of a query. Source: logs sheet 6.7.
const (
	MaxText  = 10_000  // characters
	MaxRows  = 100_000 // of a result
	maxStats = 10
	maxDepth = 200 // of nested expressions
)

type parser struct {
	lexer
	tok   token
	depth int
}

// Parse reads a query. Its error is a *SyntaxError.
func Parse(text string) (*Query, error) {
	p := &parser{lexer: lexer{text: text}}
	if n := utf8.RuneCountInString(text); n > MaxText {
		return nil, p.fail(0, len(text), "the query has %d characters, at most %d are allowed", n, MaxText)
	}
	if !utf8.ValidString(text) {
		return nil, p.fail(0, len(text), "the query is not UTF-8")
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	q := &Query{text: text}
	if err := p.source(q); err != nil {
		return nil, err
	}
	for {
		c, err := p.command()
		if err != nil {
			return nil, err
		}
		q.commands = append(q.commands, c)
		if p.tok.kind == kindEnd {
			break
		}
		if !p.is("|") {
			return nil, p.unexpected("| or the end of the query after " + c.name)
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	if _, err := compile(p, q); err != nil { // names, types and order of commands
		return nil, err
	}
	return q, nil
}

func (p *parser) advance() error {
	t, err := p.next()
	p.tok = t
	return err
}

func (p *parser) is(symbol string) bool { return p.tok.kind == kindSymbol && p.tok.text == symbol }

// keyword reports whether the token is the word, in any case.
func (p *parser) keyword(word string) bool {
	return p.tok.kind == kindWord && !p.tok.quoted && strings.EqualFold(p.tok.text, word)
}

// accept reads the symbol or keyword, if it is there.
func (p *parser) accept(text string) (bool, error) {
	if p.is(text) || letter(text[0]) && p.keyword(text) {
		return true, p.advance()
	}
	return false, nil
}

func (p *parser) expect(symbol, where string) error {
	ok, err := p.accept(symbol)
	if err == nil && !ok {
		return p.unexpected(symbol + " " + where)
	}
	return err
}

func (p *parser) unexpected(expected string) error {
	if p.tok.kind == kindEnd {
		return p.fail(p.tok.start, p.tok.end, "the query ends where %s is expected", expected)
	}
	return p.fail(p.tok.start, p.tok.end, "unexpected symbol found %s, expected %s", p.text[p.tok.start:p.tok.end], expected)
}

var commandNames = []string{
	"fields", "display", "filter", "where", "filterIndex", "stats", "sort", "limit", "parse", "dedup", "unnest", "expand", "accum", "countFrequent", "fillmissing", "filldown", "pattern", "unmask",
}

// laterCommands are documented but not built. Source: logs sheet 6.8.
var laterCommands = []string{
	"anomaly", "diff", "logcompare", "lookup", "cidrlookup", "join", "addtotals", "autoregress", "outlier", "appendcols", "sessionize", "relevantfields",
}

func (p *parser) command() (*command, error) {
	t := p.tok
	if t.kind != kindWord || t.quoted {
		return nil, p.unexpected("a command (" + strings.Join(commandNames, ", ") + ")")
	}
	c := &command{name: strings.ToLower(t.text), start: t.start}
	if slices.Contains(laterCommands, c.name) {
		return nil, p.fail(t.start, t.end, "the command %s is not supported by Gatehouse yet", t.text)
	}
	if !slices.ContainsFunc(commandNames, func(n string) bool { return strings.EqualFold(n, c.name) }) {
		return nil, p.fail(t.start, t.end, "unknown command %s%s; commands are %s", t.text, suggest(t.text, commandNames), strings.Join(commandNames, ", "))
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	var err error
	switch c.name {
	case "fields", "display":
		c.items, err = p.items(c.name)
	case "filter", "where":
		c.name = "filter"
		c.filter, err = p.expression()
	case "filterindex":
		err = p.filterIndex(c)
	case "stats":
		err = p.stats(c)
	case "sort":
		err = p.sort(c)
	case "limit":
		c.limit, err = p.count(MaxRows)
	case "parse":
		err = p.parse(c)
	case "dedup", "countfrequent", "unmask":
		c.items, err = p.fieldList()
	case "unnest":
		err = p.unnest(c, "into")
	case "expand":
		err = p.unnest(c, "")
	case "accum":
		err = p.unnest(c, "as")
	case "fillmissing":
		err = p.fillMissing(c)
	case "filldown":
		if !p.is("|") && p.tok.kind != kindEnd {
			c.items, err = p.fieldList()
		}
	case "pattern":
		c.source, err = p.expression()
	}
	c.end = p.tok.start
	return c, err
}

// items reads expressions with names.
func (p *parser) items(command string) ([]item, error) {
	var out []item
	for {
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		it := item{expr: e, name: strings.TrimSpace(p.text[e.start:e.end])}
		if e.op == opField {
			it.name = e.name
		}
		as, err := p.accept("as")
		if err != nil {
			return nil, err
		}
		if as {
			if it.name, err = p.newName("as"); err != nil {
				return nil, err
			}
			it.as = true
		}
		out = append(out, it)
		more, err := p.accept(",")
		if err != nil {
			return nil, err
		}
		if !more {
			return out, nil
		}
	}
}

// newName reads the name of a new column.
func (p *parser) newName(after string) (string, error) {
	if p.tok.kind != kindWord {
		return "", p.unexpected("a name after " + after)
	}
	name := p.tok.text
	return name, p.advance()
}

// field reads the name of a field.
func (p *parser) field(where string) (*expr, error) {
	if p.tok.kind != kindWord {
		return nil, p.unexpected("a field " + where)
	}
	e := &expr{op: opField, name: p.tok.text, start: p.tok.start, end: p.tok.end}
	return e, p.advance()
}

func (p *parser) fieldList() ([]item, error) {
	var out []item
	for {
		e, err := p.field("in the list")
		if err != nil {
			return nil, err
		}
		out = append(out, item{expr: e, name: e.name})
		more, err := p.accept(",")
		if err != nil {
			return nil, err
		}
		if !more {
			return out, nil
		}
	}
}

// filterIndex is a filter with = or in on one field.
func (p *parser) filterIndex(c *command) error {
	start := p.tok
	e, err := p.expression()
	if err != nil {
		return err
	}
	if (e.op != opEqual || e.args[1].op != opLiteral) && (e.op != opIn || e.negated) || e.args[0].op != opField {
		return p.fail(start.start, e.end, "filterIndex takes a field, then = and a value or in and a list")
	}
	c.name, c.filter = "filter", e
	return nil
}

func (p *parser) stats(c *command) error {
	var err error
	if c.items, err = p.items("stats"); err != nil {
		return err
	}
	by, err := p.accept("by")
	if err != nil || !by {
		return err
	}
	if c.by, err = p.items("by"); err != nil {
		return err
	}
	offset, err := p.accept("offset")
	if err != nil || !offset {
		return err
	}
	if p.tok.kind != kindPeriod {
		return p.unexpected("a period such as 1h after offset")
	}
	d, ok := parsePeriod(p.tok.text)
	if !ok {
		return p.unexpected("a period such as 1h after offset")
	}
	c.offset = &d
	return p.advance()
}

func (p *parser) sort(c *command) error {
	for {
		e, err := p.expression()
		if err != nil {
			return err
		}
		k := sortKey{expr: e}
		asc, err := p.accept("asc")
		if err != nil {
			return err
		}
		if !asc {
			if k.desc, err = p.accept("desc"); err != nil {
				return err
			}
		}
		c.keys = append(c.keys, k)
		more, err := p.accept(",")
		if err != nil || !more {
			return err
		}
	}
}

// count reads an integer from 1 to limit.
func (p *parser) count(limit int) (int, error) {
	n, err := strconv.Atoi(p.tok.text)
	if p.tok.kind != kindNumber || err != nil || n < 1 || n > limit {
		return 0, p.unexpected("a whole number from 1 to " + strconv.Itoa(limit))
	}
	return n, p.advance()
}

func (p *parser) parse(c *command) error {
	start := p.tok.start
	var err error
	if p.tok.kind == kindWord {
		if c.source, err = p.field("after parse"); err != nil {
			return err
		}
	}
	if p.is("/") {
		at := p.tok.start
		re, err := p.regexLiteral()
		if err != nil {
			return err
		}
		c.regex = re
		for _, n := range re.SubexpNames() {
			if n != "" {
				c.into = append(c.into, n)
			}
		}
		if len(c.into) == 0 {
			return p.fail(at, p.tok.start, "the regular expression of parse has no named group, such as (?<name>...)")
		}
		return nil
	}
	if p.tok.kind != kindString {
		return p.unexpected("a pattern in quotes or a regular expression")
	}
	pattern := p.tok
	c.glob = strings.Split(pattern.text, "*")
	if err := p.advance(); err != nil {
		return err
	}
	if err := p.expect("as", "after the pattern of parse"); err != nil {
		return err
	}
	for {
		name, err := p.newName("as")
		if err != nil {
			return err
		}
		c.into = append(c.into, name)
		more, err := p.accept(",")
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	if len(c.into) != len(c.glob)-1 {
		return p.fail(start, p.tok.start, "the pattern of parse has %d *, but there are %d names", len(c.glob)-1, len(c.into))
	}
	return nil
}

// unnest reads a field, then the word before the new name; accum and expand can do without.
func (p *parser) unnest(c *command, word string) error {
	var err error
	if c.source, err = p.field("after " + c.name); err != nil {
		return err
	}
	c.into = []string{c.source.name}
	if word == "" {
		return nil
	}
	named, err := p.accept(word)
	if err != nil {
		return err
	}
	if !named {
		if c.name == "unnest" {
			return p.unexpected("into and a name")
		}
		return nil
	}
	name, err := p.newName(word)
	c.into = []string{name}
	return err
}

// fillMissing reads [with value] [for fields].
func (p *parser) fillMissing(c *command) error {
	c.fill = numberOf(0)
	with, err := p.accept("with")
	if err != nil {
		return err
	}
	if with {
		if c.fill, err = p.literal(); err != nil {
			return err
		}
	}
	only, err := p.accept("for")
	if err != nil || !only {
		return err
	}
	c.items, err = p.fieldList()
	return err
}

// literal reads a number or a string.
func (p *parser) literal() (value, error) {
	minus := p.is("-")
	if minus {
		if err := p.advance(); err != nil {
			return value{}, err
		}
	}
	t := p.tok
	switch {
	case t.kind == kindNumber:
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			return value{}, p.fail(t.start, t.end, "the number is out of range")
		}
		if minus {
			f = -f
		}
		return numberOf(f), p.advance()
	case t.kind == kindString && !minus:
		return textOf(t.text), p.advance()
	}
	return value{}, p.unexpected("a number or a string")
}

// regexLiteral reads /.../ from the slash on.
func (p *parser) regexLiteral() (*regexp.Regexp, error) {
	start := p.tok.start
	source, end, err := p.regex()
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile(source)
	if err != nil {
		return nil, p.fail(start, end, "the regular expression is not valid: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return re, nil
}
