-- name: InsertThingGroup :exec
INSERT INTO thing_groups (group_name, group_id, parent_name, root_name, depth, description, attributes, version, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: GetThingGroup :one
SELECT * FROM thing_groups WHERE group_name = $1;

-- name: UpdateThingGroup :exec
UPDATE thing_groups SET description = $2, attributes = $3, version = $4 WHERE group_name = $1;

-- name: DeleteThingGroup :exec
DELETE FROM thing_groups WHERE group_name = $1;

-- name: CountChildGroups :one
SELECT COUNT(*) FROM thing_groups WHERE parent_name = $1;

-- name: ListThingGroups :many
-- Names at least from_name, below to_name and after a name.
SELECT group_name FROM thing_groups
WHERE group_name >= sqlc.arg(from_name) AND group_name < sqlc.arg(to_name) AND group_name > sqlc.arg(after)
ORDER BY group_name LIMIT $1;

-- name: ListRootThingGroups :many
SELECT group_name FROM thing_groups
WHERE parent_name IS NULL
  AND group_name >= sqlc.arg(from_name) AND group_name < sqlc.arg(to_name) AND group_name > sqlc.arg(after)
ORDER BY group_name LIMIT $1;

-- name: ListChildThingGroups :many
SELECT group_name FROM thing_groups
WHERE parent_name = sqlc.arg(parent_name)
  AND group_name >= sqlc.arg(from_name) AND group_name < sqlc.arg(to_name) AND group_name > sqlc.arg(after)
ORDER BY group_name LIMIT $1;

-- name: ListDescendantThingGroups :many
WITH RECURSIVE below AS (
    SELECT c.group_name FROM thing_groups c WHERE c.parent_name = sqlc.arg(parent_name)
    UNION ALL
    SELECT g.group_name FROM thing_groups g JOIN below b ON g.parent_name = b.group_name
)
SELECT t.group_name FROM thing_groups t JOIN below ON below.group_name = t.group_name
WHERE t.group_name >= sqlc.arg(from_name) AND t.group_name < sqlc.arg(to_name) AND t.group_name > sqlc.arg(after)
ORDER BY t.group_name LIMIT $1;

-- name: ListAncestorThingGroups :many
-- The groups above a group, the root first.
WITH RECURSIVE above AS (
    SELECT p.group_name, p.parent_name, p.depth FROM thing_groups c JOIN thing_groups p ON p.group_name = c.parent_name
    WHERE c.group_name = $1
    UNION ALL
    SELECT g.group_name, g.parent_name, g.depth FROM thing_groups g JOIN above a ON g.group_name = a.parent_name
)
SELECT above.group_name FROM above ORDER BY above.depth;

-- name: InsertThingGroupMember :exec
INSERT INTO thing_group_members (group_name, thing_name, root_name, added_at) VALUES ($1, $2, $3, $4);

-- name: DeleteThingGroupMember :execrows
DELETE FROM thing_group_members WHERE group_name = $1 AND thing_name = $2;

-- name: GetThingGroupMemberOfRoot :one
SELECT group_name FROM thing_group_members WHERE thing_name = $1 AND root_name = $2;

-- name: CountGroupsOfThing :one
SELECT COUNT(*) FROM thing_group_members WHERE thing_name = $1;

-- name: ListGroupsOfThing :many
SELECT group_name FROM thing_group_members WHERE thing_name = $1 AND group_name > sqlc.arg(after)
ORDER BY group_name LIMIT $2;

-- name: ListGroupsAboveThing :many
-- The groups that a thing is in, directly or through a descendant.
WITH RECURSIVE above AS (
    SELECT c.group_name, c.parent_name FROM thing_group_members m JOIN thing_groups c ON c.group_name = m.group_name
    WHERE m.thing_name = $1
    UNION
    SELECT g.group_name, g.parent_name FROM thing_groups g JOIN above a ON g.group_name = a.parent_name
)
SELECT above.group_name FROM above ORDER BY above.group_name;

-- name: ListThingsInGroup :many
SELECT thing_name FROM thing_group_members WHERE group_name = $1 AND thing_name > sqlc.arg(after)
ORDER BY thing_name LIMIT $2;

-- name: ListThingsUnderGroup :many
-- The things in a group and in all its descendants.
WITH RECURSIVE below AS (
    SELECT c.group_name FROM thing_groups c WHERE c.group_name = sqlc.arg(group_name)
    UNION ALL
    SELECT g.group_name FROM thing_groups g JOIN below b ON g.parent_name = b.group_name
)
SELECT m.thing_name FROM thing_group_members m JOIN below b ON b.group_name = m.group_name
WHERE m.thing_name > sqlc.arg(after)
ORDER BY m.thing_name LIMIT $1;
