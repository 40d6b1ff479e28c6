-- Server certificates of domain configurations, imported by their owner.
CREATE TABLE server_certificates (
    certificate_id  TEXT   PRIMARY KEY, -- UUID: the end of the ARN
    certificate_pem TEXT   NOT NULL,    -- the leaf
    chain_pem       TEXT   NOT NULL,    -- what leads to its root; '' for none
    key_pem         TEXT   NOT NULL,    -- PKCS #8
    imported_at     BIGINT NOT NULL
);

CREATE TABLE domain_configurations (
    configuration_name     TEXT   PRIMARY KEY,
    configuration_id       TEXT   NOT NULL, -- the end of the ARN
    domain_name            TEXT   NOT NULL UNIQUE, -- in lower case
    server_certificate_arn TEXT   NOT NULL, -- '' for none
    default_authorizer     TEXT   NOT NULL, -- '' for none
    allow_override         BIGINT NOT NULL, -- 0 or 1
    security_policy        TEXT   NOT NULL,
    authentication_type    TEXT   NOT NULL,
    application_protocol   TEXT   NOT NULL,
    status                 TEXT   NOT NULL, -- ENABLED, DISABLED
    status_changed_at      BIGINT NOT NULL,
    created_at             BIGINT NOT NULL
);
CREATE INDEX domain_configurations_by_age ON domain_configurations (created_at, configuration_name);
CREATE INDEX domain_configurations_by_authorizer ON domain_configurations (default_authorizer);
