-- Asynchronous invocations that were accepted and are not over: the request as
-- JSON, and when it is due next (Unix milliseconds).
CREATE TABLE invocations (
    id TEXT PRIMARY KEY,
    request TEXT NOT NULL,
    accepted INTEGER NOT NULL,
    due INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX invocations_due ON invocations (due);
