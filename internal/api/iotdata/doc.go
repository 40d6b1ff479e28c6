// Package iotdata is the data plane of AWS IoT Core on the wire: publishing and
// shadows over HTTPS. Generated from the model; the handlers come later.
package iotdata
