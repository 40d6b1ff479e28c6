package refusals

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/coder/websocket"

	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/rawmqtt"
)

// forbidden is how an HTTPS request is refused: the begin of its answer.
const forbidden = `malformed [MQTT-2.1.3-1], garbage "HTTP/1.1 403 Forbidden\r\nAccess-Control-A", then FIN`

// certified is a device with a certificate that may do everything.
func certified(d *device) {
	d.issued(true)
	d.allow("iot:* *")
}

// request sends an HTTPS request to the ALPN port, $name filled in.
func request(line string, header ...string) func(*device) rawmqtt.End {
	return func(d *device) rawmqtt.End {
		d.t.Helper()
		text := d.fill(strings.Join(append([]string{line, "Host: localhost", "Content-Length: 0", "Connection: close"}, header...), "\r\n") + "\r\n\r\n")
		return sendBytes(text, func(d *device, o *rawmqtt.Options) {
			o.Addr = at(d.gw.Ports.ALPN)
			if host := d.vars["host"]; host != "" {
				o.ServerName = host
			}
		})(d)
	}
}

// webSocket are the headers of an upgrade.
var webSocket = []string{"Upgrade: websocket", "Connection: upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: mqtt"}

// hungUp is how a WebSocket ends that was opened for nothing. Source: custom-auth sheet 9.
const hungUp = "101 and then the close code 1000"

// byWebSocket opens a WebSocket with a query, and connects with a user name.
func byWebSocket(query, user string) func(*device) rawmqtt.End {
	return func(d *device) rawmqtt.End {
		d.t.Helper()
		authority, err := os.ReadFile(d.gw.CAFile)
		d.must(err)
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(authority)
		transport := &http.Transport{
			DialContext:     (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(d.from)}}).DialContext,
			TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: d.gw.Endpoint, MinVersion: d.version, MaxVersion: d.version},
		}
		defer transport.CloseIdleConnections()
		url := "wss://" + at(d.gw.Ports.ALPN) + "/mqtt" + d.fill(query)
		ws, answer, err := websocket.Dial(d.ctx(), url, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}, Host: d.gw.Endpoint, Subprotocols: []string{"mqtt"}})
		if err != nil {
			if answer == nil {
				d.t.Fatal(err)
			}
			return rawmqtt.End{Kind: rawmqtt.Kind(answer.Status)}
		}
		defer func() { _ = ws.CloseNow() }()
		hello := d.hello()
		hello.HasUserName, hello.UserName, hello.HasPassword, hello.Password = true, []byte(d.fill(user)), true, []byte("ok")
		d.must(ws.Write(d.ctx(), websocket.MessageBinary, d.encode(hello)))
		_ = ws.Write(d.ctx(), websocket.MessageBinary, pingreq)
		var got []mqtt.Packet
		for in := mqtt.NewReader(websocket.NetConn(d.ctx(), ws, websocket.MessageBinary), d.mqtt, 1<<16); ; {
			p, err := in.ReadPacket()
			switch p.(type) {
			case nil:
				if errors.Is(err, io.EOF) { // so it reads a Close frame of the code 1000
					return rawmqtt.End{Kind: hungUp, Packets: got}
				}
				return rawmqtt.End{Kind: rawmqtt.Local, Packets: got, Err: err}
			case *mqtt.Pingresp:
				return rawmqtt.End{Kind: open, Packets: got}
			default:
				got = append(got, p)
			}
		}
	}
}

// entryRows are the ways to an authorizer: port, ALPN, host name, WebSocket,
// HTTPS. Source: custom-auth sheet 3, 4, 9, 18.
var entryRows = []refusal{
	{
		id: "J-13", does: "uses a custom authorizer over MQTT without ALPN", setup: authorized,
		act:  func(d *device) rawmqtt.End { return d.connectTo("", nil, byName, "ok") },
		sees: silent, code: "tls.alpn.mqtt_required",
	},
	{
		id: "J-08", does: "names an authorizer on port 8883 with its certificate", setup: certified,
		act: func(d *device) rawmqtt.End {
			return d.connect(func(p *mqtt.Connect) {
				p.HasUserName, p.UserName = true, []byte("bob?x-amz-customauthorizer-name=a")
			})
		},
		sees: byMQTT(accepted, accepted), code: "authorizer.port",
	},
	{
		id: "J-08/alpn", does: "names an authorizer on port 443 with ALPN x-amzn-mqtt-ca and its certificate", setup: certified,
		act: func(d *device) rawmqtt.End {
			o, hello := d.customHello("", []string{"x-amzn-mqtt-ca"}, "bob?x-amz-customauthorizer-name=a", "ok")
			return d.try(o, d.encode(hello)...)
		},
		sees: byMQTT(accepted, accepted), code: "authorizer.port", says: "with the ALPN protocol x-amzn-mqtt-ca",
	},
	{
		id: "J/sni", does: "asks a custom authorizer under a host name that is not ours", setup: authorized,
		act:  func(d *device) rawmqtt.End { return d.connectTo("gw.exampel.com", []string{"mqtt"}, byName, "ok") },
		sees: byTLS("alert 112 unrecognized_name in the handshake, then FIN", "alert 112 unrecognized_name in the handshake, then FIN"),
		code: "tls.sni.unknown", proof: map[string]string{"offered": "gw.exampel.com", "required": "$endpoint"},
	},
	{
		id: "J/https", does: "publishes by HTTPS with a wrong signature", setup: (*device).signedAuthorizer,
		act:  request("POST /topics/a HTTP/1.1", "x-amz-customauthorizer-name: $authorizer", "x-amz-customauthorizer-signature: YQ==", "Token: tok"),
		sees: byTLS(forbidden, forbidden), code: "authorizer.signature_mismatch",
	},
	{
		id: "J/https-query", does: "publishes by HTTPS with an unknown authorizer in the query", setup: authorized,
		act:  request("POST /topics/a?qos=1&x-amz-customauthorizer-name=X$authorizer HTTP/1.1"),
		sees: byTLS(forbidden, forbidden), code: "authorizer.unknown", proof: map[string]string{"source": "query", "nearest": "$authorizer"},
	},
	{
		id: "J/https-rejected", does: "publishes by HTTPS and is rejected", setup: authorized,
		act:  request("POST /topics/a HTTP/1.1", "x-amz-customauthorizer-name: $authorizer", "Want: reject"),
		sees: byTLS(forbidden, forbidden), code: "authorizer.rejected",
	},
	{
		id: "J-04/https", does: "publishes by HTTPS, and the returned policy does not allow it", setup: authorized,
		act:  request("POST /topics/a HTTP/1.1", "x-amz-customauthorizer-name: $authorizer", "Want: connectonly"),
		sees: byTLS(forbidden, forbidden), code: "authz.publish", proof: returned, fix: "gatehouse authorizer replay $trace",
	},
	{
		id: "J/https-shadow", does: "asks for a shadow by HTTPS with an authorizer", setup: authorized,
		act:  request("GET /things/t/shadow HTTP/1.1", "x-amz-customauthorizer-name: $authorizer"),
		sees: byTLS(forbidden, forbidden), code: "authorizer.publish_only", proof: map[string]string{"method": "GET", "path": "/things/t/shadow"},
	},
	{
		id: "J-07", does: "signs the WebSocket of a host name that an authorizer decides on", setup: func(d *device) {
			authorized(d)
			d.domain(func(in *iot.CreateDomainConfigurationInput) {
				in.ApplicationProtocol = types.ApplicationProtocolMqttWss
			})
		},
		act:  request("GET /mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=x HTTP/1.1", webSocket...),
		sees: byTLS(forbidden, forbidden), code: "authorizer.sigv4_mixed", proof: map[string]string{"path": "/mqtt", "domain_configuration": "$domain"},
	},
	{
		id: "J/domain-https", does: "opens a WebSocket at a host name for HTTPS", setup: func(d *device) {
			authorized(d)
			d.domain(func(in *iot.CreateDomainConfigurationInput) { in.ApplicationProtocol = types.ApplicationProtocolHttps })
		},
		act:  request("GET /mqtt HTTP/1.1", webSocket...),
		sees: byTLS(forbidden, forbidden), code: "domain.application_protocol", proof: map[string]string{"offered": "MQTT_WSS", "required": "HTTPS"},
		fix: "aws iot update-domain-configuration --domain-configuration-name $domain --application-protocol MQTT_WSS",
	},
	{
		id: "J/domain-websocket", does: "publishes by HTTPS at a host name for WebSockets", setup: func(d *device) {
			authorized(d)
			d.domain(func(in *iot.CreateDomainConfigurationInput) {
				in.ApplicationProtocol = types.ApplicationProtocolMqttWss
			})
		},
		act:  request("POST /topics/a HTTP/1.1"),
		sees: byTLS(forbidden, forbidden), code: "domain.application_protocol", proof: map[string]string{"offered": "HTTPS", "required": "MQTT_WSS"},
		fix:   "aws iot update-domain-configuration --domain-configuration-name $domain --application-protocol HTTPS",
		after: `malformed [MQTT-2.1.3-1], garbage "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Or", then FIN`,
	},
	{
		id: "J-05/websocket", does: "opens a WebSocket with a signature in base64url", setup: (*device).signedAuthorizer,
		act:  byWebSocket("?x-amz-customauthorizer-name=$authorizer&Token=tok&x-amz-customauthorizer-signature=a-_b", "bob"),
		sees: byMQTT(hungUp, "CONNACK 0x87, "+hungUp), code: "authorizer.signature_encoding", proof: map[string]string{"source": "query"},
	},
	{
		id: "J-02/websocket", does: "opens a WebSocket and names in its CONNECT an authorizer that may not invoke its function", setup: permitted(func(*device) {}),
		act:  byWebSocket("", byName),
		sees: byMQTT(hungUp, "CONNACK 0x87, "+hungUp), code: "authorizer.invoke_denied", after: accepted,
	},
	{
		id: "J/domain-disabled", does: "connects to a domain configuration that is DISABLED", setup: func(d *device) {
			authorized(d)
			d.domain(nil)
			_, err := d.gw.iot.UpdateDomainConfiguration(d.ctx(), &iot.UpdateDomainConfigurationInput{
				DomainConfigurationName: &d.name, DomainConfigurationStatus: types.DomainConfigurationStatusDisabled,
			})
			d.must(err)
		},
		act: toDomain("bob"), sees: silent, code: "domain.disabled",
		fix: "aws iot update-domain-configuration --domain-configuration-name $domain --domain-configuration-status ENABLED", after: accepted,
	},
	{
		id: "J/override", does: "names another authorizer than its domain configuration allows", setup: func(d *device) {
			authorized(d)
			d.domain(nil)
			other := d.name + "-b"
			_, err := d.gw.iot.CreateAuthorizer(d.ctx(), &iot.CreateAuthorizerInput{
				AuthorizerName: &other, AuthorizerFunctionArn: aws.String(d.functionARN()), SigningDisabled: aws.Bool(true), Status: types.AuthorizerStatusActive,
			})
			d.must(err)
			d.t.Cleanup(func() { d.withdraw(other) })
			_, err = d.gw.lambda().AddPermission(d.ctx(), &lambda.AddPermissionInput{
				FunctionName: aws.String(d.functionName()), StatementId: aws.String("b"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("iot.amazonaws.com"),
			})
			d.must(err)
		},
		act: toDomain(byName + "-b"), sees: denied, code: "authorizer.override_not_allowed", after: accepted,
	},
}
