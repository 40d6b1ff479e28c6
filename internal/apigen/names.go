package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// reserved are the identifiers that generated and hand-written files of a
// service package declare beside the model's own names.
var reserved = []string{"Operations", "Unimplemented", "NewService", "Handlers", "ServiceID", "Version"}

// name gives every structure and enum a Go name and every enum value a
// constant, and fails if two of them meet.
func (g *generator) name() error {
	g.goName = map[string]string{}
	g.consts = map[string][]string{}
	owner := map[string]string{}
	for _, r := range reserved {
		owner[r] = "the package's own " + r
	}
	take := func(ident, what string) error {
		if prev, ok := owner[ident]; ok {
			return fmt.Errorf("%s and %s would both be called %s", prev, what, ident)
		}
		owner[ident] = what
		return nil
	}
	for n, s := range g.Shapes {
		if s.Exception {
			owner[upper(n)] = "exception " + n
		}
	}
	for _, n := range g.reachable() {
		s := g.Shapes[n]
		if s.Exception || s.Type != "structure" && len(s.Enum) == 0 {
			continue
		}
		g.goName[n] = upper(n)
		if err := take(upper(n), "shape "+n); err != nil {
			return err
		}
	}
	for _, n := range sorted(g.Operations) {
		if op := g.Operations[n]; op.Output == nil {
			if err := take(n+"Response", "empty output of "+n); err != nil {
				return err
			}
		}
	}
	for _, n := range g.reachable() {
		for _, v := range g.Shapes[n].Enum {
			c := g.goName[n] + camel(v)
			if _, taken := owner[c]; taken {
				c = g.goName[n] + "_" + camel(v)
			}
			if err := take(c, fmt.Sprintf("value %q of %s", v, n)); err != nil {
				return err
			}
			g.consts[n] = append(g.consts[n], c)
		}
	}
	for _, n := range g.reachable() {
		fields := map[string]bool{}
		for mn := range g.Shapes[n].Members {
			if fields[upper(mn)] {
				return fmt.Errorf("%s has two members called %s", n, upper(mn))
			}
			fields[upper(mn)] = true
		}
	}
	return nil
}

// upper returns s with its first letter in upper case; no initialisms, so that
// thingArn becomes ThingArn everywhere.
func upper(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// camel turns an enum value into the end of an identifier: PENDING_TRANSFER
// becomes PendingTransfer, p99.9 becomes P99_9.
func camel(v string) string {
	words := strings.FieldsFunc(v, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, w := range words {
		if w == strings.ToUpper(w) {
			w = strings.ToLower(w)
		}
		words[i] = upper(w)
	}
	var b strings.Builder
	for i, w := range words {
		if i > 0 && unicode.IsDigit(rune(w[0])) && unicode.IsDigit(rune(words[i-1][len(words[i-1])-1])) {
			b.WriteByte('_')
		}
		b.WriteString(w)
	}
	return b.String()
}

// goType returns the Go type of a value of shape n, without the pointer that
// makes it optional.
func (g *generator) goType(n string) string {
	s := g.Shapes[n]
	switch s.Type {
	case "structure":
		return g.goName[n]
	case "list":
		return "[]" + g.goType(s.Member.Shape)
	case "map":
		return "map[" + g.goType(s.Key.Shape) + "]" + g.goType(s.Value.Shape)
	case "string":
		if len(s.Enum) > 0 {
			return g.goName[n]
		}
		return "string"
	case "integer":
		return "int32"
	case "long":
		return "int64"
	case "float":
		return "float32"
	case "double":
		return "float64"
	case "boolean":
		return "bool"
	case "timestamp":
		return "api.Time"
	case "events":
		return "api.EventStream"
	default: // blob
		return "[]byte"
	}
}

// fieldType returns the type of member mn of structure s. Structures are always
// pointers, lists, maps and blobs are nil when absent, other values are
// pointers unless the model requires them.
func (g *generator) fieldType(s *shape, mn string) string {
	t := g.goType(s.Members[mn].Shape)
	switch g.Shapes[s.Members[mn].Shape].Type {
	case "list", "map", "blob", "events":
		return t
	case "structure":
		return "*" + t
	}
	if slices.Contains(s.Required, mn) {
		return t
	}
	return "*" + t
}
