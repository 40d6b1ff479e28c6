package policy

import (
	"errors"
	"strings"
	"testing"
)

// FuzzParse: every error has a place inside the text, and what parses has
// consistent positions, warnings and lint.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"Version":"2012-10-17","Statement":[` + oneStatement + `]}`,
		`{"Statement":[{"Effect":"Deny","NotAction":["iot:*"],"NotResource":"arn:aws:iot:*:1:t*/${iot:ClientId, 'x'}${*}","Condition":{"ForAnyValue:StringLikeIfExists":{"iot:Certificate.Subject.CommonName.1":["${x}",1,true]}}}],}`,
		`{"Version":"2008-10-17","Id":"é","Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:iot:*"}}`,
		"{\"a\\\"\\\\\":1,\"a\\\"\\\\\":2}", `{"Statement":"\u0041\ud83d\ude00"`, `//`, `[[[[[[[[[[[[[[[[`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := Parse([]byte(text))
		if err != nil {
			bad, ok := errors.AsType[*SyntaxError](err)
			if !ok || bad.Message == "" || bad.Line < 1 || bad.Column < 1 || bad.Offset < 0 || bad.Offset > len(text) {
				t.Fatalf("Parse(%q): %#v", text, err)
			}
			return
		}
		if doc.Size > MaxSize {
			t.Fatalf("Parse(%q) accepts %d characters", text, doc.Size)
		}
		for _, s := range doc.Statements {
			if s.Pos.Offset >= len(text) || text[s.Pos.Offset] != '{' {
				t.Fatalf("Parse(%q): statement at %+v", text, s.Pos)
			}
			for i, pos := range s.resourcePos {
				if text[pos.Offset] != '"' {
					t.Fatalf("Parse(%q): resource %d at %+v", text, i, pos)
				}
			}
		}
		for _, finding := range Lint(Named{Name: "p", Doc: doc}) {
			if finding.Code == "" || finding.Message == "" || finding.Fix == "" || finding.Pos.Line < 1 {
				t.Fatalf("Lint(%q): %+v", text, finding)
			}
		}
	})
}

// FuzzDecide: Decide, Cache, Explain and the order of documents agree for any
// document, client ID and name, valid UTF-8 or not.
func FuzzDecide(f *testing.F) {
	f.Add(allow("iot:*", testARN+"t*${iot:ClientId}?*"), deny("iot:Publish", testARN+"topic/*a*b"), "dev-7", "x/a/b")
	f.Add(allow("*", "*", `{"StringLike":{"iot:ClientId":"${iot:Connection.Thing.ThingName}*"}}`), deny("iot:Subscribe", testARN+"topicfilter/${*}/#"), "*", "*/#")
	f.Add(allow("*", testARN+"*"), allow("*", testARN+"client/${iot:ClientId}"), "\xff\xfe", "\xffa\xc3")
	f.Fuzz(func(t *testing.T, first, second, client, name string) {
		a, err := Parse([]byte(first))
		if err != nil {
			return
		}
		b, err := Parse([]byte(second))
		if err != nil {
			b = &Document{}
		}
		ctx := &Context{Region: testRegion, Account: testOwner, ClientID: client, Thing: &Thing{Name: "dev-7", Attached: true, Attributes: map[string]string{"k": client}}}
		one := Compile(Named{Doc: a}, Named{Doc: b}).Bind(ctx)
		two := Compile(Named{Doc: b}, Named{Doc: a}).Bind(ctx)
		cache := NewCache(one, 2)
		for _, action := range []Action{Connect, Publish, Subscribe, Receive, GetThingShadow, ListRetainedMessages, "iot:Other"} {
			want := one.Decide(action, name)
			if got := two.Decide(action, name); got != want {
				t.Fatalf("%s on %q: %v, documents reversed %v", action, name, want, got)
			}
			if got := cache.Decide(action, strings.Clone(name)); got != want {
				t.Fatalf("%s on %q: %v, cached %v", action, name, want, got)
			}
			d := one.Explain(action, name)
			if d.Effect != want {
				t.Fatalf("%s on %q: %v, explained %v", action, name, want, d.Effect)
			}
			checkDecision(t, d)
		}
	})
}
