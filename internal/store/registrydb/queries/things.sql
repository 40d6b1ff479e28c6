-- name: InsertThing :exec
INSERT INTO things (thing_name, thing_id, thing_type_name, attributes, version, created_at)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: GetThing :one
SELECT * FROM things WHERE thing_name = $1;

-- name: UpdateThing :exec
UPDATE things SET thing_type_name = $2, attributes = $3, version = $4 WHERE thing_name = $1;

-- name: DeleteThing :exec
DELETE FROM things WHERE thing_name = $1;

-- name: ListThings :many
SELECT * FROM things WHERE (created_at, thing_name) > (CAST(sqlc.arg(after_time) AS BIGINT), CAST(sqlc.arg(after_name) AS TEXT))
ORDER BY created_at, thing_name LIMIT sqlc.arg(size);

-- name: ListThingsByType :many
SELECT * FROM things WHERE thing_type_name = sqlc.arg(thing_type_name) AND (created_at, thing_name) > (CAST(sqlc.arg(after_time) AS BIGINT), CAST(sqlc.arg(after_name) AS TEXT))
ORDER BY created_at, thing_name LIMIT sqlc.arg(size);

-- name: ListThingsByAttribute :many
-- Things whose attribute has a value of at least from_value and below to_value.
SELECT t.* FROM things t JOIN thing_attributes a ON a.thing_name = t.thing_name
WHERE a.attribute_name = sqlc.arg(attribute_name)
  AND a.attribute_value >= sqlc.arg(from_value) AND a.attribute_value < sqlc.arg(to_value)
  AND (t.created_at, t.thing_name) > (CAST(sqlc.arg(after_time) AS BIGINT), CAST(sqlc.arg(after_name) AS TEXT))
ORDER BY t.created_at, t.thing_name LIMIT sqlc.arg(size);

-- name: ListThingsByAttributeAndType :many
SELECT t.* FROM things t JOIN thing_attributes a ON a.thing_name = t.thing_name
WHERE a.attribute_name = sqlc.arg(attribute_name)
  AND a.attribute_value >= sqlc.arg(from_value) AND a.attribute_value < sqlc.arg(to_value)
  AND t.thing_type_name = sqlc.arg(thing_type_name)
  AND (t.created_at, t.thing_name) > (CAST(sqlc.arg(after_time) AS BIGINT), CAST(sqlc.arg(after_name) AS TEXT))
ORDER BY t.created_at, t.thing_name LIMIT sqlc.arg(size);

-- name: InsertThingAttribute :exec
INSERT INTO thing_attributes (thing_name, attribute_name, attribute_value) VALUES ($1, $2, $3);

-- name: DeleteThingAttributes :exec
DELETE FROM thing_attributes WHERE thing_name = $1;
