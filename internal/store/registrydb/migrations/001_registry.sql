-- Times are milliseconds since 1970 UTC. Every statement runs unchanged on SQLite and PostgreSQL.

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE access_keys (
    access_key_id     TEXT   PRIMARY KEY,
    secret_access_key TEXT   NOT NULL,
    status            TEXT   NOT NULL, -- Active, Inactive
    created_at        BIGINT NOT NULL
);

CREATE TABLE ca_certificates (
    ca_certificate_id        TEXT   PRIMARY KEY, -- lower-case hex SHA-256 of the DER form
    pem                      TEXT   NOT NULL,
    subject                  TEXT   NOT NULL,    -- hex of the DER subject
    status                   TEXT   NOT NULL,    -- ACTIVE, INACTIVE
    auto_registration_status TEXT   NOT NULL,    -- ENABLE, DISABLE
    certificate_mode         TEXT   NOT NULL,    -- DEFAULT, SNI_ONLY
    template_body            TEXT   NOT NULL,
    template_name            TEXT   NOT NULL,
    role_arn                 TEXT   NOT NULL,
    generation_id            TEXT   NOT NULL,
    customer_version         BIGINT NOT NULL,
    not_before               BIGINT NOT NULL,
    not_after                BIGINT NOT NULL,
    created_at               BIGINT NOT NULL,
    last_modified_at         BIGINT NOT NULL
);
CREATE INDEX ca_certificates_by_age ON ca_certificates (created_at, ca_certificate_id);
CREATE INDEX ca_certificates_by_subject ON ca_certificates (subject);

CREATE TABLE certificates (
    certificate_id    TEXT   PRIMARY KEY, -- lower-case hex SHA-256 of the DER form
    ca_certificate_id TEXT   NOT NULL,    -- '' when no registered CA stands behind it
    pem               TEXT   NOT NULL,
    status            TEXT   NOT NULL,
    certificate_mode  TEXT   NOT NULL,    -- DEFAULT, SNI_ONLY
    origin            TEXT   NOT NULL,    -- keys, csr, registered, registered-no-ca
    generation_id     TEXT   NOT NULL,
    customer_version  BIGINT NOT NULL,
    not_before        BIGINT NOT NULL,
    not_after         BIGINT NOT NULL,
    created_at        BIGINT NOT NULL,
    last_modified_at  BIGINT NOT NULL
);
CREATE INDEX certificates_by_age ON certificates (created_at, certificate_id);
CREATE INDEX certificates_by_ca ON certificates (ca_certificate_id, created_at, certificate_id);

-- The history of a certificate's status. It outlives the certificate, so that
-- the refusal of a deleted one can say when it was deleted.
CREATE TABLE certificate_events (
    certificate_id  TEXT   NOT NULL,
    event_number    BIGINT NOT NULL, -- 1, 2, ... within the certificate
    previous_status TEXT   NOT NULL, -- '' for the first
    status          TEXT   NOT NULL, -- DELETED for the last
    happened_at     BIGINT NOT NULL,
    PRIMARY KEY (certificate_id, event_number)
);

CREATE TABLE policies (
    policy_name        TEXT   PRIMARY KEY,
    default_version    BIGINT NOT NULL,
    last_version       BIGINT NOT NULL, -- greatest ever used: numbers are never reused
    default_changed_at BIGINT NOT NULL,
    generation_id      TEXT   NOT NULL,
    created_at         BIGINT NOT NULL,
    last_modified_at   BIGINT NOT NULL
);
CREATE INDEX policies_by_age ON policies (created_at, policy_name);

CREATE TABLE policy_versions (
    policy_name   TEXT   NOT NULL REFERENCES policies (policy_name) ON DELETE CASCADE,
    version       BIGINT NOT NULL,
    document      TEXT   NOT NULL,
    generation_id TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (policy_name, version)
);

CREATE TABLE policy_attachments (
    target_type TEXT   NOT NULL, -- cert, thinggroup, identity (Amazon Cognito)
    target_name TEXT   NOT NULL, -- certificate ID, group name, identity ID
    policy_name TEXT   NOT NULL REFERENCES policies (policy_name),
    attached_at BIGINT NOT NULL,
    PRIMARY KEY (target_type, target_name, policy_name)
);
CREATE INDEX policy_attachments_by_policy ON policy_attachments (policy_name, target_type, target_name);
