package function

import (
	"encoding/json"
	"fmt"
)

// JudgePolicy evaluates the text of a function's resource policy, as GetPolicy
// answers it, for a caller who wants to invoke. It reads what AddPermission
// writes; an error says that the policy has something else in it.
func JudgePolicy(text string, caller Caller) (Permission, error) {
	var doc struct{ Statement []statement }
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return Permission{}, fmt.Errorf("read the resource policy: %w", err)
	}
	var p Permission
	for _, st := range doc.Statement {
		if st.Effect != "Allow" {
			return Permission{}, fmt.Errorf("statement %s of the resource policy has the effect %s", st.Sid, st.Effect)
		}
		miss, matches := st.matches(caller)
		if matches {
			return Permission{Allowed: true, Sid: st.Sid}, nil
		}
		p.Near = append(p.Near, miss)
	}
	return p, nil
}
