package pattern

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMatch(t *testing.T) {
	const entry = `{"logLevel":"ERROR","status":"Failure","eventType":"Connect","reason":"AUTHORIZATION_FAILURE","sourcePort":52044,"a":{"b":null,"c":true},"gh-x":1,"d.e":"f","subscriptions":[{"topicName":"x/#","reasonCode":1},{"topicName":"$nope","reasonCode":143}]}`
	const apache = `127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534`
	for _, tt := range []struct {
		pattern, message string
		want             bool
	}{
		{"", entry, true},
		{" ", entry, true},
		{`" "`, "ab", true},
		{"ERROR", entry, true},
		{"error", entry, false},
		{"ERROR Connect", entry, true},
		{"ERROR -Connect", entry, false},
		{"ERROR -Subscribe", entry, true},
		{"?nothing ?ERROR", entry, true},
		{"?nothing ?none", entry, false},
		{"?nothing ERROR", entry, true},
		{`"logLevel\":\"ERROR"`, entry, true},
		{"%5[0-9]{4}%", entry, true},
		{"%^x%", entry, false},
		{"-nothing", entry, true},
		{`-"AUTHORIZATION_FAILURE"`, entry, false},
		{`{ $.logLevel = "ERROR" }`, entry, true},
		{`{ $.logLevel = ERROR }`, entry, true},
		{`{ $.logLevel != "ERROR" }`, entry, false},
		{`{ $.nope != "x" }`, entry, false},
		{`{ $.status = "Failure" && $.eventType = "Connect" }`, entry, true},
		{`{ $.status = "x" || $.eventType = "Conn*" }`, entry, true},
		{`{ ($.status = "x" || $.eventType = "*nect") && $.sourcePort > 52000 }`, entry, true},
		{`{ $.sourcePort >= 5.2044e4 }`, entry, true},
		{`{ $.sourcePort < 10 }`, entry, false},
		{`{ $.sourcePort = 52044 }`, entry, true},
		{`{ $.subscriptions[0].reasonCode >= 128 }`, entry, false},
		{`{ $.subscriptions[1].reasonCode >= 128 }`, entry, true},
		{`{ $.subscriptions[*].reasonCode >= 128 }`, entry, true},
		{`{ $.eventType = %C.n+ec[t]% }`, entry, true},
		{`{ $.clientId NOT EXISTS }`, entry, true},
		{`{ $.reason NOT EXISTS }`, entry, false},
		{`{ $.a.b IS NULL }`, entry, true},
		{`{ $.a.c IS TRUE }`, entry, true},
		{`{ $.a.c IS FALSE }`, entry, false},
		{`{ $.gh-x = 1 }`, entry, true},
		{`{ $.['d.e'] = "f" }`, entry, true},
		{`{ $.a = "*" }`, entry, false},
		{`{ $.a.* IS TRUE }`, entry, true},
		{`{ $.status = "Failure" }`, "no json Failure", false},
		{"[ip, user, name, stamp, request, code, size]", apache, true},
		{"[ip, user, name, stamp, request, code = 4*, size]", apache, true},
		{"[ip, user, name, stamp, request, code = 404, size > 2000]", apache, false},
		{"[..., code >= 400 && code < 500, size]", apache, true},
		{"[ip = %127% , ...]", apache, true},
		{"[ip, ..., size = 1534]", apache, true},
		{"[a, b]", apache, false},
		{`[ip, user, name, stamp, request = "*html*", ...]`, apache, true},
		{"[a, b, ...]", "x y", true},
		{"[..., a, b]", "x y", true},
		{"[a, ..., b = y]", "x y", true},
		{"[]", apache, true},
		{"[a,]", "x y", true},
		{"[a,]", "x y z", false},
		{"[a,,c = z]", "x y z", true},
		{"[..., request=*.html*, status_code=4*,]", apache, true},
		{"[..., request=*.gif*, status_code=4*,]", apache, false},
	} {
		p, err := Parse(tt.pattern)
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
			continue
		}
		if got := p.All() || p.Match(tt.message); got != tt.want {
			t.Errorf("%s on %.40s: %v, want %v", tt.pattern, tt.message, got, tt.want)
		}
	}
	for _, text := range []string{
		"a:b", `"open`, "%(a)%", "%a", "{", "{ }", "{ $.a }", "{ $.a = }", "{ $.a EXISTS }", "{ $.a IS NOT NULL }", "{ a = 1 }", "{ $.a = 1 } x", "{ ($.a = 1 }", "[a", "[a,", "[..., ...]", "[", "?", "-",
		"{ $.a < x }", "{ $[*][*] = 1 }", "%a% %b% %c%", strings.Repeat("x", 1025), "{" + strings.Repeat("(", 200) + "$.a=1", `{ $.a = "x }`,
	} {
		if _, err := Parse(text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%.60s: %v, want ErrInvalid", text, err)
		}
	}
	p, _ := Parse(`{ $.clientId = "c1" && ($.a = "x" || $.b = "y") && $.n = 1 }`)
	if n := p.Needles(); len(n) != 1 || n[0] != (Needle{"clientId", "c1"}) {
		t.Errorf("needles %v", n)
	}
}

// TestExtract: the first five are examples of AWS's API reference, TestMetricFilter; what is
// extracted from JSON it does not say.
func TestExtract(t *testing.T) {
	const apache = `127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534`
	const entry = `{"eventType":"Connect","sourcePort":52044,"a":{"b":null,"c":true},"list":[{"n":"x"}]}`
	type values map[string]string
	for _, tt := range []struct {
		pattern, message string
		want             values
	}{
		{"[ip, identity, user_id, timestamp, request, status_code, size]", apache, values{
			"$ip": "127.0.0.1", "$identity": "-", "$user_id": "frank", "$timestamp": "10/Oct/2000:13:25:15 -0700", "$request": "GET /index.html HTTP/1.0", "$status_code": "404", "$size": "1534",
		}},
		{"[..., size]", apache, values{"$1": "127.0.0.1", "$2": "-", "$3": "frank", "$4": "10/Oct/2000:13:25:15 -0700", "$5": "GET /index.html HTTP/1.0", "$6": "404", "$size": "1534"}},
		{"[]", apache, values{"$1": "127.0.0.1", "$2": "-", "$3": "frank", "$4": "10/Oct/2000:13:25:15 -0700", "$5": "GET /index.html HTTP/1.0", "$6": "404", "$7": "1534"}},
		{"[..., request=*.html*, status_code=4*,]", apache, values{"$1": "127.0.0.1", "$2": "-", "$3": "frank", "$4": "10/Oct/2000:13:25:15 -0700", "$request": "GET /index.html HTTP/1.0", "$status_code": "404", "$7": "1534"}},
		{`"HTTP"`, apache, values{}},
		{"[ip, ..., code >= 400 && code < 500, size]", apache, values{"$ip": "127.0.0.1", "$2": "-", "$3": "frank", "$4": "10/Oct/2000:13:25:15 -0700", "$5": "GET /index.html HTTP/1.0", "$code": "404", "$size": "1534"}},
		{"", apache, values{}},
		{`{ ($.eventType = "Conn*" && $.sourcePort > 1) || $.a.c IS TRUE || $.nope = 1 || $.a.b IS NULL || $.list[0].n = x || $.list[*].n = x }`, entry, values{
			"$.eventType": "Connect", "$.sourcePort": "52044", "$.a.c": "true", "$.list[0].n": "x",
		}},
	} {
		p, err := Parse(tt.pattern)
		if err != nil || !p.All() && !p.Match(tt.message) {
			t.Errorf("%s: %v, or no match", tt.pattern, err)
			continue
		}
		if diff := cmp.Diff(map[string]string(tt.want), p.Extract(tt.message)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.pattern, diff)
		}
	}
	p, _ := Parse("[]")
	if n := len(p.Extract(strings.Repeat("x ", 100_000))); n != maxExtracted {
		t.Errorf("%d fields of a long event, want %d", n, maxExtracted)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{ $.a[0].b = "x*" && $.c NOT EXISTS }`, "[a, ..., b = 1]", "?a -b %c%", `"x"`} {
		f.Add(s, `{"a":[{"b":"xy"}]}`)
	}
	f.Fuzz(func(t *testing.T, text, message string) {
		if p, err := Parse(text); err == nil && !p.All() {
			if p.Match(message) {
				p.Extract(message)
			}
		}
	})
}
