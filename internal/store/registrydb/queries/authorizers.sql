-- name: InsertAuthorizer :exec
INSERT INTO authorizers (authorizer_name, function_arn, token_key_name, signing_keys, signing_disabled, http_caching, status, created_at, last_modified_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: GetAuthorizer :one
SELECT * FROM authorizers WHERE authorizer_name = $1;

-- name: UpdateAuthorizer :exec
UPDATE authorizers SET function_arn = $2, token_key_name = $3, signing_keys = $4, http_caching = $5, status = $6, last_modified_at = $7
WHERE authorizer_name = $1;

-- name: DeleteAuthorizer :exec
DELETE FROM authorizers WHERE authorizer_name = $1;

-- name: CountAuthorizers :one
-- All authorizers, or those with one status.
SELECT COUNT(*) FROM authorizers WHERE status = sqlc.arg(status) OR CAST(sqlc.arg(status) AS TEXT) = '';

-- name: ListAuthorizers :many
SELECT authorizer_name, created_at FROM authorizers
WHERE (created_at, authorizer_name) > (CAST(sqlc.arg(after_time) AS BIGINT), CAST(sqlc.arg(after_name) AS TEXT))
  AND (status = sqlc.arg(status) OR CAST(sqlc.arg(status) AS TEXT) = '')
ORDER BY created_at, authorizer_name LIMIT sqlc.arg(size);

-- name: ListAuthorizersDescending :many
SELECT authorizer_name, created_at FROM authorizers
WHERE (created_at, authorizer_name) < (CAST(sqlc.arg(after_time) AS BIGINT), CAST(sqlc.arg(after_name) AS TEXT))
  AND (status = sqlc.arg(status) OR CAST(sqlc.arg(status) AS TEXT) = '')
ORDER BY created_at DESC, authorizer_name DESC LIMIT sqlc.arg(size);
