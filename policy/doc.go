// Package policy parses, compiles, evaluates and explains AWS IoT Core
// policies; it does no I/O and reads no clock.
//
// A document goes through three forms:
//
//	doc, err := policy.Parse(data)                        // once per policy version
//	set := policy.Compile(policy.Named{Name: "p", Doc: doc}) // once per combination of policies
//	bound := set.Bind(&policy.Context{ClientID: "dev-7"}) // once per connection: variables resolved
//
// and then answers two questions. [Bound.Decide] says whether, on the hot path
// and without allocating. [Bound.Explain] says why: the statements that decided,
// those that nearly matched and what they lacked, the variables with their
// values or the reason why they have none, and the statement that would repair it.
//
// Choices that AWS does not document are the constants of choices.go.
package policy
