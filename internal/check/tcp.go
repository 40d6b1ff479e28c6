package check

// Checks of the way to the gateway, before TLS.
var (
	// TCPAccepted is the begin of every attempt.
	TCPAccepted = step("tcp.accepted", StageTCP, "TCP connection accepted", "connect sheet 5.1, row 1")

	// TCPClosedBeforeHello is a connection that sent nothing: a health check, a port
	// scan, or a device whose TLS library failed before its first message.
	TCPClosedBeforeHello = register(Check{
		Code: "tcp.closed_before_hello", Stage: StageTCP, Severity: Note,
		Title:  "Connection closed before a byte was sent",
		Cause:  "{source_ip} connected to port {port} and closed<< after {elapsed}>> without sending a byte. Health checks do that; a device does it when its certificate or key files can't be loaded.",
		Device: Device{TLS12: "A local error: its files, its memory or its trust store.", Clients: []Client{{"OpenSSL", "key values mismatch"}, {"AWS SDK v2", "1033 AWS_IO_TLS_CTX_ERROR"}}},
		Advice: "If this is your device, look at its own log: the fault is in its files, before the network.",
		Fix:    "openssl x509 -noout -subject -enddate -in {certificate_id}-certificate.pem.crt",
		Source: "PROBLEMS A-10, D-07", Example: ev("elapsed", "0.2s"),
	})

	// TCPTooManyHandshakes protects the gateway from connections that never finish.
	TCPTooManyHandshakes = register(Check{
		Code: "tcp.too_many_handshakes", Stage: StageTCP, Severity: Refusal,
		Title:  "Too many connections are in their handshake",
		Cause:  "Connections that are still in their handshake are limited ({required}), so this one was closed unread.",
		Device: closedAtHello,
		Advice: "Let the fleet reconnect with a random delay. One source with very many attempts is a flood: block it in front of the gateway.",
		Fix:    "gatehouse explain --source-ip {source_ip}",
		Source: "connect sheet 3.3", Example: ev("required", "at most 4096"),
	})

	// TCPTooManyHandshakesOfSource keeps one source from taking every place.
	TCPTooManyHandshakesOfSource = register(Check{
		Code: "tcp.too_many_handshakes_of_source", Stage: StageTCP, Severity: Refusal,
		Title:  "Too many connections of one source are in their handshake",
		Cause:  "Connections from {source_ip} that are still in their handshake are limited ({required}), so this one was closed unread after a wait. Other sources are not affected.",
		Device: closedAtHello,
		Advice: "A fleet behind one address: let it reconnect with a random delay. Else it is a flood: block the source in front of the gateway.",
		Fix:    "gatehouse explain --source-ip {source_ip}",
		Source: "connect sheet 3.3", Example: ev("required", "at most 256"),
	})

	// NetSlowHandshake is a link that is slower than many devices' patience.
	NetSlowHandshake = register(Check{
		Code: "net.slow_handshake", Stage: StageTCP, Severity: Warning,
		Title:    "The handshake is slow",
		Cause:    "The handshake took {elapsed}; embedded clients give up after 5s.",
		Device:   Device{TLS12: "A time-out, on some connections.", TLS13: "A time-out, on some connections.", Clients: []Client{{"mbedTLS", "-0x6800"}, {"AWS SDK v2", "1067 TLS_NEGOTIATION_TIMEOUT"}}},
		Advice:   "Raise the handshake time limit of the device, or use an ECDSA certificate: it halves the bytes.",
		Fix:      "openssl s_time -connect {endpoint}:{port} -new -time 3 -CAfile {ca_file}",
		HiddenBy: []*Check{TCPTooManyHandshakes},
		Source:   "PROBLEMS B-16", Example: ev("elapsed", "6.3s"),
	})

	// NetResetAfterClientHello is a path that lets TCP pass and TLS not.
	NetResetAfterClientHello = register(Check{
		Code: "net.reset_after_clienthello", Stage: StageTCP, Severity: Refusal, Possible: true,
		Title:  "Connection reset right after the ClientHello",
		Cause:  "<<The ClientHello of {source_ip} for {sni} arrived, then the connection was reset while we answered.||The ClientHello of {source_ip} arrived, then the connection was reset while we answered.||The connection was reset in the TLS handshake, {elapsed} after it began.||The connection was reset in the TLS handshake.>> A firewall or proxy that inspects TLS does that, and so does a device that gives up at once.",
		Device: Device{TLS12: "The connection is reset in the handshake.", TLS13: "The connection is reset in the handshake.", Clients: []Client{{"mbedTLS", "-0x0050"}, {"AWS SDK v2", "1051 AWS_IO_SOCKET_CLOSED"}, {"OpenSSL", "errno=104"}}},
		Advice: "Try from another network. If it works there, the path of the first one inspects TLS.",
		Fix:    tlsTo,
		Source: "PROBLEMS B-17",
	})
)
