package api

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/gatehouse-iot/gatehouse/policy"
)

// An Access says what a caller may do. [identity.Authorization] is one.
type Access interface {
	// DecideARN decides an action, such as iot:CreateThing, on an ARN or "*".
	DecideARN(action policy.Action, resource string) policy.Effect
}

// actionPrefixes are the prefixes of the actions of a service, where it is not
// the name of its credential scope.
var actionPrefixes = map[string]string{
	"iotdata": "iot", "iot-jobs-data": "iotjobsdata", "monitoring": "cloudwatch",
}

// actionNames are the actions whose names are not those of their operations.
// Source: AWS service authorization reference.
var actionNames = map[string]string{
	"lambda:Invoke": "lambda:InvokeFunction", "lambda:InvokeAsync": "lambda:InvokeFunction",
}

// decidedByHandler are operations whose handlers ask for themselves, at the place
// among their checks where AWS asks.
var decidedByHandler = map[string]bool{"iotdata:Publish": true}

// authorize asks whether the caller may do op on what in names. Every resource
// that the request names must be allowed.
func (x *exchange) authorize(op *OperationInfo, in any) *Error {
	if x.caller.Access == nil || decidedByHandler[x.operation] || x.to.name == "sts" { // GetCallerIdentity needs no permission: AWS STS API reference
		return nil
	}
	prefix := x.to.name
	if p := actionPrefixes[prefix]; p != "" {
		prefix = p
	}
	action := prefix + ":" + op.Name
	if a := actionNames[action]; a != "" {
		action = a
	}
	return x.allow(action, x.resources(op, in))
}

// allow refuses what the caller may not do, in AWS's words.
func (x *exchange) allow(action string, resources []string) *Error {
	for _, resource := range resources {
		effect := x.caller.Access.DecideARN(policy.Action(action), resource)
		if effect == policy.Allow {
			continue
		}
		x.denied = Denial{action, resource}
		if x.to.style == styleData {
			return Errorf("ForbiddenException", http.StatusForbidden, "Forbidden")
		}
		why := "because no identity-based policy allows the " + action + " action"
		if effect == policy.ExplicitDeny {
			why = "with an explicit deny in an identity-based policy"
		}
		code := "AccessDeniedException"
		if x.to.style == styleXML {
			code = "AccessDenied"
		}
		return Errorf(code, http.StatusForbidden, "User: %s is not authorized to perform: %s on resource: %s %s", x.caller.ARN, action, resource, why)
	}
	return nil
}

// A Denial is an action on a resource that a caller may not do.
type Denial struct{ Action, Resource string }

// resourceForms are the members of requests that name a resource, with the form
// of its ARN after the account. Source: api sheet 6; AWS service authorization reference.
var resourceForms = map[string]map[string]string{
	"iot": {
		"thingName": "thing/", "thingGroupName": "thinggroup/", "thingTypeName": "thingtype/", "billingGroupName": "billinggroup/",
		"policyName": "policy/", "certificateId": "cert/", "caCertificateId": "cacert/", "authorizerName": "authorizer/",
		"domainConfigurationName": "domainconfiguration/", "roleAlias": "rolealias/", "templateName": "provisioningtemplate/",
		"jobId": "job/", "jobTemplateId": "jobtemplate/", "ruleName": "rule/", "streamId": "stream/",
		"clientId": "client/", "topic": "topic/",
	},
	"lambda": {"FunctionName": "function:"},
	"logs":   {"logGroupName": "log-group:"},
}

// resources lists the ARNs that a request is about, or "*". A member counts when
// the operation requires it, such as a label of the path; where none is required,
// the optional ones count, unless it is a list and they filter it. The name of
// what a policy or a principal is attached to is an ARN already, and goes first.
func (x *exchange) resources(op *OperationInfo, in any) []string {
	service := x.to.name
	if p := actionPrefixes[service]; p == "iot" || p == "iotjobsdata" {
		service = "iot"
	}
	forms := resourceForms[service]
	var arns, required, optional []string
	v := reflect.Indirect(reflect.ValueOf(in))
	if op.Input == nil || v.Kind() != reflect.Struct {
		return []string{"*"}
	}
	for i := range op.Input.Members {
		m := &op.Input.Members[i]
		f := v.Field(i)
		if f.Kind() == reflect.Pointer {
			if f.IsNil() {
				continue
			}
			f = f.Elem()
		}
		if f.Kind() != reflect.String || f.Len() == 0 {
			continue
		}
		name := f.String()
		switch form, known := forms[m.Name]; {
		case strings.HasPrefix(name, "arn:") && (known || m.Name == "target" || m.Name == "resourceArn") && m.Required:
			arns = append(arns, name)
		case known && m.Required:
			required = append(required, x.arn(service, form+name))
		case known:
			optional = append(optional, x.arn(service, form+name))
		}
	}
	switch {
	case len(arns) > 0:
		return arns
	case len(required) > 0:
		return required
	case len(optional) > 0 && !strings.HasPrefix(op.Name, "List") && !strings.HasPrefix(op.Name, "Search"):
		return optional
	}
	return []string{"*"}
}

func (x *exchange) arn(service, resource string) string {
	partition, _, _ := strings.Cut(strings.TrimPrefix(x.caller.ARN, "arn:"), ":")
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", partition, service, x.s.cfg.Region, x.caller.Account, resource)
}
