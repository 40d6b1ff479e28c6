-- name: InsertUser :exec
INSERT INTO users (user_name, user_id, policy_name, policy_document, created_at) VALUES ($1, $2, $3, $4, $5);

-- name: GetUser :one
SELECT * FROM users WHERE user_name = $1;

-- name: GetUserByID :one
SELECT * FROM users WHERE user_id = $1;

-- name: CountUsers :one
SELECT COUNT(*) FROM users;

-- name: ListUsers :many
SELECT * FROM users ORDER BY user_name;

-- name: UpdateUserPolicy :exec
UPDATE users SET policy_name = $1, policy_document = $2 WHERE user_name = $3;

-- name: DeleteUser :exec
DELETE FROM users WHERE user_name = $1;

-- name: ListUserAccessKeys :many
SELECT user_name, access_key_id FROM access_keys WHERE user_name <> '' ORDER BY user_name, created_at;

-- name: DeleteUserAccessKeys :exec
DELETE FROM access_keys WHERE user_name = $1;
