package check

// Checks of the gateway's doors that belong to no single protocol.

// TCPTooManyConnections protects the gateway's memory.
var TCPTooManyConnections = register(Check{
	Code: "tcp.too_many_connections", Stage: StageTCP, Severity: Refusal,
	Title: "The gateway holds as many connections as it may",
	Cause: "The connection was closed at once: this Gatehouse has a limit ({required} connections).",
	Device: Device{
		TLS12: "The connection is closed before the server's first byte.", TLS13: "The connection is closed before the server's first byte.",
		Clients: []Client{{"mbedTLS", "-0x7280 or -0x0050"}, {"AWS SDK v2", "AWS_IO_SOCKET_CLOSED"}, {"mosquitto", "exit 1, unexpected eof"}},
	},
	Advice:  "Look for devices that open connections and do not close them, or give the gateway a higher limit.",
	Fix:     "gatehouse explain --source-ip {source_ip}",
	Source:  "PROBLEMS 1.1, TCP closed on accept",
	Example: map[string]string{"required": "at most 500000"},
})

// HTTPNotFound is a path that AWS does not have either.
var HTTPNotFound = register(Check{
	Code: "http.not_found", Stage: StageProtocol, Severity: Refusal,
	Title: "There is no such operation at this path",
	Cause: "{method} {path} is none of the requests that the data endpoint answers.",
	Device: Device{
		HTTPS: "404 ResourceNotFoundException, or 405 MethodNotAllowedException where only the method is wrong.",
	},
	Advice:  "Compare method and path with the HTTPS API of AWS IoT: POST /topics/a/b?qos=1 publishes.",
	Fix:     "curl --cacert {ca_file} --cert {certificate_id}-certificate.pem.crt --key {certificate_id}-private.pem.key -d hello 'https://{endpoint}:{https_port}/topics/test?qos=1'",
	Source:  "connect sheet 6, 7",
	Example: map[string]string{"method": "GET", "path": "/publish/a"},
})
