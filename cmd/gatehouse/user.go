package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"text/tabwriter"

	"github.com/gatehouse-iot/gatehouse/internal/registry"
	"github.com/gatehouse-iot/gatehouse/internal/server"
)

// userCmd manages who may sign requests beside the first access key.
type userCmd struct {
	Add    userAddCmd    `cmd:"" help:"Make a user with an access key, governed by an IAM policy."`
	List   userListCmd   `cmd:"" help:"List the users, their keys and policies."`
	Policy userPolicyCmd `cmd:"" help:"Give a user another policy; open connections follow at once."`
	Remove userRemoveCmd `cmd:"" help:"Remove a user with its access key, and close its connections."`
}

// Help is the example that `gatehouse user --help` ends with.
func (c *userCmd) Help() string {
	return `Examples:

  gatehouse user add web-app --policy AWSIoTDataAccess
  gatehouse user add ci --policy ci-policy.json
  gatehouse user list`
}

// policyFlag names the policy of a user.
type policyFlag struct {
	Policy string `help:"File with an IAM policy document, or a managed policy: AdministratorAccess, AWSIoTFullAccess, AWSIoTDataAccess." required:"" placeholder:"FILE|NAME"`
}

// body is the policy as the server takes it.
func (f *policyFlag) body(create bool) ([]byte, error) {
	in := server.UserPolicy{Create: create}
	if _, managed := registry.ManagedPolicy(f.Policy); managed {
		in.PolicyName = f.Policy
		return json.Marshal(in)
	}
	document, err := os.ReadFile(f.Policy)
	if err != nil {
		return nil, withHint(fmt.Errorf("policy: %w", err), "give a file, or one of %v", registry.ManagedPolicies())
	}
	if !json.Valid(document) {
		return nil, withHint(fmt.Errorf("policy: %s is not JSON", f.Policy), "gatehouse policy check %s", shellQuote(f.Policy))
	}
	in.Policy = document
	return json.Marshal(in)
}

type userAddCmd struct {
	serverFlags
	policyFlag
	Name string `arg:"" help:"User name: 1 to 64 letters, digits and +=,.@_-"`
}

// Help says what becomes of the key.
func (c *userAddCmd) Help() string {
	return `Example:

  gatehouse user add web-app --policy AWSIoTDataAccess

The secret access key is printed this once. Give it to clients as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.`
}

func (c *userAddCmd) Run(a *app) error {
	user, err := c.put(a, c.Name, &c.policyFlag, true)
	if err != nil {
		return err
	}
	if a.Output == "json" {
		return json.NewEncoder(a.Stdout).Encode(user)
	}
	fmt.Fprintf(a.Stderr, "User %s with the policy %s. The secret is shown this once:\n", user.ARN, user.PolicyName)
	fmt.Fprintf(a.Stdout, "export AWS_ACCESS_KEY_ID=%s\nexport AWS_SECRET_ACCESS_KEY=%s\n", shellQuote(user.AccessKeyID), shellQuote(user.SecretAccessKey))
	return nil
}

type userPolicyCmd struct {
	serverFlags
	policyFlag
	Name string `arg:"" help:"User name."`
}

// Help is the example that `gatehouse user policy --help` ends with.
func (c *userPolicyCmd) Help() string {
	return `Example:

  gatehouse user policy ci --policy ci-policy.json`
}

func (c *userPolicyCmd) Run(a *app) error {
	user, err := c.put(a, c.Name, &c.policyFlag, false)
	if err != nil {
		return err
	}
	if a.Output == "json" {
		return json.NewEncoder(a.Stdout).Encode(user)
	}
	fmt.Fprintf(a.Stdout, "%s has the policy %s.\n", user.ARN, user.PolicyName)
	return nil
}

// put makes or changes a user.
func (f *serverFlags) put(a *app, name string, policy *policyFlag, create bool) (user server.User, err error) {
	body, err := policy.body(create)
	if err != nil {
		return user, err
	}
	gw, err := f.connect(a.Ctx)
	if err != nil {
		return user, err
	}
	raw, err := gw.do(a.Ctx, http.MethodPut, server.UsersPath+"/"+url.PathEscape(name), body)
	if err != nil {
		return user, userFailure(err)
	}
	return user, json.Unmarshal(raw, &user)
}

type userListCmd struct{ serverFlags }

// Help is the example that `gatehouse user list --help` ends with.
func (c *userListCmd) Help() string {
	return `Examples:

  gatehouse user list
  gatehouse user list -o json`
}

func (c *userListCmd) Run(a *app) error {
	gw, err := c.connect(a.Ctx)
	if err != nil {
		return err
	}
	raw, err := gw.Get(a.Ctx, server.UsersPath)
	if err != nil {
		return userFailure(err)
	}
	var list struct {
		Users []server.User `json:"users"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	if a.Output == "json" {
		return json.NewEncoder(a.Stdout).Encode(list)
	}
	if len(list.Users) == 0 {
		fmt.Fprintln(a.Stderr, "No users; the first access key acts as the account's root user.")
		return nil
	}
	w := tabwriter.NewWriter(a.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tACCESS KEY\tPOLICY\tCREATED")
	for _, u := range list.Users {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", u.Name, u.AccessKeyID, u.PolicyName, u.CreatedAt.Local().Format("2006-01-02 15:04"))
	}
	return w.Flush()
}

type userRemoveCmd struct {
	serverFlags
	Name string `arg:"" help:"User name."`
}

// Help is the example that `gatehouse user remove --help` ends with.
func (c *userRemoveCmd) Help() string {
	return `Example:

  gatehouse user remove ci`
}

func (c *userRemoveCmd) Run(a *app) error {
	gw, err := c.connect(a.Ctx)
	if err != nil {
		return err
	}
	if _, err := gw.do(a.Ctx, http.MethodDelete, server.UsersPath+"/"+url.PathEscape(c.Name), nil); err != nil {
		return userFailure(err)
	}
	if a.Output == "json" {
		return json.NewEncoder(a.Stdout).Encode(map[string]string{"removed": c.Name})
	}
	fmt.Fprintf(a.Stdout, "User %s is removed; its access key is gone and its connections are closed.\n", c.Name)
	return nil
}

// userFailure adds the next step to a refusal.
func userFailure(err error) error {
	if refused, ok := errors.AsType[*apiError](err); ok {
		switch refused.Code {
		case string(registry.ResourceNotFound), string(registry.ResourceAlreadyExists):
			return withHint(err, "gatehouse user list")
		case string(registry.MalformedPolicy):
			return withHint(err, "gatehouse policy check FILE shows the place")
		}
	}
	return err
}
