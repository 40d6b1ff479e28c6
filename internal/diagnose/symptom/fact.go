package symptom

import "github.com/gatehouse-iot/gatehouse/internal/check"

// A fact is what a text says happened, whichever client words it.
type fact struct {
	says   string      // in words
	stage  check.Stage // where on the way
	rank   rank
	causes causes
}

// rank is how much a fact tells.
type rank int

const (
	hint   rank = iota // only colours what else is said
	broad              // a stage failed
	narrow             // what failed in it
	exact              // the text names the cause
)

// causes are what can be behind a fact, each with how likely that is, in
// percent, when nothing else is known. They need not add up.
type causes map[*check.Check]int

// On the way to the server.
var (
	endpointEmpty = &fact{"the endpoint's host name is empty", check.StageDNS, exact, causes{check.NetEndpointEmpty: 90}}
	endpointURL   = &fact{"the endpoint is a URL where a host name belongs", check.StageDNS, exact, causes{check.NetEndpointNotAHostname: 90}}
	endpointShape = &fact{"the endpoint has not the shape of a data endpoint", check.StageDNS, exact, causes{check.NetEndpointShape: 88}}
	dnsUnknown    = &fact{"the host name does not resolve", check.StageDNS, narrow, causes{
		check.NetDNSNXDomain: 65, check.NetEndpointShape: 25, check.NetProxyRequired: 24, check.NetEndpointNotAHostname: 20, check.NetDNSUnavailable: 18,
	}}
	dnsUnavailable = &fact{"the DNS resolver did not answer", check.StageDNS, narrow, causes{
		check.NetDNSUnavailable: 65, check.NetDNSNXDomain: 35, check.NetProxyRequired: 20,
	}}
	tcpRefused = &fact{"the server's machine refused the TCP connection", check.StageTCP, narrow, causes{
		check.NetTCPRefused: 75, check.NetEndpointShape: 12, check.NetTCPTimeout: 10,
	}}
	tcpTimeout = &fact{"the TCP connection got no answer", check.StageTCP, narrow, causes{
		check.NetTCPTimeout: 65, check.NetTCPUnreachable: 22, check.NetProxyRequired: 16,
	}}
	tcpUnreachable = &fact{"the device has no route to the server", check.StageTCP, narrow, causes{
		check.NetTCPUnreachable: 65, check.NetTCPTimeout: 20, check.NetIPv6Unreachable: 15,
	}}
	ipv6Unreachable = &fact{"an IPv6 address could not be reached", check.StageTCP, narrow, causes{check.NetIPv6Unreachable: 75, check.NetTCPUnreachable: 15}}
	connectFailed   = &fact{"the network connection could not be made", check.StageTCP, broad, causes{
		check.NetNeverArrived: 45, check.NetTCPRefused: 25, check.NetTCPTimeout: 24, check.NetDNSNXDomain: 20, check.TLSServerCertUntrusted: 18, check.NetEndpointShape: 16,
	}}
	connectUnknown = &fact{"the client could not connect, and does not say where it failed", check.StageTCP, broad, causes{
		check.AuthzConnectNoStatement: 36, check.TLSServerCertUntrusted: 35, check.NetNeverArrived: 34, check.PolicyNoneAttached: 30, check.CertNotRegistered: 26, check.NetTCPTimeout: 20,
	}}
	noConnection = &fact{"the client has no connection", check.StageTCP, broad, causes{
		check.NetNeverArrived: 30, check.NetTCPRefused: 25, check.NetEndpointShape: 24, check.NetDNSNXDomain: 22, check.NetTCPTimeout: 20,
	}}
	socketFailed = &fact{"the client could not open a socket", check.StageTCP, narrow, causes{
		check.NetNeverArrived: 45, check.ClientOutOfMemory: 30, check.NetTCPUnreachable: 20,
	}}
	reset = &fact{"the connection was reset", check.StageTCP, broad, causes{
		check.NetResetAfterClientHello: 42, check.AuthzConnectNoStatement: 22, check.TLSServerNotTLS: 18, check.CertNotRegistered: 16, check.SessionLost: 14,
	}}
	resetInHandshake = &fact{"the connection was reset in the TLS handshake", check.StageTCP, narrow, causes{
		check.NetResetAfterClientHello: 65, check.TLSServerNotTLS: 25, check.TLSSNIUnknown: 12,
	}}
	proxyRefused = &fact{"a proxy refused the connection", check.StageTCP, exact, causes{check.NetProxyAuth: 85, check.NetProxyRequired: 25}}
	neverArrived = &fact{"nothing of the device reached the server", check.StageTCP, exact, causes{check.NetNeverArrived: 88, check.NetTCPTimeout: 20, check.NetDNSNXDomain: 18}}
)

// In the TLS handshake, when the server ends it.
var (
	closedInHandshake = &fact{"the server closed the connection in the TLS handshake, without an alert", check.StageTLS, narrow, causes{
		check.NetResetAfterClientHello: 45, check.TLSServerNotTLS: 40, check.TLSSNIRequiredForCert: 22, check.CertNotRegistered: 20, check.TLSSNIUnknown: 15,
	}}
	tlsTimeout = &fact{"the TLS handshake got no answer in time", check.StageTLS, narrow, causes{
		check.NetSlowHandshake: 55, check.NetTCPTimeout: 30, check.TLSHandshakeTimeout: 20, check.NetProxyRequired: 12,
	}}
	serverNotTLS = &fact{"the server answered TLS with something else", check.StageTLS, exact, causes{check.TLSServerNotTLS: 85, check.NetProxyRequired: 12}}
	badRecord    = &fact{"the client could not take a TLS record", check.StageTLS, narrow, causes{
		check.ClientTLSBufferSmall: 62, check.TLSServerNotTLS: 50, check.ClientOutOfMemory: 10,
	}}
	tlsFailed = &fact{"the TLS handshake failed", check.StageTLS, broad, causes{
		check.TLSServerCertUntrusted: 36, check.DeviceClockBehind: 30, check.CertNotRegistered: 24, check.TLSVersionBelowPolicy: 20, check.CertInactive: 20,
		check.TLSSNIUnknown: 14, check.TLSALPNMissingOn443: 12, check.CertKeyMismatch: 10,
	}}
	alertReceived = &fact{"the server ended TLS with an alert", check.StageTLS, narrow, causes{
		check.CertNotRegistered: 46, check.CertInactive: 44, check.TLSVersionBelowPolicy: 24, check.CertRevoked: 20, check.CertKeyMismatch: 18, check.CertNoneSent: 16, check.TLSSNIRequiredForCert: 14,
	}}
	readFailedAfterTLS = &fact{"TLS failed on the first read: in TLS 1.3 the server judges the certificate then", check.StageCertificate, narrow, causes{
		check.CertNotRegistered: 48, check.CertInactive: 46, check.CertNoneSent: 26, check.CertRevoked: 22, check.CertRegisteredElsewhere: 16,
	}}
	certificateRefused = &fact{"the server refused the device's certificate", check.StageCertificate, narrow, causes{
		check.CertInactive: 54, check.CertNotRegistered: 52, check.CertRevoked: 34, check.CertRegisteredElsewhere: 26, check.CertRegisteredCANotInChain: 14, check.TLSSNIRequiredForCert: 14, check.CertExpired: 12,
	}}
	certificateRevoked   = &fact{"the server calls the device's certificate revoked", check.StageCertificate, exact, causes{check.CertRevoked: 75, check.CertInactive: 35, check.CertNotRegistered: 20}}
	certificateExpired   = &fact{"the server calls the device's certificate expired", check.StageCertificate, exact, causes{check.CertExpired: 75, check.CertInactive: 20, check.CertNotYetValid: 12}}
	certificateUntrusted = &fact{"the server does not know the CA of the device's certificate", check.StageCertificate, narrow, causes{
		check.CertNotRegistered: 60, check.CertRegisteredCANotInChain: 40, check.CertRegisteredElsewhere: 30, check.CertKeyMismatch: 12,
	}}
	certificateUnsupported = &fact{"the server does not take this kind of certificate", check.StageCertificate, exact, causes{check.CertAlgorithm: 70, check.CertNotRegistered: 25}}
	noCertificate          = &fact{"no client certificate was sent", check.StageCertificate, exact, causes{check.CertNoneSent: 85, check.FileMissing: 12}}
	keyProofRefused        = &fact{"the proof of the private key was refused", check.StageCertificate, exact, causes{check.CertKeyMismatch: 80, check.FileKeyFormat: 12}}
	handshakeRefused       = &fact{"the server found nothing to agree on", check.StageTLS, narrow, causes{
		check.CertNoneSent: 46, check.TLSCipherNoneShared: 42, check.CertAlgorithm: 22, check.TLSVersionBelowPolicy: 20, check.TLSSNIRequiredForCert: 14,
	}}
	cipherRefused  = &fact{"no cipher suite in common", check.StageTLS, exact, causes{check.TLSCipherNoneShared: 80, check.TLSVersionBelowPolicy: 22}}
	cipherDoubt    = &fact{"cipher suites outside the recommended list", check.StageTLS, exact, causes{check.TLSCipherOutsideRecommended: 88}}
	versionRefused = &fact{"the TLS version is not accepted", check.StageTLS, exact, causes{check.TLSVersionBelowPolicy: 85, check.TLSCipherNoneShared: 12}}
	nameUnknown    = &fact{"the server does not know the server name (SNI)", check.StageTLS, exact, causes{check.TLSSNIUnknown: 80, check.DomainDisabled: 20, check.TLSSNIMissing: 15}}
	alpnRefused    = &fact{"the server serves none of the ALPN protocols", check.StageTLS, exact, causes{check.TLSALPNNoOverlap: 80, check.TLSALPNMissingOn443: 18, check.TLSALPNMQTTRequired: 16}}
	serverFault    = &fact{"the server failed", check.StageSession, narrow, causes{check.ServerError: 50, check.TLSHandshakeFailed: 20}}
	helloMalformed = &fact{"the server could not read the handshake", check.StageTLS, narrow, causes{check.TLSClientHelloMalformed: 50, check.TLSHandshakeFailed: 30, check.NetResetAfterClientHello: 10}}
	macWrong       = &fact{"a TLS record did not decrypt", check.StageTLS, narrow, causes{check.TLSHandshakeFailed: 45, check.CertKeyMismatch: 25, check.ClientOutOfMemory: 15}}
)

// In the TLS handshake, when the device does not take the server.
var (
	serverUntrusted = &fact{"the device does not trust the server's certificate", check.StageTLS, exact, causes{
		check.TLSServerCertUntrusted: 78, check.TLSTrustStoreIsDeviceCA: 26, check.TLSServerCertCrossSign: 20, check.TLSTrustStoreMissing: 12,
	}}
	serverCrossSigned = &fact{"the device found no signer of the server's chain", check.StageTLS, exact, causes{
		check.TLSServerCertUntrusted: 62, check.TLSServerCertCrossSign: 58, check.TLSTrustStoreMissing: 12,
	}}
	serverName    = &fact{"the server's certificate is for another name", check.StageTLS, exact, causes{check.TLSServerCertName: 85, check.NetEndpointShape: 16, check.TLSSNIMissing: 14}}
	serverExpired = &fact{"by the device's clock the server's certificate has expired", check.StageTLS, exact, causes{check.TLSServerCertExpired: 58, check.DeviceClockBehind: 50, check.TLSServerCertUntrusted: 12}}
	serverEarly   = &fact{"by the device's clock the server's certificate is not valid yet", check.StageTLS, exact, causes{check.DeviceClockBehind: 88}}
	serverTime    = &fact{"the server's certificate is not valid by the device's clock", check.StageTLS, exact, causes{check.DeviceClockBehind: 62, check.TLSServerCertExpired: 48}}
	serverRefused = &fact{"the device did not accept the server's certificate", check.StageTLS, narrow, causes{
		check.TLSServerCertUntrusted: 60, check.DeviceClockBehind: 34, check.TLSServerCertName: 28, check.TLSTrustStoreIsDeviceCA: 16, check.TLSTrustStoreMissing: 12,
	}}
	sentUntrusted = &fact{"the device sent the alert that it does not know the server's CA", check.StageTLS, exact, causes{check.TLSServerCertUntrusted: 80, check.TLSTrustStoreIsDeviceCA: 26, check.TLSServerCertCrossSign: 16}}
	sentExpired   = &fact{"the device sent the alert that the server's certificate has expired", check.StageTLS, exact, causes{check.TLSServerCertExpired: 58, check.DeviceClockBehind: 52}}
	sentRefused   = &fact{"the device sent an alert: it did not accept the server's certificate", check.StageTLS, narrow, causes{check.TLSServerCertUntrusted: 60, check.TLSServerCertName: 34, check.DeviceClockBehind: 32}}
	clockWrong    = &fact{"the device's clock is wrong", check.StageTLS, exact, causes{check.DeviceClockBehind: 85}}
	trustMissing  = &fact{"the client has no root CA", check.StageTLS, exact, causes{check.TLSTrustStoreMissing: 80, check.TLSServerCertUntrusted: 30, check.FileMissing: 15}}
	deviceCA      = &fact{"the own CA may stand in the trust store", check.StageTLS, hint, causes{check.TLSTrustStoreIsDeviceCA: 80}}
)

// On the device, before or beside the network.
var (
	keyUnreadable  = &fact{"the private key can't be parsed", check.StageCertificate, exact, causes{check.FileKeyFormat: 75, check.FileKeyEncoding: 38, check.FileMissing: 12}}
	keyEncoding    = &fact{"the private key has an encoding that the client does not take", check.StageCertificate, exact, causes{check.FileKeyEncoding: 75, check.FileKeyFormat: 38}}
	certUnreadable = &fact{"a certificate can't be parsed", check.StageCertificate, exact, causes{check.FileCertFormat: 78, check.FileMissing: 20, check.FileKeyFormat: 14}}
	filesUnusable  = &fact{"certificate or key can't be loaded", check.StageCertificate, narrow, causes{
		check.CertKeyMismatch: 44, check.FileKeyFormat: 40, check.FileCertFormat: 36, check.FileKeyEncoding: 28, check.FileMissing: 24,
	}}
	keyMismatch    = &fact{"the private key does not fit the certificate", check.StageCertificate, exact, causes{check.CertKeyMismatch: 90}}
	fileMissing    = &fact{"a file can't be found", check.StageCertificate, exact, causes{check.FileMissing: 80, check.FilePermissions: 20}}
	filePermission = &fact{"a file may not be read, or its modes are refused", check.StageCertificate, exact, causes{check.FilePermissions: 82, check.FileMissing: 18}}
	outOfMemory    = &fact{"the device has no memory left", check.StageTLS, exact, causes{check.ClientOutOfMemory: 85, check.ClientTLSBufferSmall: 14}}
	bufferSmall    = &fact{"a buffer of the client is too small", check.StageDelivery, exact, causes{check.ClientRxBuffer: 78, check.LimitPayload: 14}}
)
