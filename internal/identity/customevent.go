package identity

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// An authorizerEvent is what a function is invoked with. Members that do not
// apply are left out. Source: custom-auth sheet 6.
type authorizerEvent struct {
	Token              string              `json:"token,omitempty"`
	SignatureVerified  bool                `json:"signatureVerified"`
	Protocols          []string            `json:"protocols"`
	ProtocolData       *protocolData       `json:"protocolData,omitempty"`
	ConnectionMetadata *connectionMetadata `json:"connectionMetadata,omitempty"`
}

type protocolData struct {
	TLS  *tlsData  `json:"tls,omitempty"`
	HTTP *httpData `json:"http,omitempty"`
	MQTT *mqttData `json:"mqtt,omitempty"`
}

type tlsData struct {
	ServerName         string `json:"serverName,omitempty"`
	X509CertificatePEM string `json:"x509CertificatePem,omitempty"`
	PrincipalID        string `json:"principalId,omitempty"`
}

type httpData struct {
	Headers     map[string]string `json:"headers,omitempty"`
	QueryString string            `json:"queryString,omitempty"`
}

type mqttData struct {
	UserName *string `json:"username,omitempty"`
	Password *[]byte `json:"password,omitempty"` // base64 in JSON
	ClientID string  `json:"clientId,omitempty"`
}

type connectionMetadata struct {
	ID string `json:"id"`
}

// event makes the event of a request.
func (r *CustomRequest) event(token string, verified bool) *authorizerEvent {
	e := &authorizerEvent{Token: token, SignatureVerified: verified, Protocols: []string{}}
	var data protocolData
	if r.ServerName != "" || r.Certificate != nil || r.ConnectionID != "" { // every real connection has TLS; a test may have none
		e.Protocols = append(e.Protocols, "tls")
		data.TLS = &tlsData{ServerName: r.ServerName}
		if r.Certificate != nil {
			data.TLS.X509CertificatePEM, data.TLS.PrincipalID = r.Certificate.PEM, r.Certificate.Who.ID
		}
	}
	if r.HTTP != nil {
		e.Protocols = append(e.Protocols, "http")
		data.HTTP = &httpData{Headers: map[string]string{}}
		if r.HTTP.Host != "" {
			data.HTTP.Headers["host"] = r.HTTP.Host
		}
		for name, values := range r.HTTP.Header {
			data.HTTP.Headers[strings.ToLower(name)] = strings.Join(values, ",")
		}
		if r.HTTP.Query != "" {
			data.HTTP.QueryString = "?" + r.HTTP.Query
		}
	}
	if r.MQTT != nil {
		e.Protocols = append(e.Protocols, "mqtt")
		data.MQTT = &mqttData{ClientID: r.MQTT.ClientID}
		if r.MQTT.HasUserName {
			data.MQTT.UserName = &r.MQTT.UserName
		}
		if r.MQTT.HasPassword {
			password := r.MQTT.Password
			if password == nil {
				password = []byte{}
			}
			data.MQTT.Password = &password
		}
	}
	if data != (protocolData{}) {
		e.ProtocolData = &data
	}
	if r.ConnectionID != "" {
		e.ConnectionMetadata = &connectionMetadata{r.ConnectionID}
	}
	return e
}

// payload is the event as JSON.
func (e *authorizerEvent) payload() []byte {
	b, err := json.Marshal(e)
	if err != nil {
		panic("identity: cannot encode an event: " + err.Error()) // strings and bytes never fail
	}
	return b
}

// secrets are the values of a request that nobody may read in a record: the
// token, the signature, the password, and what stands in user name and query.
func (r *CustomRequest) secrets(token string) []string {
	list := []string{token}
	p := r.parameters()
	for _, q := range append(append([]parameter(nil), p.query...), p.user...) {
		if !isKnownParameter(q.name) || strings.EqualFold(q.name, ParamSignature) {
			list = append(list, q.value, q.raw)
		}
	}
	if v := p.header.Get(ParamSignature); v != "" {
		list = append(list, v)
	}
	if v := p.header.Get("Authorization"); v != "" {
		list = append(list, v)
	}
	if r.MQTT != nil {
		list = append(list, string(r.MQTT.Password), base64.StdEncoding.EncodeToString(r.MQTT.Password))
	}
	return list
}

// scrub takes secrets out of a text that a function has written: what it was
// given may stand in its error message. Very short ones are no secrets, and
// would tear every word apart.
func scrub(text string, secrets []string) string {
	for _, s := range secrets {
		if len(s) >= 4 {
			text = strings.ReplaceAll(text, s, "[redacted: "+Redacted(s)+"]")
		}
	}
	return text
}

// redacted is a copy of the event without secrets, of the same shape.
func (e *authorizerEvent) redacted(secrets []string) *authorizerEvent {
	c := *e
	if c.Token != "" {
		c.Token = "redacted"
	}
	if e.ProtocolData == nil {
		return &c
	}
	data := *e.ProtocolData
	c.ProtocolData = &data
	if data.HTTP != nil {
		h := httpData{Headers: map[string]string{}, QueryString: scrub(data.HTTP.QueryString, secrets)}
		for name, value := range data.HTTP.Headers {
			if name == "authorization" || name == "cookie" || strings.HasSuffix(name, "-signature") {
				value = "redacted"
			}
			h.Headers[name] = scrub(value, secrets)
		}
		data.HTTP = &h
	}
	if data.MQTT != nil {
		m := *data.MQTT
		if m.UserName != nil {
			m.UserName = new(scrub(*m.UserName, secrets))
		}
		if m.Password != nil {
			m.Password = new([]byte("redacted"))
		}
		data.MQTT = &m
	}
	return &c
}
