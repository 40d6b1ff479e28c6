package check

// Checks of who the device is.
var (
	// AuthorizerNotBuilt is a promise of a later version.
	AuthorizerNotBuilt = register(Check{
		Code: "authorizer.not_built", Stage: StageAuthentication, Severity: Refusal,
		Title:  "Custom authorizers are not built yet",
		Cause:  "The connection came without client certificate (ALPN {alpn} on port {port}), so a custom authorizer would have to decide; this version of Gatehouse has none.",
		Device: closedAfterConnect,
		Advice: "Use a client certificate: port {mqtt_port}, or port {alpn_port} with the ALPN protocol x-amzn-mqtt-ca.",
		Fix:    publishAs + " -t {client_id}/hello -m hello -q 1",
		Source: "connect sheet 2", Example: ev("alpn", "mqtt", "port", "443"),
	})

	// SigV4NotBuilt is another.
	SigV4NotBuilt = register(Check{
		Code: "sigv4.not_built", Stage: StageAuthentication, Severity: Refusal,
		Title:    "Signed device requests are not built yet",
		Cause:    "The request to {path} is signed with AWS credentials; this version of Gatehouse takes client certificates only on its device ports.",
		Device:   Device{HTTPS: "501 NotImplementedException."},
		Advice:   "Use a client certificate on port {https_port}.",
		Fix:      tlsToMQTT,
		HiddenBy: []*Check{HTTPNotBuilt, WebSocketNotBuilt},
		Source:   "connect sheet 6.3", Example: ev("path", "/topics/a"),
	})
)
