package api_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-iot/gatehouse/internal/api"
)

func TestValidate(t *testing.T) {
	for name, tt := range map[string]struct {
		svc    *api.Service
		method string
		path   string
		query  string
		header map[string]string
		body   string
		want   string // message; empty: valid
	}{
		"valid":           {method: "POST", path: "/things/a", body: `{"attributePayload":{"attributes":{"k":"v"}}}`},
		"no body":         {method: "POST", path: "/things/a"},
		"null body":       {method: "POST", path: "/things/a", body: "null"},
		"null member":     {method: "POST", path: "/things/a", body: `{"thingTypeName":null}`},
		"unknown member":  {method: "POST", path: "/things/a", body: `{"ThingTypeName":{"x":[1]}, "thingtypename": 3}`},
		"pattern":         {method: "POST", path: "/things/a%20b", want: "1 validation error detected: Value 'a b' at 'thingName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+"},
		"line break":      {method: "POST", path: "/things/a%0A", want: "1 validation error detected: Value 'a\n' at 'thingName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+"},
		"length":          {method: "POST", path: "/things/" + strings.Repeat("a", 129), want: "1 validation error detected: Value '" + strings.Repeat("a", 129) + "' at 'thingName' failed to satisfy constraint: Member must have length less than or equal to 128"},
		"missing header":  {method: "PUT", path: "/things/a/principals", want: "1 validation error detected: Value null at 'principal' failed to satisfy constraint: Member must not be null"},
		"missing in body": {method: "POST", path: "/policies/p", want: "1 validation error detected: Value null at 'policyDocument' failed to satisfy constraint: Member must not be null"},
		"empty in body":   {method: "POST", path: "/policies/p", body: `{"policyDocument":""}`},
		"nested missing":  {method: "POST", path: "/policies/p", body: `{"policyDocument":"{}","tags":[{"Key":"a"},{"Value":"b"}]}`, want: "1 validation error detected: Value null at 'tags.2.member.Key' failed to satisfy constraint: Member must not be null"},
		"two at once":     {method: "POST", path: "/policies/a%2Fb", body: `{}`, want: "2 validation errors detected: Value null at 'policyDocument' failed to satisfy constraint: Member must not be null; Value 'a/b' at 'policyName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]+"},
		"enum":            {method: "PUT", path: "/certificates/" + strings.Repeat("a", 64), query: "newStatus=SLEEPING", want: "1 validation error detected: Value 'SLEEPING' at 'newStatus' failed to satisfy constraint: Member must satisfy enum value set: [ACTIVE, INACTIVE, REVOKED, PENDING_TRANSFER, REGISTER_INACTIVE, PENDING_ACTIVATION]"},
		"number":          {method: "GET", path: "/things", query: "maxResults=0", want: "1 validation error detected: Value '0' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		"map key":         {method: "POST", path: "/things/a", body: `{"attributePayload":{"attributes":{"a b":"v","c":"d"}}}`, want: "1 validation error detected: Value '{a b=v, c=d}' at 'attributePayload.attributes' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 128, Member must satisfy regular expression pattern: [a-zA-Z0-9_.,@/:#-]+]"},
		"sensitive":       {method: "PATCH", path: "/packages/p/versions/v", body: `{"attributes":{"a b ":"secret"}}`, want: "1 validation error detected: Value '***' at 'attributes' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+]"},
		"map value":       {method: "POST", path: "/authorizer/a", body: `{"authorizerFunctionArn":"f","tokenSigningPublicKeys":{"k":"` + strings.Repeat("x", 5121) + `"}}`, want: "1 validation error detected: Value '{k=" + strings.Repeat("x", 1021) + "...' at 'tokenSigningPublicKeys' failed to satisfy constraint: Map value must satisfy constraint: [Member must have length less than or equal to 5120, Member must satisfy regular expression pattern: [\\s\\S]*]"},
		"list element":    {method: "PUT", path: "/jobs/j", body: `{"targets":["` + strings.Repeat("t", 2049) + `"]}`, want: "1 validation error detected: Value '[" + strings.Repeat("t", 1023) + "...' at 'targets' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 2048]"},
		"list too short":  {method: "PUT", path: "/jobs/j", body: `{"targets":[]}`, want: "1 validation error detected: Value '[]' at 'targets' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		"other exception": {method: "GET", path: "/packages/%20", want: "1 validation error detected: Value ' ' at 'packageName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9-_.]+"},
		"characters":      {svc: dataService, method: "GET", path: "/things/a/shadow", query: "name=" + url.QueryEscape("é"), want: "1 validation error detected: Value 'é' at 'shadowName' failed to satisfy constraint: Member must satisfy regular expression pattern: [$a-zA-Z0-9:_-]+"},
	} {
		t.Run(name, func(t *testing.T) {
			svc := tt.svc
			if svc == nil {
				svc = iotService
			}
			query, err := url.ParseQuery(tt.query)
			if err != nil {
				t.Fatal(err)
			}
			e := api.ValidateForTest(svc, api.Wire{Method: tt.method, Path: tt.path, Query: query, Body: []byte(tt.body)})
			switch {
			case tt.want == "" && e != nil:
				t.Errorf("refused: %v", e)
			case tt.want != "" && (e == nil || e.Message != tt.want):
				t.Errorf("got  %v\nwant %s", e, tt.want)
			case tt.want != "" && strings.HasPrefix(tt.path, "/packages") && e.Code != "ValidationException":
				t.Errorf("code %s, want ValidationException", e.Code)
			case tt.want != "" && !strings.HasPrefix(tt.path, "/packages") && e.Code != "InvalidRequestException":
				t.Errorf("code %s, want InvalidRequestException", e.Code)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	for name, tt := range map[string]struct{ method, path, query, body, want string }{
		"number as 5.0":     {"PATCH", "/things/a", "", `{"expectedVersion":5.0}`, ""},
		"number as 5e0":     {"PATCH", "/things/a", "", `{"expectedVersion":5e0}`, ""},
		"fraction":          {"PATCH", "/things/a", "", `{"expectedVersion":5.5}`, "expectedVersion: 5.5 is not a whole number."},
		"number as text":    {"PATCH", "/things/a", "", `{"expectedVersion":"5"}`, "expectedVersion: expected a long integer, found a string."},
		"number too large":  {"PATCH", "/things/a", "", `{"expectedVersion":99999999999999999999}`, "expectedVersion: 99999999999999999999 is out of the range of a long integer."},
		"boolean as text":   {"PATCH", "/things/a", "", `{"removeThingType":"true"}`, "removeThingType: expected a boolean, found a string."},
		"list for a string": {"POST", "/policies/a", "", `{"policyDocument":[]}`, "policyDocument: expected a string, found a list."},
		"string for a list": {"PUT", "/jobs/j", "", `{"targets":"t"}`, "targets: expected a list, found a string."},
		"body is a list":    {"POST", "/things/a", "", `[]`, "The request body: expected an object, found a list."},
		"two values":        {"POST", "/things/a", "", `{}{}`, "The request body holds more than one JSON value."},
		"duplicate member":  {"POST", "/policies/a", "", `{"policyDocument":"a","policyDocument":"b"}`, `The request body is not valid JSON: duplicate object member name "policyDocument"`},
		"capital boolean":   {"POST", "/keys-and-certificate", "setAsActive=True", "", "setAsActive: expected true or false, found 'True'."},
		"query time":        {"GET", "/audit/tasks", "startTime=yesterday&endTime=2024-01-02T03:04:05.678000Z", "", "startTime: expected an ISO 8601 time, found 'yesterday'."},
		"invalid UTF-8":     {"GET", "/things/%ff", "", "", "thingName: the text is not UTF-8."},
		"body not read":     {"GET", "/things/a", "", "junk", ""},
	} {
		t.Run(name, func(t *testing.T) {
			query, err := url.ParseQuery(tt.query)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = api.DecodeForTest(iotService, api.Wire{Method: tt.method, Path: tt.path, Query: query, Body: []byte(tt.body)})
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), "SerializationException: "+tt.want)):
				t.Errorf("got  %v\nwant SerializationException: %s", err, tt.want)
			}
		})
	}
}

func TestPatterns(t *testing.T) {
	for _, svc := range []*api.Service{iotService, dataService, lambdaModel} {
		for _, op := range svc.Operations {
			eachPattern(op.Info.Input, func(p *api.Pattern) {
				if err := api.CompileForTest(p); err != nil {
					t.Errorf("%s %s: %v", op.Info.Name, p.Source, err)
				}
			})
		}
	}
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{`[a-zA-Z0-9:_-]+`, "a:b_c-9", true},
		{`[a-zA-Z0-9:_-]+`, "", false},
		{`[a-zA-Z0-9:_-]+`, "é", false},
		{`^[a-zA-Z0-9_]+$`, "a\n", false},
		{`[\s\S]*`, "\n\x00", true},
		{`[^\p{C}]+`, "a€ b", true},
		{`[^\p{C}]+`, "a\tb", false},
		{`[^\p{C}]+`, "", false},
		{`[^\p{C}]*`, "", true},
		{`[\p{Graph}\x20]*`, "a b!", true},
		{`[\p{Graph}\x20]*`, "a\nb", false},
		{`[\p{Upper}\p{Digit}_]+`, "A_9", true},
		{`[\p{Upper}\p{Digit}_]+`, "a", false},
		{`[^\p{Cntrl}]*`, "a\x7f", false},
		{`\S{36,64}`, strings.Repeat("x", 36), true},
		{`\S{36,64}`, strings.Repeat("x", 35) + "\v", false},
		{`^[^$].*`, "$a", false},
		{`^[^$].*`, "a\u2028b", false},
		{`^[^$].*`, "a$", true},
		{`^([1-9]|[12][0-9]|3[01])$|^LAST$`, "LAST", true},
		{`^([1-9]|[12][0-9]|3[01])$|^LAST$`, "32", false},
		{`[a-zA-Z0-9!_.*'()-\/]+`, "a/b-c,", true},
		{`[a-zA-Z0-9-_.]+`, "a-b_c.d", true},
		{`[a-zA-Z0-9_.,@/:#=\[\]-]*`, "a[0]=-", true},
		{`[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+`, "arn:é", true},
	} {
		if got := api.MatchForTest(tt.pattern, tt.text); got != tt.want {
			t.Errorf("%s against %q: %v, want %v", tt.pattern, tt.text, got, tt.want)
		}
	}
}

func eachPattern(s *api.Shape, visit func(*api.Pattern)) {
	if s == nil {
		return
	}
	if s.Pattern != nil {
		visit(s.Pattern)
	}
	eachPattern(s.Key, visit)
	eachPattern(s.Value, visit)
	for i := range s.Members {
		eachPattern(s.Members[i].Shape, visit)
	}
}
