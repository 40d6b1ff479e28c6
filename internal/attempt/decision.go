package attempt

import (
	"strconv"
	"strings"

	"github.com/gatehouse-iot/gatehouse/policy"
)

// OfDecision turns a decision of the policies about name into the evidence of a
// check: what was asked, what decided, what came closest and why it did not apply.
func OfDecision(action policy.Action, name string, d *policy.Decision) []Field {
	ev := []Field{F("action", string(action))}
	add := func(key, value string) {
		if value != "" {
			ev = append(ev, F(key, value))
		}
	}
	add("resource", d.Resource)
	ev = append(ev, F("offered", name))
	switch action {
	case policy.Connect:
	case policy.Subscribe:
		add("filter", name)
	default:
		add("topic", name)
	}
	add("reason", d.Reason)
	add("detector", d.Code)
	statement := func(s *policy.StatementRef) {
		add("policy", s.Policy)
		add("version", s.Version)
		if s.Sid != "" {
			add("statement", s.Sid)
		} else {
			add("statement", strconv.Itoa(s.Index+1))
		}
		add("source", s.Source)
	}
	if len(d.Matched) > 0 {
		statement(&d.Matched[0])
	} else if len(d.Near) > 0 {
		statement(&d.Near[0].StatementRef)
	}
	if len(d.Near) > 0 {
		add("pattern", d.Near[0].Pattern)
		var codes []string
		for _, n := range d.Near {
			codes = append(codes, n.Code)
		}
		add("near", strings.Join(codes, ", "))
	}
	var known []string
	for _, v := range d.Variables {
		if v.Known {
			known = append(known, v.Name+"="+v.Value)
		} else {
			add("variable", v.Name)
			add("cause", v.Why)
		}
	}
	add("variables", strings.Join(known, ", "))
	add("key", strings.Join(d.Missing, ", "))
	if d.Fix != nil {
		add("fix", d.Fix.Text)
		add("fix_statement", d.Fix.Statement)
	}
	return ev
}
