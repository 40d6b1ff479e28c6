-- An attempt is one row. What is asked for has a column; body is the whole record as JSON.
CREATE TABLE attempts (
    id             TEXT PRIMARY KEY,
    last_ms        BIGINT NOT NULL,
    outcome        TEXT NOT NULL,
    client_id      TEXT NOT NULL,
    principal      TEXT NOT NULL,
    principal_arn  TEXT NOT NULL,
    certificate_id TEXT NOT NULL,
    source_ip      TEXT NOT NULL,
    codes          TEXT NOT NULL, -- of the checks that did not pass, each between blanks
    body           TEXT NOT NULL
);

CREATE INDEX attempts_last ON attempts (last_ms, id);
CREATE INDEX attempts_client ON attempts (client_id, last_ms);
CREATE INDEX attempts_certificate ON attempts (certificate_id, last_ms);
CREATE INDEX attempts_source ON attempts (source_ip, last_ms);
