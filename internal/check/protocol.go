package check

// Milestones of the application protocol.
var (
	MQTTConnect  = step("mqtt.connect", StageProtocol, "CONNECT read", "mqtt sheet 2.1")
	MQTTClientID = step("mqtt.client_id", StageProtocol, "Client ID accepted", "mqtt sheet 2.2")
	HTTPRequest  = step("http.request", StageProtocol, "HTTP request read", "connect sheet 6")
)

// Checks of a protocol on the wrong port, and of HTTP.
var (
	// ProtocolMQTTOnHTTP is MQTT where HTTPS is spoken.
	ProtocolMQTTOnHTTP = register(Check{
		Code: "protocol.mqtt_on_http_listener", Stage: StageProtocol, Severity: Refusal,
		Title:    "MQTT on a port that speaks HTTP",
		Cause:    "The first bytes after the handshake on port {port} are an MQTT CONNECT<< ({bytes})>>; this port speaks HTTPS.",
		Device:   TLSALPNMissingOn443.Device,
		Advice:   "Use port {mqtt_port} for MQTT, or port {alpn_port} with the ALPN protocol x-amzn-mqtt-ca.",
		Fix:      publishAs + " -t {client_id}/hello -m hello -q 1",
		HiddenBy: []*Check{TLSALPNMissingOn443},
		Source:   "connect sheet 2.4; PROBLEMS C-08", Example: ev("port", "8443", "bytes", "10 1c 00 04 4d 51 54 54"),
	})

	// ProtocolHTTPOnMQTT is HTTP where MQTT is spoken.
	ProtocolHTTPOnMQTT = register(Check{
		Code: "protocol.http_on_mqtt_listener", Stage: StageProtocol, Severity: Refusal,
		Title:  "HTTP on a port that speaks MQTT",
		Cause:  "The first bytes after the handshake on port {port} are an HTTP request<< ({offered})>>; this port speaks MQTT.",
		Device: Device{HTTPS: "The connection is closed without an answer.", Clients: []Client{{"curl", "(52) Empty reply from server"}}},
		Advice: "Use port {https_port} for HTTPS with a client certificate.",
		Fix:    "curl --cacert {ca_file} --cert {certificate_id}-certificate.pem.crt --key {certificate_id}-private.pem.key https://{endpoint}:{https_port}/",
		Source: "connect sheet 2.4", Example: ev("offered", "POST /topics/a HTTP/1.1"),
	})

	// ProtocolUnrecognized is neither.
	ProtocolUnrecognized = register(Check{
		Code: "protocol.unrecognized", Stage: StageProtocol, Severity: Refusal,
		Title:  "The first bytes belong to no protocol of this port",
		Cause:  "After the handshake on port {port} the device sent<< {bytes}, which is>> neither MQTT nor HTTP.",
		Device: Device{MQTT311: "The connection is closed.", MQTT5: "The connection is closed.", HTTPS: "The connection is closed."},
		Advice: "Check which protocol the device speaks, and on which port.",
		Fix:    "aws iot describe-endpoint --endpoint-type iot:Data-ATS",
		Source: "connect sheet 2.4", Example: ev("bytes", "16 03 01 02 00"),
	})

	// ProtocolClosedBeforeData is a handshake and nothing more: a client that checks
	// our name after the handshake, as curl does, or a TLS 1.3 client that saw an alert.
	ProtocolClosedBeforeData = register(Check{
		Code: "protocol.closed_before_data", Stage: StageProtocol, Severity: Refusal, Possible: true,
		Title:  "The device closed the connection before it sent anything",
		Cause:  "The handshake was complete, then the device closed without a byte. Some clients check our certificate and host name only then<<; this one asked for {sni}>>.",
		Device: Device{TLS12: "A local error, mostly about the server's certificate.", TLS13: "A local error, mostly about the server's certificate.", Clients: []Client{{"curl", "(60) no alternative certificate subject name matches"}}},
		Advice: "Connect to {endpoint} by that name.",
		Fix:    "openssl s_client -connect {endpoint}:{port} -servername {endpoint} -CAfile {ca_file} -verify_hostname {endpoint} -verify_return_error -brief </dev/null",
		Source: "connect sheet 9 (3)",
	})

	// HTTPPortForCertAuth is PROBLEMS K-01.
	HTTPPortForCertAuth = register(Check{
		Code: "http.port_for_cert_auth", Stage: StageProtocol, Severity: Refusal,
		Title:  "Port 443 without ALPN does not take client certificates",
		Cause:  "An HTTPS request without a signature came to port {port}; without the ALPN protocol x-amzn-http-ca that port takes signed requests only, and asks for no client certificate. The device offered<< {alpn_offered}>> no such protocol.",
		Device: Device{HTTPS: "403 ForbiddenException.", Clients: []Client{{"python-requests", "403 Forbidden"}, {"curl", "403 Forbidden"}}},
		Advice: "Use port {https_port} with the certificate, or offer the ALPN protocol x-amzn-http-ca.",
		Fix:    "curl --cacert {ca_file} --cert {certificate_id}-certificate.pem.crt --key {certificate_id}-private.pem.key https://{endpoint}:{https_port}/",
		Source: "connect sheet 2; PROBLEMS K-01", Example: ev("port", "443"),
	})

	// HTTPHeaderTimeout is a request that never ends.
	HTTPHeaderTimeout = register(Check{
		Code: "http.header_timeout", Stage: StageProtocol, Severity: Refusal,
		Title:  "The HTTP request header did not arrive in time",
		Cause:  "No complete HTTP request header arrived within {waited}.",
		Device: Device{HTTPS: "408 Request Timeout, or the connection is closed.", Clients: []Client{{"curl", "(52) Empty reply from server"}}},
		Advice: "The device may speak another protocol than HTTP on this port, or its link is too slow.",
		Fix:    "gatehouse explain --source-ip {source_ip}",
		Source: "connect sheet 3.3", Example: ev("waited", "10s"),
	})

	// HTTPMalformed is a request that is none.
	HTTPMalformed = register(Check{
		Code: "http.malformed", Stage: StageProtocol, Severity: Refusal,
		Title:  "The HTTP request can't be read",
		Cause:  "The request is not valid HTTP/1.1<<: {reason}>>. HTTP/2 is not spoken, as at AWS.",
		Device: Device{HTTPS: "400 Bad Request, then close.", Clients: []Client{{"curl", "400 Bad Request"}}},
		Advice: "Use HTTP/1.1.",
		Fix:    "curl --http1.1 --cacert {ca_file} https://{endpoint}:{https_port}/",
		Source: "connect sheet 2", Example: ev("reason", "malformed header line"),
	})

	// HTTPNotBuilt is a promise of a later version.
	HTTPNotBuilt = register(Check{
		Code: "http.not_built", Stage: StageProtocol, Severity: Refusal,
		Title:  "This HTTPS operation is not built yet",
		Cause:  "{method} {path} is an operation that this version of Gatehouse does not have on its device ports.",
		Device: Device{HTTPS: "501 NotImplementedException with the name of the operation."},
		Advice: "Publish over MQTT until it is built.",
		Fix:    "mosquitto_pub -h {endpoint} -p {mqtt_port} " + asDevice + " -i sensor-test -t test/hello -m hello -q 1",
		Source: "connect sheet 6", Example: ev("method", "POST", "path", "/topics/sensors/sensor-1"),
	})
)

// Checks of the first packet and of packets in general.
var (
	// ConnectTimeout is a device that connects and says nothing.
	ConnectTimeout = register(Check{
		Code: "connect.timeout", Stage: StageProtocol, Severity: Refusal,
		Title:  "No CONNECT arrived in time",
		Cause:  "The handshake was complete, but no MQTT CONNECT arrived within {waited}.",
		Device: Device{MQTT311: "The connection is closed.", MQTT5: "The connection is closed.", Clients: []Client{{"mbedTLS", "-0x7880"}}},
		Advice: "The device opens TLS and then waits: its MQTT library was not started, or it waits for a byte from us. openssl s_client alone does this too.",
		Fix:    publishAs + " -t {client_id}/hello -m hello -q 1",
		Source: "connect sheet 3.3; mqtt sheet 2.1", Example: ev("waited", "30s"),
	})

	// MQTTFirstNotConnect breaks MQTT's first rule.
	MQTTFirstNotConnect = register(Check{
		Code: "mqtt.first_not_connect", Stage: StageProtocol, Severity: Refusal,
		Title:  "The first packet is not a CONNECT",
		Cause:  "The connection does not begin with a CONNECT<<: {reason}>><< ({bytes})>>.",
		Device: Device{MQTT311: "The connection is closed.", MQTT5: "The connection is closed.", Clients: closedInSilence.Clients},
		Advice: "The device goes on with an old session on a new connection: let it connect again first.",
		Fix:    watch,
		Source: "mqtt sheet 2.1 #1", Example: ev("reason", "the first packet is PUBLISH", "bytes", "300d000474657374"),
	})

	// MQTTSecondConnect is as wrong.
	MQTTSecondConnect = register(Check{
		Code: "mqtt.second_connect", Stage: StageProtocol, Severity: Refusal,
		Title:  "A second CONNECT on one connection",
		Cause:  "The device sent CONNECT on a connection that was open already<<, as client {offered}>>.",
		Device: answered("The connection is closed.", "DISCONNECT 0x82 (protocol error), then close."),
		Advice: "A new CONNECT needs a new TCP connection.",
		Fix:    watch,
		Source: "mqtt sheet 2.1", Example: ev("offered", "sensor-1"),
	})

	// MQTTMalformed is a packet that can't be decoded.
	MQTTMalformed = register(Check{
		Code: "mqtt.malformed", Stage: StageProtocol, Severity: Refusal,
		Title:  "A packet is malformed",
		Cause:  "A<< {packet}>> packet can't be decoded: {reason}.<< It begins {bytes}.>>",
		Device: answered("The connection is closed.", "CONNACK or DISCONNECT 0x81 (malformed packet), then close."),
		Advice: "Update the MQTT library of the device; packets that are cut come from a send buffer that is too small, packets inside of each other from two threads that write at once (paho.golang: wrap the connection in packets.NewThreadSafeConn).",
		Fix:    watch,
		Source: "mqtt sheet 2.1 #1, 13", Example: ev("packet", "PUBLISH", "reason", "topic is longer than the packet, at byte 2", "bytes", "32 05 00 ff"),
	})

	// MQTTProtocolError is a packet that can be decoded but must not be.
	MQTTProtocolError = register(Check{
		Code: "mqtt.protocol_error", Stage: StageProtocol, Severity: Refusal,
		Title:  "A packet breaks the MQTT protocol",
		Cause:  "A<< {packet}>> packet breaks a rule of MQTT: {reason}.",
		Device: answered("The connection is closed.", "CONNACK or DISCONNECT 0x82 (protocol error), then close."),
		Advice: "Update the MQTT library of the device.",
		Fix:    watch,
		Source: "mqtt sheet 13", Example: ev("packet", "SUBSCRIBE", "reason", "it has no topic filter"),
	})

	// MQTTUnexpectedPacket is PUBREC, PUBREL, PUBCOMP, AUTH, or a server's packet.
	MQTTUnexpectedPacket = register(Check{
		Code: "mqtt.unexpected_packet", Stage: StageProtocol, Severity: Refusal,
		Title:  "A packet type that AWS IoT does not use",
		Cause:  "The device sent {packet}, which belongs to QoS 2, to enhanced authentication or to a server.",
		Device: answered("The connection is closed.", "DISCONNECT 0x82 (protocol error), then close."),
		Advice: "Use QoS 0 or 1.",
		Fix:    watch,
		Source: "mqtt sheet 13", Example: ev("packet", "PUBREL"),
	})

	// MQTTProtocolLevel is MQTT 3.1 or something newer than 5.
	MQTTProtocolLevel = register(Check{
		Code: "mqtt.protocol_level", Stage: StageProtocol, Severity: Refusal,
		Title:  "The MQTT version is not supported",
		Cause:  "The device speaks another MQTT: {offered}. Supported are {required}.",
		Device: Device{MQTT311: "CONNACK 1 (unacceptable protocol version), then close.", MQTT5: "CONNACK 0x84 (unsupported protocol version), then close.", Clients: []Client{{"mosquitto", "exit 1, unacceptable protocol version"}, {"paho", "rc=1"}, {"AWS SDK v2", "5130 AWS_ERROR_MQTT_PROTOCOL_ERROR"}}},
		Advice: "Set the MQTT version of the device's library to 3.1.1 or 5.",
		Fix:    publishAs + " -V mqttv311 -t {client_id}/hello -m hello -q 1",
		Source: "mqtt sheet 2.1 #2", Example: ev("offered", "MQTT 3.1 (level 3)", "required", "MQTT 3.1.1 (level 4) and MQTT 5 (level 5)"),
	})

	// MQTTClientIDEmpty is the one empty client ID that MQTT 3.1.1 does not allow.
	MQTTClientIDEmpty = register(Check{
		Code: "mqtt.client_id.empty", Stage: StageProtocol, Severity: Refusal,
		Title:  "The client ID is empty",
		Cause:  "The client ID is empty and the device asks for a session that outlives the connection (clean session 0); such a session needs a name.",
		Device: Device{MQTT311: "CONNACK 2 (identifier rejected), then close.", MQTT5: "CONNACK 0x85 (client identifier not valid), then close.", Clients: []Client{{"mosquitto", "exit 2"}, {"paho", "rc=2"}, {"embedded C SDK", "-38"}}},
		Advice: "Give the device a client ID of its own; the thing name is the usual choice.",
		Fix:    "gatehouse explain --source-ip {source_ip}",
		Source: "mqtt sheet 2.2",
	})

	// MQTTClientIDReserved is a client ID with $ in front.
	MQTTClientIDReserved = register(Check{
		Code: "mqtt.client_id.reserved", Stage: StageProtocol, Severity: Refusal,
		Title:  "The client ID starts with $",
		Cause:  "The client ID {offered} starts with $, which is reserved.",
		Device: MQTTClientIDEmpty.Device,
		Advice: "Choose a client ID that does not start with $.",
		Fix:    "gatehouse explain --source-ip {source_ip}",
		Source: "mqtt sheet 2.2", Example: ev("offered", "$sensor-1"),
	})

	// MQTTClientIDNoEvents surprises whoever waits for presence events.
	MQTTClientIDNoEvents = register(Check{
		Code: "mqtt.client_id.no_events", Stage: StageProtocol, Severity: Note,
		Title:  "The client ID gets no lifecycle events",
		Cause:  "The client ID {offered} contains # or +, so no presence and subscription events are published for it.",
		Device: works,
		Advice: "Leave # and + out of client IDs. Greengrass adds #2 and so on to its second connection.",
		Fix:    watch,
		Source: "mqtt sheet 2.2; PROBLEMS E-16", Example: ev("offered", "sensor-1#2"),
	})

	// MQTTWillQoS2 is PROBLEMS E-22.
	MQTTWillQoS2 = register(Check{
		Code: "mqtt.will.qos2", Stage: StageProtocol, Severity: Refusal,
		Title:  "The last will asks for QoS 2",
		Cause:  "The last will on {topic} has QoS {qos}; AWS IoT has QoS 0 and 1 only.",
		Device: answered(closedAfterConnect.MQTT311, "CONNACK 0x9B (QoS not supported), then close."),
		Advice: "Set the QoS of the last will to 0 or 1.",
		Fix:    publishAs + " --will-topic {topic} --will-payload gone --will-qos 1 -t {client_id}/hello -m hello -q 1",
		Source: "mqtt sheet 2.1 #4; PROBLEMS E-22", Example: ev("topic", "sensors/sensor-1/gone", "qos", "2"),
	})

	// MQTTWillTopic is a will topic on which nobody may publish.
	MQTTWillTopic = register(Check{
		Code: "mqtt.will.topic", Stage: StageProtocol, Severity: Refusal,
		Title:  "The topic of the last will can't be used",
		Cause:  "The last will's topic {topic} is not one that a device may publish to<<: {reason}>>.",
		Device: answered(closedAfterConnect.MQTT311, "CONNACK 0x90 (topic name invalid), then close."),
		Advice: "Choose a topic without wildcards that does not start with $. Bridges of mosquitto: notifications false.",
		Fix:    publishAs + " --will-topic sensors/{client_id}/gone --will-payload gone -t {client_id}/hello -m hello -q 1",
		Source: "mqtt sheet 2.1 #5, 9; PROBLEMS G-14", Example: ev("topic", "$SYS/broker/connection/bridge/state", "reason", "topics starting with $ are reserved"),
	})

	// MQTTAuthMethod is MQTT 5's enhanced authentication.
	MQTTAuthMethod = register(Check{
		Code: "mqtt.auth_method", Stage: StageProtocol, Severity: Refusal,
		Title:  "Enhanced authentication is not supported",
		Cause:  "CONNECT names the authentication method {offered}; AWS IoT has none.",
		Device: Device{MQTT5: "CONNACK 0x8C (bad authentication method), then close.", Clients: []Client{{"mosquitto", "exit 140"}}},
		Advice: "Leave the authentication method out.",
		Fix:    publishAs + " -V mqttv5 -t {client_id}/hello -m hello -q 1",
		Source: "mqtt sheet 2.1 #6", Example: ev("offered", "SCRAM-SHA-256"),
	})

	// MQTTUserNameIgnored tells whoever thinks that a password protects the device.
	MQTTUserNameIgnored = register(Check{
		Code: "mqtt.user_name_ignored", Stage: StageProtocol, Severity: Note,
		Title:  "User name and password are not used with a client certificate",
		Cause:  "CONNECT has a password, but on port {port} the certificate alone says who the device is.",
		Device: works,
		Advice: "Leave the password out: it travels for nothing.",
		Fix:    watch,
		Source: "connect sheet 9 (7); mqtt sheet 2.3",
	})

	// MQTTQoS2 is PROBLEMS H-01, H-02.
	MQTTQoS2 = register(Check{
		Code: "mqtt.qos2", Stage: StageProtocol, Severity: Refusal,
		Title:   "QoS 2 is not supported",
		Cause:   "The device sent {packet} with QoS {qos}<< on {topic}>><< for {filter}>>; AWS IoT has QoS 0 and 1 only.",
		Device:  answered("The connection is closed, without PUBREC or SUBACK.", "DISCONNECT 0x9B (QoS not supported), then close."),
		Advice:  "Use QoS 1; a bridge of mosquitto: out 1 in place of out 2.",
		Fix:     publishAs + " -t {client_id}/hello -m hello -q 1",
		Source:  "mqtt sheet 5.1 #2, 6.1; PROBLEMS H-01, H-02",
		Example: ev("packet", "PUBLISH", "qos", "2", "topic", "sensors/sensor-1/temp", "filter", ""),
	})

	// MQTTSubscriptionIdentifier is a feature of MQTT 5 that AWS left out.
	MQTTSubscriptionIdentifier = register(Check{
		Code: "mqtt.subscription_identifier", Stage: StageProtocol, Severity: Refusal,
		Title:  "Subscription identifiers are not supported",
		Cause:  "SUBSCRIBE has the subscription identifier {offered}; CONNACK said that they are not available.",
		Device: Device{MQTT5: "DISCONNECT 0xA1 (subscription identifiers not supported), then close.", Clients: []Client{{"AWS SDK v2", "5154, reason code 161"}}},
		Advice: "Leave the subscription identifier out and tell messages apart by their topic.",
		Fix:    watch,
		Source: "mqtt sheet 6.1", Example: ev("offered", "7"),
	})
)
