package devicelog

import (
	"strings"

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

// authNReasons is AWS's reason for each refusal in authentication; all others
// are NOT_AUTHENTICATED. Source: custom-auth sheet 10.1.
var authNReasons = map[*check.Check]string{
	check.AuthorizerInvokeDenied:      "CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR",
	check.AuthorizerFunctionMissing:   "CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR",
	check.AuthorizerFunctionError:     "CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR",
	check.AuthorizerThrottled:         "CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR",
	check.AuthorizerTimeout:           "CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR",
	check.AuthorizerNotRunnable:       "CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR",
	check.AuthorizerResponseInvalid:   "CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR",
	check.AuthorizerDocuments:         "CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR",
	check.AuthorizerDuration:          "CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR",
	check.AuthorizerPrincipalInvalid:  "CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR",
	check.AuthorizerUnknown:           "CUSTOM_AUTHORIZER_NOT_FOUND",
	check.AuthorizerInactive:          "CUSTOM_AUTHORIZER_NOT_FOUND",
	check.AuthorizerNotSelected:       "CUSTOM_AUTHORIZER_NOT_FOUND",
	check.AuthorizerTokenMissing:      "CUSTOM_AUTHORIZER_PARAMETER_INVALID",
	check.AuthorizerTokenKeyName:      "CUSTOM_AUTHORIZER_PARAMETER_INVALID",
	check.AuthorizerSignatureMissing:  "CUSTOM_AUTHORIZER_PARAMETER_INVALID",
	check.AuthorizerSignatureEncoding: "CUSTOM_AUTHORIZER_PARAMETER_INVALID",
	check.AuthorizerSigV4Mixed:        "CUSTOM_AUTHORIZER_PARAMETER_INVALID",
	check.CertInactive:                "DEVICE_CERTIFICATE_INACTIVE",
	check.CertPendingActivation:       "DEVICE_CERTIFICATE_INACTIVE",
	check.CertPendingTransfer:         "DEVICE_CERTIFICATE_INACTIVE",
	check.CertNotRegistered:           "DEVICE_CERTIFICATE_NOT_REGISTERED",
	check.CertRegisteredCAPresented:   "DEVICE_CERTIFICATE_NOT_REGISTERED",
	check.CertRevoked:                 "DEVICE_CERTIFICATE_REVOKED",
	check.CertRegisteredElsewhere:     "SNI_MISUSED",
	check.DomainDisabled:              "DOMAIN_CONFIGURATION_DISABLED",
	check.SigV4Expired:                "SECURITY_TOKEN_EXPIRED",
	check.CredentialsExpired:          "SECURITY_TOKEN_EXPIRED",
	check.CredentialsInvalid:          "SECURITY_TOKEN_INVALID",
	check.SigV4CredentialEmpty:        "SECURITY_TOKEN_INVALID",
	check.SigV4Signature:              "SECURITY_TOKEN_SIGNATURE_MISMATCH",
	check.SigV4SignedHost:             "SECURITY_TOKEN_SIGNATURE_MISMATCH",
	check.SigV4TokenInSignature:       "SECURITY_TOKEN_SIGNATURE_MISMATCH",
	check.ServerError:                 "INTERNAL_SERVER_ERROR",
}

// explain returns reason and details of a failure. Source: logs sheet 3.3.
func explain(h home, w observe.Who, e *observe.Event) (reason, details string) {
	switch {
	case e.Kind == observe.AuthNError:
		if reason = authNReasons[e.Check]; reason == "" {
			reason = "NOT_AUTHENTICATED"
		}
		return reason, reasonDetails[reason]
	case e.Kind == observe.Queued && e.Outcome == observe.ServerError:
		return "", "Server Error"
	case e.Kind == observe.Queued && e.Check == check.LimitQueuedRate:
		return "", "Throttled while queueing offline message"
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

// authenticationType says how a refused connection was to prove who it is. Source: logs sheet 3.3.
func authenticationType(e *observe.Event) string {
	custom := e.Check != nil && strings.HasPrefix(e.Check.Code, "authorizer.")
	switch {
	case custom && e.Attempt != nil && e.Attempt.CertificateID != "":
		return "CUSTOM_AUTH_X509"
	case custom:
		return "CUSTOM_AUTH"
	case e.Check != nil && (strings.HasPrefix(e.Check.Code, "sigv4.") || strings.HasPrefix(e.Check.Code, "credentials.")):
		return "AWS_SIGV4"
	}
	return "AWS_X509"
}
