-- name: GetSetting :one
SELECT value FROM settings WHERE name = $1;

-- name: PutSetting :exec
INSERT INTO settings (name, value) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: DeleteSetting :execrows
DELETE FROM settings WHERE name = $1;

-- name: InsertAccessKey :exec
INSERT INTO access_keys (access_key_id, secret_access_key, status, created_at, user_name) VALUES ($1, $2, $3, $4, $5);

-- name: GetAccessKey :one
SELECT * FROM access_keys WHERE access_key_id = $1;

-- name: OldestAccessKey :one
-- Of the root user.
SELECT * FROM access_keys WHERE user_name = '' AND status = 'Active' ORDER BY created_at, access_key_id LIMIT 1;
