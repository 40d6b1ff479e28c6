package check

var CertPresented = register(Check{Code: "cert.presented", Stage: StageCertificate, Severity: Step, Title: "Client certificate presented"})

var CertKeyProof = register(Check{Code: "cert.key_proof", Stage: StageCertificate, Severity: Step, Title: "The device holds the certificate's private key"})

var CertValidity = register(Check{Code: "cert.validity", Stage: StageCertificate, Severity: Step, Title: "Certificate is within its validity"})

var CertRegistered = register(Check{Code: "cert.registered", Stage: StageCertificate, Severity: Step, Title: "Certificate is registered"})

var CertActive = register(Check{Code: "cert.active", Stage: StageCertificate, Severity: Step, Title: "Certificate is ACTIVE"})

var CertNoneSent = register(Check{Code: "cert.none_sent", Stage: StageCertificate, Severity: Refusal, Title: "No client certificate was sent"})

var CertKeyMismatch = register(Check{Code: "cert.key_mismatch", Stage: StageCertificate, Severity: Refusal, Title: "The private key does not fit the certificate"})

var CertMalformed = register(Check{Code: "cert.malformed", Stage: StageCertificate, Severity: Refusal, Title: "The client certificate can't be read"})

var CertAlgorithm = register(Check{Code: "cert.algorithm", Stage: StageCertificate, Severity: Refusal, Title: "The certificate's key or signature algorithm is not supported"})

var CertExpired = register(Check{Code: "cert.expired", Stage: StageCertificate, Severity: Refusal, Title: "The client certificate has expired"})

var CertNotYetValid = register(Check{Code: "cert.not_yet_valid", Stage: StageCertificate, Severity: Refusal, Title: "The client certificate is not valid yet"})

var CertNotRegistered = register(Check{Code: "cert.not_registered", Stage: StageCertificate, Severity: Refusal, Title: "Certificate is not registered"})

var CertRegisteredElsewhere = register(Check{Code: "cert.registered_elsewhere", Stage: StageCertificate, Severity: Refusal, Title: "Certificate is registered in another account or Region"})

var CertInactive = register(Check{Code: "cert.inactive", Stage: StageCertificate, Severity: Refusal, Title: "Certificate is registered but not active"})

var CertRevoked = register(Check{Code: "cert.revoked", Stage: StageCertificate, Severity: Refusal, Title: "Certificate is revoked"})

var CertPendingActivation = register(Check{Code: "cert.pending_activation", Stage: StageCertificate, Severity: Refusal, Title: "Certificate waits for its activation"})

var CertPendingTransfer = register(Check{Code: "cert.pending_transfer", Stage: StageCertificate, Severity: Refusal, Title: "Certificate is being transferred to another account"})

var CertRegisteredCA = register(Check{Code: "cert.registered_ca", Stage: StageCertificate, Severity: Note, Title: "The certificate's CA is registered"})

var CertRegisteredCAInactive = register(Check{Code: "cert.registered_ca.inactive", Stage: StageCertificate, Severity: Note, Title: "The certificate's CA is registered but not active"})

var CertRegisteredCAPresented = register(Check{Code: "cert.registered_ca.presented", Stage: StageCertificate, Severity: Refusal, Title: "The device presented a CA certificate instead of its own"})

var CertRegisteredCANotInChain = register(Check{Code: "cert.registered_ca.not_in_chain", Stage: StageCertificate, Severity: Note, Title: "The CA certificate is not in the chain that the device sent"})
