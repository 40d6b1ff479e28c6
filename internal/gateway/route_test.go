package gateway

import "testing"

// TestFixedRoutes: a domain configuration with types of its own says on every
// door what is spoken and who proves what, whatever ALPN is offered. Source: connect sheet 1.3, 2.2.
func TestFixedRoutes(t *testing.T) {
	for pair, want := range map[[2]string]route{
		{"AWS_X509", "SECURE_MQTT"}:         {transport: transportMQTT, auth: authCertificate},
		{"AWS_X509", "HTTPS"}:               {transport: transportHTTP, auth: authCertificate},
		{"CUSTOM_AUTH_X509", "SECURE_MQTT"}: {transport: transportMQTT, auth: authBoth},
		{"CUSTOM_AUTH_X509", "HTTPS"}:       {transport: transportHTTP, auth: authBoth},
		{"AWS_SIGV4", "MQTT_WSS"}:           {transport: transportHTTP, auth: authRequest},
		{"AWS_SIGV4", "HTTPS"}:              {transport: transportHTTP, auth: authRequest},
		{"CUSTOM_AUTH", "SECURE_MQTT"}:      {transport: transportMQTT, auth: authCustom},
		{"CUSTOM_AUTH", "MQTT_WSS"}:         {transport: transportHTTP, auth: authCustom},
		{"CUSTOM_AUTH", "HTTPS"}:            {transport: transportHTTP, auth: authCustom},
	} {
		for _, door := range []Door{DoorMQTT, DoorHTTPS, DoorALPN} {
			for _, offered := range []string{"", alpnMQTTCert, alpnMQTTAuth, alpnHTTPCert, alpnHTTP11, "h2"} {
				got := routeFor(door, &Endpoint{AuthenticationType: pair[0], ApplicationProtocol: pair[1]}, []string{offered})
				if got.transport != want.transport || got.auth != want.auth {
					t.Errorf("%v on %s with ALPN %q: %s by %s, want %s by %s", pair, door, offered, got.transport, got.auth, want.transport, want.auth)
				}
			}
		}
	}
}
