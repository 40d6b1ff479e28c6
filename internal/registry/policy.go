package registry

import (
	"context"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// MaxPolicyVersions is how many versions a policy may have. Source: policy sheet 3.
const MaxPolicyVersions = 5

// A Policy is a named policy with its default version.
type Policy struct {
	Name             string
	ARN              string
	DefaultVersion   string // "1", "2", ...
	DefaultChangedAt time.Time
	Document         string // of the default version
	GenerationID     string
	CreatedAt        time.Time
	LastModifiedAt   time.Time
}

// A PolicyVersion is one version of a policy.
type PolicyVersion struct {
	PolicyName   string
	ARN          string // of the policy
	Version      string
	Default      bool
	Document     string
	GenerationID string
	CreatedAt    time.Time
}

// CreatePolicy makes a policy, whose version 1 is the default. It refuses with
//
//   - ResourceAlreadyExists: the name is taken, whatever the document
//   - MalformedPolicy: with the place and the cause of the first error
//
// Source: policy sheet 13, 14.
func (r *Registry) CreatePolicy(ctx context.Context, name, document string, tags []Tag) (Policy, error) {
	malformed := checkDocument(document)
	var made Policy
	err := r.write(ctx, func(t *tx) error {
		row := registrydb.Policy{
			PolicyName:       name,
			DefaultVersion:   1,
			LastVersion:      1,
			DefaultChangedAt: t.now,
			GenerationID:     uuid.NewString(),
			CreatedAt:        t.now,
			LastModifiedAt:   t.now,
		}
		err := t.InsertPolicy(ctx, registrydb.InsertPolicyParams(row))
		if store.IsUnique(err) {
			return Errorf(ResourceAlreadyExists, "Policy cannot be created - name already exists (name=%s)", name).About(name, r.ARN("policy", name))
		}
		if err != nil {
			return err
		}
		if malformed != nil {
			return malformed
		}
		if err := r.insertVersion(ctx, t, name, 1, document); err != nil {
			return err
		}
		if err := r.tagNew(ctx, t, "policy", name, tags); err != nil {
			return err
		}
		t.changed(Change{Kind: PolicyChanged, PolicyName: name})
		made = r.policy(row, document)
		return nil
	})
	return made, err
}

// Policy returns a policy with its default document, or a ResourceNotFound [*Error].
func (r *Registry) Policy(ctx context.Context, name string) (Policy, error) {
	var p Policy
	err := r.view(ctx, func(q *registrydb.Queries) error {
		row, err := q.GetPolicy(ctx, name)
		if err != nil {
			return r.policyError(err, name)
		}
		v, err := q.GetPolicyVersion(ctx, registrydb.GetPolicyVersionParams{PolicyName: name, Version: row.DefaultVersion})
		p = r.policy(row, v.Document)
		return err
	})
	return p, err
}

// ListPolicies lists the names of the policies in the order of their creation,
// 25 a page unless the page says otherwise.
func (r *Registry) ListPolicies(ctx context.Context, page Page) (Listing[string], error) {
	afterTime, afterName, err := page.age()
	if err != nil {
		return Listing[string]{}, err
	}
	limit := page.limit(defaultPageSize)
	var rows []registrydb.ListPoliciesRow
	if page.Descending {
		var newest []registrydb.ListPoliciesDescendingRow
		newest, err = r.read().ListPoliciesDescending(ctx, registrydb.ListPoliciesDescendingParams{AfterTime: afterTime, AfterName: afterName, Size: int32(limit + 1)})
		for _, row := range newest {
			rows = append(rows, registrydb.ListPoliciesRow(row))
		}
	} else {
		rows, err = r.read().ListPolicies(ctx, registrydb.ListPoliciesParams{AfterTime: afterTime, AfterName: afterName, Size: int32(limit + 1)})
	}
	if err != nil {
		return Listing[string]{}, err
	}
	return cut(rows, limit,
		func(row registrydb.ListPoliciesRow) string { return ageKey(row.CreatedAt, row.PolicyName) },
		func(row registrydb.ListPoliciesRow) string { return row.PolicyName }), nil
}

// DeletePolicy deletes a policy that is attached to nothing and has no version
// but the default one. It refuses with ResourceNotFound and DeleteConflict.
// Source: policy sheet 13.
func (r *Registry) DeletePolicy(ctx context.Context, name string) error {
	return r.write(ctx, func(t *tx) error {
		if _, err := t.GetPolicy(ctx, name); err != nil {
			return r.policyError(err, name)
		}
		targets, err := t.CountTargetsOfPolicy(ctx, name)
		if err != nil {
			return err
		}
		if targets > 0 {
			return Errorf(DeleteConflict, "The policy cannot be deleted as the policy is attached to one or more principals (name=%s)", name).About(name, r.ARN("policy", name))
		}
		versions, err := t.CountPolicyVersions(ctx, name)
		if err != nil {
			return err
		}
		if versions > 1 {
			return Errorf(DeleteConflict, "Cannot delete the policy because it has one or more policy versions attached to it (name=%s)", name).About(name, r.ARN("policy", name))
		}
		if err := t.DeletePolicy(ctx, name); err != nil {
			return err
		}
		t.changed(Change{Kind: PolicyChanged, PolicyName: name})
		return r.untagGone(ctx, t, "policy", name)
	})
}

// insertVersion adds a version whose document was checked.
func (r *Registry) insertVersion(ctx context.Context, t *tx, name string, version int64, document string) error {
	return t.InsertPolicyVersion(ctx, registrydb.InsertPolicyVersionParams{
		PolicyName:   name,
		Version:      version,
		Document:     document,
		GenerationID: uuid.NewString(),
		CreatedAt:    t.now,
	})
}

// checkDocument refuses a document that the policy language does not allow.
func checkDocument(document string) error {
	if _, err := policy.Parse([]byte(document)); err != nil {
		return Errorf(MalformedPolicy, "%s", err)
	}
	return nil
}

func (r *Registry) policy(row registrydb.Policy, document string) Policy {
	return Policy{
		Name:             row.PolicyName,
		ARN:              r.ARN("policy", row.PolicyName),
		DefaultVersion:   versionID(row.DefaultVersion),
		DefaultChangedAt: time.UnixMilli(row.DefaultChangedAt),
		Document:         document,
		GenerationID:     row.GenerationID,
		CreatedAt:        time.UnixMilli(row.CreatedAt),
		LastModifiedAt:   time.UnixMilli(row.LastModifiedAt),
	}
}

// policyError says which policy is missing, and leaves other errors alone.
func (r *Registry) policyError(err error, name string) error {
	if store.IsNotFound(err) {
		return Errorf(ResourceNotFound, "Policy not found (name=%s)", name).About(name, r.ARN("policy", name))
	}
	return err
}

func versionID(n int64) string { return strconv.FormatInt(n, 10) }
