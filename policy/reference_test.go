package policy

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// This file is a second evaluator, slow and obvious: it reads the JSON text of a
// document anew for every request and knows nothing of the compiled form.

type refRequest struct {
	action, resource string
	facts            map[string][]string // variable and key name -> values; absent is unknown
	multi            map[string]bool
}

type refStatement struct {
	Effect      string
	Action      any
	NotAction   any
	Resource    any
	NotResource any
	Condition   map[string]map[string]any
}

func refList(v any) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		list := []string{}
		for _, item := range v {
			list = append(list, fmt.Sprint(item))
		}
		return list
	}
	return []string{fmt.Sprint(v)}
}

func refDecide(docs []string, r refRequest) Effect {
	allowed := false
	for _, text := range docs {
		var doc struct {
			Version   string
			Statement []refStatement
		}
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			panic(err)
		}
		for _, s := range doc.Statement {
			actionMatches := false
			for _, a := range append(refList(s.Action), refList(s.NotAction)...) {
				if refWild(strings.ToLower(a), strings.ToLower(r.action)) {
					actionMatches = true
				}
			}
			if actionMatches != (s.Action != nil) {
				continue
			}
			resourceMatches := false
			for _, entry := range append(refList(s.Resource), refList(s.NotResource)...) {
				if refResource(entry, r, doc.Version == "2012-10-17") {
					resourceMatches = true
				}
			}
			if resourceMatches != (s.Resource != nil) {
				continue
			}
			if !refConditions(s.Condition, r, doc.Version == "2012-10-17") {
				continue
			}
			if s.Effect == "Deny" {
				return ExplicitDeny
			}
			allowed = true
		}
	}
	if allowed {
		return Allow
	}
	return ImplicitDeny
}

// refWild matches * and ? by regular expression.
func refWild(pattern, text string) bool {
	expr := regexp.QuoteMeta(pattern)
	expr = strings.NewReplacer(`\*`, `(?s:.*)`, `\?`, `(?s:.)`).Replace(expr)
	return regexp.MustCompile(`\A` + expr + `\z`).MatchString(text)
}

var refVariable = regexp.MustCompile(`\$\{([^}]*)\}`)

// refExpr turns policy text into a regular expression, or false where a variable
// has no value.
func refExpr(text string, r refRequest, variables, wild bool) (string, bool) {
	quote := func(s string) string {
		s = regexp.QuoteMeta(s)
		if wild {
			s = strings.NewReplacer(`\*`, `(?s:.*)`, `\?`, `(?s:.)`).Replace(s)
		}
		return s
	}
	if !variables {
		return `\A` + quote(text) + `\z`, true
	}
	expr, last := `\A`, 0
	for _, m := range refVariable.FindAllStringSubmatchIndex(text, -1) {
		expr += quote(text[last:m[0]])
		last = m[1]
		name := text[m[2]:m[3]]
		switch name {
		case "*", "?", "$":
			expr += regexp.QuoteMeta(name)
			continue
		}
		name, deflt, hasDefault := strings.Cut(name, ", '")
		values, ok := r.facts[name]
		switch {
		case ok && !r.multi[name]:
			expr += regexp.QuoteMeta(values[0])
		case hasDefault:
			expr += regexp.QuoteMeta(strings.TrimSuffix(deflt, "'"))
		default:
			return "", false
		}
	}
	return expr + quote(text[last:]) + `\z`, true
}

func refResource(entry string, r refRequest, variables bool) bool {
	if entry == "*" {
		return true
	}
	want, have := strings.SplitN(entry, ":", 6), strings.SplitN(r.resource, ":", 6)
	for len(want) < 6 {
		want = append(want, "*")
	}
	if len(have) < 6 {
		return false
	}
	for i := range 5 {
		if !refWild(want[i], have[i]) {
			return false
		}
	}
	expr, ok := refExpr(want[5], r, variables, true)
	return ok && regexp.MustCompile(expr).MatchString(have[5])
}

func refConditions(conditions map[string]map[string]any, r refRequest, variables bool) bool {
	for operator, keys := range conditions {
		for name, values := range keys {
			if !refCondition(operator, name, refList(values), r, variables) {
				return false
			}
		}
	}
	return true
}

func refCondition(operator, name string, values []string, r refRequest, variables bool) bool {
	have, present := r.facts[name]
	if operator == "Null" {
		for _, v := range values {
			if v == "true" && !present || v == "false" && present {
				return true
			}
		}
		return false
	}
	set, base := "", operator
	if before, after, ok := strings.Cut(operator, ":"); ok {
		set, base = before, after
	}
	base, ifExists := strings.CutSuffix(base, "IfExists")
	negated := strings.Contains(base, "Not")
	if !present {
		switch {
		case ifExists:
			return true
		case set == "ForAllValues":
			return true
		case set == "ForAnyValue":
			return false
		}
		return negated
	}
	holdsFor := func(v string) bool {
		for _, want := range values {
			if refOne(strings.Replace(base, "Not", "", 1), want, v, r, variables) {
				return !negated
			}
		}
		return negated
	}
	if set == "ForAllValues" {
		for _, v := range have {
			if !holdsFor(v) {
				return false
			}
		}
		return true
	}
	return slices.ContainsFunc(have, holdsFor)
}

func refOne(op, want, have string, r refRequest, variables bool) bool {
	switch op {
	case "StringEquals", "StringEqualsIgnoreCase", "StringLike":
		expr, ok := refExpr(want, r, variables, op == "StringLike")
		if op == "StringEqualsIgnoreCase" {
			expr = "(?i)" + expr
		}
		return ok && regexp.MustCompile(expr).MatchString(have)
	case "Bool":
		return strings.EqualFold(want, have)
	case "IpAddress":
		if !strings.Contains(want, "/") {
			return want == have
		}
		return netip.MustParsePrefix(want).Contains(netip.MustParseAddr(have))
	case "ArnLike", "ArnEquals":
		return refResource(want, refRequest{resource: have, facts: r.facts, multi: r.multi}, variables)
	}
	if strings.HasPrefix(op, "Numeric") {
		a, ok1 := new(big.Float).SetString(have)
		b, ok2 := new(big.Float).SetString(want)
		if !ok1 || !ok2 {
			return false
		}
		c := a.Cmp(b)
		switch strings.TrimPrefix(op, "Numeric") {
		case "Equals":
			return c == 0
		case "LessThan":
			return c < 0
		case "LessThanEquals":
			return c <= 0
		case "GreaterThan":
			return c > 0
		case "GreaterThanEquals":
			return c >= 0
		}
	}
	panic("reference evaluator does not know " + op)
}

// refFacts writes what ctx says as a flat map, by the tables of sheet 7 and 9.4.
func refFacts(ctx *Context, action Action) (map[string][]string, map[string]bool) {
	facts := map[string][]string{}
	multi := map[string]bool{"iot:ConnectAttributes": true, "iot:Certificate.Subject.Organization.List": true}
	set := func(name, value string) {
		if value != "" {
			facts[name] = []string{value}
		}
	}
	mqtt := ctx.Protocol != HTTP
	if mqtt {
		set("iot:ClientId", ctx.ClientID)
		attached := ctx.Thing != nil && ctx.Thing.Attached && (ctx.Thing.Exclusive || ctx.Thing.Name == ctx.ClientID)
		if ctx.Thing != nil || ctx.ClientID != "" {
			set("iot:Connection.Thing.IsAttached", strconv.FormatBool(attached))
		}
		if attached {
			set("iot:Connection.Thing.ThingName", ctx.Thing.Name)
			set("iot:Connection.Thing.ThingTypeName", ctx.Thing.Type)
			for name, value := range ctx.Thing.Attributes {
				facts["iot:Connection.Thing.Attributes["+name+"]"] = []string{value}
			}
		}
	}
	set("iot:DomainName", ctx.DomainName)
	if ctx.SourceIP.IsValid() {
		set("aws:SourceIp", ctx.SourceIP.String())
	}
	if c := ctx.Certificate; c != nil {
		set("iot:CertificateId", c.ID)
		set("iot:Certificate.SerialNumber", c.SerialNumber)
		for i, v := range c.Subject["Organization"] {
			switch i {
			case 0:
				set("iot:Certificate.Subject.Organization", v)
			case 1, 2, 3, 4:
				set("iot:Certificate.Subject.Organization."+strconv.Itoa(i), v)
			}
			if i < 5 {
				facts["iot:Certificate.Subject.Organization.List"] = append(facts["iot:Certificate.Subject.Organization.List"], v)
			}
		}
	}
	if action == Connect {
		if ctx.ConnectAttributes != nil {
			facts["iot:ConnectAttributes"] = ctx.ConnectAttributes
		}
		if ctx.LastWillTopic != "" {
			set("iot:LastWillTopic", "arn:aws:iot:"+ctx.Region+":"+ctx.Account+":topic/"+ctx.LastWillTopic)
		}
	}
	return facts, multi
}

// Generators. Alphabets are small so that things meet.

var genNames = rapid.SampledFrom([]string{"a", "b", "a/b", "a/b/c", "A/b", "/a", "a/", "a/+", "a/#", "#", "a/+/c", "d1", "d1/a", "d2", "*", "a*", "?", "$aws/things/d1", "${x}", "é", "a/é/c", "x:y", ""})

var genPiece = rapid.SampledFrom([]string{
	"a", "b", "/", "/a", "a/", "*", "?", "+", "#", "d1", "é", ":", "c",
	"${iot:ClientId}", "${iot:Connection.Thing.ThingName}", "${iot:Connection.Thing.Attributes[k]}", "${iot:Certificate.Subject.Organization}",
	"${iot:Certificate.Subject.Organization.1}", "${nope}", "${*}", "${?}", "${$}", "${iot:ConnectAttributes}", "${iot:Connection.Thing.ThingTypeName, 'df'}",
})

var genKind = rapid.SampledFrom([]string{"client/", "topic/", "topicfilter/", "topic", "t*", "*/", "t?pic/", "thing/", "*"})

func genResource(t *rapid.T) string {
	if rapid.IntRange(0, 12).Draw(t, "star") == 0 {
		return "*"
	}
	if rapid.IntRange(0, 20).Draw(t, "short") == 0 {
		return "arn:aws:iot:*"
	}
	region := rapid.SampledFrom([]string{"us-east-1", "us-east-1", "us-*", "*", "eu-west-1"}).Draw(t, "region")
	account := rapid.SampledFrom([]string{"123456789012", "123456789012", "*", "12345678901?", "999999999999"}).Draw(t, "account")
	return "arn:aws:iot:" + region + ":" + account + ":" + genKind.Draw(t, "kind") + strings.Join(rapid.SliceOfN(genPiece, 0, 4).Draw(t, "pieces"), "") + rapid.SampledFrom([]string{"", "*"}).Draw(t, "tail")
}

func genCondition(t *rapid.T) map[string]map[string]any {
	keys := rapid.SampledFrom([]string{
		"iot:ClientId", "iot:Connection.Thing.ThingName", "iot:Connection.Thing.IsAttached", "iot:ConnectAttributes",
		"iot:LastWillTopic", "aws:SourceIp", "iot:Certificate.SerialNumber", "iot:Certificate.Subject.Organization.List", "iot:Certificate.Subject.Organization", "nope",
	})
	set := rapid.SampledFrom([]string{"", "", "ForAllValues:", "ForAnyValue:"}).Draw(t, "set")
	exists := rapid.SampledFrom([]string{"", "", "IfExists"}).Draw(t, "exists")
	var op string
	var values []string
	key := keys.Draw(t, "key")
	switch key {
	case "aws:SourceIp":
		op = rapid.SampledFrom([]string{"IpAddress", "NotIpAddress"}).Draw(t, "op")
		values = rapid.SliceOfN(rapid.SampledFrom([]string{"10.0.0.0/8", "10.1.2.3", "192.168.0.0/16", "::1"}), 0, 2).Draw(t, "values")
	case "iot:LastWillTopic":
		op = rapid.SampledFrom([]string{"ArnLike", "ArnNotLike", "ArnEquals"}).Draw(t, "op")
		values = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			return strings.ReplaceAll(genResource(t), "arn:aws:iot:*", "arn:aws:iot:*:*:*")
		}).Filter(func(s string) bool {
			return s != "*" && strings.Count(s, ":") >= 5 && !strings.HasPrefix(s, "arn:aws:iot:*:*:*:")
		}), 0, 2).Draw(t, "values")
	case "iot:Certificate.SerialNumber":
		op = rapid.SampledFrom([]string{"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals", "StringEquals"}).Draw(t, "op")
		values = rapid.SliceOfN(rapid.SampledFrom([]string{"2587", "2587.0", "1e3", "-4", "3000"}), 0, 2).Draw(t, "values")
	case "iot:Connection.Thing.IsAttached":
		op = "Bool"
		values = rapid.SliceOfN(rapid.SampledFrom([]string{"true", "FALSE", "false"}), 0, 2).Draw(t, "values")
	default:
		op = rapid.SampledFrom([]string{"StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"}).Draw(t, "op")
		values = rapid.SliceOfN(rapid.SampledFrom([]string{"d1", "D1", "d*", "?1", PersistentConnect, LastWill, "${iot:ClientId}", "${iot:Connection.Thing.ThingName}", "o1", "o2", "${*}"}), 0, 2).Draw(t, "values")
	}
	if rapid.IntRange(0, 8).Draw(t, "null") == 0 {
		op, set, exists = "Null", "", ""
		values = []string{rapid.SampledFrom([]string{"true", "false"}).Draw(t, "value")}
	}
	return map[string]map[string]any{set + op + exists: {key: values}}
}

func genDocument(t *rapid.T) string {
	version := rapid.SampledFrom([]string{"2012-10-17", "2012-10-17", "2012-10-17", "2008-10-17", ""}).Draw(t, "version")
	doc := map[string]any{}
	if version != "" {
		doc["Version"] = version
	}
	var list []map[string]any
	for range rapid.IntRange(1, 4).Draw(t, "statements") {
		s := map[string]any{"Effect": rapid.SampledFrom([]string{"Allow", "Allow", "Deny"}).Draw(t, "effect")}
		actions := rapid.SliceOfN(rapid.SampledFrom([]string{"iot:Connect", "iot:Publish", "iot:Subscribe", "iot:Receive", "iot:*", "*", "iot:Re*", "iot:PUBLISH", "iot:?ublish", "s3:GetObject"}), 1, 2).Draw(t, "actions")
		s[rapid.SampledFrom([]string{"Action", "Action", "Action", "NotAction"}).Draw(t, "action")] = actions
		var resources []string
		for range rapid.IntRange(1, 3).Draw(t, "resources") {
			resources = append(resources, genResource(t))
		}
		s[rapid.SampledFrom([]string{"Resource", "Resource", "Resource", "NotResource"}).Draw(t, "resource")] = resources
		if rapid.IntRange(0, 2).Draw(t, "condition") == 0 {
			s["Condition"] = genCondition(t)
		}
		list = append(list, s)
	}
	doc["Statement"] = list
	text, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func genContext(t *rapid.T) *Context {
	ctx := &Context{
		Region: "us-east-1", Account: "123456789012",
		Protocol:          rapid.SampledFrom([]Protocol{MQTT, WSS, HTTP}).Draw(t, "protocol"),
		ClientID:          rapid.SampledFrom([]string{"d1", "d1", "d2", "*", "a?", "${nope}", "+", ""}).Draw(t, "client"),
		LastWillTopic:     rapid.SampledFrom([]string{"", "a/b", "d1"}).Draw(t, "will"),
		ConnectAttributes: rapid.SampledFrom([][]string{nil, {}, {PersistentConnect}, {LastWill}, {PersistentConnect, LastWill}}).Draw(t, "attributes"),
	}
	if rapid.Bool().Draw(t, "ip") {
		ctx.SourceIP = netip.MustParseAddr(rapid.SampledFrom([]string{"10.1.2.3", "8.8.8.8", "::1"}).Draw(t, "addr"))
	}
	if rapid.Bool().Draw(t, "thing") {
		ctx.Thing = &Thing{
			Name: "d1", Attached: rapid.Bool().Draw(t, "attached"), Exclusive: rapid.Bool().Draw(t, "exclusive"),
			Type: rapid.SampledFrom([]string{"", "a"}).Draw(t, "type"), Attributes: rapid.SampledFrom([]map[string]string{nil, {"k": "a"}, {"k": "#"}}).Draw(t, "thing attributes"),
		}
	}
	if rapid.Bool().Draw(t, "certificate") {
		ctx.Certificate = &Certificate{SerialNumber: "2587", ID: "c0ffee", Subject: map[string][]string{"Organization": rapid.SampledFrom([][]string{nil, {"a"}, {"o1", "o2"}, {"o1", "b", "o3", "o4", "o5", "o6"}}).Draw(t, "organization")}}
	}
	return ctx
}

func compileTexts(t interface{ Fatalf(string, ...any) }, texts ...string) *Set {
	var docs []Named
	for i, text := range texts {
		doc, err := Parse([]byte(text))
		if err != nil {
			t.Fatalf("Parse(%s): %v", text, err)
		}
		docs = append(docs, Named{Name: "p" + strconv.Itoa(i), Doc: doc})
	}
	return Compile(docs...)
}

var typeOf = map[Action]string{Connect: "client/", Publish: "topic/", RetainPublish: "topic/", Subscribe: "topicfilter/", Receive: "topic/"}

// TestAgreesWithReference is the law of this package: the compiled form, its
// cache, the explanation and the order of documents give what the slow evaluator gives.
func TestAgreesWithReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.Custom(genDocument), 0, 3).Draw(t, "documents")
		ctx := genContext(t)
		set := compileTexts(t, texts...)
		bound := set.Bind(ctx)
		cache := NewCache(bound, 4)
		reversed := make([]string, len(texts))
		for i, text := range texts {
			reversed[len(texts)-1-i] = text
		}
		other := compileTexts(t, reversed...).Bind(ctx)
		for range 6 {
			action := rapid.SampledFrom([]Action{Connect, Publish, RetainPublish, Subscribe, Receive}).Draw(t, "action")
			name := genNames.Draw(t, "name")
			facts, multi := refFacts(ctx, action)
			want := refDecide(texts, refRequest{string(action), "arn:aws:iot:us-east-1:123456789012:" + typeOf[action] + name, facts, multi})
			if got := bound.Decide(action, name); got != want {
				t.Fatalf("Decide(%s, %q) = %v, want %v", action, name, got, want)
			}
			for range 2 {
				if got := cache.Decide(action, name); got != want {
					t.Fatalf("Cache.Decide(%s, %q) = %v, want %v", action, name, got, want)
				}
			}
			if got := other.Decide(action, name); got != want {
				t.Fatalf("documents reversed: Decide(%s, %q) = %v, want %v", action, name, got, want)
			}
			d := bound.Explain(action, name)
			if d.Effect != want {
				t.Fatalf("Explain(%s, %q) = %v, want %v", action, name, d.Effect, want)
			}
			checkDecision(t, d)
		}
	})
}

// checkDecision holds for every decision, whatever was asked.
func checkDecision(t interface{ Fatalf(string, ...any) }, d Decision) {
	switch {
	case d.Reason == "":
		t.Fatalf("no reason in %+v", d)
	case (d.Effect == Allow) != (d.Code == ""):
		t.Fatalf("effect %v with code %q", d.Effect, d.Code)
	case (d.Effect == Allow) != (d.Fix == nil):
		t.Fatalf("effect %v with fix %v", d.Effect, d.Fix)
	case (d.Effect == ImplicitDeny) != (len(d.Matched) == 0):
		t.Fatalf("effect %v with %d matched statements", d.Effect, len(d.Matched))
	}
	for _, n := range append(d.Near, d.Warnings...) {
		if n.Code == "" || n.Cause == "" || n.Fix == "" {
			t.Fatalf("incomplete near miss %+v", n)
		}
	}
}

// TestFixRepairs: the proposed statement, added, allows the request, unless a
// deny stands in the way.
func TestFixRepairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.Custom(genDocument), 0, 2).Draw(t, "documents")
		ctx := genContext(t)
		action := rapid.SampledFrom([]Action{Connect, Publish, Subscribe, Receive}).Draw(t, "action")
		name := genNames.Filter(func(s string) bool { return s != "" }).Draw(t, "name")
		d := compileTexts(t, texts...).Bind(ctx).Explain(action, name)
		if d.Effect != ImplicitDeny {
			return
		}
		fix := `{"Version":"2012-10-17","Statement":[` + d.Fix.Statement + `]}`
		if got := compileTexts(t, append(texts, fix)...).Bind(ctx).Decide(action, name); got != Allow {
			t.Fatalf("with %s added, %s on %q is %v, want ALLOWED", fix, action, name, got)
		}
	})
}
