package insights

import "strings"

// Groups is the log groups that a query chooses itself, by SOURCE logGroups(...).
// An empty list chooses all.
type Groups struct {
	Prefixes []string // of their names
	Accounts []string
	Classes  []string // STANDARD, INFREQUENT_ACCESS
}

// Groups returns what the query says of log groups, or nil if it leaves that to
// whoever starts it.
func (q *Query) Groups() *Groups { return q.groups }

// Limits of SOURCE. Source: AWS, "SOURCE".
const (
	maxPrefixes = 5
	maxAccounts = 20
)

// source reads SOURCE logGroups(namePrefix: ["a"], class: ["STANDARD"]) |.
func (p *parser) source(q *Query) error {
	start := p.tok
	if !p.keyword("source") {
		return nil
	}
	if err := p.advance(); err != nil {
		return err
	}
	if p.keyword("dataSource") {
		return p.fail(p.tok.start, p.tok.end, "SOURCE %s is not supported by Gatehouse: choose log groups with logGroups(...)", p.tok.text)
	}
	if !p.keyword("logGroups") {
		return p.unexpected("logGroups(...) after SOURCE")
	}
	if err := p.advance(); err != nil {
		return err
	}
	if err := p.expect("(", "after logGroups"); err != nil {
		return err
	}
	q.groups = &Groups{}
	for !p.is(")") {
		if err := p.choice(q.groups); err != nil {
			return err
		}
		more, err := p.accept(",")
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if p.is(")") {
			return p.unexpected("another argument")
		}
	}
	if err := p.expect(")", "after the arguments of logGroups"); err != nil {
		return err
	}
	if len(q.groups.Prefixes) > maxPrefixes || len(q.groups.Accounts) > maxAccounts {
		return p.fail(start.start, p.tok.start, "SOURCE takes at most %d prefixes and %d accounts", maxPrefixes, maxAccounts)
	}
	return p.expect("|", "after SOURCE")
}

// choice reads one argument of logGroups.
func (p *parser) choice(g *Groups) error {
	if p.tok.kind != kindWord {
		return p.unexpected("namePrefix, accountIdentifiers or class")
	}
	var list *[]string
	switch strings.ToLower(p.tok.text) {
	case "nameprefix":
		list = &g.Prefixes
	case "accountidentifiers", "accountidentifier":
		list = &g.Accounts
	case "class", "loggroupclass":
		list = &g.Classes
	default:
		return p.unexpected("namePrefix, accountIdentifiers or class")
	}
	if *list != nil {
		return p.fail(p.tok.start, p.tok.end, "%s stands twice", p.tok.text)
	}
	if err := p.advance(); err != nil {
		return err
	}
	if err := p.expect(":", "after the name of the argument"); err != nil {
		return err
	}
	if err := p.expect("[", "before the list"); err != nil {
		return err
	}
	for {
		if p.tok.kind != kindString {
			return p.unexpected("a string")
		}
		*list = append(*list, p.tok.text)
		if err := p.advance(); err != nil {
			return err
		}
		more, err := p.accept(",")
		if err != nil {
			return err
		}
		if !more {
			return p.expect("]", "after the list")
		}
	}
}
