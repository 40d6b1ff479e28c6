package check

// Checks of requests that are signed with AWS credentials (WebSocket, HTTPS and
// the control plane), as the client's side sees them. PROBLEMS groups I and K.

// refusedRequest is a signed request or WebSocket upgrade that is refused.
var refusedRequest = Device{
	HTTPS:   "403 at the request or the WebSocket upgrade.",
	Clients: []Client{{"AWS SDK v2", "2065 AWS_ERROR_HTTP_WEBSOCKET_UPGRADE_FAILURE"}, {"MQTT.js", "Unexpected server response: 403"}},
}

const callerIdentity = "aws sts get-caller-identity"

// Checks of signatures and of the credentials behind them.
var (
	// SigV4ScopeRegion is PROBLEMS I-01.
	SigV4ScopeRegion = register(Check{
		Code: "sigv4.scope.region", Stage: StageAuthentication, Severity: Refusal,
		Title:  "The request is signed for another Region",
		Cause:  "The credential scope of the signature<< has {offered}, it must have {required}>>: its Region is not that of the endpoint.",
		Device: refusedRequest,
		Advice: "Sign with the Region that stands in the endpoint's host name.",
		Fix:    describeEndpoint,
		Source: "PROBLEMS I-01", Example: ev("offered", "eu-west-2", "required", "us-west-2"),
	})

	// SigV4ScopeService is PROBLEMS I-08.
	SigV4ScopeService = register(Check{
		Code: "sigv4.scope.service", Stage: StageAuthentication, Severity: Refusal,
		Title:  "The request is signed for another service",
		Cause:  "The credential scope of the signature<< has {offered}; it>> must name the service iotdevicegateway (iotdata is taken too), and not iot.",
		Device: refusedRequest,
		Advice: "Set the signing name to iotdevicegateway.",
		Fix:    callerIdentity,
		Source: "PROBLEMS I-08; connect sheet 10", Example: ev("offered", "iot"),
	})

	// SigV4SignedHost is PROBLEMS I-02.
	SigV4SignedHost = register(Check{
		Code: "sigv4.signed_host", Stage: StageAuthentication, Severity: Refusal,
		Title:  "The signed host is not the one in the request",
		Cause:  "The signature covers the Host header; the client signed a host with or without the port<<, {signed},>> and sent it the other way<<, {offered}>>.",
		Device: refusedRequest,
		Advice: "Sign exactly the Host header that is sent: without the port when it is 443.",
		Fix:    callerIdentity,
		Source: "PROBLEMS I-02",
	})

	// SigV4Expired is PROBLEMS I-04.
	SigV4Expired = register(Check{
		Code: "sigv4.expired", Stage: StageAuthentication, Severity: Refusal,
		Title:  "The signature is too old",
		Cause:  "The request was signed too long ago: presigned URLs are taken for minutes, whatever X-Amz-Expires says, and temporary credentials end.<< Signed at {offered}, for {required}; now it is {now}.>>",
		Device: refusedRequest,
		Advice: "Sign anew for every connection, also for every reconnection.",
		Fix:    "date -u; " + callerIdentity,
		Source: "PROBLEMS I-04",
	})

	// SigV4ClockSkew is a signature of another time.
	SigV4ClockSkew = register(Check{
		Code: "sigv4.clock_skew", Stage: StageAuthentication, Severity: Refusal,
		Title:  "The caller's clock is wrong, so its signature is",
		Cause:  "A signature holds within five minutes of the time in it. The caller's clock is further off<<: it says {offered}, the gateway's {now}>>.",
		Device: refusedRequest,
		Advice: "Set the clock (NTP) before signing.",
		Fix:    "date -u; curl -sI https://sts.amazonaws.com | grep -i ^date",
		Source: "connect sheet 8.5",
	})

	// SigV4Signature is a secret or a canonical request that does not fit.
	SigV4Signature = register(Check{
		Code: "sigv4.signature", Stage: StageAuthentication, Severity: Refusal,
		Title:  "The signature does not match",
		Cause:  "The server computed another signature over the same request: the secret key is not that of the access key, or the request was changed after signing (a proxy, an encoding, a header).<< What differs here: {differs}.>>",
		Device: refusedRequest,
		Advice: "Look for a blank or a lost character in the secret key first; then compare the canonical request that the error prints with yours.",
		Fix:    callerIdentity,
		Source: "PROBLEMS group I",
	})

	// SigV4TokenInSignature is PROBLEMS I-05.
	SigV4TokenInSignature = register(Check{
		Code: "sigv4.token_in_signature", Stage: StageAuthentication, Severity: Refusal,
		Title:  "The session token was signed with the rest",
		Cause:  "With temporary credentials this service wants X-Amz-Security-Token appended to the URL after signing; it stood in the signed query.",
		Device: refusedRequest,
		Advice: "Compute the signature without the token, then append &X-Amz-Security-Token=... to the URL.",
		Fix:    callerIdentity,
		Source: "PROBLEMS I-05",
	})

	// SigV4CredentialEmpty is PROBLEMS I-07.
	SigV4CredentialEmpty = register(Check{
		Code: "sigv4.credential.empty", Stage: StageAuthentication, Severity: Refusal,
		Title:  "There are no AWS credentials to sign with",
		Cause:  "The client found no access key, or an empty one<<: the credential of its signature is {offered}, and the access key belongs in front of the first />>.",
		Device: Device{HTTPS: "403, or nothing is sent at all.", Clients: []Client{{"AWS SDK v2", "6146 AWS_AUTH_SIGNING_NO_CREDENTIALS"}, {"boto3", "NoCredentialsError"}}},
		Advice: "Set the credentials; against a Gatehouse: eval \"$(gatehouse env)\".",
		Fix:    callerIdentity,
		Source: "PROBLEMS I-07", Example: ev("offered", "/20261121/us-east-1/iotdevicegateway/aws4_request"),
	})

	// CredentialsInvalid is an access key that nobody knows.
	CredentialsInvalid = register(Check{
		Code: "credentials.invalid", Stage: StageAuthentication, Severity: Refusal,
		Title:  "The access key or session token is not known",
		Cause:  "The access key<< {offered}>> is unknown, deactivated, or a temporary one without its session token. Keys of AWS do not work at a Gatehouse, nor the other way round.",
		Device: refusedRequest,
		Advice: "Look which credentials the client picks (environment, profile, role); against a Gatehouse: eval \"$(gatehouse env)\".",
		Fix:    callerIdentity,
		Source: "API sheet", Example: ev("offered", "AKIAEXAMPLE"),
	})

	// CredentialsExpired is a temporary credential at its end.
	CredentialsExpired = register(Check{
		Code: "credentials.expired", Stage: StageAuthentication, Severity: Refusal,
		Title:  "The temporary credentials have expired",
		Cause:  "The session token's time is over.",
		Device: refusedRequest,
		Advice: "Fetch new credentials before the old ones end, and sign with them when reconnecting.",
		Fix:    callerIdentity,
		Source: "API sheet",
	})

	// CognitoIoTPolicyMissing is PROBLEMS I-10.
	CognitoIoTPolicyMissing = register(Check{
		Code: "cognito.iot_policy_missing", Stage: StageAuthorization, Severity: Refusal,
		Title:  "The Cognito identity has no IoT policy",
		Cause:  "An authenticated Cognito identity needs an AWS IoT policy attached to its identity ID, besides the permissions of its role. The identity pool's ID does not do.",
		Device: closedAfterConnect,
		Advice: "Attach the policy to the identity ID (REGION:UUID) of each user, when the user signs in.",
		Fix:    "aws iot attach-policy --policy-name {policy} --target {principal}",
		Source: "PROBLEMS I-10", Example: ev("policy", "web-users", "principal", "us-east-1:0f9d6a52-6a3c-4f0e-9a55-6f2f3c7f7d11"),
	})

	// STSSessionPolicyExcludes is PROBLEMS I-11.
	STSSessionPolicyExcludes = register(Check{
		Code: "sts.session_policy_excludes", Stage: StageAuthorization, Severity: Refusal,
		Title:  "The session policy leaves the IoT actions out",
		Cause:  "A role session has what its role and its session policy both allow; the session policy has no iot action.",
		Device: closedAfterConnect,
		Advice: "Add iot:Connect, iot:Publish, iot:Subscribe and iot:Receive to the policy that is handed to AssumeRole, or leave that policy out.",
		Fix:    callerIdentity,
		Source: "PROBLEMS I-11",
	})

	// AuthzWSUpgrade is PROBLEMS I-13.
	AuthzWSUpgrade = register(Check{
		Code: "authz.ws_upgrade", Stage: StageAuthorization, Severity: Refusal,
		Title:  "The WebSocket upgrade is refused",
		Cause:  "The server answered the upgrade with<< {reason}>> an error: the credentials may not use AWS IoT, their signature is wrong, or the path is not /mqtt.",
		Device: refusedRequest,
		Advice: "Print the HTTP status and the x-amzn-ErrorType header of the answer. The role needs iot:Connect on client/ID, and the path is /mqtt.",
		Fix:    callerIdentity,
		Source: "PROBLEMS I-13", Example: ev("reason", "403 Forbidden"),
	})

	// RoleAliasPolicy is PROBLEMS I-14.
	RoleAliasPolicy = register(Check{
		Code: "role_alias.policy", Stage: StageAuthorization, Severity: Refusal,
		Title:  "The certificate may not assume the role alias",
		Cause:  "The credentials provider refused: the certificate's policy lacks iot:AssumeRoleWithCertificate on the role alias, or the role does not trust credentials.iot.amazonaws.com.",
		Device: Device{HTTPS: "403 AccessDeniedException of the credentials endpoint."},
		Advice: "Allow iot:AssumeRoleWithCertificate on rolealias/NAME in the certificate's policy, trust credentials.iot.amazonaws.com in the role, and send the x-amzn-iot-thingname header if the policy asks for the thing.",
		Fix:    grant("allow-role-alias", "iot:AssumeRoleWithCertificate", iotARN("rolealias", "*")),
		Source: "PROBLEMS I-14",
	})

	// IAMActionDenied is PROBLEMS K-14.
	IAMActionDenied = register(Check{
		Code: "iam.action_denied", Stage: StageAuthorization, Severity: Refusal,
		Title:  "The caller's IAM policy does not allow the action",
		Cause:  "The caller of the API may not do<< {action}>> this. It concerns who calls AWS, not the device.",
		Device: Device{HTTPS: "403 AccessDeniedException."},
		Advice: "Add the action to the IAM policy of the user or role that calls.",
		Fix:    callerIdentity,
		Source: "PROBLEMS K-14", Example: ev("action", "iot:RegisterCertificateWithoutCA"),
	})

	// IAMPassRole is PROBLEMS K-08.
	IAMPassRole = register(Check{
		Code: "iam.pass_role", Stage: StageAuthorization, Severity: Refusal,
		Title:  "The caller may not pass the role",
		Cause:  "The operation hands a role to AWS IoT, which needs iam:PassRole on that role besides the operation's own action.",
		Device: Device{HTTPS: "403 on CreateRoleAlias, CreateTopicRule and others."},
		Advice: "Allow the caller iam:PassRole on the role's ARN.",
		Fix:    callerIdentity,
		Source: "PROBLEMS K-08",
	})

	// PolicyVarNotInIAM is PROBLEMS E-14.
	PolicyVarNotInIAM = register(Check{
		Code: "policy.var.not_in_iam", Stage: StageAuthorization, Severity: Refusal,
		Title:  "Thing variables do not work in IAM policies",
		Cause:  "<<The variable {variable} has a value in AWS IoT policies only; in an IAM policy, as {policy} is one, its statement never matches.||${iot:Connection.Thing...} has a value in AWS IoT policies only; in a role's IAM policy the statement never matches.>>",
		Device: closedAfterConnect,
		Advice: "Use ${iot:ClientId} in the IAM policy, or an AWS IoT policy attached to the identity.",
		Fix:    callerIdentity,
		Source: "PROBLEMS E-14", Example: ev("variable", "iot:Connection.Thing.ThingName", "policy", "web-app"),
	})
)
