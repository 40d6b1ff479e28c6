package registry

import (
	"context"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// CreatePolicyVersion adds a version to a policy and makes it the default if
// asked to. Numbers go on after deletions. It refuses with ResourceNotFound,
// MalformedPolicy, and VersionsLimitExceeded for a sixth version.
// Source: policy sheet 13.
func (r *Registry) CreatePolicyVersion(ctx context.Context, name, document string, setAsDefault bool) (PolicyVersion, error) {
	malformed := checkDocument(document)
	var made PolicyVersion
	err := r.write(ctx, func(t *tx) error {
		p, err := t.GetPolicy(ctx, name)
		if err != nil {
			return r.policyError(err, name)
		}
		if malformed != nil {
			return malformed
		}
		versions, err := t.CountPolicyVersions(ctx, name)
		if err != nil {
			return err
		}
		if versions >= MaxPolicyVersions {
			return Errorf(VersionsLimitExceeded, "The policy %s already has the maximum number of versions (%d)", name, MaxPolicyVersions).
				About(name, r.ARN("policy", name))
		}
		p.LastVersion++
		if setAsDefault {
			p.DefaultVersion, p.DefaultChangedAt = p.LastVersion, t.now
			t.changed(Change{Kind: PolicyChanged, PolicyName: name})
		}
		if err := r.insertVersion(ctx, t, name, p.LastVersion, document); err != nil {
			return err
		}
		row, err := t.GetPolicyVersion(ctx, registrydb.GetPolicyVersionParams{PolicyName: name, Version: p.LastVersion})
		if err != nil {
			return err
		}
		made = r.policyVersion(row, p.DefaultVersion)
		return r.updatePolicy(ctx, t, p)
	})
	return made, err
}

// PolicyVersion returns a version of a policy, or a ResourceNotFound [*Error].
func (r *Registry) PolicyVersion(ctx context.Context, name, version string) (PolicyVersion, error) {
	var v PolicyVersion
	err := r.view(ctx, func(q *registrydb.Queries) error {
		p, row, err := r.findVersion(ctx, q, name, version)
		v = r.policyVersion(row, p.DefaultVersion)
		return err
	})
	return v, err
}

// ListPolicyVersions lists the versions of a policy, newest first, or refuses
// with ResourceNotFound. There are 5 at most.
func (r *Registry) ListPolicyVersions(ctx context.Context, name string) ([]PolicyVersion, error) {
	var list []PolicyVersion
	err := r.view(ctx, func(q *registrydb.Queries) error {
		p, err := q.GetPolicy(ctx, name)
		if err != nil {
			return r.policyError(err, name)
		}
		rows, err := q.ListPolicyVersions(ctx, name)
		for _, row := range rows {
			list = append(list, r.policyVersion(row, p.DefaultVersion))
		}
		return err
	})
	return list, err
}

// SetDefaultPolicyVersion makes a version the one that counts, or refuses with
// ResourceNotFound.
func (r *Registry) SetDefaultPolicyVersion(ctx context.Context, name, version string) error {
	return r.write(ctx, func(t *tx) error {
		p, v, err := r.findVersion(ctx, t.Queries, name, version)
		if err != nil || p.DefaultVersion == v.Version {
			return err
		}
		p.DefaultVersion, p.DefaultChangedAt = v.Version, t.now
		t.changed(Change{Kind: PolicyChanged, PolicyName: name})
		return r.updatePolicy(ctx, t, p)
	})
}

// DeletePolicyVersion deletes a version. It refuses with ResourceNotFound, and
// with DeleteConflict for the default version.
func (r *Registry) DeletePolicyVersion(ctx context.Context, name, version string) error {
	return r.write(ctx, func(t *tx) error {
		p, v, err := r.findVersion(ctx, t.Queries, name, version)
		if err != nil {
			return err
		}
		if p.DefaultVersion == v.Version {
			return Errorf(DeleteConflict, "Cannot delete the default version of a policy").About(name, r.ARN("policy", name))
		}
		if err := t.DeletePolicyVersion(ctx, registrydb.DeletePolicyVersionParams{PolicyName: name, Version: v.Version}); err != nil {
			return err
		}
		return r.updatePolicy(ctx, t, p)
	})
}

// updatePolicy writes p with a new generation.
func (r *Registry) updatePolicy(ctx context.Context, t *tx, p registrydb.Policy) error {
	return t.UpdatePolicy(ctx, registrydb.UpdatePolicyParams{
		PolicyName:       p.PolicyName,
		DefaultVersion:   p.DefaultVersion,
		LastVersion:      p.LastVersion,
		DefaultChangedAt: p.DefaultChangedAt,
		GenerationID:     uuid.NewString(),
		LastModifiedAt:   t.now,
	})
}

// findVersion returns a policy and one of its versions.
func (r *Registry) findVersion(ctx context.Context, q *registrydb.Queries, name, version string) (registrydb.Policy, registrydb.PolicyVersion, error) {
	p, err := q.GetPolicy(ctx, name)
	if err != nil {
		return p, registrydb.PolicyVersion{}, r.policyError(err, name)
	}
	var v registrydb.PolicyVersion
	n, parseErr := strconv.ParseInt(version, 10, 64)
	if parseErr == nil && versionID(n) == version { // "01" names no version
		v, err = q.GetPolicyVersion(ctx, registrydb.GetPolicyVersionParams{PolicyName: name, Version: n})
	}
	if parseErr != nil || v.Version == 0 && err == nil || store.IsNotFound(err) {
		return p, v, Errorf(ResourceNotFound, "The policy %s has no version %s", name, version).About(name, r.ARN("policy", name))
	}
	return p, v, err
}

func (r *Registry) policyVersion(row registrydb.PolicyVersion, defaultVersion int64) PolicyVersion {
	return PolicyVersion{
		PolicyName:   row.PolicyName,
		ARN:          r.ARN("policy", row.PolicyName),
		Version:      versionID(row.Version),
		Default:      row.Version == defaultVersion,
		Document:     row.Document,
		GenerationID: row.GenerationID,
		CreatedAt:    time.UnixMilli(row.CreatedAt),
	}
}
