package function

// A Permission answers whether a service may invoke a function, with the reason.
type Permission struct {
	Allowed bool
	Sid     string // of the statement that decided

	// Near are the statements that did not match, each with the first thing that
	// did not; empty when the function has no policy for that qualifier.
	Near []NearStatement

	// FunctionName and Qualifier are what a permission has to be added to.
	FunctionName, Qualifier string
}

// A NearStatement is a statement of the resource policy that did not match.
type NearStatement struct {
	Sid     string
	Element string // "Principal", "Action", "Resource", "AWS:SourceArn", "AWS:SourceAccount" or another condition key
	Want    string // what the statement asks for
	Have    string // what the request has
}
