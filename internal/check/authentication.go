package check

// Checks of who the device is.
var (
	AuthPrincipal = step("auth.principal", StageAuthentication, "The device is identified", "connect sheet 5.1")
	AuthThing     = step("auth.thing", StageAuthentication, "The connection belongs to a thing", "policy sheet 8")

	// ThingNotAttached explains thing variables without a value before they hurt.
	ThingNotAttached = register(Check{
		Code: "auth.thing_not_attached", Stage: StageAuthentication, Severity: Note,
		Title:  "The connection belongs to no thing",
		Cause:  "No thing with the name of the client ID {client_id} is attached to the certificate, so thing variables in policies have no value.<< {reason}>>",
		Device: works,
		Advice: "Needed only when policies use ${iot:Connection.Thing.ThingName} and its like.",
		Fix:    "aws iot create-thing --thing-name {client_id}\naws iot attach-thing-principal --thing-name {client_id} --principal {principal_arn}",
		Source: "policy sheet 8; PROBLEMS E-13", Example: ev("reason", "The thing exists, but is not attached."),
	})

	// AuthorizerNotSelected is PROBLEMS J-01.
	AuthorizerNotSelected = register(Check{
		Code: "authorizer.not_selected", Stage: StageAuthentication, Severity: Refusal,
		Title:  "No custom authorizer is selected",
		Cause:  "The connection came without client certificate (ALPN mqtt on port {port}), so an authorizer must decide, but neither the user name's query, nor an HTTP header, nor the account's default names one.<< It arrived: {offered}.>>",
		Device: closedAfterConnect,
		Advice: "Put ?x-amz-customauthorizer-name=NAME behind the MQTT user name, or use a client certificate with the ALPN protocol x-amzn-mqtt-ca.",
		Fix:    "aws iot list-authorizers",
		Source: "PROBLEMS J-01", Example: ev("offered", "user name without a query", "port", "443"),
	})

	// AuthorizerNotBuilt is a promise of a later version.
	AuthorizerNotBuilt = register(Check{
		Code: "authorizer.not_built", Stage: StageAuthentication, Severity: Refusal,
		Title:    "Custom authorizers are not built yet",
		Cause:    "The connection came without client certificate (ALPN {alpn} on port {port}), so a custom authorizer would have to decide; this version of Gatehouse has none.",
		Device:   closedAfterConnect,
		Advice:   "Use a client certificate: port {mqtt_port}, or port {alpn_port} with the ALPN protocol x-amzn-mqtt-ca.",
		Fix:      publishAs + " -t {client_id}/hello -m hello -q 1",
		HiddenBy: []*Check{AuthorizerNotSelected},
		Source:   "connect sheet 2", Example: ev("alpn", "mqtt", "port", "443"),
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
