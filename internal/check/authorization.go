package check

// PolicyNoneAttached is PROBLEMS E-05, D-22: it explains every other denial.
var PolicyNoneAttached = register(Check{
	Code: "policy.none_attached", Stage: StageAuthorization, Severity: Refusal,
	Title: "No policy is attached",
	Cause: "No policy is attached to {principal_arn}, nor to a thing group of its thing; without a policy everything is denied." +
		"<< The certificate {predecessor} that it replaced had {predecessor_policies}.>>",
	Device: closedAfterConnect,
	Advice: "<<The command attaches what {predecessor} has.||The command allows what a device of this name usually needs. Attach a policy that exists, if there is one for such devices.>>",
	Fix: "<<aws iot attach-policy --policy-name {predecessor_policies} --target {principal_arn}||" +
		grantStatement("{client_id|slug}-policy",
			`{"Effect":"Allow","Action":"iot:Connect","Resource":"`+iotARN("client", "{client_id|arn}")+`"},`+
				`{"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":["`+iotARN("topic", "{client_id|arn}/*")+`","`+iotARN("topic", "*/{client_id|arn}/*")+`"]},`+
				`{"Effect":"Allow","Action":"iot:Subscribe","Resource":["`+iotARN("topicfilter", "{client_id|arn}/*")+`","`+iotARN("topicfilter", "*/{client_id|arn}/*")+`"]}`) + ">>",
	Source: "policy sheet 16 NO_POLICY; PROBLEMS E-05, D-22, C-10",
})

// Causes of a denial, wherever it happened. Policy sheet 16.
var (
	// PolicyVarUndefined is PROBLEMS E-13, K-02.
	PolicyVarUndefined = register(Check{
		Code: "policy.var.undefined", Stage: StageAuthorization, Severity: Refusal,
		Title:  "A policy variable has no value",
		Cause:  "Policy {policy} would allow {action}<< with {pattern}>>, but its variable {variable} has no value: {cause}.<< The certificate is attached to the thing {attached_thing}.>> A statement with such a variable never applies.",
		Device: closedAfterConnect,
		Advice: "<<Give the device the name of its thing as client ID: {attached_thing}.||Thing variables need three things: MQTT, a thing whose name is the client ID, and this certificate attached to it.>>",
		Fix: "<<mosquitto_pub -h {endpoint} -p {mqtt_port} " + asDevice + " -i {attached_thing} -t {attached_thing}/hello -m hello -q 1||" +
			"aws iot create-thing --thing-name {client_id}\naws iot attach-thing-principal --thing-name {client_id} --principal {principal_arn}>>",
		HiddenBy: []*Check{PolicyNoneAttached},
		Source:   "policy sheet 7, 16 UNRESOLVED_VARIABLE; PROBLEMS E-13, K-02",
		Example: ev("policy", "sensor-policy", "action", "iot:Connect", "pattern", iotExample("client/${iot:Connection.Thing.ThingName}"),
			"variable", "iot:Connection.Thing.ThingName", "cause", "the certificate is not attached to the thing sensor-1"),
	})

	// PolicyARNAccountMismatch is PROBLEMS E-11.
	PolicyARNAccountMismatch = register(Check{
		Code: "policy.arn.account_mismatch", Stage: StageAuthorization, Severity: Refusal,
		Title:    "A policy names another account",
		Cause:    "Policy {policy} has {pattern}; this account is {account}. All else in it would fit {resource}.",
		Device:   closedAfterConnect,
		Advice:   "Correct the account in the policy; examples are often copied with 123456789012 in them. The command adds what is missing meanwhile.",
		Fix:      grantTested,
		HiddenBy: []*Check{PolicyNoneAttached},
		Source:   "policy sheet 16 REGION_OR_ACCOUNT; PROBLEMS E-11",
		Example: ev("policy", "sensor-policy", "pattern", "arn:aws:iot:us-east-1:111122223333:client/sensor-1", "action", "iot:Connect",
			"resource", iotExample("client/sensor-1")),
	})

	// PolicyARNRegionMismatch is the same with the Region.
	PolicyARNRegionMismatch = register(Check{
		Code: "policy.arn.region_mismatch", Stage: StageAuthorization, Severity: Refusal,
		Title:    "A policy names another Region",
		Cause:    "Policy {policy} has {pattern}; this Region is {region}. All else in it would fit {resource}.",
		Device:   closedAfterConnect,
		Advice:   "Correct the Region in the policy. The command adds what is missing meanwhile.",
		Fix:      grantTested,
		HiddenBy: []*Check{PolicyNoneAttached},
		Source:   "policy sheet 16 REGION_OR_ACCOUNT",
		Example: ev("policy", "sensor-policy", "pattern", "arn:aws:iot:eu-west-1:123456789012:client/sensor-1", "action", "iot:Connect",
			"resource", iotExample("client/sensor-1")),
	})

	// PolicyARNPartitionMismatch is aws-cn for aws.
	PolicyARNPartitionMismatch = register(Check{
		Code: "policy.arn.partition_mismatch", Stage: StageAuthorization, Severity: Refusal,
		Title:    "A policy names another partition",
		Cause:    "Policy {policy} has {pattern}; ARNs here begin with arn:aws. All else in it would fit {resource}.",
		Device:   closedAfterConnect,
		Advice:   "Correct the partition in the policy. The command adds what is missing meanwhile.",
		Fix:      grantTested,
		HiddenBy: []*Check{PolicyNoneAttached},
		Source:   "policy sheet 16 REGION_OR_ACCOUNT",
		Example: ev("policy", "sensor-policy", "pattern", "arn:aws-cn:iot:us-east-1:123456789012:client/sensor-1", "action", "iot:Connect",
			"resource", iotExample("client/sensor-1")),
	})

	// PolicyExplicitDeny wins over every Allow.
	PolicyExplicitDeny = register(Check{
		Code: "policy.explicit_deny", Stage: StageAuthorization, Severity: Refusal,
		Title:  "A policy statement denies it",
		Cause:  "Statement {statement} of policy {policy} denies {action} on {resource}. A Deny wins over every Allow.",
		Device: closedAfterConnect,
		Advice: "If the Deny is not meant for this device, narrow the statement with create-policy-version, or detach the policy with the command.",
		Fix:    "aws iot detach-policy --policy-name {policy} --target {principal_arn}",
		Source: "policy sheet 10, 16 EXPLICIT_DENY",
		Example: ev("policy", "quarantine", "statement", "1", "action", "iot:Connect", "resource",
			iotExample("client/sensor-1")),
	})

	policyExample = ev("policy", "sensor-policy", "action", "iot:Publish", "resource", iotExample("topic/sensors/sensor-1/temp"),
		"pattern", iotExample("topic/Sensors/sensor-1/temp"), "statement", "2")

	// PolicyNoAction is the plainest cause.
	PolicyNoAction = register(Check{
		Code: "policy.no_action", Stage: StageAuthorization, Severity: Refusal,
		Title:    "No statement has the action",
		Cause:    "None of the policies<< {policies}>> has a statement with {action}.",
		Device:   closedAfterConnect,
		Fix:      grantTested,
		HiddenBy: []*Check{PolicyNoneAttached},
		Source:   "policy sheet 16 NO_ACTION", Example: with(policyExample, "policies", "sensor-policy (version 1)"),
	})

	// PolicyWrongResourceType is topic for topicfilter, or client for thing.
	PolicyWrongResourceType = register(Check{
		Code: "policy.wrong_resource_type", Stage: StageAuthorization, Severity: Refusal,
		Title:    "A statement names the wrong type of resource",
		Cause:    "Policy {policy} has {action} on {pattern}; {action} is checked against {resource}. This statement can never match it.",
		Device:   closedAfterConnect,
		Advice:   "Connect takes client/, Publish, Receive and RetainPublish take topic/, Subscribe takes topicfilter/.",
		Fix:      grantTested,
		HiddenBy: []*Check{PolicyNoneAttached},
		Source:   "policy sheet 4, 16 WRONG_RESOURCE_TYPE", Example: with(policyExample, "pattern", iotExample("topicfilter/sensors/sensor-1/temp")),
	})

	// PolicyMQTTWildcard takes + and # for policy wildcards.
	PolicyMQTTWildcard = register(Check{
		Code: "policy.mqtt_wildcard", Stage: StageAuthorization, Severity: Refusal,
		Title:    "A policy uses an MQTT wildcard as its own",
		Cause:    "Policy {policy} has {pattern}; + and # have no meaning in a policy, where * stands for any text. It was compared with {resource}.",
		Device:   closedAfterConnect,
		Advice:   "Write * in place of + and #; it is wider, because it passes over slashes.",
		Fix:      grantTested,
		HiddenBy: []*Check{PolicyNoneAttached},
		Source:   "policy sheet 6, 16 MQTT_WILDCARD_IN_POLICY", Example: with(policyExample, "pattern", iotExample("topic/sensors/+/temp")),
	})

	// PolicyFilterBroader is PROBLEMS G-08.
	PolicyFilterBroader = register(Check{
		Code: "policy.filter_broader_than_grant", Stage: StageAuthorization, Severity: Refusal,
		Title:    "The filter is broader than what is granted",
		Cause:    "The filter<< {filter}>> is tested as it is written, against {pattern} of policy {policy}: a wildcard filter is a question of its own, not the sum of the topics that are allowed.",
		Device:   refusedSubscribe,
		Advice:   "Subscribe to the narrower filter, or grant exactly this one with the command. MQTT tools subscribe to # by default: take it out of their settings.",
		Fix:      grantTested,
		HiddenBy: []*Check{PolicyNoneAttached},
		Source:   "policy sheet 6.2, 16 FILTER_BROADER_THAN_GRANT; PROBLEMS G-08",
		Example: with(policyExample, "action", "iot:Subscribe", "filter", "sensors/#", "resource", iotExample("topicfilter/sensors/#"),
			"pattern", iotExample("topicfilter/sensors/sensor-1/temp")),
	})

	// PolicyCase is sensor for Sensor.
	PolicyCase = register(Check{
		Code: "policy.case", Stage: StageAuthorization, Severity: Refusal,
		Title:    "Upper and lower case differ",
		Cause:    "Policy {policy} has {pattern}; tested was {resource}. They differ only in upper and lower case.",
		Device:   closedAfterConnect,
		Advice:   "Write both alike; the command grants what the device uses.",
		Fix:      grantTested,
		HiddenBy: []*Check{PolicyNoneAttached},
		Source:   "policy sheet 16 CASE", Example: policyExample,
	})

	// PolicySlash is /a for a.
	PolicySlash = register(Check{
		Code: "policy.slash", Stage: StageAuthorization, Severity: Refusal,
		Title:    "A slash too many or too few",
		Cause:    "Policy {policy} has {pattern}; tested was {resource}. They differ only in a slash at the begin or end, and /a, a and a/ are three topics.",
		Device:   closedAfterConnect,
		Advice:   "Take the slash away in the device; the command grants what it uses now.",
		Fix:      grantTested,
		HiddenBy: []*Check{PolicyNoneAttached},
		Source:   "policy sheet 16 SLASH", Example: with(policyExample, "pattern", iotExample("topic/sensors/sensor-1/temp/")),
	})

	// PolicyCondition is a condition that is false.
	PolicyCondition = register(Check{
		Code: "policy.condition", Stage: StageAuthorization, Severity: Refusal,
		Title:    "A condition is not fulfilled",
		Cause:    "Policy {policy} would allow {action}, but its condition does not hold<<: {pattern}>>.<< {reason}>>",
		Device:   closedAfterConnect,
		Advice:   "Change the condition, or what it asks about.",
		Fix:      grantTested,
		HiddenBy: []*Check{PolicyNoneAttached},
		Source:   "policy sheet 9, 16 CONDITION",
		Example:  with(policyExample, "pattern", "IpAddress aws:SourceIp 10.0.0.0/8", "reason", "aws:SourceIp is 192.0.2.17."),
	})

	// PolicyConditionKeyAbsent is a condition on what this request does not have.
	PolicyConditionKeyAbsent = register(Check{
		Code: "policy.condition_key_absent", Stage: StageAuthorization, Severity: Refusal,
		Title:    "A condition asks for a key that this request does not have",
		Cause:    "Policy {policy} would allow {action}, but its condition asks for {key}, which requests of this kind do not have<<: {cause}>>.",
		Device:   closedAfterConnect,
		Advice:   "Use the operator with IfExists, or another key.",
		Fix:      grantTested,
		HiddenBy: []*Check{PolicyNoneAttached},
		Source:   "policy sheet 9, 16 CONDITION_KEY_ABSENT", Example: with(policyExample, "key", "aws:SourceVpc", "cause", "the connection did not come through a VPC endpoint"),
	})

	// PolicyDenySkipped is a Deny that does not protect.
	PolicyDenySkipped = register(Check{
		Code: "policy.deny_skipped_unresolved", Stage: StageAuthorization, Severity: Warning,
		Title:  "A Deny does not apply, because its variable has no value",
		Cause:  "Policy {policy} would deny {action} with {pattern}, but {variable} has no value, so the statement is passed over.",
		Device: works,
		Advice: "Write the Deny without a variable.",
		Fix:    readPolicy,
		Source: "policy sheet 7.7, 16 DENY_SKIPPED_UNRESOLVED", Example: with(policyExample, "variable", "iot:Connection.Thing.Attributes[site]"),
	})

	// PolicyGroupNotApplied is a group policy that the client ID keeps away.
	PolicyGroupNotApplied = register(Check{
		Code: "policy.group_not_applied", Stage: StageAuthorization, Severity: Warning,
		Title:  "A group policy does not apply to this connection",
		Cause:  "Policy {policy} of the thing group {group} would have changed the answer, but the client ID {client_id} is not the name of the thing<< {required}>>, so the connection belongs to no thing.",
		Device: closedAfterConnect,
		Advice: "Connect with the thing name as client ID, or attach the certificate to the thing exclusively.",
		Fix:    "aws iot list-principal-things --principal {principal_arn}",
		Source: "policy sheet 8, 16 GROUP_POLICY_NOT_APPLIED", Example: with(policyExample, "group", "pumps", "required", "pump-7"),
	})

	// PolicyPrefixOldJobs is iot: for iotjobsdata:.
	PolicyPrefixOldJobs = register(Check{
		Code: "policy.prefix_old_jobs", Stage: StageAuthorization, Severity: Refusal,
		Title:  "A policy uses the old prefix of the jobs actions",
		Cause:  "Policy {policy} grants {pattern}; the request needs {action}.",
		Device: Device{HTTPS: "403 ForbiddenException."},
		Advice: "Write iotjobsdata: in place of iot: for DescribeJobExecution, GetPendingJobExecutions, StartNextPendingJobExecution and UpdateJobExecution.",
		Fix:    grantTested,
		Source: "policy sheet 16 PREFIX_OLD_JOBS",
		Example: with(policyExample, "action", "iotjobsdata:DescribeJobExecution", "pattern", "iot:DescribeJobExecution",
			"resource", iotExample("thing/sensor-1")),
	})

	// PolicyRetainMissing is Publish without RetainPublish.
	PolicyRetainMissing = register(Check{
		Code: "policy.retain_missing", Stage: StageAuthorization, Severity: Refusal,
		Title:    "iot:RetainPublish is missing",
		Cause:    "iot:Publish on {resource} is allowed, but the retain flag needs iot:RetainPublish as well.",
		Device:   refusedPublish,
		Advice:   "Or clear the retain flag in the device.",
		Fix:      grant("allow-{resource|slug}", "iot:RetainPublish", "{resource|arn}"),
		HiddenBy: []*Check{PolicyNoneAttached},
		Source:   "policy sheet 16 RETAIN_MISSING", Example: policyExample,
	})

	// PolicySubscribeDenyHole is a Deny that a wider filter walks around.
	PolicySubscribeDenyHole = register(Check{
		Code: "policy.subscribe_deny_hole", Stage: StageAuthorization, Severity: Warning,
		Title:  "A Deny on a topic filter is passed by a wider filter",
		Cause:  "Policy {policy} denies {pattern}, but the filter {filter} was allowed and receives those messages too.",
		Device: works,
		Advice: "Deny iot:Receive on the topic instead: that is checked for every message.",
		Fix:    readPolicy,
		Source: "policy sheet 6.3, 16 SUBSCRIBE_DENY_HOLE", Example: with(policyExample, "filter", "#", "pattern", iotExample("topicfilter/secret/*")),
	})

	// PolicyShareForm is $share, which a policy sees.
	PolicyShareForm = register(Check{
		Code: "policy.share_form", Stage: StageAuthorization, Severity: Refusal,
		Title:    "A shared subscription needs its own grant",
		Cause:    "Policy {policy} grants {pattern}; a shared subscription is tested as {resource}.",
		Device:   refusedSubscribe,
		Fix:      grantTested,
		HiddenBy: []*Check{PolicyNoneAttached},
		Source:   "policy sheet 16 SHARE_FORM",
		Example: with(policyExample, "action", "iot:Subscribe", "pattern", iotExample("topicfilter/jobs/*"),
			"resource", iotExample("topicfilter/$share/workers/jobs/*")),
	})

	// PolicyNotDefaultVersion is a repair that was never switched on.
	PolicyNotDefaultVersion = register(Check{
		Code: "policy.not_default_version", Stage: StageAuthorization, Severity: Refusal,
		Title:    "Another version of the policy would allow it",
		Cause:    "Version {version} of policy {policy} would allow {action} on {resource}, but it is not the default version.",
		Device:   closedAfterConnect,
		Fix:      "aws iot set-default-policy-version --policy-name {policy} --policy-version-id {version}",
		HiddenBy: []*Check{PolicyNoneAttached},
		Source:   "policy sheet 16 NOT_DEFAULT_VERSION", Example: with(policyExample, "version", "3"),
	})

	// PolicyRecentChange warns whoever compares with AWS.
	PolicyRecentChange = register(Check{
		Code: "policy.recent_change", Stage: StageAuthorization, Severity: Note,
		Title:  "A policy changed a moment ago",
		Cause:  "Policy {policy} or its attachment changed {changed} ago; before that it did not refuse this. Here that counts at once; AWS may use the former state for up to 8 minutes.",
		Device: Device{MQTT311: "Here it is refused; at AWS the same may still work for some minutes.", MQTT5: "Here it is refused; at AWS the same may still work for some minutes."},
		Advice: "At AWS, wait some minutes before you draw conclusions.",
		Fix:    "aws iot list-policy-versions --policy-name {policy}",
		Source: "policy sheet 1, 16 RECENT_CHANGE", Example: with(policyExample, "changed", "40s"),
	})
)

// nearMisses are the causes that say more than the denial itself.
var nearMisses = []*Check{
	PolicyNoneAttached, PolicyExplicitDeny, PolicyVarUndefined, PolicyARNAccountMismatch, PolicyARNRegionMismatch, PolicyARNPartitionMismatch, PolicyMQTTWildcard,
	PolicyFilterBroader, PolicyCase, PolicySlash, PolicyCondition, PolicyConditionKeyAbsent, PolicyShareForm, PolicyNotDefaultVersion, PolicyPrefixOldJobs,
}

// iotExample is a resource of the example account.
func iotExample(resource string) string { return "arn:aws:iot:us-east-1:123456789012:" + resource }

// with returns example evidence with some of it replaced.
func with(example map[string]string, pairs ...string) map[string]string {
	m := ev(pairs...)
	for k, v := range example {
		if _, replaced := m[k]; !replaced {
			m[k] = v
		}
	}
	return m
}

// PolicyNoMatch is the denial without a better name: of actions other than
// those of MQTT.
var PolicyNoMatch = register(Check{
	Code: "policy.no_match", Stage: StageAuthorization, Severity: Refusal,
	Title:    "The policies have the action on other resources",
	Cause:    "Policy {policy} has {action}<< on {pattern}>>, which does not cover {resource}.",
	Device:   closedAfterConnect,
	Fix:      grantTested,
	HiddenBy: []*Check{PolicyNoneAttached},
	Source:   "policy sheet 6, 10", Example: with(policyExample, "pattern", iotExample("thing/sensor-2")),
})
