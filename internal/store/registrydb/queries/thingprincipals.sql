-- name: InsertThingPrincipal :exec
INSERT INTO thing_principals (thing_name, principal_type, principal_name, attachment_type, attached_at)
VALUES ($1, $2, $3, $4, $5);

-- name: GetThingPrincipal :one
SELECT * FROM thing_principals WHERE thing_name = $1 AND principal_type = $2 AND principal_name = $3;

-- name: DeleteThingPrincipal :execrows
DELETE FROM thing_principals WHERE thing_name = $1 AND principal_type = $2 AND principal_name = $3;

-- name: GetOtherThingOfPrincipal :one
-- One attachment of a principal to a thing other than the one named; an exclusive one first.
SELECT * FROM thing_principals WHERE principal_type = $1 AND principal_name = $2 AND thing_name <> $3
ORDER BY attachment_type, thing_name LIMIT 1;

-- name: GetExclusiveThing :one
SELECT thing_name FROM thing_principals
WHERE principal_type = $1 AND principal_name = $2 AND attachment_type = 'EXCLUSIVE_THING';

-- name: CountPrincipalsOfThing :one
SELECT COUNT(*) FROM thing_principals WHERE thing_name = $1;

-- name: CountThingsOfPrincipal :one
SELECT COUNT(*) FROM thing_principals WHERE principal_type = $1 AND principal_name = $2;

-- name: ListPrincipalsOfThing :many
-- attachment_type '' takes both types.
SELECT * FROM thing_principals
WHERE thing_name = sqlc.arg(thing_name)
  AND (principal_type > sqlc.arg(after_type) OR (principal_type = sqlc.arg(after_type) AND principal_name > sqlc.arg(after_name)))
  AND (CAST(sqlc.arg(attachment_type) AS TEXT) = '' OR attachment_type = sqlc.arg(attachment_type))
ORDER BY principal_type, principal_name LIMIT $1;

-- name: ListThingsOfPrincipal :many
-- attachment_type '' takes both types.
SELECT * FROM thing_principals
WHERE principal_type = sqlc.arg(principal_type) AND principal_name = sqlc.arg(principal_name)
  AND thing_name > sqlc.arg(after)
  AND (CAST(sqlc.arg(attachment_type) AS TEXT) = '' OR attachment_type = sqlc.arg(attachment_type))
ORDER BY thing_name LIMIT $1;
