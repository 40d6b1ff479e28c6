package monitoring

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/api"
)

// An expression is metric math: a number, a text, an id, an operator or a function
// with its operands. Source: metrics sheet 4.
type expression struct {
	op   string // "number", "text", "id", "list", an operator, or a function in upper case
	text string
	num  float64
	args []*expression
}

// maxNesting bounds how deep an expression nests.
const maxNesting = 64

// mathParser reads one expression from left to right.
type mathParser struct {
	id    string // of the query
	rest  string
	depth int
}

// failed says why an expression can't be read.
func (p *mathParser) failed(format string, args ...any) *api.Error {
	return InvalidParameterValueException("Error in expression '%s': %s", p.id, fmt.Sprintf(format, args...))
}

func parseExpression(id, text string) (*expression, error) {
	p := &mathParser{id: id, rest: text}
	if first, _, _ := strings.Cut(strings.TrimSpace(text), " "); strings.EqualFold(first, "SELECT") {
		return nil, p.failed("queries of Metrics Insights (SELECT) are not supported")
	}
	x, err := p.binary(0)
	if err != nil {
		return nil, err
	}
	if p.space(); p.rest != "" {
		return nil, p.failed("unexpected %s", quoted(p.rest))
	}
	return x, nil
}

func (p *mathParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// operators by how they bind, the loosest first.
var operators = [][]string{{"||", "OR"}, {"&&", "AND"}, {"==", "!=", "<=", ">=", "<", ">"}, {"+", "-"}, {"*", "/"}}

// operator takes an operator of a level.
func (p *mathParser) operator(level int) string {
	p.space()
	for _, op := range operators[level] {
		if strings.HasPrefix(p.rest, op) && (op[0] < 'A' || op[0] > 'Z' || !wordAt(p.rest, len(op))) {
			p.rest = p.rest[len(op):]
			return strings.NewReplacer("OR", "||", "AND", "&&").Replace(op)
		}
	}
	return ""
}

func wordAt(s string, i int) bool { return i < len(s) && isWord(s[i]) }

func isWord(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// binary reads operands of operators that bind as level or closer.
func (p *mathParser) binary(level int) (*expression, error) {
	if p.depth++; p.depth > maxNesting*len(operators) {
		return nil, p.failed("it nests too deep")
	}
	defer func() { p.depth-- }()
	if level == len(operators) {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	if err != nil {
		return nil, err
	}
	for {
		op := p.operator(level)
		if op == "" {
			return left, nil
		}
		right, err := p.binary(level + 1)
		if err != nil {
			return nil, err
		}
		left = &expression{op: op, args: []*expression{left, right}}
	}
}

// unary reads a sign, and a power, which binds closer and to the right.
func (p *mathParser) unary() (*expression, error) {
	if p.depth++; p.depth > maxNesting*len(operators) {
		return nil, p.failed("it nests too deep")
	}
	defer func() { p.depth-- }()
	if p.space(); strings.HasPrefix(p.rest, "-") {
		p.rest = p.rest[1:]
		x, err := p.unary()
		return &expression{op: "-", args: []*expression{{op: "number"}, x}}, err
	}
	base, err := p.primary()
	if err != nil {
		return nil, err
	}
	if p.space(); !strings.HasPrefix(p.rest, "^") {
		return base, nil
	}
	p.rest = p.rest[1:]
	power, err := p.unary()
	return &expression{op: "^", args: []*expression{base, power}}, err
}

func (p *mathParser) primary() (*expression, error) {
	p.space()
	if p.rest == "" {
		return nil, p.failed("it ends where a value is expected")
	}
	switch c := p.rest[0]; {
	case c == '(':
		p.rest = p.rest[1:]
		x, err := p.binary(0)
		if err != nil {
			return nil, err
		}
		return x, p.expect(")")
	case c == '[':
		p.rest = p.rest[1:]
		args, err := p.arguments("]")
		return &expression{op: "list", args: args}, err
	case c == '"' || c == '\'':
		text, rest, ok := strings.Cut(p.rest[1:], string(c))
		if !ok {
			return nil, p.failed("a text does not end")
		}
		p.rest = rest
		return &expression{op: "text", text: text}, nil
	case c >= '0' && c <= '9' || c == '.':
		n := 0
		for n < len(p.rest) && (isWord(p.rest[n]) || p.rest[n] == '.' || (p.rest[n] == '-' || p.rest[n] == '+') && (p.rest[n-1] == 'e' || p.rest[n-1] == 'E')) {
			n++
		}
		v, err := strconv.ParseFloat(p.rest[:n], 64)
		if err != nil {
			return nil, p.failed("%s is not a number", quoted(p.rest[:n]))
		}
		p.rest = p.rest[n:]
		return &expression{op: "number", num: v}, nil
	case isWord(c):
		return p.word()
	}
	return nil, p.failed("unexpected %s", quoted(p.rest))
}

// word reads an id, or a function with its arguments.
func (p *mathParser) word() (*expression, error) {
	n := 1
	for wordAt(p.rest, n) {
		n++
	}
	name := p.rest[:n]
	p.rest = p.rest[n:]
	if p.space(); !strings.HasPrefix(p.rest, "(") {
		return &expression{op: "id", text: name}, nil
	}
	f, ok := functions[strings.ToUpper(name)]
	if !ok {
		return nil, p.failed("the function %s is not supported; Gatehouse has %s", quoted(name), functionNames)
	}
	p.rest = p.rest[1:]
	args, err := p.arguments(")")
	if err != nil {
		return nil, err
	}
	if len(args) < f.least || len(args) > f.most {
		return nil, p.failed("the function %s has %d arguments", strings.ToUpper(name), len(args))
	}
	return &expression{op: strings.ToUpper(name), args: args}, nil
}

// arguments reads a list up to its end.
func (p *mathParser) arguments(end string) ([]*expression, error) {
	if p.space(); strings.HasPrefix(p.rest, end) {
		p.rest = p.rest[1:]
		return nil, nil
	}
	var args []*expression
	for {
		x, err := p.binary(0)
		if err != nil {
			return nil, err
		}
		args = append(args, x)
		if p.space(); !strings.HasPrefix(p.rest, ",") {
			return args, p.expect(end)
		}
		p.rest = p.rest[1:]
	}
}

func (p *mathParser) expect(end string) error {
	if p.space(); !strings.HasPrefix(p.rest, end) {
		if p.rest == "" {
			return p.failed("it ends where %s is expected", end)
		}
		return p.failed("%s is expected, found %s", end, quoted(p.rest))
	}
	p.rest = p.rest[len(end):]
	return nil
}
