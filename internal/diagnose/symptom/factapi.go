package symptom

import "github.com/gatehouse-iot/gatehouse/internal/check"

// Requests that are signed or authorized by a function, provisioning, Greengrass.
var (
	upgradeRefused = &fact{"the WebSocket upgrade was refused", check.StageAuthentication, narrow, causes{
		check.AuthzWSUpgrade: 46, check.SigV4Signature: 38, check.SigV4CredentialEmpty: 34, check.SigV4ClockSkew: 24, check.SigV4ScopeRegion: 22, check.SigV4ScopeService: 20, check.SigV4Expired: 16,
	}}
	forbidden = &fact{"the server answered 403", check.StageAuthorization, narrow, causes{
		check.AuthzPublish: 34, check.HTTPPortForCertAuth: 33, check.SigV4Signature: 26, check.CertNotRegistered: 22, check.PolicyNoneAttached: 20, check.AuthzWSUpgrade: 18,
	}}
	signatureRefused    = &fact{"the signature does not match", check.StageAuthentication, exact, causes{check.SigV4Signature: 72, check.SigV4SignedHost: 24, check.SigV4TokenInSignature: 22, check.SigV4ScopeRegion: 18}}
	signatureExpired    = &fact{"the signature is too old", check.StageAuthentication, exact, causes{check.SigV4Expired: 66, check.SigV4ClockSkew: 56}}
	clockSkewed         = &fact{"the signature is of another time", check.StageAuthentication, exact, causes{check.SigV4ClockSkew: 78, check.SigV4Expired: 44}}
	scopeWrong          = &fact{"the credential scope does not fit", check.StageAuthentication, exact, causes{check.SigV4ScopeRegion: 66, check.SigV4ScopeService: 58}}
	scopeRegion         = &fact{"two Regions are named", check.StageAuthentication, hint, causes{check.SigV4ScopeRegion: 72}}
	noCredentials       = &fact{"there are no AWS credentials", check.StageAuthentication, exact, causes{check.SigV4CredentialEmpty: 85}}
	credentialsUnknown  = &fact{"the AWS credentials are not known", check.StageAuthentication, exact, causes{check.CredentialsInvalid: 82, check.CredentialsExpired: 22, check.SigV4CredentialEmpty: 14}}
	credentialsExpired  = &fact{"the AWS credentials have expired", check.StageAuthentication, exact, causes{check.CredentialsExpired: 85, check.SigV4ClockSkew: 20}}
	actionDenied        = &fact{"the caller may not do this", check.StageAuthorization, exact, causes{check.IAMActionDenied: 76, check.IAMPassRole: 22, check.RoleAliasPolicy: 16}}
	passRole            = &fact{"the caller may not pass the role", check.StageAuthorization, exact, causes{check.IAMPassRole: 86, check.IAMActionDenied: 24}}
	roleAlias           = &fact{"the role alias was refused", check.StageAuthorization, exact, causes{check.RoleAliasPolicy: 80, check.CertNotRegistered: 14}}
	cognitoRefused      = &fact{"a Cognito identity was refused", check.StageAuthorization, hint, causes{check.CognitoIoTPolicyMissing: 62}}
	webClosed           = &fact{"the WebSocket was closed", check.StageAuthorization, narrow, causes{check.CognitoIoTPolicyMissing: 56, check.AuthzConnectNoStatement: 36, check.AuthzConnectClientID: 34, check.AuthzWSUpgrade: 20, check.SessionMaxLifetime: 10}}
	sessionPolicy       = &fact{"a session policy narrows the role", check.StageAuthorization, exact, causes{check.STSSessionPolicyExcludes: 82}}
	thingVariable       = &fact{"a policy variable of the thing is used", check.StageAuthorization, narrow, causes{check.PolicyVarUndefined: 68, check.PolicyVarNotInIAM: 36}}
	thingVariableIAM    = &fact{"a policy variable of the thing is used in an IAM policy", check.StageAuthorization, exact, causes{check.PolicyVarNotInIAM: 84, check.PolicyVarUndefined: 30}}
	portForCertificate  = &fact{"a client certificate over HTTPS on port 443", check.StageProtocol, exact, causes{check.HTTPPortForCertAuth: 74, check.AuthzPublish: 28, check.CertNotRegistered: 16}}
	httpMalformed       = &fact{"the server could not read the HTTP request", check.StageProtocol, narrow, causes{check.HTTPMalformed: 50, check.HTTPNotFound: 20}}
	httpNotFound        = &fact{"the server does not know the path", check.StageProtocol, narrow, causes{check.HTTPNotFound: 66, check.NetEndpointShape: 24}}
	authorizerRefused   = &fact{"a custom authorizer is in play", check.StageAuthentication, hint, causes{check.AuthorizerNotSelected: 50, check.AuthorizerInvokeDenied: 46, check.AuthorizerRejected: 34, check.AuthorizerTimeout: 16}}
	authorizerSilent    = &fact{"the authorizer's function was not invoked", check.StageAuthentication, exact, causes{check.AuthorizerNotSelected: 74, check.AuthorizerInvokeDenied: 66, check.AuthorizerPort: 30}}
	authorizerSlow      = &fact{"the authorizer's function took too long", check.StageAuthentication, exact, causes{check.AuthorizerTimeout: 85, check.AuthorizerResponseInvalid: 20}}
	authorizerBroken    = &fact{"the authorizer's function failed or answered badly", check.StageAuthentication, exact, causes{check.AuthorizerResponseInvalid: 72, check.AuthorizerFunctionError: 60, check.AuthorizerTimeout: 24, check.AuthorizerInvokeDenied: 22}}
	authorizerToken     = &fact{"token or signature for the authorizer", check.StageAuthentication, narrow, causes{check.AuthorizerSignatureMismatch: 50, check.AuthorizerSignatureEncoding: 46, check.AuthorizerSignatureMissing: 44, check.AuthorizerTokenKeyName: 38}}
	authorizerNoToken   = &fact{"token or signature for the authorizer is missing", check.StageAuthentication, exact, causes{check.AuthorizerSignatureMissing: 74, check.AuthorizerTokenKeyName: 58, check.AuthorizerSignatureMismatch: 30}}
	authorizerMixed     = &fact{"a signed request meets a custom authorizer", check.StageAuthentication, exact, causes{check.AuthorizerSigV4Mixed: 82, check.AuthorizerNotSelected: 26}}
	authorizerWrongPort = &fact{"a custom authorizer at the wrong port, or beside a certificate", check.StageAuthentication, exact, causes{check.AuthorizerPort: 76, check.TLSALPNMQTTRequired: 40, check.AuthorizerNotSelected: 34}}
	claimRefused        = &fact{"fleet provisioning was refused", check.StageAuthorization, narrow, causes{check.ProvisioningClaimPolicy: 56, check.ProvisioningTemplateRole: 54, check.ProvisioningHook: 44, check.ProvisioningClaimExpired: 30}}
	claimUnclear        = &fact{"fleet provisioning does not come to its end", check.StageAuthorization, narrow, causes{check.ProvisioningClaimExpired: 48, check.ProvisioningClaimPolicy: 44, check.ProvisioningTemplateRole: 34, check.ProvisioningHook: 28}}
	claimExpired        = &fact{"the claim or its token has expired", check.StageCertificate, exact, causes{check.ProvisioningClaimExpired: 84}}
	hookRefused         = &fact{"the pre-provisioning hook refused", check.StageAuthorization, exact, causes{check.ProvisioningHook: 84}}
	noThing             = &fact{"the provisioning answer has no thing", check.StageAuthorization, exact, causes{check.ProvisioningNoThing: 84}}
	jitp                = &fact{"just-in-time provisioning", check.StageCertificate, hint, causes{check.JITPRegisteredRetry: 50, check.JITPNoTemplate: 46, check.CertRegisteredCANotInChain: 26}}
	jitr                = &fact{"just-in-time registration", check.StageCertificate, hint, causes{check.CertRegisteredCANotInChain: 52, check.JITRWaiting: 50}}
	discovery           = &fact{"Greengrass discovery failed", check.StageAuthorization, narrow, causes{check.GreengrassDiscoverDenied: 60, check.GreengrassNoCore: 56}}
	discoveryNone       = &fact{"Greengrass discovery found no core", check.StageAuthorization, exact, causes{check.GreengrassNoCore: 82, check.GreengrassDiscoverDenied: 24}}
	shadowState         = &fact{"the shadow document has no state", check.StageDelivery, exact, causes{check.ShadowJSONDoubleEncoded: 80, check.ClientRxBuffer: 14}}
	shadowBuffer        = &fact{"a shadow document was cut off", check.StageDelivery, exact, causes{check.ClientRxBuffer: 70, check.ShadowJSONDoubleEncoded: 30}}
)
