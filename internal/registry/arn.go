package registry

import (
	"fmt"
	"regexp"
	"strings"
)

// An ARN names a resource of AWS: arn:{partition}:{service}:{region}:{account}:{resource}.
type ARN struct {
	Partition, Service, Region, Account string
	Resource                            string // everything after the fifth colon, unescaped; may hold colons
}

// ParseARN splits s; ok is false when it has fewer than six parts or does not begin with arn.
// Source: API sheet 6.
func ParseARN(s string) (a ARN, ok bool) {
	f := strings.SplitN(s, ":", 6)
	if len(f) != 6 || f[0] != "arn" || f[5] == "" {
		return ARN{}, false
	}
	return ARN{Partition: f[1], Service: f[2], Region: f[3], Account: f[4], Resource: f[5]}, true
}

func (a ARN) String() string {
	return strings.Join([]string{"arn", a.Partition, a.Service, a.Region, a.Account, a.Resource}, ":")
}

// Type returns the resource's type and name: "thing" and "a/b" of "thing/a/b".
func (a ARN) Type() (resourceType, name string) {
	resourceType, name, _ = strings.Cut(a.Resource, "/")
	return resourceType, name
}

// ARN names a resource of this registry's account and region, such as
// ARN("thing", "sensor-1").
func (r *Registry) ARN(resourceType, name string) string {
	return "arn:" + r.partition + ":iot:" + r.region + ":" + r.account + ":" + resourceType + "/" + name
}

// PartitionOf returns the AWS partition of a Region: aws, aws-cn or aws-us-gov.
func PartitionOf(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// localARN parses the ARN of a resource of AWS IoT in this account and region,
// and refuses everything else with a sentence that says what differs.
func (r *Registry) localARN(s string) (resourceType, name string, err error) {
	a, ok := ParseARN(s)
	if !ok {
		return "", "", Errorf(InvalidRequest, "%q is not an ARN: it needs the form arn:%s:iot:%s:%s:type/name.", s, r.partition, r.region, r.account)
	}
	for _, part := range []struct{ what, got, want string }{
		{"partition", a.Partition, r.partition},
		{"service", a.Service, "iot"},
		{"region", a.Region, r.region},
		{"account", a.Account, r.account},
	} {
		if part.got != part.want {
			return "", "", Errorf(InvalidRequest, "The ARN %s names the %s %q; this endpoint serves %q.", s, part.what, part.got, part.want)
		}
	}
	resourceType, name = a.Type()
	if name == "" {
		return "", "", Errorf(InvalidRequest, "The ARN %s names no resource after %q.", s, a.Resource)
	}
	return resourceType, name, nil
}

// A TargetType is a kind of thing that policies attach to, and that things have
// as principals (not groups).
type TargetType string

// Targets. Things, thing types and billing groups are none. Source: policy sheet 1.
const (
	TargetCertificate TargetType = "cert"
	TargetThingGroup  TargetType = "thinggroup"
	TargetIdentity    TargetType = "identity" // Amazon Cognito
)

// A Target is who has a policy, or who is a thing's principal.
type Target struct {
	Type TargetType
	Name string // certificate ID, group name, or identity ID
}

var (
	identityPattern      = regexp.MustCompile(`^[\w-]+:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	certificateIDPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// ParseTarget reads the target of a policy: the ARN of a certificate or of a
// thing group of this account and region, or an Amazon Cognito identity ID. It
// does not look whether the target exists.
func (r *Registry) ParseTarget(s string) (Target, error) {
	if identityPattern.MatchString(s) {
		return Target{TargetIdentity, s}, nil
	}
	resourceType, name, err := r.localARN(s)
	if err != nil {
		return Target{}, err
	}
	switch resourceType {
	case "cert":
		if !certificateIDPattern.MatchString(name) {
			return Target{}, Errorf(InvalidRequest, "The ARN %s holds no certificate ID: that is 64 digits of lower-case hex.", s)
		}
		return Target{TargetCertificate, name}, nil
	case "thinggroup":
		return Target{TargetThingGroup, name}, nil
	}
	return Target{}, Errorf(InvalidRequest, "The ARN %s is of the type %q; a policy attaches to a certificate, a thing group or an Amazon Cognito identity.", s, resourceType)
}

// ParsePrincipal reads the principal of a thing: the ARN of a certificate of
// this account and region, or an Amazon Cognito identity ID.
func (r *Registry) ParsePrincipal(s string) (Target, error) {
	if a, ok := ParseARN(s); ok {
		if resourceType, _ := a.Type(); resourceType != string(TargetCertificate) {
			// AWS's words; what follows says why.
			return Target{}, Errorf(InvalidRequest, "The given ARN does not represent a cert: %s is of the type %q.", s, resourceType)
		}
	}
	return r.ParseTarget(s)
}

// TargetARN writes t as the API does: an ARN, or the bare identity ID.
func (r *Registry) TargetARN(t Target) string {
	if t.Type == TargetIdentity {
		return t.Name
	}
	return r.ARN(string(t.Type), t.Name)
}

func (t Target) String() string { return fmt.Sprintf("%s %s", t.Type, t.Name) }
