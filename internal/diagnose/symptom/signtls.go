package symptom

// tlsSigns are of the TLS handshake. Alert names stand in OpenSSL's words, which
// Python, Node and mosquitto print too, then in those of Java, Go and others.
var tlsSigns = []sign{
	{certificateRefused, "", []string{
		"alert certificate unknown", "SSLV3_ALERT_CERTIFICATE_UNKNOWN", "fatal alert: certificate_unknown", "tls: unknown certificate", "alert bad certificate", "fatal alert: bad_certificate", "tls: bad certificate",
		"BadCertificate", "CertificateUnknown", "AlertReceived(BadCertificate)", "AlertReceived(CertificateUnknown)", "alert(fatal, certificate_unknown)", "Bad Certificate (42)", "Certificate Unknown (46)", "SEC_E_CERT_UNKNOWN", "peer sent bad_certificate", "AWS_IO_TLS_BAD_PEER_CERTIFICATE",
		"alert access denied", "fatal alert: access_denied", "AccessDenied & tls", "client certificate & rejected", "received alert & bad_certificate", "received alert & certificate_unknown",
	}},
	{sentUntrusted, "", []string{"alert write:fatal:unknown CA", "(OUT), TLS alert, unknown CA", "sent alert .. unknown ca", "sending alert .. unknown ca", "alert sent .. unknown ca"}},
	{sentExpired, "", []string{"alert write:fatal:certificate expired", "(OUT), TLS alert, certificate expired", "sent alert .. certificate expired", "alert sent .. certificate expired"}},
	{sentRefused, "", []string{"alert write:fatal:bad certificate", "alert write:fatal:certificate unknown", "alert write:fatal:decrypt error", "(OUT), TLS alert, bad certificate", "(OUT), TLS alert, certificate unknown", "sent alert .. bad certificate", "alert sent .. bad certificate", "alert sent .. certificate unknown"}},
	{certificateRevoked, "", []string{"alert certificate revoked", "fatal alert: certificate_revoked", "tls: revoked certificate", "AlertReceived(CertificateRevoked)", "CERTIFICATE_REVOKED"}},
	{certificateExpired, "", []string{"alert certificate expired", "fatal alert: certificate_expired", "tls: expired certificate", "AlertReceived(CertificateExpired)"}},
	{certificateUntrusted, "", []string{"alert unknown ca", "fatal alert: unknown_ca", "tls: unknown certificate authority", "AlertReceived(UnknownCA)"}},
	{certificateUnsupported, "", []string{"alert unsupported certificate", "fatal alert: unsupported_certificate", "tls: unsupported certificate", "ca md too weak", "ee key too small", "CA_MD_TOO_WEAK", "EE_KEY_TOO_SMALL", "key too small", "dh key too small", "unsupported signature algorithm"}},
	{noCertificate, "", []string{
		"alert certificate required", "fatal alert: certificate_required", "tls: certificate required", "AlertReceived(CertificateRequired)", "certificate_required", "peer did not return a certificate", "client didn't provide a certificate", "Certificate message of length 0",
		"client Certificate & length 0", "no client certificate", "No required SSL certificate was sent", "alert no certificate", "No private key*configured", "Empty client certificate chain", "empty client certificate",
	}},
	{keyProofRefused, "", []string{"cert verify:bad signature", "tls_process_cert_verify*", "certificate verify .. bad signature", "alert decrypt error", "fatal alert: decrypt_error", "tls: error decrypting message", "AlertReceived(DecryptError)", "bad signature & CertificateVerify"}},
	{handshakeRefused, "", []string{"alert handshake failure", "fatal alert: handshake_failure", "tls: handshake failure", "AlertReceived(HandshakeFailure)", "SSLV3_ALERT_HANDSHAKE_FAILURE", "alert illegal parameter", "fatal alert: illegal_parameter", "SSL_ERROR_HANDSHAKE_FAILURE_ALERT"}},
	{cipherRefused, "", []string{"no shared cipher", "alert insufficient security", "no ciphers available", "no cipher match", "no cipher suite supported", "NO_CIPHERS_AVAILABLE", "No appropriate protocol", "No negotiable cipher suite", "no cipher suites in common", "cipher mismatch", "insufficient_security", "None of the common ciphersuites is usable"}},
	{cipherDoubt, "", []string{"FOUND_UNSUPPORTED_CIPHER_SUITE", "unsupported cipher suite & warning", "UNSUPPORTED_CIPHER"}},
	{versionRefused, "", []string{
		"protocol version .. not accepted", "protocol version .. unsupported", "unsupported .. tls version", "TLSv1.0 .. disabled", "TLSv1.1 .. disabled",
		"alert protocol version", "fatal alert: protocol_version", "Description: Protocol Version", "tls: protocol version not supported", "protocol version not supported", "AlertReceived(ProtocolVersion)", "unsupported protocol & SSL", "fatal alert message (msg 70)", "UNSUPPORTED_PROTOCOL",
		"TLS13_1_3*", "The client and server cannot communicate, because they do not possess a common algorithm", "tls version & not supported", "inappropriate fallback", "no protocols available", "is disabled or cipher suites are inappropriate", "ERR_SSL_VERSION_OR_CIPHER_MISMATCH",
		"alert code 70", "SSL_R_UNSUPPORTED_PROTOCOL", "handshake protocol version", "server selected unsupported protocol version", "TLS1_ALERT_PROTOCOL_VERSION", "AWS_IO_TLS_VERSION*", "TLS 1.2 & security policy", "TLS 1.2 only",
	}},
	{nameUnknown, "", []string{"unrecognized name", "unrecognized_name", "UnrecognisedName", "UnrecognizedName", "SNI_MISUSED", "alert code 112", "alert number 112", "Fatal alert message (msg 112)", "unrecognised name"}},
	{alpnRefused, "", []string{"no application protocol", "no_application_protocol", "NoApplicationProtocol", "alert code 120", "alert number 120", "fatal alert message (msg 120)", "server selected unadvertised ALPN", "No ALPN overlap", "ALPN & no match"}},
	{serverFault, "", []string{"alert internal error", "fatal alert: internal_error", "tls: internal error", "AlertReceived(InternalError)", "InternalFailureException", "InternalFailure", "ServiceUnavailableException", "SERVER_ERROR", "INTERNAL_ERROR"}},
	{helloMalformed, "", []string{"alert decode error", "fatal alert: decode_error", "tls: error decoding message", "alert unexpected message", "fatal alert: unexpected_message", "tls: unexpected message", "missing extension", "unsupported extension", "AlertReceived(DecodeError)"}},
	{macWrong, "", []string{"bad record mac", "bad_record_mac", "decryption failed or bad record mac", "MBEDTLS_ERR_SSL_INVALID_MAC", "Verification of the message MAC failed"}},
	{closedInHandshake, "", []string{
		"terminated during handshake", "closed during handshake", "disconnected .. handshake", "handshake .. terminated", "handshake .. connection closed",
		"unexpected eof", "EOF occurred in violation of protocol", "SSLEOFError", "Client network socket disconnected before secure TLS connection was established", "Remote host terminated the handshake", "Remote host closed connection during handshake",
		"SSL_ERROR_SYSCALL", "Authentication failed because the remote party has closed the transport stream", "Authentication failed because the remote party sent a TLS alert & close*", "tls handshake eof", "TLS handshake & EOF", "SSL_R_UNEXPECTED_EOF_WHILE_READING", "unexpected EOF during handshake", "SSL peer shut down incorrectly",
		"MBEDTLS_ERR_SSL_CONN_EOF", "SSL - The connection indicated an EOF", "Received an unexpected EOF or 0 bytes from the transport stream", "handshake & unexpected-eof", "ssl handshake failure & EOF", "unexpected end of file & handshake", "Unexpected EOF", "write:errno=0", "errno=0 & CONNECTED",
		"no peer certificate available", "TLS connect error: unexpected eof*", "SSL: unexpected eof",
	}},
	{tlsTimeout, "", []string{
		"AWS_IO_TLS_NEGOTIATION_TIMEOUT", "TLS handshake timeout", "handshake timed out", "handshake timeout", "SSL connection timeout", "NETWORK_SSL_CONNECT_TIMEOUT*", "MBEDTLS_ERR_SSL_TIMEOUT", "SSL - The operation timed out", "SSL handshake timed out", "The handshake operation timed out", "Read timed out", "mbedtls_ssl_handshake returned -0x6800",
		"ESP_ERR_ESP_TLS_SERVER_HANDSHAKE_TIMEOUT", "SSL_connect timeout", "handshake .. timed out", "TLS negotiation .. timed out", "SSL connect attempt timed out",
	}},
	{serverNotTLS, "", []string{
		"wrong version number", "WRONG_VERSION_NUMBER", "first record does not look like a TLS handshake", "Unsupported or unrecognized SSL message", "packet length too long", "record overflow", "HTTP_REQUEST", "http request & SSL routines", "unknown protocol & SSL routines", "The handshake failed due to an unexpected packet format",
		"Cannot determine the corresponding TLS*", "plaintext connection?", "InvalidContentType", "received corrupt message", "oversized record received", "http/1.x transport connection broken", "SSL23_GET_SERVER_HELLO:unknown protocol", "record layer failure & plaintext", "Invalid TLS record",
	}},
	{badRecord, mbedTLS, []string{"MBEDTLS_ERR_SSL_INVALID_RECORD", "An invalid SSL record was received", "SSL - An invalid SSL record*", "bad message length", "requesting more data than fits", "MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL", "A buffer is too small to receive or write a message", "MAX_FRAGMENT_LENGTH", "record too large", "INPUT_ERROR & buffer"}},
	{tlsFailed, "", []string{
		"SSPI failed", "MonoBtlsException", "SSL connection is insecure",
		"EPROTO", "HandshakeException", "Mutual Auth issues", "TLS connection error", "TLS .. fail*", "SSL .. fail*", "TLS .. error", "handshake .. fail*", "handshake .. error", "TlsException",
		"AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE", "TLS (SSL) negotiation failed", "TLS negotiation fails", "SSL_connect failed to perform TLS handshake", "A TLS error occurred", "SSL_CONNECTION_ERROR", "NETWORK_SSL_CONNECT_ERROR", "ESP_ERR_MBEDTLS_SSL_HANDSHAKE_FAILED", "mbedtls_ssl_handshake returned*", "mbedtls_ssl_handshake failed",
		"MQTT_ERR_TLS", "SSL handshake failed", "TLS handshake failed", "Failed to perform TLS handshake", "The SSL connection could not be established", "AuthenticationException: Authentication failed", "SSLHandshakeException", "SSL connect error", "TLS fails", "BSSL:_connectSSL*failed", "BSSL: & failed", "start_ssl_client*", "esp-tls: create_ssl_handle failed",
		"TRANSPORT_SOCKET_STATUS*TLS*", "TLS_TRANSPORT_HANDSHAKE_FAILED", "TLS_TRANSPORT_CONNECT_FAILURE", "handshake failed", "SSL_connect failed", "SSL Error", "TLS connection failed", "OPENSSL_HANDSHAKE_FAILED", "ssl handshake error", "TLS_CONNECT_FAILED", "handshake failure", "network Error : tls:*", "Failed to establish TLS*", "AWS_IO_TLS_ERROR_ALERT_RECEIVED",
		"Handshake failed", "SSL connection failed", "mbedTLS handshake failed", "ssl_handshake .. returned", "AWS_IO_TLS*",
	}},
	{readFailedAfterTLS, "", []string{"AWS_IO_TLS_ERROR_READ_FAILURE", "Failure during TLS read", "TLS read failure", "ESP_ERR_MBEDTLS_SSL_READ_FAILED", "esp-tls & SSL read error", "on read & alert"}},
	{alertReceived, "", []string{"A fatal alert message was received from our peer", "MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE", "is a fatal alert message", "received a fatal alert", "SSL - A fatal alert*", "TLS alert received", "AWS_IO_TLS_ERROR_ALERT_RECEIVED", "fatal alert", "got alert", "peer sent alert", "TLS Alert read:fatal*", "SSL alert & fatal"}},

	{serverUntrusted, "", []string{
		"no .. trusted root certificate", "untrusted .. certificate", "certificate .. untrusted", "certificate .. not trusted", "certificate .. is not trusted", "unknown issuer", "issuer .. unknown", "certificate .. not signed by*", "path validation failed", "self signed .. certificate", "selfsigned .. certificate",
		"unable to get local issuer certificate", "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "UNABLE_TO_GET_ISSUER_CERT*", "SELF_SIGNED_CERT_IN_CHAIN", "DEPTH_ZERO_SELF_SIGNED_CERT", "self signed certificate", "self-signed certificate", "PKIX path building failed", "unable to find valid certification path",
		"certificate signed by unknown authority", "x509: certificate signed by*", "RemoteCertificateChainErrors", "remote certificate is invalid according to the validation procedure", "remote certificate was rejected", "SSL certificate problem", "unable to verify the first certificate", "The certificate is not correctly signed by the trusted CA", "UnknownIssuer", "invalid peer certificate: UnknownIssuer",
		"unable to get issuer certificate", "PartialChain", "UntrustedRoot", "not trusted by the trust provider", "AWS_IO_TLS_UNKNOWN_ROOT_CERTIFICATE", "Unknown root certificate", "TrustAnchor*not found", "Trust anchor for certification path not found", "CertPathValidatorException", "No trusted certificate found", "BR_ERR_X509_NOT_TRUSTED",
		"issuer is not recognized", "CERT_AUTHORITY_INVALID", "ERR_CERT_AUTHORITY_INVALID", "certificate verify failed: unable to get*", "verify error:num=20", "verify error:num=19", "verify error:num=21", "verify error:num=18", "Verify return code: 20", "Verify return code: 19", "Verify return code: 21", "Verify return code: 18", "errSSLUnknownRootCert", "Chain could not be linked to a trust anchor",
		"SSL_ERROR_UNKNOWN_CA", "ROOT CA & fail", "SEC_E_UNTRUSTED_ROOT", "certificate chain & not trusted", "unknown CA & server certificate",
	}},
	{serverCrossSigned, wolfSSL, []string{"ASN_NO_SIGNER_E", "no signer", "ASN no signer error to confirm failure"}},
	{serverName, "", []string{
		"expected server name", "server name .. not found", "hostname .. mismatch", "hostname .. not match*", "certificate .. name .. mismatch", "certificate .. not valid for", "host .. not in the certificate*", "names matching",
		"Hostname mismatch", "ERR_TLS_CERT_ALTNAME_INVALID", "host name verification failed", "hostname verification failed", "No subject alternative*", "certificate is valid for", "does not match certificate's altnames", "The certificate Common Name (CN) does not match with the expected CN", "RemoteCertificateNameMismatch", "doesn't match target host name", "subject does not match remote hostname",
		"NotValidForName", "SSL: no alternative certificate subject name matches*", "certificate subject name & does not match*", "hostname & doesn't match", "No name matching", "AWS_IO_TLS_HOST_NAME_MISMATCH", "Host name mismatch", "doesn't contain any IP SANs", "IP address mismatch", "verify error:num=62", "Verify return code: 62", "Verify return code: 64", "certificate name mismatch", "BR_ERR_X509_BAD_SERVER_NAME", "ERR_CERT_COMMON_NAME_INVALID",
		"certificate relies on legacy Common Name field", "SSL certificate & name mismatch", "Certificate's CN*", "not valid for any names", "does not match host name", "CertificateException: No subject*", "hostname in certificate didn't match", "CN_MISMATCH",
	}},
	{serverExpired, "", []string{"certificate has expired", "CERT_HAS_EXPIRED", "The certificate validity has expired", "CertificateExpiredException", "x509: certificate has expired", "certificate verify failed: certificate has expired", "verify error:num=10", "Verify return code: 10", "invalid peer certificate: Expired", "NotTimeValid", "AWS_IO_TLS_CERTIFICATE_EXPIRED", "NotAfter", "ASN_AFTER_DATE*", "SEC_E_CERT_EXPIRED", "ERR_CERT_DATE_INVALID", "certificate expired on"}},
	{serverEarly, "", []string{"certificate is not yet valid", "CERT_NOT_YET_VALID", "The certificate validity starts in the future", "CertificateNotYetValidException", "current time & is before", "verify error:num=9", "Verify return code: 9", "NotValidYet", "AWS_IO_TLS_CERTIFICATE_NOT_YET_VALID", "ASN_BEFORE_DATE*", "NotBefore", "certificate is not valid until"}},
	{serverTime, "", []string{"validity check failed", "BR_ERR_X509_EXPIRED", "Certificate expired or not yet valid", "has expired or is not yet valid", "Certificate is expired or not yet valid", "X509_EXPIRED", "certificate date*invalid"}},
	{serverRefused, "", []string{
		"failed to verify*", "verif* .. certificate .. fail*", "certificate .. verif* .. fail*", "certificate .. rejected by*", "invalid remote certificate",
		"certificate verify failed", "CERTIFICATE_VERIFY_FAILED", "X509 - Certificate verification failed", "MBEDTLS_ERR_X509_CERT_VERIFY_FAILED", "Failed to verify peer certificate", "The remote certificate is invalid", "certificate verification failed", "Verification error", "peer certificate & invalid", "InvalidCertificate", "ERR_CERT*", "SSL certificate verify result", "bad certificate & server", "AWS_IO_TLS_PEER_CERTIFICATE_UNKNOWN", "certificate validation failed", "cert verify*fail*", "invalid peer certificate",
		"server certificate verification failed", "ESP_ERR_MBEDTLS_X509*VERIFY*", "verify_peer",
	}},
	{clockWrong, "", []string{"wrong time on the device", "NTP failed", "1 Jan 1970", "Jan 1 1970", "1970-01-01", "Jan 01 00:0*1970", "Thu Jan 1*", "time not set", "clock is wrong", "Failed to get time", "NTP sync failed", "Thu, 01 Jan 1970", "sntp & fail*", "fails after power-up", "works later & TLS", "system time & not set"}},
	{trustMissing, "", []string{
		"CA cert* .. missing", "root .. certificate .. missing", "CA .. not configured", "no X509TrustManager*", "No CA .. configured", "CA file .. not found", "TrustManager .. available",
		"default trust store not found", "AWS_IO_TLS_ERROR_DEFAULT_TRUST_STORE_NOT_FOUND", "Unable to load CA certificates", "No server verification option set", "error setting certificate verify locations", "error setting certificate file", "no trust store", "trustAnchors parameter must be non-empty", "Problem with the SSL CA cert", "NETWORK_X509_ROOT_CRT_PARSE*", "caFile*not found", "no CA certificate*", "CA file & not found",
		"FAILED to parse root CA", "x509_ca_verify_failed & no ca", "No cert_pem*", "root certificate & not found", "Please specify either CA certificate*", "At least one of cafile*",
	}},
	{deviceCA, "", []string{"own CA", "registering an own CA", "my own CA", "registered CA & verify", "device CA", "private CA as root", "custom CA & verify"}},
	{serverUntrusted, "", []string{"switching to -ats", "works with Amazon Root CA 1", "VeriSign", "Greengrass core & certificate", "group CA"}},
}

// fileSigns are of files and memory of the device.
var fileSigns = []sign{
	{keyMismatch, "", []string{"private key .. not match*", "key type .. not match*", "key .. inconsistent", "private key .. mismatch", "key .. certificate .. mismatch", "key .. not belong*", "key .. does not match .. certificate", "certificate .. key .. do not match", "key values mismatch", "KEY_VALUES_MISMATCH", "key mismatch", "key does not match*", "private key does not match public key", "private key doesn't match", "X509_check_private_key*", "keys don't match", "inconsistent & private key & certificate", "key type mismatch", "PK - Type mismatch", "reports a key mismatch", "x509 certificate & mismatched key", "mbedtls_pk_check_pair*", "Bad key pair", "ERR_OSSL_X509_KEY_VALUES_MISMATCH"}},
	{keyUnreadable, "", []string{
		"NoValidKeyInChain", "unable to load client certificate private key*", "Expecting: ANY PRIVATE KEY", "private key .. could not be*", "private key .. parse*", "private key .. malformed", "private key .. invalid", "private key .. unsupported", "cannot read .. private key",
		"invalid key", "PK - Invalid key*", "MBEDTLS_ERR_PK*", "mbedtls_pk_parse_key returned*", "mbedtls_pk_parse_key & returned", "Unable to load client key file", "key parse", "NETWORK_PK_PRIVATE_KEY_PARSE*", "ESP_ERR_MBEDTLS_PK_PARSE_KEY_FAILED", "failed to find any PEM data in key input", "could not parse private key", "Unable to load private key", "error loading private key", "failed to parse private key", "Can't open private key", "bad decrypt",
		"unable to set private key file", "no suitable private key", "could not load private key", "PEM_read_bio_PrivateKey", "unsupported & PEM private key", "NullPointerException & toLowerCase", "loadPrivateKey*", "Failed to parse key", "invalid private key", "ERR_OSSL_UNSUPPORTED", "DECODER routines::unsupported", "Could not deserialize key data", "PEM_read_PrivateKey", "error parsing private key", "Parsing the private key failed", "Malformed private key", "not a private key",
	}},
	{keyEncoding, "", []string{"PKCS#8", "PKCS8", "PKCS1 & key", "SEC1", "EC PRIVATE KEY", "rejects the key", "InvalidKeySpecException", "explicit curve", "key encoding", "unsupported key format", "Key format & not supported", "algid parse error", "InvalidKeyException", "Invalid PKCS8 data", "wrong key type", "encrypted private key", "Password required & key", "no private keys found"}},
	{certUnreadable, "", []string{
		"NoValidCertInChain", "Short read of DER*", "DER .. length", "ValueError: invalid cert", "fail* .. pars* .. certificate", "fail* .. pars* .. cert", "error .. pars* .. certificate", "could not .. pars* .. certificate", "import client certificate", "certificate .. malformed", "certificate .. could not be parsed",
		"no start line", "NO_START_LINE", "PEM routines", "bad end line", "Unable to load client certificate", "unable to load certificate", "X509 - Input invalid", "MBEDTLS_ERR_X509*", "mbedtls_x509_crt_parse*", "The CRT/CRL/CSR format is invalid", "ESP_ERR_MBEDTLS_X509_CRT_PARSE_FAILED", "failed to find any PEM data in certificate input", "failed to parse certificate", "failed to parse CERT", "could not parse certificate", "CertificateException: Could not parse*", "bad base64 decode", "PEM lib", "asn1 encoding routines", "header too long", "not enough data & ASN1",
		"NETWORK_X509_DEVICE_CRT_PARSE*", "wrong tag & asn1", "malformed certificate", "invalid PEM", "AWS_IO_PEM_MALFORMED", "AWS_IO_FILE_VALIDATION_FAILURE", "A file was read and the input did not match the expected value", "Cannot find the requested object", "ASN1 corrupted data", "NOT_PEM", "not in PEM format", "Base64 & CERTIFICATE", "invalid certificate: BadEncoding", "ASN1_*", "Invalid certificate",
		"Error reading & certificate", "Failed to load CA cert*",
	}},
	{filesUnusable, "", []string{"AWS_IO_TLS_CTX_ERROR", "Failed to create tls context", "tls context & fail*", "error loading & certificate", "NETWORK_SSL_CERT_ERROR", "Unable to load certificate", "use_certificate*fail*", "importing a & key", "could not load PEM client certificate", "unable to use client certificate", "curl: (58)", "Failed to load certificate", "could not load keystore", "UnrecoverableKeyException", "KeyStoreException", "keystore password was incorrect", "ESP_ERR_MBEDTLS_SSL_CONF_OWN_CERT_FAILED", "No credentials are available in the security package", "unable to set up TLS context", "client certificate & could not be loaded"}},
	{fileMissing, "", []string{"could not open .. file", "failed to open .. pem", "cannot open .. file", "failed to load .. file not found", "No such file or directory", "ENOENT", "FileNotFoundError", "FileNotFoundException", "cannot find the file specified", "AWS_ERROR_FILE_INVALID_PATH", "Error: Problem setting TLS options: File not found", "File not found", "Could not find file", "no such file", "NoSuchFileException", "failed to open file", "os error 2", "could not open & pem", "MBEDTLS_ERR_PK_FILE_IO_ERROR", "MBEDTLS_ERR_X509_FILE_IO_ERROR"}},
	{filePermission, "", []string{"Permission denied", "EACCES", "PermissionError", "file modes", "Permissions & should be set to", "not set to recommended permissions", "permissions & too open", "AWS_ERROR_NO_PERMISSION", "fleet provisioning & stops after & key", "os error 13", "UnauthorizedAccessException", "modes of the new key", "device client stops after*", "file permissions"}},
	{outOfMemory, "", []string{
		"alloc* .. fail*", "unable .. alloc*",
		"out of memory", "Memory allocation failed", "MBEDTLS_ERR*ALLOC*FAILED", "Allocation of*failed", "ESP_ERR_NO_MEM", "OutOfMemoryError", "MQTTNoMemory", "no memory", "AWS_ERROR_OOM", "malloc failed", "mbedtls_ecdh_calc_secret() returned*", "mbedtls_mpi*returned -16", "heap & failed", "BIGNUM - Memory*", "alloc failed", "ENOMEM", "Insufficient memory", "low on memory", "Unable to allocate", "stack overflow", "OOM", "MEMORY_E", "not enough memory", "returned -16 (-0x0010)", "BSSL:_connectSSL: OOM*", "cannot allocate memory", "failed to allocate",
	}},
}
