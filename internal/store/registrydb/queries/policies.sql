-- name: InsertPolicy :exec
INSERT INTO policies (policy_name, default_version, last_version, default_changed_at, generation_id, created_at, last_modified_at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: GetPolicy :one
SELECT * FROM policies WHERE policy_name = $1;

-- name: UpdatePolicy :exec
UPDATE policies SET default_version = $2, last_version = $3, default_changed_at = $4, generation_id = $5, last_modified_at = $6
WHERE policy_name = $1;

-- name: DeletePolicy :exec
DELETE FROM policies WHERE policy_name = $1;

-- name: ListPolicies :many
SELECT policy_name, created_at FROM policies
WHERE (created_at, policy_name) > (CAST(sqlc.arg(after_time) AS BIGINT), CAST(sqlc.arg(after_name) AS TEXT))
ORDER BY created_at, policy_name LIMIT sqlc.arg(size);

-- name: ListPoliciesDescending :many
SELECT policy_name, created_at FROM policies
WHERE (created_at, policy_name) < (CAST(sqlc.arg(after_time) AS BIGINT), CAST(sqlc.arg(after_name) AS TEXT))
ORDER BY created_at DESC, policy_name DESC LIMIT sqlc.arg(size);

-- name: InsertPolicyVersion :exec
INSERT INTO policy_versions (policy_name, version, document, generation_id, created_at) VALUES ($1, $2, $3, $4, $5);

-- name: GetPolicyVersion :one
SELECT * FROM policy_versions WHERE policy_name = $1 AND version = $2;

-- name: ListPolicyVersions :many
SELECT * FROM policy_versions WHERE policy_name = $1 ORDER BY version DESC;

-- name: CountPolicyVersions :one
SELECT COUNT(*) FROM policy_versions WHERE policy_name = $1;

-- name: DeletePolicyVersion :exec
DELETE FROM policy_versions WHERE policy_name = $1 AND version = $2;
