package identity

// ExclusiveThing returns the thing that the principal is attached to exclusively, or "".
func (a *Authorization) ExclusiveThing() string {
	if r := a.fresh(); r.err == nil && r.context.Thing != nil && r.context.Thing.Exclusive {
		return r.context.Thing.Name
	}
	return ""
}
