-- A function with its versions, aliases, policies and tags: one JSON document,
-- which is always read and written whole.
CREATE TABLE functions (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL
);
