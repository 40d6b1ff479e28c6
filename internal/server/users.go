package server

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// UsersPath is where users are managed: AWS has them in IAM, which is no service
// here. GET lists them; PUT and DELETE UsersPath/NAME make, change and remove one.
const UsersPath = "/gatehouse/v1/users"

// A User is what UsersPath answers.
type User struct {
	Name            string          `json:"userName"`
	ARN             string          `json:"arn"`
	UserID          string          `json:"userId"`
	AccessKeyID     string          `json:"accessKeyId,omitempty"`
	SecretAccessKey string          `json:"secretAccessKey,omitempty"` // when the user is made, and never again
	PolicyName      string          `json:"policyName"`                // of a managed policy, or "inline"
	Policy          json.RawMessage `json:"policy"`
	CreatedAt       time.Time       `json:"createdAt"`
}

// UserPolicy is the body of a PUT: the name of a managed policy, or a document.
type UserPolicy struct {
	PolicyName string          `json:"policyName,omitempty"`
	Policy     json.RawMessage `json:"policy,omitempty"`
	Create     bool            `json:"create,omitempty"` // a new user; else another policy for one that exists
}

// credentials are the registry's access keys as SigV4 verification asks for them.
type credentials struct{ registry *registry.Registry }

// Lookup implements [api.Credentials].
func (c credentials) Lookup(ctx context.Context, accessKeyID string) (api.Credential, bool, error) {
	key, user, ok, err := c.registry.Signer(ctx, accessKeyID)
	if err != nil || !ok {
		return api.Credential{}, false, err
	}
	return api.Credential{SecretAccessKey: key.Secret, Account: c.registry.AccountID(), ARN: user.ARN, UserID: user.ID}, true, nil
}

// authorizeCaller reads what the holder of an access key may do.
func (s *Server) authorizeCaller(ctx context.Context, cred api.Credential, from netip.Addr) (api.Access, error) {
	who := identity.Principal{Kind: identity.KindUser, ID: cred.UserID, ARN: cred.ARN, AccountID: cred.Account}
	a, err := s.identity.Authorize(ctx, who, "", identity.Facts{Protocol: policy.HTTP, SourceIP: from})
	if err != nil {
		return nil, err // not a, which would be a non-nil interface
	}
	return a, nil
}

// users answers UsersPath.
func (s *Server) users(r *http.Request) (any, error) {
	name := strings.Trim(strings.TrimPrefix(r.URL.Path, UsersPath), "/")
	switch {
	case r.Method == http.MethodGet && name == "":
		return s.listUsers(r.Context())
	case r.Method == http.MethodPut && name != "":
		return s.putUser(r, name)
	case r.Method == http.MethodDelete && name != "":
		return nil, s.registry.DeleteUser(r.Context(), name)
	}
	return nil, methodNotAllowed(UsersPath + " knows GET; " + UsersPath + "/NAME knows PUT and DELETE.")
}

func (s *Server) listUsers(ctx context.Context) (any, error) {
	users, err := s.registry.Users(ctx)
	list := make([]User, len(users))
	for i, u := range users {
		list[i] = userOf(u)
	}
	return map[string]any{"users": list}, err
}

// maxUserBody bounds a PUT: a document with its white space.
const maxUserBody = 64 << 10

func (s *Server) putUser(r *http.Request, name string) (any, error) {
	var in UserPolicy
	if err := readJSON(r, maxUserBody, &in); err != nil {
		return nil, registry.Errorf(registry.InvalidRequest, "The body is no JSON object with policyName or policy, of at most %d bytes.", maxUserBody)
	}
	policyName, document := registry.InlinePolicy, string(in.Policy)
	if in.PolicyName != "" {
		var ok bool
		policyName = in.PolicyName
		if document, ok = registry.ManagedPolicy(in.PolicyName); !ok {
			return nil, registry.Errorf(registry.InvalidRequest, "There is no managed policy %s; there are %s.", in.PolicyName, strings.Join(registry.ManagedPolicies(), ", "))
		}
	}
	if !in.Create {
		u, err := s.registry.SetUserPolicy(r.Context(), name, policyName, document)
		return userOf(u), err
	}
	u, key, err := s.registry.CreateUser(r.Context(), name, policyName, document)
	made := userOf(u)
	made.SecretAccessKey = key.Secret
	return made, err
}

func userOf(u registry.User) User {
	return User{
		Name: u.Name, ARN: u.ARN, UserID: u.ID, AccessKeyID: u.AccessKeyID,
		PolicyName: u.PolicyName, Policy: json.RawMessage(u.PolicyDocument), CreatedAt: u.CreatedAt.UTC(),
	}
}
