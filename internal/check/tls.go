package check

var TLSClientHello = register(Check{Code: "tls.client_hello", Stage: StageTLS, Severity: Step, Title: "ClientHello read"})

var TLSVersion = register(Check{Code: "tls.version", Stage: StageTLS, Severity: Step, Title: "TLS version agreed"})

var TLSCipher = register(Check{Code: "tls.cipher", Stage: StageTLS, Severity: Step, Title: "Cipher suite agreed"})

var TLSSNI = register(Check{Code: "tls.sni", Stage: StageTLS, Severity: Step, Title: "Server name (SNI) is one of ours"})

var TLSALPN = register(Check{Code: "tls.alpn", Stage: StageTLS, Severity: Step, Title: "Application protocol (ALPN) chosen"})

var TLSHandshake = register(Check{Code: "tls.handshake", Stage: StageTLS, Severity: Step, Title: "TLS handshake complete"})

var TLSNotTLS = register(Check{Code: "tls.not_tls", Stage: StageTLS, Severity: Refusal, Title: "The device does not speak TLS"})

var TLSPlaintextMQTT = register(Check{Code: "tls.plaintext_mqtt", Stage: StageTLS, Severity: Refusal, Title: "Plaintext MQTT on a TLS port"})

var TLSPlaintextHTTP = register(Check{Code: "tls.plaintext_http", Stage: StageTLS, Severity: Refusal, Title: "Plaintext HTTP on a TLS port"})

var TLSClientHelloMalformed = register(Check{Code: "tls.client_hello.malformed", Stage: StageTLS, Severity: Refusal, Title: "The ClientHello can't be read"})

var TLSHandshakeTimeout = register(Check{Code: "tls.handshake.timeout", Stage: StageTLS, Severity: Refusal, Title: "The TLS handshake did not finish in time"})

var TLSHandshakeFailed = register(Check{Code: "tls.handshake.failed", Stage: StageTLS, Severity: Refusal, Title: "The TLS handshake failed"})

var TLSVersionBelowPolicy = register(Check{Code: "tls.version.below_policy", Stage: StageTLS, Severity: Refusal, Title: "The device's TLS version is below the security policy"})

var TLSCipherNoneShared = register(Check{Code: "tls.cipher.none_shared", Stage: StageTLS, Severity: Refusal, Title: "No cipher suite in common"})

var TLSCipherOutsideRecommended = register(Check{Code: "tls.cipher.outside_recommended", Stage: StageTLS, Severity: Warning, Title: "The device offers cipher suites outside the recommended list"})

var TLSSNIUnknown = register(Check{Code: "tls.sni.unknown", Stage: StageTLS, Severity: Refusal, Title: "The server name (SNI) is not one of ours"})

var TLSSNIMissing = register(Check{Code: "tls.sni.missing", Stage: StageTLS, Severity: Warning, Title: "The device sent no server name (SNI)"})

var TLSSNIRequiredForCert = register(Check{Code: "tls.sni.required_for_cert", Stage: StageTLS, Severity: Refusal, Title: "This certificate needs a server name (SNI)"})

var TLSALPNMissingOn443 = register(Check{Code: "tls.alpn.missing_on_443", Stage: StageTLS, Severity: Refusal, Title: "MQTT on port 443 without ALPN"})

var TLSALPNAbsent = register(Check{Code: "tls.alpn.absent", Stage: StageTLS, Severity: Warning, Title: "The ALPN list is absent or empty"})

var TLSALPNMQTTRequired = register(Check{Code: "tls.alpn.mqtt_required", Stage: StageTLS, Severity: Refusal, Title: "Custom authentication needs the ALPN protocol mqtt"})

var TLSALPNUnusable = register(Check{Code: "tls.alpn.unusable", Stage: StageTLS, Severity: Refusal, Title: "None of the offered ALPN protocols can be used here"})

var DomainDisabled = register(Check{Code: "domain.disabled", Stage: StageTLS, Severity: Refusal, Title: "The domain configuration is disabled"})

var TLSServerCertUntrusted = register(Check{Code: "tls.server_cert.untrusted_by_client", Stage: StageTLS, Severity: Refusal, Title: "The device does not trust our server certificate"})

var TLSServerCertNameMismatch = register(Check{Code: "tls.server_cert.name_mismatch_suspected", Stage: StageTLS, Severity: Refusal, Title: "The device probably did not find its host name in our certificate"})

var TLSServerCertExpired = register(Check{Code: "tls.server_cert.expired_for_client", Stage: StageTLS, Severity: Refusal, Title: "The device takes our server certificate for expired"})

var TLSServerCertRefused = register(Check{Code: "tls.server_cert.refused_by_client", Stage: StageTLS, Severity: Refusal, Title: "The device refused our server certificate"})

var DeviceClockBehind = register(Check{Code: "device.clock.behind", Stage: StageTLS, Severity: Refusal, Title: "The device's clock is probably wrong"})

var ClientTLSBufferSmall = register(Check{Code: "client.tls.buffer_small", Stage: StageTLS, Severity: Refusal, Title: "The device's TLS buffer is probably too small"})

var ClientOutOfMemory = register(Check{Code: "client.out_of_memory", Stage: StageTLS, Severity: Refusal, Title: "The device probably ran out of memory during the key exchange"})
