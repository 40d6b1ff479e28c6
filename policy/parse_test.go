package policy

import (
	"errors"
	"strings"
	"testing"
)

const oneStatement = `{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}`

// TestMalformed holds the causes of policy sheet 14, each with its place.
func TestMalformed(t *testing.T) {
	for name, tt := range map[string]struct {
		text         string
		line, column int
		pointer      string
		message      string // part of it
	}{
		"empty":                     {"", 1, 1, "", "empty"},
		"not JSON":                  {"hello", 1, 1, "", "invalid character 'h'"},
		"trailing comma in object":  {"{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [],\n}", 3, 18, "", "trailing comma before '}'"},
		"trailing comma in list":    {`{"Statement":[` + oneStatement + `,]}`, 1, 15 + len(oneStatement), "/Statement", "trailing comma before ']'"},
		"comment":                   {"{\n// all\n\"Statement\":[]}", 2, 1, "", "no comments"},
		"text after the end":        {`{"Statement":` + oneStatement + `} x`, 1, len(oneStatement) + 16, "", "invalid character 'x'"},
		"second document":           {`{"Statement":` + oneStatement + `}{}`, 1, len(oneStatement) + 15, "", "after the end"},
		"not closed":                {`{"Statement":[`, 1, 15, "/Statement", "ends too early"},
		"duplicate key":             {`{"Statement":[],"Statement":[]}`, 1, 17, "/Statement", "occurs twice"},
		"duplicate condition key":   {`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a":"true","a":"false"}}}]}`, 1, 93, "/Statement/0/Condition/Bool/a", "occurs twice"},
		"byte order mark":           {"\xef\xbb\xbf{}", 1, 1, "", "byte order mark"},
		"single quotes":             {"{'Version':1}", 1, 2, "", "double quotes"},
		"a list":                    {"[]", 1, 1, "", "a policy is a JSON object, this is a list"},
		"unknown element":           {`{"statement":[]}`, 1, 2, "/statement", `did you mean "Statement"?`},
		"no statement":              {`{"Version":"2012-10-17"}`, 1, 1, "", "no Statement"},
		"empty statement list":      {`{"Statement":[]}`, 1, 14, "/Statement", "empty"},
		"statement is a string":     {`{"Statement":"x"}`, 1, 14, "/Statement", "this is a string"},
		"statement holds a number":  {`{"Statement":[1]}`, 1, 15, "/Statement/0", "this is a number"},
		"version":                   {`{"Version":"2024-01-01","Statement":[]}`, 1, 12, "/Version", "2012-10-17"},
		"version is a number":       {`{"Version":1,"Statement":[]}`, 1, 12, "/Version", "2012-10-17"},
		"no effect":                 {`{"Statement":[{"Action":"*","Resource":"*"}]}`, 1, 15, "/Statement/0", "no Effect"},
		"effect in lower case":      {`{"Statement":[{"Effect":"allow","Action":"*","Resource":"*"}]}`, 1, 25, "/Statement/0/Effect", `"Allow" or "Deny"`},
		"no action":                 {`{"Statement":[{"Effect":"Allow","Resource":"*"}]}`, 1, 15, "/Statement/0", "neither Action nor NotAction"},
		"both actions":              {`{"Statement":[{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}]}`, 1, 46, "/Statement/0/NotAction", "not both"},
		"no resource":               {`{"Statement":[{"Effect":"Allow","Action":"*"}]}`, 1, 15, "/Statement/0", "neither Resource nor NotResource"},
		"both resources":            {`{"Statement":[{"Effect":"Allow","Action":"*","NotResource":"*","Resource":"*"}]}`, 1, 64, "/Statement/0/Resource", "not both"},
		"empty actions":             {`{"Statement":[{"Effect":"Allow","Action":[],"Resource":"*"}]}`, 1, 42, "/Statement/0/Action", "empty"},
		"empty resources":           {`{"Statement":[{"Effect":"Allow","Action":"*","Resource":[]}]}`, 1, 57, "/Statement/0/Resource", "empty"},
		"action is a number":        {`{"Statement":[{"Effect":"Allow","Action":[1],"Resource":"*"}]}`, 1, 43, "/Statement/0/Action/0", "hold strings"},
		"resource is no ARN":        {`{"Statement":[{"Effect":"Allow","Action":"*","Resource":["*","topic/x"]}]}`, 1, 62, "/Statement/0/Resource/1", "The following resources are invalid : [topic/x]"},
		"ARN of five parts":         {`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:iot:us-east-1:topic/x"}]}`, 1, 57, "/Statement/0/Resource", "six parts"},
		"ARN without resource":      {`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:iot:us-east-1:1:"}]}`, 1, 57, "/Statement/0/Resource", "no resource"},
		"wildcard service":          {`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:*:us-east-1:1:topic/x"}]}`, 1, 57, "/Statement/0/Resource", "wildcard"},
		"star for the service":      {`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:*"}]}`, 1, 57, "/Statement/0/Resource", "wildcard"},
		"unknown operator":          {`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"stringEquals":{"a":"b"}}}]}`, 1, 74, "/Statement/0/Condition/stringEquals", `did you mean "StringEquals"?`},
		"NullIfExists":              {`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NullIfExists":{"a":"true"}}}]}`, 1, 74, "/Statement/0/Condition/NullIfExists", "unknown condition operator"},
		"condition is a list":       {`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":[]}]}`, 1, 73, "/Statement/0/Condition", "object of operators"},
		"operator is a string":      {`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":"x"}}]}`, 1, 81, "/Statement/0/Condition/Bool", "object of keys"},
		"value is null":             {`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a":null}}}]}`, 1, 86, "/Statement/0/Condition/Bool/a", "this is null"},
		"unterminated variable":     {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:iot:us-east-1:1:topic/${iot:ClientId"}]}`, 1, 80, "/Statement/0/Resource", "closing brace"},
		"unterminated in condition": {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringLike":{"a":["b","${x"]}}}]}`, 1, 120, "/Statement/0/Condition/StringLike/a/1", "closing brace"},
		"unknown statement key":     {`{"Statement":[{"Effect":"Allow","Actions":"*","Resource":"*"}]}`, 1, 33, "/Statement/0/Actions", `did you mean "Action"?`},
		"principal":                 {`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`, 1, 33, "/Statement/0/Principal", "does not belong"},
		"column counts characters":  {`{"Id":"é","Statement":"x"}`, 1, 23, "/Statement", "this is a string"},
		"too large":                 {`{"Id":"` + strings.Repeat("x", MaxSize) + `","Statement":` + oneStatement + `}`, 1, 1, "", "limit is 2048"},
		"too many bytes":            {strings.Repeat(" ", maxRawBytes+1), 1, 1, "", "limit is 404600"},
		"nested deeply":             {strings.Repeat("[", 5000), 1, 13, strings.Repeat("/0", 12), "nested too deeply"},
	} {
		t.Run(name, func(t *testing.T) {
			doc, err := Parse([]byte(tt.text))
			bad, ok := errors.AsType[*SyntaxError](err)
			if !ok {
				t.Fatalf("Parse(%.200s) = %v, %v, want a SyntaxError", tt.text, doc, err)
			}
			if bad.Line != tt.line || bad.Column != tt.column || bad.Pointer != tt.pointer || !strings.Contains(bad.Message, tt.message) {
				t.Errorf("Parse(%.200s)\n got %d:%d %q %q\nwant %d:%d %q ...%q...", tt.text, bad.Line, bad.Column, bad.Pointer, bad.Message, tt.line, tt.column, tt.pointer, tt.message)
			}
			if !strings.HasPrefix(err.Error(), "Policy document is Malformed") {
				t.Errorf("error %q lacks AWS's text", err)
			}
		})
	}
}

// TestAccepted holds forms that are unusual and valid. Policy sheet 2, 14.6.
func TestAccepted(t *testing.T) {
	for name, text := range map[string]string{
		"statement without list":      `{"Version":"2012-10-17","Statement":` + oneStatement + `}`,
		"no version":                  `{"Statement":` + oneStatement + `}`,
		"2008":                        `{"Version":"2008-10-17","Statement":` + oneStatement + `}`,
		"any order and an Id":         `{"Statement":[{"Resource":["*"],"Action":["iot:Connect"],"Sid":"any text!","Effect":"Deny"}],"Id":"x","Version":"2012-10-17"}`,
		"unknown type":                `{"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:iot:us-east-1:1:/thing/X"}}`,
		"other service":               `{"Statement":{"Effect":"Allow","Action":"greengrass:*","Resource":"arn:aws:greengrass:us-east-1:1:/x"}}`,
		"unknown action":              `{"Statement":{"Effect":"Allow","Action":["iot:CreateThing","s3:GetObject"],"Resource":"*"}}`,
		"numbers and booleans":        `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"iot:Connection.Thing.IsAttached":true},"NumericEquals":{"x":[1,2.5]}}}}`,
		"empty list of values":        `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ForAllValues:StringEquals":{"iot:ConnectAttributes":[]}}}}`,
		"empty condition":             `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{}}}`,
		"short ARN":                   `{"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:iot:*"}}`,
		"plain text under 2008":       `{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:iot:r:1:topic/${x"}}`,
		"white space does not count":  strings.Repeat(" \n", 4000) + `{"Statement":` + oneStatement + `}`,
		"exactly 2048":                sized(MaxSize),
		"IfExists with set operators": `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ForAnyValue:StringNotLikeIfExists":{"x":"y"}}}}`,
	} {
		if _, err := Parse([]byte(text)); err != nil {
			t.Errorf("%s: Parse(%.200s): %v", name, text, err)
		}
	}
	if _, err := Parse([]byte(sized(MaxSize + 1))); err == nil {
		t.Error("2049 characters were accepted")
	}
}

// sized returns a valid document of n characters outside of white space, with white space around.
func sized(n int) string {
	head, tail := `{ "Id": "`, `", "Statement": `+oneStatement+` }`
	return head + strings.Repeat("é", n-sizeOf([]byte(head+tail))) + tail
}

// TestWarnings: each doubt has its code and its place.
func TestWarnings(t *testing.T) {
	statement := func(actions, resources, more string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":` + actions + `,"Resource":` + resources + more + `}]}`
	}
	const arn = `arn:aws:iot:us-east-1:123456789012:`
	for _, tt := range []struct{ code, text string }{
		{"policy.lint.version", `{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"iot:Connect","Resource":"` + arn + `client/${iot:ClientId}"}}`},
		{"policy.lint.version", `{"Statement":` + oneStatement + `}`},
		{"policy.lint.duplicate_sid", `{"Version":"2012-10-17","Statement":[{"Sid":"a",` + oneStatement[1:] + `,{"Sid":"a",` + oneStatement[1:] + `]}`},
		{"policy.lint.action_case", statement(`"iot:publish"`, `"`+arn+`topic/a"`, "")},
		{"policy.lint.action_form", statement(`"Publish"`, `"*"`, "")},
		{"policy.lint.action_unknown", statement(`"iot:CreateThing"`, `"*"`, "")},
		{"policy.lint.prefix_old_jobs", statement(`"iot:GetPendingJobExecutions"`, `"*"`, "")},
		{"policy.lint.short_arn", statement(`"iot:Publish"`, `"arn:aws:iot:*"`, "")},
		{"policy.lint.resource_service", statement(`"iot:Publish"`, `"arn:aws:greengrass:us-east-1:123456789012:topic/x"`, "")},
		{"policy.lint.arn_region", statement(`"iot:Publish"`, `"arn:aws:iot:<region>:123456789012:topic/x"`, "")},
		{"policy.lint.arn_account", statement(`"iot:Publish"`, `"arn:aws:iot:us-east-1:your-account:topic/x"`, "")},
		{"policy.lint.variable_unknown", statement(`"iot:Publish"`, `"`+arn+`topic/${iot:Thing.ThingName}"`, "")},
		{"policy.lint.variable_unknown", statement(`"iot:Publish"`, `"`+arn+`topic/${iot:Foo}"`, "")},
		{"policy.lint.variable_multi", statement(`"iot:Publish"`, `"`+arn+`topic/${iot:Certificate.Subject.CommonName.List}"`, "")},
		{"policy.lint.mqtt_wildcard", statement(`"iot:Publish"`, `"`+arn+`topic/a/+/b"`, "")},
		{"policy.lint.resource_type", statement(`"iot:Subscribe"`, `"`+arn+`topic/a"`, "")},
		{"policy.lint.resource_type", statement(`["iot:Publish","iot:Subscribe"]`, `"`+arn+`topic/a"`, "")},
		{"policy.lint.condition_key_unknown", statement(`"iot:Connect"`, `"*"`, `,"Condition":{"Bool":{"iot:Foo":"true"}}`)},
		{"policy.lint.multi_valued_key", statement(`"iot:Connect"`, `"*"`, `,"Condition":{"StringEquals":{"iot:ConnectAttributes":"LastWill"}}`)},
		{"policy.lint.condition_empty", statement(`"iot:Connect"`, `"*"`, `,"Condition":{"StringEquals":{"iot:ClientId":[]}}`)},
		{"policy.lint.condition_value", statement(`"iot:Connect"`, `"*"`, `,"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/99"}}`)},
		{"policy.lint.condition_value", statement(`"iot:Connect"`, `"*"`, `,"Condition":{"NumericEquals":{"iot:Certificate.SerialNumber":"x"}}`)},
	} {
		doc, err := Parse([]byte(tt.text))
		if err != nil {
			t.Fatalf("Parse(%s): %v", tt.text, err)
		}
		found := false
		for _, f := range doc.Warnings() {
			if f.Code == tt.code {
				found = true
				if f.Message == "" || f.Fix == "" || f.Pos.Line != 1 {
					t.Errorf("incomplete finding %+v", f)
				}
			}
		}
		if !found {
			t.Errorf("%s\nhas warnings %+v, want %s", tt.text, doc.Warnings(), tt.code)
		}
	}
}
