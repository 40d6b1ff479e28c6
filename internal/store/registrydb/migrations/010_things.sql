-- Things, thing types, static thing groups, the principals of things, and tags.
-- Times are milliseconds since 1970 UTC. Names compare byte by byte: a
-- PostgreSQL database needs the C collation, which the prefix filters rely on.

CREATE TABLE thing_types (
    thing_type_name       TEXT   PRIMARY KEY,
    thing_type_id         TEXT   NOT NULL UNIQUE,
    description           TEXT   NOT NULL,
    searchable_attributes TEXT   NOT NULL, -- JSON list of attribute names
    propagating           TEXT   NOT NULL, -- JSON list: mqtt5Configuration.propagatingAttributes; '' without mqtt5Configuration
    created_at            BIGINT NOT NULL,
    deprecated_at         BIGINT NOT NULL  -- 0: in use
);

CREATE TABLE things (
    thing_name      TEXT   PRIMARY KEY,
    thing_id        TEXT   NOT NULL UNIQUE,
    thing_type_name TEXT   REFERENCES thing_types (thing_type_name), -- NULL: no type
    attributes      TEXT   NOT NULL, -- JSON object
    version         BIGINT NOT NULL,
    created_at      BIGINT NOT NULL
);
CREATE INDEX things_by_type ON things (thing_type_name, thing_name);

-- The attributes of things once more, to find things by them.
CREATE TABLE thing_attributes (
    thing_name      TEXT NOT NULL REFERENCES things (thing_name) ON DELETE CASCADE,
    attribute_name  TEXT NOT NULL,
    attribute_value TEXT NOT NULL,
    PRIMARY KEY (thing_name, attribute_name)
);
CREATE INDEX thing_attributes_by_value ON thing_attributes (attribute_name, attribute_value, thing_name);

CREATE TABLE thing_groups (
    group_name   TEXT   PRIMARY KEY,
    group_id     TEXT   NOT NULL UNIQUE,
    parent_name  TEXT   REFERENCES thing_groups (group_name), -- NULL: a root
    root_name    TEXT   NOT NULL, -- its own name for a root; a group never moves
    depth        BIGINT NOT NULL, -- 1 for a root
    description  TEXT   NOT NULL,
    attributes   TEXT   NOT NULL, -- JSON object
    version      BIGINT NOT NULL,
    created_at   BIGINT NOT NULL
);
CREATE INDEX thing_groups_by_parent ON thing_groups (parent_name, group_name);

-- The second constraint is the rule that a thing is in one group of a hierarchy.
CREATE TABLE thing_group_members (
    group_name TEXT   NOT NULL REFERENCES thing_groups (group_name) ON DELETE CASCADE,
    thing_name TEXT   NOT NULL REFERENCES things (thing_name) ON DELETE CASCADE,
    root_name  TEXT   NOT NULL,
    added_at   BIGINT NOT NULL,
    PRIMARY KEY (group_name, thing_name),
    UNIQUE (thing_name, root_name)
);
CREATE INDEX thing_group_members_by_thing ON thing_group_members (thing_name, group_name);

-- A principal that is EXCLUSIVE_THING has no other attachment: the index keeps
-- it to one exclusive one, the registry keeps other kinds away.
CREATE TABLE thing_principals (
    thing_name      TEXT   NOT NULL REFERENCES things (thing_name),
    principal_type  TEXT   NOT NULL, -- cert, identity (Amazon Cognito)
    principal_name  TEXT   NOT NULL, -- certificate ID, identity ID
    attachment_type TEXT   NOT NULL, -- EXCLUSIVE_THING, NON_EXCLUSIVE_THING
    attached_at     BIGINT NOT NULL,
    PRIMARY KEY (thing_name, principal_type, principal_name)
);
CREATE INDEX thing_principals_by_principal ON thing_principals (principal_type, principal_name, thing_name);
CREATE UNIQUE INDEX thing_principals_exclusive ON thing_principals (principal_type, principal_name)
    WHERE attachment_type = 'EXCLUSIVE_THING';

CREATE TABLE tags (
    resource_type TEXT NOT NULL, -- thinggroup, thingtype, policy, cacert: as in the ARN
    resource_name TEXT NOT NULL,
    tag_key       TEXT NOT NULL,
    tag_value     TEXT NOT NULL,
    PRIMARY KEY (resource_type, resource_name, tag_key)
);
