package faultserver

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// A Fault is one way to misbehave.
type Fault struct {
	Name    string // "cert-expired"
	Does    string // what the server does, in a few words
	Check   *check.Check
	Clients []check.Client // what clients print, as measured; may be empty

	does behaviour
}

// behaviour is what the server does differently from one that is in order; the
// zero value is in order.
type behaviour struct {
	accept     end      // on accept
	plain      string   // bytes that answer the ClientHello in place of TLS; the connection is closed then
	hello      end      // after the ClientHello
	helloAlert uint8    // answers the ClientHello
	identity   identity // what the server presents
	min, max   uint16   // TLS versions
	certAlert  uint8    // answers the client's certificate
	pace       pace     // of every byte that is sent

	connect        end             // after CONNECT
	connectAnswer  string          // bytes that answer CONNECT in place of CONNACK
	connack3       mqtt.ReasonCode // return code to MQTT 3.1.1
	connack5       mqtt.ReasonCode // reason code to MQTT 5
	disconnect     mqtt.ReasonCode // of the DISCONNECT right after CONNACK; MQTT 3.1.1 is closed
	subscribe      end             // on SUBSCRIBE
	subackFailure  bool
	publish        end // on PUBLISH
	pubackRefusal  bool
	pubackDelay    time.Duration
	swallowMessage bool // acknowledges and delivers nothing
}

// end is how the server lets go of a connection.
type end uint8

const (
	goOn        end = iota
	closeNotify     // TLS close_notify, then TCP FIN
	eof             // TCP FIN alone
	reset           // TCP RST
	silence         // keeps the connection and says nothing
)

// pace slows a connection down, or cuts what it sends into pieces.
type pace struct {
	bytes int           // of each write; 0: all of them
	delay time.Duration // before each
}

// Clients of PROBLEMS 1.1, as they are called there.
const (
	pahoPython = "paho-python"
	mqttJS     = "MQTT.js"
	sdk        = "AWS SDK v2"
	mbedTLS    = "mbedTLS"
	java       = "Java"
	goLang     = "Go"
	mosquitto  = "mosquitto"
)

// says pairs clients with what they print.
func says(pairs ...string) (list []check.Client) {
	for i := 0; i+1 < len(pairs); i += 2 {
		list = append(list, check.Client{Name: pairs[i], Says: pairs[i+1]})
	}
	return list
}

// What clients print where several faults look alike. Source: PROBLEMS 1.1.
var (
	closedEarly = says(mosquitto, "exit 1, Unable to connect (A TLS error occurred.); unexpected eof", pahoPython, "SSLEOFError: EOF occurred in violation of protocol",
		mqttJS, "Client network socket disconnected before secure TLS connection was established", sdk, "AWS_IO_SOCKET_CLOSED", mbedTLS, "-0x7280", java, "Remote host terminated the handshake", goLang, "EOF")
	resetEarly = says(mosquitto, "hangs", pahoPython, "ConnectionResetError", mqttJS, "ECONNRESET", sdk, "AWS_IO_SOCKET_CLOSED", mbedTLS, "-0x0050", java, "Connection reset", goLang, "connection reset by peer")
	silentTLS  = says(mosquitto, "hangs", pahoPython, "hangs", mqttJS, "connack timeout", sdk, "nothing in 5 s", mbedTLS, "-0x6800", java, "Read timed out", goLang, "i/o timeout")
	untrusted  = says(mosquitto, "exit 8, certificate verify failed", pahoPython, "unable to get local issuer certificate", mqttJS, "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
		sdk, "silent 13 to 28 s, then AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE", mbedTLS, "-0x2700, flags 0x8", java, "PKIX path building failed", goLang, "x509: certificate signed by unknown authority")
	connackRefused = says(mosquitto, "exit code = return code (MQTT 5: 135)", pahoPython, "on_connect rc=5", mqttJS, "Connection refused: Not authorized", sdk, "AWS_ERROR_MQTT_PROTOCOL_ERROR (MQTT 5: AWS_ERROR_MQTT5_CONNACK_CONNECTION_REFUSED)", mbedTLS, "20 02 00 05")
)

// certRefused is what clients print on an alert that refuses their certificate.
func certRefused(openssl string) []check.Client {
	return says(mosquitto, "exit 7, The connection was lost.; "+openssl, pahoPython, "SSLError: [SSL: "+strings.ToUpper(strings.ReplaceAll(openssl, " ", "_"))+"]",
		mqttJS, "ERR_SSL_"+strings.ToUpper(strings.ReplaceAll(openssl, " ", "_")), sdk, "AWS_IO_TLS_ERROR_READ_FAILURE", mbedTLS, "-0x7780")
}

// Faults returns all named faults, in the order of the way: TCP, TLS, the
// client's certificate, CONNECT, messages. The slice is the caller's.
// Source: PROBLEMS 1.1, groups A to C; connect sheet 8.1.
func Faults() []Fault { return slices.Clone(faults) }

var faults = []Fault{
	{Name: "none", Does: "nothing wrong: takes every client, and sends its own messages back to it"},
	{Name: "fragment", Does: "sends everything in pieces of 7 bytes", does: behaviour{pace: pace{bytes: 7}}},

	{Name: "accept-close", Does: "closes the TCP connection on accept", Check: check.TLSHandshakeClosed, Clients: closedEarly, does: behaviour{accept: eof}},
	{Name: "accept-reset", Does: "resets the TCP connection on accept", Check: check.NetResetAfterClientHello, Clients: resetEarly, does: behaviour{accept: reset}},
	{Name: "accept-silence", Does: "accepts TCP and says nothing", Check: check.TLSHandshakeTimeout, Clients: silentTLS, does: behaviour{accept: silence}},
	{Name: "plaintext-mqtt", Does: "is an MQTT port without TLS", Check: check.TLSHandshakeClosed, Clients: closedEarly, does: behaviour{hello: eof}},
	{
		Name: "plaintext-http", Does: "is an HTTP port without TLS", Check: check.TLSServerNotTLS,
		Clients: says("OpenSSL", "wrong version number", mbedTLS, "-0x7200", goLang, "first record does not look like a TLS handshake", java, "Unsupported or unrecognized SSL message"), does: behaviour{plain: http400},
	},
	{Name: "hello-reset", Does: "resets the connection after the ClientHello", Check: check.NetResetAfterClientHello, Clients: resetEarly, does: behaviour{hello: reset}},
	{Name: "hello-silence", Does: "reads the ClientHello and says nothing", Check: check.TLSHandshakeTimeout, Clients: silentTLS, does: behaviour{hello: silence}},
	{
		Name: "slow", Does: "sends 256 bytes at a time, each after 500 ms", Check: check.NetSlowHandshake,
		Clients: says(mbedTLS, "-0x6800", sdk, "1067 TLS_NEGOTIATION_TIMEOUT"), does: behaviour{pace: pace{256, 500 * time.Millisecond}},
	},

	{
		Name: "version", Does: "answers alert 70 (protocol_version)", Check: check.TLSVersionBelowPolicy,
		Clients: says(mosquitto, "exit 1 or 8, tlsv1 alert protocol version", pahoPython, "TLSV1_ALERT_PROTOCOL_VERSION", sdk, "AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE", mbedTLS, "-0x7780", java, "protocol_version"), does: behaviour{helloAlert: 70},
	},
	{Name: "tls13-only", Does: "speaks TLS 1.3 alone", Check: check.TLSVersionBelowPolicy, does: behaviour{min: tls.VersionTLS13}},
	{Name: "tls12-only", Does: "speaks TLS 1.2 alone, which is allowed", does: behaviour{max: tls.VersionTLS12}},
	{
		Name: "cipher", Does: "answers alert 40 (handshake_failure) to the ClientHello", Check: check.TLSCipherNoneShared,
		Clients: says(mbedTLS, "-0x7780", "OpenSSL", "alert handshake failure", sdk, "1029"), does: behaviour{helloAlert: 40},
	},
	{
		Name: "sni", Does: "answers alert 112 (unrecognized_name)", Check: check.TLSSNIUnknown,
		Clients: says(mosquitto, "exit 8 or 1, tlsv1 unrecognized name", pahoPython, "TLSV1_UNRECOGNIZED_NAME", mqttJS, "write EPROTO ... SSL alert number 112", sdk, "AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE", mbedTLS, "-0x7780", java, "unrecognized_name", goLang, "unrecognized name"), does: behaviour{helloAlert: 112},
	},
	{
		Name: "alpn", Does: "answers alert 120 (no_application_protocol)", Check: check.TLSALPNNoOverlap,
		Clients: says(sdk, "AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE", mbedTLS, "-0x7780", goLang, "no application protocol"), does: behaviour{helloAlert: 120},
	},

	{Name: "cert-unknown-ca", Does: "presents a certificate of a CA that is not in the CA file", Check: check.TLSServerCertUntrusted, Clients: untrusted, does: behaviour{identity: otherCA}},
	{Name: "cert-self-signed", Does: "presents a self-signed certificate", Check: check.TLSServerCertUntrusted, Clients: untrusted, does: behaviour{identity: selfSigned}},
	{
		Name: "cert-wrong-name", Does: "presents a certificate for another host name", Check: check.TLSServerCertName,
		Clients: says(mosquitto, "exit 8, host name verification failed", pahoPython, "Hostname mismatch, certificate is not valid for", mqttJS, "ERR_TLS_CERT_ALTNAME_INVALID", sdk, "silent 13 to 28 s, then AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE", mbedTLS, "-0x2700, flags 0x4", java, "No subject alternative DNS name matching ... found", goLang, "x509: certificate is valid for X, not Y"), does: behaviour{identity: wrongName},
	},
	{
		Name: "cert-expired", Does: "presents a certificate that has expired", Check: check.TLSServerCertExpired,
		Clients: says(mosquitto, "exit 8", pahoPython, "certificate has expired", mqttJS, "CERT_HAS_EXPIRED", mbedTLS, "-0x2700, flags 0x1", java, "validity check failed", goLang, "x509: certificate has expired or is not yet valid: current time ... is after ..."), does: behaviour{identity: expired},
	},
	{
		Name: "cert-not-yet-valid", Does: "presents a certificate that is not valid yet, as any is for a device whose clock is behind", Check: check.TLSServerCertExpired,
		Clients: says(mosquitto, "exit 1 or 8", pahoPython, "certificate is not yet valid", mqttJS, "CERT_NOT_YET_VALID", mbedTLS, "-0x2700, flags 0x200", java, "validity check failed", goLang, "x509: certificate has expired or is not yet valid: current time ... is before ..."), does: behaviour{identity: notYetValid},
	},
	{
		Name: "cert-cross-signed", Does: "presents a chain that leads on to an older root, as AWS does", Check: check.TLSServerCertCrossSign,
		Clients: says("wolfSSL", "-188 ASN_NO_SIGNER_E", "BearSSL", "62"), does: behaviour{identity: crossSigned},
	},

	{Name: "alert-40", Does: "refuses the client's certificate with alert 40 (handshake_failure)", Check: check.CertRefused, Clients: certRefused("sslv3 alert handshake failure"), does: behaviour{certAlert: 40}},
	{Name: "alert-42", Does: "refuses the client's certificate with alert 42 (bad_certificate)", Check: check.CertRefused, Clients: certRefused("sslv3 alert bad certificate"), does: behaviour{certAlert: 42}},
	{Name: "alert-43", Does: "refuses the client's certificate with alert 43 (unsupported_certificate)", Check: check.CertAlgorithm, Clients: certRefused("sslv3 alert unsupported certificate"), does: behaviour{certAlert: 43}},
	{Name: "alert-44", Does: "refuses the client's certificate with alert 44 (certificate_revoked)", Check: check.CertRevoked, Clients: certRefused("sslv3 alert certificate revoked"), does: behaviour{certAlert: 44}},
	{Name: "alert-45", Does: "refuses the client's certificate with alert 45 (certificate_expired)", Check: check.CertExpired, Clients: certRefused("sslv3 alert certificate expired"), does: behaviour{certAlert: 45}},
	{Name: "alert-46", Does: "refuses the client's certificate with alert 46 (certificate_unknown)", Check: check.CertRefused, Clients: certRefused("sslv3 alert certificate unknown"), does: behaviour{certAlert: 46}},
	{Name: "alert-48", Does: "refuses the client's certificate with alert 48 (unknown_ca)", Check: check.CertRefused, Clients: certRefused("tlsv1 alert unknown ca"), does: behaviour{certAlert: 48}},
	{Name: "alert-51", Does: "refuses the proof of the client's key with alert 51 (decrypt_error)", Check: check.CertKeyMismatch, Clients: certRefused("tlsv1 alert decrypt error"), does: behaviour{certAlert: 51}},
	{
		Name: "alert-116", Does: "asks for a certificate with alert 116 (certificate_required)", Check: check.CertNoneSent,
		Clients: says(mosquitto, "exit 7, tlsv13 alert certificate required", pahoPython, "TLSV13_ALERT_CERTIFICATE_REQUIRED", mbedTLS, "-0x7780", java, "certificate_required", goLang, "certificate required"), does: behaviour{certAlert: 116},
	},

	{
		Name: "connect-close", Does: "answers CONNECT with close_notify, as AWS refuses a policy", Check: check.ConnectClosed,
		Clients: says(mosquitto, "exit 7", pahoPython, "on_disconnect rc=7", mqttJS, "only close", sdk, "AWS_ERROR_MQTT_UNEXPECTED_HANGUP", mbedTLS, "-0x7880", java, "32109 EOFException", goLang, "EOF"), does: behaviour{connect: closeNotify},
	},
	{
		Name: "connect-eof", Does: "answers CONNECT with TCP close, without close_notify", Check: check.ConnectClosed,
		Clients: says(mosquitto, "exit 7; unexpected eof", pahoPython, "on_disconnect rc=7", mqttJS, "close", sdk, "AWS_IO_SOCKET_CLOSED", mbedTLS, "read returns 0", java, "EOF", goLang, "EOF"), does: behaviour{connect: eof},
	},
	{
		Name: "connect-reset", Does: "answers CONNECT with a TCP reset", Check: check.ConnectClosed,
		Clients: says(mosquitto, "exit 14, Broken pipe", pahoPython, "rc=7", mqttJS, "ECONNRESET", sdk, "AWS_IO_SOCKET_CLOSED", mbedTLS, "-0x0050", java, "Connection reset", goLang, "connection reset by peer"), does: behaviour{connect: reset},
	},
	{
		Name: "connect-silence", Does: "does not answer CONNECT", Check: check.ConnectNoAnswer,
		Clients: says(mosquitto, "hangs", pahoPython, "nothing", mqttJS, "connack timeout", sdk, "AWS_ERROR_MQTT_TIMEOUT or AWS_ERROR_MQTT5_CONNACK_TIMEOUT", mbedTLS, "-0x6800", java, "Read timed out", goLang, "i/o timeout"), does: behaviour{connect: silence},
	},
	{
		Name: "connect-http", Does: "answers CONNECT with HTTP", Check: check.ConnectNotMQTT,
		Clients: says(mosquitto, "exit 2, A network protocol error occurred", pahoPython, "rc=2", mqttJS, "Invalid header flag bits", sdk, "AWS_ERROR_MQTT_PROTOCOL_ERROR or AWS_ERROR_MQTT5_DECODE_PROTOCOL_ERROR", mbedTLS, "first bytes 48 54 54 50"), does: behaviour{connectAnswer: http400},
	},
	{
		Name: "connack-shape", Does: "answers an MQTT 5 CONNECT with the CONNACK of MQTT 3.1.1", Check: check.ConnectNotMQTT,
		Clients: says(mosquitto, "exit 2", pahoPython, "IndexError", sdk, "5149 AWS_ERROR_MQTT5_DECODE_PROTOCOL_ERROR"), does: behaviour{connectAnswer: "\x20\x02\x00\x01"},
	},
	{Name: "connack-1", Does: "refuses CONNECT: return code 1, or 0x84", Check: check.ConnectRefused, Clients: connackRefused, does: behaviour{connack3: 1, connack5: 0x84}},
	{Name: "connack-2", Does: "refuses CONNECT: return code 2, or 0x85", Check: check.ConnectRefused, Clients: connackRefused, does: behaviour{connack3: 2, connack5: 0x85}},
	{Name: "connack-3", Does: "refuses CONNECT: return code 3, or 0x88", Check: check.ConnectRefused, Clients: connackRefused, does: behaviour{connack3: 3, connack5: 0x88}},
	{Name: "connack-4", Does: "refuses CONNECT: return code 4, or 0x86", Check: check.ConnectRefused, Clients: connackRefused, does: behaviour{connack3: 4, connack5: 0x86}},
	{Name: "connack-5", Does: "refuses CONNECT: return code 5, or 0x87", Check: check.ConnectRefused, Clients: connackRefused, does: behaviour{connack3: 5, connack5: 0x87}},
	{
		Name: "disconnect-0x8e", Does: "takes CONNECT, then disconnects: session taken over", Check: check.SessionDisconnected,
		Clients: says(mosquitto, "Received DISCONNECT (142)", sdk, "AWS_ERROR_MQTT5_DISCONNECT_RECEIVED"), does: behaviour{disconnect: 0x8E},
	},
	{
		Name: "disconnect-0x95", Does: "takes CONNECT, then disconnects: packet too large", Check: check.SessionDisconnected,
		Clients: says(mosquitto, "Received DISCONNECT (149)", sdk, "AWS_ERROR_MQTT5_DISCONNECT_RECEIVED"), does: behaviour{disconnect: 0x95},
	},

	{
		Name: "subscribe-refuse", Does: "refuses every filter in SUBACK", Check: check.SubscribeRefused,
		Clients: says(mosquitto, "All subscription requests were denied., exit 0", pahoPython, "granted=[128]", mqttJS, "Subscribe error: Not authorized", sdk, "resolves with qos 128"), does: behaviour{subackFailure: true},
	},
	{
		Name: "subscribe-close", Does: "closes the connection on SUBSCRIBE", Check: check.SubscribeRefused,
		Clients: says(pahoPython, "rc=7", mqttJS, "Connection closed", sdk, "AWS_ERROR_MQTT_UNEXPECTED_HANGUP, then AWS_ERROR_MQTT_CANCELLED_FOR_CLEAN_SESSION"), does: behaviour{subscribe: closeNotify},
	},
	{
		Name: "subscribe-silence", Does: "does not answer SUBSCRIBE", Check: check.MessageNoAnswer,
		Clients: says(mosquitto, "waits", sdk, "5129 AWS_ERROR_MQTT_TIMEOUT"), does: behaviour{subscribe: silence},
	},
	{
		Name: "publish-refuse", Does: "refuses PUBLISH in PUBACK (MQTT 5), or closes", Check: check.PublishRefused,
		Clients: says(mosquitto, "Warning: Publish 1 failed: Not authorized., exit 0", mqttJS, "Publish error: Not authorized", sdk, "puback reasonCode 135"), does: behaviour{pubackRefusal: true},
	},
	{
		Name: "publish-close", Does: "closes the connection on PUBLISH", Check: check.PublishRefused,
		Clients: says(mosquitto, "exit 7 after CONNACK (0)", pahoPython, "rc=7", mqttJS, "close", sdk, "AWS_ERROR_MQTT_UNEXPECTED_HANGUP"), does: behaviour{publish: closeNotify},
	},
	{
		Name: "publish-silence", Does: "does not acknowledge PUBLISH", Check: check.MessageNoAnswer,
		Clients: says(mosquitto, "hangs", pahoPython, "no callback", mqttJS, "no callback", sdk, "AWS_ERROR_MQTT_TIMEOUT"), does: behaviour{publish: silence},
	},
	{
		Name: "publish-late", Does: "acknowledges PUBLISH after 7 s", Check: check.ClientTimeoutShort,
		Clients: says("embedded C SDK", "-28", sdk, "AWS_ERROR_MQTT_TIMEOUT"), does: behaviour{pubackDelay: 7 * time.Second},
	},
	{Name: "receive-nothing", Does: "acknowledges everything and delivers nothing", Check: check.MessageNotReceived, does: behaviour{swallowMessage: true}},
}

const http400 = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

// Lookup returns the fault of that name. Beside the names of [Faults] it knows
// alert-N (the client's certificate refused with TLS alert N), hello-alert-N
// (the ClientHello answered with it), connack-0xNN and disconnect-0xNN (MQTT 5
// reason codes), and NAME-tls12, which is a fault at TLS 1.2.
func Lookup(name string) (Fault, error) {
	base, tls12 := strings.CutSuffix(name, "-tls12")
	f, err := lookup(base)
	if err == nil && tls12 {
		f.Name, f.Does, f.does.max = name, f.Does+", at TLS 1.2", tls.VersionTLS12
	}
	return f, err
}

func lookup(name string) (Fault, error) {
	for _, f := range faults {
		if f.Name == name {
			return f, nil
		}
	}
	for _, family := range []struct {
		prefix   string
		min, max uint64
		make     func(uint8) Fault
	}{
		{"hello-alert-", 1, 255, func(n uint8) Fault {
			return Fault{Does: fmt.Sprintf("answers the ClientHello with alert %d", n), Check: check.TLSHandshakeFailed, does: behaviour{helloAlert: n}}
		}},
		{"alert-", 1, 255, func(n uint8) Fault {
			return Fault{Does: fmt.Sprintf("refuses the client's certificate with alert %d", n), Check: check.CertRefused, does: behaviour{certAlert: n}}
		}},
		{"connack-0x", 0x80, 0xFF, func(n uint8) Fault {
			return Fault{Does: fmt.Sprintf("refuses CONNECT: reason code 0x%02X, or return code 5", n), Check: check.ConnectRefused, does: behaviour{connack3: 5, connack5: mqtt.ReasonCode(n)}}
		}},
		{"disconnect-0x", 0x80, 0xFF, func(n uint8) Fault {
			return Fault{Does: fmt.Sprintf("takes CONNECT, then disconnects: reason code 0x%02X", n), Check: check.SessionDisconnected, does: behaviour{disconnect: mqtt.ReasonCode(n)}}
		}},
	} {
		digits, ok := strings.CutPrefix(name, family.prefix)
		if !ok {
			continue
		}
		base := 10
		if strings.HasSuffix(family.prefix, "0x") {
			base = 16
		}
		n, err := strconv.ParseUint(digits, base, 8)
		if err != nil || n < family.min || n > family.max {
			return Fault{}, fmt.Errorf("%s: the number after %s is from %d to %d", name, family.prefix, family.min, family.max)
		}
		f := family.make(uint8(n))
		f.Name = name
		return f, nil
	}
	if list := near(name); len(list) > 0 {
		return Fault{}, fmt.Errorf("no fault %q, but there is %s", name, strings.Join(list, ", "))
	}
	return Fault{}, fmt.Errorf("no fault %q", name)
}

// near are up to three names like one that does not exist: of most of its
// letters the beginning or the end is the same.
func near(name string) []string {
	squeeze := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "") }
	typed := squeeze(name)
	alike := map[string]int{}
	var list []string
	for _, f := range faults {
		known := squeeze(f.Name)
		n := min(len(typed), len(known))
		begin, end := 0, 0
		for begin < n && typed[begin] == known[begin] {
			begin++
		}
		for end < n-begin && typed[len(typed)-1-end] == known[len(known)-1-end] {
			end++
		}
		if longest := max(len(typed), len(known)); 3*(begin+end) >= 2*longest {
			alike[f.Name] = 100 * (begin + end) / longest
			list = append(list, f.Name)
		}
	}
	slices.SortStableFunc(list, func(a, b string) int { return alike[b] - alike[a] })
	return list[:min(len(list), 3)]
}
