package check

// Checks of HTTPS requests of the data plane. Source: connect sheet 6.
var (
	// HTTPMethod is a verb that the path does not know.
	HTTPMethod = register(Check{
		Code: "http.method", Stage: StageProtocol, Severity: Refusal,
		Title:  "The path does not know this method",
		Cause:  "{method} {path}: the data plane has this path, with another method<<: {required}>>.",
		Device: Device{HTTPS: "405 MethodNotAllowedException."},
		Advice: "Publish with POST.",
		Fix:    "curl --cacert {ca_file} --cert {certificate_id}-certificate.pem.crt --key {certificate_id}-private.pem.key --data hello https://{endpoint}:{https_port}/topics/test/hello",
		Source: "connect sheet 6.1", Example: ev("method", "GET", "path", "/topics/a", "required", "POST"),
	})

	// HTTPRefused is an operation that answered an error of its own.
	HTTPRefused = register(Check{
		Code: "http.refused", Stage: StageDelivery, Severity: Refusal,
		Title:  "The operation answered an error",
		Cause:  "{method} {path} was answered {reply}<<: {reason}>>",
		Device: Device{HTTPS: "The status and the exception of the operation."},
		Advice: "The message says which part of the request is wrong, or what is not there.",
		Fix:    "gatehouse explain --trace {trace}",
		Source: "connect sheet 6.1, 6.2", Example: ev("method", "GET", "path", "/retainedMessage/a", "reply", "404 ResourceNotFoundException", "reason", "There is no retained message on the topic a."),
	})

	// AuthzRequest is a request that the policies do not allow.
	AuthzRequest = register(Check{
		Code: "authz.request", Stage: StageAuthorization, Severity: Refusal,
		Title:   "No policy allows the request",
		Cause:   "The policies of {principal_arn} do not allow {action} on {resource}.",
		Device:  Device{HTTPS: "403 ForbiddenException.", Clients: refusedRequest.Clients},
		Advice:  "Of a user, change its IAM policy: gatehouse user policy NAME --policy FILE.",
		Fix:     grantTested,
		Source:  "policy sheet 4, 11; connect sheet 6.1",
		Example: ev("action", "iot:GetRetainedMessage", "resource", "arn:aws:iot:us-east-1:123456789012:topic/test/hello"),
	})
)
