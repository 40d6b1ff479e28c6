-- name: InsertPolicyAttachment :exec
INSERT INTO policy_attachments (target_type, target_name, policy_name, attached_at) VALUES ($1, $2, $3, $4);

-- name: GetPolicyAttachment :one
SELECT * FROM policy_attachments WHERE target_type = $1 AND target_name = $2 AND policy_name = $3;

-- name: DeletePolicyAttachment :execrows
DELETE FROM policy_attachments WHERE target_type = $1 AND target_name = $2 AND policy_name = $3;

-- name: CountPoliciesOfTarget :one
SELECT COUNT(*) FROM policy_attachments WHERE target_type = $1 AND target_name = $2;

-- name: CountTargetsOfPolicy :one
SELECT COUNT(*) FROM policy_attachments WHERE policy_name = $1;

-- name: ListPoliciesOfTarget :many
SELECT policy_name FROM policy_attachments WHERE target_type = $1 AND target_name = $2 ORDER BY policy_name;

-- name: ListTargetsOfPolicy :many
-- Targets in the order of the primary key, from the one after the given.
SELECT target_type, target_name FROM policy_attachments
WHERE policy_name = sqlc.arg(policy_name)
  AND (target_type, target_name) > (CAST(sqlc.arg(after_type) AS TEXT), CAST(sqlc.arg(after_name) AS TEXT))
ORDER BY target_type, target_name LIMIT sqlc.arg(size);

-- name: ListPrincipalsOfPolicy :many
SELECT target_type, target_name FROM policy_attachments
WHERE policy_name = sqlc.arg(policy_name) AND target_type <> 'thinggroup'
  AND (target_type, target_name) > (CAST(sqlc.arg(after_type) AS TEXT), CAST(sqlc.arg(after_name) AS TEXT))
ORDER BY target_type, target_name LIMIT sqlc.arg(size);

-- name: ListPrincipalsOfPolicyDescending :many
-- An empty type begins at the end.
SELECT target_type, target_name FROM policy_attachments
WHERE policy_name = sqlc.arg(policy_name) AND target_type <> 'thinggroup'
  AND (CAST(sqlc.arg(after_type) AS TEXT) = ''
    OR (target_type, target_name) < (CAST(sqlc.arg(after_type) AS TEXT), CAST(sqlc.arg(after_name) AS TEXT)))
ORDER BY target_type DESC, target_name DESC LIMIT sqlc.arg(size);

-- name: ListEffectivePolicies :many
-- The policies of one target with their default documents.
SELECT a.policy_name, a.attached_at, p.default_version, p.default_changed_at, v.document
FROM policy_attachments a
JOIN policies p ON p.policy_name = a.policy_name
JOIN policy_versions v ON v.policy_name = p.policy_name AND v.version = p.default_version
WHERE a.target_type = $1 AND a.target_name = $2
ORDER BY a.policy_name;

-- name: DeletePolicyAttachmentsOfTarget :exec
DELETE FROM policy_attachments WHERE target_type = $1 AND target_name = $2;
