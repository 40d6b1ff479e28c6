package registry

import (
	"context"
	"regexp"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// Limits of users. Source: AWS IAM, "IAM and AWS STS quotas".
const maxUsers = 5000

var userNameForm = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)

// A User is who an access key acts as, governed by one policy of IAM's kind. The
// root user may do everything; it has neither a row nor a policy that can change.
type User struct {
	Name           string // "root" for the root user
	ID             string // AIDA and 17 letters or digits; the account ID for the root user
	ARN            string // arn:aws:iam::{account}:user/{name}
	PolicyName     string // of a managed policy, or InlinePolicy
	PolicyDocument string
	AccessKeyID    string // of its key; empty where nobody asked
	CreatedAt      time.Time
}

// rootUser is the name of the user that the first access key acts as.
const rootUser = "root"

// CreateUser makes a user with an access key, whose secret is told this once. It
// refuses with
//
//   - InvalidRequest: a name that IAM would not take
//   - ResourceAlreadyExists
//   - MalformedPolicy: with the place and the cause of the first error
//   - LimitExceeded: 5,000 users
func (r *Registry) CreateUser(ctx context.Context, name, policyName, document string) (User, AccessKey, error) {
	if !userNameForm.MatchString(name) || name == rootUser {
		return User{}, AccessKey{}, Errorf(InvalidRequest, "%q can't be a user name: use 1 to 64 letters, digits and +=,.@_-, and not %q.", name, rootUser)
	}
	if malformed := checkDocument(document); malformed != nil {
		return User{}, AccessKey{}, malformed
	}
	key := newAccessKey(name)
	var made User
	err := r.write(ctx, func(t *tx) error {
		n, err := t.CountUsers(ctx)
		if err != nil {
			return err
		}
		if n >= maxUsers {
			return Errorf(LimitExceeded, "There are %d users; the limit is %d.", n, maxUsers)
		}
		row := registrydb.User{
			UserName: name, UserID: "AIDA" + randomString(17, keyAlphabet),
			PolicyName: policyName, PolicyDocument: document, CreatedAt: t.now,
		}
		err = t.InsertUser(ctx, registrydb.InsertUserParams(row))
		if store.IsUnique(err) {
			return Errorf(ResourceAlreadyExists, "There is a user named %s already.", name).About(name, r.userARN(name))
		}
		if err != nil {
			return err
		}
		made = r.user(row)
		made.AccessKeyID = key.ID
		return t.insertAccessKey(ctx, key)
	})
	return made, key, err
}

// SetUserPolicy gives a user another policy; live connections follow at once. It
// refuses with MalformedPolicy and ResourceNotFound.
func (r *Registry) SetUserPolicy(ctx context.Context, name, policyName, document string) (User, error) {
	if malformed := checkDocument(document); malformed != nil {
		return User{}, malformed
	}
	var changed User
	err := r.write(ctx, func(t *tx) error {
		row, err := t.GetUser(ctx, name)
		if err != nil {
			return r.userError(err, name)
		}
		row.PolicyName, row.PolicyDocument = policyName, document
		changed = r.user(row)
		t.changed(Change{Kind: UserChanged, UserID: row.UserID})
		return t.UpdateUserPolicy(ctx, registrydb.UpdateUserPolicyParams{PolicyName: policyName, PolicyDocument: document, UserName: name})
	})
	return changed, err
}

// DeleteUser removes a user with its access keys, or refuses with
// ResourceNotFound. Its live connections are closed by whoever watches the change.
func (r *Registry) DeleteUser(ctx context.Context, name string) error {
	return r.write(ctx, func(t *tx) error {
		row, err := t.GetUser(ctx, name)
		if err != nil {
			return r.userError(err, name)
		}
		if err := t.DeleteUserAccessKeys(ctx, name); err != nil {
			return err
		}
		t.changed(Change{Kind: UserChanged, UserID: row.UserID, Status: string(StatusDeleted)})
		return t.Queries.DeleteUser(ctx, name)
	})
}

// Users lists the users by name, each with its access key; not the root user.
func (r *Registry) Users(ctx context.Context) ([]User, error) {
	var users []User
	err := r.view(ctx, func(q *registrydb.Queries) error {
		rows, err := q.ListUsers(ctx)
		if err != nil {
			return err
		}
		keys, err := q.ListUserAccessKeys(ctx)
		if err != nil {
			return err
		}
		byUser := make(map[string]string, len(keys))
		for _, k := range keys {
			byUser[k.UserName] = k.AccessKeyID
		}
		users = make([]User, len(rows))
		for i, row := range rows {
			users[i] = r.user(row)
			users[i].AccessKeyID = byUser[row.UserName]
		}
		return nil
	})
	return users, err
}

// UserByID returns the user with that ID, the root user among them, or a
// ResourceNotFound [*Error].
func (r *Registry) UserByID(ctx context.Context, userID string) (User, error) {
	if userID == r.account {
		return r.root(), nil
	}
	row, err := r.read().GetUserByID(ctx, userID)
	if err != nil {
		return User{}, r.userError(err, userID)
	}
	return r.user(row), nil
}

// root is the account's root user.
func (r *Registry) root() User {
	document, _ := ManagedPolicy(AdministratorAccess)
	arn := ARN{Partition: r.partition, Service: "iam", Account: r.account, Resource: rootUser} // IAM has no Region
	return User{Name: rootUser, ID: r.account, ARN: arn.String(), PolicyName: AdministratorAccess, PolicyDocument: document}
}

func (r *Registry) user(row registrydb.User) User {
	return User{
		Name: row.UserName, ID: row.UserID, ARN: r.userARN(row.UserName),
		PolicyName: row.PolicyName, PolicyDocument: row.PolicyDocument, CreatedAt: time.UnixMilli(row.CreatedAt),
	}
}

func (r *Registry) userARN(name string) string {
	return ARN{Partition: r.partition, Service: "iam", Account: r.account, Resource: "user/" + name}.String()
}

func (r *Registry) userError(err error, name string) error {
	if store.IsNotFound(err) {
		return Errorf(ResourceNotFound, "There is no user %s.", name).About(name, r.userARN(name))
	}
	return err
}
