-- name: PutTag :exec
INSERT INTO tags (resource_type, resource_name, tag_key, tag_value) VALUES ($1, $2, $3, $4)
ON CONFLICT (resource_type, resource_name, tag_key) DO UPDATE SET tag_value = excluded.tag_value;

-- name: DeleteTag :exec
DELETE FROM tags WHERE resource_type = $1 AND resource_name = $2 AND tag_key = $3;

-- name: DeleteTags :exec
-- Call it when the resource is deleted.
DELETE FROM tags WHERE resource_type = $1 AND resource_name = $2;

-- name: CountTags :one
SELECT COUNT(*) FROM tags WHERE resource_type = $1 AND resource_name = $2;

-- name: ListTags :many
SELECT tag_key, tag_value FROM tags WHERE resource_type = $1 AND resource_name = $2 AND tag_key > sqlc.arg(after)
ORDER BY tag_key LIMIT $3;
