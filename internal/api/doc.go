// Package api is the AWS wire: it tells services apart, verifies signatures,
// routes, decodes, validates and encodes, and renders errors as AWS clients
// expect them. The generated packages below it describe one service each.
package api
