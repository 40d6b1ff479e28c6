package check

// Checks of a session's begin and end.
var (
	SessionOpened = step("session.opened", StageSession, "Session open", "mqtt sheet 2.1 #11")
	SessionClosed = step("session.closed", StageSession, "The device disconnected", "mqtt sheet 13")

	// SessionLost is an end without DISCONNECT.
	SessionLost = register(Check{
		Code: "session.connection_lost", Stage: StageSession, Severity: Note,
		Title:  "The connection was lost",
		Cause:  "The device or the network ended the connection without DISCONNECT<< after {connected_for}>><<: {reason}>>. Its last will is published.",
		Device: Device{MQTT311: "Whatever ended it: a reset, a crash, a lost link.", MQTT5: "Whatever ended it: a reset, a crash, a lost link."},
		Advice: "Nothing to repair if the device went away on purpose; let it send DISCONNECT then.",
		Fix:    watch,
		Source: "mqtt sheet 13", Example: ev("connected_for", "4m10s", "reason", "connection reset by peer"),
	})

	takeoverExample = ev("other_source_ip", "192.0.2.44", "other_principal", "9b1c2d3e4f5061728394a5b6c7d8e9f00112233445566778899aabbccddeeff0",
		"other_sdk", "?SDK=IoTDeviceSDK/Python", "other_trace", "7c3c8a10-9f4e-4d6a-b2a1-0c5e7d1f2a33", "connected_for", "9s", "count", "6", "period", "54s")

	takenOver = Device{
		MQTT311: "The connection is closed.", MQTT5: "DISCONNECT 0x8E (session taken over), then close.",
		Clients: []Client{{"AWS SDK v2", "5134 AWS_ERROR_MQTT_UNEXPECTED_HANGUP (MQTT 5: 5154, reason code 142)"}, {"mosquitto", "exit 7, or it connects again and takes over in turn"}, {"paho", "rc=7"}},
	}

	// SessionTakeoverLoop is PROBLEMS F-01, F-02, F-07.
	SessionTakeoverLoop = register(Check{
		Code: "session.takeover_loop", Stage: StageSession, Severity: Refusal,
		Title:  "Two devices fight for one client ID",
		Cause:  "The client ID {client_id} changed hands {count} times in {period}: between {source_ip} and {other_source_ip}<< ({other_sdk})>>. Each connection throws the other out.",
		Device: takenOver,
		Advice: "Give each device a client ID of its own: the thing name. A bridge of mosquitto takes remote_clientid.",
		Fix:    "gatehouse explain --client-id {client_id} && gatehouse explain --source-ip {other_source_ip}",
		Source: "PROBLEMS F-01, F-02, F-07", Example: takeoverExample,
	})

	// SessionTakeoverSelf is PROBLEMS F-04.
	SessionTakeoverSelf = register(Check{
		Code: "session.takeover_self", Stage: StageSession, Severity: Refusal,
		Title:  "The device takes over its own client ID",
		Cause:  "The client ID {client_id} was taken over {count} times in {period} by the same certificate from the same address {source_ip}: the device races its own old connection, or runs twice.",
		Device: takenOver,
		Advice: "Run one process only, close the old connection before a new one, and wait a random time that grows between attempts.",
		Fix:    watch,
		Source: "PROBLEMS F-04", Example: takeoverExample,
	})

	// SessionTakeover is PROBLEMS F-05.
	SessionTakeover = register(Check{
		Code: "session.takeover", Stage: StageSession, Severity: Refusal,
		Title:    "Another connection took over the client ID",
		Cause:    "A newer connection with the client ID {client_id} came<< from {other_source_ip}>><<, certificate {other_principal|short}>><< ({other_sdk})>>; one client ID has one connection, and the newer one wins.",
		Device:   takenOver,
		Advice:   "Normal after a broken link. If it repeats, two devices have the same client ID.",
		Fix:      "gatehouse explain --source-ip {other_source_ip}",
		HiddenBy: []*Check{SessionTakeoverLoop, SessionTakeoverSelf},
		Source:   "mqtt sheet 2.2, 13; PROBLEMS F-05", Example: takeoverExample,
	})

	// SessionTookOver is the other side of it.
	SessionTookOver = register(Check{
		Code: "session.took_over", Stage: StageSession, Severity: Note,
		Title:  "This connection took over the client ID",
		Cause:  "A connection with the client ID {client_id} was open<< from {other_source_ip}>>; this one replaced it.",
		Device: works,
		Advice: "Normal after a broken link.",
		Fix:    watch,
		Source: "mqtt sheet 2.1 #10", Example: takeoverExample,
	})

	// SessionKeepaliveExpired is PROBLEMS H-10, H-11.
	SessionKeepaliveExpired = register(Check{
		Code: "session.keepalive_expired", Stage: StageSession, Severity: Refusal,
		Title:  "Nothing heard within the keep-alive time",
		Cause:  "Nothing came from the device for {waited}, which is one and a half times the keep-alive time<< ({keep_alive} s asked for, 30 to 1200 used)>>.<< Its last packet was {last_packet}.>>",
		Device: answered("The connection is closed.", "DISCONNECT 0x8D (keep alive timeout), then close."),
		Advice: "Let the device's MQTT loop run: it sends PINGREQ. Sleep shorter than the keep-alive time, or ask for a longer one.",
		Fix:    watch,
		Source: "mqtt sheet 14; PROBLEMS H-10, H-11", Example: ev("waited", "1m30s", "keep_alive", "60", "last_packet", "PUBLISH, 90s before"),
	})

	// KeepaliveAboveMax is what an MQTT 3.1.1 device never learns.
	KeepaliveAboveMax = register(Check{
		Code: "keepalive.above_max", Stage: StageSession, Severity: Warning,
		Title:  "Keep-alive is off or above the maximum",
		Cause:  "The device asked for a keep-alive time of {keep_alive} s (0: none); {used} s is used, so it is cut off after 30 minutes of silence.",
		Device: answered("Nothing at first; the connection is closed after 1800 s of silence.", "Server Keep Alive 1200 in CONNACK."),
		Advice: "Ask for 1200 s or less.",
		Fix:    publishAs + " -k 1200 -t {client_id}/hello -m hello -q 1",
		Source: "mqtt sheet 14", Example: ev("keep_alive", "3600", "used", "1200"),
	})

	// KeepaliveBelowMin is harmless.
	KeepaliveBelowMin = register(Check{
		Code: "keepalive.below_min", Stage: StageSession, Severity: Note,
		Title:  "Keep-alive is below the minimum",
		Cause:  "The device asked for a keep-alive time of {keep_alive} s; {used} s is used.",
		Device: works,
		Advice: "Nothing to do: a device that sends more often is fine.",
		Fix:    watch,
		Source: "mqtt sheet 14", Example: ev("keep_alive", "10", "used", "30"),
	})

	// PrincipalCut ends live connections at once.
	PrincipalCut = register(Check{
		Code: "connection.principal_cut", Stage: StageSession, Severity: Refusal,
		Title:  "The certificate lost its right while connected",
		Cause:  "Certificate {certificate_id} was ACTIVE when the device connected; now it is {status}, so its connections were ended at once.",
		Device: answered("The connection is closed.", "DISCONNECT 0x87 (not authorized), then close."),
		Advice: "If that was not meant for this device, activate the certificate again.",
		Fix:    "aws iot update-certificate --certificate-id {certificate_id} --new-status ACTIVE",
		Source: "connect sheet 4.3; mqtt sheet 13", Example: ev("status", "INACTIVE"),
	})

	// DisconnectedByAPI is DeleteConnection.
	DisconnectedByAPI = register(Check{
		Code: "connection.deleted", Stage: StageSession, Severity: Refusal,
		Title:  "The connection was ended by DeleteConnection",
		Cause:  "Somebody asked the API to disconnect the client {client_id}.",
		Device: answered("The connection is closed.", "DISCONNECT 0x98 (administrative action), then close."),
		Advice: "Nothing keeps the device from connecting again: to lock it out, deactivate its certificate.",
		Fix:    watch,
		Source: "mqtt sheet 13, 18", Example: ev(),
	})

	// SessionMaxLifetime ends the connections of the WebSocket door after a day: PROBLEMS H-13.
	SessionMaxLifetime = register(Check{
		Code: "session.max_lifetime", Stage: StageSession, Severity: Refusal,
		Title:  "The WebSocket connection is 24 hours old",
		Cause:  "MQTT over WebSocket lasts 24 hours at most<<; this connection had lasted {connected_for}>>.",
		Device: answered("The connection is closed.", "DISCONNECT 0xA0 (maximum connect time), then close."),
		Advice: "That is by design: sign anew and connect again.",
		Fix:    watch,
		Source: "PROBLEMS H-13; mqtt sheet 13, 19", Example: ev("connected_for", "24h0m0s"),
	})

	// LifetimeAuthorizer is what a custom authorizer asked for.
	LifetimeAuthorizer = register(Check{
		Code: "connection.authorizer_ttl", Stage: StageSession, Severity: Refusal,
		Title:  "The connection lasted as long as its authorizer allowed",
		Cause:  "The custom authorizer answered with disconnectAfterInSeconds; that time was over after {connected_for}.",
		Device: answered("The connection is closed.", "DISCONNECT 0xA0 (maximum connect time), then close."),
		Advice: "Connect again, with a fresh token. The authorizer may answer with up to 86,400 seconds.",
		Fix:    watch,
		Source: "mqtt sheet 13", Example: ev("connected_for", "24h0m0s"),
	})

	// ServerShuttingDown is our restart.
	ServerShuttingDown = register(Check{
		Code: "server.shutting_down", Stage: StageSession, Severity: Refusal,
		Title:  "The server is shutting down",
		Cause:  "Gatehouse was stopped; it ended all connections in order.",
		Device: answered("The connection is closed.", "DISCONNECT 0x8B (server shutting down), then close."),
		Advice: "Let the device connect again after a random delay.",
		Fix:    "gatehouse up",
		Source: "mqtt sheet 13",
	})

	// ServerError is our fault.
	ServerError = register(Check{
		Code: "server.error", Stage: StageSession, Severity: Refusal,
		Title:  "Gatehouse failed",
		Cause:  "This is not the device's fault: {error}.",
		Device: answered("The connection is closed.", "CONNACK or DISCONNECT 0x80 (unspecified error), then close."),
		Advice: "Look at Gatehouse's own log, and at the free space and health of its data folder.",
		Fix:    "gatehouse explain --trace {trace} -o json",
		Source: "mqtt sheet 13", Example: ev("error", "the registry did not answer: disk I/O error"),
	})
)
