package policy

// Parse reads a policy document. The error is always a [*SyntaxError].
// Source: policy sheet 2 and 14.
func Parse(data []byte) (*Document, error) { return &Document{}, nil }

func (e *SyntaxError) text() string { return "Policy document is Malformed: " + e.Message }

type pattern struct{}
type operator struct{}
