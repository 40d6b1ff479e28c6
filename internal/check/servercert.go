package check

// Checks of how the device takes our certificate. We only see that it ends the
// handshake, and its alert if it sends one: connect sheet 9, PROBLEMS group B.
var (
	// TLSServerCertUntrusted is PROBLEMS B-01, B-02, B-04, B-19, B-20.
	TLSServerCertUntrusted = register(Check{
		Code: "tls.server_cert.untrusted_by_client", Stage: StageTLS, Severity: Refusal,
		Title:  "The device does not trust our server certificate",
		Passed: "The server's certificate is trusted",
		Cause:  "<<The server's chain ends at {chain_root}; the device's trust store holds {trust_store}, which does not lead there.||The device ended the handshake with alert {alert} when it saw our certificate: the root CA of this gateway is not in its trust store. Amazon's roots do not vouch for it, nor does the CA that signs device certificates.||The device ended the handshake when it saw our certificate: the root CA of this gateway is not in its trust store. Amazon's roots do not vouch for it, nor does the CA that signs device certificates.>>",
		Device: serverCertificateRefused,
		Advice: "Give the device the root CA {ca_file} (at AWS: Amazon Root CA 1 and 3, with the -ats endpoint).",
		Fix:    "openssl s_client -connect {endpoint}:{port} -servername {endpoint} -CAfile {ca_file} -verify_return_error -brief </dev/null",
		Source: "connect sheet 5.1 row 6, 9; PROBLEMS B-01, B-02, B-04, B-07, B-19, B-20", Example: ev("alert", "48 unknown_ca"),
	})

	// TLSServerCertName is PROBLEMS B-08.
	TLSServerCertName = register(Check{
		Code: "tls.server_cert.name_mismatch", Stage: StageTLS, Severity: Refusal,
		Title:  "The server's certificate is for another host name",
		Passed: "The server's certificate is for this host name",
		Cause:  "<<The device ended the handshake with alert {alert} when it saw our certificate; it came by {offered}, and the certificate is for {required}||The client asked for {offered}, but the server's certificate is for {required}||The client asked for {offered}, which is not in the server's certificate||The client asked for a name that the server's certificate does not have>>: it connects by IP address, by an alias, or to another server.",
		Device: serverCertificateRefused,
		Advice: "Connect by the name {endpoint}. To serve another name, start the gateway with --endpoint NAME, or make a domain configuration for it.",
		Fix:    "openssl s_client -connect {endpoint}:{port} -servername {endpoint} </dev/null 2>/dev/null | openssl x509 -noout -ext subjectAltName",
		Source: "PROBLEMS B-08", Example: ev("alert", "42 bad_certificate", "offered", "192.0.2.1, without a server name", "required", "gw.example.com"),
	})

	// DeviceClockBehind is PROBLEMS B-10, B-11: our certificate is valid, and the device says that it is not.
	DeviceClockBehind = register(Check{
		Code: "device.clock.behind", Stage: StageTLS, Severity: Refusal, Possible: true,
		Title:  "The device's clock is probably wrong",
		Passed: "This machine's clock agrees with the server's",
		Cause:  "<<The device ended the handshake with alert {alert}: by its clock our certificate is not valid, but it is||By the device's clock the server's certificate is not valid: it is>> valid from {not_before} to {not_after}, and now it is {now}.<< The server's clock says {server_time}.>> The device's clock is ahead or, where its TLS library has one alert for both, behind: in 1970, for example.",
		Device: serverCertificateRefused,
		Advice: "Set the device's clock (NTP) before it connects, and keep the last known time over a restart. The command prints our clock and the certificate's dates.",
		Fix:    "date -u; openssl s_client -connect {endpoint}:{port} -servername {endpoint} -CAfile {ca_file} </dev/null 2>/dev/null | openssl x509 -noout -dates",
		Source: "PROBLEMS B-10, B-11",
		Example: ev("alert", "45 certificate_expired", "not_before", "2026-11-01T00:00:00Z", "not_after", "2027-02-01T00:00:00Z",
			"now", "2026-11-21T10:02:11Z"),
	})

	// TLSServerCertExpired is our own fault: by our clock too the certificate is not valid.
	TLSServerCertExpired = register(Check{
		Code: "tls.server_cert.expired_for_client", Stage: StageTLS, Severity: Refusal,
		Title:  "The server's certificate is not valid",
		Passed: "The server's certificate is valid now",
		Cause:  "<<The device ended the handshake with alert {alert}, and it is right: our||The server's>> certificate is valid from {not_before} to {not_after}; now it is {now}.",
		Device: serverCertificateRefused,
		Advice: "Gatehouse renews its certificate in time, so look at the clocks first, then restart Gatehouse: it issues a new one.",
		Fix:    "date -u; openssl s_client -connect {endpoint}:{port} -servername {endpoint} -CAfile {ca_file} </dev/null 2>/dev/null | openssl x509 -noout -dates",
		Source: "connect sheet 8.5",
		Example: ev("alert", "45 certificate_expired", "not_before", "2026-11-01T00:00:00Z", "not_after", "2027-02-01T00:00:00Z",
			"now", "2027-02-03T08:00:00Z"),
	})

	// TLSServerCertRefused is an alert that does not say more.
	TLSServerCertRefused = register(Check{
		Code: "tls.server_cert.refused_by_client", Stage: StageTLS, Severity: Refusal,
		Title:    "The device refused our server certificate",
		Cause:    "The device ended the handshake<< (alert: {alert})>> after our certificate. Its trust store, the host name it asks for, or its clock does not fit.",
		Device:   serverCertificateRefused,
		Advice:   "Check in this order: the root CA on the device is {ca_file}; it connects to {endpoint} by name; its clock is right.",
		Fix:      "openssl s_client -connect {endpoint}:{port} -servername {endpoint} -CAfile {ca_file} -verify_return_error -brief </dev/null",
		HiddenBy: []*Check{TLSServerCertUntrusted, TLSServerCertName, TLSServerCertExpired, DeviceClockBehind, ClientTLSBufferSmall},
		Source:   "connect sheet 9", Example: ev("alert", "46 certificate_unknown"),
	})

	// ClientTLSBufferSmall is PROBLEMS B-13.
	ClientTLSBufferSmall = register(Check{
		Code: "client.tls.buffer_small", Stage: StageTLS, Severity: Refusal, Possible: true,
		Title: "The device's TLS buffer is probably too small",
		Cause: "The device closed without an alert right after our certificate message<< of {bytes_sent} bytes>>. Embedded TLS libraries do that when the record does not fit into their input buffer; a device that distrusts the certificate may do it too.",
		Device: Device{
			TLS12: "An error of its own TLS library.", TLS13: "An error of its own TLS library.",
			Clients: []Client{{"mbedTLS", "-0x7200"}, {"embedded C SDK", "-4"}},
		},
		Advice: "Raise the TLS input buffer (MBEDTLS_SSL_IN_CONTENT_LEN) to 16384 bytes, or let the device offer ECDSA suites only, which makes our answer smaller.",
		Fix:    "openssl s_client -connect {endpoint}:{port} -servername {endpoint} -CAfile {ca_file} -msg </dev/null 2>/dev/null | grep '<<<'",
		Source: "PROBLEMS B-13", Example: ev("bytes_sent", "2904"),
	})
)
