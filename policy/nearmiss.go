package policy

import (
	"fmt"
	"strings"
)

// resourceMiss says why none of the resources of s covers the request: the
// detector of the closest entry. Source: policy sheet 16.
func (e *explainer) resourceMiss(s *Statement, ref StatementRef, doc *Document) NearMiss {
	best := NearMiss{}
	for i := range s.resources {
		n := e.entryMiss(&s.resources[i], s.Resources[i], doc)
		n.StatementRef, n.Pattern = ref, s.Resources[i]
		if n.Offered == "" {
			n.Offered = e.r.resource()
		}
		if best.Code == "" || closeness[n.Code] < closeness[best.Code] {
			best = n
		}
	}
	return best
}

// entryMiss runs the detectors on one entry, the likeliest mistake first.
func (e *explainer) entryMiss(p *pattern, text string, doc *Document) NearMiss {
	r := e.r
	if r.star {
		return NearMiss{Code: CodeNoMatch, Cause: fmt.Sprintf("%s is granted on \"*\" alone, not on %s", r.action, text), Fix: `set the Resource to "*"`}
	}
	if n, ok := e.unresolved(p, text, doc); ok {
		return n
	}
	want, ok := p.resolve(e.ctx, r.action)
	if !ok {
		return e.mismatch(text)
	}
	inHead := p.headMatchesParts(r.parts[:])
	if newGlob(want).match(r.parts[5]) {
		return e.headMiss(p)
	}
	kind, name := r.kind(), r.name()
	for _, other := range []string{"client", "topic", "topicfilter", "thing", "rolealias"} {
		if other != kind && newGlob(want).match(other+"/"+name) {
			return NearMiss{
				Code:  CodeWrongResourceType,
				Cause: fmt.Sprintf("it names %s/..., but %s is checked against %s/%s", other, r.action, kind, name),
				Fix:   fmt.Sprintf("write %s/ in place of %s/ in the resource", kind, other),
			}
		}
	}
	if wantKind, _, _ := strings.Cut(textOf(want), "/"); wantKind != kind && !strings.ContainsAny(wantKind, "*?") {
		return NearMiss{
			Code: CodeWrongResourceType, Cause: fmt.Sprintf("a resource of type %s can never match %s, which is checked against %s/...", wantKind, r.action, kind),
			Fix: fmt.Sprintf("allow %s on %s", r.action, r.resource()),
		}
	}
	if !inHead {
		return e.mismatch(text)
	}
	switch {
	case matchFold(want, r.parts[5]):
		return NearMiss{Code: CodeCase, Cause: fmt.Sprintf("%q and %q differ in upper and lower case", textOf(want), r.parts[5]), Fix: "write the name in the same case in policy and device"}
	case slashMatches(want, kind, name):
		return NearMiss{Code: CodeSlash, Cause: fmt.Sprintf("%q and %q differ by a slash at the start or end", textOf(want), r.parts[5]), Fix: "add or remove the slash: for MQTT a/b and /a/b are different topics"}
	case r.action == Subscribe && shareInner(name) != "" && newGlob(want).match(kind+"/"+shareInner(name)):
		return NearMiss{
			Code: CodeShareForm, Cause: fmt.Sprintf("it grants the filter %s, but a shared subscription is checked with its prefix: %s", shareInner(name), name),
			Fix: "grant topicfilter/" + sharePrefix(name) + shareInner(name),
		}
	case strings.ContainsAny(textOf(want), "+#") && mqttMatches(want, r.parts[5]):
		return NearMiss{
			Code: CodeMQTTWildcard, Cause: fmt.Sprintf("+ and # are plain characters in a policy: %q does not cover %q", textOf(want), r.parts[5]),
			Fix: "write * in place of + and #; it also covers slashes, so that it is wider",
		}
	case r.action == Subscribe && strings.ContainsAny(name, "+#") && filterCovers(kind+"/"+name, want):
		return NearMiss{
			Code: CodeFilterBroader, Cause: fmt.Sprintf("the filter %q is broader than the grant %q; filters are compared as text", name, textOf(want)),
			Fix: "subscribe to what is granted, or grant the filter itself: topicfilter/" + name,
		}
	}
	return e.mismatch(textOf(want))
}

// mismatch is the miss without a better name: the text differs.
func (e *explainer) mismatch(want string) NearMiss {
	n := NearMiss{Code: CodeNoMatch, Cause: fmt.Sprintf("it covers %s, not %s", want, e.r.parts[5]), Fix: fmt.Sprintf("allow %s on %s", e.r.action, e.r.resource())}
	if e.r.action != Connect {
		return n
	}
	n.Code = CodeConnectClientID
	name := e.r.name()
	if i := strings.LastIndexByte(name, '#'); i > 0 && strings.Trim(name[i+1:], "0123456789") == "" && len(name) > i+1 {
		n.Cause += fmt.Sprintf("; Greengrass adds #n to the client ID of its further connections (%s)", name)
		n.Fix = fmt.Sprintf("allow client/%s* as well", name[:i])
	}
	return n
}

// headMiss says which of partition, Region and account differs.
func (e *explainer) headMiss(p *pattern) NearMiss {
	r := e.r
	for _, part := range []struct {
		index      int
		code, name string
	}{{4, CodeAccountMismatch, "account"}, {3, CodeRegionMismatch, "Region"}, {1, CodePartitionMismatch, "partition"}, {2, CodeNoMatch, "service"}} {
		if g := p.head[part.index]; !g.match(r.parts[part.index]) {
			has := textOf(g.prefix + g.rest)
			return NearMiss{
				Code: part.code, Cause: fmt.Sprintf("its ARN names %s %q, the request is for %q", part.name, has, r.parts[part.index]),
				Fix: fmt.Sprintf("write %s as %s of the ARN", r.parts[part.index], part.name),
			}
		}
	}
	return NearMiss{Code: CodeNoMatch}
}

func (p *pattern) headMatchesParts(parts []string) bool {
	for i := range p.head {
		if !p.head[i].match(parts[i]) {
			return false
		}
	}
	return true
}

// unresolved reports an entry that fails only because a variable has no value:
// with a star in its place it would match.
func (e *explainer) unresolved(p *pattern, text string, doc *Document) (NearMiss, bool) {
	tokens := p.tokens
	plain := false
	if !doc.Variables() {
		plain = true
		arn := strings.SplitN(text, ":", 6)
		if len(arn) == 6 {
			tokens, _, _ = tokenize(arn[5], true, true)
		}
	}
	var first *token
	var why Cause
	var b strings.Builder
	for i := range tokens {
		t := &tokens[i]
		if t.kind != tokVariable {
			part, _ := resolve(tokens[i:i+1], e.ctx, e.r.action)
			b.WriteString(part)
			continue
		}
		value, cause, _ := e.ctx.text(t.key, e.r.action)
		switch {
		case plain:
			cause = CausePlainTextVersion
		case cause != "" && t.hasDf:
			value, cause = t.deflt, ""
		}
		if cause == "" {
			b.WriteString(value)
			continue
		}
		if first == nil {
			first, why = t, cause
		}
		b.WriteByte(star)
	}
	if first == nil || !p.headMatchesParts(e.r.parts[:]) || !newGlob(b.String()).match(e.r.parts[5]) {
		return NearMiss{}, false
	}
	cause, fix := e.ctx.causeText(first.key, why)
	return NearMiss{Code: CodeVarUndefined, Cause: fmt.Sprintf("%s has no value: %s", first.text, cause), Fix: fix, Offered: e.r.resource()}, true
}

// skippedDeny warns of a Deny that an unresolved variable switches off, and of
// one that a wider topic filter steps around. Source: policy sheet 6.3, 7.7.
func (e *explainer) skippedDeny(s *Statement, ref StatementRef, covers, holds bool) {
	if covers && !holds {
		e.skippedCondition(s, ref)
		return
	}
	if covers || !holds || s.NotResource || e.r.star {
		return
	}
	for i := range s.resources {
		p := &s.resources[i]
		if want, ok := p.resolve(e.ctx, e.r.action); !ok {
			for k := range p.tokens {
				t := &p.tokens[k]
				if t.kind != tokVariable {
					continue
				}
				_, why, literal := e.ctx.text(t.key, e.r.action)
				if why == "" || literal || t.hasDf || !e.wouldMatch(p) {
					continue
				}
				cause, _ := e.ctx.causeText(t.key, why)
				e.warn(NearMiss{
					StatementRef: ref, Code: CodeDenySkipped, Pattern: s.Resources[i], Offered: e.r.resource(),
					Cause: fmt.Sprintf("this Deny does not apply because %s has no value: %s", t.text, cause), Fix: "write the Deny without the variable",
				})
				return
			}
		} else if e.r.action == Subscribe && strings.ContainsAny(e.r.name(), "+#") && p.headMatchesParts(e.r.parts[:]) && filterCovers(e.r.parts[5], want) {
			e.warn(NearMiss{
				StatementRef: ref, Code: CodeSubscribeDenyHole, Pattern: s.Resources[i], Offered: e.r.resource(),
				Cause: fmt.Sprintf("the filter %q steps around this Deny, yet delivers what it means to keep private", e.r.name()),
				Fix:   "deny iot:Receive on topic/" + strings.TrimPrefix(textOf(want), "topicfilter/") + " instead",
			})
			return
		}
	}
}

// skippedCondition warns of a Deny whose only false conditions have variables
// without value.
func (e *explainer) skippedCondition(s *Statement, ref StatementRef) {
	why := ""
	for i := range s.Conditions {
		c := &s.Conditions[i]
		if c.holds(e.ctx, e.r.action) {
			continue
		}
		if why = e.undefinedValue(c); why == "" {
			return
		}
	}
	e.warn(NearMiss{
		StatementRef: ref, Code: CodeDenySkipped, Offered: e.r.resource(),
		Cause: "this Deny does not apply because " + why, Fix: "write the Deny without the variable",
	})
}

// wouldMatch reports whether p matches with a star in place of every variable.
func (e *explainer) wouldMatch(p *pattern) bool {
	var b strings.Builder
	for i := range p.tokens {
		if p.tokens[i].kind == tokVariable {
			if value, why, _ := e.ctx.text(p.tokens[i].key, e.r.action); why == "" {
				b.WriteString(value)
			} else {
				b.WriteByte(star)
			}
			continue
		}
		part, _ := resolve(p.tokens[i:i+1], e.ctx, e.r.action)
		b.WriteString(part)
	}
	return p.headMatchesParts(e.r.parts[:]) && newGlob(b.String()).match(e.r.parts[5])
}

// falseCondition says which condition of s is false, and what it saw.
func (e *explainer) falseCondition(s *Statement, ref StatementRef) NearMiss {
	for i := range s.Conditions {
		c := &s.Conditions[i]
		if c.holds(e.ctx, e.r.action) {
			continue
		}
		f := e.ctx.lookup(c.key, e.r.action)
		have := f.values(c.key)
		n := NearMiss{
			StatementRef: ref, Code: CodeCondition, Pattern: c.String(), Offered: strings.Join(have, ", "),
			Cause: fmt.Sprintf("its condition is false: %s wants %s, the request has %s", c.Operator, c.wanted(), listed(c.key.name, have)),
			Fix:   "meet the condition, or change it",
		}
		if !f.present {
			why, fix := e.ctx.causeText(c.key, f.cause)
			n.Code, n.Cause, n.Fix = CodeConditionAbsent, fmt.Sprintf("its condition on %s is false because the key has no value: %s", c.key.name, why), fix
		} else if v := e.undefinedValue(c); v != "" {
			n.Code, n.Cause = CodeVarUndefined, fmt.Sprintf("its condition on %s is false because %s", c.key.name, v)
		}
		return n
	}
	return NearMiss{StatementRef: ref, Code: CodeCondition}
}

// undefinedValue names a variable without value in the values of c.
func (e *explainer) undefinedValue(c *Condition) string {
	for i := range c.values {
		for k := range c.values[i].tokens {
			t := &c.values[i].tokens[k]
			if t.kind != tokVariable || t.hasDf {
				continue
			}
			if _, why, _ := e.ctx.text(t.key, e.r.action); why != "" {
				cause, _ := e.ctx.causeText(t.key, why)
				return t.text + " has no value: " + cause
			}
		}
	}
	return ""
}

// String writes the condition on one line: `StringEquals iot:ClientId "a", "b"`.
func (c *Condition) String() string { return c.Operator + " " + c.Key + " " + c.wanted() }

func (c *Condition) wanted() string {
	if len(c.Values) == 0 {
		return "no value"
	}
	quoted := make([]string, len(c.Values))
	for i, v := range c.Values {
		quoted[i] = fmt.Sprintf("%q", v)
	}
	return strings.Join(quoted, " or ")
}

func listed(name string, values []string) string {
	if len(values) == 0 {
		return "no value in " + name
	}
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = fmt.Sprintf("%q", v)
	}
	return name + " " + strings.Join(quoted, ", ")
}

// otherAction finds a statement that would do if its action were another: the
// former prefix of the jobs actions, Publish without RetainPublish.
func (e *explainer) otherAction(s *Statement, ref StatementRef) {
	if s.Effect != Allow || s.NotAction {
		return
	}
	try := func(action Action, code, cause, fix string) {
		other := *e.r
		other.action = action
		if s.hasAction(action) && s.covers(&other, e.ctx) && s.conditionsHold(e.ctx, action) {
			e.near(NearMiss{StatementRef: ref, Code: code, Pattern: strings.Join(s.Actions, ", "), Offered: string(e.r.action), Cause: cause, Fix: fix})
		}
	}
	if op, ok := strings.CutPrefix(string(e.r.action), "iotjobsdata:"); ok {
		try(Action("iot:"+op), CodePrefixOldJobs, "it grants iot:"+op+", the former name; the data plane checks "+string(e.r.action), "write iotjobsdata: in place of iot: in the action")
	}
	if e.r.action == RetainPublish {
		try(Publish, CodeRetainMissing, "it allows iot:Publish there, but a retained message needs iot:RetainPublish too", "add iot:RetainPublish to the actions, or clear the retain flag")
	}
}

// groupNotApplied notes what the policy of a group would have done if the
// connection belonged to the thing. Source: policy sheet 8.3.
func (e *explainer) groupNotApplied(doc *Named) {
	if e.ctx.Thing == nil {
		return
	}
	// What the thing's facts would be if it were the connection's.
	as := *e.ctx
	thing := *e.ctx.Thing
	thing.Attached, thing.Exclusive = true, true
	as.Thing, as.Protocol = &thing, MQTT
	for i := range doc.Doc.Statements {
		s := &doc.Doc.Statements[i]
		if !s.hasAction(e.r.action) || !s.covers(e.r, &as) || !s.conditionsHold(&as, e.r.action) {
			continue
		}
		group := strings.TrimPrefix(doc.Source, SourceGroup)
		why, fix := e.ctx.causeText(key{kind: keyThingName}, e.ctx.lookup(key{kind: keyThingName}, e.r.action).cause)
		n := NearMiss{StatementRef: refTo(doc, i), Code: CodeGroupNotApplied, Pattern: strings.Join(s.Resources, ", "), Offered: e.r.resource(), Fix: fix}
		if s.Effect == Allow {
			n.Cause = fmt.Sprintf("it belongs to thing group %s and would allow this, but it does not apply: %s", group, why)
			e.near(n)
		} else {
			n.Cause = fmt.Sprintf("it belongs to thing group %s and would deny this, but it does not apply: %s", group, why)
			e.warn(n)
		}
	}
}
