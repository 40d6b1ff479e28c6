package gateway

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/gateway/mqttconn"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// customRequest is what this connection shows to a custom authorizer; r is its
// HTTP request, or the one that made it a WebSocket, else nil.
func (c *session) customRequest(r *http.Request) *identity.CustomRequest {
	request := &identity.CustomRequest{ConnectionID: c.at.ID(), ServerName: c.sni, Domain: c.endpoint.Authorizer}
	if r != nil {
		request.HTTP = &identity.HTTPCredentials{Host: r.Host, Header: r.Header, Query: r.URL.RawQuery}
	}
	if c.route.auth == authBoth {
		block := &pem.Block{Type: "CERTIFICATE", Bytes: c.leaf}
		request.Certificate = &identity.X509Credentials{PEM: string(pem.EncodeToMemory(block)), Who: c.who}
	}
	return request
}

// stranger carries MQTT of somebody whom neither a certificate nor a signature
// names, or not alone: user name and password of the CONNECT are for a custom
// authorizer, with the request r that made the connection a WebSocket, if one
// did. Source: connect sheet 2, 7; custom-auth sheet 4.
func (c *session) stranger(nc net.Conn, r *http.Request, protocol policy.Protocol, lifetime mqttconn.Lifetime) mqttconn.Rest {
	request := c.customRequest(r)
	return c.serveMQTT(nc, caller{who: c.who}, protocol, lifetime, func(ctx context.Context, by *identity.MQTTCredentials) (*identity.Login, error) {
		request.MQTT = by
		return c.s.cfg.Authorizers.Authenticate(ctx, request)
	})
}

// custom lets a custom authorizer say who sent r. Where the door leaves open how
// a client proves itself, and r names no authorizer, the account's default one
// decides; tried is false when there is none.
// Source: custom-auth sheet 3, 4.
func (hc *httpConn) custom(ctx context.Context, r *http.Request, at *attempt.Attempt) (who caller, refused *httpAnswer, tried bool) {
	c := hc.c
	named := hasAuthorizer(r) || c.route.auth != authRequest
	if named && !isPublish(r) {
		at.Fail(check.AuthorizerPublishOnly, attempt.F("method", r.Method), attempt.F("path", r.URL.Path))
		return caller{}, &answerForbidden, true
	}
	if hc.logins == nil {
		hc.logins = c.s.cfg.Authorizers.Session()
	}
	login, err := hc.logins.Login(ctx, c.customRequest(r))
	if err != nil {
		return caller{}, hc.failed(ctx, at, "ask the authorizer", err), true
	}
	rung := login.Refusal()
	if rung != nil && rung.Check == check.AuthorizerNotSelected && !named {
		return caller{}, nil, false
	}
	login.Record(at)
	if rung != nil {
		at.Fail(rung.Check, rung.Evidence...)
		return caller{}, &answerForbidden, true
	}
	return caller{who: login.Who, authorize: login.Authorize}, nil, true
}

// isPublish tells whether a request is the one that a custom authorizer may
// decide on. Source: custom-auth sheet 4.
func isPublish(r *http.Request) bool {
	return r.Method == http.MethodPost && len(r.URL.Path) > len("/topics/") && r.URL.Path[:len("/topics/")] == "/topics/"
}
