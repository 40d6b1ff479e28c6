package check

// Milestones of the client certificate.
var (
	CertPresented  = step("cert.presented", StageCertificate, "Client certificate presented", "connect sheet 5.1 row 7")
	CertKeyProof   = step("cert.key_proof", StageCertificate, "The device holds the certificate's private key", "connect sheet 5.1 row 8")
	CertValidity   = step("cert.validity", StageCertificate, "Certificate is within its validity", "connect sheet 4.4")
	CertRegistered = step("cert.registered", StageCertificate, "Certificate is registered", "connect sheet 5.1 row 11")
	CertActive     = step("cert.active", StageCertificate, "Certificate is ACTIVE", "connect sheet 4.3")
)

// Checks of the certificate as the device sent it.
var (
	// CertNoneSent is PROBLEMS D-05.
	CertNoneSent = register(Check{
		Code: "cert.none_sent", Stage: StageCertificate, Severity: Refusal,
		Title: "No client certificate was sent",
		Cause: "Port {port} needs a client certificate; the device answered our request with an empty list.",
		Device: Device{
			TLS12: "The handshake fails with alert 40 (handshake_failure).",
			TLS13: "The handshake seems to succeed, then the first read fails with alert 116 (certificate_required).",
			Clients: []Client{
				{"mbedTLS", "-0x7780"},
				{"AWS SDK v2", "1178 AWS_IO_TLS_ERROR_READ_FAILURE (TLS 1.2: 1029)"},
				{"mosquitto", "exit 7 (TLS 1.2: exit 8)"},
				{"OpenSSL", "tlsv13 alert certificate required"},
			},
		},
		Advice: "The certificate option of the device's library is not set, or names a file that it could not load: look for both certificate and key.",
		Fix:    publishAs + " -t {client_id}/hello -m hello -q 1",
		Source: "connect sheet 5.1 row 7; PROBLEMS D-05",
	})

	// CertKeyMismatch is PROBLEMS D-07.
	CertKeyMismatch = register(Check{
		Code: "cert.key_mismatch", Stage: StageCertificate, Severity: Refusal,
		Title: "The private key does not fit the certificate",
		Cause: "<<{path} holds another key than that of certificate {certificate_id}.||The device presented certificate {certificate_id}, but its signature was made with another key.>> Certificate and key are from different pairs.",
		Device: Device{
			TLS12: "The handshake fails with alert 51 (decrypt_error).", TLS13: "The handshake seems to succeed, then the first read fails with alert 51 (decrypt_error).",
			Clients: []Client{{"mbedTLS", "-0x7780"}, {"AWS SDK v2", "refuses before it sends: 1033 AWS_IO_TLS_CTX_ERROR"}, {"OpenSSL", "refuses before it sends: key values mismatch"}},
		},
		Advice: "The two commands print the same line when certificate and key belong together.",
		Fix: "openssl x509 -noout -pubkey -in {certificate_id}-certificate.pem.crt | openssl sha256\n" +
			"openssl pkey -pubout -in {certificate_id}-private.pem.key | openssl sha256",
		Source: "connect sheet 5.1 row 8; PROBLEMS D-07",
	})

	// CertMalformed is a certificate that is none.
	CertMalformed = register(Check{
		Code: "cert.malformed", Stage: StageCertificate, Severity: Refusal,
		Title:  "The client certificate can't be read",
		Cause:  "What the device sent as its certificate is not a valid X.509 certificate<<: {reason}>>.",
		Device: alerted("42 (bad_certificate)", "alert bad certificate", "1029"),
		Advice: "Convert the device's file: PEM where DER is needed, or the other way round, is the usual cause.",
		Fix:    "openssl x509 -noout -text -in {certificate_id}-certificate.pem.crt",
		Source: "connect sheet 5.1 row 9", Example: ev("reason", "x509: malformed certificate"),
	})

	// CertAlgorithm is a key that we can't verify.
	CertAlgorithm = register(Check{
		Code: "cert.algorithm", Stage: StageCertificate, Severity: Refusal,
		Title:    "The certificate's key or signature algorithm is not supported",
		Passed:   "The certificate's algorithms are accepted",
		Cause:    "The certificate uses {algorithm}; accepted is {required}.",
		Device:   alerted("43 (unsupported_certificate)", "alert unsupported certificate", "1029"),
		Advice:   "Make a certificate with an ECDSA P-256 or RSA 2048 key and a SHA-256 signature.",
		Fix:      newCertificate,
		HiddenBy: []*Check{CertMalformed},
		Source:   "connect sheet 4.2, 5.1 row 9",
		Example:  ev("algorithm", "RSA with 1024 bits", "required", "RSA of 2048 bits or more, ECDSA P-256, P-384 or P-521"),
	})

	// CertExpired is judged by our clock.
	CertExpired = register(Check{
		Code: "cert.expired", Stage: StageCertificate, Severity: Refusal,
		Title: "The client certificate has expired",
		Cause: "Certificate {certificate_id} was valid until {not_after}; now it is {now}.",
		Device: Device{
			TLS12: "The handshake fails with alert 45 (certificate_expired).", TLS13: refusedCertificate.TLS13, Clients: refusedCertificate.Clients,
		},
		Advice: "Make a new certificate, attach the old one's policies and thing to it, and bring it to the device.",
		Fix:    newCertificate,
		Source: "connect sheet 4.4, 5.1 row 10", Example: ev("not_after", "2026-10-01T00:00:00Z", "now", "2026-11-21T10:02:11Z"),
	})

	// CertNotYetValid is a certificate from a signer whose clock is ahead.
	CertNotYetValid = register(Check{
		Code: "cert.not_yet_valid", Stage: StageCertificate, Severity: Refusal,
		Title:  "The client certificate is not valid yet",
		Cause:  "Certificate {certificate_id} is valid from {not_before}; now it is {now}. The clock of whoever signed it was ahead, or ours is behind.",
		Device: CertExpired.Device,
		Advice: "Wait, or have it signed with a begin in the past; compare the clocks.",
		Fix:    "date -u; openssl x509 -noout -dates -in {certificate_id}-certificate.pem.crt",
		Source: "connect sheet 4.4, 5.1 row 10", Example: ev("not_before", "2026-11-21T12:00:00Z", "now", "2026-11-21T10:02:11Z"),
	})
)

// Checks of the certificate's registration.
var (
	// CertRegisteredCAPresented is a device with the wrong file of the right pair.
	CertRegisteredCAPresented = register(Check{
		Code: "cert.registered_ca.presented", Stage: StageCertificate, Severity: Refusal,
		Title:  "The device presented a CA certificate instead of its own",
		Cause:  "The first certificate that the device sent is a CA certificate<< ({subject})>>, which signs devices but is none.",
		Device: refusedCertificate,
		Advice: "Put the device's own certificate first in its certificate file, the CA after it.",
		Fix:    "openssl x509 -noout -subject -issuer -in {certificate_id}-certificate.pem.crt",
		Source: "connect sheet 4.5", Example: ev("subject", "CN=Factory CA"),
	})

	// CertNotRegistered identifies by the SHA-256 of the whole certificate, never by
	// its subject. PROBLEMS D-23.
	CertNotRegistered = register(Check{
		Code: "cert.not_registered", Stage: StageCertificate, Severity: Refusal,
		Title: "Certificate is not registered",
		Cause: "Certificate {certificate_id}<< ({subject})>> is not registered in account {account}, Region {region}.<< It was, and was deleted at {deleted_at}.>>" +
			"<< Certificate {twin} is registered with the same subject, but AWS IoT knows a certificate by its fingerprint: a certificate that was issued again is another one.>>",
		Device: refusedCertificate,
		Advice: "The command registers what the device presented. Make sure first that it is your device.",
		Fix: `aws iot register-certificate-without-ca --status ACTIVE --certificate-pem "$(gatehouse explain --trace {trace} --certificate)"` +
			"<<\naws iot attach-policy --policy-name {twin_policies} --target {principal_arn}>>",
		HiddenBy: []*Check{CertRegisteredCAPresented, CertRegisteredElsewhere},
		Source:   "connect sheet 5.1 row 11; PROBLEMS D-23",
		Example: ev("subject", "CN=sensor-1", "twin", "9b1c2d3e4f5061728394a5b6c7d8e9f00112233445566778899aabbccddeeff0",
			"twin_policies", "sensor-policy"),
	})

	// CertInactive fails when a registered certificate is INACTIVE. PROBLEMS D-01.
	CertInactive = register(Check{
		Code: "cert.inactive", Stage: StageCertificate, Severity: Refusal,
		Title:    "Certificate is registered but not active",
		Cause:    "Certificate {certificate_id} has status {status}; only ACTIVE certificates may connect.",
		Device:   refusedCertificate,
		Fix:      "aws iot update-certificate --certificate-id {certificate_id} --new-status ACTIVE",
		HiddenBy: []*Check{CertNotRegistered},
		Source:   "connect sheet 4.3, 5.1 row 12; PROBLEMS D-01", Example: ev("status", "INACTIVE"),
	})

	// CertRevoked is PROBLEMS D-02.
	CertRevoked = register(Check{
		Code: "cert.revoked", Stage: StageCertificate, Severity: Refusal,
		Title:    "Certificate is revoked",
		Cause:    "Certificate {certificate_id} has status REVOKED<< since {changed} ago>>. Somebody decided that it must not be used again.",
		Device:   refusedCertificate,
		Advice:   "If its key may be known to others, make a new certificate for the device. Only if the revocation was a mistake, take it back with the command.",
		Fix:      "aws iot update-certificate --certificate-id {certificate_id} --new-status ACTIVE",
		HiddenBy: []*Check{CertNotRegistered},
		Source:   "connect sheet 4.3, 5.1 row 12; PROBLEMS D-02", Example: ev("status", "REVOKED", "changed", "3h"),
	})

	// CertPendingActivation is a certificate that registered itself or was provisioned.
	CertPendingActivation = register(Check{
		Code: "cert.pending_activation", Stage: StageCertificate, Severity: Refusal,
		Title:    "Certificate waits for its activation",
		Cause:    "Certificate {certificate_id} has status PENDING_ACTIVATION: it was registered at its first connection or by fleet provisioning, and nothing has activated it.",
		Device:   refusedCertificate,
		Advice:   "Let the rule or function that follows $aws/events/certificates/registered activate it, or activate it by hand.",
		Fix:      "aws iot update-certificate --certificate-id {certificate_id} --new-status ACTIVE",
		HiddenBy: []*Check{CertNotRegistered},
		Source:   "connect sheet 4.3, 4.6", Example: ev("status", "PENDING_ACTIVATION"),
	})

	// CertPendingTransfer is a certificate between two accounts.
	CertPendingTransfer = register(Check{
		Code: "cert.pending_transfer", Stage: StageCertificate, Severity: Refusal,
		Title:    "Certificate is being transferred to another account",
		Cause:    "Certificate {certificate_id} has status PENDING_TRANSFER: it was offered to another account, which has not answered.",
		Device:   refusedCertificate,
		Advice:   "Accept the transfer in the other account, or cancel it with the command and activate the certificate again.",
		Fix:      "aws iot cancel-certificate-transfer --certificate-id {certificate_id}",
		HiddenBy: []*Check{CertNotRegistered},
		Source:   "connect sheet 4.3, 4.10", Example: ev("status", "PENDING_TRANSFER"),
	})

	// CertRegisteredCA helps whoever signs devices with an own CA.
	CertRegisteredCA = register(Check{
		Code: "cert.registered_ca", Stage: StageCertificate, Severity: Note,
		Title: "The certificate's CA is registered",
		Cause: "The certificate itself is unknown, but it was issued by<< {issuer},>> CA certificate {ca_certificate_id}, which is registered here.",
		Device: Device{
			TLS12: "Nothing of this.", TLS13: "Nothing of this.",
		},
		Advice: "Register the certificate under its CA. At AWS the CA's automatic registration (JITR, JITP) does this at the first connection; Gatehouse does not do it yet.",
		Fix: "aws iot describe-ca-certificate --certificate-id {ca_certificate_id} --query certificateDescription.certificatePem --output text > ca.pem\n" +
			`aws iot register-certificate --status ACTIVE --ca-certificate-pem file://ca.pem --certificate-pem "$(gatehouse explain --trace {trace} --certificate)"`,
		Source: "connect sheet 4.5, 4.6; PROBLEMS D-17, D-20", Example: ev("issuer", "CN=Factory CA", "ca_certificate_id", "77aa09f1c4be5d20e8f6a1b3c5d7e9f0a2b4c6d8e0f1a3b5c7d9e1f3a5b7c9d1"),
	})

	// CertRegisteredCAInactive stops automatic registration and RegisterCertificate.
	CertRegisteredCAInactive = register(Check{
		Code: "cert.registered_ca.inactive", Stage: StageCertificate, Severity: Note,
		Title:  "The certificate's CA is registered but not active",
		Cause:  "The certificate was issued by<< {issuer},>> CA certificate {ca_certificate_id}, which is INACTIVE: no certificate can be registered under it.",
		Device: Device{TLS12: "Nothing of this.", TLS13: "Nothing of this."},
		Fix:    "aws iot update-ca-certificate --certificate-id {ca_certificate_id} --new-status ACTIVE",
		Source: "connect sheet 4.5", Example: CertRegisteredCA.Example,
	})

	// CertRegisteredCANotInChain is PROBLEMS D-17.
	CertRegisteredCANotInChain = register(Check{
		Code: "cert.registered_ca.not_in_chain", Stage: StageCertificate, Severity: Note,
		Title:    "The CA certificate is not in the chain that the device sent",
		Cause:    "The device sent only its own certificate. Automatic registration at AWS needs the CA certificate<< {issuer}>> behind it, or a server name (SNI).",
		Device:   Device{TLS12: "Nothing of this.", TLS13: "Nothing of this."},
		Advice:   "Give the device one file with its certificate first and the CA certificate behind it.",
		Fix:      "cat {certificate_id}-certificate.pem.crt ca.pem > chain.pem",
		HiddenBy: []*Check{CertRegisteredCAInactive},
		Source:   "connect sheet 4.6; PROBLEMS D-17", Example: CertRegisteredCA.Example,
	})
)
