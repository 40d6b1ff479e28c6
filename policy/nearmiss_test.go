package policy

import (
	"strings"
	"testing"
)

// TestNearMissEvidence: what the detectors of policy sheet 16 hand over beside
// their code: the entry as it is written, what was asked, and the repair. Codes
// are written out: other programs read them from the simulator's answers.
func TestNearMissEvidence(t *testing.T) {
	thingless := &Context{Region: testRegion, Account: testOwner, ClientID: "dev-7"}
	for name, tt := range map[string]struct {
		ctx     *Context
		docs    []string
		action  Action
		name    string
		effect  Effect
		code    string // of the decision; "" is not compared
		near    string
		warning string
		pattern string // of the near miss or warning
		says    string // part of its cause
		fix     string // part of its repair
	}{
		"no action": {
			docs: []string{allow("iot:Connect", "*")}, action: GetThingShadow, name: "dev-7", code: "policy.no_action",
		},
		"other resource": {
			docs: []string{allow("iot:GetThingShadow", testARN+"thing/dev-8")}, action: GetThingShadow, name: "dev-7",
			code: "policy.no_match", near: "policy.no_match", pattern: testARN + "thing/dev-8", says: "not thing/dev-7", fix: testARN + "thing/dev-7",
		},
		"wrong resource type": {
			docs: []string{allow("iot:GetThingShadow", testARN+"topic/dev-7")}, action: GetThingShadow, name: "dev-7",
			code: "policy.wrong_resource_type", near: "policy.wrong_resource_type", pattern: testARN + "topic/dev-7", says: "checked against thing/dev-7", fix: "write thing/ in place of topic/",
		},
		"wrong resource type, subscribe": {
			docs: []string{allow("iot:Subscribe", testARN+"topic/a")}, action: Subscribe, name: "a",
			code: "authz.subscribe.resource_type", near: "policy.wrong_resource_type", pattern: testARN + "topic/a", fix: "write topicfilter/ in place of topic/",
		},
		"partition": {
			docs: []string{allow("iot:Publish", "arn:aws-cn:iot:us-east-1:123456789012:topic/a")}, action: Publish, name: "a",
			code: "policy.arn.partition_mismatch", near: "policy.arn.partition_mismatch", says: `"aws-cn"`, fix: "write aws as partition",
		},
		"region": {
			docs: []string{allow("iot:Publish", "arn:aws:iot:eu-west-1:123456789012:topic/a")}, action: Publish, name: "a",
			code: "policy.arn.region_mismatch", near: "policy.arn.region_mismatch", says: `"eu-west-1"`, fix: "write us-east-1 as Region",
		},
		"account": {
			docs: []string{allow("iot:Publish", "arn:aws:iot:us-east-1:111122223333:topic/a")}, action: Publish, name: "a",
			code: "policy.arn.account_mismatch", near: "policy.arn.account_mismatch", says: `"111122223333"`, fix: "write 123456789012 as account",
		},
		"MQTT wildcard": {
			docs: []string{allow("iot:Publish", testARN+"topic/a/+/b")}, action: Publish, name: "a/x/b",
			code: "authz.publish", near: "policy.mqtt_wildcard", says: "plain characters", fix: "write *",
		},
		"broader filter": {
			docs: []string{allow("iot:Subscribe", testARN+"topicfilter/a/b")}, action: Subscribe, name: "a/#",
			code: "authz.subscribe", near: "policy.filter_broader_than_grant", says: "broader", fix: "topicfilter/a/#",
		},
		"condition": {
			docs: []string{allow("iot:Publish", "*", `{"StringEquals":{"iot:ClientId":"dev-8"}}`)}, action: Publish, name: "a",
			near: "policy.condition", pattern: `StringEquals iot:ClientId "dev-8"`, says: `wants "dev-8", the request has iot:ClientId "dev-7"`,
		},
		"condition key absent": {
			docs: []string{allow("iot:Publish", "*", `{"StringEquals":{"aws:SourceVpc":"vpc-1"}}`)}, action: Publish, name: "a",
			near: "policy.condition_key_absent", pattern: `StringEquals aws:SourceVpc "vpc-1"`, says: "its condition on aws:SourceVpc is false because the key has no value", fix: "connect through the VPC endpoint",
		},
		"explicit deny": {
			docs: []string{allow("iot:Publish", "*"), deny("iot:Publish", testARN+"topic/a")}, action: Publish, name: "a",
			effect: ExplicitDeny, code: "policy.explicit_deny", near: "policy.explicit_deny", says: "a deny wins", fix: "remove or narrow",
		},
		"former name of a jobs action": {
			docs: []string{allow("iot:GetPendingJobExecutions", "*")}, action: GetPendingJobs, name: "dev-7",
			near: "policy.prefix_old_jobs", says: "iot:GetPendingJobExecutions, the former name", fix: "write iotjobsdata:",
		},
		"retain": {
			docs: []string{allow("iot:Publish", testARN+"topic/a")}, action: RetainPublish, name: "a",
			code: "authz.retain_publish", near: "policy.retain_missing", says: "needs iot:RetainPublish", fix: "clear the retain flag",
		},
		"shared subscription": {
			docs: []string{allow("iot:Subscribe", testARN+"topicfilter/jobs/*")}, action: Subscribe, name: "$share/workers/jobs/x",
			code: "authz.subscribe", near: "policy.share_form", says: "jobs/x", fix: "grant topicfilter/$share/workers/jobs/x",
		},
		"a Deny whose variable has no value": {
			ctx:    thingless,
			docs:   []string{allow("iot:Publish", "*"), deny("iot:Publish", testARN+"topic/${iot:Connection.Thing.ThingName}/admin")},
			action: Publish, name: "dev-7/admin", effect: Allow, warning: "policy.deny_skipped_unresolved",
			pattern: testARN + "topic/${iot:Connection.Thing.ThingName}/admin", says: "does not apply because ${iot:Connection.Thing.ThingName} has no value",
		},
		"a Deny whose condition has no value": {
			ctx:    thingless,
			docs:   []string{allow("iot:Publish", "*"), deny("iot:Publish", "*", `{"StringEquals":{"iot:ClientId":"${iot:Connection.Thing.ThingName}"}}`)},
			action: Publish, name: "a", effect: Allow, warning: "policy.deny_skipped_unresolved", says: "has no value", fix: "without the variable",
		},
		"a filter steps around a Deny": {
			docs:   []string{allow("iot:Subscribe", "*"), deny("iot:Subscribe", testARN+"topicfilter/secret/*")},
			action: Subscribe, name: "#", effect: Allow, warning: "policy.subscribe_deny_hole",
			pattern: testARN + "topicfilter/secret/*", says: `"#" steps around`, fix: "deny iot:Receive on topic/secret/*",
		},
		"a filter beside a Deny": {
			docs:   []string{allow("iot:Subscribe", "*"), deny("iot:Subscribe", testARN+"topicfilter/secret/*")},
			action: Subscribe, name: "public/#", effect: Allow,
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := tt.ctx
			if ctx == nil {
				ctx = device()
			}
			d := compileTexts(t, tt.docs...).Bind(ctx).Explain(tt.action, tt.name)
			if d.Effect != tt.effect || tt.code != "" && d.Code != tt.code {
				t.Errorf("%v by %q, want %v by %q: %+v", d.Effect, d.Code, tt.effect, tt.code, d)
			}
			list, want := d.Near, tt.near
			if tt.warning != "" || tt.effect == Allow {
				list, want = d.Warnings, tt.warning
			}
			if want == "" {
				if len(list) > 0 && list[0].Code != "policy.no_match" {
					t.Errorf("got %+v, want nothing", list)
				}
				return
			}
			if len(list) == 0 {
				t.Fatalf("nothing found, want %s: %+v", want, d)
			}
			n := list[0]
			if n.Code != want || tt.pattern != "" && n.Pattern != tt.pattern || !strings.Contains(n.Cause, tt.says) || !strings.Contains(n.Fix, tt.fix) || n.Offered == "" && want != "policy.condition_key_absent" {
				t.Errorf("got %s, pattern %q, cause %q, fix %q\nwant code %s, pattern %q, cause with %q, fix with %q", n.Code, n.Pattern, n.Cause, n.Fix, want, tt.pattern, tt.says, tt.fix)
			}
		})
	}
}
