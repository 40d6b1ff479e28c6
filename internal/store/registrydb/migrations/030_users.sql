-- Users: who API requests act as beside the account's root user.
CREATE TABLE users (
    user_name       TEXT   PRIMARY KEY,
    user_id         TEXT   NOT NULL UNIQUE, -- AIDA and 17 letters or digits
    policy_name     TEXT   NOT NULL,        -- of a managed policy, or inline
    policy_document TEXT   NOT NULL,
    created_at      BIGINT NOT NULL
);
ALTER TABLE access_keys ADD COLUMN user_name TEXT NOT NULL DEFAULT ''; -- '' is the root user
CREATE INDEX access_keys_by_user ON access_keys (user_name);
