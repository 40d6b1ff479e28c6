package policy

import "fmt"

// causeText puts into words why k has no value, and what to do about it.
// Source: policy sheet 7 and 16, UNRESOLVED_VARIABLE.
func (c *Context) causeText(k key, why Cause) (cause, fix string) {
	thing := "the thing"
	if c.Thing != nil {
		thing = "thing " + c.Thing.Name
	}
	switch why {
	case CauseNoClientIDOverHTTP:
		return "an HTTPS request has no client ID", "name the resource without the variable for HTTPS requests"
	case CauseNoThingOverHTTP:
		return "an HTTPS request belongs to no thing", "name the resource without the variable for HTTPS requests"
	case CauseNoClientID:
		return "the client ID is not known", "give the client ID"
	case CauseClientIDIsNoThing:
		return fmt.Sprintf("no thing has the name %q, which is the client ID", c.ClientID), "connect with the name of a registered thing as client ID, and attach that thing to the certificate"
	case CauseNotAttached:
		return thing + " is not attached to this principal", "attach it: aws iot attach-thing-principal --thing-name " + c.thingName() + " --principal CERTIFICATE_ARN"
	case CauseNameDiffers:
		return fmt.Sprintf("client ID %q is not the name of %s", c.ClientID, thing), fmt.Sprintf("connect with client ID %s, or attach the thing exclusively", c.thingName())
	case CauseAttributeMissing:
		return fmt.Sprintf("%s has no attribute %q", thing, k.attr), "give the thing the attribute: aws iot update-thing --thing-name " + c.thingName() + " --attribute-payload ..."
	case CauseNoThingType:
		return thing + " has no thing type", "give the thing a type: aws iot update-thing --thing-name " + c.thingName() + " --thing-type-name ..."
	case CauseNoCertificate:
		return "the principal is no certificate", "use a certificate, or a variable that this principal has"
	case CauseCertificateLacks:
		return "the certificate has no " + k.attr, "issue a certificate with that attribute, or use another variable"
	case CauseIndexOutOfRange:
		return fmt.Sprintf("the certificate has too few values of %s; the plain name is the first value, .1 the second, and five count", k.attr), "correct the index"
	case CauseMultiValued:
		return "it has several values, which only conditions with ForAllValues or ForAnyValue can use", "use the key in a condition"
	case CauseTooLong:
		return fmt.Sprintf("its value has more than %d characters", maxCertificateValueChars), "issue a certificate with a shorter value"
	case CauseWildcards:
		return fmt.Sprintf("its value contains one of %s, and is therefore not inserted", certificateWildcards), "issue a certificate without these characters in the value"
	case CauseInvalidUTF8:
		return "its value is not valid UTF-8", "issue a certificate with a valid value"
	case CauseLegacyThing:
		return "there is no such variable; did you mean iot:Connection.Thing.ThingName?", "write ${iot:Connection.Thing.ThingName}"
	case CausePlainTextVersion:
		return "variables need \"Version\": \"2012-10-17\"; without it ${...} is plain text", `set "Version" to "2012-10-17"`
	case CauseOtherAction:
		return "requests of this kind do not have it", "put the condition into a statement for the actions that have the key"
	case CauseThroughVPC:
		return "the request came through a VPC endpoint, which has no aws:SourceIp", "use aws:VpcSourceIp"
	case CauseNotThroughVPC:
		return "the request did not come through a VPC endpoint", "connect through the VPC endpoint, or drop the condition"
	case CauseUnknownVariable:
		return k.name + " is no key that AWS IoT Core knows", "check the spelling"
	default:
		return k.name + " is not known for this request", "give it a value, or drop it from the statement"
	}
}

func (c *Context) thingName() string {
	if c.Thing != nil && c.Thing.Name != "" {
		return c.Thing.Name
	}
	return "THING"
}
