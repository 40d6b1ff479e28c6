package policy

import (
	"slices"
	"testing"
)

// TestLint: doubts that need more than one statement. Policy sheet 6.3, 16.
func TestLint(t *testing.T) {
	const arn = `arn:aws:iot:us-east-1:123456789012:`
	s := func(effect, action, resource string) string {
		return `{"Effect":"` + effect + `","Action":"` + action + `","Resource":"` + resource + `"}`
	}
	connectThing := s("Allow", "iot:Connect", arn+"client/${iot:Connection.Thing.ThingName}")
	for name, tt := range map[string]struct {
		statements []string
		want       []string
	}{
		"least privilege": {[]string{
			connectThing,
			s("Allow", "iot:Publish", arn+"topic/sensors/${iot:Connection.Thing.ThingName}/*"),
			s("Allow", "iot:Subscribe", arn+"topicfilter/sensors/${iot:Connection.Thing.ThingName}/*"),
			s("Allow", "iot:Receive", arn+"topic/sensors/${iot:Connection.Thing.ThingName}/*"),
		}, nil},
		"everything":            {[]string{s("Allow", "iot:*", "*")}, []string{"policy.lint.overly_permissive"}},
		"every client":          {[]string{s("Allow", "iot:Connect", arn+"client/*")}, []string{"policy.lint.overly_permissive"}},
		"its own client ID":     {[]string{s("Allow", "iot:Connect", arn+"client/${iot:ClientId}")}, []string{"policy.lint.self_matching_client_id"}},
		"client ID in topic":    {[]string{s("Allow", "iot:Connect", arn+"client/*"), s("Allow", "iot:Publish", arn+"topic/${iot:ClientId}/x")}, []string{"policy.lint.client_id_injection", "policy.lint.overly_permissive"}},
		"client ID is pinned":   {[]string{connectThing, s("Allow", "iot:Publish", arn+"topic/${iot:ClientId}/x")}, nil},
		"never receives":        {[]string{s("Allow", "iot:Subscribe", arn+"topicfilter/a")}, []string{"policy.lint.receive_missing"}},
		"hole":                  {[]string{s("Allow", "iot:Subscribe", arn+"topicfilter/p/*"), s("Allow", "iot:Receive", arn+"topic/p/*"), s("Deny", "iot:Subscribe", arn+"topicfilter/p/secret/*")}, []string{"policy.lint.subscribe_deny_hole"}},
		"hole closed by a deny": {[]string{s("Allow", "iot:Subscribe", arn+"topicfilter/p/*"), s("Allow", "iot:Receive", arn+"topic/p/*"), s("Deny", "iot:Subscribe", arn+"topicfilter/p/secret/*"), s("Deny", "iot:Receive", arn+"topic/p/secret/*")}, nil},
		"hole closed by NotResource": {[]string{
			s("Allow", "iot:Subscribe", arn+"topicfilter/p/*"),
			`{"Effect":"Allow","Action":"iot:Receive","NotResource":"` + arn + `topic/p/secret/*"}`, s("Deny", "iot:Subscribe", arn+"topicfilter/p/secret/*"),
		}, nil},
		"MQTT wildcards in a deny": {[]string{s("Deny", "iot:Subscribe", arn+"topicfilter/p/#")}, []string{"policy.lint.mqtt_wildcard_in_deny"}},
		"deny with a variable":     {[]string{s("Deny", "iot:Publish", arn+"topic/${iot:Connection.Thing.ThingName}/x")}, []string{"policy.lint.deny_variable"}},
	} {
		t.Run(name, func(t *testing.T) {
			// A document a statement: findings must not depend on how statements are spread.
			var texts []string
			for _, st := range tt.statements {
				texts = append(texts, `{"Version":"2012-10-17","Statement":[`+st+`]}`)
			}
			var got []string
			for _, f := range Lint(compileTexts(t, texts...).Policies()...) {
				if f.Policy == "" || f.Fix == "" {
					t.Errorf("incomplete finding %+v", f)
				}
				got = append(got, f.Code)
			}
			slices.Sort(got)
			if !slices.Equal(got, tt.want) {
				t.Errorf("Lint(%v)\n got %v\nwant %v", tt.statements, got, tt.want)
			}
		})
	}
}
