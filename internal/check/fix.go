package check

// Commands that several checks print. Those that act as the device expect its
// files in the current folder, under the names that AWS and `gatehouse device
// add` give them.
const (
	asDevice  = "--cafile {ca_file} --cert {certificate_id}-certificate.pem.crt --key {certificate_id}-private.pem.key"
	publishAs = "mosquitto_pub -h {endpoint} -p {mqtt_port} " + asDevice + " -i {client_id}"

	// tlsTo shows what our side of the handshake does with a client that is in order.
	tlsTo = "openssl s_client -connect {endpoint}:{port} -servername {endpoint} -CAfile {ca_file} -brief </dev/null"

	// watch is for faults that only time can show.
	watch = "<<gatehouse explain --client-id {client_id}||gatehouse explain --source-ip {source_ip}>>"

	// newCertificate makes a certificate and gives it the thing's policies by hand.
	newCertificate = "aws iot create-keys-and-certificate --set-as-active --certificate-pem-outfile new-certificate.pem.crt --private-key-outfile new-private.pem.key"

	readPolicy = "aws iot get-policy --policy-name {policy}"
)

// grant adds a policy of its own with one statement and attaches it, which
// repairs without touching a policy that other devices have too. name and
// resource are templates.
func grant(name, action, resource string) string {
	return grantStatement(name, `{"Effect":"Allow","Action":"`+action+`","Resource":"`+resource+`"}`)
}

func grantStatement(name, statement string) string {
	return "aws iot create-policy --policy-name " + name + ` --policy-document '{"Version":"2012-10-17","Statement":[` + statement + "]}'\n" +
		"aws iot attach-policy --policy-name " + name + " --target {principal_arn}"
}

// iotARN is a resource in our account and Region.
func iotARN(kind, name string) string {
	return "arn:{partition}:iot:{region}:{account}:" + kind + "/" + name
}

// grantTested allows exactly what was tested, whatever it was.
var grantTested = grant("allow-{action|verb}-{resource|slug}", "{action}", "{resource|arn}")

// Statements of the usual kinds.
var (
	grantConnect   = grant("allow-connect-{client_id|slug}", "iot:Connect", iotARN("client", "{client_id|arn}"))
	grantPublish   = grant("allow-publish-{topic|slug}", "iot:Publish", iotARN("topic", "{topic|arn}"))
	grantRetain    = grant("allow-retain-{topic|slug}", "iot:RetainPublish", iotARN("topic", "{topic|arn}"))
	grantSubscribe = grant("allow-subscribe-{filter|slug}", "iot:Subscribe", iotARN("topicfilter", "{filter|arn}"))
	grantReceive   = grant("allow-receive-{topic|slug}", "iot:Receive", iotARN("topic", "{topic|arn}"))
)
