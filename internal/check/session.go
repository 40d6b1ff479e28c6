package check

var SessionOpened = register(Check{Code: "session.opened", Stage: StageSession, Severity: Step, Title: "Session open"})

var SessionClosed = register(Check{Code: "session.closed", Stage: StageSession, Severity: Step, Title: "The device disconnected"})

var SessionLost = register(Check{Code: "session.connection_lost", Stage: StageSession, Severity: Note, Title: "The connection was lost"})

var SessionTakeover = register(Check{Code: "session.takeover", Stage: StageSession, Severity: Refusal, Title: "Another connection took over the client ID"})

var SessionTakeoverLoop = register(Check{Code: "session.takeover_loop", Stage: StageSession, Severity: Refusal, Title: "Two devices fight for one client ID"})

var SessionTakeoverSelf = register(Check{Code: "session.takeover_self", Stage: StageSession, Severity: Refusal, Title: "The device takes over its own client ID"})

var SessionTookOver = register(Check{Code: "session.took_over", Stage: StageSession, Severity: Note, Title: "This connection took over the client ID"})

var SessionKeepaliveExpired = register(Check{Code: "session.keepalive_expired", Stage: StageSession, Severity: Refusal, Title: "Nothing heard within the keep-alive time"})

var KeepaliveAboveMax = register(Check{Code: "keepalive.above_max", Stage: StageSession, Severity: Warning, Title: "Keep-alive is off or above the maximum"})

var KeepaliveBelowMin = register(Check{Code: "keepalive.below_min", Stage: StageSession, Severity: Note, Title: "Keep-alive is below the minimum"})

var SessionMaxLifetime = register(Check{Code: "session.max_lifetime", Stage: StageSession, Severity: Refusal, Title: "The connection reached its maximum duration"})

var PrincipalCut = register(Check{Code: "connection.principal_cut", Stage: StageSession, Severity: Refusal, Title: "The certificate lost its right while connected"})

var SessionAPIDisconnect = register(Check{Code: "session.api_disconnect", Stage: StageSession, Severity: Refusal, Title: "An API call ended the connection"})

var ServerShuttingDown = register(Check{Code: "server.shutting_down", Stage: StageSession, Severity: Refusal, Title: "The server is shutting down"})

var ServerError = register(Check{Code: "server.error", Stage: StageSession, Severity: Refusal, Title: "Gatehouse failed"})
