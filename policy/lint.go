package policy

import (
	"cmp"
	"slices"
	"strings"
)

// Lint returns what is doubtful about docs, taken together as the policies of
// one principal: warnings of each document, grants that are too wide, denies
// that a topic filter steps around, client IDs that anyone may choose.
// Source: policy sheet 6.3 and 16.
func Lint(docs ...Named) []Finding {
	var found []Finding
	l := linter{set: Compile(docs...)}
	for i := range l.set.docs {
		doc := &l.set.docs[i]
		l.named, l.found = doc, nil
		for k := range doc.Doc.Statements {
			l.statement(k)
		}
		for _, f := range append(slices.Clone(doc.Doc.warnings), l.found...) {
			f.Policy = doc.Name
			found = append(found, f)
		}
	}
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Policy, b.Policy), cmp.Compare(a.Pos.Offset, b.Pos.Offset))
	})
	return found
}

type linter struct {
	set   *Set
	named *Named
	found []Finding
}

func (l *linter) note(statement int, pos Position, code string, severity Severity, fix, message string) {
	l.found = append(l.found, Finding{Code: code, Severity: severity, Statement: statement, Sid: l.named.Doc.Statements[statement].Sid, Pos: pos, Message: message, Fix: fix})
}

// has reports whether the statement covers action by its Action element.
func (s *Statement) has(a Action) bool { return s.mask&(1<<a.index()) != 0 }

func (l *linter) statement(index int) {
	s := &l.named.Doc.Statements[index]
	switch s.Effect {
	case Allow:
		l.permissive(index, s)
		l.clientID(index, s)
		l.receive(index, s)
	case ExplicitDeny:
		l.hole(index, s)
	default: // a parsed statement has one of the two
	}
}

// permissive finds what AWS's audit calls broad access to data plane actions:
// IOT_POLICY_OVERLY_PERMISSIVE_CHECK.
func (l *linter) permissive(index int, s *Statement) {
	if len(s.Conditions) > 0 {
		return
	}
	if s.NotResource {
		// A Receive on all but some topics is the repair of policy sheet 6.3.
		if s.mask&^(1<<Receive.index()) != 0 {
			l.note(index, s.Pos, "policy.lint.overly_permissive", Warning, "list what is allowed in Resource", "Allow with NotResource allows everything that it does not list, of every type")
		}
		return
	}
	for k := range s.resources {
		var wide []string
		for _, a := range []Action{Connect, Publish, Subscribe, Receive} {
			if s.has(a) && coversType(&s.resources[k], actionTable[a.index()].prefix) {
				wide = append(wide, string(a))
			}
		}
		if len(wide) > 0 {
			l.note(index, s.resourcePos[k], "policy.lint.overly_permissive", Warning, "name the clients and topics of this device, with ${iot:Connection.Thing.ThingName}",
				strings.Join(wide, ", ")+" is allowed on every resource: any device with this policy may act as any other")
		}
	}
}

// coversType reports whether p matches every name of a type.
func coversType(p *pattern, prefix string) bool {
	return p.any || slices.Contains(appendResiduals(nil, onlyLiteral(p), prefix), glob{rest: starText})
}

// onlyLiteral returns the glob of p, or "" where it has variables.
func onlyLiteral(p *pattern) string {
	if p.vars {
		return ""
	}
	return p.fixed
}

// clientID finds client IDs that a device may choose freely.
func (l *linter) clientID(index int, s *Statement) {
	for k := range s.resources {
		p := &s.resources[k]
		if s.has(Connect) && len(s.Conditions) == 0 && !s.NotResource && selfMatching(p) {
			l.note(index, s.resourcePos[k], "policy.lint.self_matching_client_id", Problem, "write client/${iot:Connection.Thing.ThingName}",
				"client/${iot:ClientId} matches whatever client ID the device chooses: it is as wide as client/*")
		}
		if (s.has(Publish) || s.has(Subscribe) || s.has(Receive)) && !strings.HasPrefix(starred(p), "client/") && usesClientID(p) && l.anyClientID() {
			l.note(index, s.resourcePos[k], "policy.lint.client_id_injection", Problem, "pin the client IDs in the iot:Connect statement, or use ${iot:Connection.Thing.ThingName}",
				"${iot:ClientId} is chosen by the device, and iot:Connect allows any: it may name another device, or + or #")
		}
	}
}

func usesClientID(p *pattern) bool {
	return slices.ContainsFunc(p.tokens, func(t token) bool { return t.kind == tokVariable && t.key.kind == keyClientID })
}

// selfMatching reports whether p is client/${iot:ClientId}, perhaps with more wildcards.
func selfMatching(p *pattern) bool {
	return usesClientID(p) && strings.Trim(strings.TrimPrefix(textOf(starred(p)), "client/"), "*") == ""
}

// anyClientID reports whether some statement lets a device choose its client ID.
func (l *linter) anyClientID() bool {
	for i := range l.set.docs {
		for k := range l.set.docs[i].Doc.Statements {
			s := &l.set.docs[i].Doc.Statements[k]
			if s.Effect != Allow || !s.has(Connect) || len(s.Conditions) > 0 {
				continue
			}
			if s.NotResource || slices.ContainsFunc(s.resources, func(p pattern) bool { return coversType(&p, "client/") || selfMatching(&p) }) {
				return true
			}
		}
	}
	return false
}

// receive finds subscriptions that will be granted and then stay silent.
func (l *linter) receive(index int, s *Statement) {
	if !s.has(Subscribe) || s.NotAction {
		return
	}
	for i := range l.set.docs {
		for k := range l.set.docs[i].Doc.Statements {
			if other := &l.set.docs[i].Doc.Statements[k]; other.Effect == Allow && other.has(Receive) {
				return
			}
		}
	}
	l.note(index, s.Pos, "policy.lint.receive_missing", Warning, "allow iot:Receive on topic/... for the same topics",
		"iot:Subscribe is allowed, iot:Receive nowhere: the subscription succeeds and no message ever arrives")
}

// hole finds a Deny of Subscribe that a wider filter steps around:
// TOPIC_FILTERS_INTENDED_TO_DENY_ALLOWED_USING_WILDCARDS. Source: policy sheet 6.3.
func (l *linter) hole(index int, s *Statement) {
	if !s.has(Subscribe) || s.NotResource || len(s.Conditions) > 0 {
		return
	}
	for k := range s.resources {
		p := &s.resources[k]
		name, ok := strings.CutPrefix(textOf(starred(p)), "topicfilter/")
		if !ok || name == "" || strings.Trim(name, "*") == "" || strings.ContainsAny(name, "+#") {
			continue
		}
		bound := l.set.Bind(sampleContext(p))
		topic := strings.NewReplacer("*", "x", "?", "x").Replace(name)
		if bound.Decide(Receive, topic) != Allow {
			continue // the repair is in place, or nothing is delivered at all
		}
		for _, filter := range widerFilters(topic) {
			if bound.Decide(Subscribe, filter) == Allow {
				l.note(index, s.resourcePos[k], "policy.lint.subscribe_deny_hole", Problem, "deny iot:Receive on topic/"+name,
					"the filter "+filter+" is allowed and delivers what this Deny means to keep private")
				break
			}
		}
	}
}

// sampleContext is a device for which every variable of a usual policy has a value.
func sampleContext(p *pattern) *Context {
	plain := func(i int, wild string) string {
		if p.arn && p.head[i].exact() {
			return p.head[i].prefix
		}
		return wild
	}
	return &Context{
		Partition: plain(1, "aws"), Region: plain(3, "us-east-1"), Account: plain(4, "123456789012"), ClientID: "x",
		Thing: &Thing{Name: "x", Attached: true, Type: "x"},
	}
}

// widerFilters lists filters that deliver topic but are written otherwise.
func widerFilters(topic string) []string {
	levels := strings.Split(topic, "/")
	var list []string
	for i := range levels {
		list = append(list, strings.Join(append(slices.Clone(levels[:i]), "#"), "/"))
		plus := slices.Clone(levels)
		plus[i] = "+"
		list = append(list, strings.Join(plus, "/"))
	}
	return list
}
