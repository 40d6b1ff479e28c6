package simulate

import (
	"encoding/json"
	"strings"
	"testing"
)

const (
	ownPolicy = `{"Version":"2012-10-17","Statement":[{"Sid":"c","Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:us-east-1:123456789012:client/${iot:Connection.Thing.ThingName}"},` +
		`{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:123456789012:topic/${iot:Certificate.SerialNumber}/${iot:Certificate.Subject.CommonName.1}"}]}`
	groupDeny = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"iot:Connect","Resource":"*"}}`
	client    = `"action":"iot:Connect","resource":"arn:aws:iot:us-east-1:123456789012:client/dev-7"}`
	cert      = `"certificate":{"certificateId":"c0ffee","serialNumber":"0A:1B","subject":{"CommonName":["a","b"]},"issuer":{},"subjectAltName":{"DNSName":"x"},"issuerAltName":{}}`
)

// TestLine holds the contract of the simulator: a line in, a line out.
func TestLine(t *testing.T) {
	for name, tt := range map[string]struct {
		line     string
		decision string
		parts    []string // of the reply
	}{
		"allowed by thing": {
			`{"policies":[` + ownPolicy + `],"context":{"protocol":"mqtt","clientId":"dev-7","thing":{"name":"dev-7","attached":true}},` + client, "ALLOWED",
			[]string{`"matched":[{"policy":"policies[0]","statement":0,"sid":"c","effect":"Allow"}]`, `{"name":"iot:Connection.Thing.ThingName","value":"dev-7"}`, `"missingContextValues":[]`},
		},
		"exclusive thing":       {`{"policies":[` + strings.Replace(ownPolicy, "${iot:Connection.Thing.ThingName}", "dev-7", 1) + `],"context":{"clientId":"other","thing":{"name":"t","attached":true,"principalType":"EXCLUSIVE_THING"}},` + client, "ALLOWED", nil},
		"ownPolicy as a string": {`{"policies":[` + quote(ownPolicy) + `],"context":{"clientId":"dev-7","thing":{"name":"dev-7","attached":true}},` + client, "ALLOWED", nil},
		"thing is unknown":      {`{"policies":[` + ownPolicy + `],"context":{"clientId":"dev-7"},` + client, "IMPLICIT_DENY", []string{`"code":"policy.var.undefined"`, `"missingContextValues":["iot:Connection.Thing.ThingName"]`, `"cause":"client_id_is_not_a_thing"`}},
		"no context":            {`{"policies":[` + ownPolicy + `],` + client, "IMPLICIT_DENY", []string{`"cause":"no_client_id"`}},
		"no policies":           {`{` + client, "IMPLICIT_DENY", []string{`"code":"policy.none_attached"`, `"fix":{"text":`}},
		"group deny":            {`{"policies":[` + ownPolicy + `],"groupPolicies":[` + groupDeny + `],"context":{"clientId":"dev-7","thing":{"name":"dev-7","attached":true}},` + client, "EXPLICIT_DENY", []string{`"policy":"groupPolicies[0]"`}},
		"group does not apply":  {`{"policies":[` + strings.Replace(ownPolicy, "${iot:Connection.Thing.ThingName}", "*", 1) + `],"groupPolicies":[` + groupDeny + `],"context":{"clientId":"dev-7","thing":{"name":"other","attached":true}},` + client, "ALLOWED", []string{`"code":"policy.group_not_applied"`}},
		"certificate":           {`{"policies":[` + ownPolicy + `],"context":{` + cert + `},"action":"iot:Publish","resource":"arn:aws:iot:us-east-1:123456789012:topic/2587/b"}`, "ALLOWED", nil},
		"other account":         {`{"policies":[` + ownPolicy + `],"context":{` + cert + `},"action":"iot:Publish","resource":"arn:aws:iot:us-east-1:999999999999:topic/2587/b"}`, "IMPLICIT_DENY", []string{`"code":"policy.arn.account_mismatch"`}},
		"over http":             {`{"policies":[` + ownPolicy + `],"context":{"protocol":"http","clientId":"dev-7","thing":{"name":"dev-7","attached":true}},` + client, "IMPLICIT_DENY", []string{`"cause":"no_thing_over_http"`}},
		"unknown action":        {`{"policies":[{"Statement":{"Effect":"Allow","Action":"x:*","Resource":"arn:aws:iot:*:*:foo/*"}}],"action":"x:Y","resource":"arn:aws:iot:r:1:foo/z"}`, "ALLOWED", nil},
		"connect attributes":    {`{"policies":[{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ForAllValues:StringEquals":{"iot:ConnectAttributes":[]}}}}],"context":{"connectAttributes":["LastWill"]},` + client, "IMPLICIT_DENY", []string{`"code":"policy.condition"`}},
		"will topic as ARN":     {`{"policies":[{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ArnEquals":{"iot:LastWillTopic":"arn:aws:iot:*:*:topic/w"}}}}],"context":{"lastWillTopic":"arn:aws:iot:us-east-1:123456789012:topic/w"},` + client, "ALLOWED", nil},
		"will topic":            {`{"policies":[{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ArnEquals":{"iot:LastWillTopic":"arn:aws:iot:us-east-1:123456789012:topic/w"}}}}],"context":{"lastWillTopic":"w"},` + client, "ALLOWED", nil},
		"action in other case":  {`{"policies":[{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ForAnyValue:StringEquals":{"iot:ConnectAttributes":"LastWill"}}}}],"context":{"connectAttributes":["LastWill"]},"action":"iot:connect","resource":"*"}`, "ALLOWED", nil},
		"addresses":             {`{"policies":[{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}}],"context":{"sourceIp":"192.0.2.9","domainName":"x"},` + client, "ALLOWED", nil},
		"socket information":    {`{"policies":[{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"iot:IncludeSocketInformation":true}}}}],"context":{"protocol":"http","includeSocketInformation":true},"action":"iot:GetConnection","resource":"arn:aws:iot:r:1:client/x"}`, "ALLOWED", nil},
		"everything":            {`{"policies":[{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}],"action":"iot:ListRetainedMessages","resource":"*"}`, "ALLOWED", nil},
		"typo is told":          {`{"context":{"clientID":"dev-7"},` + client, "IMPLICIT_DENY", []string{`"notes":["ignored: context.clientID"]`}},
	} {
		t.Run(name, func(t *testing.T) {
			reply, malformed := Line([]byte(tt.line), 1, false)
			var got struct{ Decision string }
			if err := json.Unmarshal(reply, &got); err != nil || malformed {
				t.Fatalf("Line(%s) = %s, malformed %v: %v", tt.line, reply, malformed, err)
			}
			if got.Decision != tt.decision {
				t.Errorf("Line(%s)\n got %s\nwant %s", tt.line, reply, tt.decision)
			}
			for _, part := range tt.parts {
				if !strings.Contains(string(reply), part) {
					t.Errorf("Line(%s)\n    got %s\nwithout %s", tt.line, reply, part)
				}
			}
		})
	}
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestMalformedLine(t *testing.T) {
	for name, tt := range map[string]struct{ line, code, message string }{
		"no JSON":           {`nonsense`, InvalidRequest, "invalid character"},
		"cut off":           {`{"action":`, InvalidRequest, "EOF"},
		"a list":            {`[]`, InvalidRequest, "wrong type"},
		"two values":        {`{` + client + `{}`, InvalidRequest, "after top-level value"},
		"duplicate":         {`{"action":"a","action":"b"}`, InvalidRequest, "duplicate"},
		"wrong type":        {`{"context":{"clientId":7},` + client, InvalidRequest, "/context/clientId has the wrong type of value (number)"},
		"no action":         {`{"resource":"*"}`, InvalidRequest, "no action"},
		"no resource":       {`{"action":"iot:Connect"}`, InvalidRequest, "no resource"},
		"resource":          {`{"action":"iot:Connect","resource":"client/x"}`, InvalidRequest, "neither an ARN"},
		"protocol":          {`{"context":{"protocol":"coap"},` + client, InvalidRequest, "mqtt, wss or http"},
		"address":           {`{"context":{"sourceIp":"10.0.0.1/8"},` + client, InvalidRequest, "no IP address"},
		"serial number":     {`{"context":{"certificate":{"serialNumber":"xyz"}},` + client, InvalidRequest, "hexadecimal"},
		"principal type":    {`{"context":{"thing":{"name":"a","principalType":"exclusive"}},` + client, InvalidRequest, "EXCLUSIVE_THING"},
		"malformed policy":  {`{"policies":[{"Statement":[]}],` + client, MalformedPolicy, `"policy":"policies[0]","position":{"offset":13,"line":1,"column":14,"pointer":"/Statement"}`},
		"policy in string":  {`{"groupPolicies":["{\n\"Statement\":[],}"],` + client, MalformedPolicy, `"policy":"groupPolicies[0]","position":{"offset":16,"line":2,"column":15`},
		"policy is no text": {`{"policies":[3],` + client, MalformedPolicy, "a policy is a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			reply, malformed := Line([]byte(tt.line), 12, false)
			var got struct {
				Error *struct {
					Line          int
					Code, Message string
				}
			}
			if err := json.Unmarshal(reply, &got); err != nil || !malformed || got.Error == nil || got.Error.Line != 12 || got.Error.Code != tt.code || !strings.Contains(string(reply), tt.message) {
				t.Errorf("Line(%s)\n got %s (malformed %v, %v)\nwant line 12, %s ...%s...", tt.line, reply, malformed, err, tt.code, tt.message)
			}
		})
	}
	if reply, malformed := Line(nil, 3, true); !malformed || !strings.Contains(string(reply), `"line":3,"code":"LineTooLong"`) {
		t.Errorf("too long: %s", reply)
	}
}

// FuzzLine: every line has a reply that is one line of JSON, and says error
// exactly if it is malformed.
func FuzzLine(f *testing.F) {
	f.Add(`{"policies":[` + ownPolicy + `],"groupPolicies":[` + groupDeny + `],"context":{` + cert + `,"sourceIp":"::1","connectAttributes":[]},` + client)
	f.Add(`{"policies":[` + quote(ownPolicy) + `],"context":{"protocol":"wss","thing":{"name":"a","attributes":{"k":"v"}}},` + client)
	f.Fuzz(func(t *testing.T, line string) {
		reply, malformed := Line([]byte(line), 1, false)
		var got map[string]json.RawMessage
		if err := json.Unmarshal(reply, &got); err != nil || strings.Contains(string(reply), "\n") {
			t.Fatalf("Line(%q) = %s: %v", line, reply, err)
		}
		if _, has := got["error"]; has != malformed {
			t.Fatalf("Line(%q) = %s, malformed %v", line, reply, malformed)
		}
	})
}
