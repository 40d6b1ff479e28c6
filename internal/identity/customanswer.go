package identity

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// Limits of an answer. Source: custom-auth sheet 7.
const (
	maxPrincipalID  = 128
	maxDocuments    = 10
	maxDocumentSize = policy.MaxSize // characters of compact JSON
	minInterval     = 300            // seconds
	maxInterval     = 86400          // seconds; also the default of both intervals

	maxQuoted = 80 // bytes of a faulty value that are shown
)

// A CustomAnswer is what an authorizer's function decided.
type CustomAnswer struct {
	IsAuthenticated bool
	PrincipalID     string
	Documents       []string // compact JSON
	DisconnectAfter time.Duration
	RefreshAfter    time.Duration
}

// An answerFault is why an answer is not valid.
type answerFault struct {
	check    *check.Check
	evidence []attempt.Field
}

func faulty(c *check.Check, path, reason string, value []byte) *answerFault {
	f := &answerFault{check: c, evidence: []attempt.Field{attempt.F("json_path", path), attempt.F("reason", reason)}}
	if value != nil {
		text := string(value)
		if len(text) > maxQuoted {
			text = strings.ToValidUTF8(text[:maxQuoted], "") + "…"
		}
		f.evidence = append(f.evidence, attempt.F("offered", text))
	}
	return f
}

// parseAnswer reads and checks the answer of an authorizer's function. With
// isAuthenticated false nothing else is looked at. principal is the principal
// of the certificate that the answer must name, for CUSTOM_AUTH_X509; else "".
// Source: custom-auth sheet 7, 12.
func parseAnswer(payload []byte, principal string) (CustomAnswer, *answerFault) {
	a := CustomAnswer{DisconnectAfter: maxInterval * time.Second, RefreshAfter: maxInterval * time.Second}
	var members map[string]json.RawMessage
	payload = bytes.TrimSpace(payload)
	switch err := json.Unmarshal(payload, &members); {
	case len(payload) == 0 || string(payload) == "null":
		return a, faulty(check.AuthorizerResponseInvalid, "$", "is null: the function returned nothing", nil)
	case err != nil:
		return a, faulty(check.AuthorizerResponseInvalid, "$", "is not a JSON object", payload)
	}
	if raw, ok := members["isAuthenticated"]; !ok {
		return a, faulty(check.AuthorizerResponseInvalid, "$.isAuthenticated", "is missing"+nearMember(members, "isAuthenticated"), nil)
	} else if json.Unmarshal(raw, &a.IsAuthenticated) != nil || string(raw) == "null" {
		return a, faulty(check.AuthorizerResponseInvalid, "$.isAuthenticated", "must be a boolean", raw)
	}
	if !a.IsAuthenticated {
		return CustomAnswer{}, nil
	}
	for _, read := range []func(map[string]json.RawMessage, string) *answerFault{a.readPrincipal, a.readDocuments, a.readIntervals} {
		if f := read(members, principal); f != nil {
			return a, f
		}
	}
	return a, nil
}

func (a *CustomAnswer) readPrincipal(members map[string]json.RawMessage, principal string) *answerFault {
	raw, ok := members["principalId"]
	if !ok || string(raw) == "null" {
		return faulty(check.AuthorizerResponseInvalid, "$.principalId", "is missing"+nearMember(members, "principalId"), nil)
	}
	if json.Unmarshal(raw, &a.PrincipalID) != nil {
		return faulty(check.AuthorizerResponseInvalid, "$.principalId", "must be a string", raw)
	}
	const path = "$.principalId"
	switch {
	case a.PrincipalID == "":
		return faulty(check.AuthorizerPrincipalInvalid, path, "that is empty", raw)
	case len(a.PrincipalID) > maxPrincipalID:
		return faulty(check.AuthorizerPrincipalInvalid, path, "of "+strconv.Itoa(utf8.RuneCountInString(a.PrincipalID))+" characters; the maximum is "+strconv.Itoa(maxPrincipalID), raw)
	}
	for _, c := range a.PrincipalID {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return faulty(check.AuthorizerPrincipalInvalid, path, "with the character "+strconv.QuoteRune(c), raw)
		}
	}
	if principal != "" && a.PrincipalID != principal {
		f := faulty(check.AuthorizerPrincipalMismatch, path, "is not the certificate's", raw)
		f.evidence = append(f.evidence, attempt.F("required", principal))
		return f
	}
	return nil
}

func (a *CustomAnswer) readDocuments(members map[string]json.RawMessage, principal string) *answerFault {
	raw, ok := members["policyDocuments"]
	var list []json.RawMessage
	switch {
	case !ok || string(raw) == "null":
		if principal != "" {
			return nil // the certificate's policies count
		}
		return faulty(check.AuthorizerResponseInvalid, "$.policyDocuments", "is missing"+nearMember(members, "policyDocuments"), nil)
	case json.Unmarshal(raw, &list) != nil:
		return faulty(check.AuthorizerResponseInvalid, "$.policyDocuments", "must be a list", raw)
	case len(list) > maxDocuments:
		return faulty(check.AuthorizerDocuments, "$.policyDocuments", fmt.Sprintf("has %d documents; the maximum is %d", len(list), maxDocuments), nil)
	}
	for i, raw := range list {
		path := fmt.Sprintf("$.policyDocuments[%d]", i)
		text := []byte(raw)
		var asString string
		if json.Unmarshal(raw, &asString) == nil && string(raw) != "null" { // older samples return strings
			text = []byte(asString)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, text); err != nil {
			return faulty(check.AuthorizerDocuments, path, "is not JSON: "+err.Error(), text)
		}
		if n := utf8.RuneCount(compact.Bytes()); n > maxDocumentSize {
			return faulty(check.AuthorizerDocuments, path, fmt.Sprintf("has %d characters; the maximum is %d", n, maxDocumentSize), nil)
		}
		if _, err := policy.Parse(compact.Bytes()); err != nil {
			return faulty(check.AuthorizerDocuments, path, "is not a valid policy: "+err.Error(), compact.Bytes())
		}
		a.Documents = append(a.Documents, compact.String())
	}
	return nil
}

func (a *CustomAnswer) readIntervals(members map[string]json.RawMessage, _ string) *answerFault {
	for _, m := range []struct {
		name string
		into *time.Duration
	}{{"disconnectAfterInSeconds", &a.DisconnectAfter}, {"refreshAfterInSeconds", &a.RefreshAfter}} {
		raw, ok := members[m.name]
		if !ok || string(raw) == "null" {
			continue
		}
		path := "$." + m.name
		var n float64
		switch err := json.Unmarshal(raw, &n); {
		case err != nil:
			return faulty(check.AuthorizerDuration, path, "must be a number", raw)
		case n != float64(int64(n)):
			return faulty(check.AuthorizerDuration, path, "must be a whole number", raw)
		case n < minInterval || n > maxInterval:
			return faulty(check.AuthorizerDuration, path, fmt.Sprintf("must be %d to %d seconds", minInterval, maxInterval), raw)
		}
		*m.into = time.Duration(n) * time.Second
	}
	return nil
}

// nearMember names a member that was probably meant to be name.
func nearMember(members map[string]json.RawMessage, name string) string {
	for _, other := range slices.Sorted(maps.Keys(members)) {
		if other != name && strings.EqualFold(other, name) {
			return "; there is " + other + ", which is another name"
		}
	}
	if _, ok := members["statusCode"]; ok {
		return "; the answer is one for API Gateway (statusCode)"
	}
	if _, ok := members["policyDocument"]; ok {
		return "; the answer is one for API Gateway (policyDocument)"
	}
	return ""
}
