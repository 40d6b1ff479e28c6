CREATE TABLE authorizers (
    authorizer_name  TEXT   PRIMARY KEY,
    function_arn     TEXT   NOT NULL,
    token_key_name   TEXT   NOT NULL, -- '' when the token is not extracted
    signing_keys     TEXT   NOT NULL, -- JSON object: key name -> PEM
    signing_disabled BIGINT NOT NULL, -- 0 or 1
    http_caching     BIGINT NOT NULL, -- 0 or 1
    status           TEXT   NOT NULL, -- ACTIVE, INACTIVE
    created_at       BIGINT NOT NULL,
    last_modified_at BIGINT NOT NULL
);
CREATE INDEX authorizers_by_age ON authorizers (created_at, authorizer_name);
