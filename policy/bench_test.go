package policy

import (
	"fmt"
	"strconv"
	"testing"
	"unsafe"
)

// fleetPolicies returns 10 policies of 20 statements with variables, of which
// only the last covers what is asked.
func fleetPolicies(tb testing.TB, policies, statements int) *Set {
	tb.Helper()
	var docs []Named
	for p := range policies {
		text := `{"Version":"2012-10-17","Statement":[`
		for s := range statements {
			if s > 0 {
				text += ","
			}
			kind, action := "topic", "Publish"
			if s%4 == 3 {
				kind, action = "topicfilter", "Subscribe"
			}
			text += fmt.Sprintf(`{"Effect":"Allow","Action":"iot:%s","Resource":"arn:aws:iot:*:*:%s/%d/${iot:ClientId}/%d*"}`, action, kind, p, s)
		}
		doc, err := Parse([]byte(text + "]}"))
		if err != nil {
			tb.Fatal(err)
		}
		docs = append(docs, Named{Name: "p" + strconv.Itoa(p), Doc: doc})
	}
	return Compile(docs...)
}

const (
	lastTopic = "9/dev-7/18/temperature" // covered by the last statement for iot:Publish
	noTopic   = "9/dev-7/x/temperature"  // covered by none
)

func BenchmarkDecide(b *testing.B) {
	bound := fleetPolicies(b, 10, 20).Bind(device())
	for _, bb := range []struct {
		name, topic string
		want        Effect
	}{{"allow", lastTopic, Allow}, {"deny", noTopic, ImplicitDeny}} {
		b.Run("uncached/policies=10/statements=20/"+bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if bound.Decide(Publish, bb.topic) != bb.want {
					b.Fatal("wrong effect")
				}
			}
		})
		b.Run("cached/policies=10/statements=20/"+bb.name, func(b *testing.B) {
			cache := NewCache(bound, 0)
			b.ReportAllocs()
			for b.Loop() {
				if cache.Decide(Publish, bb.topic) != bb.want {
					b.Fatal("wrong effect")
				}
			}
		})
	}
}

// BenchmarkBind is what a new connection pays: variables resolved for its
// Connect and Publish.
func BenchmarkBind(b *testing.B) {
	for _, size := range []struct{ policies, statements int }{{1, 4}, {10, 20}} {
		set := fleetPolicies(b, size.policies, size.statements)
		ctx := device()
		b.Run(fmt.Sprintf("policies=%d/statements=%d", size.policies, size.statements), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bound := set.Bind(ctx)
				bound.Decide(Connect, "dev-7")
				bound.Decide(Publish, lastTopic)
			}
		})
	}
}

func BenchmarkExplain(b *testing.B) {
	bound := fleetPolicies(b, 10, 20).Bind(device())
	b.Run("policies=10/statements=20", func(b *testing.B) {
		for b.Loop() {
			bound.Explain(Publish, noTopic)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	text := []byte(`{"Version":"2012-10-17","Statement":[` + oneStatement + `,` + oneStatement + `,` + oneStatement + `,` + oneStatement + `]}`)
	b.Run("statements=4", func(b *testing.B) {
		for b.Loop() {
			if _, err := Parse(text); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestAllocations guards the hot path.
func TestAllocations(t *testing.T) {
	extra := compileTexts(t,
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Publish","NotResource":"`+testARN+`topic/a?/*"}}`,
		deny("iot:Publish", testARN+"topic/secret/*/x?"))
	bound := Compile(append(fleetPolicies(t, 10, 20).Policies(), extra.Policies()...)...).Bind(device())
	cache := NewCache(bound, 0)
	for what, f := range map[string]func(){
		"Decide": func() {
			bound.Decide(Publish, lastTopic)
			bound.Decide(Subscribe, "a/#")
			bound.Decide(GetThingShadow, "x")
		},
		"Cache.Decide": func() {
			cache.Decide(Publish, lastTopic)
			cache.Decide(Receive, lastTopic)
			cache.Decide(Connect, "dev-7")
		},
	} {
		f()
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", what, n)
		}
	}
}

// TestCacheIsBounded: many names neither grow the cache nor confuse it, and
// borrowed memory is copied.
func TestCacheIsBounded(t *testing.T) {
	bound := compileTexts(t, allow("iot:Publish", testARN+"topic/*7")).Bind(device())
	cache := NewCache(bound, 8)
	for range 2 {
		for i := range 1000 {
			name := "t/" + strconv.Itoa(i)
			if got, want := cache.Decide(Publish, name), bound.Decide(Publish, name); got != want {
				t.Fatalf("Cache.Decide(%q) = %v, want %v", name, got, want)
			}
		}
	}
	borrowed := []byte("t/7")
	cache.Decide(Publish, unsafe.String(&borrowed[0], len(borrowed)))
	copy(borrowed, "t/8")
	if got := cache.Decide(Publish, "t/8"); got != ImplicitDeny {
		t.Errorf("the cache kept borrowed memory: t/8 is %v", got)
	}
	if len(cache.places) != 8 {
		t.Errorf("the cache has %d places, want 8", len(cache.places))
	}
}
