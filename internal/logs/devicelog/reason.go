package devicelog

import (
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
)

// reasonDetails are the reasons of Connection.AuthNError with AWS's sentences.
// Source: logs sheet 3.3; custom-auth sheet 10.1.
var reasonDetails = map[string]string{
	"CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR": "Custom authorizer Lambda invocation failed",
	"CUSTOM_AUTHORIZER_NOT_FOUND":              "Could not find custom authorizer",
	"CUSTOM_AUTHORIZER_PARAMETER_INVALID":      "Custom authentication parameter is invalid",
	"DEVICE_CERTIFICATE_INACTIVE":              "Device certificate is not active",
	"DEVICE_CERTIFICATE_NOT_REGISTERED":        "Device certificate is not registered",
	"DEVICE_CERTIFICATE_REVOKED":               "Device certificate is revoked",
	"DOMAIN_CONFIGURATION_DISABLED":            "Domain configuration for the Server Name Indication (SNI) provided is disabled",
	"INTERNAL_SERVER_ERROR":                    "Internal server error",
	"NOT_AUTHENTICATED":                        "The credentials provided could not be authenticated",
	"SECURITY_TOKEN_EXPIRED":                   "The security token is expired",
	"SECURITY_TOKEN_INVALID":                   "The security token included in the request is invalid",
	"SECURITY_TOKEN_SIGNATURE_MISMATCH":        "Request signature does not match the signature provided",
	"SNI_MISUSED":                              "The client used an SNI that is not associated with this account",
}

// explain returns reason and details of a failure. Source: logs sheet 3.3.
func explain(h home, w observe.Who, e *observe.Event) (reason, details string) {
	switch {
	case e.Kind == observe.AuthNError:
		reason = e.AuthN().Reason
		return reason, reasonDetails[reason]
	case e.Kind == observe.Queued && e.Outcome == observe.ServerError:
		return "", "Server Error"
	case e.Kind == observe.Queued && e.Check == check.LimitQueuedRate:
		return "", "Throttled while queueing offline message"
	case e.Kind == observe.RuleNotFound:
		return "RuleNotFound", "Rule " + e.Rule + " not found"
	case e.DisconnectReason == "DUPLICATE_CLIENTID":
		return "DUPLICATE_CLIENT_ID", "A new connection was established with the same client ID"
	case e.Reason != "":
		return e.Reason, e.Details
	case e.Outcome == observe.AuthError:
		return "AUTHORIZATION_FAILURE", "Authorization Failure"
	}
	switch e.Outcome {
	case observe.Throttle, observe.ClientIDThrottle:
		reason = "THROTTLED"
	case observe.ServerError:
		reason = "SERVER_ERROR"
	default:
		reason = "CLIENT_ERROR"
	}
	if e.Check != nil {
		return reason, e.Check.CauseWith(values(h, w, e))
	}
	return reason, e.Details
}
