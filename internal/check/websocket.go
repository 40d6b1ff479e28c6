package check

// Checks of MQTT over WebSocket. Source: connect sheet 7.
var (
	WebSocketUpgraded = step("websocket.upgraded", StageProtocol, "WebSocket open", "connect sheet 7")

	// WebSocketHandshake is a GET /mqtt that is no upgrade.
	WebSocketHandshake = register(Check{
		Code: "websocket.handshake", Stage: StageProtocol, Severity: Refusal,
		Title:  "The request for /mqtt is no WebSocket handshake",
		Cause:  "{method} {path} asks for no WebSocket<<: {reason}>>.",
		Device: Device{HTTPS: "400 InvalidRequestException.", Clients: []Client{{"MQTT.js", "Unexpected server response: 400"}}},
		Advice: "Use a WebSocket client. A proxy on the way may have taken the Upgrade header.",
		Fix:    publishSigned,
		Source: "connect sheet 7", Example: ev("method", "GET", "path", "/mqtt", "reason", "the Upgrade header is missing"),
	})

	// WebSocketSubprotocol is a client that does not say that it speaks MQTT.
	WebSocketSubprotocol = register(Check{
		Code: "websocket.subprotocol", Stage: StageProtocol, Severity: Warning,
		Title:  "The WebSocket has no subprotocol of MQTT",
		Cause:  "The device offers the subprotocols<< {offered}>>; MQTT needs mqtt, or mqttv3.1 of older SDKs.",
		Device: works,
		Advice: "Set Sec-WebSocket-Protocol: mqtt. Browsers close a WebSocket whose subprotocol was not chosen.",
		Fix:    watch,
		Source: "connect sheet 7", Example: ev("offered", "chat"),
	})

	// WebSocketFrame is a client that breaks RFC 6455.
	WebSocketFrame = register(Check{
		Code: "websocket.frame", Stage: StageProtocol, Severity: Refusal,
		Title:  "A WebSocket frame is not as it must be",
		Cause:  "The device sent a WebSocket frame that can't be taken<<: {reason}>>.",
		Device: Device{MQTT311: "A Close frame 1002 or 1003, then close.", MQTT5: "A Close frame 1002 or 1003, then close."},
		Advice: "Send MQTT in binary frames; text frames are not allowed.",
		Fix:    watch,
		Source: "connect sheet 7; RFC 6455 section 5", Example: ev("reason", "a text frame"),
	})
)
