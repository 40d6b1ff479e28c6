package check

// publishSigned proves that a key is in order.
const publishSigned = "aws iot-data publish --endpoint-url https://{endpoint}:{alpn_port} --ca-bundle {ca_file} --topic test/hello --qos 1"

// Checks of requests that are signed with an access key. Source: connect sheet 6.3, 7; api sheet 5.
var (
	SigV4Verified = step("sigv4.verified", StageAuthentication, "Signature verified", "connect sheet 6.3, 7")

	// SigV4Malformed is a signature that lacks a part.
	SigV4Malformed = register(Check{
		Code: "sigv4.malformed", Stage: StageAuthentication, Severity: Refusal,
		Title:  "The signature of the request can't be read",
		Cause:  "The request carries a signature of version 4 that is incomplete<<: {reason}>>",
		Device: refusedRequest,
		Advice: "Sign with an SDK. An empty access key ID in the device's configuration looks like this too.",
		Fix:    publishSigned,
		Source: "api sheet 5.2; PROBLEMS I-07", Example: ev("reason", "Authorization header requires 'Signature' parameter."),
	})

	// SigV4SessionToken is a temporary key: there are none yet.
	SigV4SessionToken = register(Check{
		Code: "sigv4.session_token", Stage: StageAuthentication, Severity: Refusal,
		Title:  "Temporary credentials are not built yet",
		Cause:  "The request carries a session token with the access key {access_key}. This version of Gatehouse issues no temporary credentials, neither by STS nor by the credential provider, so it can't know the token.",
		Device: refusedRequest,
		Advice: "Sign with the access key of a user, without a session token.",
		Fix:    "gatehouse user add {access_key|slug} --policy AWSIoTDataAccess",
		Source: "connect sheet 7; PROBLEMS I-05", Example: ev("access_key", "ASIAIOSFODNN7EXAMPLE"),
	})

	// UserRemoved ends what a user that is removed has open.
	UserRemoved = register(Check{
		Code: "connection.user_removed", Stage: StageSession, Severity: Refusal,
		Title:  "The user was removed while connected",
		Cause:  "The connection was signed by the user {principal_arn}; the user was removed, so its connections were ended at once.",
		Device: answered("The connection is closed.", "DISCONNECT 0x87 (not authorized), then close."),
		Advice: "Make the user again, and give the device its new access key.",
		Fix:    "gatehouse user list",
		Source: "mqtt sheet 13", Example: ev("principal", "AIDAIOSFODNN7EXAMPLE2", "principal_arn", "arn:aws:iam::123456789012:user/web-app"),
	})
)
