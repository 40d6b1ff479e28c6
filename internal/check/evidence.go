package check

import "maps"

// evidence is the vocabulary of evidence: what a template may ask for and what
// whoever records a check should hand over. The first group is known of every
// attempt and need not be repeated with a check.
var evidence = map[string]string{
	// Of the attempt as a whole.
	"trace":          "trace ID of the attempt",
	"source_ip":      "IP address of the device",
	"source_port":    "TCP port of the device",
	"port":           "TCP port that the device connected to",
	"door":           "listener: mqtt, https or alpn",
	"sni":            "server name (SNI) of the ClientHello",
	"alpn_offered":   "ALPN protocols that the device offers, in its order",
	"alpn":           "ALPN protocol that was chosen",
	"tls_version":    "TLS version that was agreed",
	"cipher":         "cipher suite that was agreed",
	"protocol":       "application protocol: MQTT 3.1.1, MQTT 5, HTTPS",
	"certificate_id": "SHA-256 of the client certificate's DER form, which is its ID at AWS",
	"principal":      "who the connection acts as",
	"principal_arn":  "ARN of the principal, to which policies are attached",
	"client_id":      "MQTT client ID",
	"thing":          "thing that the connection belongs to",
	"sdk":            "software of the device, as it names itself",
	"account":        "account that this Gatehouse plays",
	"partition":      "AWS partition of the Region: aws, aws-cn or aws-us-gov",
	"region":         "Region that this Gatehouse plays",
	"endpoint":       "host name that devices use",
	"ca_file":        "root CA file that devices must trust",
	"mqtt_port":      "port of the MQTT door, 8883 at AWS",
	"https_port":     "port of the HTTPS door, 8443 at AWS",
	"alpn_port":      "port that ALPN tells apart, 443 at AWS",

	// Of one check.
	"offered":  "what the device sent or offered",
	"required": "what was required instead, or the limit",
	"reason":   "the precise fault, in a few words",
	"bytes":    "the first bytes received, in hex",
	"waited":   "how long was waited, such as 10s",
	"elapsed":  "how long it took, such as 4.2s",
	"alert":    "TLS alert number and name, such as 48 unknown_ca",
	"count":    "how often",
	"signed":   "what the client signed in place of what was sent",
	"differs":  "the part of a signed request in which client and server differ",

	"access_key": "ID of the access key that signed",

	"period": "within which time, such as 1m20s",
	"error":  "what the machinery answered",

	"authorizer":     "name of the custom authorizer",
	"authorizer_arn": "ARN of the custom authorizer",
	"function":       "name of the authorizer's function",
	"function_arn":   "ARN of the authorizer's function, as the authorizer has it",
	"qualifier":      "version or alias of the function",
	"caller":         "ARN of who calls the API",
	"token_key":      "name of the parameter that carries the token",
	"sent":           "names of the parameters that the device sent, without their values",
	"json_path":      "place in the answer of a function",
	"error_type":     "type of the error that a function ended with",
	"error_message":  "message of that error",
	"log_tail":       "last lines of the function's log",
	"fix_statement":  "policy statement that is missing, as JSON",

	"domain_configuration": "name of the domain configuration",
	"security_policy":      "name of the TLS security policy",

	"subject":              "subject of the client certificate",
	"issuer":               "issuer of the client certificate",
	"status":               "status of the certificate",
	"not_before":           "start of the certificate's validity",
	"not_after":            "end of the certificate's validity",
	"now":                  "the gateway's clock",
	"algorithm":            "key or signature algorithm",
	"twin":                 "ID of a registered certificate with the same subject",
	"twin_policies":        "name of a policy attached to that certificate",
	"ca_certificate_id":    "ID of the CA certificate",
	"deleted_at":           "when the certificate's registration was deleted",
	"attached_thing":       "the one thing that the certificate is attached to, where the connection belongs to none",
	"predecessor":          "ID of the certificate that this one replaced",
	"predecessor_policies": "name of a policy attached to that certificate",

	"packet":   "MQTT packet type, such as PUBLISH",
	"method":   "HTTP method",
	"path":     "HTTP path, without its query",
	"topic":    "topic name",
	"filter":   "topic filter",
	"qos":      "quality of service",
	"nearest":  "the documented topic that comes closest",
	"service":  "AWS IoT service that a reserved topic belongs to",
	"reply":    "reason code that an MQTT 5 device gets",
	"assigned": "client ID that the server made up",

	"action":    "policy action, such as iot:Connect",
	"resource":  "ARN that was tested",
	"policies":  "names and versions of the policies that were evaluated",
	"policy":    "name of the policy that decided or came closest",
	"version":   "version of that policy",
	"statement": "the statement in it: its Sid, or its number from 1",
	"pattern":   "resource, action or condition as that statement has it",
	"variable":  "policy variable",
	"cause":     "why the variable has no value",
	"variables": "policy variables and their values",
	"key":       "condition key",
	"detector":  "code of the near miss",
	"source":    "where the policies come from: certificate, thing group, authorizer",
	"group":     "thing group",
	"changed":   "how long ago the policy changed",

	"other_source_ip": "IP address of the other connection",
	"other_principal": "principal of the other connection",
	"other_sdk":       "software of the other device",
	"other_trace":     "trace ID of the other connection's attempt",
	"keep_alive":      "keep-alive time that the device asked for, in seconds",
	"used":            "value that is used instead",
	"last_packet":     "the last packet that the device sent, and how long ago",
	"connected_for":   "how long the connection had lasted",
	"dropped":         "how many messages were dropped",
	"bytes_sent":      "size of what was sent, in bytes",

	"chain_root":  "issuer at the end of the server's chain",
	"server_time": "the server's clock",
	"trust_store": "subjects of the CA certificates that the client trusts",
}

// Evidence returns the vocabulary of evidence: name and meaning. The map is the
// caller's. Other names may be recorded and are shown, but no template uses them.
func Evidence() map[string]string { return maps.Clone(evidence) }

// common is the evidence that every example has: one device that people can follow through the pages.
var common = map[string]string{
	"trace": "0f9d6a52-6a3c-4f0e-9a55-6f2f3c7f7d11", "source_ip": "192.0.2.17", "source_port": "51544", "port": "8883", "door": "mqtt",
	"sni": "gw.example.com", "tls_version": "1.3", "cipher": "TLS_AES_128_GCM_SHA256", "protocol": "MQTT 3.1.1",
	"certificate_id": exampleCertificate, "principal": exampleCertificate,
	"principal_arn": "arn:aws:iot:us-east-1:123456789012:cert/" + exampleCertificate,
	"client_id":     "sensor-1", "thing": "sensor-1", "sdk": "?SDK=IoTDeviceSDK/JS",
	"account": "123456789012", "partition": "aws", "region": "us-east-1", "endpoint": "gw.example.com", "ca_file": "gatehouse-data/ca/root.pem",
	"mqtt_port": "8883", "https_port": "8443", "alpn_port": "443",
}

const exampleCertificate = "3f2a9c81b2d45e0f7a6b1c8d9e0f3a2b4c5d6e7f8091a2b3c4d5e6f708192a3b"

// ev makes the evidence of an example from names and values in turn.
func ev(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}
