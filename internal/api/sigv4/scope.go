package sigv4

import (
	"slices"
	"strings"
)

// CheckScope refuses a signature whose credential scope names another Region, or
// none of the services, of which the first is the usual one.
func (s *Signature) CheckScope(region string, services ...string) *Failure {
	if !slices.Contains(services, s.Service) {
		return fail(WrongService, "Credential should be scoped to correct service: '%s'.", services[0])
	}
	if s.Region != region {
		return fail(WrongRegion, "Credential should be scoped to a valid region, not '%s'.", clip(s.Region))
	}
	return nil
}

// CheckToken refuses a session token: no key here is a temporary one.
func (s *Signature) CheckToken() *Failure {
	if s.SessionToken == "" {
		return nil
	}
	return fail(SessionToken, "The security token included in the request is invalid. Gatehouse issues no temporary credentials yet: sign without a session token.")
}

// A Difference is the part of a request in which the client signed something
// else than what arrived.
type Difference string

// Differences that can be told: with this part changed, the signature is right.
const (
	DiffersUnknown Difference = "the secret access key, or a part of the request that was changed on the way"
	DiffersHost    Difference = "host"
	DiffersPath    Difference = "path"
	DiffersPayload Difference = "payload hash"
	DiffersQuery   Difference = "query string"
)

// differs finds the step of the signature in which client and server part: it
// changes one part of the canonical request at a time, as clients get it wrong,
// until the signature is right. signed is what the client seems to have signed.
func (v *Verifier) differs(s *Signature, secret string, body []byte) (part Difference, signed string) {
	try := func(change func(*Signature)) bool {
		other := *s
		other.request.Header = s.request.Header.Clone()
		change(&other)
		_, f := v.verify(&other, secret, body, true)
		return f == nil
	}
	host := s.request.Host
	name, _, hasPort := strings.Cut(host, ":")
	hosts := []string{name + ":443", name + ":8443", strings.ToLower(name)}
	if hasPort {
		hosts = slices.Insert(hosts, 0, name)
	}
	for _, h := range hosts {
		if h != host && try(func(o *Signature) { o.request.Host = h }) {
			return DiffersHost, h
		}
	}
	for _, p := range []string{"/mqtt", "/", strings.TrimSuffix(s.request.RawPath, "/"), s.request.RawPath + "/"} {
		if p != s.request.RawPath && try(func(o *Signature) { o.request.RawPath = p }) {
			return DiffersPath, p
		}
	}
	for _, p := range []string{unsignedPayload, emptyPayload} {
		if try(func(o *Signature) { o.payload = p }) {
			return DiffersPayload, p
		}
	}
	if s.request.RawQuery != "" && try(func(o *Signature) { o.request.RawQuery = "" }) {
		return DiffersQuery, "none"
	}
	return DiffersUnknown, ""
}
