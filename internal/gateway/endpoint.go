package gateway

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/gatehouse-iot/gatehouse/internal/identity"
)

// A Rejection says when the device learns that its certificate is refused.
type Rejection string

// Evidence differs on what AWS does, so it is a switch. Source: connect sheet 5.
const (
	RejectInHandshake  Rejection = "handshake"    // an alert in the handshake; the default
	RejectAfterConnect Rejection = "afterConnect" // the handshake succeeds, and the first packet is answered by a close
)

// An Endpoint is one host name that devices use, with its settings: the default
// endpoint, or a domain configuration. It must not change once it is served.
// Source: connect sheet 1.2, 1.3.
type Endpoint struct {
	Name                 string    // of the domain configuration; "iot:Data-ATS" for the default endpoint
	Host                 string    // the server name (SNI) that selects it
	Disabled             bool      // its domain configuration is DISABLED
	SecurityPolicy       string    // "" is the default one
	AuthenticationType   string    // "" and DEFAULT: by port and ALPN; else AWS_X509, CUSTOM_AUTH, AWS_SIGV4, CUSTOM_AUTH_X509
	ApplicationProtocol  string    // "" and DEFAULT: by port and ALPN; else SECURE_MQTT, MQTT_WSS, HTTPS
	CertificateRejection Rejection // "" is RejectInHandshake

	// Certificate is what clients of the host are shown; nil: Config.ServerCertificate chooses.
	Certificate *tls.Certificate
	// Authorizer says which custom authorizer serves the host; the zero one: as on the default endpoint.
	Authorizer identity.AuthorizerChoice
}

// fixedRoute returns the transport and authentication that the endpoint
// prescribes, and false when port and ALPN decide. Source: connect sheet 1.3.
func (e *Endpoint) fixedRoute() (transport, authentication, bool) {
	var auth authentication
	switch e.AuthenticationType {
	case "AWS_X509":
		auth = authCertificate
	case "CUSTOM_AUTH_X509":
		auth = authBoth
	case "CUSTOM_AUTH":
		auth = authCustom
	case "AWS_SIGV4":
		auth = authRequest
	default:
		return "", "", false
	}
	switch e.ApplicationProtocol {
	case "SECURE_MQTT":
		return transportMQTT, auth, true
	case "MQTT_WSS", "HTTPS":
		return transportHTTP, auth, true
	}
	return "", "", false
}

// Endpoints are the host names that a gateway serves. It is safe for concurrent use.
type Endpoints struct {
	fallback *Endpoint // the default one, for clients that send no server name
	byHost   atomic.Pointer[map[string]*Endpoint]
}

// NewEndpoints makes the set of def, which also serves clients without SNI, and
// of the others. Hosts must be DNS names, each once, whatever their case.
func NewEndpoints(def Endpoint, others ...Endpoint) (*Endpoints, error) {
	set := &Endpoints{fallback: &def}
	return set, set.Replace(others...)
}

// Replace sets the endpoints beside the default one. Connections that are there
// keep the one that they came to; after an error nothing has changed.
func (s *Endpoints) Replace(others ...Endpoint) error {
	byHost := make(map[string]*Endpoint, 1+len(others))
	add := func(e *Endpoint) error {
		host := strings.ToLower(e.Host)
		if host == "" {
			return errors.New("gateway: an endpoint needs a host name")
		}
		if byHost[host] != nil {
			return fmt.Errorf("gateway: two endpoints have the host name %s", host)
		}
		if _, ok := LookupSecurityPolicy(e.SecurityPolicy, DoorMQTT); !ok {
			return fmt.Errorf("gateway: endpoint %s: there is no security policy %q", host, e.SecurityPolicy)
		}
		byHost[host] = e
		return nil
	}
	if err := add(s.fallback); err != nil {
		return err
	}
	for _, e := range others {
		if err := add(&e); err != nil {
			return err
		}
	}
	s.byHost.Store(&byHost)
	return nil
}

// lookup finds the endpoint of a server name, whatever its case. The empty name
// gets the default endpoint. Source: connect sheet 2.2, 2.3.
func (s *Endpoints) lookup(serverName string) (*Endpoint, bool) {
	if serverName == "" {
		return s.fallback, true
	}
	byHost := *s.byHost.Load()
	if e, ok := byHost[serverName]; ok { // the usual spelling costs no copy
		return e, true
	}
	e, ok := byHost[strings.ToLower(serverName)]
	return e, ok
}

// Default returns the endpoint that also serves clients without server name.
func (s *Endpoints) Default() *Endpoint { return s.fallback }
