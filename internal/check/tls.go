package check

// Milestones of the handshake.
var (
	TLSClientHello = step("tls.client_hello", StageTLS, "ClientHello read", "connect sheet 2.2")
	TLSSNI         = step("tls.sni", StageTLS, "Server name (SNI) is one of ours", "connect sheet 2.3")
	TLSALPN        = step("tls.alpn", StageTLS, "Application protocol (ALPN) chosen", "connect sheet 2.1")
	TLSHandshake   = step("tls.handshake", StageTLS, "TLS handshake complete", "connect sheet 5.2")
)

// Checks of the first bytes.
var (
	// TLSNotTLS is anything on a TLS port that is no TLS, and no protocol we know.
	TLSNotTLS = register(Check{
		Code: "tls.not_tls", Stage: StageTLS, Severity: Refusal,
		Title:  "The device does not speak TLS",
		Cause:  "The first bytes on port {port} are<< {bytes},>> not a TLS record. Every port of the gateway speaks TLS.",
		Device: closedAtHello,
		Advice: "Turn TLS on in the device, with the root CA {ca_file}.",
		Fix:    tlsTo,
		Source: "connect sheet 2.4, 5.1 row 2", Example: ev("bytes", "00 01 02 03"),
	})

	// TLSPlaintextMQTT is MQTT without TLS.
	TLSPlaintextMQTT = register(Check{
		Code: "tls.plaintext_mqtt", Stage: StageTLS, Severity: Refusal,
		Title:  "Plaintext MQTT on a TLS port",
		Cause:  "The first bytes on port {port} are an MQTT CONNECT without TLS<< ({bytes})>>. The gateway has no plaintext port.",
		Device: closedAtHello,
		Advice: "Turn TLS on in the MQTT client: mqtts:// in place of mqtt://, and give it root CA, certificate and key.",
		Fix:    publishAs + " -t {client_id}/hello -m hello -q 1",
		Source: "connect sheet 2.4", Example: ev("bytes", "10 1c 00 04 4d 51 54 54"),
	})

	// TLSPlaintextHTTP is http:// where https:// belongs.
	TLSPlaintextHTTP = register(Check{
		Code: "tls.plaintext_http", Stage: StageTLS, Severity: Refusal,
		Title:  "Plaintext HTTP on a TLS port",
		Cause:  "The first bytes on port {port} are an HTTP request without TLS<< ({offered})>>.",
		Device: closedAtHello,
		Advice: "Use https:// in place of http://.",
		Fix:    "curl --cacert {ca_file} https://{endpoint}:{https_port}/",
		Source: "connect sheet 2.4", Example: ev("offered", "GET / HTTP/1.1"),
	})

	// TLSClientHelloMalformed is TLS that breaks off or contradicts itself.
	TLSClientHelloMalformed = register(Check{
		Code: "tls.client_hello.malformed", Stage: StageTLS, Severity: Refusal,
		Title:  "The ClientHello can't be read",
		Cause:  "The first record looks like TLS, but its ClientHello can't be read<<: {reason}>>.",
		Device: alerted("50 (decode_error)", "alert decode error", "1029"),
		Advice: "Update the TLS library of the device; a proxy on the way may also have changed the bytes.",
		Fix:    tlsTo,
		Source: "connect sheet 5.1 row 2", Example: ev("reason", "extensions are longer than the message"),
	})

	// TLSHandshakeTimeout is a handshake that stops on the way.
	TLSHandshakeTimeout = register(Check{
		Code: "tls.handshake.timeout", Stage: StageTLS, Severity: Refusal,
		Title:  "The TLS handshake did not finish in time",
		Cause:  "The handshake was not complete after {waited}<<: {reason}>>.",
		Device: Device{TLS12: "The connection is closed in the middle of the handshake.", TLS13: "The connection is closed in the middle of the handshake.", Clients: []Client{{"mbedTLS", "-0x7280"}, {"AWS SDK v2", "1051 AWS_IO_SOCKET_CLOSED"}}},
		Advice: "A slow link, a device that computes for very long, or something on the way that swallows packets (MTU).",
		Fix:    tlsTo,
		Source: "connect sheet 3.3", Example: ev("waited", "10s", "reason", "the device did not answer our certificate"),
	})

	// TLSHandshakeFailed is what no other check of the handshake explains.
	TLSHandshakeFailed = register(Check{
		Code: "tls.handshake.failed", Stage: StageTLS, Severity: Refusal,
		Title:  "The TLS handshake failed",
		Cause:  "The handshake failed<<: {reason}>><< ({error})>>.",
		Device: Device{TLS12: "The handshake fails.", TLS13: "The handshake fails.", Clients: []Client{{"mbedTLS", "-0x7780"}, {"AWS SDK v2", "1029"}, {"OpenSSL", "handshake failure"}}},
		Fix:    tlsTo,
		Source: "connect sheet 8.1", Example: ev("reason", "the device ended the handshake with an alert", "error", "remote error: tls: internal error"),
	})
)

// Checks of the ClientHello.
var (
	// TLSVersionBelowPolicy is PROBLEMS C-01, C-02, C-04.
	TLSVersionBelowPolicy = register(Check{
		Code: "tls.version.below_policy", Stage: StageTLS, Severity: Refusal,
		Title:  "The device's TLS version is below the security policy",
		Cause:  "The device offers {offered}; the security policy<< {security_policy}>> requires {required}.",
		Device: alerted("70 (protocol_version)", "alert protocol version", "1029 AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE"),
		Advice: "Better than a weaker policy: turn on the newer version in the device. Keys in a PKCS#11 module and older platform TLS can't do TLS 1.3. At AWS the policy belongs to the domain configuration.",
		Fix:    "gatehouse up --security-policy IoTSecurityPolicy_TLS13_1_2_2022_10",
		Source: "connect sheet 3.1, 5.1 row 3; PROBLEMS C-01, C-02, C-04",
		Example: ev("offered", "TLS 1.2", "required", "TLS 1.3", "security_policy", "IoTSecurityPolicy_TLS13_1_3_2022_10",
			"domain_configuration", "iot:Data-ATS"),
	})

	// TLSCipherNoneShared is a device that offers only what nobody serves any more.
	TLSCipherNoneShared = register(Check{
		Code: "tls.cipher.none_shared", Stage: StageTLS, Severity: Refusal,
		Title:  "No cipher suite in common",
		Cause:  "The device offers no cipher suite that the security policy<< {security_policy}>> allows.<< It offers {offered}; allowed are {required}.>>",
		Device: alerted("40 (handshake_failure)", "alert handshake failure", "1029"),
		Advice: "Turn on an ECDHE suite with AES-GCM in the TLS library of the device.",
		Fix:    tlsTo,
		Source: "connect sheet 3.1",
		Example: ev("offered", "DHE-RSA-AES256-SHA", "required", "ECDHE-ECDSA-AES128-GCM-SHA256, ECDHE-RSA-AES128-GCM-SHA256 and others",
			"security_policy", "IoTSecurityPolicy_TLS13_1_2_2022_10"),
	})

	// TLSCipherOutsideRecommended is only a warning, as Device Advisor's is. PROBLEMS C-05.
	TLSCipherOutsideRecommended = register(Check{
		Code: "tls.cipher.outside_recommended", Stage: StageTLS, Severity: Warning,
		Title:    "The device offers cipher suites outside the recommended list",
		Cause:    "The device also offers {offered}. Nobody chose them; it is the device's TLS library that offers them.",
		Device:   works,
		Advice:   "Shorten the list in the device if its library allows it; nothing is wrong otherwise.",
		Fix:      "openssl ciphers -v ECDHE+AESGCM",
		HiddenBy: []*Check{TLSCipherNoneShared},
		Source:   "PROBLEMS C-05", Example: ev("offered", "TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
	})

	// TLSSNIUnknown is a name that no endpoint or domain configuration has.
	TLSSNIUnknown = register(Check{
		Code: "tls.sni.unknown", Stage: StageTLS, Severity: Refusal,
		Title:  "The server name (SNI) is not one of ours",
		Cause:  "The device asked for {offered}<<; this gateway answers to {required}>>.",
		Device: alerted("112 (unrecognized_name)", "tlsv1 unrecognized name", "1029"),
		Advice: "Set the device's host name to the address that the command prints.",
		Fix:    "aws iot describe-endpoint --endpoint-type iot:Data-ATS --query endpointAddress --output text",
		Source: "connect sheet 2.3, 5.1 row 4", Example: ev("offered", "gw.exampel.com", "required", "gw.example.com"),
	})

	// TLSSNIMissing is allowed at the default endpoint only.
	TLSSNIMissing = register(Check{
		Code: "tls.sni.missing", Stage: StageTLS, Severity: Warning,
		Title:  "The device sent no server name (SNI)",
		Cause:  "The ClientHello has no server name, so the default endpoint {endpoint} was assumed. Custom domains, and certificates that were registered without a CA, need it. A device that connects to an IP address sends none.",
		Device: works,
		Advice: "Connect by name, not by address, and turn SNI on in the TLS library (mbedtls_ssl_set_hostname, SSL_set_tlsext_host_name).",
		Fix:    tlsTo,
		Source: "connect sheet 2.3",
	})

	// TLSSNIRequiredForCert is PROBLEMS C-13, C-14.
	TLSSNIRequiredForCert = register(Check{
		Code: "tls.sni.required_for_cert", Stage: StageCertificate, Severity: Refusal,
		Title:    "This certificate needs a server name (SNI)",
		Cause:    "Certificate {certificate_id} has the mode SNI_ONLY (it was registered without a CA), so AWS IoT finds it only through the server name, and the device sent none.<< It must send {required}.>>",
		Device:   refusedCertificate,
		Advice:   "Turn SNI on in the TLS library of the device, and connect by name, not by IP address.",
		Fix:      "openssl s_client -connect {endpoint}:{port} -servername {endpoint} -CAfile {ca_file} -cert {certificate_id}-certificate.pem.crt -key {certificate_id}-private.pem.key -brief </dev/null",
		Source:   "connect sheet 2.3, 4.5; PROBLEMS C-13, C-14",
		Example:  ev("required", "gw.example.com"),
		HiddenBy: nil,
	})

	// TLSALPNMissingOn443 is PROBLEMS C-07, C-08, C-10.
	TLSALPNMissingOn443 = register(Check{
		Code: "tls.alpn.missing_on_443", Stage: StageProtocol, Severity: Refusal,
		Title: "MQTT on port 443 without ALPN",
		Cause: "The device sent an MQTT CONNECT to port {port}, but without the ALPN protocol x-amzn-mqtt-ca that port speaks HTTPS.<< It offered {alpn_offered}.>>",
		Device: Device{
			TLS12: "The handshake succeeds; the connection is closed after CONNECT.", TLS13: "The handshake succeeds; the connection is closed after CONNECT.",
			MQTT311: closedAfterConnect.MQTT311, MQTT5: "The connection is closed after CONNECT, without CONNACK.", Clients: closedAfterConnect.Clients,
		},
		Advice: "Offer the ALPN protocol x-amzn-mqtt-ca, or connect to port {mqtt_port}, which needs none.",
		Fix:    "mosquitto_pub -h {endpoint} -p {port} --tls-alpn x-amzn-mqtt-ca " + asDevice + " -i {client_id} -t {client_id}/hello -m hello -q 1",
		Source: "connect sheet 2, 2.4; PROBLEMS C-07, C-08, C-10", Example: ev("alpn_offered", "http/1.1", "port", "443"),
	})

	// TLSALPNAbsent shows what really arrived: libraries set ALPN in several layers. PROBLEMS C-11.
	TLSALPNAbsent = register(Check{
		Code: "tls.alpn.absent", Stage: StageTLS, Severity: Warning,
		Title: "The ALPN list is absent or empty",
		Cause: "The ClientHello on port {port} has no ALPN protocols, so this connection is HTTPS or WebSocket with a signature or an authorizer, and no client certificate is asked for.",
		Device: Device{
			TLS12: "The handshake succeeds.", TLS13: "The handshake succeeds.",
			MQTT311: "The connection is closed, without CONNACK.", MQTT5: "The connection is closed, without CONNACK.", HTTPS: "403 ForbiddenException.",
		},
		Advice:   "If the device is to use its certificate here, let it offer x-amzn-mqtt-ca (MQTT) or x-amzn-http-ca (HTTPS). If it has that option set, the option did not reach its TLS library.",
		Fix:      "openssl s_client -connect {endpoint}:{port} -servername {endpoint} -alpn x-amzn-mqtt-ca -CAfile {ca_file} </dev/null",
		HiddenBy: []*Check{TLSALPNMissingOn443},
		Source:   "connect sheet 2; PROBLEMS C-11", Example: ev("port", "443"),
	})

	// DomainDisabled is refused after the handshake, as an authentication failure.
	DomainDisabled = register(Check{
		Code: "domain.disabled", Stage: StageTLS, Severity: Refusal,
		Title:  "The domain configuration is disabled",
		Cause:  "The domain configuration {domain_configuration}<< of {sni}>> has the status DISABLED.",
		Device: Device{TLS12: "The handshake succeeds, then the connection is closed.", TLS13: "The handshake succeeds, then the connection is closed.", MQTT311: closedAfterConnect.MQTT311, MQTT5: closedAfterConnect.MQTT5, HTTPS: closedAfterConnect.HTTPS, Clients: closedAfterConnect.Clients},
		Fix:    "aws iot update-domain-configuration --domain-configuration-name {domain_configuration} --domain-configuration-status ENABLED",
		Source: "connect sheet 2.2, 5.1 row 14", Example: ev("domain_configuration", "fleet-domain"),
	})

	// DomainProtocol is the other kind of HTTP than the domain configuration prescribes.
	DomainProtocol = register(Check{
		Code: "domain.application_protocol", Stage: StageProtocol, Severity: Refusal,
		Title:  "The domain configuration serves another application protocol",
		Cause:  "{method} {path} asks for {offered}; the domain configuration {domain_configuration} serves {required} alone.",
		Device: Device{HTTPS: "403 ForbiddenException, also at the WebSocket upgrade."},
		Advice: "Use the host name of a domain configuration for {offered}, or the default endpoint, which serves both. The command makes this one serve {offered}, and no more {required}.",
		Fix:    "aws iot update-domain-configuration --domain-configuration-name {domain_configuration} --application-protocol {offered}",
		Source: "connect sheet 1.3, 2.2", Example: ev("domain_configuration", "fleet-domain", "offered", "MQTT_WSS", "required", "HTTPS", "method", "GET", "path", "/mqtt"),
	})
)
