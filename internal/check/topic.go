package check

// Checks of topic names and filters: mqtt sheet 15.
var (
	// TopicInvalid is a topic name that MQTT does not allow.
	TopicInvalid = register(Check{
		Code: "topic.invalid", Stage: StageProtocol, Severity: Refusal,
		Title:  "The topic name is not valid",
		Cause:  "The topic name {topic} is not valid: {reason}.",
		Device: answered("The connection is closed after PUBLISH, without PUBACK.", "QoS 1: PUBACK 0x90 (topic name invalid). QoS 0: DISCONNECT 0x90."),
		Advice: "A topic name has no + and #, no NUL, and at least one character.",
		Fix:    publishAs + " -t {client_id}/hello -m hello -q 1",
		Source: "mqtt sheet 5.1 #5", Example: ev("topic", "sensors/+/temp", "reason", "it contains +"),
	})

	// TopicFilterInvalid is a filter that MQTT does not allow.
	TopicFilterInvalid = register(Check{
		Code: "topic.filter_invalid", Stage: StageProtocol, Severity: Refusal,
		Title:  "The topic filter is not valid",
		Cause:  "The topic filter {filter} is not valid: {reason}.",
		Device: answered("The connection is closed after SUBSCRIBE, without SUBACK.", "SUBACK 0x8F (topic filter invalid) for this filter."),
		Advice: "+ stands for one whole level, # for all that follow and only at the end.",
		Fix:    watch,
		Source: "mqtt sheet 6.1, 6.2", Example: ev("filter", "sensors/#/temp", "reason", "# is not the last level"),
	})

	// TopicReserved is a documented topic on which this operation is not possible,
	// or one of another broker. PROBLEMS G-14.
	TopicReserved = register(Check{
		Code: "topic.reserved", Stage: StageProtocol, Severity: Refusal,
		Title:  "The topic is reserved",
		Cause:  "<<{topic} is reserved, as are all topics that start with $>><<{filter} is reserved, as are all topics that start with $>><<: {reason}>>.<< {required}.>>",
		Device: answered("The connection is closed, without PUBACK or SUBACK.", "PUBACK 0x90, SUBACK 0x8F or DISCONNECT 0x90."),
		Advice: "Use a topic that does not start with $<<, or the documented topic {nearest}>>. Bridges of mosquitto: notifications false.",
		Fix:    publishAs + " -t {client_id}/hello -m hello -q 1",
		Source: "mqtt sheet 15.2; PROBLEMS G-14",
		Example: ev("topic", "$aws/things/sensor-1/shadow/update/accepted", "reason", "it can not be published by clients",
			"nearest", "$aws/things/sensor-1/shadow/update", "filter", ""),
	})

	// TopicReservedUnsupported is PROBLEMS G-07, G-16.
	TopicReservedUnsupported = register(Check{
		Code: "topic.reserved_unsupported", Stage: StageProtocol, Severity: Refusal,
		Title:  "The reserved topic does not exist",
		Cause:  "<<{topic} >><<{filter} >>starts with $, but is none of the topics that AWS IoT documents.<< The nearest is {nearest}.>>",
		Device: TopicReserved.Device,
		Advice: "Use a documented topic. MQTT tools subscribe to # and $SYS/# by default: take those out of their settings.",
		Fix:    publishAs + " -t {client_id}/hello -m hello -q 1",
		Source: "mqtt sheet 15.2; PROBLEMS G-07, G-16", Example: ev("topic", "$aws/things/sensor-1/shadow/updates", "filter", "", "nearest", "$aws/things/sensor-1/shadow/update"),
	})

	// TopicReservedRetain is a retain flag where it is not allowed.
	TopicReservedRetain = register(Check{
		Code: "topic.reserved_retain", Stage: StageProtocol, Severity: Refusal,
		Title:  "A reserved topic can't be retained",
		Cause:  "The device published to the reserved topic {topic} with the retain flag.",
		Device: TopicInvalid.Device,
		Advice: "Clear the retain flag: shadows keep their state without it.",
		Fix:    watch,
		Source: "mqtt sheet 5.1 #7", Example: ev("topic", "$aws/things/sensor-1/shadow/update"),
	})

	// TopicServiceNotBuilt is a promise of a later version.
	TopicServiceNotBuilt = register(Check{
		Code: "topic.service_not_built", Stage: StageProtocol, Severity: Warning,
		Title:  "The service behind the reserved topic is not built yet",
		Cause:  "<<The message on {topic}>><<The subscription to {filter}>> was accepted, but {service} is not built in this version of Gatehouse: nothing acts on the topic, and nothing answers.",
		Device: Device{MQTT311: "PUBACK or SUBACK, and no answer ever.", MQTT5: "PUBACK or SUBACK, and no answer ever.", Clients: []Client{{"AWS SDK v2", "a time-out of the service client"}}},
		Advice: "Leave the service out of what you test against this version.",
		Fix:    watch,
		Source: "mqtt sheet 15.2", Example: ev("topic", "$aws/things/sensor-1/shadow/get", "filter", "", "service", "Device Shadow"),
	})
)
