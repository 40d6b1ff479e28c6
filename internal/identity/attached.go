package identity

import "context"

// AttachedThing returns the one thing that the certificate is attached to where
// the connection belongs to none, "" otherwise: the device connects under
// another name than that of its thing. For refusals only. Source: PROBLEMS E-19.
func (a *Authorization) AttachedThing(ctx context.Context) (string, error) {
	r := a.fresh()
	if r.err != nil || r.thing() != "" || a.who.Kind != KindCertificate {
		return "", r.err
	}
	things, err := a.service.ThingsOfCertificate(ctx, a.who.ID)
	if err != nil || len(things) != 1 {
		return "", err
	}
	return things[0], nil
}
