package check

// Commands of the checks below.
const (
	testAuthorizer   = "gatehouse authorizer test {authorizer}"
	permitIoT        = " --statement-id iot-{authorizer|slug} --action lambda:InvokeFunction --principal iot.amazonaws.com --source-arn {authorizer_arn} --source-account {account}"
	functionLog      = "aws logs filter-log-events --log-group-name /aws/lambda/{function} --start-time $(($(date +%s) - 600))000 --query 'events[].[message]' --output text" // "logs tail" is of the AWS CLI v2 alone
	describeFunction = "aws lambda get-function --function-name {function}<< --qualifier {qualifier}>>"
)

// exampleAuthorizer is the authorizer of the examples.
var exampleAuthorizer = ev(
	"authorizer", "fleet-authorizer", "authorizer_arn", iotExample("authorizer/fleet-authorizer"),
	"function", "fleet-auth", "function_arn", "arn:aws:lambda:us-east-1:123456789012:function:fleet-auth", "port", "443", "token_key", "Token",
)

// The rungs of the ladder, in the order in which a client climbs them.
// Source: custom-auth sheet 1.
var (
	AuthorizerSelected      = step("authorizer.selected", StageAuthentication, "An authorizer is selected, and exists", "custom-auth sheet 3")
	AuthorizerActive        = step("authorizer.active", StageAuthentication, "The authorizer is active", "custom-auth sheet 1")
	AuthorizerSignature     = step("authorizer.signature", StageAuthentication, "The signature of the token is right", "custom-auth sheet 5")
	AuthorizerPermitted     = step("authorizer.permitted", StageAuthentication, "The authorizer may invoke its function", "custom-auth sheet 14")
	AuthorizerInvoked       = step("authorizer.invoked", StageAuthentication, "The authorizer's function answered", "custom-auth sheet 6")
	AuthorizerResponse      = step("authorizer.response", StageAuthentication, "The function's answer is well formed", "custom-auth sheet 7")
	AuthorizerAuthenticated = step("authorizer.authenticated", StageAuthentication, "The function authenticated the client", "custom-auth sheet 7")
)

// Which authorizer is asked. Source: custom-auth sheet 3.
var (
	// AuthorizerNotSelected is PROBLEMS J-01: the first rung of the ladder.
	AuthorizerNotSelected = register(Check{
		Code: "authorizer.not_selected", Stage: StageAuthentication, Severity: Refusal,
		Title:  "No custom authorizer is selected",
		Cause:  "The device names no authorizer, and {reason}. It sent {sent}.",
		Device: closedAfterConnect,
		Advice: "Name one: for MQTT in the user name, as in user?x-amz-customauthorizer-name=NAME, for HTTPS and WebSocket in the header or the query of that name.<< The command makes {nearest} the one for devices that name none.>>",
		Fix: "<<aws iot update-domain-configuration --domain-configuration-name {domain_configuration} --authorizer-config defaultAuthorizerName={nearest},allowAuthorizerOverride=true" +
			"||aws iot set-default-authorizer --authorizer-name {nearest}||aws iot list-authorizers>>",
		Source:  "custom-auth sheet 3, 18 CA_NO_AUTHORIZER; PROBLEMS J-01",
		Example: with(exampleAuthorizer, "reason", "the account has no default authorizer", "sent", "no parameters", "nearest", "fleet-authorizer"),
	})

	// AuthorizerUnknown is a name that no authorizer has.
	AuthorizerUnknown = register(Check{
		Code: "authorizer.unknown", Stage: StageAuthentication, Severity: Refusal,
		Title:  "There is no authorizer of that name",
		Cause:  "The device names the authorizer {offered} ({source}); this account has none of that name.<< The nearest is {nearest}.>>",
		Device: closedAfterConnect,
		Advice: "Correct the name on the device<<: {nearest}||>>. Names compare with their case.",
		Fix:    "<<gatehouse authorizer test {nearest}||aws iot list-authorizers>>",
		Source: "custom-auth sheet 3, 18 CA_UNKNOWN_AUTHORIZER", Example: ev("offered", "Fleet-Authorizer", "source", "user name", "nearest", "fleet-authorizer"),
	})

	// AuthorizerInactive is one that was switched off, or never on.
	AuthorizerInactive = register(Check{
		Code: "authorizer.inactive", Stage: StageAuthentication, Severity: Refusal,
		Title:  "The authorizer is not active",
		Cause:  "The authorizer {authorizer} has the status {status}; AWS treats it as if it did not exist.",
		Device: closedAfterConnect,
		Fix:    "aws iot update-authorizer --authorizer-name {authorizer} --status ACTIVE",
		Source: "custom-auth sheet 1, 3, 18 CA_INACTIVE", Example: with(exampleAuthorizer, "status", "INACTIVE"),
	})

	// AuthorizerOverride is a name that the domain configuration does not let the device choose.
	AuthorizerOverride = register(Check{
		Code: "authorizer.override_not_allowed", Stage: StageAuthentication, Severity: Refusal,
		Title:  "The domain configuration does not allow another authorizer",
		Cause:  "The device names the authorizer {offered}; the domain configuration {domain_configuration} prescribes {authorizer}, and allowAuthorizerOverride is false.",
		Device: closedAfterConnect,
		Advice: "Leave the name away on the device, or allow it with the command.",
		Fix:    "aws iot update-domain-configuration --domain-configuration-name {domain_configuration} --authorizer-config defaultAuthorizerName={authorizer},allowAuthorizerOverride=true",
		Source: "custom-auth sheet 3, 13", Example: with(exampleAuthorizer, "offered", "other-authorizer", "domain_configuration", "fleet-domain"),
	})
)

// The token and its signature. Source: custom-auth sheet 4, 5.
var (
	// AuthorizerTokenMissing is PROBLEMS J-14.
	AuthorizerTokenMissing = register(Check{
		Code: "authorizer.token_missing", Stage: StageAuthentication, Severity: Refusal,
		Title:   "The token is missing",
		Cause:   "The authorizer {authorizer} requires a signed token under the name {token_key}. The device sent {sent}.",
		Device:  closedAfterConnect,
		Advice:  "Send the token under the name {token_key}, and its signature under x-amz-customauthorizer-signature. The command prints both for a private key that belongs to the authorizer.",
		Fix:     "gatehouse authorizer sign --help",
		Source:  "custom-auth sheet 5, 18 CA_TOKEN_MISSING; PROBLEMS J-14",
		Example: with(exampleAuthorizer, "sent", "x-amz-customauthorizer-name (user name)"),
	})

	// AuthorizerTokenKeyName is the token in the wrong field.
	AuthorizerTokenKeyName = register(Check{
		Code: "authorizer.token_key_name", Stage: StageAuthentication, Severity: Refusal,
		Title:   "The token stands under another name",
		Cause:   "The authorizer {authorizer} takes its token from the parameter {token_key}; the device sent {offered}<< ({sent})>>.",
		Device:  closedAfterConnect,
		Advice:  "Rename the parameter on the device to {token_key}; in a user name or a query, the case counts. The command changes the authorizer instead, for all devices.",
		Fix:     "aws iot update-authorizer --authorizer-name {authorizer} --token-key-name {offered}",
		Source:  "custom-auth sheet 4, 5, 18 CA_TOKEN_MISSING; PROBLEMS J-14",
		Example: with(exampleAuthorizer, "offered", "token", "sent", "token (user name)"),
	})

	// AuthorizerSignatureMissing is PROBLEMS J-14.
	AuthorizerSignatureMissing = register(Check{
		Code: "authorizer.signature_missing", Stage: StageAuthentication, Severity: Refusal,
		Title:   "The token's signature is missing",
		Cause:   "The authorizer {authorizer} requires a signature of the token under the name x-amz-customauthorizer-signature. The device sent {sent}.",
		Device:  closedAfterConnect,
		Advice:  "Sign the token with the private key of one of the authorizer's public keys, and send the signature in base64. Whether signing is required can't be changed once an authorizer exists.",
		Fix:     "gatehouse authorizer sign --help",
		Source:  "custom-auth sheet 5, 18 CA_SIGNATURE_MISSING; PROBLEMS J-14",
		Example: with(exampleAuthorizer, "sent", "x-amz-customauthorizer-name (user name), Token (user name)"),
	})

	// AuthorizerSignatureEncoding is PROBLEMS J-05.
	AuthorizerSignatureEncoding = register(Check{
		Code: "authorizer.signature_encoding", Stage: StageAuthentication, Severity: Refusal,
		Title:   "The signature is not base64",
		Cause:   "The signature in the {source} can't be decoded: {reason}. It has {bytes_sent} characters.",
		Device:  closedAfterConnect,
		Advice:  "Use base64 with + and / and without line breaks (openssl base64 -A), and encode it once for the URL: + becomes %2B, / %2F, = %3D.",
		Fix:     "gatehouse authorizer sign --help",
		Source:  "custom-auth sheet 4, 5, 18 CA_SIGNATURE_ENCODING; PROBLEMS J-05",
		Example: with(exampleAuthorizer, "source", "user name", "reason", "it has the characters - or _ of base64url", "bytes_sent", "342"),
	})

	// AuthorizerSignatureMismatch is PROBLEMS J-14: signed another value than the token.
	AuthorizerSignatureMismatch = register(Check{
		Code: "authorizer.signature_mismatch", Stage: StageAuthentication, Severity: Refusal,
		Title:   "The signature does not belong to the token",
		Cause:   "None of the {count} public keys of the authorizer {authorizer} verifies the signature over the token ({offered}).<< {reason}>>",
		Device:  closedAfterConnect,
		Advice:  "The signature is RSASSA-PKCS1-v1_5 with SHA-256 over the value of the token alone, without line break: printf %s TOKEN | openssl dgst -sha256 -sign key.pem | openssl base64 -A.",
		Fix:     "gatehouse authorizer sign --help",
		Source:  "custom-auth sheet 5, 18 CA_SIGNATURE_WRONG; PROBLEMS J-14",
		Example: with(exampleAuthorizer, "count", "1", "offered", "36 bytes, SHA-256 8f14e45f…", "reason", "It verifies over the token with a line break behind it: use printf, or echo -n."),
	})

	// AuthorizerSigningDisabled tells who sends a signature that nobody looks at.
	AuthorizerSigningDisabled = register(Check{
		Code: "authorizer.signing_disabled", Stage: StageAuthentication, Severity: Note,
		Title:  "A signature came, and the authorizer does not verify any",
		Cause:  "The authorizer {authorizer} has signing disabled, so its function is told signatureVerified: false whatever the device sends. Everybody can have the function invoked.",
		Device: works,
		Advice: "Signing can't be enabled later: make another authorizer with a key.",
		Fix:    "aws iot describe-authorizer --authorizer-name {authorizer}",
		Source: "custom-auth sheet 2, 5", Example: exampleAuthorizer,
	})
)

// The function: permission, invocation. Source: custom-auth sheet 1, 14, 15.
var (
	// AuthorizerInvokeDenied is PROBLEMS J-02: the function's resource policy.
	AuthorizerInvokeDenied = register(Check{
		Code: "authorizer.invoke_denied", Stage: StageAuthentication, Severity: Refusal,
		Title:  "The authorizer may not invoke its function",
		Cause:  "The resource policy of the function {function}<< (qualifier {qualifier})>> does not let iot.amazonaws.com invoke it for {authorizer_arn}: {reason}. The function was not invoked.",
		Device: closedAfterConnect,
		Fix: "<<aws lambda add-permission --function-name {function} --qualifier {qualifier}" + permitIoT +
			"||aws lambda add-permission --function-name {function}" + permitIoT + ">>",
		Source:  "custom-auth sheet 14, 18 CA_NO_PERMISSION; PROBLEMS J-02",
		Example: with(exampleAuthorizer, "reason", "the policy has no statement"),
	})

	// AuthorizerFunctionMissing is an ARN behind which nothing is.
	AuthorizerFunctionMissing = register(Check{
		Code: "authorizer.function_missing", Stage: StageAuthentication, Severity: Refusal,
		Title:  "The authorizer's function does not exist",
		Cause:  "The authorizer {authorizer} names {function_arn}; there is no such function, version or alias.",
		Device: closedAfterConnect,
		Advice: "Create the function, or give the authorizer the ARN of one that exists (update-authorizer --authorizer-function-arn).",
		Fix:    "<<aws iot update-authorizer --authorizer-name {authorizer} --authorizer-function-arn {nearest}||aws lambda list-functions>>",
		Source: "custom-auth sheet 18 CA_FUNCTION_MISSING", Example: exampleAuthorizer,
	})

	// AuthorizerNotRunnable is a machine that can't run the function.
	AuthorizerNotRunnable = register(Check{
		Code: "authorizer.not_runnable", Stage: StageAuthentication, Severity: Refusal,
		Title:  "This machine can't run the authorizer's function",
		Cause:  "The function {function} of the authorizer {authorizer} was not started: {reason}",
		Device: closedAfterConnect,
		Fix:    describeFunction,
		Source: "custom-auth sheet 16", Example: with(exampleAuthorizer, "reason", "there is no node on this machine for the runtime nodejs20.x."),
	})

	// AuthorizerThrottled is a function whose places are all taken.
	AuthorizerThrottled = register(Check{
		Code: "authorizer.throttled", Stage: StageAuthentication, Severity: Refusal,
		Title:  "The authorizer's function is throttled",
		Cause:  "All places of the function {function} were taken: {reason}. It was not invoked.",
		Device: closedAfterConnect,
		Advice: "Give the function more concurrency, make it faster, or let devices connect again after a random delay.",
		Fix:    "aws lambda put-function-concurrency --function-name {function} --reserved-concurrent-executions 10",
		Source: "custom-auth sheet 15, 17, 18 CA_THROTTLED", Example: with(exampleAuthorizer, "reason", "10 of 10 concurrent executions of the function are in use"),
	})

	// AuthorizerTimeout is PROBLEMS J-11.
	AuthorizerTimeout = register(Check{
		Code: "authorizer.timeout", Stage: StageAuthentication, Severity: Refusal,
		Title:  "The authorizer's function took too long",
		Cause:  "The function {function} was ended after {elapsed}, without an answer; the limit for an authorizer is {required}.",
		Device: closedAfterConnect,
		Advice: "Make the function faster: no call to a slow service, nothing heavy at its start. The start of a cold function counts.",
		Fix:    functionLog,
		Source: "custom-auth sheet 1, 18 CA_TIMEOUT; PROBLEMS J-11", Example: with(exampleAuthorizer, "elapsed", "5.003s", "required", "5s"),
	})

	// AuthorizerFunctionError is PROBLEMS J-10.
	AuthorizerFunctionError = register(Check{
		Code: "authorizer.function_error", Stage: StageAuthentication, Severity: Refusal,
		Title:   "The authorizer's function failed",
		Cause:   "The function {function} ended with {error_type}: {error_message}.",
		Device:  closedAfterConnect,
		Advice:  "Read the function's log for the place. A frequent cause: the function reads event.protocolData.mqtt.password, and the device sent none.",
		Fix:     functionLog,
		Source:  "custom-auth sheet 6, 15, 18 CA_FUNCTION_ERROR; PROBLEMS J-10",
		Example: with(exampleAuthorizer, "error_type", "TypeError", "error_message", "Cannot read properties of undefined (reading 'password')"),
	})
)

// The function's answer. Source: custom-auth sheet 7.
var (
	// AuthorizerResponseInvalid is PROBLEMS J-10.
	AuthorizerResponseInvalid = register(Check{
		Code: "authorizer.response_invalid", Stage: StageAuthentication, Severity: Refusal,
		Title:   "The authorizer's answer is not valid",
		Cause:   "The function {function} answered, but {json_path} {reason}.<< It is {offered}.>>",
		Device:  closedAfterConnect,
		Advice:  "The answer needs isAuthenticated (a boolean), principalId and policyDocuments.",
		Fix:     testAuthorizer,
		Source:  "custom-auth sheet 7, 18 CA_BAD_RESPONSE; PROBLEMS J-10",
		Example: with(exampleAuthorizer, "json_path", "$.isAuthenticated", "reason", "must be a boolean", "offered", `"true"`),
	})

	// AuthorizerPrincipalInvalid is the most frequent of the invalid answers.
	AuthorizerPrincipalInvalid = register(Check{
		Code: "authorizer.principal_id_invalid", Stage: StageAuthentication, Severity: Refusal,
		Title:  "The principal ID has characters that are not allowed",
		Cause:  "The function {function} answered a principalId {reason}.<< It is {offered}.>>",
		Device: closedAfterConnect,
		Advice: "A principalId has 1 to 128 letters and digits and nothing else: no e-mail address, no UUID with hyphens, no name of a thing with an underscore. Take them out: id.replace(/[^a-zA-Z0-9]/g, '').",
		Fix:    testAuthorizer,
		Source: "custom-auth sheet 7, 18 CA_BAD_RESPONSE", Example: with(exampleAuthorizer, "reason", "with the character -", "offered", `"sensor-1"`),
	})

	// AuthorizerPrincipalMismatch is CUSTOM_AUTH_X509 alone.
	AuthorizerPrincipalMismatch = register(Check{
		Code: "authorizer.principal_mismatch", Stage: StageAuthentication, Severity: Refusal,
		Title:  "The principal ID is not that of the certificate",
		Cause:  "The function {function} answered the principalId {offered}; with a client certificate (CUSTOM_AUTH_X509) it must be {required}.",
		Device: closedAfterConnect,
		Advice: "Return event.protocolData.tls.principalId as principalId.",
		Fix:    testAuthorizer,
		Source: "custom-auth sheet 12", Example: with(exampleAuthorizer, "offered", `"device7"`, "required", exampleCertificate),
	})

	// AuthorizerDocuments is a policy document that breaks a limit or a rule.
	AuthorizerDocuments = register(Check{
		Code: "authorizer.documents_invalid", Stage: StageAuthentication, Severity: Refusal,
		Title:  "A returned policy document is not valid",
		Cause:  "The function {function} answered, but {json_path} {reason}.",
		Device: closedAfterConnect,
		Advice: "At most 10 documents of at most 2048 characters each (white space does not count), each a policy as CreatePolicy takes it. One bad document makes the whole answer invalid.",
		Fix:    testAuthorizer,
		Source: "custom-auth sheet 7, 18 CA_BAD_RESPONSE; PROBLEMS J-10", Example: with(exampleAuthorizer, "json_path", "$.policyDocuments", "reason", "has 11 documents; the maximum is 10"),
	})

	// AuthorizerDuration is an interval out of range.
	AuthorizerDuration = register(Check{
		Code: "authorizer.duration_invalid", Stage: StageAuthentication, Severity: Refusal,
		Title:  "A returned interval is out of range",
		Cause:  "The function {function} answered, but {json_path} {reason}.<< It is {offered}.>>",
		Device: closedAfterConnect,
		Advice: "disconnectAfterInSeconds and refreshAfterInSeconds are whole numbers from 300 to 86400.",
		Fix:    testAuthorizer,
		Source: "custom-auth sheet 7, 18 CA_BAD_RESPONSE", Example: with(exampleAuthorizer, "json_path", "$.refreshAfterInSeconds", "reason", "must be 300 to 86400", "offered", "60"),
	})

	// AuthorizerRejected is the function's own no.
	AuthorizerRejected = register(Check{
		Code: "authorizer.rejected", Stage: StageAuthentication, Severity: Refusal,
		Title:  "The authorizer's function rejected the client",
		Cause:  "The function {function} was invoked and answered isAuthenticated: false.",
		Device: closedAfterConnect,
		Advice: "Only the function knows why: read its log, or invoke it with what the device sent.",
		Fix:    functionLog,
		Source: "custom-auth sheet 7, 18 CA_REJECTED", Example: exampleAuthorizer,
	})
)

// The time of an authentication. Source: custom-auth sheet 8.
var (
	// AuthorizerCached is an answer that served before, on the same HTTPS connection.
	AuthorizerCached = step("authorizer.cached", StageAuthentication, "The authorizer's earlier answer still counts", "custom-auth sheet 8")

	// AuthorizerRefreshed is a refresh that went well.
	AuthorizerRefreshed = step("authorizer.refreshed", StageSession, "The authorizer was asked again and its answer replaced the old one", "custom-auth sheet 8")

	// AuthorizerRefreshFailed ends a live connection.
	AuthorizerRefreshFailed = register(Check{
		Code: "authorizer.refresh_failed", Stage: StageSession, Severity: Refusal,
		Title:  "The authorizer did not confirm the connection when it was asked again",
		Cause:  "The answer of {authorizer} was good for {period}; asked again with the same credentials, it failed ({detector}).",
		Device: closedInSilence,
		Advice: "The credentials that the device sent in its CONNECT count for every refresh: a token must live as long as the connection, or disconnectAfterInSeconds must end it before.",
		Fix:    functionLog,
		Source: "custom-auth sheet 8, 18 CA_REFRESH_FAILED", Example: with(exampleAuthorizer, "period", "5m0s", "detector", "authorizer.rejected"),
	})
)

// The way to the authorizer. Source: custom-auth sheet 4.
var (
	// AuthorizerPort is PROBLEMS J-08: they came where client certificates count.
	AuthorizerPort = register(Check{
		Code: "authorizer.port", Stage: StageAuthentication, Severity: Warning,
		Title:  "A custom authorizer is named where client certificates count",
		Cause:  "The device sent parameters of a custom authorizer ({sent}) to port {port}<< with the ALPN protocol {alpn}>>; there the client certificate alone decides, and the authorizer is not asked.",
		Device: works,
		Advice: "For a custom authorizer use port {alpn_port} with the ALPN protocol mqtt, and no client certificate; or a domain configuration with the authentication type CUSTOM_AUTH.",
		Fix:    "openssl s_client -connect {endpoint}:{alpn_port} -servername {endpoint} -alpn mqtt -CAfile {ca_file} -brief </dev/null",
		Source: "custom-auth sheet 4, 18 CA_WRONG_PORT; PROBLEMS J-01, J-08", Example: ev("sent", "x-amz-customauthorizer-name (user name)"),
	})

	// AuthorizerSigV4Mixed is PROBLEMS J-07.
	AuthorizerSigV4Mixed = register(Check{
		Code: "authorizer.sigv4_mixed", Stage: StageAuthentication, Severity: Refusal,
		Title:  "A signed request came where a custom authorizer decides",
		Cause:  "The request to {path} is signed with AWS credentials; the domain configuration {domain_configuration} authenticates by a custom authorizer.",
		Device: Device{HTTPS: "403 ForbiddenException, also at the WebSocket upgrade."},
		Advice: "Let the client use its custom authentication mode (in AWS's SDKs: the custom authorizer builders), or use the default endpoint for SigV4.",
		Fix:    "aws iot describe-domain-configuration --domain-configuration-name {domain_configuration}",
		Source: "PROBLEMS J-07", Example: ev("path", "/mqtt", "domain_configuration", "fleet-domain"),
	})

	// AuthorizerPublishOnly is the limit of HTTPS with an authorizer.
	AuthorizerPublishOnly = register(Check{
		Code: "authorizer.publish_only", Stage: StageAuthentication, Severity: Refusal,
		Title:  "With a custom authorizer, HTTPS can only publish",
		Cause:  "{method} {path} is no publish; an authorizer decides on those alone.",
		Device: Device{HTTPS: "403 ForbiddenException."},
		Advice: "Use MQTT, or a client certificate on port {https_port}.",
		Fix:    testAuthorizer,
		Source: "custom-auth sheet 4", Example: with(exampleAuthorizer, "method", "GET", "path", "/things/sensor-1/shadow"),
	})

	// AuthorizerPolicy adds to a denial by returned documents what can be done about it.
	AuthorizerPolicy = register(Check{
		Code: "authorizer.policy", Stage: StageAuthorization, Severity: Refusal,
		Title:  "The documents that the authorizer returned do not allow it",
		Cause:  "The authorizer {authorizer} authenticated the client as {principal}; the documents that its function {function} returned decide about {action} on {resource}.",
		Device: closedAfterConnect,
		Advice: "<<Let the function return this statement too: {fix_statement}||Change the documents that the function returns, so that one allows it and none denies it.>> No policy of the registry makes up for it.",
		Fix:    "<<gatehouse authorizer replay {trace}||" + testAuthorizer + ">>",
		Source: "custom-auth sheet 1, 18 CA_POLICY; PROBLEMS J-04",
		Example: with(exampleAuthorizer, "action", "iot:Connect", "resource", iotExample("client/sensor-1"), "principal", "Sensor1",
			"fix_statement", `{"Effect":"Allow","Action":"iot:Connect","Resource":"`+iotExample("client/sensor-1")+`"}`),
	})
)
