package check

// Checks of the files that a device has: the probe reads them, and a client that
// can't load them says so. PROBLEMS groups B and D.

// local is a device that fails before it connects.
func local(says ...Client) Device {
	const text = "An error of its own TLS library, before it connects."
	return Device{TLS12: text, TLS13: text, Clients: says}
}

// Checks of keys, certificates and trust stores on the device.
var (
	// FileMissing is a path that leads nowhere.
	FileMissing = register(Check{
		Code: "file.missing", Stage: StageCertificate, Severity: Refusal,
		Title:  "A certificate or key file can't be found",
		Passed: "The files are there",
		Cause:  "The client could not open<< {path}, one of>> its files: the path is wrong, or relative to another folder.",
		Device: local(Client{"Node", "ENOENT: no such file or directory"}, Client{"Python", "FileNotFoundError"}, Client{"mosquitto", "Unable to load client certificate"}),
		Advice: "Give the full path. On a microcontroller look whether the file was written to its flash at all.",
		Fix:    "ls -l {certificate_id}-certificate.pem.crt {certificate_id}-private.pem.key {ca_file}",
		Source: "PROBLEMS 1.3", Example: ev("path", "certs/private.pem.key"),
	})

	// FilePermissions is PROBLEMS D-16.
	FilePermissions = register(Check{
		Code: "file.permissions", Stage: StageCertificate, Severity: Refusal,
		Title:  "A certificate or key file has modes that the client refuses",
		Passed: "Only the device's user may read the private key",
		Cause:  "The client may not read<< {path}, one of>> its files, or refuses it because others may read it too.<< It has {offered}; wanted is {required}.>>",
		Device: local(Client{"Node", "EACCES: permission denied"}, Client{"AWS IoT Device Client", "Permissions ... should be set to 600"}),
		Advice: "A private key has mode 600, certificates 644, their folder 700, and all belong to the user that the client runs as.",
		Fix:    "chmod 600 {certificate_id}-private.pem.key && chmod 644 {certificate_id}-certificate.pem.crt && ls -l",
		Source: "PROBLEMS D-16", Example: ev("path", "private.pem.key"),
	})

	// FileKeyFormat is PROBLEMS D-08, D-13, D-14.
	FileKeyFormat = register(Check{
		Code: "file.key.format", Stage: StageCertificate, Severity: Refusal,
		Title:  "The private key can't be parsed",
		Passed: "The private key can be read",
		Cause:  "The client can't read its private key<<, {path}: {reason}>>. Usual reasons: PEM where it wants DER or the other way round, a line break or terminating zero lost when it was pasted into code, a cut-off file, or a certificate in the key's place.",
		Device: local(Client{"mbedTLS", "-0x3D00, -0x3D80, -0x3F80"}, Client{"embedded C SDK", "-21"}, Client{"MicroPython", "invalid key"}),
		Advice: "Embedded PEM text keeps its line breaks (\\n) and its length counts the terminating zero. If the command fails, get a new key.",
		Fix:    "openssl pkey -in <<{path}||{certificate_id}-private.pem.key>> -noout -text | head -n 1",
		Source: "PROBLEMS D-08, D-13",
	})

	// FileKeyEncoding is PROBLEMS D-10, D-11.
	FileKeyEncoding = register(Check{
		Code: "file.key.encoding", Stage: StageCertificate, Severity: Refusal,
		Title:  "The private key has an encoding that this client does not take",
		Passed: "The private key's encoding is a usual one",
		Cause:  "The key is sound, but its encoding (PKCS#1, SEC1, PKCS#8, encrypted, or with explicit curve parameters) is not one that the client's TLS library reads.<< {path} is {offered}; wanted is {required}.>>",
		Device: local(Client{"AWS SDK v2 on Windows or macOS", "1033 or 1038"}, Client{"Java", "InvalidKeySpecException"}, Client{"rustls", "failed to parse private key"}),
		Advice: "Convert it: the first command makes PKCS#8, the second the traditional form.",
		Fix: "openssl pkcs8 -topk8 -nocrypt -in {certificate_id}-private.pem.key -out key.pkcs8.pem\n" +
			"openssl pkey -traditional -in {certificate_id}-private.pem.key -out key.traditional.pem",
		Source: "PROBLEMS D-10, D-11",
	})

	// FileCertFormat is a certificate file that is none.
	FileCertFormat = register(Check{
		Code: "file.cert.format", Stage: StageCertificate, Severity: Refusal,
		Title:  "A certificate file can't be parsed",
		Passed: "The certificate can be read",
		Cause:  "The client can't read its certificate or its root CA<<, {path}: {reason}>>. Usual reasons: no PEM, a cut-off file, HTML in place of the file, or a key in the certificate's place.",
		Device: local(Client{"mbedTLS", "-0x2180, -0x2780"}, Client{"embedded C SDK", "-19, -20"}, Client{"OpenSSL", "no start line"}, Client{"AWS SDK v2", "1038"}),
		Advice: "The file begins with -----BEGIN CERTIFICATE-----. Embedded PEM text keeps its line breaks, and its length counts the terminating zero.",
		Fix:    "openssl x509 -in {certificate_id}-certificate.pem.crt -noout -subject -enddate; openssl x509 -in {ca_file} -noout -subject",
		Source: "PROBLEMS 1.3",
	})

	// TLSTrustStoreMissing is a client that has no root CA.
	TLSTrustStoreMissing = register(Check{
		Code: "tls.trust_store.missing", Stage: StageTLS, Severity: Refusal,
		Title:  "The client has no root CA",
		Passed: "There is a root CA",
		Cause:  "The client found no trust store: the root CA file is not set, not there or empty, so it can't judge any server.",
		Device: local(Client{"AWS SDK v2", "1173 default trust store not found"}, Client{"mosquitto", "Unable to load CA certificates"}, Client{"ESP-IDF", "No server verification option set"}),
		Advice: "Give the client the root CA {ca_file} (at AWS: Amazon Root CA 1 and 3).",
		Fix:    "openssl x509 -in {ca_file} -noout -subject -enddate",
		Source: "PROBLEMS 1.3",
	})

	// TLSTrustStoreIsDeviceCA is PROBLEMS B-07.
	TLSTrustStoreIsDeviceCA = register(Check{
		Code: "tls.trust_store.is_device_ca", Stage: StageTLS, Severity: Refusal,
		Title:  "The device's own CA stands in its trust store",
		Passed: "The root CA is not the device's own CA",
		Cause:  "The CA that signed the device's certificate<< ({issuer})>> was given to the client as root CA. It vouches for devices; the server's certificate comes from another root.",
		Device: serverCertificateRefused,
		Advice: "Trust {ca_file} for the server (at AWS: Amazon Root CA 1), and keep your own CA for signing devices.",
		Fix:    "openssl s_client -connect {endpoint}:{mqtt_port} -servername {endpoint} -CAfile {ca_file} -verify_return_error -brief </dev/null",
		Source: "PROBLEMS B-07",
	})

	// TLSServerCertCrossSign is PROBLEMS B-05.
	TLSServerCertCrossSign = register(Check{
		Code: "tls.server_cert.cross_sign", Stage: StageTLS, Severity: Refusal, Possible: true,
		Title:  "The client builds the server's chain to an older root",
		Cause:  "The server's chain is cross-signed. A client that follows it to its last certificate looks for an older root <<({chain_root})||(Starfield Class 2)>>, which is not in its trust store, although it has the newer one.",
		Device: Device{TLS12: serverCertificateRefused.TLS12, TLS13: serverCertificateRefused.TLS13, Clients: []Client{{"wolfSSL", "-188 ASN_NO_SIGNER_E"}, {"BearSSL", "62"}}},
		Advice: "Turn on shortest-chain building (wolfSSL: WOLFSSL_ALT_CERT_CHAINS), or add the older root to the trust store.",
		Fix:    "openssl s_client -connect {endpoint}:{port} -servername {endpoint} -showcerts </dev/null 2>/dev/null | grep -E '^ *[0-9]+ s:|^ *i:'",
		Source: "PROBLEMS B-05",
	})

	// TLSALPNMQTTRequired is PROBLEMS J-13.
	TLSALPNMQTTRequired = register(Check{
		Code: "tls.alpn.mqtt_required", Stage: StageTLS, Severity: Refusal,
		Title:  "A custom authorizer over MQTT needs the ALPN protocol mqtt",
		Cause:  "The device wants a custom authorizer on port 443 and<< offered {alpn_offered}>> did not offer the ALPN protocol mqtt, so the server speaks HTTP or asks for a certificate.",
		Device: closedAfterConnect,
		Advice: "Set the ALPN list to exactly mqtt. WebSocket and HTTPS need none.",
		Fix:    "openssl s_client -connect {endpoint}:{alpn_port} -servername {endpoint} -alpn mqtt -CAfile {ca_file} -brief </dev/null",
		Source: "PROBLEMS J-13; custom-auth sheet 4",
	})

	// ClientOutOfMemory is PROBLEMS B-14.
	ClientOutOfMemory = register(Check{
		Code: "client.out_of_memory", Stage: StageTLS, Severity: Refusal, Possible: true,
		Title:  "The device runs out of memory in the handshake",
		Cause:  "The device could not allocate what its TLS library needs: a handshake takes 30 to 50 KiB of heap at once.",
		Device: Device{TLS12: "An error of its own TLS library.", TLS13: "An error of its own TLS library.", Clients: []Client{{"mbedTLS", "-0x7F00, -0x0010, -0x4290"}, {"ESP-IDF", "ESP_ERR_NO_MEM"}, {"AWS SDK v2", "1 AWS_ERROR_OOM"}}},
		Advice: "Free heap before connecting, use one TLS connection, and an ECDSA certificate, whose chain is smaller. Print the largest free block, not the sum.",
		Fix:    "openssl s_client -connect {endpoint}:{port} -servername {endpoint} -CAfile {ca_file} -msg </dev/null 2>/dev/null | grep '<<<'",
		Source: "PROBLEMS B-14",
	})

	// ClientTimeoutShort is PROBLEMS H-14.
	ClientTimeoutShort = register(Check{
		Code: "client.timeout_short", Stage: StageDelivery, Severity: Warning, Possible: true,
		Title:  "The client's time limit is shorter than the answer takes",
		Cause:  "<<The acknowledgement of {packet} came after {elapsed}; a client that waits {required} has given up by then.||The client gave up waiting for an acknowledgement.>> The message may well have arrived, and is then sent twice.",
		Device: Device{MQTT311: "A time-out of its own.", MQTT5: "A time-out of its own.", Clients: []Client{{"embedded C SDK", "-28"}, {"AWS SDK v2", "5129 AWS_ERROR_MQTT_TIMEOUT"}}},
		Advice: "Raise the command time limit above the link's worst round trip, call the client's loop often enough, and let receivers tolerate duplicates.",
		Fix:    watch,
		Source: "PROBLEMS H-14", Example: ev("packet", "PUBLISH", "elapsed", "7s", "required", "less than 5s"),
	})
)
