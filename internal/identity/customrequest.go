package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
)

// A CustomRequest is what a client showed of itself to a custom authorizer. It
// holds credentials: never log it. It must not change once it was handed over.
// Source: custom-auth sheet 3, 4, 6.
type CustomRequest struct {
	ConnectionID string           // UUID of the connection; the same at every refresh
	ServerName   string           // SNI; "" when the client sent none
	Domain       AuthorizerChoice // what the domain configuration says
	HTTP         *HTTPCredentials // of an HTTPS request, or of a WebSocket upgrade; else nil
	MQTT         *MQTTCredentials // of a CONNECT; nil for an HTTPS request
	Certificate  *X509Credentials // only CUSTOM_AUTH_X509
}

// An AuthorizerChoice is the part of a domain configuration that chooses the
// authorizer. The zero value is that of the default endpoint.
type AuthorizerChoice struct {
	Configuration string // name of the domain configuration
	Authorizer    string // defaultAuthorizerName; "" for none
	AllowOverride bool   // the client may name another one
}

// HTTPCredentials are the parts of an HTTP request that an authorizer sees.
type HTTPCredentials struct {
	Host   string
	Header http.Header // without Host
	Query  string      // raw, without "?"
}

// MQTTCredentials are the parts of a CONNECT that an authorizer sees.
type MQTTCredentials struct {
	ClientID    string // as the client sent it
	UserName    string // whole, with its query string
	Password    []byte
	HasUserName bool
	HasPassword bool
}

// X509Credentials are what CUSTOM_AUTH_X509 adds: the certificate that the
// handshake has proved. Source: custom-auth sheet 12.
type X509Credentials struct {
	PEM string
	Who Principal
}

// Names of the parameters of custom authentication. Source: custom-auth sheet 4.
const (
	ParamAuthorizer = "x-amz-customauthorizer-name"
	ParamSignature  = "x-amz-customauthorizer-signature"

	paramPrefix = "x-amz-customauthorizer-"
)

// HasCustomParameters tells whether a user name or raw query asks for a custom
// authorizer.
func HasCustomParameters(userNameOrQuery string) bool {
	if _, query, ok := strings.Cut(userNameOrQuery, "?"); ok {
		userNameOrQuery = query
	}
	for param := range strings.SplitSeq(userNameOrQuery, "&") {
		if name, _, _ := strings.Cut(param, "="); len(name) > len(paramPrefix) && strings.EqualFold(name[:len(paramPrefix)], paramPrefix) {
			return true
		}
	}
	return false
}

// maxParameters bounds how many parameters of a query are looked at.
const maxParameters = 64

// A parameter is one name and value of a query string.
type parameter struct {
	name  string // decoded
	raw   string // value as it was sent
	value string // value, percent-decoded; raw where that is impossible
	bad   bool   // raw can't be decoded
}

// parseUserName reads the parameters of an MQTT user name: what follows its
// first question mark. Source: custom-auth sheet 4, "Tolerant parser".
func parseUserName(userName string) []parameter {
	_, query, ok := strings.Cut(userName, "?")
	if !ok {
		return nil
	}
	return parseQuery(query)
}

// parseQuery reads parameters. A plus sign stays one: base64 has it, and SDKs
// do not encode all that they send.
func parseQuery(query string) []parameter {
	var list []parameter
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		if len(list) == maxParameters {
			break
		}
		name, raw, _ := strings.Cut(part, "=")
		p := parameter{raw: raw}
		p.name, _ = percentDecode(name)
		var ok bool
		p.value, ok = percentDecode(raw)
		p.bad = !ok
		list = append(list, p)
	}
	return list
}

// percentDecode decodes %XX, and returns s unchanged when a % does not begin one.
func percentDecode(s string) (decoded string, ok bool) {
	if !strings.Contains(s, "%") {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return s, false
		}
		v, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil || s[i+1] == '+' || s[i+1] == '-' {
			return s, false
		}
		b = append(b, byte(v))
		i += 2
	}
	return string(b), true
}

// parameters are everything that a client sent by name.
type parameters struct {
	header http.Header
	query  []parameter // of the URL
	user   []parameter // of the MQTT user name
}

func (r *CustomRequest) parameters() parameters {
	var p parameters
	if r.HTTP != nil {
		p.header, p.query = r.HTTP.Header, parseQuery(r.HTTP.Query)
	}
	if r.MQTT != nil {
		p.user = parseUserName(r.MQTT.UserName)
	}
	return p
}

// find looks a parameter up: a header wins over the query, that over the user
// name. Where exact is set, names in a query compare with their case.
// Source: custom-auth sheet 4.
func (p *parameters) find(name string, exact bool) (found parameter, where string, ok bool) {
	if v := p.header.Values(name); len(v) > 0 {
		return parameter{name: name, raw: v[0], value: v[0]}, "header", true
	}
	for _, source := range []struct {
		list  []parameter
		where string
	}{{p.query, "query"}, {p.user, "user name"}} {
		for _, q := range source.list {
			if q.name == name || !exact && strings.EqualFold(q.name, name) {
				return q, source.where, true
			}
		}
	}
	return parameter{}, "", false
}

// names lists what was sent, without values: for people.
func (p *parameters) names() string {
	var list []string
	for _, q := range p.query {
		list = append(list, q.name+" (query)")
	}
	for _, q := range p.user {
		list = append(list, q.name+" (user name)")
	}
	for name := range p.header {
		if strings.EqualFold(name, ParamAuthorizer) || strings.EqualFold(name, ParamSignature) {
			list = append(list, strings.ToLower(name)+" (header)")
		}
	}
	if len(list) == 0 {
		return "no parameters"
	}
	const most = 12
	if len(list) > most {
		list = append(list[:most], "...")
	}
	return strings.Join(list, ", ")
}

// ParameterNames lists the names of the parameters of a user name, without
// their values: for people.
func ParameterNames(userName string) string {
	p := parameters{user: parseUserName(userName)}
	return p.names()
}

// looksLikeToken finds the parameter that probably was meant to be the token:
// one whose name differs from key by case alone, else the only one that is not
// known to be something else.
func (p *parameters) looksLikeToken(key string) (name string, ok bool) {
	var others []string
	for _, q := range append(append([]parameter(nil), p.query...), p.user...) {
		if strings.EqualFold(q.name, key) {
			return q.name, true
		}
		if !isKnownParameter(q.name) {
			others = append(others, q.name)
		}
	}
	if len(others) == 1 {
		return others[0], true
	}
	return "", false
}

// isKnownParameter tells whether a name belongs to something else than the
// token: to the SDKs' figures about themselves, to a publish, or to us.
func isKnownParameter(name string) bool {
	switch name {
	case "SDK", "Version", "Platform", "MQTTLib", "AFRLib", "qos", "retain", "contentType", "responseTopic", "messageExpiry":
		return true
	}
	return strings.HasPrefix(strings.ToLower(name), "x-amz-")
}

// Redacted is how a secret is written where people may read it: its length, and
// enough of its SHA-256 to compare it with what a device should have sent.
func Redacted(secret string) string {
	if secret == "" {
		return "empty"
	}
	sum := sha256.Sum256([]byte(secret))
	return strconv.Itoa(len(secret)) + " bytes, SHA-256 " + hex.EncodeToString(sum[:4]) + "…"
}
