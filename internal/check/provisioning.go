package check

// Checks of how devices get their certificates and cores: registration at the
// first connection, fleet provisioning, Greengrass. PROBLEMS groups D and K.

// refusedOverMQTT is an answer on a .../rejected topic.
var refusedOverMQTT = Device{
	MQTT311: "A message with statusCode and errorMessage on the /rejected topic.",
	MQTT5:   "A message with statusCode and errorMessage on the /rejected topic.",
}

// Checks of provisioning.
var (
	// CertRegisteredElsewhere is PROBLEMS D-04.
	CertRegisteredElsewhere = register(Check{
		Code: "cert.registered_elsewhere", Stage: StageCertificate, Severity: Refusal,
		Title:  "The certificate is registered in another Region or account",
		Cause:  "Certificates belong to one account and Region. This one<< is registered in {required} and>> was used at the endpoint of another.",
		Device: refusedCertificate,
		Advice: "Connect to the endpoint of the certificate's own Region, or register it here too.",
		Fix:    "aws iot describe-certificate --certificate-id {certificate_id} --region {region}",
		Source: "PROBLEMS D-04", Example: ev("required", "eu-west-1"),
	})

	// JITPRegisteredRetry is PROBLEMS D-19.
	JITPRegisteredRetry = register(Check{
		Code: "jitp.registered_retry", Stage: StageCertificate, Severity: Note,
		Title:  "The first connection only registers the device",
		Cause:  "With just-in-time provisioning the first connection registers the certificate and is closed, by design; the next one works.",
		Device: closedAfterConnect,
		Advice: "Connect again after a few seconds. If that fails too, the template or its role did not finish.",
		Fix:    "aws iot describe-certificate --certificate-id {certificate_id} --query certificateDescription.status",
		Source: "PROBLEMS D-19",
	})

	// JITRWaiting is a certificate that a function must activate.
	JITRWaiting = register(Check{
		Code: "jitr.waiting_for_connect", Stage: StageCertificate, Severity: Note,
		Title:  "The certificate registered itself and waits for activation",
		Cause:  "With just-in-time registration the first connection leaves the certificate PENDING_ACTIVATION; a rule on $aws/events/certificates/registered must activate it.",
		Device: closedAfterConnect,
		Advice: "Look whether the rule's function ran, activated the certificate and attached a policy.",
		Fix:    "aws iot update-certificate --certificate-id {certificate_id} --new-status ACTIVE",
		Source: "PROBLEMS section 2",
	})

	// JITPNoTemplate is PROBLEMS D-20.
	JITPNoTemplate = register(Check{
		Code: "jitp.no_template", Stage: StageCertificate, Severity: Refusal,
		Title:  "The CA has no working provisioning template",
		Cause:  "The device's CA is registered, but it has no template, its template is wrong, or its role may not provision: the certificate never gets its thing and policy.",
		Device: closedAfterConnect,
		Advice: "Look at the CA's registrationConfig and autoRegistrationStatus, and at what the certificate has after the attempt.",
		Fix:    "aws iot describe-ca-certificate --certificate-id {ca_certificate_id}",
		Source: "PROBLEMS D-20", Example: CertRegisteredCA.Example,
	})

	// ProvisioningClaimPolicy is PROBLEMS K-04.
	ProvisioningClaimPolicy = register(Check{
		Code: "provisioning.claim_policy", Stage: StageAuthorization, Severity: Refusal,
		Title:  "The claim certificate's policy does not allow provisioning",
		Cause:  "Fleet provisioning publishes to and subscribes under $aws/certificates/create/* and $aws/provisioning-templates/NAME/provision/*; the claim's policy does not allow one of them.",
		Device: refusedPublish,
		Advice: "Allow iot:Publish and iot:Receive on topic/, iot:Subscribe on topicfilter/ of both groups of topics, for the template's exact name.",
		Fix:    "aws iot list-attached-policies --target {principal_arn}",
		Source: "PROBLEMS K-04",
	})

	// ProvisioningTemplateRole is PROBLEMS K-04.
	ProvisioningTemplateRole = register(Check{
		Code: "provisioning.template_role", Stage: StageAuthorization, Severity: Refusal,
		Title:  "The provisioning template's role may not do what the template asks",
		Cause:  "RegisterThing acts with the template's role, and the role lacks a permission, or does not trust iot.amazonaws.com.",
		Device: refusedOverMQTT,
		Advice: "Give the role AWSIoTThingsRegistration or the actions of the template's resources.",
		Fix:    "aws iot list-provisioning-templates",
		Source: "PROBLEMS K-04",
	})

	// ProvisioningHook is PROBLEMS K-04.
	ProvisioningHook = register(Check{
		Code: "provisioning.hook", Stage: StageAuthorization, Severity: Refusal,
		Title:  "The pre-provisioning hook refused the device",
		Cause:  "The template's hook answered allowProvisioning false, failed, or took more than five seconds.",
		Device: refusedOverMQTT,
		Advice: "Read the function's log, and look whether AWS IoT may invoke it.",
		Fix:    "aws iot list-provisioning-templates",
		Source: "PROBLEMS K-04",
	})

	// ProvisioningClaimExpired is PROBLEMS K-05.
	ProvisioningClaimExpired = register(Check{
		Code: "provisioning.claim_expired", Stage: StageCertificate, Severity: Refusal,
		Title:  "The claim or its ownership token has expired",
		Cause:  "A claim made for a trusted user lives five minutes, and so does the certificateOwnershipToken that RegisterThing needs.",
		Device: refusedOverMQTT,
		Advice: "Ask for a new claim, and do all steps in one go; the token belongs to the connection that got it.",
		Fix:    "aws iot list-provisioning-templates",
		Source: "PROBLEMS K-05",
	})

	// ProvisioningNoThing is PROBLEMS K-07.
	ProvisioningNoThing = register(Check{
		Code: "provisioning.no_thing_in_template", Stage: StageAuthorization, Severity: Warning,
		Title:  "The provisioning template makes no thing",
		Cause:  "The answer has no thingName, because the template has no resource of the type AWS::IoT::Thing.",
		Device: Device{MQTT311: "An accepted answer without thingName.", MQTT5: "An accepted answer without thingName."},
		Advice: "Add the thing to the template's Resources, and make that version the default.",
		Fix:    "aws iot list-provisioning-templates",
		Source: "PROBLEMS K-07",
	})

	// GreengrassDiscoverDenied is PROBLEMS K-10.
	GreengrassDiscoverDenied = register(Check{
		Code: "greengrass.discover_denied", Stage: StageAuthorization, Severity: Refusal,
		Title:  "The certificate may not discover Greengrass cores",
		Cause:  "The discovery request was answered 403: the policy lacks greengrass:Discover on the thing, or the certificate is not the thing's.",
		Device: Device{HTTPS: "403 of /greengrass/discover/thing/NAME."},
		Advice: "Allow greengrass:Discover on thing/NAME and attach the certificate to that thing.",
		Fix:    grant("allow-discover-{thing|slug}", "greengrass:Discover", iotARN("thing", "{thing|arn}")),
		Source: "PROBLEMS K-10",
	})

	// GreengrassNoCore is PROBLEMS K-10.
	GreengrassNoCore = register(Check{
		Code: "greengrass.no_core", Stage: StageAuthorization, Severity: Refusal,
		Title:  "The thing is associated with no Greengrass core",
		Cause:  "The discovery request was answered 404: no core device has this thing as its client device, or it reported no address yet.",
		Device: Device{HTTPS: "404 of /greengrass/discover/thing/NAME.", Clients: []Client{{"Greengrass SDK", "DiscoveryDataNotFoundException, -1103"}}},
		Advice: "Associate the thing with a core, and deploy the IP detector so that the core reports where it is.",
		Fix:    "aws greengrassv2 list-core-devices",
		Source: "PROBLEMS K-10",
	})

	// ShadowJSONDoubleEncoded is PROBLEMS K-13.
	ShadowJSONDoubleEncoded = register(Check{
		Code: "shadow.json_double_encoded", Stage: StageDelivery, Severity: Refusal,
		Title:  "The shadow document is not the JSON object that was meant",
		Cause:  "The shadow service found no state in the document: it was encoded twice (a JSON string that holds JSON), cut off by a buffer, or misses its outer state member.",
		Device: Device{MQTT311: "Code 400 on update/rejected.", MQTT5: "Code 400 on update/rejected.", HTTPS: "400 InvalidRequestException."},
		Advice: "Print the bytes that are sent: they begin with {\"state\":{ and not with a quotation mark.",
		Fix:    "mosquitto_sub -h {endpoint} -p {mqtt_port} " + asDevice + " -i {client_id} -t '$aws/things/{thing}/shadow/update/#' -v",
		Source: "PROBLEMS K-13",
	})
)
