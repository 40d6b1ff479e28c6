package observe

import (
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// An AuthN is how AWS sorts the connections that were refused in authentication.
type AuthN struct {
	Type   string // how the connection was to prove who it is, such as AWS_X509
	Reason string // such as DEVICE_CERTIFICATE_INACTIVE
}

// AuthN sorts an AuthNError. Source: logs sheet 3.3; custom-auth sheet 10.1.
func (e *Event) AuthN() AuthN {
	a := AuthN{Type: "AWS_X509", Reason: "NOT_AUTHENTICATED"}
	if e.Check == nil {
		return a
	}
	if reason := authNReasons[e.Check]; reason != "" {
		a.Reason = reason
	}
	switch area, _, _ := strings.Cut(e.Check.Code, "."); {
	case area == "authorizer" && e.Attempt != nil && e.Attempt.CertificateID != "":
		a.Type = "CUSTOM_AUTH_X509"
	case area == "authorizer":
		a.Type = "CUSTOM_AUTH"
	case area == "sigv4", area == "credentials":
		a.Type = "AWS_SIGV4"
	}
	return a
}

// authNReasons is AWS's reason for each refusal in authentication; all others
// are NOT_AUTHENTICATED. DOMAIN_CONFIGURATION_INVALID has no source: only domain
// configurations of service DATA can be created. Source: custom-auth sheet 10.1;
// connect sheet 1.2.
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
