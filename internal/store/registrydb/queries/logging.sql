-- name: PutLogLevel :exec
INSERT INTO log_levels (target_type, target_name, temporary, level, expires_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (target_type, target_name, temporary) DO UPDATE SET level = excluded.level, expires_at = excluded.expires_at;

-- name: DeleteLogLevels :execrows
-- The lasting level of a target and the temporary one.
DELETE FROM log_levels WHERE target_type = $1 AND target_name = $2;

-- name: DeleteTemporaryLogLevel :execrows
DELETE FROM log_levels WHERE target_type = $1 AND target_name = $2 AND temporary = 1;

-- name: DeleteExpiredLogLevels :execrows
DELETE FROM log_levels WHERE temporary = 1 AND expires_at <= $1;

-- name: CountLogLevels :one
SELECT COUNT(*) FROM log_levels WHERE temporary = 0;

-- name: ListLogLevels :many
SELECT * FROM log_levels ORDER BY target_type, target_name, temporary;

-- name: ListThingGroupParents :many
-- Every group with the one above it; '' for a root.
SELECT group_name, COALESCE(parent_name, '') AS parent_name FROM thing_groups ORDER BY group_name;
