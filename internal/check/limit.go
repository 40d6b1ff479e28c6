package check

// tooLarge is a packet that is refused for its size or shape.
var tooLarge = answered("The connection is closed, without PUBACK.", "DISCONNECT 0x97 (quota exceeded) or 0x95 (packet too large), then close.")

// Limits of size and shape, which hold with --limits open too: mqtt sheet 19, 20.
var (
	// LimitPayload is PROBLEMS H-04, H-17.
	LimitPayload = register(Check{
		Code: "limit.payload", Stage: StageProtocol, Severity: Refusal,
		Title:  "The payload is too large",
		Cause:  "The payload<< on {topic}>> has {offered} bytes; the limit is {required}.",
		Device: tooLarge,
		Advice: "Send less at a time, or put the data elsewhere and publish its address. Drop the message when the connection is closed: a library that keeps it sends it for ever.",
		Fix:    watch,
		Source: "mqtt sheet 5.1 #3, 19; PROBLEMS H-04, H-17", Example: ev("topic", "sensors/sensor-1/image", "offered", "200000", "required", "131072"),
	})

	// LimitPacket is the whole packet.
	LimitPacket = register(Check{
		Code: "limit.packet", Stage: StageProtocol, Severity: Refusal,
		Title:    "The packet is too large",
		Cause:    "A<< {packet}>> packet is too large<< ({offered})>>; the limit is {required} bytes.",
		Device:   tooLarge,
		Advice:   "Send less at a time; in MQTT 5, CONNACK says the maximum packet size.",
		Fix:      watch,
		HiddenBy: []*Check{LimitPayload},
		Source:   "mqtt sheet 19", Example: ev("packet", "PUBLISH", "offered", "300000 bytes", "required", "149504"),
	})

	// LimitTopicsPerPacket is PROBLEMS H-05.
	LimitTopicsPerPacket = register(Check{
		Code: "limit.topics_per_packet", Stage: StageProtocol, Severity: Refusal,
		Title:  "Too many topic filters in one packet",
		Cause:  "{packet} has {offered} topic filters; the limit is {required}.",
		Device: answered("The connection is closed, without SUBACK or UNSUBACK.", "SUBACK 0x97 (quota exceeded) for every filter."),
		Advice: "Subscribe and unsubscribe in groups of 8.",
		Fix:    watch,
		Source: "mqtt sheet 6.1, 19; PROBLEMS H-05", Example: ev("packet", "UNSUBSCRIBE", "offered", "9", "required", "8"),
	})

	// LimitTopicLength holds for names and filters.
	LimitTopicLength = register(Check{
		Code: "limit.topic_length", Stage: StageProtocol, Severity: Refusal,
		Title:  "The topic is too long",
		Cause:  "The topic<< {topic}>><< {filter}>> has {offered} bytes; the limit is {required}.",
		Device: TopicInvalid.Device,
		Advice: "Shorten the topic; characters outside ASCII take two to four bytes.",
		Fix:    watch,
		Source: "mqtt sheet 15.1, 19", Example: ev("topic", "site/building/floor/...", "filter", "", "offered", "300", "required", "256"),
	})

	// LimitTopicLevels counts slashes.
	LimitTopicLevels = register(Check{
		Code: "limit.topic_levels", Stage: StageProtocol, Severity: Refusal,
		Title:  "The topic has too many levels",
		Cause:  "The topic<< {topic}>><< {filter}>> has {offered} levels; the limit is {required}.",
		Device: TopicInvalid.Device,
		Advice: "Use fewer levels: eight, divided by seven slashes, are allowed.",
		Fix:    watch,
		Source: "mqtt sheet 15.1, 19", Example: ev("topic", "a/b/c/d/e/f/g/h/i", "filter", "", "offered", "9", "required", "8"),
	})

	// LimitTopicAlias is MQTT 5's short name.
	LimitTopicAlias = register(Check{
		Code: "limit.topic_alias", Stage: StageProtocol, Severity: Refusal,
		Title:  "The topic alias can't be used",
		Cause:  "The topic alias<< {offered}>> can't be used<<: {reason}>>. Allowed: {required}.",
		Device: Device{MQTT5: "DISCONNECT 0x94 (topic alias invalid), then close.", Clients: []Client{{"AWS SDK v2", "5154, reason code 148"}}},
		Advice: "Obey the topic alias maximum of CONNACK, and send the topic with an alias the first time on each connection.",
		Fix:    watch,
		Source: "mqtt sheet 5.1 #4, 19", Example: ev("offered", "9", "required", "8", "reason", "it is above the maximum"),
	})

	// LimitClientIDLength holds for bytes, not characters.
	LimitClientIDLength = register(Check{
		Code: "limit.client_id_length", Stage: StageProtocol, Severity: Refusal,
		Title:  "The client ID is too long",
		Cause:  "The client ID has {offered} bytes; the limit is {required}.",
		Device: MQTTClientIDEmpty.Device,
		Advice: "Shorten the client ID; characters outside ASCII take two to four bytes.",
		Fix:    "gatehouse explain --source-ip {source_ip}",
		Source: "mqtt sheet 2.2, 19", Example: ev("offered", "140", "required", "128"),
	})

	// LimitUserProperties is their sum.
	LimitUserProperties = register(Check{
		Code: "limit.user_properties", Stage: StageProtocol, Severity: Refusal,
		Title:  "The user properties are too large",
		Cause:  "The user properties have {offered} bytes together; the limit is {required}.",
		Device: Device{MQTT5: tooLarge.MQTT5},
		Advice: "Put the data into the payload.",
		Fix:    watch,
		Source: "mqtt sheet 19", Example: ev("offered", "9000", "required", "8192"),
	})

	// LimitContentType is a property of MQTT 5.
	LimitContentType = register(Check{
		Code: "limit.content_type", Stage: StageProtocol, Severity: Refusal,
		Title:  "The content type is too long",
		Cause:  "The content type has {offered} bytes; the limit is {required}.",
		Device: Device{MQTT5: tooLarge.MQTT5},
		Advice: "Shorten it.",
		Fix:    watch,
		Source: "mqtt sheet 19", Example: ev("offered", "300", "required", "256"),
	})

	// LimitCorrelationData is another.
	LimitCorrelationData = register(Check{
		Code: "limit.correlation_data", Stage: StageProtocol, Severity: Refusal,
		Title:  "The correlation data is too long",
		Cause:  "The correlation data has {offered} bytes; the limit is {required}.",
		Device: Device{MQTT5: tooLarge.MQTT5},
		Advice: "Shorten it: a number or UUID is enough.",
		Fix:    watch,
		Source: "mqtt sheet 19", Example: ev("offered", "512", "required", "256"),
	})

	// LimitResponseTopic is a third.
	LimitResponseTopic = register(Check{
		Code: "limit.response_topic", Stage: StageProtocol, Severity: Refusal,
		Title:  "The response topic can't be used",
		Cause:  "The response topic can't be used: it has {offered}; the limit is {required}.",
		Device: Device{MQTT5: "DISCONNECT 0x82 (protocol error) or 0x97 (quota exceeded), then close."},
		Advice: "A response topic is a topic name: no wildcards, 256 bytes at most.",
		Fix:    watch,
		Source: "mqtt sheet 5.1 #8", Example: ev("offered", "replies/#", "required", "no wildcard, 256 bytes"),
	})

	// LimitMessageExpiry is cut, not refused.
	LimitMessageExpiry = register(Check{
		Code: "limit.message_expiry", Stage: StageProtocol, Severity: Note,
		Title:  "The message expiry was shortened",
		Cause:  "The device asked for a message expiry of {offered} s; {used} s is used.",
		Device: works,
		Advice: "Nothing to do; seven days is the maximum.",
		Fix:    watch,
		Source: "mqtt sheet 19", Example: ev("offered", "1000000", "used", "604800"),
	})
)

// throttled is a rate limit that refuses a connection.
var throttled = Device{
	MQTT311: "The connection is closed after CONNECT, without CONNACK.", MQTT5: "CONNACK 0x97 (quota exceeded), then close.",
	HTTPS: "429 Too Many Requests.", Clients: closedAfterConnect.Clients,
}

// Limits of rate and number, which --limits open lifts: mqtt sheet 19, 20.
var (
	// LimitConnectRateClientID is one CONNECT a second.
	LimitConnectRateClientID = register(Check{
		Code: "limit.connect_rate.client_id", Stage: StageSession, Severity: Refusal,
		Title:  "The client ID connects too often",
		Cause:  "The client ID {client_id} connected again too soon; the limit is {required}.",
		Device: throttled,
		Advice: "Wait a random time that grows between attempts. If the device does that, two devices have the same client ID.",
		Fix:    watch,
		Source: "mqtt sheet 2.1 #8, 19", Example: ev("required", "1 a second"),
	})

	// LimitConnectRateAccount protects the account.
	LimitConnectRateAccount = register(Check{
		Code: "limit.connect_rate.account", Stage: StageSession, Severity: Refusal,
		Title:  "Too many connections per second in the account",
		Cause:  "<<{offered} devices connected within a second; >>the limit of connections for the account is {required}.",
		Device: throttled,
		Advice: "Let the fleet reconnect with a random delay. At AWS the limit can be raised; here: gatehouse up --limits open.",
		Fix:    "gatehouse explain --last",
		Source: "mqtt sheet 2.1 #8, 19", Example: ev("offered", "501", "required", "500 a second"),
	})

	// LimitSubscriptions is 50 on a connection.
	LimitSubscriptions = register(Check{
		Code: "limit.subscriptions", Stage: StageSession, Severity: Refusal,
		Title:  "Too many subscriptions on one connection",
		Cause:  "The subscription to {filter} would be number {offered}; the limit is {required}.",
		Device: answered("SUBACK 0x80 for the surplus filters, then the connection is closed.", "SUBACK 0x97 (quota exceeded) for the surplus filters."),
		Advice: "Use wildcards: one filter in place of many.",
		Fix:    watch,
		Source: "mqtt sheet 6.2, 19", Example: ev("filter", "sensors/sensor-51/temp", "offered", "51", "required", "50"),
	})

	// LimitSubscribeRateAccount is the rate of SUBSCRIBE.
	LimitSubscribeRateAccount = register(Check{
		Code: "limit.subscribe_rate.account", Stage: StageSession, Severity: Refusal,
		Title:  "Too many subscribe requests per second in the account",
		Cause:  "<<{offered} subscribe requests came within a second; >>the limit of subscribe requests for the account is {required}.",
		Device: answered("SUBACK 0x80 for every filter.", "SUBACK 0x97 (quota exceeded) for every filter."),
		Advice: "Subscribe to several filters in one packet, and let the fleet start with a random delay.",
		Fix:    watch,
		Source: "mqtt sheet 19", Example: ev("offered", "501", "required", "500"),
	})

	// LimitInflight is PROBLEMS H-07.
	LimitInflight = register(Check{
		Code: "limit.inflight", Stage: StageSession, Severity: Refusal,
		Title:  "Too many unacknowledged messages",
		Cause:  "The device has {offered} QoS 1 messages without acknowledgement under way; the limit is {required}.",
		Device: answered("Nothing is read from the connection until messages are acknowledged.", "DISCONNECT 0x93 (receive maximum exceeded), then close."),
		Advice: "Obey the receive maximum of CONNACK: wait for PUBACKs before sending more.",
		Fix:    watch,
		Source: "mqtt sheet 5.1, 19; PROBLEMS H-07", Example: ev("offered", "101", "required", "100"),
	})

	// LimitThroughput is PROBLEMS H-08: delayed, not closed.
	LimitThroughput = register(Check{
		Code: "limit.throughput", Stage: StageSession, Severity: Warning,
		Title:  "The connection is at its throughput limit",
		Cause:  "<<The connection moved {offered} in a second. >>The limit is {required}, and what is above is delayed.",
		Device: Device{MQTT311: "Slowness: acknowledgements come late.", MQTT5: "Slowness: acknowledgements come late.", Clients: []Client{{"AWS SDK v2", "5129 AWS_ERROR_MQTT_TIMEOUT"}}},
		Advice: "Send less, or divide the load over several connections.",
		Fix:    watch,
		Source: "mqtt sheet 19, 20; PROBLEMS H-08", Example: ev("offered", "900 KiB", "required", "512 KiB"),
	})

	// LimitPublishRate is 100 a second, both directions together.
	LimitPublishRate = register(Check{
		Code: "limit.publish_rate", Stage: StageSession, Severity: Warning,
		Title:  "Too many publishes per second on one connection",
		Cause:  "<<The connection had {offered} publishes in a second. >>The limit is 100, both directions together. What is above is dropped (QoS 0) or not acknowledged (QoS 1).",
		Device: answered("No PUBACK for some messages.", "PUBACK 0x97 (quota exceeded) for some messages."),
		Advice: "Put several values into one message.",
		Fix:    watch,
		Source: "mqtt sheet 5.1 #9, 19", Example: ev("offered", "140"),
	})

	// LimitPublishRateAccount is the account's.
	LimitPublishRateAccount = register(Check{
		Code: "limit.publish_rate.account", Stage: StageSession, Severity: Warning,
		Title:  "Too many publishes per second in the account",
		Cause:  "<<The account had {offered} publishes in a second; >>the limit is 20,000. What is above is dropped (QoS 0) or not acknowledged (QoS 1).",
		Device: LimitPublishRate.Device,
		Advice: "At AWS the limit can be raised; here: gatehouse up --limits open.",
		Fix:    watch,
		Source: "mqtt sheet 5.1 #9, 19", Example: ev("offered", "20400"),
	})

	// LimitPayloadLoop is PROBLEMS H-04: gigabytes of cellular traffic in a day.
	LimitPayloadLoop = register(Check{
		Code: "limit.payload.loop", Stage: StageSession, Severity: Warning,
		Title:  "The device sends a message that is too large again and again",
		Cause:  "The device sent a message above the limit and was cut off {count} times in {period}: its library sends the unacknowledged message again after every connection, and pays for it each time.",
		Device: LoopPublishDenied.Device,
		Advice: "Check the size before publishing, and drop the message when the connection is closed.",
		Fix:    watch,
		Source: "PROBLEMS H-04", Example: ev("count", "120", "period", "9m50s"),
	})
)
