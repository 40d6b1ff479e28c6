package policy

import (
	"fmt"
	"strings"
)

// A request is what is asked for: an action on an ARN.
type request struct {
	action Action
	star   bool      // the resource is "*": ListRetainedMessages
	parts  [6]string // of the ARN
	arn    string    // the parts joined, once asked for
}

// request builds the request for name, which has no type for a listed action.
func (b *Bound) request(action Action, name string) request {
	partition := b.ctx.Partition
	if partition == "" {
		partition = defaultPartition
	}
	r := request{action: action, parts: [6]string{"arn", partition, "iot", b.ctx.Region, b.ctx.Account, name}}
	if i := action.index(); i < numActions {
		r.parts[5] = actionTable[i].prefix + name
	}
	r.star = action == ListRetainedMessages
	return r
}

// parseRequest reads a resource as the simulator gets it: an ARN, or "*".
func parseRequest(action Action, resource string) (request, error) {
	if resource == "*" {
		return request{action: action, star: true}, nil
	}
	parts := strings.SplitN(resource, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[5] == "" {
		return request{}, fmt.Errorf("resource %q is neither an ARN (arn:aws:iot:REGION:ACCOUNT:TYPE/NAME) nor \"*\"", resource)
	}
	return request{action: action, parts: [6]string(parts)}, nil
}

func (r *request) resource() string {
	if r.star {
		return "*"
	}
	if r.arn == "" {
		r.arn = strings.Join(r.parts[:], ":")
	}
	return r.arn
}

// kind and name are the resource part before and after the first slash.
func (r *request) kind() string { kind, _, _ := strings.Cut(r.parts[5], "/"); return kind }
func (r *request) name() string { _, name, _ := strings.Cut(r.parts[5], "/"); return name }

// hasAction reports whether the statement speaks of action. Source: policy sheet 2, 10.
func (s *Statement) hasAction(action Action) bool {
	for _, a := range s.Actions {
		if matchAction(a, string(action)) {
			return !s.NotAction
		}
	}
	return s.NotAction
}

// actionMask is hasAction for every listed action at once.
func actionMask(actions []string, not bool) uint32 {
	s := Statement{Actions: actions, NotAction: not}
	var mask uint32
	for i := range actionTable {
		if s.hasAction(actionTable[i].action) {
			mask |= 1 << i
		}
	}
	return mask
}

// matchAction matches an action name; wildcards count in the operation alone.
func matchAction(pattern, action string) bool {
	if pattern == "*" {
		return true
	}
	service, operation, ok := strings.Cut(pattern, ":")
	wantService, wantOperation, ok2 := strings.Cut(action, ":")
	if ok != ok2 || !equalAction(service, wantService) {
		return false
	}
	if !strings.ContainsAny(operation, "*?") {
		return equalAction(operation, wantOperation)
	}
	if foldActions {
		operation, wantOperation = strings.ToLower(operation), strings.ToLower(wantOperation)
	}
	return plainGlob(operation).match(wantOperation)
}

func equalAction(a, b string) bool {
	if foldActions {
		return strings.EqualFold(a, b)
	}
	return a == b
}

// headMatches compares partition, service, Region and account with ctx.
func (p *pattern) headMatches(ctx *Context) bool {
	partition := ctx.Partition
	if partition == "" {
		partition = defaultPartition
	}
	return p.head[4].match(ctx.Account) && p.head[3].match(ctx.Region) && p.head[2].match("iot") && p.head[1].match(partition)
}

// matches compares a resource entry with the request. Source: policy sheet 6.1, 10.
func (p *pattern) matches(r *request, ctx *Context) bool {
	if p.any {
		return true
	}
	if r.star {
		return false
	}
	text, ok := p.resolve(ctx, r.action)
	return ok && p.matchARN(text, r.parts[:])
}

// covers reports whether the statement's Resource or NotResource covers r.
func (s *Statement) covers(r *request, ctx *Context) bool {
	for i := range s.resources {
		if s.resources[i].matches(r, ctx) {
			return !s.NotResource
		}
	}
	return s.NotResource
}

func (s *Statement) conditionsHold(ctx *Context, action Action) bool {
	for i := range s.Conditions {
		if !s.Conditions[i].holds(ctx, action) {
			return false
		}
	}
	return true
}

// dependsOnClock reports whether the statement may turn during a connection.
func (s *Statement) dependsOnClock() bool {
	for i := range s.Conditions {
		if s.Conditions[i].changes() {
			return true
		}
	}
	for i := range s.resources {
		if s.resources[i].changes() {
			return true
		}
	}
	return false
}

// DecideARN decides a request for any resource of any service: an ARN, or "*".
// Unlike [Bound.Decide] it reads every statement each time. Any other resource
// is an implicit deny.
func (b *Bound) DecideARN(action Action, resource string) Effect {
	r, err := parseRequest(canonical(action), resource)
	if err != nil {
		return ImplicitDeny
	}
	effect := ImplicitDeny
	for i := range b.set.docs {
		doc := &b.set.docs[i]
		if !doc.applies(b.ctx) {
			continue
		}
		for k := range doc.Doc.Statements {
			s := &doc.Doc.Statements[k]
			if s.hasAction(r.action) && s.covers(&r, b.ctx) && s.conditionsHold(b.ctx, r.action) {
				effect = max(effect, s.Effect)
			}
		}
	}
	return effect
}
