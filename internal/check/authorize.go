package check

// Denials of CONNECT: policy sheet 5, PROBLEMS group E.
var (
	connectExample = ev("reason", "Nothing allows it; closest is statement 1 of policy sensor-policy.", "action", "iot:Connect", "resource", iotExample("client/sensor-1"), "policies", "sensor-policy (version 1)",
		"policy", "sensor-policy", "pattern", iotExample("client/pump-*"))

	// AuthzConnectNoStatement is PROBLEMS E-02.
	AuthzConnectNoStatement = register(Check{
		Code: "authz.connect.no_statement", Stage: StageAuthorization, Severity: Refusal,
		Title:    "No policy statement has iot:Connect",
		Cause:    "None of the policies that count for this client<< ({policies})>> has a statement with iot:Connect, so nothing is allowed at all.",
		Device:   closedAfterConnect,
		Fix:      grantConnect,
		HiddenBy: nearMisses,
		Source:   "policy sheet 16 NO_ACTION; PROBLEMS E-02", Example: connectExample,
	})

	// AuthzConnectResourceType is PROBLEMS E-01, E-04.
	AuthzConnectResourceType = register(Check{
		Code: "authz.connect.resource_type", Stage: StageAuthorization, Severity: Refusal,
		Title:    "iot:Connect is allowed on the wrong type of resource",
		Cause:    "<<Policy {policy} has iot:Connect on {pattern}, which can never match: >>iot:Connect is checked against a client resource, here {resource}.",
		Device:   closedAfterConnect,
		Fix:      grantConnect,
		HiddenBy: []*Check{PolicyNoneAttached},
		Source:   "policy sheet 4; PROBLEMS E-01, E-04", Example: with(connectExample, "pattern", iotExample("topic/test")),
	})

	// AuthzConnectClientID is PROBLEMS E-03, E-16, E-17, E-19.
	AuthzConnectClientID = register(Check{
		Code: "authz.connect.client_id", Stage: StageAuthorization, Severity: Refusal,
		Title:    "The policies allow other client IDs",
		Cause:    "The client ID is {client_id}, and the policies allow another one<< ({pattern})>>.<< {reason}>>",
		Device:   closedAfterConnect,
		Advice:   "Give the device the client ID that its policy allows, or allow this one with the command. Greengrass adds #2 and so on to the thing name.",
		Fix:      grantConnect,
		HiddenBy: nearMisses,
		Source:   "policy sheet 5; PROBLEMS E-16, E-17, E-19", Example: with(connectExample, "reason", "The two differ from the first character on."),
	})

	// AuthzConnectClientIDEmpty is a generated client ID.
	AuthzConnectClientIDEmpty = register(Check{
		Code: "authz.connect.client_id_empty", Stage: StageAuthorization, Severity: Refusal,
		Title:    "The policies can't match a generated client ID",
		Cause:    "The device sent an empty client ID, so the server made one up<<, {assigned},>> and the policies do not allow it: only a grant on client/* would.",
		Device:   closedAfterConnect,
		Advice:   "Give the device a client ID of its own, the one that its policy allows.",
		Fix:      "aws iot list-attached-policies --target {principal_arn}",
		HiddenBy: []*Check{PolicyNoneAttached},
		Source:   "mqtt sheet 2.2", Example: with(connectExample, "assigned", "5d0b1c2e-8d2f-4a51-a0b3-94a9f2f5c0de"),
	})

	// AuthzConnect is the denial of which none of the others tells the cause.
	AuthzConnect = register(Check{
		Code: "authz.connect", Stage: StageAuthorization, Severity: Refusal,
		Title: "The policies do not allow this connection", Passed: "iot:Connect is allowed",
		Cause:    "The policies do not allow iot:Connect for the client ID {client_id}.<< {reason}>>",
		Device:   closedAfterConnect,
		Fix:      grantConnect,
		HiddenBy: append([]*Check{AuthzConnectNoStatement, AuthzConnectResourceType, AuthzConnectClientID, AuthzConnectClientIDEmpty}, nearMisses...),
		Source:   "policy sheet 5, 12; connect sheet 5.1 row 19", Example: with(connectExample, "reason", "A condition on aws:SourceIp does not hold."),
	})

	// AuthzPoliciesUnavailable is broken machinery, which denies.
	AuthzPoliciesUnavailable = register(Check{
		Code: "authz.policies_unavailable", Stage: StageAuthorization, Severity: Refusal,
		Title:  "The policies could not be read",
		Cause:  "The registry did not answer, and what can't be decided is denied<<: {error}>>.",
		Device: closedAfterConnect,
		Advice: "Look at Gatehouse's own log and at the disk of its data folder.",
		Fix:    "aws iot list-attached-policies --target {principal_arn}",
		Source: "DESIGN: default deny", Example: ev("error", "database is locked"),
	})

	willExample = ev("action", "iot:Publish", "resource", iotExample("topic/sensors/sensor-1/gone"), "topic", "sensors/sensor-1/gone",
		"policies", "sensor-policy (version 1)")

	// AuthzWillPublish is a last will that may not be published.
	AuthzWillPublish = register(Check{
		Code: "authz.will.publish", Stage: StageAuthorization, Severity: Refusal,
		Title: "The policies do not allow the topic of the last will", Passed: "The last will is allowed",
		Cause:    "iot:Connect is allowed, but the last will's topic needs iot:Publish on {resource}, which none of the policies<< {policies}>> allows.",
		Device:   closedAfterConnect,
		Fix:      grantPublish,
		HiddenBy: []*Check{PolicyNoneAttached},
		Source:   "policy sheet 5, 16 WILL_TOPIC", Example: willExample,
	})

	// AuthzWillRetain is a last will with the retain flag.
	AuthzWillRetain = register(Check{
		Code: "authz.will.retain", Stage: StageAuthorization, Severity: Refusal,
		Title:    "The policies do not allow a retained last will",
		Cause:    "The last will has the retain flag, which needs iot:RetainPublish on {resource}; none of the policies<< {policies}>> allows it.",
		Device:   closedAfterConnect,
		Advice:   "Or clear the retain flag of the last will.",
		Fix:      grantRetain,
		HiddenBy: []*Check{AuthzWillPublish, PolicyNoneAttached},
		Source:   "policy sheet 5; mqtt sheet 2.1 #9", Example: willExample,
	})
)

// Denials of PUBLISH, SUBSCRIBE and of delivery: PROBLEMS group G.
var (
	publishExample = ev("action", "iot:Publish", "topic", "sensors/sensor-1/temp", "resource", iotExample("topic/sensors/sensor-1/temp"),
		"policies", "sensor-policy (version 1)", "policy", "sensor-policy", "pattern", iotExample("topicfilter/sensors/*"), "reason", "The nearest statement allows topic/test/*.")

	// AuthzPublishResourceType is topicfilter where topic belongs.
	AuthzPublishResourceType = register(Check{
		Code: "authz.publish.resource_type", Stage: StageAuthorization, Severity: Refusal,
		Title:    "iot:Publish is allowed on the wrong type of resource",
		Cause:    "<<Policy {policy} has iot:Publish on {pattern}, which can never match: >>iot:Publish is checked against a topic resource, here {resource}.",
		Device:   refusedPublish,
		Fix:      grantPublish,
		HiddenBy: []*Check{PolicyNoneAttached},
		Source:   "policy sheet 4", Example: publishExample,
	})

	// AuthzPublish is PROBLEMS G-01.
	AuthzPublish = register(Check{
		Code: "authz.publish", Stage: StageAuthorization, Severity: Refusal,
		Title: "The policies do not allow this publish", Passed: "Publish allowed",
		Cause:    "The device published to {topic}, which its policies do not allow.<< {reason}>>",
		Device:   refusedPublish,
		Fix:      grantPublish,
		HiddenBy: append([]*Check{AuthzPublishResourceType}, nearMisses...),
		Source:   "policy sheet 5, 12; connect sheet 5.1 row 21; PROBLEMS G-01", Example: publishExample,
	})

	// AuthzRetainPublish is PROBLEMS G-11, G-13.
	AuthzRetainPublish = register(Check{
		Code: "authz.retain_publish", Stage: StageAuthorization, Severity: Refusal,
		Title: "The policies do not allow a retained message", Passed: "Retained publish allowed",
		Cause:    "iot:Publish on {topic} is allowed, but the retain flag needs iot:RetainPublish on {resource}, which none of the policies<< {policies}>> allows.",
		Device:   refusedPublish,
		Advice:   "Or clear the retain flag in the device. A bridge loses its whole connection by one such message.",
		Fix:      grantRetain,
		HiddenBy: []*Check{AuthzPublish, PolicyNoneAttached},
		Source:   "policy sheet 5, 16 RETAIN_MISSING; PROBLEMS G-11, G-13", Example: with(publishExample, "action", "iot:RetainPublish"),
	})

	subscribeExample = ev("action", "iot:Subscribe", "filter", "sensors/sensor-1/#", "resource", iotExample("topicfilter/sensors/sensor-1/#"),
		"policies", "sensor-policy (version 1)", "policy", "sensor-policy", "pattern", iotExample("topic/sensors/*"), "reason", "The nearest statement allows topicfilter/test/*.")

	// AuthzSubscribeResourceType is PROBLEMS G-03, G-04.
	AuthzSubscribeResourceType = register(Check{
		Code: "authz.subscribe.resource_type", Stage: StageAuthorization, Severity: Refusal,
		Title:    "iot:Subscribe is allowed on the wrong type of resource",
		Cause:    "<<Policy {policy} has iot:Subscribe on {pattern}, which can never match: >>iot:Subscribe is checked against a topicfilter resource, here {resource}.",
		Device:   refusedSubscribe,
		Fix:      grantSubscribe,
		HiddenBy: []*Check{PolicyNoneAttached},
		Source:   "policy sheet 4; PROBLEMS G-04", Example: subscribeExample,
	})

	// AuthzSubscribe is PROBLEMS G-02, G-07, G-10.
	AuthzSubscribe = register(Check{
		Code: "authz.subscribe", Stage: StageAuthorization, Severity: Refusal,
		Title: "The policies do not allow this subscription", Passed: "Subscription allowed",
		Cause:    "The device subscribed to {filter}, which its policies do not allow.<< {reason}>>",
		Device:   refusedSubscribe,
		Advice:   "MQTT tools subscribe to # and $SYS/# by default: take those out of their settings instead.",
		Fix:      grantSubscribe,
		HiddenBy: append([]*Check{AuthzSubscribeResourceType}, nearMisses...),
		Source:   "policy sheet 5, 12; connect sheet 5.1 row 22; PROBLEMS G-02, G-07, G-08, G-10", Example: subscribeExample,
	})

	receiveExample = ev("action", "iot:Receive", "topic", "sensors/sensor-1/cmd", "filter", "sensors/sensor-1/cmd",
		"resource", iotExample("topic/sensors/sensor-1/cmd"), "policies", "sensor-policy (version 1)")

	// AuthzReceiveMissing says at SUBSCRIBE what will never come. PROBLEMS G-05.
	AuthzReceiveMissing = register(Check{
		Code: "authz.receive_missing", Stage: StageAuthorization, Severity: Warning,
		Title:  "The subscription can never receive a message",
		Cause:  "The subscription to {filter} is allowed, but delivery needs iot:Receive on {resource}, which none of the policies<< {policies}>> allows. The device is not told.",
		Device: silent,
		Fix:    grant("allow-receive-{filter|slug}", "iot:Receive", "{resource|arn}"),
		Source: "policy sheet 5, 16 RECEIVE_MISSING; PROBLEMS G-05", Example: receiveExample,
	})

	// AuthzReceive is raised for each suppressed topic: the device can't see it.
	AuthzReceive = register(Check{
		Code: "authz.receive", Stage: StageAuthorization, Severity: Warning,
		Title: "A message was not delivered: the policies do not allow it", Passed: "Delivery allowed",
		Cause:    "A message on {topic} matched a subscription of the device<< ({filter})>>, but none of the policies<< {policies}>> allows iot:Receive on {resource}. It was dropped; the device is not told.",
		Device:   silent,
		Fix:      grantReceive,
		HiddenBy: []*Check{AuthzReceiveMissing},
		Source:   "policy sheet 5; connect sheet 5.1 row 23; PROBLEMS G-05", Example: receiveExample,
	})
)
