// Package function keeps and runs Lambda-compatible functions: their code,
// versions, aliases and resource policies, and the processes that run them.
//
// Its rows are in a database of its own, its code in files named by their hash.
// Package run holds the processes, package sandbox what they may not do.
package function
