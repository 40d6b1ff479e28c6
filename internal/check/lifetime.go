package check

// SessionMaxLifetime is PROBLEMS H-13.
var SessionMaxLifetime = register(Check{
	Code: "session.max_lifetime", Stage: StageSession, Severity: Note,
	Title:  "The connection reached its greatest age",
	Cause:  "The connection was ended<< after {connected_for}>> because of its age: a signed WebSocket lives 24 hours at most, and a custom authorizer sets its own limit.",
	Device: closedInSilence,
	Advice: "That is by design: sign anew and connect again.",
	Fix:    watch,
	Source: "PROBLEMS H-13; mqtt sheet 13", Example: ev("connected_for", "24h0m0s"),
})
