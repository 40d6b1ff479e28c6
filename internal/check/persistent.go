package check

// Checks of sessions that outlive their connections, and of what waits in them.
var (
	SessionResumed = step("session.resumed", StageSession, "Stored session resumed", "mqtt sheet 4.1")

	// SessionOtherPrincipal is a resumption with another certificate.
	SessionOtherPrincipal = register(Check{
		Code: "session.other_principal", Stage: StageSession, Severity: Warning,
		Title:  "Another principal resumed the session",
		Cause:  "The stored session of the client ID {client_id} was last used by the principal {other_principal}; this connection, as another one, took it over with its subscriptions and its messages.",
		Device: works,
		Advice: "Normal after a new certificate. Otherwise two devices share a client ID: give each its own, or bind the client ID to the certificate in the policy.",
		Fix:    "gatehouse explain --client-id {client_id}",
		Source: "mqtt sheet 4.1", Example: ev("other_principal", "9b1c2d3e4f5061728394a5b6c7d8e9f00112233445566778899aabbccddeeff0"),
	})

	// SessionNotStored is a session that was asked for and that the disk does not take.
	SessionNotStored = register(Check{
		Code: "session.not_stored", Stage: StageSession, Severity: Warning,
		Title:  "The session could not be stored",
		Cause:  "The device asks for a session that outlives the connection, and the message log does not take it: {error}.<< The subscription to {filter} is lost by a restart.>>",
		Device: Device{MQTT311: "CONNACK without session present at the next connection.", MQTT5: "CONNACK with session expiry interval 0."},
		Advice: "Make room on the disk of the data folder; the log comes back by itself.",
		Fix:    "df -h",
		Source: "mqtt sheet 4.1, 20", Example: ev("error", "message log: full"),
	})

	// DeliveryNotStored is a publish that a stored session must not lose and that the disk does not take.
	DeliveryNotStored = register(Check{
		Code: "delivery.not_stored", Stage: StageDelivery, Severity: Warning,
		Title:  "A message could not be stored for its sessions",
		Cause:  "The QoS 1 message<< on {topic}>> has to reach the disk before it is acknowledged, and the message log does not take it: {error}.",
		Device: Device{MQTT311: "No PUBACK: the device sends it again on its next connection.", MQTT5: "PUBACK 0x97 (quota exceeded) when the disk is full, else 0x80 (unspecified error)."},
		Advice: "Make room on the disk of the data folder; the log comes back by itself.",
		Fix:    "df -h",
		Source: "mqtt sheet 5.1 #12, 20", Example: ev("topic", "sensors/sensor-1/temp", "error", "message log: full"),
	})

	// DeliveryOfflineQueueFull is told to the device that was away for too long.
	DeliveryOfflineQueueFull = register(Check{
		Code: "delivery.offline_queue_full", Stage: StageDelivery, Severity: Warning,
		Title:  "Messages were dropped while the device was away: its queue was full",
		Cause:  "While the client {client_id} had no connection, {dropped} messages were dropped, because {required} were waiting in its session already. The older ones were kept.",
		Device: Device{MQTT311: "The newest messages of its absence are missing.", MQTT5: "The newest messages of its absence are missing."},
		Advice: "Connect more often, subscribe to less, or publish with a message expiry interval.",
		Fix:    watch,
		Source: "mqtt sheet 4.2", Example: ev("dropped", "312", "required", "1,000 messages or 16 MiB"),
	})

	// DeliverySharedQueueFull is told to a member that comes after all were away for too long.
	DeliverySharedQueueFull = register(Check{
		Code: "delivery.shared_queue_full", Stage: StageDelivery, Severity: Warning,
		Title:  "Messages of a shared subscription were dropped: its queue was full",
		Cause:  "While no member of the shared subscription could take messages<< on {topic}>>, {required} were waiting for it already; newer ones were dropped.",
		Device: Device{MQTT311: "The newest messages of that time are missing.", MQTT5: "The newest messages of that time are missing."},
		Advice: "Keep a member connected, add members, or publish with a message expiry interval.",
		Fix:    watch,
		Source: "mqtt sheet 10", Example: ev("topic", "sensors/all", "required", "1,000 messages or 16 MiB"),
	})

	// LimitQueuedRate is the account's rate of storing.
	LimitQueuedRate = register(Check{
		Code: "limit.queued_rate.account", Stage: StageDelivery, Severity: Warning,
		Title:  "Messages were dropped while the device was away: too many were queued in a second",
		Cause:  "While the client {client_id} had no connection, {dropped} messages for it were dropped, because the account stored more than {required} for sessions without connection.",
		Device: Device{MQTT311: "Messages of its absence are missing.", MQTT5: "Messages of its absence are missing."},
		Advice: "Publish less to devices that are away. With --limits open there is no such rate.",
		Fix:    watch,
		Source: "mqtt sheet 4.2, 19 (L-35DA9240), 20", Example: ev("dropped", "312", "required", "500 a second"),
	})
)
