package check

// Checks of the inspector of `gatehouse diagnose`, which reads the account with
// the credentials of whoever looks. None of them refuses a device.

// unseen is what a device sees of what only concerns who looks.
var unseen = Device{MQTT311: "Nothing: it concerns who looks, not the device.", MQTT5: "Nothing: it concerns who looks, not the device."}

var (
	// AccountNotPermitted keeps a missing permission from looking like a missing thing.
	AccountNotPermitted = register(Check{
		Code: "account.not_permitted", Stage: StageAuthorization, Severity: Note,
		Title:  "A part of the account could not be looked at",
		Cause:  "Could not look: needs {action}. The caller<<, {caller},>> may not call it<<: {error}>>.",
		Device: unseen,
		Advice: "Nothing is concluded from what was not seen. Give the caller the action, or look with other credentials.",
		Fix:    callerIdentity,
		Source: "Issue 5", Example: ev("action", "iot:ListAttachedPolicies", "caller", "arn:aws:iam::123456789012:user/ann", "error", "AccessDeniedException"),
	})

	// AccountNotAnswered is an operation that failed, or that the endpoint does not have.
	AccountNotAnswered = register(Check{
		Code: "account.not_answered", Stage: StageAuthorization, Severity: Note,
		Title:  "A part of the account did not answer",
		Cause:  "Could not look: {action} failed: {error}.",
		Device: unseen,
		Advice: "Nothing is concluded from what was not seen.",
		Fix:    callerIdentity,
		Source: "Issue 5", Example: ev("action", "iot:GetV2LoggingOptions", "error", "NotImplementedException: not built yet"),
	})

	// AccountNoCredentials leaves the inspector out.
	AccountNoCredentials = register(Check{
		Code: "account.no_credentials", Stage: StageAuthorization, Severity: Note,
		Title:  "The account was not looked at",
		Passed: "The credentials are accepted",
		Cause:  "There are no AWS credentials that work here<<: {error}>>. What the device sees is known, why the account refuses it is not.",
		Device: unseen,
		Advice: "Set a profile (AWS_PROFILE) or keys that may read AWS IoT; for a Gatehouse: eval \"$(gatehouse env)\".",
		Fix:    callerIdentity,
		Source: "Issue 5", Example: ev("error", "no credentials in the environment"),
	})

	// AccountEndpointDiffers is a device that talks to another account or Region.
	AccountEndpointDiffers = register(Check{
		Code: "account.endpoint_differs", Stage: StageDNS, Severity: Refusal,
		Title:   "The host name is no endpoint of this account and Region",
		Passed:  "The host name is an endpoint of this account",
		Cause:   "The device uses {offered}. The data endpoint of<< account {account},>> Region {region} is {required}. Certificates and policies of one account and Region do not count in another.",
		Device:  refusedCertificate,
		Advice:  "Give the device the host name that the command prints, or look with credentials of the device's own account and Region.",
		Fix:     describeEndpoint,
		Source:  "connect sheet 1.1, 8.5; PROBLEMS D-04",
		Example: ev("offered", "a1b2c3d4e5f6g7-ats.iot.eu-west-1.amazonaws.com", "required", "a3qjexampleffp-ats.iot.us-east-1.amazonaws.com"),
	})

	// AccountLoggingOff is an account that keeps no log of its devices.
	AccountLoggingOff = register(Check{
		Code: "account.logging_off", Stage: StageDelivery, Severity: Note,
		Title:    "The account does not log what devices do",
		Passed:   "The account logs what devices do",
		Cause:    "AWS IoT logging is {status}: refusals leave no trace in CloudWatch Logs.",
		Device:   works,
		Advice:   "Turn it on with a role that may write logs, at least at the level ERROR.",
		Fix:      "aws iot set-v2-logging-options --default-log-level ERROR --role-arn ROLE_ARN",
		HiddenBy: []*Check{AccountLoggedFailure},
		Source:   "logs sheet; connect sheet 6", Example: ev("status", "DISABLED"),
	})

	// AccountLoggedFailure is what the account's own log says of the device.
	AccountLoggedFailure = register(Check{
		Code: "account.logged_failure", Stage: StageDelivery, Severity: Note,
		Title:  "The account's log has failures of this device",
		Cause:  "Failures of this device in AWSIotLogsV2 within {period}: {count}. The latest: {reason}.",
		Device: works,
		Fix:    "aws logs filter-log-events --log-group-name AWSIotLogsV2 --start-time $(($(date +%s) - 3600))000 --filter-pattern '{$.status = \"Failure\"}' --query 'events[].[message]' --output text",
		Source: "logs sheet", Example: ev("count", "3", "period", "1 hour", "reason", "Connect AUTHORIZATION_FAILURE"),
	})

	// AccountDecisionDiffers is a policy that TestAuthorization reads in another way than we do.
	AccountDecisionDiffers = register(Check{
		Code: "account.decision_differs", Stage: StageAuthorization, Severity: Warning,
		Title:   "TestAuthorization decides otherwise than the policies say",
		Passed:  "TestAuthorization agrees",
		Cause:   "For {action} on {resource} the policies, read here, come to {offered}; TestAuthorization answers {required}. It knows no source address, no server name and nothing of the CONNECT; or a policy changed a moment ago.",
		Device:  works,
		Advice:  "Trust TestAuthorization in what it knows, and look again in ten minutes.",
		Fix:     "aws iot test-authorization --principal {principal_arn} --client-id {client_id} --auth-infos actionType=CONNECT,resources={resource}",
		Source:  "policy sheet 15",
		Example: ev("action", "iot:Connect", "resource", iotExample("client/sensor-1"), "offered", "ALLOWED", "required", "IMPLICIT_DENY"),
	})

	// AccountSidesDisagree is shown and not decided: hiding it would hide the cause.
	AccountSidesDisagree = register(Check{
		Code: "account.sides_disagree", Stage: StageAuthorization, Severity: Warning,
		Title:  "The device's side and the account disagree",
		Cause:  "{offered}; but {required}.",
		Device: works,
		Advice: "The account may have been changed less than ten minutes ago; host name, client ID or certificate may be others than the device's; or a condition asks for something that was not known here.",
		Fix:    watch,
		Source: "Issue 5", Example: ev("offered", "the probe connects", "required", "the policies, read here, do not allow iot:Connect"),
	})

	// AccountFunctionFailing is an authorizer that fails for others too.
	AccountFunctionFailing = register(Check{
		Code: "account.function_failing", Stage: StageAuthentication, Severity: Warning,
		Title:  "The authorizer's function has failed lately",
		Passed: "The authorizer's function has not failed lately",
		Cause:  "{count} of {offered} invocations of the function {function} failed within {period}.",
		Device: works,
		Fix:    functionLog,
		Source: "custom-auth sheet 15; metrics sheet", Example: ev("count", "4", "offered", "12", "period", "3 hours", "function", "token-check"),
	})
)
