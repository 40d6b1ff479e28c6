package api

// Pattern is a constraint on a string: a Java regular expression that must match
// the whole of it.
type Pattern struct {
	Source string // as the model writes it, and as messages print it
}
