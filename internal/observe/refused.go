package observe

import "github.com/gatehouse-iot/gatehouse/internal/check"

// silent are the refusals, beside those in the TCP and TLS stages, of which AWS tells nobody.
var silent = map[*check.Check]bool{
	check.TLSALPNMissingOn443: true, check.MQTTFirstNotConnect: true, check.ConnectTimeout: true,
	check.ProtocolClosedBeforeData: true, check.ProtocolHTTPOnMQTT: true, check.ProtocolMQTTOnHTTP: true, check.ProtocolUnrecognized: true,
	check.HTTPHeaderTimeout: true, check.HTTPMalformed: true, check.HTTPPortForCertAuth: true,
	check.WebSocketHandshake: true, check.WebSocketFrame: true,
}

// AtEnd returns as what a refusal by c is told when the attempt ends: AuthNError for
// one in authentication, HandshakeRefused for one of which AWS keeps silent. Any
// other was told where it happened. Source: logs sheet 3.2, 3.3.
func AtEnd(c *check.Check) (kind Kind, told bool) {
	switch {
	case c.Stage == check.StageCertificate, c.Stage == check.StageAuthentication, c == check.DomainDisabled:
		return AuthNError, true
	case c.Stage == check.StageTCP, c.Stage == check.StageTLS, silent[c]:
		return HandshakeRefused, true
	}
	return 0, false
}
