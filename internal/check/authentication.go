package check

// Checks of who the device is.
var (
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
