package broker

// Reaches tells whether anybody subscribed to the topic of r, so that a message nobody gets need not be made.
func (b *Broker) Reaches(r *Route) bool {
	r.refresh(b)
	return len(r.receivers)+len(r.groups) > 0
}
