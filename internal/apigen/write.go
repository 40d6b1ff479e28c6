package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const apiPath = "github.com/gatehouse-iot/gatehouse/internal/api"

// types writes a struct per structure and a string type per enum.
func (g *generator) types() {
	var structs, enums []string
	times := false
	for _, n := range g.reachable() {
		s := g.Shapes[n]
		switch {
		case s.Exception:
		case s.Type == "structure":
			structs = append(structs, n)
		case len(s.Enum) > 0:
			enums = append(enums, n)
		case s.Type == "timestamp", s.Type == "events":
			times = true
		}
	}
	if times {
		g.header(apiPath)
	} else {
		g.header()
	}
	for _, n := range structs {
		s := g.Shapes[n]
		g.p("\n// %s is the structure %s of the model.", g.goName[n], n)
		g.p("type %s struct {", g.goName[n])
		for _, mn := range sorted(s.Members) {
			note := ""
			if slices.Contains(s.Required, mn) {
				note = " // required"
			}
			g.p("%s %s%s", upper(mn), g.fieldType(s, mn), note)
		}
		g.p("}")
	}
	for _, on := range sorted(g.Operations) {
		if g.Operations[on].Output == nil {
			g.p("\n// %sResponse is empty: the operation answers without a body.", on)
			g.p("type %sResponse struct{}", on)
		}
	}
	for _, n := range enums {
		g.p("\n// %s is the enum %s of the model.", g.goName[n], n)
		g.p("type %s string", g.goName[n])
		g.p("\n// Values of %s.\nconst (", g.goName[n])
		for i, v := range g.Shapes[n].Enum {
			g.p("%s %s = %q", g.consts[n][i], g.goName[n], v)
		}
		g.p(")")
	}
}

var kinds = map[string]string{
	"structure": "Structure", "list": "List", "map": "Map", "string": "String", "integer": "Integer", "long": "Long",
	"float": "Float", "double": "Double", "boolean": "Boolean", "timestamp": "Timestamp", "blob": "Blob", "events": "Events",
}

// shapes writes the table from which the runtime decodes, validates and encodes.
func (g *generator) shapes() {
	g.header(apiPath)
	patterns := map[string]int{}
	var order []string
	for _, n := range g.reachable() {
		if p := g.Shapes[n].Pattern; p != "" {
			if _, ok := patterns[p]; !ok {
				patterns[p] = len(order)
				order = append(order, p)
			}
		}
	}
	g.p("\nvar (")
	for i, p := range order {
		g.p("pattern%d = api.Pattern{Source: %q}", i, p)
	}
	g.p(")")
	g.p("\n// Members stand in the order of the fields of the Go type.")
	g.p("var (")
	for _, n := range g.reachable() {
		s := g.Shapes[n]
		if s.Exception {
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "shape%s = api.Shape{Name: %q, Kind: api.%s", upper(n), n, kinds[s.Type])
		if s.Min != nil {
			fmt.Fprintf(&b, ", HasMin: true, Min: %s", number(*s.Min))
		}
		if s.Max != nil {
			fmt.Fprintf(&b, ", HasMax: true, Max: %s", number(*s.Max))
		}
		if s.Pattern != "" {
			fmt.Fprintf(&b, ", Pattern: &pattern%d", patterns[s.Pattern])
		}
		if len(s.Enum) > 0 {
			fmt.Fprintf(&b, ", Enum: %#v", s.Enum)
		}
		if s.Sensitive {
			b.WriteString(", Sensitive: true")
		}
		switch s.Type {
		case "list":
			fmt.Fprintf(&b, ", Value: &shape%s", upper(s.Member.Shape))
		case "map":
			fmt.Fprintf(&b, ", Key: &shape%s, Value: &shape%s", upper(s.Key.Shape), upper(s.Value.Shape))
		}
		if len(s.Members) > 0 {
			b.WriteString(", Members: []api.Member{\n")
			for _, mn := range sorted(s.Members) {
				b.WriteString(g.memberLiteral(s, mn) + ",\n")
			}
			b.WriteString("}")
		}
		b.WriteString("}")
		g.p("%s", b.String())
	}
	g.p(")")
}

func (g *generator) memberLiteral(s *shape, mn string) string {
	mem := s.Members[mn]
	var b strings.Builder
	fmt.Fprintf(&b, "{Name: %q, Shape: &shape%s", mn, upper(mem.Shape))
	if mem.LocationName != "" && mem.LocationName != mn {
		fmt.Fprintf(&b, ", Wire: %q", mem.LocationName)
	}
	loc := map[string]string{"uri": "Label", "querystring": "Query", "header": "Header", "statusCode": "Status"}[mem.Location]
	if s.Payload == mn {
		loc = "Payload"
	}
	if loc != "" {
		fmt.Fprintf(&b, ", In: api.%s", loc)
	}
	if slices.Contains(s.Required, mn) {
		b.WriteString(", Required: true")
	}
	if mem.JSONValue {
		b.WriteString(", JSONValue: true")
	}
	return b.String() + "}"
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// errors writes a constructor per exception.
func (g *generator) errors() {
	var exceptions []string
	for _, n := range sorted(g.Shapes) {
		if g.Shapes[n].Exception {
			exceptions = append(exceptions, n)
		}
	}
	if len(exceptions) == 0 {
		g.header()
		return
	}
	g.header(apiPath)
	g.p("\n// exceptions are the HTTP statuses of the model's exceptions.")
	g.p("var exceptions = map[string]int{")
	for _, n := range exceptions {
		g.p("%q: %d,", n, g.status(n))
	}
	g.p("}")
	for _, n := range exceptions {
		status := g.status(n)
		g.p("\n// %s is answered with HTTP status %d.", upper(n), status)
		g.p("func %s(format string, args ...any) *api.Error {", upper(n))
		g.p("return api.Errorf(%q, %d, format, args...)\n}", n, status)
	}
}

// status returns the HTTP status of an exception.
func (g *generator) status(n string) int {
	s := g.Shapes[n]
	switch {
	case s.Error.HTTPStatusCode != 0:
		return s.Error.HTTPStatusCode
	case s.Fault:
		return 500
	}
	return 400
}
