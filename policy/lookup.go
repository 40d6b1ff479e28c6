package policy

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Causes of a variable without value.
const (
	CauseNoClientIDOverHTTP  Cause = "no_client_id_over_http"
	CauseNoClientID          Cause = "no_client_id"
	CauseNoThingOverHTTP     Cause = "no_thing_over_http"
	CauseClientIDIsNoThing   Cause = "client_id_is_not_a_thing"
	CauseNotAttached         Cause = "thing_not_attached"
	CauseNameDiffers         Cause = "client_id_is_not_the_thing_name"
	CauseAttributeMissing    Cause = "attribute_missing"
	CauseNoThingType         Cause = "thing_has_no_type"
	CauseNoCertificate       Cause = "no_certificate"
	CauseCertificateLacks    Cause = "certificate_lacks_attribute"
	CauseIndexOutOfRange     Cause = "index_out_of_range"
	CauseMultiValued         Cause = "multi_valued"
	CauseTooLong             Cause = "value_too_long"
	CauseWildcards           Cause = "value_contains_wildcards"
	CauseUnknownVariable     Cause = "unknown_variable"
	CauseLegacyThing         Cause = "legacy_thing_variable"
	CausePlainTextVersion    Cause = "version_2008"
	CauseOtherAction         Cause = "not_for_this_action"
	CauseUnknownFact         Cause = "not_known"
	CauseThroughVPC          Cause = "through_vpc_endpoint"
	CauseNotThroughVPC       Cause = "not_through_vpc_endpoint"
	CauseInvalidUTF8         Cause = "value_is_not_utf8"
	maxCertificateValues           = 5
	maxCertificateValueChars       = 1024
	certificateWildcards           = "*$+?#"
)

// A fact is what is known about a key: present with values, or absent with the cause.
type fact struct {
	one     string   // the value of a key that has one
	many    []string // the values of a key that has several by nature
	present bool
	cause   Cause
}

func known(value string) fact        { return fact{one: value, present: true} }
func knownList(values []string) fact { return fact{many: values, present: true} }
func absent(why Cause) fact          { return fact{cause: why} }

// values returns the values of k, of which f is the fact.
func (f *fact) values(k key) []string {
	switch {
	case !f.present:
		return nil
	case k.multi():
		return f.many
	}
	return []string{f.one}
}

func knownIf(value string, why Cause) fact {
	if value == "" {
		return absent(why)
	}
	return known(value)
}

func boolFact(b *bool, why Cause) fact {
	if b == nil {
		return absent(why)
	}
	return known(strconv.FormatBool(*b))
}

func addrFact(a netip.Addr, why Cause) fact {
	if !a.IsValid() {
		return absent(why)
	}
	return known(a.Unmap().WithZone("").String())
}

// lookup finds the value of k for a request of action. Source: policy sheet 7 and 9.4.
func (c *Context) lookup(k key, action Action) fact {
	switch k.kind {
	case keyClientID:
		if !c.hasConnection() {
			return absent(CauseNoClientIDOverHTTP)
		}
		return knownIf(c.ClientID, CauseNoClientID)
	case keyDomainName:
		return knownIf(c.DomainName, CauseUnknownFact)
	case keyCertificateID:
		if c.Certificate == nil {
			return absent(CauseNoCertificate)
		}
		return knownIf(c.Certificate.ID, CauseUnknownFact)
	case keyCognito:
		return knownIf(c.CognitoID, CauseUnknownFact)
	case keyThingName, keyThingType, keyThingAttribute, keyThingAttached:
		return c.thingFact(k)
	case keySubject, keyIssuer, keySubjectAlt, keyIssuerAlt, keySerialNumber, keyAvailableKeys:
		return c.Certificate.fact(k)
	case keyConnectAttributes:
		switch {
		case action != Connect:
			return absent(CauseOtherAction)
		case c.ConnectAttributes == nil:
			return absent(CauseUnknownFact)
		}
		return knownList(c.ConnectAttributes)
	case keyLastWillTopic:
		switch {
		case action != Connect:
			return absent(CauseOtherAction)
		case c.LastWillTopic == "":
			return absent(CauseUnknownFact)
		case strings.HasPrefix(c.LastWillTopic, "arn:"):
			return known(c.LastWillTopic)
		}
		return known(c.arn("topic/" + c.LastWillTopic))
	case keySourceIP:
		if c.overVPC() {
			return absent(CauseThroughVPC)
		}
		return addrFact(c.SourceIP, CauseUnknownFact)
	case keySourceVPC:
		return knownIf(c.SourceVPC, CauseNotThroughVPC)
	case keySourceVPCE:
		return knownIf(c.SourceVPCE, CauseNotThroughVPC)
	case keyVPCSourceIP:
		return addrFact(c.VPCSourceIP, CauseNotThroughVPC)
	case keyTopic:
		if action != SendDirectMessage {
			return absent(CauseOtherAction)
		}
		return knownIf(c.Topic, CauseUnknownFact)
	case keySocketInformation:
		if action != GetConnection {
			return absent(CauseOtherAction)
		}
		return boolFact(c.IncludeSocketInformation, CauseUnknownFact)
	case keyCurrentTime, keyEpochTime, keySecureTransport:
		return c.globalFact(k)
	case keyLegacyThing:
		return absent(CauseLegacyThing)
	default:
		return absent(CauseUnknownVariable)
	}
}

func (c *Context) globalFact(k key) fact {
	switch {
	case !globalKeys:
		return absent(CauseUnknownVariable)
	case k.kind == keySecureTransport:
		return boolFact(c.SecureTransport, CauseUnknownFact)
	case c.Now == nil:
		return absent(CauseUnknownFact)
	case k.kind == keyEpochTime:
		return known(strconv.FormatInt(c.Now().Unix(), 10))
	}
	return known(c.Now().UTC().Format(time.RFC3339))
}

// thingFact resolves the variables of policy sheet 7.2.
func (c *Context) thingFact(k key) fact {
	if c.Protocol == HTTP {
		return absent(CauseNoThingOverHTTP)
	}
	t := c.ConnectionThing()
	switch {
	case k.kind == keyThingAttached:
		if c.Thing == nil && c.ClientID == "" {
			return absent(CauseNoClientID)
		}
		return known(strconv.FormatBool(t != nil))
	case t == nil:
		return absent(c.noThing())
	case k.kind == keyThingName:
		return known(t.Name)
	case k.kind == keyThingType:
		return knownIf(t.Type, CauseNoThingType)
	}
	value, ok := t.Attributes[k.attr]
	if !ok {
		return absent(CauseAttributeMissing)
	}
	return known(value)
}

// noThing says why the connection belongs to no thing.
func (c *Context) noThing() Cause {
	switch {
	case c.Thing == nil && c.ClientID == "":
		return CauseNoClientID
	case c.Thing == nil || c.Thing.Name == "":
		return CauseClientIDIsNoThing
	case !c.Thing.Attached:
		return CauseNotAttached
	}
	return CauseNameDiffers
}

// arn returns the ARN of a resource of the requested Region and account.
func (c *Context) arn(resource string) string {
	partition := c.Partition
	if partition == "" {
		partition = defaultPartition
	}
	return "arn:" + partition + ":iot:" + c.Region + ":" + c.Account + ":" + resource
}

const defaultPartition = "aws"

// text returns the text that stands for variable k, or the cause why there is
// none. literal reports that AWS leaves the text ${...} in place, which is what
// it does with unsuitable values of certificates. Source: policy sheet 7.3, 7.6.
func (c *Context) text(k key, action Action) (value string, why Cause, literal bool) {
	f := c.lookup(k, action)
	switch {
	case !f.present:
		return "", f.cause, false
	case k.multi():
		return "", CauseMultiValued, false
	}
	value = f.one
	switch k.kind {
	case keySubject, keyIssuer, keySubjectAlt, keyIssuerAlt:
		raw := c.Certificate.raw(k)
		if utf8.RuneCountInString(raw) > maxCertificateValueChars {
			return "", CauseTooLong, true
		}
		if strings.ContainsAny(raw, certificateWildcards) {
			return "", CauseWildcards, true
		}
	default: // other values are inserted as they are
	}
	if !utf8.ValidString(value) {
		return "", CauseInvalidUTF8, false
	}
	return value, "", false
}
