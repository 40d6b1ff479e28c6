package simulate

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/gatehouse-iot/gatehouse/policy"
)

// An Answer is a decision in words. Lists are never null.
type Answer struct {
	Decision             string      `json:"decision"`      // ALLOWED, EXPLICIT_DENY or IMPLICIT_DENY
	Code                 string      `json:"code,omitzero"` // check that refuses it; absent when allowed
	Reason               string      `json:"reason"`
	Action               string      `json:"action"`
	Resource             string      `json:"resource"`
	Matched              []Statement `json:"matched"`              // statements that apply, denies first
	NearMisses           []Miss      `json:"nearMisses"`           // statements that nearly applied, the closest first
	Warnings             []Miss      `json:"warnings"`             // doubts that hold whatever the decision
	Variables            []Variable  `json:"variables"`            // of every statement with the action
	MissingContextValues []string    `json:"missingContextValues"` // keys that were asked for and are unknown
	Fix                  *Fix        `json:"fix,omitzero"`         // absent when allowed
	Notes                []string    `json:"notes,omitempty"`      // about the request itself: members that were ignored
}

// A Statement names a statement of the request's documents.
type Statement struct {
	Policy    string `json:"policy"`    // "policies[0]"
	Statement int    `json:"statement"` // index, from 0
	Sid       string `json:"sid,omitzero"`
	Effect    string `json:"effect"` // Allow or Deny
}

// A Miss is a statement that did not apply, and why.
type Miss struct {
	Statement
	Code    string `json:"code"`
	Cause   string `json:"cause"`
	Fix     string `json:"fix"`
	Pattern string `json:"pattern,omitzero"`
	Offered string `json:"offered,omitzero"`
}

// A Variable is a policy variable with its value, or the cause why it has none.
type Variable struct {
	Name  string  `json:"name"`
	Value *string `json:"value,omitzero"`
	Cause string  `json:"cause,omitzero"`
	Why   string  `json:"why,omitzero"` // the cause in words
}

// A Fix is the repair.
type Fix struct {
	Text      string         `json:"text"`
	Statement jsontext.Value `json:"statement,omitzero"` // to add to a policy
}

// AnswerOf puts d into words.
func AnswerOf(d *policy.Decision) *Answer {
	a := &Answer{
		Decision: d.Effect.String(), Code: d.Code, Reason: d.Reason, Action: string(d.Action), Resource: d.Resource,
		Matched: []Statement{}, NearMisses: misses(d.Near), Warnings: misses(d.Warnings), Variables: []Variable{},
		MissingContextValues: append([]string{}, d.Missing...),
	}
	for _, ref := range d.Matched {
		a.Matched = append(a.Matched, statementOf(ref))
	}
	for _, v := range d.Variables {
		out := Variable{Name: v.Name, Cause: string(v.Cause), Why: v.Why}
		if v.Known || v.Value != "" {
			out.Value = &v.Value
		}
		a.Variables = append(a.Variables, out)
	}
	if d.Fix != nil {
		a.Fix = &Fix{Text: d.Fix.Text}
		if d.Fix.Statement != "" {
			a.Fix.Statement = jsontext.Value(d.Fix.Statement)
		}
	}
	return a
}

func statementOf(ref policy.StatementRef) Statement {
	effect := "Allow"
	if ref.Effect == policy.ExplicitDeny {
		effect = "Deny"
	}
	return Statement{ref.Policy, ref.Index, ref.Sid, effect}
}

func misses(list []policy.NearMiss) []Miss {
	out := []Miss{}
	for _, n := range list {
		out = append(out, Miss{statementOf(n.StatementRef), n.Code, n.Cause, n.Fix, n.Pattern, n.Offered})
	}
	return out
}
