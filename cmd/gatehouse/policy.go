package main

// policyCmd checks policy documents and simulates requests against them.
type policyCmd struct{}
