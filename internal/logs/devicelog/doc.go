// Package devicelog writes what devices did as the log entries of AWS IoT: it
// holds the account's log levels, decides which event is logged where, and turns
// it into one line of JSON. It never makes a device wait.
package devicelog
