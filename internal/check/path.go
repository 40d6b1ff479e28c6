package check

// Checks of the way from the device to the endpoint. The gateway never sees
// them; the probe does, and a device's own error text tells of them. PROBLEMS group A.

// describeEndpoint prints the host name that devices must use.
const describeEndpoint = "aws iot describe-endpoint --endpoint-type iot:Data-ATS --query endpointAddress --output text"

// unreached is a device that finds no way here.
func unreached(says ...Client) Device {
	const text = "It can't connect. The gateway sees nothing of it."
	return Device{TLS12: text, TLS13: text, Clients: says}
}

// Checks before a TCP connection stands.
var (
	// NetEndpointEmpty is PROBLEMS A-02.
	NetEndpointEmpty = register(Check{
		Code: "net.endpoint.empty", Stage: StageDNS, Severity: Refusal,
		Title:  "The endpoint's host name is empty",
		Cause:  "The device connects to no host: its endpoint setting is empty.",
		Device: unreached(Client{"embedded C SDK", "Error(-23) connecting to :8883"}),
		Advice: "Set the host name that the command prints, without https:// and without a path.",
		Fix:    describeEndpoint,
		Source: "PROBLEMS A-02",
	})

	// NetEndpointNotAHostname is PROBLEMS A-04.
	NetEndpointNotAHostname = register(Check{
		Code: "net.endpoint.not_a_hostname", Stage: StageDNS, Severity: Refusal,
		Title:  "The endpoint is not a bare host name",
		Passed: "The endpoint is a bare host name",
		Cause:  "The device's endpoint setting<< is {offered}, which>> has a scheme, a path, a port, or a character that no host name has<<: {reason}. It should be {required}>>.",
		Device: unreached(Client{"Node", "getaddrinfo ENOTFOUND"}, Client{"mbedTLS", "-0x0052"}),
		Advice: "Enter the host name alone, as the command prints it: no mqtts://, no /things/..., no :8883, no blank.",
		Fix:    describeEndpoint,
		Source: "PROBLEMS A-04", Example: ev("offered", "https://gw.example.com/things/sensor-1/shadow"),
	})

	// NetEndpointShape is PROBLEMS A-05.
	NetEndpointShape = register(Check{
		Code: "net.endpoint.shape", Stage: StageDNS, Severity: Refusal,
		Title:  "The host name is none of an AWS IoT data endpoint",
		Passed: "The host name has the shape of a data endpoint",
		Cause:  "<<{offered} does not have||The host name of the device does not have>> the shape of a data endpoint: ID-ats.iot.REGION.amazonaws.com. A control-plane host (iot.REGION.amazonaws.com), a Region that is not yours or a misplaced -ats look almost the same.<< Here {reason}; it should be {required}.>>",
		Device: unreached(Client{"Node", "getaddrinfo ENOTFOUND"}, Client{"mosquitto", "Lookup error"}),
		Advice: "Use the host name that the command prints, letter by letter.",
		Fix:    describeEndpoint,
		Source: "PROBLEMS A-05; connect sheet 1", Example: ev("offered", "abc123.iot.ats.amazonaws.com"),
	})

	// NetDNSNXDomain is PROBLEMS A-01.
	NetDNSNXDomain = register(Check{
		Code: "net.dns.nxdomain", Stage: StageDNS, Severity: Refusal,
		Title:  "The host name does not resolve",
		Passed: "The host name resolves",
		Cause:  "DNS knows no address<< of {offered}>>: the name has a typing error, or the resolver that the device asks does not know it.",
		Device: unreached(Client{"mbedTLS", "-0x0052"}, Client{"mosquitto", "exit 1, Lookup error"}, Client{"Node", "getaddrinfo ENOTFOUND"},
			Client{"AWS SDK v2", "1059 AWS_IO_DNS_INVALID_NAME"}, Client{"Go", "no such host"}, Client{"Java", "UnknownHostException"}),
		Advice: "Compare the device's host name with the one that the second command prints, letter by letter; then ask the resolver of the device's own network.",
		Fix:    "getent hosts <<{offered}||{endpoint}>>\n" + describeEndpoint,
		Source: "PROBLEMS A-01", Example: ev("offered", "gw.exmaple.com"),
	})

	// NetDNSUnavailable is a device whose resolver does not answer. PROBLEMS A-13.
	NetDNSUnavailable = register(Check{
		Code: "net.dns.unavailable", Stage: StageDNS, Severity: Refusal,
		Title:  "The device's DNS resolver does not answer",
		Cause:  "The name could not be looked up at all: the device has no network yet, no resolver, or one that it can't reach. The name itself may be right.",
		Device: unreached(Client{"Node", "getaddrinfo EAI_AGAIN"}, Client{"Python", "Temporary failure in name resolution"}, Client{"ESP-IDF", "getaddrinfo() returns 202"}),
		Advice: "Wait for the address (DHCP, PDP context) before connecting, and look at the DNS server that the device was given.",
		Fix:    "getent hosts {endpoint}",
		Source: "PROBLEMS A-13",
	})

	// NetProxyRequired is PROBLEMS A-07.
	NetProxyRequired = register(Check{
		Code: "net.proxy.required", Stage: StageDNS, Severity: Refusal, Possible: true,
		Title:  "The network probably lets only a proxy out",
		Cause:  "Names do not resolve or connections get no answer, as in a network whose only way out is an HTTP proxy. MQTT clients do not read HTTP_PROXY by themselves<<; here {key} is set>>.",
		Device: unreached(Client{"Node", "getaddrinfo ENOTFOUND"}, Client{"AWS SDK v2", "1048 AWS_IO_SOCKET_TIMEOUT"}),
		Advice: "Give the client the proxy explicitly: MQTT over WebSocket, or CONNECT to port 443 with the ALPN protocol x-amzn-mqtt-ca.",
		Fix:    "env | grep -i _proxy; curl -sv --max-time 10 https://{endpoint}:{https_port}/ -o /dev/null",
		Source: "PROBLEMS A-07",
	})

	// NetProxyAuth is PROBLEMS A-08.
	NetProxyAuth = register(Check{
		Code: "net.proxy.auth", Stage: StageTCP, Severity: Refusal,
		Title:  "The proxy refuses the connection",
		Passed: "The proxy lets the connection through",
		Cause:  "An HTTP proxy on the way refused the tunnel<< ({reason})>>: it wants credentials, or allows no CONNECT to this port.",
		Device: unreached(Client{"curl", "(56) Received HTTP code 407 from proxy after CONNECT"}, Client{"AWS SDK v2", "2059 AWS_ERROR_HTTP_PROXY_CONNECT_FAILED"}),
		Advice: "Give the client the proxy's user name and password, and let the proxy allow CONNECT to the endpoint without inspecting TLS.",
		Fix:    "curl -sv --max-time 10 https://{endpoint}:{https_port}/ -o /dev/null",
		Source: "PROBLEMS A-08", Example: ev("reason", "407 Proxy Authentication Required"),
	})

	// NetTCPRefused is PROBLEMS 1.1, nothing listens.
	NetTCPRefused = register(Check{
		Code: "net.tcp.refused", Stage: StageTCP, Severity: Refusal,
		Title:  "Nothing listens on that port",
		Passed: "The port takes connections",
		Cause:  "The host answered that no program listens on the port<< {port}>>: the port is wrong, the server is not running, or the name leads to another machine.",
		Device: unreached(Client{"mosquitto", "exit 1, Connection refused"}, Client{"mbedTLS", "-0x0044"}, Client{"AWS SDK v2", "1047 AWS_IO_SOCKET_CONNECTION_REFUSED"},
			Client{"Node", "ECONNREFUSED"}),
		Advice: "AWS IoT serves MQTT on 8883 and, by ALPN, on 443; HTTPS on 8443. A Gatehouse that listens on 127.0.0.1 is not reached from other machines: start it with --host.",
		Fix:    "nc -zvw5 {endpoint} {port}",
		Source: "PROBLEMS 1.1",
	})

	// NetTCPTimeout is a firewall that drops.
	NetTCPTimeout = register(Check{
		Code: "net.tcp.timeout", Stage: StageTCP, Severity: Refusal,
		Title:  "The TCP connection gets no answer",
		Cause:  "Nothing answered on port<< {port}>>: a firewall drops the packets (8883 is often blocked where 443 is open), or the address is wrong.",
		Device: unreached(Client{"AWS SDK v2", "1048 AWS_IO_SOCKET_TIMEOUT"}, Client{"Node", "ETIMEDOUT"}, Client{"ESP-IDF", "select() timeout"}, Client{"mbedTLS", "-0x0044"}),
		Advice: "Try from another network. If only this one blocks 8883, use port 443 with the ALPN protocol x-amzn-mqtt-ca.",
		Fix:    "nc -zvw5 {endpoint} {mqtt_port}; nc -zvw5 {endpoint} {alpn_port}",
		Source: "connect sheet 8.5",
	})

	// NetTCPUnreachable is a device without a route.
	NetTCPUnreachable = register(Check{
		Code: "net.tcp.unreachable", Stage: StageTCP, Severity: Refusal,
		Title:  "The device has no route to the endpoint",
		Cause:  "The device's own network stack said that there is no way to the address: no network, no default gateway, or the wrong interface.",
		Device: unreached(Client{"AWS SDK v2", "1049 AWS_IO_SOCKET_NO_ROUTE_TO_HOST"}, Client{"ESP-IDF", "errno 118 (Host is unreachable)"}, Client{"Go", "network is unreachable"}),
		Advice: "Look at the device's address, gateway and interface; connect only when the network is up.",
		Fix:    "ip route get \"$(getent ahostsv4 {endpoint} | awk '{print $1; exit}')\"",
		Source: "PROBLEMS 1.3",
	})

	// NetIPv6Unreachable is PROBLEMS A-14.
	NetIPv6Unreachable = register(Check{
		Code: "net.ipv6.unreachable", Stage: StageTCP, Severity: Note,
		Title:  "IPv6 does not reach the endpoint",
		Passed: "IPv6 reaches the endpoint",
		Cause:  "The name has <<the IPv6 address {used}||an IPv6 address>>, and from the device there is no way to it. A client that tries both uses IPv4; the line is then harmless and the fault is elsewhere.",
		Device: unreached(Client{"AWS SDK v2", "connect failed with error code 101"}),
		Advice: "Read on for the next error. If there is none, let the device prefer IPv4.",
		Fix:    "getent ahosts {endpoint}",
		Source: "PROBLEMS A-14", Example: ev("used", "2001:db8::1", "error", "network is unreachable"),
	})

	// NetNeverArrived is PROBLEMS.
	NetNeverArrived = register(Check{
		Code: "net.never_arrived", Stage: StageTCP, Severity: Refusal,
		Title:  "The device never arrived",
		Cause:  "The device failed before TCP or TLS stood, so no server has a record of it: no Wi-Fi or cellular network, wrong host or port, no DNS, or a TLS library that failed at once.",
		Device: unreached(Client{"PubSubClient", "rc=-2"}, Client{"ArduinoMqttClient", "-2"}),
		Advice: "Print what lies below MQTT: the Wi-Fi state, the address, and the error of the TLS client (WiFiClientSecure lastError, getLastSSLError). An attempt that is not recorded is a fault on the way here.",
		Fix:    "gatehouse explain --last",
		Source: "PROBLEMS A-10, A-11",
	})

	// TLSServerNotTLS is a port that answers TLS with something else.
	TLSServerNotTLS = register(Check{
		Code: "tls.server_not_tls", Stage: StageTLS, Severity: Refusal,
		Title: "The port does not speak TLS",
		Cause: "The client began TLS and got an answer that is none: a plaintext MQTT or HTTP port, or a proxy's or captive portal's page.",
		Device: Device{TLS12: "The handshake fails with a bad record, or the connection is closed at once.", TLS13: "The handshake fails with a bad record, or the connection is closed at once.", Clients: []Client{
			{"OpenSSL", "wrong version number"}, {"mbedTLS", "-0x7200"}, {"Go", "first record does not look like a TLS handshake"}, {"Java", "Unsupported or unrecognized SSL message"},
		}},
		Advice: "Look at host and port: MQTT over TLS is 8883, or 443 with ALPN. 1883 and 80 are plaintext.",
		Fix:    "openssl s_client -connect {endpoint}:{port} -servername {endpoint} -brief </dev/null",
		Source: "PROBLEMS 1.1",
	})

	// TLSALPNNoOverlap is alert 120.
	TLSALPNNoOverlap = register(Check{
		Code: "tls.alpn.no_overlap", Stage: StageTLS, Severity: Refusal,
		Title:  "The port serves none of the client's ALPN protocols",
		Cause:  "The client offered ALPN protocols<< ({alpn_offered})>>, and none of them is served on that port, so the server ended the handshake with alert 120.",
		Device: alerted("120 (no_application_protocol)", "alert no application protocol", "1029 AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE"),
		Advice: "Port 443: x-amzn-mqtt-ca (certificate), mqtt (custom authorizer), x-amzn-http-ca (HTTPS with certificate). Ports 8883 and 8443 need none.",
		Fix:    "openssl s_client -connect {endpoint}:{alpn_port} -servername {endpoint} -alpn x-amzn-mqtt-ca -CAfile {ca_file} -brief </dev/null",
		Source: "PROBLEMS 1.1; connect sheet 2", Example: ev("alpn_offered", "mqttv3.1"),
	})
)
