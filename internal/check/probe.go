package check

// Checks that only the device's side can make: the probe of `gatehouse diagnose`
// acts as the device and sees what it sees, which is often less than the cause.

// tlsAs is the handshake of a device, with its files.
const tlsAs = "openssl s_client -connect {endpoint}:{port} -servername {endpoint} -CAfile {ca_file} -cert {certificate_id}-certificate.pem.crt -key {certificate_id}-private.pem.key -brief </dev/null"

// whoDecides shows what decides about a CONNECT.
const whoDecides = "<<aws iot describe-authorizer --authorizer-name {authorizer}||aws iot list-attached-policies --target {principal_arn}>>"

// Checks of the device's files.
var (
	// FileEncoding is a text file that is no plain text.
	FileEncoding = register(Check{
		Code: "file.encoding", Stage: StageCertificate, Severity: Refusal,
		Title:  "A certificate or key file is not plain ASCII text",
		Passed: "The files are plain text or DER",
		Cause:  "{path} is {offered}. TLS libraries look for -----BEGIN in {required}.",
		Device: local(Client{"OpenSSL", "no start line"}, Client{"mbedTLS", "-0x2180, -0x3D00"}, Client{"AWS SDK v2", "1038"}),
		Advice: "Editors and shells on Windows write such files: save as ASCII or UTF-8 without a byte order mark. In PowerShell: Out-File -Encoding ascii.",
		Fix:    "iconv -f UTF-16 -t ASCII {path} || sed '1s/^\\xEF\\xBB\\xBF//' {path}",
		Source: "Issue 5", Example: ev("path", "certs/private.pem.key", "offered", "UTF-16 text (first bytes FF FE)", "required", "plain ASCII"),
	})

	// FileSwapped is a key in the certificate's place, or the other way round.
	FileSwapped = register(Check{
		Code: "file.swapped", Stage: StageCertificate, Severity: Refusal,
		Title:  "The files of the device are swapped",
		Cause:  "{path} was given as {required}, but it holds {offered}.",
		Device: local(Client{"OpenSSL", "no start line: Expecting: TRUSTED CERTIFICATE"}, Client{"mbedTLS", "-0x2180, -0x3D00"}),
		Advice: "Give each file in its place: certificate (-----BEGIN CERTIFICATE-----), private key (-----BEGIN RSA PRIVATE KEY----- or the like), root CA.",
		Fix:    "grep -H -e '-----BEGIN' {path}",
		Source: "Issue 5", Example: ev("path", "certs/private.pem.key", "required", "the certificate", "offered", "a private key"),
	})

	// TLSTrustStoreNotACA is a trust store that can vouch for nobody.
	TLSTrustStoreNotACA = register(Check{
		Code: "tls.trust_store.not_a_ca", Stage: StageTLS, Severity: Refusal,
		Title:  "The root CA file holds no CA certificate",
		Cause:  "{path} holds {offered}, which may not sign other certificates.",
		Device: serverCertificateRefused,
		Advice: "Give the root CA {ca_file} (at AWS: Amazon Root CA 1 and 3), not the device's own certificate.",
		Fix:    "openssl x509 -in {path} -noout -subject -ext basicConstraints",
		Source: "connect sheet 3.4", Example: ev("path", "certs/device.pem.crt", "offered", "CN=AWS IoT Certificate"),
	})
)

// Checks of the way.
var (
	// NetEndpointLegacy is the data endpoint of before 2018.
	NetEndpointLegacy = register(Check{
		Code: "net.endpoint.legacy", Stage: StageDNS, Severity: Warning,
		Title:   "The host name is the legacy data endpoint",
		Cause:   "{offered} has no -ats: it is the endpoint whose server certificate comes from a VeriSign root, which clients and systems no longer trust. The endpoint for Amazon's roots is {required}.",
		Device:  works,
		Advice:  "Use the -ats endpoint together with Amazon Root CA 1 and 3.",
		Fix:     describeEndpoint,
		Source:  "connect sheet 1.1; PROBLEMS B-01, B-02",
		Example: ev("offered", "a3qjexampleffp.iot.us-east-1.amazonaws.com", "required", "a3qjexampleffp-ats.iot.us-east-1.amazonaws.com"),
	})

	// NetProxySet is a proxy that an MQTT client won't use.
	NetProxySet = register(Check{
		Code: "net.proxy.set", Stage: StageDNS, Severity: Note,
		Title:  "A proxy is set in the environment",
		Cause:  "{key} is set. MQTT clients do not read it: they connect directly, and so does the probe unless it is told otherwise.",
		Device: works,
		Advice: "If the network lets nothing out but the proxy, give it to the client explicitly and use port 443.",
		Fix:    "env | grep -i _proxy",
		Source: "PROBLEMS A-07, A-08", Example: ev("key", "HTTPS_PROXY"),
	})
)

// connectRefusers are the causes of a refused CONNECT that only the server's
// side can name: connect sheet 8.5.
var connectRefusers = []*Check{
	PolicyNoneAttached, AuthzConnect, AuthzConnectNoStatement, AuthzConnectResourceType, AuthzConnectClientID, AuthzConnectClientIDEmpty,
	PolicyVarUndefined, PolicyARNAccountMismatch, AuthzWillPublish, CertNotRegistered, CertRegisteredElsewhere, TLSALPNMissingOn443, ProtocolMQTTOnHTTP, DomainDisabled,
	AuthorizerNotSelected, AuthorizerUnknown, AuthorizerInactive, AuthorizerSignatureMissing, AuthorizerSignatureMismatch, AuthorizerTokenKeyName,
	AuthorizerInvokeDenied, AuthorizerTimeout, AuthorizerResponseInvalid, AuthorizerRejected,
}

// Checks of what the server does with the device.
var (
	// TLSHandshakeClosed is a server that hangs up in the handshake.
	TLSHandshakeClosed = register(Check{
		Code: "tls.handshake.closed", Stage: StageTLS, Severity: Refusal, Possible: true,
		Title:    "The server closed the connection in the handshake",
		Cause:    "The connection was closed<< {elapsed} after the ClientHello>>, without an alert. A port that does not speak TLS does that, a load balancer without a server behind it, and a middlebox that does not like the server name.",
		Device:   Device{TLS12: "The connection is closed in the handshake.", TLS13: "The connection is closed in the handshake.", Clients: []Client{{"mbedTLS", "-0x7280"}, {"AWS SDK v2", "1051 AWS_IO_SOCKET_CLOSED"}, {"OpenSSL", "unexpected eof while reading"}}},
		Advice:   "Look at host and port first, then try from another network.",
		Fix:      "openssl s_client -connect {endpoint}:{port} -servername {endpoint} -brief </dev/null",
		HiddenBy: []*Check{TLSServerNotTLS, NetResetAfterClientHello},
		Source:   "PROBLEMS 1.1", Example: ev("elapsed", "2ms"),
	})

	// CertRefused is a server that does not take the device's certificate and
	// does not say why. Who can look into the registry finds out.
	CertRefused = register(Check{
		Code: "cert.refused", Stage: StageCertificate, Severity: Refusal,
		Title:    "The server refuses the device's certificate",
		Passed:   "The server takes the device's certificate",
		Cause:    "The server ended TLS<< with alert {alert}>> when it saw certificate {certificate_id}. It is not registered in this account and Region, or not ACTIVE, or registered without a CA while no server name was sent.",
		Device:   refusedCertificate,
		Advice:   "Ask the account: the command prints the certificate's status, or that there is no such certificate in this Region.",
		Fix:      "aws iot describe-certificate --certificate-id {certificate_id} --query certificateDescription.status --output text",
		HiddenBy: []*Check{CertNotRegistered, CertInactive, CertRevoked, CertPendingActivation, CertPendingTransfer, CertRegisteredElsewhere, TLSSNIRequiredForCert, CertKeyMismatch, CertExpired, CertNotYetValid, CertAlgorithm},
		Source:   "connect sheet 5.1, 8.5", Example: ev("alert", "42 bad_certificate"),
	})

	// ConnectClosed is AWS's usual refusal: silence.
	ConnectClosed = register(Check{
		Code: "connect.closed", Stage: StageProtocol, Severity: Refusal,
		Title:    "The server closed the connection after CONNECT, without an answer",
		Cause:    "<<TLS stands; then CONNECT as {client_id}, which asks for the authorizer {authorizer}, was answered by closing the connection. The authorizer is the likeliest cause: it was not invoked, it failed, or what it returned does not allow iot:Connect.||TLS stands and the certificate was taken; then CONNECT as {client_id} was answered by closing the connection. The policy is the likeliest cause: no policy, no iot:Connect for this client ID, or a variable without a value.>><< The end was: {reason}.>>",
		Device:   closedAfterConnect,
		Advice:   "Compare the client ID with the resources that the policies of the certificate<<, or those that {authorizer} returns,>> allow for iot:Connect.",
		Fix:      whoDecides,
		HiddenBy: connectRefusers,
		Source:   "connect sheet 5.1 row 19, 8.5; PROBLEMS group E", Example: ev("reason", "TLS close_notify"),
	})

	// ConnectRefused is a CONNACK that says no.
	ConnectRefused = register(Check{
		Code: "connect.refused", Stage: StageProtocol, Severity: Refusal,
		Title:    "The server refused CONNECT",
		Passed:   "CONNECT is accepted",
		Cause:    "CONNECT as {client_id} was answered with CONNACK {reply}<<: {reason}>>.",
		Device:   Device{MQTT311: "CONNACK with a return code, then close.", MQTT5: "CONNACK with a reason code, then close.", Clients: closedAfterConnect.Clients},
		Advice:   "Not authorized: the policy of the certificate, or the authorizer. Bad user name or password: the authorizer, its token or signature. Client identifier: 1 to 128 characters, no $ in front. Unavailable or busy: wait and try again.",
		Fix:      whoDecides,
		HiddenBy: connectRefusers,
		Source:   "PROBLEMS 1.1; mqtt sheet 3", Example: ev("reply", "0x87 Not authorized", "reason", "the server's reason string"),
	})

	// ConnectNoAnswer is a server that takes CONNECT and says nothing.
	ConnectNoAnswer = register(Check{
		Code: "connect.no_answer", Stage: StageProtocol, Severity: Refusal, Possible: true,
		Title:    "CONNECT is not answered",
		Cause:    "TLS stands, CONNECT was sent, and nothing came back within {waited}. The port may speak another protocol (HTTPS on 443 without ALPN), a proxy may hold the bytes back, or the server is overloaded.",
		Device:   Device{MQTT311: "A time-out.", MQTT5: "A time-out.", Clients: []Client{{"AWS SDK v2", "5129 AWS_ERROR_MQTT_TIMEOUT (MQTT 5: 5151)"}, {"MQTT.js", "connack timeout"}, {"mbedTLS", "-0x6800"}}},
		Advice:   "On port 443 offer the ALPN protocol x-amzn-mqtt-ca; or use port 8883.",
		Fix:      publishAs + " -t {client_id}/hello -m hello -q 1",
		HiddenBy: []*Check{TLSALPNMissingOn443, ProtocolMQTTOnHTTP},
		Source:   "PROBLEMS 1.1", Example: ev("waited", "5s"),
	})

	// ConnectNotMQTT is an answer of another protocol.
	ConnectNotMQTT = register(Check{
		Code: "connect.not_mqtt", Stage: StageProtocol, Severity: Refusal,
		Title:    "The server's answer to CONNECT is not MQTT",
		Cause:    "The answer to CONNECT begins with {bytes}<<, which is {offered}>>; a CONNACK begins with 20.",
		Device:   Device{MQTT311: "A protocol error of the client.", MQTT5: "A protocol error of the client.", Clients: []Client{{"mosquitto", "exit 2, A network protocol error occurred"}, {"AWS SDK v2", "5130 AWS_ERROR_MQTT_PROTOCOL_ERROR (MQTT 5: 5149)"}, {"MQTT.js", "Invalid header flag bits"}}},
		Advice:   "HTTP: the port or the ALPN protocol is that of HTTPS. A CONNACK in the shape of MQTT 3.1.1 to an MQTT 5 client: the server does not speak MQTT 5.",
		Fix:      tlsAs,
		HiddenBy: []*Check{TLSALPNMissingOn443},
		Source:   "PROBLEMS 1.1; connect sheet 2.4", Example: ev("bytes", "48 54 54 50", "offered", "HTTP"),
	})

	// WebSocketRefused is an upgrade that gets another answer than 101.
	WebSocketRefused = register(Check{
		Code: "websocket.refused", Stage: StageProtocol, Severity: Refusal,
		Title:  "The server refused the WebSocket upgrade",
		Cause:  "The upgrade was answered with {reply}<<: {reason}>>.",
		Device: Device{MQTT311: "The upgrade fails with an HTTP status.", MQTT5: "The upgrade fails with an HTTP status.", Clients: []Client{{"AWS SDK v2", "2065 AWS_ERROR_HTTP_WEBSOCKET_UPGRADE_FAILURE"}, {"MQTT.js", "Unexpected server response: 403"}}},
		Advice: "401 and 403: the authorizer, its token or signature, or the request's signature. 404: the path is /mqtt.",
		Fix:    "<<aws iot test-invoke-authorizer --authorizer-name {authorizer} --mqtt-context clientId={client_id}||aws iot list-authorizers>>",
		Source: "connect sheet 7; PROBLEMS group J", Example: ev("reply", "403 Forbidden", "reason", "ForbiddenException", "authorizer", "token-check"),
	})

	// SessionHazard is a client ID that a live device may be using.
	SessionHazard = register(Check{
		Code: "session.client_id_hazard", Stage: StageSession, Severity: Warning,
		Title:    "A live device may be using this client ID",
		Passed:   "Nobody else uses this client ID",
		Cause:    "A second connection as {client_id} cuts the first one off. <<{client_id} is connected now, from {other_source_ip}.||It can't be known from here whether {client_id} is connected.>>",
		Device:   closedInSilence,
		Advice:   "Use another client ID for the test, or --force when the device is off or may be cut off for a moment.",
		Fix:      "gatehouse explain --client-id {client_id}",
		HiddenBy: []*Check{SessionTakeover},
		Source:   "mqtt sheet 4; PROBLEMS group F", Example: ev("other_source_ip", "192.0.2.40"),
	})
)

// Checks of messages, as the device sees their answers.
var (
	// SubscribeRefused is a SUBACK that says no, or a connection that ends.
	SubscribeRefused = register(Check{
		Code: "subscribe.refused", Stage: StageDelivery, Severity: Refusal,
		Title:    "The server refused the subscription",
		Passed:   "The subscription is granted",
		Cause:    "SUBSCRIBE to {filter} was answered with {reply}.",
		Device:   refusedSubscribe,
		Advice:   "The policy needs iot:Subscribe on topicfilter/{filter}, and iot:Receive on the topics.",
		Fix:      grantSubscribe,
		HiddenBy: []*Check{AuthzSubscribe, TopicReserved},
		Source:   "mqtt sheet 6.3; PROBLEMS group G", Example: ev("filter", "sensors/#", "reply", "SUBACK 0x87 Not authorized"),
	})

	// PublishRefused is a PUBACK that says no, or a connection that ends.
	PublishRefused = register(Check{
		Code: "publish.refused", Stage: StageDelivery, Severity: Refusal,
		Title:    "The server refused the message",
		Passed:   "The message is acknowledged",
		Cause:    "PUBLISH to {topic} was answered with {reply}.",
		Device:   refusedPublish,
		Advice:   "The policy needs iot:Publish on topic/{topic}.",
		Fix:      grantPublish,
		HiddenBy: []*Check{AuthzPublish, TopicReserved},
		Source:   "mqtt sheet 5; PROBLEMS group G", Example: ev("topic", "sensors/sensor-1", "reply", "PUBACK 0x87 Not authorized"),
	})

	// MessageNoAnswer is a packet without its acknowledgement.
	MessageNoAnswer = register(Check{
		Code: "delivery.no_answer", Stage: StageDelivery, Severity: Refusal, Possible: true,
		Title:  "A packet is not acknowledged",
		Cause:  "{packet} was sent, and no answer came within {waited}, although the connection stands.",
		Device: Device{MQTT311: "A time-out.", MQTT5: "A time-out.", Clients: []Client{{"AWS SDK v2", "5129 AWS_ERROR_MQTT_TIMEOUT"}, {"embedded C SDK", "-28"}}},
		Advice: "The server is overloaded, or something on the way holds the bytes back. A client must repeat an unacknowledged message after it reconnects, not before.",
		Fix:    publishAs + " -t {client_id}/hello -m hello -q 1",
		Source: "PROBLEMS 1.1", Example: ev("packet", "PUBLISH", "waited", "5s"),
	})

	// MessageNotReceived is a subscription that stays silent.
	MessageNotReceived = register(Check{
		Code: "delivery.not_received", Stage: StageDelivery, Severity: Refusal,
		Title:    "The device's own message did not come back",
		Passed:   "The device received its own message",
		Cause:    "The subscription to {filter} was granted and the message on {topic} acknowledged, but it did not arrive within {waited}. The likeliest cause is a policy without iot:Receive.",
		Device:   silent,
		Advice:   "The policy needs iot:Receive on topic/{topic}.",
		Fix:      grantReceive,
		HiddenBy: []*Check{AuthzReceive},
		Source:   "PROBLEMS G-05", Example: ev("filter", "sensors/#", "topic", "sensors/sensor-1", "waited", "5s"),
	})

	// SessionDisconnected is a server that ends an open session.
	SessionDisconnected = register(Check{
		Code: "session.disconnected", Stage: StageSession, Severity: Refusal,
		Title:    "The server ended the session",
		Cause:    "The session was open; then the server ended it with {reply}<<: {reason}>>.",
		Device:   closedInSilence,
		Advice:   "Session taken over (0x8E): another client has the same client ID. Not authorized (0x87): the policy. Packet too large (0x95), quota exceeded (0x97): a limit.",
		Fix:      watch,
		HiddenBy: []*Check{SessionTakeover, SessionTakeoverLoop, AuthzPublish, AuthzSubscribe, LimitPayload},
		Source:   "mqtt sheet 13; PROBLEMS 1.1", Example: ev("reply", "DISCONNECT 0x8E Session taken over"),
	})
)
