package identity

// A Service identifies principals and authorizes what they do. It keeps
// certificates and compiled policies in memory, each a bounded number, and
// follows the registry's changes.
type Service struct{}
