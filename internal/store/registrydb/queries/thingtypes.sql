-- name: InsertThingType :exec
INSERT INTO thing_types (thing_type_name, thing_type_id, description, searchable_attributes, propagating, created_at, deprecated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: GetThingType :one
SELECT * FROM thing_types WHERE thing_type_name = $1;

-- name: UpdateThingType :exec
UPDATE thing_types SET description = $2, searchable_attributes = $3, propagating = $4, deprecated_at = $5
WHERE thing_type_name = $1;

-- name: DeleteThingType :exec
DELETE FROM thing_types WHERE thing_type_name = $1;

-- name: ListThingTypes :many
-- Types whose names are at least from_name and below to_name.
SELECT * FROM thing_types
WHERE thing_type_name >= sqlc.arg(from_name) AND thing_type_name < sqlc.arg(to_name)
  AND (created_at, thing_type_name) > (CAST(sqlc.arg(after_time) AS BIGINT), CAST(sqlc.arg(after_name) AS TEXT))
ORDER BY created_at, thing_type_name LIMIT sqlc.arg(size);

-- name: CountThingsOfType :one
SELECT COUNT(*) FROM things WHERE thing_type_name = $1;
