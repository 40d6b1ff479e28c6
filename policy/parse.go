package policy

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of a document. Source: policy sheet 3.
const (
	MaxSize     = 2048   // characters outside of white space
	maxRawBytes = 404600 // bytes with white space, as the API model allows
)

// Parse reads a policy document. The error is always a [*SyntaxError] with the
// place and the cause. Source: policy sheet 2 and 14.
func Parse(data []byte) (*Document, error) {
	if len(data) > maxRawBytes {
		return nil, &SyntaxError{Position{Line: 1, Column: 1}, fmt.Sprintf("the document has %d bytes; the limit is %d with white space", len(data), maxRawBytes)}
	}
	r, root, bad := readJSON(data)
	if bad != nil {
		return nil, bad
	}
	p := parser{reader: r, doc: &Document{Size: sizeOf(data)}}
	if bad := p.document(root); bad != nil {
		return nil, bad
	}
	if p.doc.Size > MaxSize {
		return nil, r.errorAt(0, "", "the document has %d characters outside of white space; the limit is %d", p.doc.Size, MaxSize)
	}
	p.warn()
	return p.doc, nil
}

func (e *SyntaxError) text() string {
	place := fmt.Sprintf("line %d, column %d", e.Line, e.Column)
	if e.Pointer != "" {
		place += " (" + e.Pointer + ")"
	}
	return "Policy document is Malformed: " + place + ": " + e.Message
}

type parser struct {
	*reader
	doc *Document
}

func (p *parser) document(root *node) *SyntaxError {
	if root.kind != '{' {
		return p.errorOn(root, "a policy is a JSON object, this is %s", kindName(root.kind))
	}
	var statement *node
	for _, m := range root.members {
		switch m.name {
		case "Version":
			if m.node.kind != '"' || m.node.text != version2012 && m.node.text != version2008 {
				return p.errorOn(m.node, "Version must be %q or %q", version2012, version2008)
			}
			p.doc.Version = m.node.text
		case "Id":
			if m.node.kind != '"' {
				return p.errorOn(m.node, "Id must be a string, this is %s", kindName(m.node.kind))
			}
			p.doc.ID = m.node.text
		case "Statement":
			statement = m.node
		default:
			return p.errorAt(m.at, m.node.pointer, "unknown element %q; a policy has Version, Id and Statement%s", m.name, meant(m.name, "Version", "Id", "Statement"))
		}
	}
	if statement == nil {
		return p.errorOn(root, "the policy has no Statement")
	}
	list := statement.items
	switch statement.kind {
	case '{':
		list = []*node{statement}
	case '[':
		if len(list) == 0 && rejectEmptyStatementList {
			return p.errorOn(statement, "the Statement list is empty")
		}
	default:
		return p.errorOn(statement, "Statement must be an object or a list of objects, this is %s", kindName(statement.kind))
	}
	for _, n := range list {
		if bad := p.statement(n); bad != nil {
			return bad
		}
	}
	return nil
}

func (p *parser) statement(n *node) *SyntaxError {
	if n.kind != '{' {
		return p.errorOn(n, "a statement is an object, this is %s", kindName(n.kind))
	}
	s := Statement{Pos: p.at(n)}
	var action, resource, condition *node
	for _, m := range n.members {
		switch m.name {
		case "Sid":
			if m.node.kind != '"' {
				return p.errorOn(m.node, "Sid must be a string, this is %s", kindName(m.node.kind))
			}
			s.Sid = m.node.text
		case "Effect":
			switch {
			case m.node.kind == '"' && m.node.text == "Allow":
				s.Effect = Allow
			case m.node.kind == '"' && m.node.text == "Deny":
				s.Effect = ExplicitDeny
			default:
				return p.errorOn(m.node, `Effect must be "Allow" or "Deny", spelled so`)
			}
		case "Action", "NotAction":
			if action != nil {
				return p.errorAt(m.at, m.node.pointer, "a statement has either Action or NotAction, not both")
			}
			action, s.NotAction = m.node, m.name == "NotAction"
		case "Resource", "NotResource":
			if resource != nil {
				return p.errorAt(m.at, m.node.pointer, "a statement has either Resource or NotResource, not both")
			}
			resource, s.NotResource = m.node, m.name == "NotResource"
		case "Condition":
			condition = m.node
		case "Principal", "NotPrincipal":
			if rejectPrincipal {
				return p.errorAt(m.at, m.node.pointer, "%s does not belong in an IoT policy: the policy applies to whatever it is attached to", m.name)
			}
		default:
			return p.errorAt(m.at, m.node.pointer, "unknown element %q%s", m.name,
				meant(m.name, "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"))
		}
	}
	switch {
	case s.Effect == ImplicitDeny:
		return p.errorOn(n, `the statement has no Effect; it needs "Allow" or "Deny"`)
	case action == nil:
		return p.errorOn(n, "the statement has neither Action nor NotAction")
	case resource == nil:
		return p.errorOn(n, "the statement has neither Resource nor NotResource")
	}
	var bad *SyntaxError
	if s.Actions, s.actionPos, bad = p.strings(action); bad != nil {
		return bad
	}
	if s.Resources, s.resourcePos, bad = p.strings(resource); bad != nil {
		return bad
	}
	s.mask = actionMask(s.Actions, s.NotAction)
	for i, text := range s.Resources {
		entry, err := parseResource(text, p.doc.Variables())
		if err != nil {
			return &SyntaxError{s.resourcePos[i], "The following resources are invalid : [" + text + "]: " + err.Error()}
		}
		s.resources = append(s.resources, entry)
	}
	if condition != nil {
		if bad := p.conditions(&s, condition); bad != nil {
			return bad
		}
	}
	s.changes = s.dependsOnClock()
	p.doc.Statements = append(p.doc.Statements, s)
	return nil
}

// strings reads a string or a list of strings that is not empty.
func (p *parser) strings(n *node) ([]string, []Position, *SyntaxError) {
	what := lastElement(n.pointer)
	list := n.items
	switch n.kind {
	case '"':
		list = []*node{n}
	case '[':
		if len(list) == 0 {
			return nil, nil, p.errorOn(n, "the %s list is empty", what)
		}
	default:
		return nil, nil, p.errorOn(n, "%s must be a string or a list of strings, this is %s", what, kindName(n.kind))
	}
	var texts []string
	var places []Position
	for _, item := range list {
		if item.kind != '"' {
			return nil, nil, p.errorOn(item, "%s must hold strings, this is %s", what, kindName(item.kind))
		}
		texts = append(texts, item.text)
		places = append(places, p.at(item))
	}
	return texts, places, nil
}

func (p *parser) conditions(s *Statement, n *node) *SyntaxError {
	if n.kind != '{' {
		return p.errorOn(n, "Condition must be an object of operators, this is %s", kindName(n.kind))
	}
	for _, byOperator := range n.members {
		op, ok := parseOperator(byOperator.name)
		if !ok {
			return p.errorAt(byOperator.at, byOperator.node.pointer, "unknown condition operator %q%s", byOperator.name, meantOperator(byOperator.name))
		}
		if byOperator.node.kind != '{' {
			return p.errorOn(byOperator.node, "the operator %s needs an object of keys, this is %s", byOperator.name, kindName(byOperator.node.kind))
		}
		for _, byKey := range byOperator.node.members {
			c := Condition{Operator: byOperator.name, Key: byKey.name, Pos: p.position(byKey.at, byKey.node.pointer), op: op, key: parseKey(byKey.name)}
			list := byKey.node.items
			if byKey.node.kind != '[' {
				list = []*node{byKey.node}
			}
			for _, v := range list {
				switch v.kind {
				case '"', '0', 't', 'f':
				default:
					return p.errorOn(v, "a condition value is a string, number or boolean, this is %s", kindName(v.kind))
				}
				value, err := parseValue(v.text, op, p.doc.Variables())
				if err != nil {
					return p.errorOn(v, "%v", err)
				}
				c.Values = append(c.Values, v.text)
				c.values = append(c.values, value)
			}
			s.Conditions = append(s.Conditions, c)
		}
	}
	return nil
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 't', 'f':
		return "a boolean"
	default:
		return "null"
	}
}

// meant proposes the known word that differs from name in case or in an s at
// the end: "statement", "Actions".
func meant(name string, known ...string) string {
	for _, k := range known {
		if strings.EqualFold(strings.TrimSuffix(name, "s"), k) {
			return fmt.Sprintf("; did you mean %q?", k)
		}
	}
	return ""
}
