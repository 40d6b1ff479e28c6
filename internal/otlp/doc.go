// Package otlp exports what Gatehouse knows of devices to an OpenTelemetry
// collector, by OTLP over HTTP: the entries of the devices' log as log records, and
// attempts as traces. Nothing on a device's way waits for it: what waits for the
// collector is bounded, and what finds no room is counted.
package otlp
