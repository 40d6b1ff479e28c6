package registry

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// Limits of the attributes of things and of thing groups. AWS's limit of 47 KB
// for all attributes of a thing can't be reached with these.
// Source: AWS IoT Core quotas, "Thing resource limits", and the API model (AttributeName, AttributeValue).
const (
	maxAttributesUntyped = 3   // of a thing without a thing type
	maxAttributesTyped   = 50  // of a thing with one, and of a group
	maxName              = 128 // of a thing, thing type or thing group
	maxAttributeName     = 128
	maxAttributeValue    = 800
)

var (
	namePattern           = regexp.MustCompile(`^[a-zA-Z0-9:_-]+$`)
	attributeNamePattern  = regexp.MustCompile(`^[a-zA-Z0-9_.,@/:#-]+$`)
	attributeValuePattern = regexp.MustCompile(`^[a-zA-Z0-9_.,@/:#=\[\]-]*$`)
)

// Names and attribute values hold no byte above 'z' and none below '#', which
// makes a filter a range of strings: what starts with p is at least p and
// below p+afterAny, what equals v is at least v and below v+beforeAny.
const (
	afterAny  = "~"
	beforeAny = "!"
)

// checkName refuses a name that a thing, thing type or thing group can't have.
func checkName(what, name string) error {
	if len(name) > maxName || !namePattern.MatchString(name) {
		return Errorf(InvalidRequest, "The %s name %q is not valid: it needs 1 to 128 of the characters a-z, A-Z, 0-9, colon, underscore and hyphen.", what, name)
	}
	return nil
}

// An AttributeUpdate changes attributes. A nil Set changes nothing; a value
// that is empty removes the attribute.
type AttributeUpdate struct {
	Set   map[string]string
	Merge bool // keep the attributes that Set does not name
}

// apply returns what old becomes.
func (u AttributeUpdate) apply(old map[string]string) map[string]string {
	if u.Set == nil {
		return old
	}
	attrs := map[string]string{}
	if u.Merge {
		maps.Copy(attrs, old)
	}
	for name, value := range u.Set {
		if value == "" {
			delete(attrs, name)
		} else {
			attrs[name] = value
		}
	}
	return attrs
}

// checkAttributes refuses attributes that break a limit. owner is put into the
// message, such as "thing sensor-1".
func checkAttributes(owner string, attrs map[string]string, most int) error {
	if len(attrs) > most {
		hint := ""
		if most == maxAttributesUntyped {
			hint = fmt.Sprintf(" A thing with a thing type can have %d.", maxAttributesTyped)
		}
		return Errorf(InvalidRequest, "The %s would have %d attributes; the maximum is %d.%s", owner, len(attrs), most, hint)
	}
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		value := attrs[name]
		switch {
		case len(name) > maxAttributeName || !attributeNamePattern.MatchString(name):
			return Errorf(InvalidRequest, "The attribute name %q of the %s is not valid: it needs 1 to %d of the characters a-z, A-Z, 0-9 and _.,@/:#-", name, owner, maxAttributeName)
		case len(value) > maxAttributeValue || !attributeValuePattern.MatchString(value):
			return Errorf(InvalidRequest, "The value of the attribute %s of the %s is not valid: it may have up to %d of the characters a-z, A-Z, 0-9 and _.,@/:#=[]-", name, owner, maxAttributeValue)
		}
	}
	return nil
}

// encodeAttributes is the column attributes of a row.
func encodeAttributes(attrs map[string]string) string {
	if len(attrs) == 0 {
		return "{}"
	}
	b, _ := json.Marshal(attrs) // strings never fail
	return string(b)
}

// decodeAttributes undoes [encodeAttributes]; the map is never nil.
func decodeAttributes(owner, column string) (map[string]string, error) {
	attrs := map[string]string{}
	if err := json.Unmarshal([]byte(column), &attrs); err != nil {
		return nil, fmt.Errorf("read attributes of %s: %w", owner, err)
	}
	return attrs, nil
}
