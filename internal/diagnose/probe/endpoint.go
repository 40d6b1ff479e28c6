package probe

import (
	"cmp"
	"context"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// Host names of AWS IoT. Source: connect sheet 1.1.
var (
	dataEndpoint   = regexp.MustCompile(`^([a-z0-9]+)(-ats)?\.iot\.([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?$`)
	controlPlane   = regexp.MustCompile(`^(?:data\.|data-ats\.)?iot\.([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?$`)
	otherEndpoint  = regexp.MustCompile(`^[a-z0-9]+(?:-ats)?\.(credentials|jobs|deviceadvisor|greengrass)\.iot\.`)
	regionInName   = regexp.MustCompile(`[a-z]{2}(?:-gov|-iso|-isob)?-(?:north|south|east|west|central|northeast|northwest|southeast|southwest)-\d`)
	accountInName  = regexp.MustCompile(`^([a-z0-9]{10,20})(?:-ats)?\.`)
	awsLookAlike   = regexp.MustCompile(`amazonaws|\.iot\.|-ats\.`)
	dataEndpointIs = "ID-ats.iot.REGION.amazonaws.com"
)

// endpoint judges the host name as it was given, before anything is sent to it.
func (p *run) endpoint(context.Context) bool {
	given := p.Endpoint
	if strings.TrimSpace(given) == "" {
		p.add(check.NetEndpointEmpty, Fail, f("offered", strconv.Quote(given)), f("required", "the host name of the data endpoint"))
		return false
	}
	if reason, bare := notHostname(given); reason != "" {
		p.add(check.NetEndpointNotAHostname, Fail, f("offered", quoteOdd(given)), f("required", cmp.Or(bare, "a bare host name")), f("reason", reason))
		return false
	}
	host := strings.ToLower(strings.TrimSuffix(given, "."))
	p.add(check.NetEndpointNotAHostname, Pass, f("offered", host))
	p.report.Facts.Endpoint = host
	p.report.Facts.Port = p.port()
	p.proxyVariables()
	return p.shape(host)
}

// port is the one asked for, or the usual one of what was asked for.
func (p *run) port() int {
	switch {
	case p.Port != 0:
		return p.Port
	case p.WebSocket || p.Authorizer != "":
		return 443
	}
	return 8883
}

// notHostname says why s is no bare host name, and what it should have been, if
// that can be read from it.
func notHostname(s string) (reason, bare string) {
	trimmed := strings.TrimFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == '"' || r == '\'' || r == '\u200b' || r == '\ufeff'
	})
	if u, err := url.Parse(trimmed); err == nil && u.Host != "" && u.Scheme != "" {
		return "it is a URL: it has a scheme" + ifAny(u.Path, ", and a path"), u.Hostname()
	}
	if host, rest, found := strings.Cut(trimmed, "/"); found {
		if h, _ := notHostname(host); h == "" {
			bare = host
		}
		return "it has a path: /" + rest, bare
	}
	if _, err := netip.ParseAddr(trimmed); err == nil && trimmed == s {
		return "", ""
	}
	if host, port, found := strings.Cut(trimmed, ":"); found {
		if _, err := strconv.Atoi(port); err == nil {
			return "it has a port, which is a setting of its own", host
		}
	}
	if trimmed != s {
		if r, _ := notHostname(trimmed); r == "" {
			bare = trimmed
		}
		return "it has blanks, control characters or quotes around it", bare
	}
	for _, r := range s {
		switch {
		case r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
		case unicode.IsControl(r) || unicode.IsSpace(r) || !unicode.IsPrint(r):
			return "it has the invisible character " + strconv.QuoteRuneToASCII(r), ""
		default:
			return "it has the character " + strconv.QuoteRuneToASCII(r) + ", which no host name has", ""
		}
	}
	if len(s) > 253 {
		return "it is longer than 253 characters", ""
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 {
			return "it has an empty part, or one of more than 63 characters", ""
		}
	}
	return "", ""
}

func ifAny(s, then string) string {
	if strings.Trim(s, "/") == "" {
		return ""
	}
	return then
}

// quoteOdd shows what can't be seen.
func quoteOdd(s string) string {
	if q := strconv.QuoteToASCII(s); q != `"`+s+`"` || strings.TrimSpace(s) != s {
		return q
	}
	return s
}

// shape judges names of AWS, and those that only look like it. Any other name
// may be a custom domain or a Gatehouse.
func (p *run) shape(host string) bool {
	offered := f("offered", host)
	if m := dataEndpoint.FindStringSubmatch(host); m != nil && !strings.HasPrefix(host, "data.") {
		p.report.Facts.Region = m[3]
		p.add(check.NetEndpointShape, Pass, offered, f("region", m[3]))
		if m[2] == "" {
			p.add(check.NetEndpointLegacy, Warn, offered, f("required", strings.Replace(host, ".iot.", "-ats.iot.", 1)))
		}
		return true
	}
	if !awsLookAlike.MatchString(host) {
		p.add(check.NetEndpointShape, Pass, offered).Note = "Not a name of AWS: a custom domain or a Gatehouse."
		return true
	}
	var reason string
	required := dataEndpointIs
	switch region := regionInName.FindString(host); {
	case controlPlane.MatchString(host):
		reason = "it is the control plane, which serves the API and no devices"
		required = strings.Replace(required, "REGION", controlPlane.FindStringSubmatch(host)[1], 1)
	case otherEndpoint.MatchString(host):
		reason = "it is the endpoint of " + otherEndpoint.FindStringSubmatch(host)[1] + ", which takes no MQTT"
		required = strings.Replace(required, "REGION", region, 1)
	case !strings.Contains(host, "amazonaws.com"): // a custom name that uses AWS's form, as a Gatehouse may
		p.add(check.NetEndpointShape, Pass, offered).Note = "Not a name of AWS, but of its form."
		return true
	case region == "":
		reason = "it has no Region"
	default:
		reason = "its parts are not in the order of a data endpoint"
		required = strings.Replace(required, "REGION", region, 1)
	}
	if id := accountInName.FindStringSubmatch(host); id != nil {
		required = strings.Replace(required, "ID", id[1], 1)
	}
	p.add(check.NetEndpointShape, Fail, offered, f("required", required), f("reason", reason))
	return false
}

// proxyKeys are the variables that HTTP clients read.
var proxyKeys = []string{"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"}

// proxyVariable is the first one that is set, and its value, which may hold a password.
func (p *run) proxyVariable() (key, value string) {
	for _, key := range proxyKeys {
		if v := p.Env(key); v != "" {
			return key, v
		}
	}
	return "", ""
}

func (p *run) proxyVariables() {
	if key, _ := p.proxyVariable(); key != "" && p.Proxy == "" {
		p.add(check.NetProxySet, Warn, f("key", key))
	}
}
