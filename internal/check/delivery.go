package check

// Checks of messages under way to the device, and of devices that repeat themselves.
var (
	PublishAccepted = step("delivery.published", StageDelivery, "Messages published", "mqtt sheet 5.1 #12")

	// DeliveryQueueFull is a slow reader.
	DeliveryQueueFull = register(Check{
		Code: "delivery.queue_full", Stage: StageDelivery, Severity: Warning,
		Title:  "Messages were dropped: the device reads too slowly",
		Cause:  "Messages for the device<< on {topic}>> were dropped<< ({dropped} of them)>>: too many were waiting for it already<< ({required})>>.",
		Device: silent,
		Advice: "Let the device read faster, subscribe to less, or publish less often.",
		Fix:    watch,
		Source: "mqtt sheet 7", Example: ev("dropped", "312", "required", "1000", "topic", "sensors/all"),
	})

	// DeliveryNotAcked is a device that takes and never acknowledges.
	DeliveryNotAcked = register(Check{
		Code: "delivery.not_acked", Stage: StageDelivery, Severity: Warning,
		Title:  "The device does not acknowledge a message",
		Cause:  "A QoS 1 message<< on {topic}>> was sent<< {waited} ago>> and has no PUBACK<<; {count} messages are waiting>>.",
		Device: silent,
		Advice: "Let the device's callback return, so that its library sends PUBACK; a callback that blocks stops everything behind it.",
		Fix:    watch,
		Source: "mqtt sheet 7", Example: ev("topic", "sensors/sensor-1/cmd", "waited", "1h0m0s", "count", "100"),
	})

	// DeliveryPacketTooLarge is a promise to an MQTT 5 client.
	DeliveryPacketTooLarge = register(Check{
		Code: "delivery.packet_too_large", Stage: StageDelivery, Severity: Warning,
		Title:  "A message is larger than the device allows",
		Cause:  "A message on {topic} makes a packet that is larger<< ({offered} bytes)>> than the maximum that the device named in its CONNECT<< ({required})>>. It was dropped.",
		Device: Device{MQTT5: "Nothing: the message does not come."},
		Advice: "Raise the maximum packet size in the device's CONNECT, or publish smaller messages.",
		Fix:    watch,
		Source: "mqtt sheet 3", Example: ev("topic", "sensors/sensor-1/config", "offered", "4096", "required", "1024"),
	})

	// ClientRxBuffer is PROBLEMS H-16.
	ClientRxBuffer = register(Check{
		Code: "client.rx_buffer", Stage: StageDelivery, Severity: Warning, Possible: true,
		Title:    "The device's receive buffer is probably too small",
		Cause:    "The device acknowledges small messages, but not one of {offered} bytes on {topic}. Embedded libraries drop what does not fit into their buffer, which holds the topic too.",
		Device:   silent,
		Advice:   "Raise the receive buffer of the device's MQTT library.",
		Fix:      watch,
		HiddenBy: []*Check{DeliveryPacketTooLarge},
		Source:   "PROBLEMS H-16", Example: ev("offered", "600", "topic", "sensors/sensor-1/config"),
	})

	// LoopConnectRefused is a device that does not give up.
	LoopConnectRefused = register(Check{
		Code: "loop.connect_refused", Stage: StageDelivery, Severity: Warning,
		Title:  "The device repeats a refused connection",
		Cause:  "The same device was refused for the same cause {count} times in {period}. It will not be let in by trying again.",
		Device: Device{TLS12: "The same failure, again and again.", TLS13: "The same failure, again and again.", MQTT311: "The same failure, again and again.", MQTT5: "The same failure, again and again."},
		Advice: "Let the device wait longer after each failure: a random time that grows.",
		Fix:    "gatehouse explain --source-ip {source_ip}",
		Source: "PROBLEMS D-22, E-11", Example: ev("count", "42", "period", "3m20s"),
	})

	// LoopPublishDenied is PROBLEMS G-01: the SDK sends the forbidden message again after each connect.
	LoopPublishDenied = register(Check{
		Code: "loop.publish_denied", Stage: StageDelivery, Severity: Warning,
		Title:  "The device repeats a refused publish",
		Cause:  "The device connected, published to {topic}, was refused and connected again {count} times in {period}: its library sends an unacknowledged QoS 1 message again after every connection.",
		Device: Device{MQTT311: "Connected and disconnected, again and again.", MQTT5: "Connected and disconnected, again and again."},
		Advice: "Until the policy is repaired, let the device drop the message when its connection is closed.",
		Fix:    grantPublish,
		Source: "PROBLEMS G-01", Example: ev("topic", "sensors/sensor-1/temp", "count", "42", "period", "3m20s"),
	})

	// LoopSubscribeDenied is PROBLEMS G-02.
	LoopSubscribeDenied = register(Check{
		Code: "loop.subscribe_denied", Stage: StageDelivery, Severity: Warning,
		Title:  "The device repeats a refused subscription",
		Cause:  "The device connected, subscribed to {filter}, was refused and connected again {count} times in {period}: its library subscribes again after every connection.",
		Device: LoopPublishDenied.Device,
		Advice: "Until the policy is repaired, switch automatic resubscription off.",
		Fix:    grantSubscribe,
		Source: "PROBLEMS G-02", Example: ev("filter", "sensors/#", "count", "42", "period", "3m20s"),
	})
)
