package mqttconn

import (
	"strconv"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// denied explains why the policies do not allow action on name. The code of the decision names the
// check if refine is set; else it is the detector of c.
func (k *conn) denied(c *check.Check, action policy.Action, name string, refine bool) fault {
	d := k.auth.Explain(action, name)
	if precise, ok := check.Lookup(d.Code); ok && refine {
		c = precise
	}
	return fault{c, evidence(action, name, &d)}
}

// evidence turns a decision into the fields of a check: what was asked, what decided, what came
// closest and why it did not apply.
func evidence(action policy.Action, name string, d *policy.Decision) []attempt.Field {
	ev := []attempt.Field{attempt.F("action", string(action)), attempt.F("resource", d.Resource), attempt.F("offered", name)}
	add := func(key, value string) {
		if value != "" {
			ev = append(ev, attempt.F(key, value))
		}
	}
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
			add("cause", string(v.Cause))
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
