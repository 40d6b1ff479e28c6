-- Log levels of targets. The account's options are settings. A temporary row
-- stands in front of the lasting one of its target until it expires.
CREATE TABLE log_levels (
    target_type TEXT   NOT NULL, -- DEFAULT (temporary only), THING_GROUP, CLIENT_ID, SOURCE_IP, PRINCIPAL_ID
    target_name TEXT   NOT NULL, -- '' for DEFAULT
    temporary   BIGINT NOT NULL, -- 0 or 1
    level       TEXT   NOT NULL, -- DEBUG, INFO, WARN, ERROR, DISABLED
    expires_at  BIGINT NOT NULL, -- 0 unless temporary
    PRIMARY KEY (target_type, target_name, temporary)
);
