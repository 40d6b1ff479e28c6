package check

// Limits on what an account's clients hold and do together, and on retained
// messages; --limits open lifts all but the smallest packet: mqtt sheet 8, 10, 19, 20.
var (
	// LimitConnections counts the connections of the account.
	LimitConnections = register(Check{
		Code: "limit.connections.account", Stage: StageSession, Severity: Refusal,
		Title:  "Too many connections in the account",
		Cause:  "{offered} clients of the account are connected; the limit is {required}.",
		Device: throttled,
		Advice: "At AWS the limit can be raised; here: gatehouse up --limits open.",
		Fix:    "gatehouse explain --last",
		Source: "mqtt sheet 19", Example: ev("offered", "500000", "required", "500000"),
	})

	// LimitPacketMinimum is a promise that no broker can keep.
	LimitPacketMinimum = register(Check{
		Code: "limit.packet_minimum", Stage: StageProtocol, Severity: Refusal,
		Title:  "The device's maximum packet size is too small",
		Cause:  "The device's CONNECT has the Maximum Packet Size {offered}; the smallest that is taken is {required} bytes.",
		Device: Device{MQTT5: "CONNACK 0x97 (quota exceeded), then close."},
		Advice: "Leave the property out of the CONNECT, or raise it.",
		Fix:    watch,
		Source: "mqtt sheet 11.1, 19", Example: ev("offered", "256", "required", "1024"),
	})

	// LimitPublishOutRateAccount counts deliveries.
	LimitPublishOutRateAccount = register(Check{
		Code: "limit.publish_out_rate.account", Stage: StageDelivery, Severity: Warning,
		Title:  "Too many deliveries per second in the account",
		Cause:  "A message<< on {topic}>> for the device found the account's limit of deliveries used up: {required}. It was dropped (QoS 0) or waits (QoS 1).",
		Device: silent,
		Advice: "At AWS the limit can be raised; here: gatehouse up --limits open.",
		Fix:    watch,
		Source: "mqtt sheet 19, 20", Example: ev("topic", "sensors/all", "required", "20000 a second"),
	})

	// LimitSubscriptionsAccount counts those of all clients.
	LimitSubscriptionsAccount = register(Check{
		Code: "limit.subscriptions.account", Stage: StageSession, Severity: Refusal,
		Title:  "Too many subscriptions in the account",
		Cause:  "The clients of the account have {offered} subscriptions; the limit is {required}, so that {filter} was refused.",
		Device: LimitSubscriptions.Device,
		Advice: "Use wildcards. At AWS the limit can be raised; here: gatehouse up --limits open.",
		Fix:    watch,
		Source: "mqtt sheet 19", Example: ev("filter", "sensors/sensor-1/cmd", "offered", "500000", "required", "500000"),
	})

	// LimitSharedGroupMembers counts the subscriptions of one group.
	LimitSharedGroupMembers = register(Check{
		Code: "limit.shared_group.members", Stage: StageSession, Severity: Refusal,
		Title:  "Too many members in the shared subscription",
		Cause:  "The group of {filter} has {offered} members; the limit is {required}.",
		Device: LimitSubscriptions.Device,
		Advice: "Use another share name for a part of the receivers: each group gets every message.",
		Fix:    watch,
		Source: "mqtt sheet 10, 19", Example: ev("filter", "$share/workers/sensors/#", "offered", "100", "required", "100"),
	})

	// LimitSharedGroups counts the groups of the account.
	LimitSharedGroups = register(Check{
		Code: "limit.shared_groups.account", Stage: StageSession, Severity: Refusal,
		Title:  "Too many shared subscription groups in the account",
		Cause:  "The account has {offered} groups; the limit is {required}, so that {filter} was refused.",
		Device: LimitSubscriptions.Device,
		Advice: "A share name with another filter is another group: use fewer of either.",
		Fix:    watch,
		Source: "mqtt sheet 10, 19", Example: ev("filter", "$share/workers/sensors/#", "offered", "100000", "required", "100000"),
	})

	// LimitSharedGroupRate counts members that come and go.
	LimitSharedGroupRate = register(Check{
		Code: "limit.shared_group.rate", Stage: StageSession, Severity: Refusal,
		Title:  "Members come and go too often",
		Cause:  "The group of {filter} had too many subscribe and unsubscribe requests; the limit is {required}.",
		Device: LimitSubscriptions.Device,
		Advice: "Let the receivers of a group start with a random delay.",
		Fix:    watch,
		Source: "mqtt sheet 10, 19", Example: ev("filter", "$share/workers/sensors/#", "required", "10 a second"),
	})

	// LimitRetainRateAccount is one of the three bounds of the retained store.
	LimitRetainRateAccount = register(Check{
		Code: "limit.retain_rate.account", Stage: StageDelivery, Severity: Warning,
		Title:  "Too many retained messages per second in the account",
		Cause:  "The message on {topic} has RETAIN set, and the account's limit of such messages is used up: {required}. It was neither kept nor delivered.",
		Device: retainedTooFast,
		Advice: "Publish without RETAIN what need not be kept. At AWS the limit can be raised; here: gatehouse up --limits open.",
		Fix:    watch,
		Source: "mqtt sheet 8, 19", Example: ev("topic", "sensors/sensor-1/state", "required", "500 a second"),
	})

	// LimitRetainRateTopic is another.
	LimitRetainRateTopic = register(Check{
		Code: "limit.retain_rate.topic", Stage: StageDelivery, Severity: Warning,
		Title:  "The retained message of a topic changes too often",
		Cause:  "A message on {topic} with RETAIN came too soon after the one before; the limit is {required}. It was neither kept nor delivered.",
		Device: retainedTooFast,
		Advice: "Set RETAIN on one message a second at most: the last state is what later subscribers need.",
		Fix:    watch,
		Source: "mqtt sheet 8, 19", Example: ev("topic", "sensors/sensor-1/state", "required", "1 a second"),
	})

	// LimitRetainedMessages is the third.
	LimitRetainedMessages = register(Check{
		Code: "limit.retained_messages", Stage: StageDelivery, Severity: Refusal,
		Title: "The account holds too many retained messages",
		Cause: "The message on {topic} can not be retained: {offered} topics have a retained message, and the limit is {required}. It was neither kept nor delivered.",
		Device: Device{
			MQTT311: "The connection is closed.", MQTT5: "QoS 1: PUBACK 0x97 (quota exceeded), the connection stays. QoS 0: DISCONNECT 0x97, then close.",
			HTTPS: "429 Too Many Requests.",
		},
		Advice: "Delete retained messages that nobody needs: publish an empty message with RETAIN on their topics.",
		Fix:    "aws iot-data list-retained-messages",
		Source: "mqtt sheet 8, 19", Example: ev("topic", "sensors/sensor-1/state", "offered", "500000", "required", "500000"),
	})
)

// retainedTooFast is what a publisher sees of a retained message above a rate.
var retainedTooFast = Device{
	MQTT311: "No PUBACK; at QoS 0 nothing.", MQTT5: "PUBACK 0x97 (quota exceeded); at QoS 0 nothing.", HTTPS: "429 Too Many Requests.",
}
