package check

var TCPAccepted = register(Check{Code: "tcp.accepted", Stage: StageTCP, Severity: Step, Title: "TCP connection accepted"})

var TCPClosedBeforeHello = register(Check{Code: "tcp.closed_before_hello", Stage: StageTCP, Severity: Note, Title: "Connection closed before a byte was sent"})

var TCPTooManyHandshakes = register(Check{Code: "tcp.too_many_handshakes", Stage: StageTCP, Severity: Refusal, Title: "Too many connections are in their handshake"})

var NetSlowHandshake = register(Check{Code: "net.slow_handshake", Stage: StageTCP, Severity: Warning, Title: "The handshake is slow"})

var NetResetAfterClientHello = register(Check{Code: "net.reset_after_clienthello", Stage: StageTCP, Severity: Refusal, Title: "Connection reset right after the ClientHello"})
