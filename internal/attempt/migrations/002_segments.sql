-- Of a burst of connections that ended well, with nothing to remark, one row holds many: see segment.go.
-- keys are hashes of what their records can be asked by; body is the records themselves.
CREATE TABLE segments (
    id       INTEGER PRIMARY KEY,
    first_ms BIGINT NOT NULL, -- of the earliest of the records' latest events
    last_ms  BIGINT NOT NULL, -- of the latest one
    records  BIGINT NOT NULL,
    keys     BYTEA NOT NULL,
    body     BYTEA NOT NULL
);

CREATE INDEX segments_last ON segments (last_ms, id);
