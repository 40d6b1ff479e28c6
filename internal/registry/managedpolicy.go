package registry

import (
	"maps"
	"slices"
)

// Names of policies that users have.
const (
	AdministratorAccess = "AdministratorAccess" // what the root user may do: everything
	InlinePolicy        = "inline"              // a document of the user's own
)

// managedPolicies are the policies of AWS that are of use here, by AWS's names.
var managedPolicies = map[string]string{
	AdministratorAccess: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`,
	"AWSIoTFullAccess":  `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iot:*","iotjobsdata:*"],"Resource":"*"}]}`,
	"AWSIoTDataAccess": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iot:Connect","iot:Publish","iot:Subscribe","iot:Receive",` +
		`"iot:GetThingShadow","iot:UpdateThingShadow","iot:DeleteThingShadow","iot:ListNamedShadowsForThing"],"Resource":"*"}]}`,
}

// ManagedPolicy returns the document of a managed policy; ok is false when there
// is none of that name.
func ManagedPolicy(name string) (document string, ok bool) {
	document, ok = managedPolicies[name]
	return document, ok
}

// ManagedPolicies lists the names of the managed policies.
func ManagedPolicies() []string { return slices.Sorted(maps.Keys(managedPolicies)) }
