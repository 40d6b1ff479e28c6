// Package insights is the query language of CloudWatch Logs Insights: it parses,
// plans and runs queries over any source of events. It knows nothing of where
// events are kept and does no I/O of its own.
package insights
