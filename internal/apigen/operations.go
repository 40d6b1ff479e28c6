package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// operations writes the interface, its default and the binding to the router.
func (g *generator) operations() {
	g.header("context", "", apiPath)
	ops := sorted(g.Operations)

	g.p("\n// ServiceID and Version name the service in messages.\nconst (\nServiceID = %q\nVersion = %q\n)", g.pkg, g.Metadata.APIVersion)

	g.p("\n// Operations is the service %s, version %s. Methods get a decoded and", g.Metadata.ServiceFullName, g.Metadata.APIVersion)
	g.p("// validated request, never nil; an error that is no [api.Error] reaches the")
	g.p("// client as an internal failure without its text.")
	g.p("type Operations interface {")
	for _, n := range ops {
		g.p("%s(context.Context, *%s) (*%s, error)", n, g.input(n), g.output(n))
	}
	g.p("}")

	g.p("\n// Unimplemented answers every operation with 501 NotImplementedException;")
	g.p("// embed it and write the methods that there are.")
	g.p("type Unimplemented struct{}")
	g.p("\nvar _ Operations = Unimplemented{}\n")
	for _, n := range ops {
		g.p("func (Unimplemented) %s(context.Context, *%s) (*%s, error) { return nil, api.NotImplemented(ServiceID, Version, %q) }\n", n, g.input(n), g.output(n), n)
	}

	g.p("\n// NewService binds the operations to the wire: give it to [api.NewServer].")
	g.p("func NewService(h Operations) *api.Service {")
	g.p("return &api.Service{")
	protocol := map[string]string{"rest-json": "RESTJSON", "query": "QueryXML", "json": "JSON", "smithy-rpc-v2-cbor": "RPC"}[g.Metadata.Protocol]
	g.p("ID: ServiceID, Name: %q, Version: Version, Protocol: api.%s, Scopes: %#v,", g.Metadata.ServiceFullName, protocol, g.scopes)
	if g.Metadata.XMLNamespace != "" {
		g.p("XMLNamespace: %q,", g.Metadata.XMLNamespace)
	}
	if protocol == "JSON" || protocol == "RPC" {
		g.p("JSONVersion: %q,", g.Metadata.JSONVersion)
	}
	if g.ns != "" {
		g.p("ErrorNamespace: %q,", g.ns)
	}
	if codes := g.queryCodes(); len(codes) > 0 && protocol == "RPC" {
		g.p("QueryCodes: map[string]string{")
		for _, n := range sorted(codes) {
			g.p("%q: %q,", n, codes[n])
		}
		g.p("},")
	}
	g.p("Operations: []api.Operation{")
	for _, n := range ops {
		g.p("{Info: &op%s, New: func() any { return new(%s) }, Call: func(ctx context.Context, in any) (any, error) { return h.%s(ctx, in.(*%s)) }},", n, g.input(n), n, g.input(n))
	}
	g.p("},\n}\n}")

	g.p("\nvar (")
	for _, n := range ops {
		g.p("op%s = %s", n, g.info(n))
	}
	g.p(")")
}

func (g *generator) input(op string) string { return g.goName[g.Operations[op].Input.Shape] }

func (g *generator) output(op string) string {
	if out := g.Operations[op].Output; out != nil {
		return g.goName[out.Shape]
	}
	return op + "Response"
}

func (g *generator) info(n string) string {
	op := g.Operations[n]
	var b strings.Builder
	path := op.HTTP.RequestURI
	for _, r := range g.rest {
		if name, label, _ := strings.Cut(r, "."); name == n {
			path = strings.Replace(path, "{"+label+"}", "{"+label+"+}", 1)
		}
	}
	fmt.Fprintf(&b, "api.OperationInfo{Name: %q, Method: %q, Path: %q, Input: &shape%s", n, op.HTTP.Method, path, upper(op.Input.Shape))
	if op.Output != nil {
		fmt.Fprintf(&b, ", Output: &shape%s", upper(op.Output.Shape))
		if op.Output.ResultWrapper != "" {
			fmt.Fprintf(&b, ", Wrapper: %q", op.Output.ResultWrapper)
		}
	}
	if op.HTTP.ResponseCode != 0 && op.HTTP.ResponseCode != 200 {
		fmt.Fprintf(&b, ", Code: %d", op.HTTP.ResponseCode)
	}
	if reads(n) {
		b.WriteString(", ReadOnly: true")
	}
	var errs []string
	for _, e := range op.Errors {
		errs = append(errs, e.Shape)
	}
	// No operation lists both; those that list neither answer as the service does.
	// Source: api sheet 4.7.
	invalid := "InvalidRequestException"
	if slices.Contains(errs, "ValidationException") || g.Metadata.Protocol == "query" {
		invalid = "ValidationException"
	}
	switch g.Metadata.Protocol {
	case "query":
		invalid = "ValidationError"
	case "json":
		invalid = "InvalidParameterException"
	}
	invalid = cmp.Or(g.invalid, invalid)
	fmt.Fprintf(&b, ", Invalid: %q, Errors: %#v", invalid, errs)
	if g.Shapes["MissingRequiredParameterException"] != nil {
		b.WriteString(`, Missing: "MissingRequiredParameterException"`)
	}
	if p := g.Pagination[n]; p != nil {
		fmt.Fprintf(&b, ", Paging: &api.Paging{Input: %q, Output: %q, Limit: %q, Results: %#v}",
			strings.Join(p.InputToken, ","), strings.Join(p.OutputToken, ","), p.LimitKey, []string(p.ResultKey))
	}
	return b.String() + "}"
}

// reads reports whether the operation called n changes nothing; the method does
// not tell, as several reads travel by POST and one write by GET.
func reads(n string) bool {
	for _, verb := range []string{"Describe", "Get", "List", "Search", "Test", "Validate"} {
		if strings.HasPrefix(n, verb) {
			return true
		}
	}
	return false
}

// queryCodes are the codes of exceptions in the query protocol, where they are not
// the names of their shapes.
func (g *generator) queryCodes() map[string]string {
	codes := map[string]string{}
	for n, s := range g.Shapes {
		if s.Exception && s.Error.Code != "" && s.Error.Code != n {
			codes[n] = s.Error.Code
		}
	}
	return codes
}
