package api

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/api/sigv4"
)

// style is how a service words its failures. Source: api sheet 4.5, 4.6, 5.2.
type style uint8

const (
	styleREST   style = iota // x-amzn-ErrorType and a JSON body
	styleData                // the same, but every refused signature is a ForbiddenException
	styleLambda              // REST with the member Type, and Message in two spellings
	styleJSON1               // awsJson: __type in the body too
	styleXML                 // query
	styleCBOR                // rpc-v2-cbor
)

// target is what a request is for.
type target struct {
	name   string // of the scope that SDKs sign with
	scopes []string
	style  style
	json   string   // version in the content type, styleJSON1 only
	op     string   // operation, if the request names it outside of its path
	bound  *binding // nil: AWS has the service, we do not
	ns     string   // XML namespace, styleXML only
	legacy bool     // the client asks for the query protocol's code of an error too
}

// binding is a service with its router.
type binding struct {
	*Service
	router *router
}

// unbuilt are services whose clients may come, though we do not serve them yet:
// they get a clear answer in their own protocol. Source: api sheet 1.
var unbuilt = map[string]target{
	"logs":             {name: "logs", scopes: []string{"logs"}, style: styleJSON1, json: "1.1"},
	"monitoring":       {name: "monitoring", scopes: []string{"monitoring"}, style: styleJSON1, json: "1.0"},
	"lambda":           {name: "lambda", scopes: []string{"lambda"}},
	"iot-jobs-data":    {name: "iot-jobs-data", scopes: []string{"iot-jobs-data"}},
	"iotdeviceadvisor": {name: "iotdeviceadvisor", scopes: []string{"iotdeviceadvisor"}},
}

func (b *binding) target() target {
	t := target{name: b.Scopes[0], scopes: b.Scopes, bound: b}
	switch {
	case b.Protocol == QueryXML:
		t.style, t.ns = styleXML, b.XMLNamespace
	case b.Protocol == JSON:
		t.style, t.json = styleJSON1, b.JSONVersion
	case b.Protocol == RPC: // what else it may be, detect sees
		t.style, t.ns, t.json = styleXML, b.XMLNamespace, b.JSONVersion
	case b.Scopes[0] == "iotdata":
		t.style = styleData
	case b.Scopes[0] == "lambda":
		t.style = styleLambda
	}
	return t
}

// detect tells which service a request is for. ok is false if nothing does.
// Source: api sheet 2.
func (s *Server) detect(r *http.Request, rawPath string, sig *sigv4.Signature, query url.Values) (target, bool) {
	// Of CloudWatch's three protocols CBOR goes before awsJson, and the form is what is left.
	// Source: metrics sheet 3.1.
	legacy := r.Header.Get("X-Amzn-Query-Mode") == "true"
	if _, op, ok := strings.Cut(rawPath, "/service/GraniteServiceVersion20100801/operation/"); ok {
		t := s.named("monitoring", op)
		t.style, t.legacy = styleCBOR, legacy
		return t, true
	}
	switch prefix, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); prefix {
	case "Logs_20140328":
		return s.named("logs", op), true
	case "GraniteServiceVersion20100801":
		t := s.named("monitoring", op)
		t.style, t.legacy = styleJSON1, legacy
		return t, true
	}
	if sig != nil {
		if b := s.scopes[sig.Service]; b != nil {
			return b.target(), true
		}
		if _, ok := unbuilt[sig.Service]; ok {
			return s.named(sig.Service, ""), true
		}
		return target{}, false
	}
	if v := query.Get("Version"); v != "" && query.Get("Action") != "" {
		for _, b := range s.services {
			if (b.Protocol == QueryXML || b.Protocol == RPC) && b.Version == v {
				return b.target(), true
			}
		}
	}
	for _, b := range s.services {
		if b.Protocol == RESTJSON {
			if _, allowed, ok := b.router.find(r.Method, rawPath); ok || len(allowed) > 0 {
				return b.target(), true
			}
		}
	}
	return target{}, false
}

// named returns the target with a scope name, bound or not.
func (s *Server) named(scope, op string) target {
	t := unbuilt[scope]
	if b := s.scopes[scope]; b != nil {
		t = b.target()
	}
	t.op = op
	return t
}
