package gateway

import (
	"net"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
)

// A Door is one of the three ports that devices come through.
type Door = attempt.Door

// The doors.
const (
	DoorMQTT  = attempt.DoorMQTT  // 8883
	DoorHTTPS = attempt.DoorHTTPS // 8443
	DoorALPN  = attempt.DoorALPN  // 443: everything, told apart by ALPN
)

// Listeners are the open sockets of the doors. A nil one is a door that stays shut.
type Listeners struct {
	MQTT, HTTPS, ALPN net.Listener
}

// ALPN protocol names that AWS IoT knows. Source: connect sheet 2.
const (
	alpnMQTTCert = "x-amzn-mqtt-ca" // MQTT, client certificate
	alpnMQTTAuth = "mqtt"           // MQTT, custom authorizer
	alpnHTTPCert = "x-amzn-http-ca" // HTTPS, client certificate
	alpnHTTP11   = "http/1.1"
)

// A transport is what is spoken inside TLS.
type transport string

const (
	transportMQTT transport = "MQTT"
	transportHTTP transport = "HTTP" // HTTPS requests, and WebSocket upgrades
)

// An authentication is how the peer proves who it is.
type authentication string

const (
	authCertificate authentication = "certificate"                // client certificate in the handshake
	authCustom      authentication = "custom authorizer"          // user name and password in CONNECT
	authRequest     authentication = "SigV4 or custom authorizer" // in the request
	authBoth        authentication = "certificate and authorizer" // CUSTOM_AUTH_X509
)

// A route is what a connection will be used for, decided by its ClientHello.
type route struct {
	transport transport
	auth      authentication
	alpn      string // what we answer, "" for nothing
}

// wantsCertificate tells whether TLS asks the client for its certificate.
func (r route) wantsCertificate() bool { return r.auth == authCertificate || r.auth == authBoth }

// routeFor decides what a connection through door will be used for, by the
// protocols that the client offers: the configuration's own types where it has
// them, else the table of ports.
//
// An unknown protocol never fails a handshake: SDKs offer x-amzn-mqtt-ca on
// 8883, curl offers h2 everywhere. Source: connect sheet 2, 2.1, 2.2.
func routeFor(door Door, e *Endpoint, offered []string) route {
	r := route{alpn: chooseALPN(offered)}
	if t, a, ok := e.fixedRoute(); ok {
		r.transport, r.auth = t, a
		return r
	}
	switch door {
	case DoorMQTT:
		r.transport, r.auth = transportMQTT, authCertificate
	case DoorHTTPS:
		r.transport, r.auth = transportHTTP, authCertificate
	default:
		switch r.alpn {
		case alpnMQTTCert:
			r.transport, r.auth = transportMQTT, authCertificate
		case alpnMQTTAuth:
			r.transport, r.auth = transportMQTT, authCustom
		case alpnHTTPCert:
			r.transport, r.auth = transportHTTP, authCertificate
		default:
			r.transport, r.auth = transportHTTP, authRequest
		}
	}
	return r
}

// chooseALPN answers only what is offered: the first of AWS's names in the
// client's order, else http/1.1, else nothing.
func chooseALPN(offered []string) string {
	answer := ""
	for _, name := range offered {
		switch name {
		case alpnMQTTCert, alpnMQTTAuth, alpnHTTPCert:
			return name
		case alpnHTTP11:
			answer = alpnHTTP11
		}
	}
	return answer
}
