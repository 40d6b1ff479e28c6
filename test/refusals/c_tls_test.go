package refusals

import (
	"crypto/tls"
	"net"
	"strconv"

	"github.com/gatehouse-iot/gatehouse/test/rawmqtt"
)

// at is the address of a port.
func at(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// over dials as change says and sends a CONNECT.
func over(change func(*device, *rawmqtt.Options)) func(*device) rawmqtt.End {
	return func(d *device) rawmqtt.End {
		d.t.Helper()
		o := d.options()
		change(d, &o)
		return d.try(o, d.encode(d.hello())...)
	}
}

// sendBytes dials as change says and sends text.
func sendBytes(text string, change func(*device, *rawmqtt.Options)) func(*device) rawmqtt.End {
	return func(d *device) rawmqtt.End {
		d.t.Helper()
		o := d.options()
		change(d, &o)
		c, end := d.dial(o)
		if end != nil {
			return *end
		}
		defer func() { _ = c.Reset() }()
		_ = c.Send([]byte(text))
		return c.End(patience)
	}
}

const jobsRequest = "PUT /things/t/jobs/$next HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"

const topicsRequest = "POST /topics/a?qos=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"

// tlsRows is group C: version, cipher, ALPN, SNI, port.
var tlsRows = []refusal{
	{
		id: "C-01", does: "offers TLS 1.2 only where the security policy requires 1.3", mode: &strict,
		sees: byTLS("alert 70 protocol_version in the handshake, then FIN", ""), code: "tls.version.below_policy",
		proof: map[string]string{"offered": "TLS 1.2", "required": "TLS 1.3", "security_policy": "IoTSecurityPolicy_TLS13_1_3_2022_10", "alert": "70 protocol_version"},
		says:  "The device offers TLS 1.2; the security policy IoTSecurityPolicy_TLS13_1_3_2022_10 requires TLS 1.3.",
	},
	{
		id: "C/tls-1.1", does: "offers TLS 1.1 only",
		act:   over(func(_ *device, o *rawmqtt.Options) { o.TLS = tls.VersionTLS11 }),
		sees:  byTLS("alert 70 protocol_version in the handshake, then FIN", ""),
		code:  "tls.version.below_policy",
		proof: map[string]string{"offered": "TLS 1.1", "required": "TLS 1.2 or 1.3", "security_policy": "IoTSecurityPolicy_TLS13_1_2_2022_10", "alert": "70 protocol_version"},
	},
	{
		id: "C/tls-1.0", does: "offers TLS 1.0 only",
		act:  over(func(_ *device, o *rawmqtt.Options) { o.TLS = tls.VersionTLS10 }),
		sees: byTLS("alert 70 protocol_version in the handshake, then FIN", ""),
		code: "tls.version.below_policy", proof: map[string]string{"offered": "TLS 1.0", "required": "TLS 1.2 or 1.3"},
	},
	{
		id: "C/cipher", does: "offers only cipher suites that nobody serves any more",
		act: over(func(_ *device, o *rawmqtt.Options) {
			o.CipherSuites = []uint16{tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_RSA_WITH_RC4_128_SHA}
		}),
		sees: byTLS("alert 40 handshake_failure in the handshake, then FIN", ""),
		code: "tls.cipher.none_shared", proof: map[string]string{"offered": "~TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", "required": "~TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
	},
	{
		id: "C-05", does: "offers 3DES among good cipher suites",
		act: over(func(_ *device, o *rawmqtt.Options) {
			o.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA}
		}),
		sees: byTLS("CONNACK 0x00, open", ""),
		code: "tls.cipher.outside_recommended", proof: map[string]string{"offered": "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"},
	},
	{
		id: "C-07", does: "sends MQTT to port 443 without ALPN",
		act:  over(func(d *device, o *rawmqtt.Options) { o.Addr = at(d.gw.Ports.ALPN) }),
		sees: silent, code: "tls.alpn.missing_on_443",
		proof: map[string]string{"required": "x-amzn-mqtt-ca", "client_id": "$client", "bytes": "~10"}, says: "x-amzn-mqtt-ca",
		fix: "mosquitto_pub -h $endpoint -p $alpn_port --tls-alpn x-amzn-mqtt-ca --cafile $ca --cert CERTIFICATE_ID-certificate.pem.crt --key CERTIFICATE_ID-private.pem.key -i $client -t $client/hello -m hello -q 1",
	},
	{
		id: "C-08", does: "sends MQTT to port 443 with ALPN http/1.1",
		act:  over(func(d *device, o *rawmqtt.Options) { o.Addr, o.ALPN = at(d.gw.Ports.ALPN), []string{"http/1.1"} }),
		sees: silent, code: "tls.alpn.missing_on_443", says: "It offered http/1.1.",
	},
	{
		id: "C-10", does: "sends MQTT to port 443 without ALPN, and its certificate has no policy",
		setup: func(d *device) { d.issued(true); d.thing(true) },
		act:   over(func(d *device, o *rawmqtt.Options) { o.Addr = at(d.gw.Ports.ALPN) }),
		sees:  silent, code: "tls.alpn.missing_on_443", also: []string{"policy.none_attached"},
	},
	{
		id: "C-11", does: "sends an HTTPS request to port 443 without ALPN, with its certificate at hand",
		act:  sendBytes(topicsRequest, func(d *device, o *rawmqtt.Options) { o.Addr = at(d.gw.Ports.ALPN) }),
		sees: byTLS(`malformed [MQTT-2.1.3-1], garbage "HTTP/1.1 403 Forbidden\r\nAccess-Control-A", then FIN`, `malformed [MQTT-2.1.3-1], garbage "HTTP/1.1 403 Forbidden\r\nAccess-Control-A", then FIN`),
		code: "http.port_for_cert_auth", also: []string{"tls.alpn.absent"},
		proof: map[string]string{"method": "POST", "path": "/topics/a", "required": "port 8443, or ALPN x-amzn-http-ca"},
	},
	{
		id: "C-13", does: "sends no SNI with a certificate that was registered without a CA",
		setup: func(d *device) { d.signed(nil, nil); d.register(); d.allow("iot:* *") },
		act:   over(func(_ *device, o *rawmqtt.Options) { o.ServerName = "" }),
		sees:  alert("46 certificate_unknown"), code: "tls.sni.required_for_cert",
		proof: map[string]string{"offered": "no server name", "required": "$endpoint"}, says: "mode SNI_ONLY",
	},
	{
		id: "C/sni-missing", does: "sends no SNI with a certificate that the service issued",
		act:  over(func(_ *device, o *rawmqtt.Options) { o.ServerName = "" }),
		sees: byMQTT("CONNACK 0x00, open", "CONNACK 0x00, open"), code: "tls.sni.missing", proof: map[string]string{"required": "$endpoint"},
	},
	{
		id: "C/sni-unknown", does: "asks for a host name that is not ours",
		act:  over(func(_ *device, o *rawmqtt.Options) { o.ServerName = "gw.exampel.com" }),
		sees: byTLS("alert 112 unrecognized_name in the handshake, then FIN", "alert 112 unrecognized_name in the handshake, then FIN"),
		code: "tls.sni.unknown", proof: map[string]string{"offered": "gw.exampel.com", "required": "$endpoint"},
		fix: "aws iot describe-endpoint --endpoint-type iot:Data-ATS --query endpointAddress --output text",
	},
	{
		id: "C/alpn-mqtt", does: "connects to port 443 with ALPN mqtt, which asks for a custom authorizer",
		act:  over(func(d *device, o *rawmqtt.Options) { o.Addr, o.ALPN = at(d.gw.Ports.ALPN), []string{"mqtt"} }),
		sees: denied, code: "authorizer.not_selected", proof: map[string]string{"sent": "no parameters"},
	},
	{
		id: "C/https-port", does: "sends MQTT to port 8443",
		act:  over(func(d *device, o *rawmqtt.Options) { o.Addr = at(d.gw.Ports.HTTPS) }),
		sees: silent, code: "protocol.mqtt_on_http_listener", proof: map[string]string{"client_id": "$client"}, says: "port $https_port",
		fix: "mosquitto_pub -h $endpoint -p $mqtt_port --cafile $ca --cert $cert-certificate.pem.crt --key $cert-private.pem.key -i $client -t $client/hello -m hello -q 1",
	},
	{
		id: "C/alpn-http", does: "sends MQTT to port 443 with ALPN x-amzn-http-ca",
		act:  over(func(d *device, o *rawmqtt.Options) { o.Addr, o.ALPN = at(d.gw.Ports.ALPN), []string{"x-amzn-http-ca"} }),
		sees: silent, code: "protocol.mqtt_on_http_listener", proof: map[string]string{"client_id": "$client"},
	},
	{
		id: "C/http-on-mqtt", does: "sends an HTTPS request to port 8883",
		act:  sendBytes(topicsRequest, func(*device, *rawmqtt.Options) {}),
		sees: byTLS(closed, closed), code: "protocol.http_on_mqtt_listener", proof: map[string]string{"offered": "POST /topics/a"}, says: "POST /topics/a",
	},
	{
		id: "C/other-protocol", does: "sends neither MQTT nor HTTP",
		act:  sendBytes("\x00\x01\x02\x03\x04\x05\x06\x07", func(d *device, o *rawmqtt.Options) { o.Addr = at(d.gw.Ports.HTTPS) }),
		sees: byTLS(closed, closed), code: "protocol.unrecognized", proof: map[string]string{"bytes": "~00010203"},
	},
	{
		id: "C/plain-mqtt", does: "sends MQTT without TLS to port 8883",
		act:  over(func(_ *device, o *rawmqtt.Options) { o.Plain = true }),
		sees: byTLS("FIN", ""), code: "tls.plaintext_mqtt", proof: map[string]string{"bytes": "~00044d515454"},
	},
	{
		id: "C/plain-http", does: "sends HTTP without TLS to port 8443",
		act:  sendBytes("GET /mqtt HTTP/1.1\r\nHost: x\r\n\r\n", func(d *device, o *rawmqtt.Options) { o.Plain, o.Addr = true, at(d.gw.Ports.HTTPS) }),
		sees: byTLS("FIN", ""), code: "tls.plaintext_http", proof: map[string]string{"offered": "GET /mqtt HTTP/1.1"},
	},
	{
		id: "C/not-tls", does: "sends something that is no TLS",
		act:  sendBytes("\x00\x01\x02\x03\x04\x05\x06\x07\x08", func(_ *device, o *rawmqtt.Options) { o.Plain = true }),
		sees: byTLS("FIN", ""), code: "tls.not_tls", proof: map[string]string{"bytes": "~000102030405060708"},
	},
	{
		id: "C/hello-malformed", does: "sends a ClientHello that contradicts itself",
		act:  sendBytes("\x16\x03\x01\x00\x08\x01\x00\x00\x04\x03\x03\xFF\xFF", func(_ *device, o *rawmqtt.Options) { o.Plain = true }),
		sees: byTLS("malformed [MQTT-2.1.3-1], alert 50 decode_error, then FIN", ""), code: "tls.client_hello.malformed", proof: map[string]string{"reason": "~"},
	},
	{
		id: "C/http-not-built", does: "sends an HTTPS request to port 8443 that this version does not answer",
		act:  sendBytes(jobsRequest, func(d *device, o *rawmqtt.Options) { o.Addr = at(d.gw.Ports.HTTPS) }),
		sees: byTLS(`malformed [MQTT-2.1.3-1], garbage "HTTP/1.1 501 Not Implemented\r\nAccess-Con", then FIN`, `malformed [MQTT-2.1.3-1], garbage "HTTP/1.1 501 Not Implemented\r\nAccess-Con", then FIN`),
		code: "http.not_built", proof: map[string]string{"method": "PUT", "path": "/things/t/jobs/$next"},
	},
	{
		id: "C/no-data", does: "shakes hands and leaves without a byte",
		act: func(d *device) rawmqtt.End {
			c, end := d.dial(d.options())
			if end != nil {
				return *end
			}
			_ = c.CloseWrite()
			return c.End(patience)
		},
		sees: byTLS(closed, closed), code: "protocol.closed_before_data",
	},
}
