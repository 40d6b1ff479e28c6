package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Explain decides like [Bound.Decide] and says why. It reads every statement,
// also after a deny, because whoever reads it needs all reasons, not the first.
// It is for refusals and for people: slower by orders of magnitude.
func (b *Bound) Explain(action Action, name string) Decision {
	r := b.request(action, name)
	return b.set.explain(&r, b.ctx)
}

// ExplainARN decides a request for any resource, as the simulator gets it: an
// ARN, or "*". Partition, Region and account of ctx are taken from the ARN where
// ctx has none. The error says that resource is neither.
func (s *Set) ExplainARN(ctx *Context, action Action, resource string) (Decision, error) {
	r, err := parseRequest(canonical(action), resource)
	if err != nil {
		return Decision{}, err
	}
	filled := *ctx
	filled.Partition = cmp.Or(ctx.Partition, r.parts[1])
	filled.Region = cmp.Or(ctx.Region, r.parts[3])
	filled.Account = cmp.Or(ctx.Account, r.parts[4])
	return s.explain(&r, &filled), nil
}

// explainer gathers the evidence of one decision.
type explainer struct {
	r    *request
	ctx  *Context
	d    Decision
	seen map[string]bool // variables and missing keys
	docs int             // documents that apply
	has  bool            // some statement has the action
}

func (s *Set) explain(r *request, ctx *Context) Decision {
	e := &explainer{r: r, ctx: ctx, seen: map[string]bool{}}
	e.d.Action, e.d.Resource = r.action, r.resource()
	var outside []*Named
	for i := range s.docs {
		doc := &s.docs[i]
		if !doc.applies(ctx) {
			outside = append(outside, doc)
			continue
		}
		e.docs++
		for k := range doc.Doc.Statements {
			e.statement(doc, k)
		}
	}
	for _, doc := range outside {
		e.groupNotApplied(doc)
	}
	slices.SortStableFunc(e.d.Matched, func(a, b StatementRef) int { return cmp.Compare(b.Effect, a.Effect) })
	if e.d.Effect == ExplicitDeny {
		e.denied()
	}
	e.d.Warnings = e.d.Warnings[:min(len(e.d.Warnings), maxNear)]
	if e.d.Effect == Allow {
		e.d.Near = nil
		e.d.Reason = "Allowed by " + e.d.Matched[0].String() + "."
		return e.d
	}
	slices.SortStableFunc(e.d.Near, func(a, b NearMiss) int { return cmp.Compare(closeness[a.Code], closeness[b.Code]) })
	e.conclude()
	e.d.Near = e.d.Near[:min(len(e.d.Near), maxNear)]
	return e.d
}

func refTo(doc *Named, index int) StatementRef {
	s := &doc.Doc.Statements[index]
	return StatementRef{doc.Name, doc.Version, doc.ARN, doc.Source, index, s.Sid, s.Effect}
}

// statement weighs one statement: what matches decides, what fails in exactly
// one element is a near miss.
func (e *explainer) statement(doc *Named, index int) {
	s := &doc.Doc.Statements[index]
	ref := refTo(doc, index)
	if !s.hasAction(e.r.action) {
		e.otherAction(s, ref)
		return
	}
	e.has = e.has || s.Effect == Allow
	e.collect(s, doc.Doc)
	covers, holds := s.covers(e.r, e.ctx), s.conditionsHold(e.ctx, e.r.action)
	if covers && holds {
		e.d.Matched = append(e.d.Matched, ref)
		e.d.Effect = max(e.d.Effect, s.Effect)
		return
	}
	if s.Effect == ExplicitDeny {
		e.skippedDeny(s, ref, covers, holds)
		return
	}
	switch {
	case covers:
		e.near(e.falseCondition(s, ref))
	case holds && s.NotResource:
		e.near(NearMiss{
			StatementRef: ref, Code: CodeNoMatch, Pattern: strings.Join(s.Resources, ", "), Offered: e.r.resource(),
			Cause: fmt.Sprintf("its NotResource excludes %s", e.r.resource()), Fix: "take the resource out of NotResource, or allow it in another statement",
		})
	case holds:
		e.near(e.resourceMiss(s, ref, doc.Doc))
	}
}

func (e *explainer) near(n NearMiss) { e.d.Near = append(e.d.Near, n) }
func (e *explainer) warn(n NearMiss) { e.d.Warnings = append(e.d.Warnings, n) }

// collect notes the variables and condition keys of a statement.
func (e *explainer) collect(s *Statement, doc *Document) {
	variables := func(p *pattern) {
		for i := range p.tokens {
			if t := &p.tokens[i]; t.kind == tokVariable {
				e.variable(t)
			}
		}
	}
	for i := range s.resources {
		variables(&s.resources[i])
		if !doc.Variables() {
			e.plainVariables(s.Resources[i])
		}
	}
	for i := range s.Conditions {
		c := &s.Conditions[i]
		for k := range c.values {
			variables(&c.values[k])
		}
		if !e.ctx.lookup(c.key, e.r.action).present {
			e.missing(c.key.name)
		}
	}
}

// variable notes what became of one variable.
func (e *explainer) variable(t *token) {
	if e.seen["var "+t.key.name] {
		return
	}
	e.seen["var "+t.key.name] = true
	value, why, literal := e.ctx.text(t.key, e.r.action)
	v := Variable{Name: t.key.name, Value: value, Known: why == "", Cause: why}
	if why != "" {
		v.Why, _ = e.ctx.causeText(t.key, why)
	}
	if why != "" && t.hasDf {
		v.Value = t.deflt
	}
	e.d.Variables = append(e.d.Variables, v)
	if why != "" && !literal {
		e.missing(t.key.name)
	}
}

// plainVariables notes ${...} that the document's version makes plain text.
func (e *explainer) plainVariables(text string) {
	tokens, _, err := tokenize(text, true, true)
	if err != nil {
		return
	}
	why, _ := e.ctx.causeText(key{}, CausePlainTextVersion)
	for i := range tokens {
		t := &tokens[i]
		if t.kind == tokVariable && !e.seen["var "+t.key.name] {
			e.seen["var "+t.key.name] = true
			e.d.Variables = append(e.d.Variables, Variable{Name: t.key.name, Cause: CausePlainTextVersion, Why: why})
		}
	}
}

func (e *explainer) missing(name string) {
	if !e.seen["missing "+name] {
		e.seen["missing "+name] = true
		e.d.Missing = append(e.d.Missing, name)
	}
}

// denied puts the statements that denied before the near misses.
func (e *explainer) denied() {
	var denies []NearMiss
	for _, ref := range e.d.Matched {
		if ref.Effect == ExplicitDeny {
			denies = append(denies, NearMiss{
				StatementRef: ref, Code: CodeExplicitDeny, Offered: e.r.resource(),
				Cause: "denies " + string(e.r.action) + " on " + e.r.resource() + "; a deny wins over every allow", Fix: "remove or narrow this statement",
			})
		}
	}
	if len(denies) < len(e.d.Matched) {
		e.d.Near = nil // some statement allows it: only the deny stands in the way
	}
	e.d.Near = append(denies, e.d.Near...)
}

// conclude chooses the code, the sentence and the repair of a refusal.
func (e *explainer) conclude() {
	d := &e.d
	d.Code = e.code()
	d.Fix = &Fix{Statement: grantFor(e.r), Text: fmt.Sprintf("Add a statement that allows %s on %s to a policy of this principal.", e.r.action, e.r.resource())}
	switch {
	case d.Effect == ExplicitDeny:
		d.Reason = "Denied by " + d.Matched[0].String() + "."
		d.Fix = &Fix{Text: "Remove or narrow " + d.Matched[0].String() + "."}
		if len(d.Near) > 0 && d.Matched[len(d.Matched)-1].Effect == ExplicitDeny {
			d.Fix.Text += fmt.Sprintf(" Nothing else allows it either: then allow %s on %s.", e.r.action, e.r.resource())
			d.Fix.Statement = grantFor(e.r)
		}
	case e.docs == 0:
		d.Reason = "No policy applies to this principal, so that it can do nothing."
		d.Fix.Text = fmt.Sprintf("Attach a policy that allows %s on %s.", e.r.action, e.r.resource())
		if len(d.Near) > 0 {
			d.Fix.Text = sentence(d.Near[0].Fix)
		}
	case len(d.Near) > 0:
		best := d.Near[0]
		d.Reason = fmt.Sprintf("Nothing allows %s on %s. Closest is %s: %s.", e.r.action, e.r.resource(), best.StatementRef, best.Cause)
		d.Fix.Text = sentence(best.Fix)
	case e.has:
		d.Reason = fmt.Sprintf("No statement allows %s on %s under these conditions.", e.r.action, e.r.resource())
	default:
		d.Reason = fmt.Sprintf("No statement allows %s on anything.", e.r.action)
	}
}

// sentence begins s with a capital and ends it with a full stop, except after a
// command, which people copy.
func sentence(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if strings.Contains(s, ": aws iot ") {
		return s
	}
	return s + "."
}

// code maps a refusal to the check that the gateway records.
func (e *explainer) code() string {
	best := ""
	if len(e.d.Near) > 0 {
		best = e.d.Near[0].Code
	}
	switch {
	case e.d.Effect == ExplicitDeny:
		return CodeExplicitDeny
	case e.docs == 0 && best != CodeGroupNotApplied:
		return CodeNoneAttached
	}
	switch best {
	case CodeVarUndefined, CodeAccountMismatch, CodeRegionMismatch, CodePartitionMismatch:
		return best
	}
	switch e.r.action {
	case Connect:
		switch {
		case !e.has:
			return CodeConnectNoStatement
		case e.only(CodeWrongResourceType):
			return CodeConnectResourceType
		case best == CodeCondition || best == CodeConditionAbsent:
			return best
		case e.ctx.ClientIDAssigned:
			return CodeConnectEmpty
		}
		return CodeConnectClientID
	case Publish:
		return e.byType(CodePublishType, CodePublish)
	case RetainPublish:
		return CodeRetainPublish
	case Subscribe:
		return e.byType(CodeSubscribeType, CodeSubscribe)
	case Receive:
		return CodeReceive
	default: // actions of HTTPS have no check of their own
	}
	switch {
	case best != "":
		return best
	case !e.has:
		return CodeNoAction
	}
	return CodeNoMatch
}

func (e *explainer) byType(ifType, otherwise string) string {
	if e.only(CodeWrongResourceType) {
		return ifType
	}
	return otherwise
}

// only reports whether every near miss has the code, and there is one.
func (e *explainer) only(code string) bool {
	for _, n := range e.d.Near {
		if n.Code != code {
			return false
		}
	}
	return len(e.d.Near) > 0
}
