package identity

import (
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/registry"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// A document is a parsed policy document, shared by everyone it applies to.
type document struct {
	id          uint64 // unique among documents
	doc         *policy.Document
	certificate bool // it asks for the certificate's subject, issuer or names
}

// A set is a compiled combination of policies, shared by everyone who has it.
type set struct {
	compiled    *policy.Set
	certificate bool // a document asks for the certificate's subject, issuer or names
}

// compile returns the compiled form of effective policies. Combinations are
// shared by name, version and text, so that a fleet with one policy holds it
// once. A document that cannot be parsed is an error of the registry, which
// took it; nothing is allowed then.
func (s *Service) compile(effective []registry.EffectivePolicy) (*set, error) {
	docs := make([]*document, len(effective))
	var key strings.Builder
	for i, e := range effective {
		d, err := s.document(e)
		if err != nil {
			return nil, err
		}
		docs[i] = d
		key.WriteString(e.Name)
		key.WriteByte(0)
		key.WriteString(e.Version)
		key.WriteByte(0)
		key.WriteString(sourceOf(e.AttachedTo))
		key.WriteByte(0)
		key.WriteString(strconv.FormatUint(d.id, 36))
		key.WriteByte(0)
	}
	if found, ok := s.sets.get(key.String()); ok {
		return found, nil
	}
	made := &set{}
	named := make([]policy.Named, len(effective))
	for i, e := range effective {
		named[i] = policy.Named{Name: e.Name, Version: e.Version, ARN: e.ARN, Source: sourceOf(e.AttachedTo), Doc: docs[i].doc}
		made.certificate = made.certificate || docs[i].certificate
	}
	made.compiled = policy.Compile(named...)
	s.sets.put(key.String(), made, nil)
	return made, nil
}

// document returns the parsed form of a policy's text. The text is the key, not
// name and version: a policy that was deleted and made again begins anew at 1.
func (s *Service) document(e registry.EffectivePolicy) (*document, error) {
	if d, ok := s.documents.get(e.Document); ok {
		return d, nil
	}
	doc, err := policy.Parse([]byte(e.Document))
	if err != nil {
		return nil, &DocumentError{Policy: e.Name, Version: e.Version, Err: err}
	}
	d := &document{id: s.documentID.Add(1), doc: doc, certificate: asksForCertificate(doc)}
	s.documents.put(e.Document, d, nil)
	return d, nil
}

// A DocumentError is a policy in the registry that cannot be parsed.
type DocumentError struct {
	Policy, Version string
	Err             error
}

func (e *DocumentError) Error() string {
	return "policy " + e.Policy + " version " + e.Version + ": " + e.Err.Error()
}

func (e *DocumentError) Unwrap() error { return e.Err }

// sourceOf says why a policy applies, in the policy engine's words.
func sourceOf(t registry.Target) string {
	switch t.Type {
	case registry.TargetThingGroup:
		return policy.SourceGroup + t.Name
	case targetAuthorizer:
		return policy.SourceAuthorizer
	case registry.TargetIdentity:
		return policy.SourceCognito
	case targetUser:
		return policy.SourceUser
	default:
		return policy.SourceCertificate
	}
}

// targetAuthorizer marks documents that an authorizer returned.
const targetAuthorizer registry.TargetType = "authorizer"

// returnedName is how people know a document that an authorizer returned.
func returnedName(authorizer string, index int) string {
	return "returned by " + authorizer + " (policyDocuments[" + strconv.Itoa(index) + "])"
}

// asksForCertificate tells whether doc uses facts of the certificate beyond its
// ID: only then must the certificate be read and parsed to answer.
func asksForCertificate(doc *policy.Document) bool {
	asks := func(s string) bool { return strings.Contains(strings.ToLower(s), "iot:certificate.") }
	for _, st := range doc.Statements {
		if slices.ContainsFunc(st.Resources, asks) {
			return true
		}
		for _, c := range st.Conditions {
			if asks(c.Key) || slices.ContainsFunc(c.Values, asks) {
				return true
			}
		}
	}
	return false
}
