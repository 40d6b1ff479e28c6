package check

import "strings"

// Findings of `gatehouse policy check`: what is doubtful about a policy document
// before any device has connected. They never belong to an attempt. Package
// policy raises them by their code, which a test compares with this file.

// lintPolicy shows the finding with its place in the document.
const lintPolicy = "aws iot get-policy --policy-name {policy} --query policyDocument --output text | gatehouse policy check -"

// Lint tells whether c is a finding about a policy document, made by
// `gatehouse policy check`: no attempt ever has it.
func (c *Check) Lint() bool { return c == PolicyMalformed || strings.HasPrefix(c.Code, "policy.lint.") }

// malformedPolicy is a document that the API does not take: nothing changes for devices.
var malformedPolicy = Device{
	MQTT311: "Nothing yet: the policy that is in place stays.", MQTT5: "Nothing yet: the policy that is in place stays.",
	HTTPS: "The control plane answers 400 MalformedPolicyException.",
}

// neverApplies is a grant that has no effect.
var neverApplies = Device{MQTT311: closedAfterConnect.MQTT311, MQTT5: "CONNACK, PUBACK or SUBACK 0x87 (not authorized).", HTTPS: closedAfterConnect.HTTPS}

// lint registers a finding of the lint. example replaces what all have in common.
func lint(name string, severity Severity, title, cause, advice string, device Device, source string, example ...string) *Check {
	return register(Check{
		Code: "policy.lint." + name, Stage: StageAuthorization, Severity: severity,
		Title: title, Cause: cause, Device: device, Advice: advice, Fix: lintPolicy, Source: source,
		Example: with(policyExample, example...),
	})
}

// Checks of a document's form.
var (
	// PolicyMalformed is what CreatePolicy refuses.
	PolicyMalformed = register(Check{
		Code: "policy.malformed", Stage: StageAuthorization, Severity: Refusal,
		Title:  "The policy document is malformed",
		Cause:  "The document is not a policy: {reason}.",
		Device: malformedPolicy,
		Advice: "Correct the document at the line and column that the command prints.",
		Fix:    "gatehouse policy check {policy}.json",
		Source: "policy sheet 2, 14", Example: ev("policy", "sensor-policy", "reason", "trailing comma before ']'"),
	})

	PolicyLintVersion = lint("version", Warning, "The document's Version is not 2012-10-17",
		"Policy {policy} has no Version 2012-10-17, so that ${...} in {pattern} is plain text and not a variable.",
		`Set "Version" to "2012-10-17".`, neverApplies, "policy sheet 2, 7", "pattern", iotExample("client/${iot:Connection.Thing.ThingName}"))

	PolicyLintDuplicateSid = lint("duplicate_sid", Warning, "Two statements have the same Sid",
		"Statement {statement} of policy {policy} has the Sid of another one, so that reports can't tell them apart.",
		"Give every statement its own Sid.", works, "policy sheet 2")

	PolicyLintActionForm = lint("action_form", Warning, "An action is not written as service:Operation",
		"Policy {policy} has the action {action}: without a service, or with a wildcard in it, it never matches.",
		"Write service:Operation, for example iot:Publish; wildcards stand in the operation alone.", neverApplies, "policy sheet 4", "action", "Publish")

	PolicyLintActionUnknown = lint("action_unknown", Note, "An action is nothing that is checked for devices",
		"Policy {policy} has the action {action}, which AWS IoT Core checks for no device.",
		"Remove it, or correct its spelling.", works, "policy sheet 4", "action", "iot:Pubish")

	PolicyLintActionCase = lint("action_case", Warning, "An action is not written as it is documented",
		"Policy {policy} has the action {action}, which is documented with other capital letters.",
		"Write it as documented.", works, "policy sheet 4", "action", "iot:publish")

	PolicyLintPrefixOldJobs = lint("prefix_old_jobs", Warning, "A jobs action has its former prefix",
		"Policy {policy} has the action {action}; the jobs actions of devices begin with iotjobsdata: now, and the former name grants nothing.",
		"Write iotjobsdata: in place of iot:.", neverApplies, "policy sheet 4, 16 PREFIX_OLD_JOBS", "action", "iot:GetPendingJobExecutions")

	PolicyLintShortARN = lint("short_arn", Warning, "An ARN has fewer than six parts",
		"Policy {policy} has {pattern}. Its last star stands for the rest here; AWS does not say what it does.",
		"Write all six parts of the ARN.", works, "policy sheet 6", "pattern", "arn:aws:iot:*")

	PolicyLintResourceService = lint("resource_service", Warning, "An ARN is of another service",
		"Policy {policy} has {pattern}, which names a service that no request of a device names: it never matches.",
		"Write iot as third part of the ARN.", neverApplies, "policy sheet 6", "pattern", "arn:aws:greengrass:us-east-1:123456789012:topic/a")

	PolicyLintARNRegion = lint("arn_region", Warning, "The Region of an ARN is none",
		"Policy {policy} has {pattern}, whose fourth part is no Region: it never matches.",
		"Write the Region, here {region}.", neverApplies, "policy sheet 6", "pattern", "arn:aws:iot:REGION:123456789012:topic/a")

	PolicyLintARNAccount = lint("arn_account", Warning, "The account of an ARN is none",
		"Policy {policy} has {pattern}, whose fifth part is no account: it never matches.",
		"Write the twelve digits of the account, here {account}.", neverApplies, "policy sheet 6", "pattern", "arn:aws:iot:us-east-1:ACCOUNT:topic/a")
)

// Checks of variables, types and conditions.
var (
	PolicyLintVariableUnknown = lint("variable_unknown", Warning, "A policy variable does not exist",
		"Policy {policy} has {pattern}: there is no variable {variable}, so that the resource never matches.",
		"Correct the name: ${iot:Connection.Thing.ThingName}, ${iot:ClientId} and others.", neverApplies, "policy sheet 7",
		"pattern", iotExample("client/${iot:ThingName}"), "variable", "iot:ThingName")

	PolicyLintVariableMulti = lint("variable_multi", Warning, "A variable with several values stands in a resource",
		"Policy {policy} has {pattern}: {variable} has several values, so that the resource never matches.",
		"Use the key in a condition, with ForAnyValue or ForAllValues.", neverApplies, "policy sheet 7.4",
		"pattern", iotExample("topic/${iot:Certificate.AvailableKeys}/*"), "variable", "iot:Certificate.AvailableKeys")

	PolicyLintDenyVariable = lint("deny_variable", Warning, "A Deny has a variable",
		"Policy {policy} denies {pattern}; for a connection for which {variable} has no value, this Deny does not apply.",
		"Write the Deny without the variable.", works, "policy sheet 7.7, 16 DENY_SKIPPED_UNRESOLVED",
		"pattern", iotExample("topic/${iot:Connection.Thing.ThingName}/admin"), "variable", "iot:Connection.Thing.ThingName")

	PolicyLintMQTTWildcard = lint("mqtt_wildcard", Warning, "A topic has an MQTT wildcard",
		"Policy {policy} has {pattern}; + and # are plain characters in a policy, and no topic contains them: it never matches.",
		"Write * in place of + and #.", neverApplies, "policy sheet 6.3, 16 MQTT_WILDCARD_IN_POLICY", "pattern", iotExample("topic/sensors/+/temp"))

	PolicyLintMQTTWildcardInDeny = lint("mqtt_wildcard_in_deny", Warning, "A Deny names an MQTT filter",
		"Policy {policy} denies {pattern}: that one filter, not the topics that it delivers.",
		"Deny iot:Receive on the topics, with * as wildcard.", works, "policy sheet 6.3", "pattern", iotExample("topicfilter/secret/#"))

	PolicyLintResourceType = lint("resource_type", Warning, "An action and its resource do not fit",
		"Policy {policy} has {action} with {pattern}; {action} is never checked against a resource of that type.",
		"Connect takes client/, Publish, Receive and RetainPublish take topic/, Subscribe takes topicfilter/.", neverApplies, "policy sheet 4, 16 WRONG_RESOURCE_TYPE",
		"pattern", iotExample("topicfilter/sensors/*"))

	PolicyLintConditionKeyUnknown = lint("condition_key_unknown", Warning, "A condition key does not exist",
		"Policy {policy} has a condition on {key}, which AWS IoT Core does not know: it never has a value.",
		"Correct the key.", neverApplies, "policy sheet 9", "key", "iot:ThingName")

	PolicyLintMultiValuedKey = lint("multi_valued_key", Warning, "A key with several values stands in a plain condition",
		"Policy {policy} compares {key}, which has several values, with an operator for one.",
		"Put ForAllValues: or ForAnyValue: before the operator.", works, "policy sheet 9", "key", "iot:ConnectAttributes")

	PolicyLintConditionEmpty = lint("condition_empty", Warning, "A condition has no values",
		"Policy {policy} has a condition on {key} without a value to compare with.",
		"Name a value.", neverApplies, "policy sheet 9", "key", "aws:SourceIp")

	PolicyLintConditionValue = lint("condition_value", Warning, "A condition has a value of the wrong kind",
		"Policy {policy} has {pattern}: the operator can't compare with this value, so that it never matches.",
		"Write a value that the operator takes: a number, a date, true or false, a network.", neverApplies, "policy sheet 9",
		"pattern", "IpAddress aws:SourceIp office")
)

// Checks of what the documents of one principal allow together.
var (
	PolicyLintOverlyPermissive = lint("overly_permissive", Warning, "A policy allows everything",
		"Policy {policy} allows {action} by {pattern}: whoever has one device's key may act as every device.",
		"Narrow it to the thing name: client/${iot:Connection.Thing.ThingName}, topic/${iot:Connection.Thing.ThingName}/*.", works,
		"policy sheet 16 OVERLY_PERMISSIVE", "pattern", "*")

	PolicyLintSelfMatchingClientID = lint("self_matching_client_id", Warning, "A policy allows whatever client ID the device sends",
		"Policy {policy} has {pattern}: the variable is the client ID that the device chose, so that it is as wide as client/*.",
		"Write client/${iot:Connection.Thing.ThingName}, which the attachment decides.", works,
		"PROBLEMS E-23", "action", "iot:Connect", "pattern", iotExample("client/${iot:ClientId}"))

	PolicyLintClientIDInjection = lint("client_id_injection", Warning, "A device can choose what it is allowed",
		"Policy {policy} has {pattern} and lets the device choose any client ID, so that it chooses its rights with it.",
		"Use ${iot:Connection.Thing.ThingName}, which the attachment decides, or list the client IDs.", works,
		"policy sheet 16 CLIENTID_INJECTION; PROBLEMS E-23", "pattern", iotExample("topic/${iot:ClientId}/*"))

	PolicyLintReceiveMissing = lint("receive_missing", Warning, "A policy lets devices subscribe and never receive",
		"Policy {policy} allows iot:Subscribe, and no policy allows iot:Receive: subscriptions succeed, and no message ever arrives.",
		"Allow iot:Receive on topic/... for the same topics.", silent, "policy sheet 16 RECEIVE_MISSING; PROBLEMS G-05")

	PolicyLintSubscribeDenyHole = lint("subscribe_deny_hole", Warning, "A wider filter steps around a Deny",
		"Policy {policy} denies {pattern}, and the filter {filter} is allowed, which delivers the same messages.",
		"Deny iot:Receive on the topics instead: that is checked for every message.", works,
		"policy sheet 6.3, 16 SUBSCRIBE_DENY_HOLE", "filter", "#", "pattern", iotExample("topicfilter/secret/*"))
)
