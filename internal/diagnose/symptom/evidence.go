package symptom

import (
	"regexp"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// Evidence is what a text says beside its fault. What it does not say is empty.
type Evidence struct {
	Host     string `json:"host,omitempty"`
	Port     string `json:"port,omitempty"`
	ClientID string `json:"clientId,omitempty"`
	Topic    string `json:"topic,omitempty"`
	Code     string `json:"code,omitempty"` // the first number in the text that looks like an error
	Region   string `json:"region,omitempty"`
	Action   string `json:"action,omitempty"` // policy action, such as iot:Connect
}

var (
	hostForm     = expression(`(?i)\b((?:[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?\.)+(?:com|net|org|io|cn|local|internal|lan|dev|example)(?:\.cn)?)(?::(\d{2,5}))?\b`)
	portForm     = expression(`(?i)\b(?:port\W{1,3}|:)(8883|443|8443|1883|10443)\b`)
	clientIDForm = expression(`(?i)\bclient[ _-]?id\b["' ]{0,2}[:=][ "']{0,2}([A-Za-z0-9_:#.-]{1,128})`)
	topicForm    = expression(`(?i)\b(?:topic(?:filter|_?name| ?filter)?|filter)["']?\s*[:=]?\s*["']([^"'\s]{1,256})["']|'(\$aws/[^']{1,256})'|\btopic(?:filter)?[:=]\s?([\w$+#/-]{1,256}/[\w$+#/-]{1,256})`)
	codeForm     = expression(`(?i)-0x[0-9a-f]{2,5}\b|\b0x8[0-9a-f]{3}\b|\berror:[0-9a-f]{8}\b|(?:code|rc|error|exit|status|errno|returned|reason)\W{1,3}(-?\d{1,5})\b|^\s*(-?(?:0x[0-9a-f]+|\d+))\s*$`)
	actionForm   = expression(`\b(?:iot|greengrass|iam|lambda|sts):[A-Z][A-Za-z]{2,40}\b`)
)

// evidence reads it from the first lines that have it.
func (t *text) evidence() (e Evidence) {
	first := func(into *string, form func() *regexp.Regexp, line string) []string {
		if *into != "" {
			return nil
		}
		m := form().FindStringSubmatch(line)
		for _, group := range m[min(len(m), 1):] {
			if group != "" {
				*into = group
				return m
			}
		}
		if m != nil && *into == "" {
			*into = m[0]
		}
		return m
	}
	for i, line := range t.lines() {
		if i > 4000 {
			break
		}
		if m := first(&e.Host, hostForm, line); len(m) > 2 && m[2] != "" && e.Port == "" {
			e.Port = m[2]
		}
		first(&e.Port, portForm, line)
		first(&e.ClientID, clientIDForm, line)
		first(&e.Topic, topicForm, line)
		first(&e.Code, codeForm, line)
		first(&e.Action, actionForm, line)
		first(&e.Region, anyRegion, strings.ToLower(line))
	}
	return e
}

// values is the evidence in the catalogue's words.
func (e Evidence) values() check.Values {
	return check.Map(map[string]string{
		"endpoint": e.Host, "offered": e.Host, "port": e.Port, "client_id": e.ClientID, "topic": e.Topic, "filter": e.Topic, "region": e.Region, "action": e.Action,
		"partition": "aws", "mqtt_port": "8883", "https_port": "8443", "alpn_port": "443",
	})
}

// advice fills a check's advice. A name that must have a value and has none
// stands in capitals, as in a fix.
func (e Evidence) advice(c *check.Check) string {
	known := e.values()
	if text := c.AdviceWith(known); !strings.Contains(text, "(unknown ") {
		return text
	}
	return c.AdviceWith(func(name string) (string, bool) {
		if v, ok := known(name); ok {
			return v, true
		}
		return strings.ToUpper(name), true
	})
}
