// Package logs keeps the account's log events: groups, streams, retention, a
// store of compressed blocks on disk, and the live tail. It knows nothing of the
// AWS wire (internal/api/logs) and nothing of what the events say.
//
// Whoever must know that an event is kept uses [Store.Put]; device traffic,
// which must never wait, uses a [Writer].
package logs
