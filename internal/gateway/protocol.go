package gateway

import (
	"net/http"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// wrongProtocol refuses a WebSocket where the domain configuration prescribes
// HTTPS, and a request where it prescribes MQTT_WSS; nil: r is of the kind that
// is served. Source: connect sheet 1.3, 2.2.
func (hc *httpConn) wrongProtocol(r *http.Request, upgrade bool, at *attempt.Attempt) *httpAnswer {
	offered := "HTTPS"
	if upgrade {
		offered = "MQTT_WSS"
	}
	e := hc.c.endpoint
	if required := e.ApplicationProtocol; required == offered || required != "HTTPS" && required != "MQTT_WSS" {
		return nil
	}
	at.Fail(check.DomainProtocol, attempt.F("domain_configuration", e.Name), attempt.F("offered", offered),
		attempt.F("required", e.ApplicationProtocol), attempt.F("method", r.Method), attempt.F("path", r.URL.Path))
	return &answerForbidden
}
